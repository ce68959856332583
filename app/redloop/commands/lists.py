"""List commands (https://redis.io/docs/latest/commands/?group=list).

Everything that takes from a list says `_taken` afterwards: the event, and the deletion of a list that is empty. A blocking command is the
plain one that parks its client when it finds nothing; it is passed on as the plain one.
"""

from __future__ import annotations

from typing import Final

from redloop.engine.blocking import block, wait_ms
from redloop.engine.client import Client
from redloop.engine.command import BLOCKING, DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import Options, final_count, keys_after_count, parse_int_in_range
from redloop.errors import (
    INDEX_OUT_OF_RANGE,
    LPOS_COUNT_NEGATIVE,
    LPOS_MAXLEN_NEGATIVE,
    LPOS_RANK_ZERO,
    NO_SUCH_KEY,
    NUMKEYS_NOT_POSITIVE,
    SYNTAX,
    WRONGTYPE,
    RedisError,
    wrong_arity,
)
from redloop.events import GENERIC, LIST
from redloop.numbers import INT64_MAX, parse_int, parse_int_between, parse_positive
from redloop.resp.replies import NULL_ARRAY, OK, Reply
from redloop.values.list import List

command = family("list")

_PUSHED: Final = {True: b"lpush", False: b"rpush"}
_POPPED: Final = {True: b"lpop", False: b"rpop"}


# --- looking up ------------------------------------------------------------------------------------------------------------------


def _list(value: object) -> List | None:
    if value is None or isinstance(value, List):
        return value
    raise RedisError(WRONGTYPE)


def _find(client: Client, key: bytes) -> List | None:
    return _list(client.db.find(key))


def _find_for_write(client: Client, key: bytes) -> List | None:
    return _list(client.db.find_for_write(key))


def _create(client: Client, key: bytes) -> List:
    found = List()
    client.db.put(key, found)
    return found


def _taken(client: Client, key: bytes, found: List, event: bytes, changes: int) -> None:
    """Items were taken from `key`: an empty list goes."""
    db = client.db
    db.changed(key, LIST, event, changes)
    if not found.count:
        db.remove(key)
        db.changed(key, GENERIC, b"del", 0)


def _position(text: bytes, length: int) -> int:
    """An index that may count from the end; outside it stays outside."""
    index = parse_int(text)
    return index + length if index < 0 else index


# --- pushing ---------------------------------------------------------------------------------------------------------------------


def _push(client: Client, argv: list[bytes], left: bool, create: bool) -> int:
    key = argv[1]
    found = _find_for_write(client, key)
    if found is None:
        if not create:
            return 0
        found = _create(client, key)
    fill = client.server.config.list_max_listpack_size
    count = len(argv) - 2
    if count == 1:
        found.push(argv[2], left, fill)
    elif left:
        found.push_head(argv[2:], fill)
    else:
        found.push_tail(argv[2:], fill)
    client.db.changed(key, LIST, b"lpush" if left else b"rpush", count)
    return found.count


@command(
    "LPUSH key element [element ...]",
    "Puts elements before the first one of a list.",
    WRITE | DENYOOM | FAST, since="1.0.0", complexity="O(1)", keys="RW INSERT",
)
def lpush(client: Client, argv: list[bytes]) -> Reply:
    return _push(client, argv, True, True)


@command(
    "RPUSH key element [element ...]",
    "Appends elements to a list.",
    WRITE | DENYOOM | FAST, since="1.0.0", complexity="O(1)", keys="RW INSERT",
)
def rpush(client: Client, argv: list[bytes]) -> Reply:
    return _push(client, argv, False, True)


@command(
    "LPUSHX key element [element ...]",
    "Puts elements before the first one of a list that is there.",
    WRITE | DENYOOM | FAST, since="2.2.0", complexity="O(1)", keys="RW INSERT",
)
def lpushx(client: Client, argv: list[bytes]) -> Reply:
    return _push(client, argv, True, False)


@command(
    "RPUSHX key element [element ...]",
    "Appends elements to a list that is there.",
    WRITE | DENYOOM | FAST, since="2.2.0", complexity="O(1)", keys="RW INSERT",
)
def rpushx(client: Client, argv: list[bytes]) -> Reply:
    return _push(client, argv, False, False)


@command(
    "LINSERT key <BEFORE | AFTER> pivot element",
    "Puts an element beside the first one equal to the pivot.",
    WRITE | DENYOOM, since="2.2.0", complexity="O(N)", keys="RW INSERT",
)
def linsert(client: Client, argv: list[bytes]) -> Reply:
    where = argv[2].upper()
    if where not in (b"BEFORE", b"AFTER"):
        raise RedisError(SYNTAX)
    key = argv[1]
    found = _find_for_write(client, key)
    if found is None:
        return 0
    if not found.insert(argv[3], argv[4], where == b"AFTER", client.server.config.list_max_listpack_size):
        return -1
    client.db.changed(key, LIST, b"linsert")
    return found.count


@command(
    "LSET key index element",
    "Replaces the element at an index.",
    WRITE | DENYOOM, since="1.0.0", complexity="O(N)", keys="RW UPDATE",
)
def lset(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = _find_for_write(client, key)
    if found is None:
        raise RedisError(NO_SUCH_KEY)
    position = _position(argv[2], found.count)
    if not 0 <= position < found.count:
        found.expect(argv[3], client.server.config.list_max_listpack_size)
        raise RedisError(INDEX_OUT_OF_RANGE)
    found.set(position, argv[3], client.server.config.list_max_listpack_size)
    client.db.changed(key, LIST, b"lset")
    return OK


# --- reading ---------------------------------------------------------------------------------------------------------------------


@command("LLEN key", "The length of a list.", READONLY | FAST, since="1.0.0", complexity="O(1)", keys="RO")
def llen(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return 0 if found is None else found.count


@command("LINDEX key index", "The element at an index, from the end if negative.", READONLY, since="1.0.0", complexity="O(N)")
def lindex(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    if found is None:
        return None
    position = _position(argv[2], found.count)
    return found.get(position) if 0 <= position < found.count else None


@command("LRANGE key start stop", "The elements from one index to another.", READONLY, since="1.0.0", complexity="O(S+N)")
def lrange(client: Client, argv: list[bytes]) -> Reply:
    start, stop = parse_int(argv[2]), parse_int(argv[3])
    found = _find(client, argv[1])
    if found is None:
        return []
    length: int = found.count
    if start < 0:
        start = max(start + length, 0)
    if stop < 0:
        stop += length
    return found.slice(start, min(stop + 1, length))


@command(
    "LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    "The index of the first element that matches, or of several.",
    READONLY, since="6.0.6", complexity="O(N)",
)
def lpos(client: Client, argv: list[bytes]) -> Reply:
    rank, count, limit = 1, -1, 0
    options = Options(argv, 3)
    while options.more():
        match options.word():
            case b"RANK":
                rank = parse_int_in_range(options.value(), -INT64_MAX, INT64_MAX)
                if rank == 0:
                    raise RedisError(LPOS_RANK_ZERO)
            case b"COUNT":
                count = parse_int_between(options.value(), 0, INT64_MAX, LPOS_COUNT_NEGATIVE)
            case b"MAXLEN":
                limit = parse_int_between(options.value(), 0, INT64_MAX, LPOS_MAXLEN_NEGATIVE)
            case _:
                raise RedisError(SYNTAX)
    found = _find(client, argv[1])
    places: list[int] = [] if found is None else found.positions(argv[2], rank, 1 if count < 0 else count, limit)
    if count >= 0:
        return places
    return places[0] if places else None


# --- taking ----------------------------------------------------------------------------------------------------------------------


def _pop(client: Client, argv: list[bytes], left: bool) -> Reply:
    key = argv[1]
    if len(argv) > 3:
        raise RedisError(wrong_arity("lpop" if left else "rpop"))
    if len(argv) > 2:
        return _pop_many(client, key, parse_positive(argv[2]), left)
    found = _find_for_write(client, key)
    if found is None:
        return None
    return _pop_one(client, key, found, left)


def _pop_one(client: Client, key: bytes, found: List, left: bool) -> bytes:
    fill = client.server.config.list_max_listpack_size
    item = found.pop_head(fill) if left else found.pop_tail(fill)
    _taken(client, key, found, b"lpop" if left else b"rpop", 1)
    return item


def _pop_many(client: Client, key: bytes, count: int, left: bool) -> Reply:
    found = _find_for_write(client, key)
    if found is None:
        return NULL_ARRAY
    if count == 0:
        return []
    items = found.pop(left, count, client.server.config.list_max_listpack_size)
    _taken(client, key, found, _POPPED[left], len(items))
    return items


@command(
    "LPOP key [count]",
    "Takes the first element of a list, or the first few.",
    WRITE | FAST, since="1.0.0", complexity="O(N)", keys="RW ACCESS DELETE", added={"6.2.0": "count"},
)
def lpop(client: Client, argv: list[bytes]) -> Reply:
    return _pop(client, argv, True)


@command(
    "RPOP key [count]",
    "Takes the last element of a list, or the last few.",
    WRITE | FAST, since="1.0.0", complexity="O(N)", keys="RW ACCESS DELETE", added={"6.2.0": "count"},
)
def rpop(client: Client, argv: list[bytes]) -> Reply:
    return _pop(client, argv, False)


@command(
    "LREM key count element",
    "Removes elements equal to the one given.",
    WRITE, since="1.0.0", complexity="O(N+M)", keys="RW DELETE",
)
def lrem(client: Client, argv: list[bytes]) -> Reply:
    count = parse_int(argv[2])
    key = argv[1]
    found = _find_for_write(client, key)
    removed = 0 if found is None else found.remove(argv[3], count, client.server.config.list_max_listpack_size)
    if found is not None and removed:
        _taken(client, key, found, b"lrem", removed)
    return removed


@command(
    "LTRIM key start stop",
    "Removes what is not between two indexes.",
    WRITE, since="1.0.0", complexity="O(N)", keys="RW DELETE",
)
def ltrim(client: Client, argv: list[bytes]) -> Reply:
    start, stop = parse_int(argv[2]), parse_int(argv[3])
    key = argv[1]
    found = _find_for_write(client, key)
    if found is None:
        return OK
    length: int = found.count
    if start < 0:
        start = max(start + length, 0)
    if stop < 0:
        stop += length
    stop = min(stop + 1, length)
    if start > 0 or stop < length:
        found.trim(start, stop, client.server.config.list_max_listpack_size)
    _taken(client, key, found, b"ltrim", length - found.count)
    return OK


# --- moving ----------------------------------------------------------------------------------------------------------------------


def _side(word: bytes) -> bool:
    """Whether it says LEFT."""
    side = word.upper()
    if side not in (b"LEFT", b"RIGHT"):
        raise RedisError(SYNTAX)
    return side == b"LEFT"


def _move(client: Client, source: bytes, target: bytes, from_left: bool, to_left: bool) -> bytes | None:
    found = _find_for_write(client, source)
    if found is None:
        return None
    fill = client.server.config.list_max_listpack_size
    into = found if source == target else _find_for_write(client, target)
    item = found.pop_head(fill) if from_left else found.pop_tail(fill)
    if into is None:
        into = _create(client, target)
    if to_left:
        into.push_head([item], fill)
    else:
        into.push_tail([item], fill)
    client.db.changed(target, LIST, _PUSHED[to_left], 0)
    _taken(client, source, found, _POPPED[from_left], 1)
    return item


@command(
    "LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>",
    "Takes an element from one end of a list and puts it to an end of another.",
    WRITE | DENYOOM, since="6.2.0", complexity="O(1)", keys="RW ACCESS DELETE, RW INSERT", names={"LEFT": "wherefrom left whereto"},
)
def lmove(client: Client, argv: list[bytes]) -> Reply:
    return _move(client, argv[1], argv[2], _side(argv[3]), _side(argv[4]))


@command(
    "RPOPLPUSH source destination",
    "Takes the last element of a list and puts it before the first of another.",
    WRITE | DENYOOM, since="1.2.0", complexity="O(1)", keys="RW ACCESS DELETE, RW INSERT", deprecated="6.2.0",
    replaced_by="`LMOVE` with the `RIGHT` and `LEFT` arguments",
)
def rpoplpush(client: Client, argv: list[bytes]) -> Reply:
    return _move(client, argv[1], argv[2], False, True)


def _pop_from_first(client: Client, keys: list[bytes], left: bool, count: int) -> Reply:
    """Takes items from the first list that is there: key and items, None if there is none."""
    for key in keys:
        found = _find_for_write(client, key)
        if found is not None:
            items = found.pop(left, count, client.server.config.list_max_listpack_size)
            _taken(client, key, found, _POPPED[left], len(items))
            client.replay_as([b"LPOP" if left else b"RPOP", key, b"%d" % len(items)])
            return [key, items]
    return None


def _side_and_count(argv: list[bytes], at: int) -> tuple[bool, int]:
    """`<LEFT | RIGHT> [COUNT count]`, the last words of a request."""
    options = Options(argv, at)
    if not options.more():
        raise RedisError(SYNTAX)
    left = _side(options.value())
    return left, final_count(options)


@command(
    "LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    "Takes elements from the first of several lists that is not empty.",
    WRITE, since="7.0.0", complexity="O(N+M)", keys="RW ACCESS DELETE",
)
def lmpop(client: Client, argv: list[bytes]) -> Reply:
    keys = keys_after_count(argv, 1, NUMKEYS_NOT_POSITIVE)
    left, count = _side_and_count(argv, 2 + len(keys))
    popped = _pop_from_first(client, keys, left, count)
    return NULL_ARRAY if popped is None else popped


# --- blocking --------------------------------------------------------------------------------------------------------------------


def _block_pop(client: Client, argv: list[bytes], left: bool) -> Reply:
    timeout = wait_ms(client, argv[-1])
    keys = argv[1:-1]
    for key in keys:
        found = _find_for_write(client, key)
        if found is not None:
            item = _pop_one(client, key, found, left)
            client.replay_as([b"LPOP" if left else b"RPOP", key])
            return [key, item]
    return block(client, argv, keys, timeout, NULL_ARRAY, List.type_name)


@command(
    "BLPOP key [key ...] timeout",
    "Takes the first element of the first list that is not empty, waiting for one.",
    WRITE | BLOCKING, since="2.0.0", complexity="O(N)", keys="RW ACCESS DELETE",
)
def blpop(client: Client, argv: list[bytes]) -> Reply:
    return _block_pop(client, argv, True)


@command(
    "BRPOP key [key ...] timeout",
    "Takes the last element of the first list that is not empty, waiting for one.",
    WRITE | BLOCKING, since="2.0.0", complexity="O(N)", keys="RW ACCESS DELETE",
)
def brpop(client: Client, argv: list[bytes]) -> Reply:
    return _block_pop(client, argv, False)


@command(
    "BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    "Takes elements from the first of several lists that is not empty, waiting for one.",
    WRITE | BLOCKING, since="7.0.0", complexity="O(N+M)", keys="RW ACCESS DELETE",
)
def blmpop(client: Client, argv: list[bytes]) -> Reply:
    keys = keys_after_count(argv, 2, NUMKEYS_NOT_POSITIVE)
    left, count = _side_and_count(argv, 3 + len(keys))
    timeout = wait_ms(client, argv[1])
    popped = _pop_from_first(client, keys, left, count)
    return block(client, argv, keys, timeout, NULL_ARRAY, List.type_name) if popped is None else popped


@command(
    "BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
    "Takes an element from one list and puts it to another, waiting for one.",
    WRITE | DENYOOM | BLOCKING, since="6.2.0", complexity="O(1)", keys="RW ACCESS DELETE, RW INSERT",
    names={"LEFT": "wherefrom left whereto"},
)
def blmove(client: Client, argv: list[bytes]) -> Reply:
    from_left, to_left = _side(argv[3]), _side(argv[4])
    timeout = wait_ms(client, argv[5])
    return _block_move(client, argv, from_left, to_left, timeout, [b"LMOVE", argv[1], argv[2], argv[3], argv[4]])


@command(
    "BRPOPLPUSH source destination timeout",
    "Takes the last element of a list and puts it before the first of another, waiting for one.",
    WRITE | DENYOOM | BLOCKING, since="2.2.0", complexity="O(1)", keys="RW ACCESS DELETE, RW INSERT", deprecated="6.2.0",
    replaced_by="`BLMOVE` with the `RIGHT` and `LEFT` arguments",
)
def brpoplpush(client: Client, argv: list[bytes]) -> Reply:
    timeout = wait_ms(client, argv[3])
    return _block_move(client, argv, False, True, timeout, [b"RPOPLPUSH", argv[1], argv[2]])


def _block_move(client: Client, argv: list[bytes], from_left: bool, to_left: bool, timeout: int, plain: list[bytes]) -> Reply:
    item = _move(client, argv[1], argv[2], from_left, to_left)
    if item is None:
        if client.may_not_block:
            return None
        return block(client, argv, [argv[1]], timeout, NULL_ARRAY, List.type_name)
    client.replay_as(plain)
    return item
