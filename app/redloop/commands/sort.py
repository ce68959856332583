"""SORT and SORT_RO (https://redis.io/docs/latest/commands/sort/).

The elements of a list, set or sorted set, in the order of what they are or of what stands under keys made of them. A pattern is a key
with a `*` for the element, and maybe `->field` behind it; one without `*` stands for nothing: as BY it means "do not sort".
"""

from __future__ import annotations

from typing import Final

from redloop.commands.hashes import field_value
from redloop.engine.acl.decisions import may_read_any_key
from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, READONLY, WRITE, family
from redloop.engine.options import Options, plain_double
from redloop.errors import SORT_BY_DENIED, SORT_GET_DENIED, SORT_SCORES, SYNTAX, WRONGTYPE, RedisError
from redloop.events import GENERIC, LIST
from redloop.resp.replies import Reply
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.partial_sort import part, ranks
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.strings import text

command = family("generic")

_NAMES: Final = {"BY": "by-pattern", "GET": "get-pattern", "ALPHA": "sorting"}


class Request:
    """What a SORT asks for; `any_key`: its user may read the keys that BY and GET make."""

    def __init__(self, argv: list[bytes], read_only: bool, any_key: bool) -> None:
        self.by: bytes | None = None
        self.gets: list[bytes] = []
        self.store: bytes | None = None
        self.offset = 0
        self.count = -1
        self.descending = False
        self.alpha = False
        options = Options(argv, 2)
        while options.more():
            word = options.word()
            if word == b"ASC":
                self.descending = False
            elif word == b"DESC":
                self.descending = True
            elif word == b"ALPHA":
                self.alpha = True
            elif word == b"LIMIT" and options.left() >= 2:
                self.offset, self.count = options.limit()
            elif word == b"BY" and options.more():
                self.by = options.value()
                if not any_key and b"*" in self.by:
                    raise RedisError(SORT_BY_DENIED)
            elif word == b"GET" and options.more():
                if not any_key:
                    raise RedisError(SORT_GET_DENIED)
                self.gets.append(options.value())
            elif word == b"STORE" and options.more() and not read_only:
                self.store = options.value()
            else:
                raise RedisError(SYNTAX)

    def window(self, size: int) -> tuple[int, int]:
        """The places that LIMIT leaves: from the first up to before the second."""
        start = max(self.offset, 0)
        stop = size if self.count < 0 else min(start + self.count, size)
        return min(start, size), max(stop, min(start, size))


def _look_up(client: Client, pattern: bytes, element: bytes) -> bytes | None:
    """What stands under `pattern` for `element`: a string, or a field of a hash."""
    if pattern == b"#":
        return element
    star = pattern.find(b"*")
    if star < 0:
        return None
    arrow = pattern.find(b"->", star + 1)
    field = pattern[arrow + 2 :] if arrow >= 0 else b""
    key = pattern[:star] + element + (pattern[star + 1 : arrow] if field else pattern[star + 1 :])
    value = client.db.find(key)
    if field:
        return field_value(client, key, value, field) if isinstance(value, Hash) else None
    if value is None or isinstance(value, (List, Set, SortedSet, Hash)):
        return None
    return text(value) if isinstance(value, (bytes, int, bytearray)) else None


def _elements(value: object) -> list[bytes]:
    if value is None:
        return []
    if isinstance(value, List):
        return value.items()
    if isinstance(value, Set):
        return value.members()
    if isinstance(value, SortedSet):
        value.compact = False  # Redis makes a skiplist of it to sort it, and leaves it so
        return value.members(0, len(value))
    raise RedisError(WRONGTYPE)


def _by_number(client: Client, request: Request, elements: list[bytes]) -> list[bytes]:
    """By numbers, a missing one being zero; where they are equal by the elements themselves."""
    ranked: list[tuple[float, bytes]] = []
    for element in elements:
        label = element if request.by is None else _look_up(client, request.by, element)
        number = 0.0 if label is None else plain_double(label.partition(b"\0")[0])  # read as a C string
        if number is None:
            raise RedisError(SORT_SCORES)
        ranked.append((number, element))
    ranked.sort(reverse=request.descending)
    return [entry[1] for entry in ranked]


def _by_label(client: Client, request: Request, elements: list[bytes]) -> list[bytes]:
    """By bytes, a missing string before all others; where they are equal the order stays, or comes as `partial_sort` leaves it."""
    labels: list[tuple[bool, bytes]] = []
    for element in elements:
        label = element if request.by is None else _look_up(client, request.by, element)
        if label is not None and request.store is None:
            label = label.partition(b"\0")[0]  # compared as C strings
        labels.append((label is not None, label or b""))
    if request.by is not None:
        start, stop = request.window(len(elements))
        if stop - start < len(elements) and len(set(labels)) < len(labels):
            return part(elements, ranks(labels, request.descending), start, stop - 1)
    ranked = list(zip(labels, elements, strict=True))
    ranked.sort(key=_label_of, reverse=request.descending)
    return [entry[1] for entry in ranked]


def _label_of(entry: tuple[tuple[bool, bytes], bytes]) -> tuple[bool, bytes]:
    return entry[0]


def _sort(client: Client, argv: list[bytes], read_only: bool) -> Reply:
    known = client.server.users.catalog.commands["sort_ro" if read_only else "sort"]
    request = Request(argv, read_only, may_read_any_key(client.user, known, argv))
    value = client.db.find(argv[1])
    elements = _elements(value)
    if request.by is not None and b"*" not in request.by:
        if isinstance(value, Set) and request.store is not None:
            # A set has no order of its own, and what is stored must be the same on every replica.
            elements.sort(reverse=request.descending)
        elif isinstance(value, (List, SortedSet)) and request.descending:
            elements.reverse()
    elif request.alpha:
        elements = _by_label(client, request, elements)
    else:
        elements = _by_number(client, request, elements)
    start, stop = request.window(len(elements))
    elements = elements[start:stop]
    results: list[bytes | None] = list(elements)
    if request.gets:
        results = [_look_up(client, pattern, element) for element in elements for pattern in request.gets]
    if request.store is None:
        return results
    return _store(client, request.store, [result or b"" for result in results])


def _store(client: Client, key: bytes, items: list[bytes]) -> int:
    db = client.db
    db.for_write(key)
    if items:
        made = List()
        made.push_tail(items, client.server.config.list_max_listpack_size)
        db.put(key, made)
        db.changed(key, LIST, b"sortstore", len(items))
    elif db.remove(key):
        db.changed(key, GENERIC, b"del")
    return len(items)


@command(
    "SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]",
    "Sorts the elements of a list, set or sorted set; gives or stores them, or what other keys hold for them.",
    WRITE | DENYOOM, since="1.0.0", complexity="O(N+M*log(M))", keys="RO ACCESS, RO ACCESS UNKNOWN, OW UPDATE UNKNOWN",
    acl="set sortedset list dangerous", names=_NAMES,
)
def sort(client: Client, argv: list[bytes]) -> Reply:
    return _sort(client, argv, False)


@command(
    "SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
    "Sorts the elements of a list, set or sorted set; gives them, or what other keys hold for them.",
    READONLY, since="7.0.0", complexity="O(N+M*log(M))", keys="RO ACCESS, RO ACCESS UNKNOWN", acl="set sortedset list dangerous",
    names=_NAMES,
)
def sort_ro(client: Client, argv: list[bytes]) -> Reply:
    return _sort(client, argv, True)
