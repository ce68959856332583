"""Classes of keyspace events: the letters of notify-keyspace-events.

Source: https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/
"""

from __future__ import annotations

from typing import Final

GENERIC: Final = 1  # g
STRING: Final = 2  # $
LIST: Final = 4  # l
SET: Final = 8  # s
HASH: Final = 16  # h
ZSET: Final = 32  # z
EXPIRED: Final = 64  # x
EVICTED: Final = 128  # e
STREAM: Final = 256  # t
KEY_MISS: Final = 512  # m
MODULE: Final = 1024  # d
NEW: Final = 2048  # n

SILENT: Final = 0
"""Of a change that nothing is published for: WATCH and tracking see it all the same."""

# Not classes, but where they are published.
KEYSPACE: Final = 1 << 14  # K
KEYEVENT: Final = 1 << 15  # E

# Without a letter: a database is about to lose all its keys; is about to be exchanged with another, and again when it has been.
FLUSHED: Final = 1 << 20
SWAPPED: Final = 1 << 21

ASIDE: Final = 1 << 22
"""Joined to a class: what happened left the value as WATCH sees it (a consumer came to a group)."""

LETTERS: Final = {
    "g": GENERIC, "$": STRING, "l": LIST, "s": SET, "h": HASH, "z": ZSET, "x": EXPIRED, "e": EVICTED, "t": STREAM, "d": MODULE, "n": NEW,
    "K": KEYSPACE, "E": KEYEVENT, "m": KEY_MISS,
}  # fmt: skip
"""In the order CONFIG GET writes them."""
ALL: Final = GENERIC | STRING | LIST | SET | HASH | ZSET | EXPIRED | EVICTED | STREAM | MODULE
"""What the letter A stands for."""
