"""What a command may answer: plain Python values, and a few classes for what Python has no type for.

None is null, int an integer, bytes a bulk string, list or tuple an array, dict a map, set or frozenset a set, float a double, bool a
boolean, RedisError (inside an array) an error. The constants and classes here are the rest. `resp.encode` turns all of them into RESP2 or
RESP3; scripts, transactions and embedding programs take the values as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

Reply = object


class Simple:
    """A simple string: `+text`. `text` must hold no CR or LF."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.wire = b"+" + text + b"\r\n"

    def __repr__(self) -> str:
        return f"Simple({self.text!r})"


class Push:
    """An out-of-band message: a push in RESP3, an array in RESP2."""

    def __init__(self, items: list[object]) -> None:
        self.items = items


class Several:
    """Several replies to one command, one after another (SUBSCRIBE to several channels)."""

    def __init__(self, replies: Sequence[object]) -> None:
        self.replies = replies


class Verbatim:
    """Text with a three-letter format: a verbatim string in RESP3, a bulk string in RESP2."""

    def __init__(self, text: bytes, kind: bytes = b"txt") -> None:
        self.text = text
        self.kind = kind


class Pairs:
    """Field and value in turn, order kept: a map in RESP3, a flat array in RESP2. `flat` has an even length."""

    def __init__(self, flat: list[object]) -> None:
        self.flat = flat


class Members:
    """A set whose order is kept, or whose members Python cannot hash: a set in RESP3, an array in RESP2."""

    def __init__(self, items: list[object]) -> None:
        self.items = items


class Attributed:
    """A reply with attributes before it in RESP3; in RESP2 the reply alone."""

    def __init__(self, attributes: Pairs, reply: object) -> None:
        self.attributes = attributes
        self.reply = reply


class BigNumber:
    """An integer beyond 64 bits, or what a script takes for one: a big number in RESP3, a bulk string in RESP2."""

    def __init__(self, value: int | bytes) -> None:
        self.text = value if isinstance(value, bytes) else b"%d" % value


class Mark:
    """A reply that is none of the data types: see the constants below."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


OK: Final = Simple(b"OK")
PONG: Final = Simple(b"PONG")
QUEUED: Final = Simple(b"QUEUED")
NULL_ARRAY: Final = Mark("NULL_ARRAY")
"""A null where an array was due: `*-1` in RESP2, `_` in RESP3."""
NOTHING: Final = Mark("NOTHING")
"""No reply now: the command wrote its own, or will (blocked, subscribed)."""
