"""Nodes of streams as listpacks, which is how they stand in RDB.

The first entry: how many entries live and how many are deleted, the fields most of them have, 0. Then each entry: flags, what its id is
above the node's, its fields and values (only values where the fields are the first's), and how many items of the listpack that makes.
"""

from __future__ import annotations

from typing import Final

from redloop.persistence.rdb.packs import INT64_MAX, FormatError, read_listpack, write_listpack
from redloop.values.set import is_integer
from redloop.values.stream_ids import MAX_PART, SEQUENCE_BITS
from redloop.values.stream_node import Node

DELETED: Final = 1
SAME_FIELDS: Final = 2

_WRAP: Final = 1 << 64


def _signed(number: int) -> int:
    """A number of 64 bits as C prints it when it takes it to be signed."""
    number %= _WRAP
    return number if number <= INT64_MAX else number - _WRAP


def write_node(node: Node) -> bytes:
    """The listpack of a node."""
    items: list[bytes] = [b"%d" % node.live, b"%d" % (node.count - node.live), b"%d" % node.width, *node.fields, b"0"]
    master_ms, master_sequence = node.master >> SEQUENCE_BITS, node.master & MAX_PART
    ids, all_strings = node.contents()
    width = int(node.width)
    at = 0
    for position, ident in enumerate(ids):
        flags = DELETED if node.is_dead(position) else 0
        own_fields = node.has_own_fields(position)
        length = width if node.starts is None else node.starts[position + 1] - at
        strings = all_strings[at : at + length]
        at += length
        items.append(b"%d" % (flags if own_fields else flags | SAME_FIELDS))
        items.append(b"%d" % _signed((ident >> SEQUENCE_BITS) - master_ms))
        items.append(b"%d" % _signed((ident & MAX_PART) - master_sequence))
        if own_fields:
            items.append(b"%d" % (len(strings) // 2))
        items += strings
        items.append(b"%d" % (len(strings) + (4 if own_fields else 3)))
    return write_listpack(items)


def read_node(name: bytes, data: bytes) -> Node:
    """The node whose first id is in `name`. Raises FormatError."""
    if len(name) != 16:
        raise FormatError("Stream node key entry is not the size of a stream ID")
    items = _Items(read_listpack(data))
    live, dead = items.number(), items.number()
    master_ms, master_sequence = int.from_bytes(name[:8], "big"), int.from_bytes(name[8:], "big")
    node = Node(int.from_bytes(name, "big"), items.take(items.number()))
    items.number()
    previous = -1
    for _ in range(live + dead):
        flags = items.number()
        ms = (master_ms + items.difference()) % _WRAP
        ident = ms << SEQUENCE_BITS | (master_sequence + items.difference()) % _WRAP
        if ident <= previous or ident < node.master:
            raise FormatError("Stream entries are not in the order of their ids")
        previous = ident
        if flags & SAME_FIELDS:
            pairs: list[bytes] = []
            for field, text in zip(node.fields, items.take(int(node.width)), strict=True):
                pairs.append(field)
                pairs.append(text)
        else:
            pairs = items.take(2 * items.number())
        items.number()
        node.append(ident, pairs)
        if flags & DELETED:
            node.bury(int(node.count) - 1)
    if not node.count or node.live != live or not items.ended():
        raise FormatError("Stream listpack integrity check failed.")
    node.pack()
    return node


class _Items:
    """The items of a listpack, one after another."""

    def __init__(self, items: list[bytes]) -> None:
        self.items = items
        self.at = 0

    def ended(self) -> bool:
        return self.at == len(self.items)

    def take(self, count: int) -> list[bytes]:
        if count > len(self.items) - self.at:
            raise FormatError("Stream listpack integrity check failed.")
        self.at += count
        return self.items[self.at - count : self.at]

    def difference(self) -> int:
        text = self.take(1)[0]
        if not is_integer(text):
            raise FormatError("Stream listpack integrity check failed.")
        return int(text)

    def number(self) -> int:
        number = self.difference()
        if number < 0:
            raise FormatError("Stream listpack integrity check failed.")
        return number
