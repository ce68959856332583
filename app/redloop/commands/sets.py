"""Set commands (https://redis.io/docs/latest/commands/?group=set).

What SPOP drew is passed on as SREM. The result of a union, difference or intersection is built as a set where Redis builds one, so that it
comes in the order that Redis's encodings give it.
"""

from __future__ import annotations

from typing import Final, cast

from redloop.commands.scanning import ScanRequest, no_elements
from redloop.config import Config
from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import keys_and_limit, parse_int_in_range
from redloop.errors import SYNTAX, WRONGTYPE, RedisError
from redloop.events import GENERIC, SET
from redloop.numbers import INT64_MAX, parse_positive
from redloop.resp.replies import Members, Reply
from redloop.values.set import INTSET, Set

command = family("set")

BATCH: Final = 1024
"""Members in one SREM that is passed on."""


# --- looking up ------------------------------------------------------------------------------------------------------------------


def _set(value: object) -> Set | None:
    if value is None or isinstance(value, Set):
        return value
    raise RedisError(WRONGTYPE)


def _find(client: Client, key: bytes) -> Set | None:
    return _set(client.db.find(key))


def _find_for_write(client: Client, key: bytes) -> Set | None:
    return _set(client.db.find_for_write(key))


def _settle(found: Set, config: Config) -> None:
    found.settle(config.set_max_intset_entries, config.set_max_listpack_entries, config.set_max_listpack_value)


def _taken(client: Client, key: bytes, found: Set, event: bytes, changes: int) -> None:
    """Members were taken from `key`: an empty set goes."""
    client.db.changed(key, SET, event, changes)
    if not found.count:
        client.db.remove(key)
        client.db.changed(key, GENERIC, b"del", 0)


# --- members ---------------------------------------------------------------------------------------------------------------------


def _add(client: Client, key: bytes, found: Set | None, words: list[bytes], first: int) -> int:
    """Adds the members in `words`, from the one at `first` on, to the set at `key`, which may have to be made."""
    config = client.server.config
    if found is None:
        found = Set()
        found.expect(words[first], len(words) - first, config.set_max_intset_entries, config.set_max_listpack_entries)
        client.db.put(key, found)
    else:
        found.prepare(len(words) - first, config.set_max_intset_entries, config.set_max_listpack_entries)
    added = 0
    for at in range(first, len(words)):
        if found.add(words[at]):
            added += 1
            if found.kind == INTSET and found.count > config.set_max_intset_entries:
                _settle(found, config)
    _settle(found, config)
    return added


@command(
    "SADD key member [member ...]",
    "Adds members to a set; gives how many of them are new.",
    WRITE | DENYOOM | FAST, since="1.0.0", complexity="O(1)", keys="RW INSERT",
)
def sadd(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    added = _add(client, key, _find_for_write(client, key), argv, 2)
    if added:
        client.db.changed(key, SET, b"sadd", added)
    return added


@command(
    "SREM key member [member ...]",
    "Removes members from a set; gives how many of them were there.",
    WRITE | FAST, since="1.0.0", complexity="O(N)", keys="RW DELETE",
)
def srem(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = _find_for_write(client, key)
    if found is None:
        return 0
    removed = 0
    for at in range(2, len(argv)):
        if found.remove(argv[at]):
            removed += 1
    if removed:
        _taken(client, key, found, b"srem", removed)
    return removed


@command(
    "SMOVE source destination member",
    "Takes a member from one set over into another.",
    WRITE | FAST, since="1.0.0", complexity="O(1)", keys="RW ACCESS DELETE, RW INSERT",
)
def smove(client: Client, argv: list[bytes]) -> Reply:
    source, target, member = argv[1], argv[2], argv[3]
    found = client.db.find_for_write(source)
    target_value = client.db.find_for_write(target)
    if found is None:
        return 0
    into = _set(target_value)
    if not isinstance(found, Set):
        raise RedisError(WRONGTYPE)
    if member not in found:
        return 0
    if source == target:
        return 1
    client.db.for_write(source)
    client.db.for_write(target)
    found.remove(member)
    _taken(client, source, found, b"srem", 1)
    if _add(client, target, into, argv, 3):
        client.db.changed(target, SET, b"sadd")
    return 1


@command("SCARD key", "How many members a set has.", READONLY | FAST, since="1.0.0", complexity="O(1)", keys="RO")
def scard(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return 0 if found is None else found.count


@command("SISMEMBER key member", "Whether a set has a member.", READONLY | FAST, since="1.0.0", complexity="O(1)", keys="RO")
def sismember(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return 1 if found is not None and argv[2] in found else 0


@command("SMISMEMBER key member [member ...]", "Which of some members a set has.", READONLY | FAST, since="6.2.0", complexity="O(N)")
def smismember(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return [1 if found is not None and member in found else 0 for member in argv[2:]]


@command("SMEMBERS key", "All members of a set.", READONLY, since="1.0.0", complexity="O(N)", tips="nondeterministic_output_order")
def smembers(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return Members([] if found is None else cast(list[object], found.members()))


@command(
    "SSCAN key cursor [MATCH pattern] [COUNT count]",
    "Some members of a set, and the cursor to go on with.",
    READONLY, since="2.8.0", complexity="O(1)", tips="nondeterministic_output",
)
def sscan(client: Client, argv: list[bytes]) -> Reply:
    request = ScanRequest(argv)
    found = _find(client, argv[1])
    if found is None:
        return no_elements()
    request.read_options(False)
    cursor, members = found.scan(request.cursor, request.count)
    return [b"%d" % cursor, request.selected(members)]


# --- drawing ---------------------------------------------------------------------------------------------------------------------


@command(
    "SPOP key [count]",
    "Takes a member of a set at random, or several.",
    WRITE | FAST, since="1.0.0", keys="RW ACCESS DELETE", tips="nondeterministic_output", added={"3.2.0": "count"},
)
def spop(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    if len(argv) > 3:
        raise RedisError(SYNTAX)
    if len(argv) == 3:
        return _pop_many(client, key, parse_positive(argv[2]))
    found = _find_for_write(client, key)
    if found is None:
        return None
    member = found.sample(client.server.random)
    found.remove(member)
    _taken(client, key, found, b"spop", 1)
    if client.server.recording:
        client.replay_as([b"SREM", key, member])
    return member


def _pop_many(client: Client, key: bytes, count: int) -> Reply:
    found = _find_for_write(client, key)
    if found is None or count == 0:
        return Members([])
    if count >= found.count:
        members = found.members()
        client.db.changed(key, SET, b"spop", len(members))
        client.db.remove(key)
        client.db.changed(key, GENERIC, b"del", 0)
        client.replay_as([b"DEL", key])
        return Members(cast(list[object], members))
    members = found.sample_many(client.server.random, count)
    for member in members:
        found.remove(member)
    for start in range(0, count, BATCH):
        client.replay_as([b"SREM", key, *members[start : start + BATCH]])
    client.db.changed(key, SET, b"spop", count)
    return Members(cast(list[object], members))


@command(
    "SRANDMEMBER key [count]",
    "A member of a set at random; several different ones, or with a negative count each drawn from all.",
    READONLY, since="1.0.0", tips="nondeterministic_output", added={"2.6.0": "count"},
)
def srandmember(client: Client, argv: list[bytes]) -> Reply:
    random = client.server.random
    if len(argv) == 2:
        found = _find(client, argv[1])
        return None if found is None else found.sample(random)
    if len(argv) > 3:
        raise RedisError(SYNTAX)
    count = parse_int_in_range(argv[2], -INT64_MAX, INT64_MAX)
    found = _find(client, argv[1])
    if found is None or count == 0:
        return []
    if count < 0:
        return [found.sample(random) for _ in range(-count)]
    if count >= found.count:
        return found.members()
    return found.sample_many(random, count)


# --- algebra ---------------------------------------------------------------------------------------------------------------------


def _find_all(client: Client, keys: list[bytes]) -> list[Set | None]:
    return [_find(client, key) for key in keys]


def _intersection(sets: list[Set | None], limit: int) -> list[bytes]:
    """What all have, in the order of the smallest; `limit` 0 is no limit."""
    present = [found for found in sets if found is not None]
    if len(present) < len(sets):
        return []
    present.sort(key=len)
    members = present[0].members()
    if limit:
        return _first_in_all(members, present[1:], limit)
    for other in present[1:]:
        members = other.within(members)
    return members


def _first_in_all(members: list[bytes], others: list[Set], limit: int) -> list[bytes]:
    """The first `limit` of `members` that all others have, looking no further."""
    found: list[bytes] = []
    for start in range(0, len(members), limit):
        part = members[start : start + limit]
        for other in others:
            part = other.within(part)
        found.extend(part)
        if len(found) >= limit:
            break
    return found[:limit]


def _union(sets: list[Set | None]) -> list[bytes]:
    members: dict[bytes, None] = {}
    for found in sets:
        if found is not None:
            members.update(dict.fromkeys(found.members()))
    return list(members)


def _difference(sets: list[Set | None]) -> list[bytes]:
    first = sets[0]
    if first is None:
        return []
    members = first.members()
    for other in sets[1:]:
        if other is not None:
            members = other.without(members)
    return members


def _build(client: Client, members: list[bytes]) -> Set:
    built = Set()
    config = client.server.config
    for member in members:
        built.add(member)
        if built.kind == INTSET and built.count > config.set_max_intset_entries:
            _settle(built, config)
    _settle(built, config)
    return built


def _in_order(client: Client, members: list[bytes]) -> Members:
    """Members of a set that Redis builds for the reply."""
    if len(members) > client.server.config.set_max_intset_entries:
        return Members(cast(list[object], members))
    return Members(cast(list[object], _build(client, members).members()))


def _store(client: Client, key: bytes, members: list[bytes], event: bytes) -> int:
    db = client.db
    db.for_write(key)
    if members:
        db.put(key, _build(client, members))
        db.changed(key, SET, event)
    elif db.remove(key):
        db.changed(key, GENERIC, b"del")
    return len(members)


@command("SINTER key [key ...]", "What several sets have in common.", READONLY, since="1.0.0", complexity="O(N*M)",
         tips="nondeterministic_output_order")
def sinter(client: Client, argv: list[bytes]) -> Reply:
    return Members(cast(list[object], _intersection(_find_all(client, argv[1:]), 0)))


@command("SUNION key [key ...]", "What any of several sets has.", READONLY, since="1.0.0", complexity="O(N)",
         tips="nondeterministic_output_order")
def sunion(client: Client, argv: list[bytes]) -> Reply:
    return _in_order(client, _union(_find_all(client, argv[1:])))


@command("SDIFF key [key ...]", "What a set has and none of the others.", READONLY, since="1.0.0", complexity="O(N)",
         tips="nondeterministic_output_order")
def sdiff(client: Client, argv: list[bytes]) -> Reply:
    return _in_order(client, _difference(_find_all(client, argv[1:])))


@command(
    "SINTERSTORE destination key [key ...]",
    "Stores what several sets have in common.",
    WRITE | DENYOOM, since="1.0.0", complexity="O(N*M)", keys="OW UPDATE, RO ACCESS",
)
def sinterstore(client: Client, argv: list[bytes]) -> Reply:
    return _store(client, argv[1], _intersection(_find_all(client, argv[2:]), 0), b"sinterstore")


@command(
    "SUNIONSTORE destination key [key ...]",
    "Stores what any of several sets has.",
    WRITE | DENYOOM, since="1.0.0", complexity="O(N)", keys="OW UPDATE, RO ACCESS",
)
def sunionstore(client: Client, argv: list[bytes]) -> Reply:
    return _store(client, argv[1], _union(_find_all(client, argv[2:])), b"sunionstore")


@command(
    "SDIFFSTORE destination key [key ...]",
    "Stores what a set has and none of the others.",
    WRITE | DENYOOM, since="1.0.0", complexity="O(N)", keys="OW UPDATE, RO ACCESS",
)
def sdiffstore(client: Client, argv: list[bytes]) -> Reply:
    return _store(client, argv[1], _difference(_find_all(client, argv[2:])), b"sdiffstore")


@command(
    "SINTERCARD numkeys key [key ...] [LIMIT limit]",
    "How many members several sets have in common, counted up to a limit.",
    READONLY, since="7.0.0", complexity="O(N*M)",
)
def sintercard(client: Client, argv: list[bytes]) -> Reply:
    keys, limit = keys_and_limit(argv)
    return len(_intersection(_find_all(client, keys), limit))
