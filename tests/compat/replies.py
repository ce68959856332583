"""RESP replies as the tests see them: split out of a byte stream, compared to the byte, or loosely where a case says so.

`Stream` reads whole replies from a socket. `compare` takes two replies as bytes and the marks of the step:

    [sorted]    order of elements does not matter (arrays and sets at every depth; maps by key)
    [pairs]     the same, and flat arrays are name-value pairs (what HGETALL or CONFIG GET give under RESP2)
    [near N]    numbers may differ by N, and by as much again for each second that passed meanwhile (a busy machine stands still for some)
    [shape]     types and counts only, no contents
    [fields]    of INFO-like text, the names of the fields and the section lines only
    [lines]     the order of the lines of a text does not matter
    [digits]    every run of digits in texts counts as the same
    [mask RE]   what matches the regular expression counts as the same
    [only A B]  of texts with fields (`A=1 B=2`, or `A:1` a line) these only, where there are any of them
    [but NAME]  without the field NAME of a map or a flat array of pairs
    [as name]   remembers the reply (its first scalar) as {name} for later steps of the line; compared by shape
    [kind]      the type only (help texts: an array of lines)
    [skip]      not compared
"""

from __future__ import annotations

import functools
import re
import socket
from collections.abc import Callable
from typing import TypeAlias

CLOSED = b"(closed)"
SILENT = b"(no reply)"

Node: TypeAlias = "tuple[str, bytes | list[Node] | None]"

AGGREGATES = b"*~%>|"
_DIGITS = rb"\d+(?:\.\d+)?(?:e[+-]?\d+)?"


def reply_end(data: bytes | bytearray, start: int) -> int:
    """Where the reply that starts at `start` ends, or -1 when it is not whole yet. What is no RESP counts as one reply."""
    try:
        return _reply_end(data, start)
    except ValueError:
        return len(data)


def _reply_end(data: bytes | bytearray, start: int) -> int:
    wanted = 1
    at = start
    while wanted:
        line = data.find(b"\r\n", at)
        if line < 0:
            return -1
        kind = data[at]
        body = data[at + 1 : line]
        at = line + 2
        wanted -= 1
        if kind in b"$=!":
            size = int(body)
            if size >= 0:
                at += size + 2
                if at > len(data):
                    return -1
        elif kind in AGGREGATES:
            count = max(int(body), 0)
            wanted += count * 2 if kind in b"%|" else count
            if kind == 0x7C:  # an attribute comes before the reply it belongs to
                wanted += 1
    return at


def parse(data: bytes, at: int = 0) -> tuple[Node, int]:
    """The reply at `at` as a tree of (type character, contents), and where it ends."""
    line = data.index(b"\r\n", at)
    kind = chr(data[at])
    body = data[at + 1 : line]
    at = line + 2
    if kind in "$=!":
        size = int(body)
        if size < 0:
            return (kind, None), at
        return (kind, data[at : at + size]), at + size + 2
    if kind not in "*~%>|":
        return (kind, body), at
    count = int(body)
    if count < 0:
        return (kind, None), at
    items: list[Node] = []
    for _ in range(count * 2 if kind in "%|" else count):
        item, at = parse(data, at)
        items.append(item)
    if kind == "|":
        item, at = parse(data, at)
        items.append(item)
    return (kind, items), at


def scalar(node: Node) -> bytes:
    """The first scalar of a reply: what `[as name]` remembers."""
    _, value = node
    if isinstance(value, list):
        return scalar(value[0]) if value else b""
    return value or b""


def _shape(node: Node) -> Node:
    kind, value = node
    if isinstance(value, list):
        return kind, [_shape(item) for item in value]
    return kind, value if value is None or kind in "-!#_" else b""


def _sorted(node: Node, pairs: bool) -> Node:
    kind, value = node
    if not isinstance(value, list):
        return node
    items = [_sorted(item, pairs) for item in value]
    if kind in "%|" or (pairs and len(items) % 2 == 0 and not any(isinstance(item[1], list) for item in items[::2])):
        couples = sorted(zip(items[::2], items[1::2], strict=True), key=repr)
        return kind, [item for couple in couples for item in couple]
    return kind, sorted(items, key=repr)


def _fields(text: bytes) -> bytes:
    return b"\n".join(line.split(b":", 1)[0] for line in text.splitlines())


def _without(node: Node, name: bytes) -> Node:
    kind, value = node
    assert isinstance(value, list)
    couples = zip(value[::2], value[1::2], strict=True)
    return kind, [item for couple in couples if couple[0][1] != name for item in couple]


def _masking(pattern: bytes) -> Callable[[bytes], bytes]:
    return functools.partial(re.compile(pattern).sub, b"#")


def _only(names: str) -> Callable[[bytes], bytes]:
    field = re.compile(rf"(?<![\w-])(?:{'|'.join(names.split())})[=:]\S*".encode())
    return lambda text: b" ".join(field.findall(text)) or text


def _ordered(text: bytes) -> bytes:
    return b"\n".join(sorted(text.splitlines()))


def _mapped(node: Node, change: Callable[[bytes], bytes]) -> Node:
    """The reply with every text in it changed."""
    kind, value = node
    if isinstance(value, list):
        return kind, [_mapped(item, change) for item in value]
    return kind, None if value is None else change(value)


def _near(one: Node, other: Node, distance: float) -> bool:
    if one == other:
        return True
    if one[0] != other[0]:
        return False
    left, right = one[1], other[1]
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_near(a, b, distance) for a, b in zip(left, right, strict=True))
    if not isinstance(left, bytes) or not isinstance(right, bytes):
        return False
    try:
        return abs(float(left) - float(right)) <= distance
    except ValueError:
        return False


def compare(ours: bytes, theirs: bytes, marks: dict[str, str], seconds: float = 0.0) -> bool:
    """Whether two replies, which took so many seconds, are the same as closely as the marks ask."""
    if ours == theirs or "skip" in marks:
        return True
    if not marks or ours in (CLOSED, SILENT) or theirs in (CLOSED, SILENT):
        return False
    try:
        one, other = parse(ours)[0], parse(theirs)[0]
    except (ValueError, IndexError):
        return False
    if "kind" in marks:
        return one[0] == other[0]
    if "but" in marks and isinstance(one[1], list) and isinstance(other[1], list):
        one, other = _without(one, marks["but"].encode()), _without(other, marks["but"].encode())
    if "shape" in marks or "as" in marks:
        one, other = _shape(one), _shape(other)
    if "fields" in marks:
        one, other = _mapped(one, _fields), _mapped(other, _fields)
    if "digits" in marks:
        one, other = _mapped(one, _masking(_DIGITS)), _mapped(other, _masking(_DIGITS))
    if "mask" in marks:
        mask = _masking(marks["mask"].encode())
        one, other = _mapped(one, mask), _mapped(other, mask)
    if "only" in marks:
        only = _only(marks["only"])
        one, other = _mapped(one, only), _mapped(other, only)
    if "lines" in marks:
        one, other = _mapped(one, _ordered), _mapped(other, _ordered)
    if "sorted" in marks or "pairs" in marks:
        one, other = _sorted(one, "pairs" in marks), _sorted(other, "pairs" in marks)
    return _near(one, other, float(marks["near"]) * (1 + seconds)) if "near" in marks else one == other


class Stream:
    """Whole replies out of a socket."""

    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.buffer = bytearray()
        self.closed = False

    def _fill(self) -> bool:
        try:
            data = self.peer.recv(1 << 18)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        self.closed = not data
        self.buffer += data
        return bool(data)

    def reply(self) -> bytes:
        """The next reply, or CLOSED, or SILENT when none came in time."""
        while True:
            end = reply_end(self.buffer, 0)
            if end >= 0:
                out = bytes(self.buffer[:end])
                del self.buffer[:end]
                return out
            if self.closed or not self._fill():
                if not self.closed:
                    self.peer.settimeout(0.05)  # what is late is taken to be missing: do not wait as long again
                return CLOSED if self.closed else SILENT

    def rest(self) -> bytes:
        """Everything up to the end of the stream; SILENT is appended when the server does not close it."""
        while not self.closed:
            if not self._fill() and not self.closed:
                self.buffer += SILENT
                break
        return bytes(self.buffer)
