"""How much memory a value takes, in bytes: what MEMORY USAGE answers.

Containers are measured, their contents are sampled: the mean of a few items, times their number (`samples` 0: all of them). An object that
several values share counts for each.
"""

from __future__ import annotations

from itertools import islice
from sys import getsizeof
from typing import Final

from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.scores import Scores
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream
from redloop.values.stream_groups import Group
from redloop.values.stream_node import Node
from redloop.values.table import Table

ALIGNMENT: Final = 16
"""CPython's allocator hands out multiples of this."""
FLOAT: Final = 32
ID: Final = 48


def footprint(value: object, samples: int) -> int:
    """The bytes that `value` takes."""
    if isinstance(value, List):
        return _list(value, samples)
    if isinstance(value, Hash):
        body = 0 if value.table is None else _table(value.table, samples)
        times = 0 if value.expires is None else _scores(value.expires, samples)
        return _allocated(value) + _allocated(value.packed) + body + times
    if isinstance(value, Set):
        return _allocated(value) + _allocated(value.packed) + (0 if value.table is None else _table(value.table, samples))
    if isinstance(value, SortedSet):
        body = 0 if value.big is None else _scores(value.big, samples)
        return _allocated(value) + _allocated(value.packed) + _allocated(value.weights) + body
    if isinstance(value, Stream):
        return _stream(value, samples)
    return _allocated(value)


def _allocated(thing: object) -> int:
    return (getsizeof(thing) + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def _contents(sizes: list[int], count: int) -> int:
    """What `count` items take of which some were measured."""
    return sum(sizes) * count // len(sizes) if sizes else 0


def _list(value: List, samples: int) -> int:
    total = _allocated(value) + _allocated(value.packed)
    nodes = value.nodes
    if nodes is None:
        return total
    count = len(value)
    measured = value.slice(0, min(samples or count, count))
    total += _allocated(nodes) + _allocated(nodes.chunks) + _allocated(nodes.sizes) + _allocated(nodes.head)
    for chunk in nodes.chunks:
        total += _allocated(chunk)
    return total + _contents([_allocated(item) for item in measured], count)


def _table(table: Table, samples: int) -> int:
    parts = table.parts()
    total = _allocated(table) + _allocated(table.directory) + _allocated(table.depths)
    wanted = samples or table.count
    sizes: list[int] = []
    for part in parts:
        total += _allocated(part)
        if len(sizes) < wanted:
            for key, item in islice(part.items(), wanted - len(sizes)):
                sizes.append(_allocated(key) + (0 if item is True else FLOAT if isinstance(item, float) else _allocated(item)))
    return total + _contents(sizes, table.count)


def _scores(scores: Scores, samples: int) -> int:
    ranking = scores.ranking
    total = _allocated(scores) + _allocated(ranking) + _table(scores.table, samples)
    for chunk in ranking.members:
        total += _allocated(chunk)
    for weights in ranking.scores:
        total += _allocated(weights)
    return total + _allocated(ranking.last_members) + _allocated(ranking.last_scores)


def _stream(stream: Stream, samples: int) -> int:
    nodes = stream.nodes
    total = _allocated(stream) + 2 * _allocated(nodes) + ID * len(nodes) + _allocated(stream.groups)
    total += sum([_group(group, samples) for group in stream.groups.values()])
    if nodes:
        total += _node(nodes[-1])  # the open one is larger
    full = nodes[: min(samples or len(nodes), len(nodes) - 1)] if nodes else []
    return total + _contents([_node(node) for node in full], len(nodes) - 1)


def _node(node: Node) -> int:
    total = _allocated(node)
    packed = node.packed
    if packed is None:
        total += _allocated(node.ids) + ID * len(node.ids) + _allocated(node.strings) + sum([_allocated(string) for string in node.strings])
    else:
        total += sum([_allocated(part) for part in (packed, packed.ms, packed.sequences, packed.blob, packed.ends)])
    if node.starts is not None:
        total += _allocated(node.starts)
    return total + (0 if node.flags is None else _allocated(node.flags))


def _group(group: Group, samples: int) -> int:
    pending = group.pending
    total = _allocated(group) + _allocated(group.consumers) + 2 * _allocated(pending.ids) + ID * len(pending)
    for consumer in group.consumers.values():
        total += _allocated(consumer) + _allocated(consumer.name)
        total += _allocated(consumer.pending) + 2 * _allocated(consumer.pending.ids)
    deliveries = pending.entries()[: samples or len(pending)]
    return total + _contents([_allocated(delivery) + FLOAT for _, delivery in deliveries], len(pending))
