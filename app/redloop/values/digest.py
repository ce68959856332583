"""Digests of values, as DEBUG DIGEST and DEBUG DIGEST-VALUE give them: equal data, equal digest, whatever the encoding.

Two ways of taking bytes into a digest: `mix`, where the order counts (what stands in a list, a member and its score), and `add`, where it
does not (the members of a set). Both were found by asking a real server; tests/values/test_digest.py asks it again.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Final

from redloop.numbers import format_shortest
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream
from redloop.values.stream_ids import MAX_ID, MAX_PART, SEQUENCE_BITS
from redloop.values.strings import text

SIZE: Final = 20
EMPTY: Final = bytes(SIZE)
"""The digest of nothing."""

STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET: Final = 3
HASH: Final = 4
STREAM: Final = 6


def add(digest: bytes, data: bytes) -> bytes:
    """`digest` with `data` taken in, in whatever order."""
    return (int.from_bytes(digest, "big") ^ int.from_bytes(sha1(data, usedforsecurity=False).digest(), "big")).to_bytes(SIZE, "big")


def mix(digest: bytes, data: bytes) -> bytes:
    """`digest` with `data` taken in behind what it has taken in before."""
    return sha1(add(digest, data), usedforsecurity=False).digest()


def mix_number(digest: bytes, number: int) -> bytes:
    """`digest` with a type or a database number taken in."""
    return mix(digest, number.to_bytes(4, "big"))


def mix_value(digest: bytes, value: object, expires: bool) -> bytes:
    """`digest` with a value taken in, and whether its key expires."""
    if isinstance(value, List):
        digest = mix_number(digest, LIST)
        for item in value.items():
            digest = mix(digest, item)
    elif isinstance(value, Set):
        digest = mix_number(digest, SET)
        for member in value.members():
            digest = add(digest, member)
    elif isinstance(value, SortedSet):
        digest = _mix_sorted_set(digest, value)
    elif isinstance(value, Hash):
        digest = _mix_hash(digest, value)
    elif isinstance(value, Stream):
        digest = _mix_stream(digest, value)
    else:
        digest = mix(mix_number(digest, STRING), text(value))
    return add(digest, b"!!expire!!") if expires else digest


def _mix_sorted_set(digest: bytes, value: SortedSet) -> bytes:
    digest = mix_number(digest, ZSET)
    members = value.members(0, len(value))
    scores = value.scores(0, len(value))
    for at in range(len(members)):
        digest = add(digest, mix(mix(EMPTY, members[at]), format_shortest(scores[at])))
    return digest


def _mix_hash(digest: bytes, value: Hash) -> bytes:
    digest = mix_number(digest, HASH)
    flat = value.flat()
    for at in range(0, len(flat), 2):
        pair = mix(mix(EMPTY, flat[at]), flat[at + 1])
        if value.due(flat[at]) >= 0:
            pair = add(pair, b"!!hexpire!!")
        digest = add(digest, pair)
    return digest


def _mix_stream(digest: bytes, value: Stream) -> bytes:
    """The entries; groups do not count."""
    digest = mix_number(digest, STREAM)
    for ident, pairs in value.range(0, MAX_ID, 0):
        digest = mix(digest, b"%d.%d" % (ident >> SEQUENCE_BITS, ident & MAX_PART))
        for string in pairs:
            digest = mix(digest, string)
    return digest
