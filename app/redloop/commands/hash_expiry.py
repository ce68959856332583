"""The expiry of fields of a hash: HEXPIRE, HTTL and their kin, HPERSIST, HGETEX, HSETEX.

Times are passed on as moments, never as spans. What becomes of fields that are due is told in hashes.py; of the commands here those that
give values find them gone, those that give times say so and leave them, and HEXPIRE gives one a new life.
"""

from __future__ import annotations

from typing import Final

from redloop.commands.hashes import (
    delete_if_empty,
    field_values,
    find,
    find_for_write,
    find_or_create,
    listed_fields,
    settle,
    store,
)
from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import moment_in
from redloop.errors import (
    HASH_EXPIRE_NEGATIVE,
    HASH_NUMFIELDS_NOT_POSITIVE,
    HSETEX_CONDITIONS,
    HSETEX_EXPIRIES,
    HSETEX_NUMFIELDS,
    NUMFIELDS_NOT_POSITIVE,
    RedisError,
    invalid_expire,
    unknown_argument,
    wrong_arity,
)
from redloop.events import HASH
from redloop.keyspace.expiry import drop_if_due
from redloop.numbers import as_int, parse_int
from redloop.resp.replies import Reply
from redloop.values.hash import Hash

command = family("hash")

LATEST: Final = (1 << 46) - 1
"""The last millisecond a field may expire at."""
INT32_MAX: Final = (1 << 31) - 1

# HTTL and its kin; also the answers of HEXPIRE.
NO_FIELD: Final = -2
NO_EXPIRY: Final = -1
CONDITION_FAILED: Final = 0
SET: Final = 1
DELETED: Final = 2


def _field_moment(text: bytes, unit: bytes, now_ms: int, name: str) -> int:
    """When fields shall expire, in milliseconds; `unit` as EX, PX, EXAT, PXAT."""
    amount = parse_int(text)
    if amount < 0:
        raise RedisError(HASH_EXPIRE_NEGATIVE)
    moment = moment_in(unit, amount, now_ms)
    if moment > LATEST:
        raise RedisError(invalid_expire(name))
    return moment


def _delete_past(client: Client, key: bytes, found: Hash, fields: list[bytes]) -> None:
    """Fields given a moment that is past are deleted; to those who replay, they are deleted one by one."""
    deleted = 0
    for field in fields:
        if found.remove(field):
            client.replay_as([b"HDEL", key, field])
            deleted += 1
    if deleted:
        client.keyspace.expired_fields += deleted
        client.db.changed(key, HASH, b"hdel", deleted)
    delete_if_empty(client.db, key, found)


@command(
    "HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    "Lets fields expire after some seconds.",
    WRITE | FAST, since="7.4.0", complexity="O(N)", keys="RW UPDATE",
)
def hexpire(client: Client, argv: list[bytes]) -> Reply:
    return _expire(client, argv, b"EX", "hexpire")


@command(
    "HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    "Lets fields expire after some milliseconds.",
    WRITE | FAST, since="7.4.0", complexity="O(N)", keys="RW UPDATE",
)
def hpexpire(client: Client, argv: list[bytes]) -> Reply:
    return _expire(client, argv, b"PX", "hpexpire")


@command(
    "HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    "Lets fields expire at a moment given in seconds.",
    WRITE | FAST, since="7.4.0", complexity="O(N)", keys="RW UPDATE",
)
def hexpireat(client: Client, argv: list[bytes]) -> Reply:
    return _expire(client, argv, b"EXAT", "hexpireat")


@command(
    "HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    "Lets fields expire at a moment given in milliseconds.",
    WRITE | FAST, since="7.4.0", complexity="O(N)", keys="RW UPDATE",
)
def hpexpireat(client: Client, argv: list[bytes]) -> Reply:
    return _expire(client, argv, b"PXAT", "hpexpireat")


def _expire(client: Client, argv: list[bytes], unit: bytes, name: str) -> Reply:
    key = argv[1]
    found = find_for_write(client, key)
    moment = _field_moment(argv[2], unit, client.clock.ms, name)
    condition = argv[3].upper()
    if condition not in (b"NX", b"XX", b"GT", b"LT"):
        condition = b""
    fields = listed_fields(argv, 4 if condition else 3, HASH_NUMFIELDS_NOT_POSITIVE)
    if found is None:
        return [NO_FIELD] * len(fields)
    found.extend()
    past = moment <= client.clock.ms and client.keyspace.expiring
    answers: list[object] = []
    chosen: list[bytes] = []
    gone: set[bytes] = set()
    for field in fields:
        if field not in found or field in gone:
            answers.append(NO_FIELD)
        elif not _condition_holds(condition, found.due(field), moment):
            answers.append(CONDITION_FAILED)
        else:
            chosen.append(field)
            if past:
                gone.add(field)
            else:
                found.set_due(field, moment)
            answers.append(DELETED if past else SET)
    if past:
        _delete_past(client, key, found, chosen)
    elif chosen:
        client.db.due_fields.watch(key, found.soonest)
        client.db.changed(key, HASH, b"hexpire", len(chosen))
        words = argv[3:5] if condition else argv[3:4]
        client.replay_as([b"HPEXPIREAT", key, b"%d" % moment, *words, b"%d" % len(chosen), *chosen])
    return answers


def _condition_holds(condition: bytes, due: int, moment: int) -> bool:
    if condition == b"NX":
        return due == NO_EXPIRY
    if condition == b"XX":
        return due != NO_EXPIRY
    if condition == b"GT":
        return due != NO_EXPIRY and moment > due
    if condition == b"LT":
        return due == NO_EXPIRY or moment < due
    return True


@command(
    "HPERSIST key FIELDS numfields field [field ...]",
    "Takes the expiry of fields away.",
    WRITE | FAST, since="7.4.0", complexity="O(N)", keys="RW UPDATE",
)
def hpersist(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = find_for_write(client, key)
    fields = listed_fields(argv, 2, NUMFIELDS_NOT_POSITIVE)
    if found is None:
        return [NO_FIELD] * len(fields)
    answers: list[object] = []
    persisted = 0
    now = client.clock.ms
    for field in fields:
        if field not in found or 0 <= found.due(field) < now:
            answers.append(NO_FIELD)
        elif found.persist(field):
            persisted += 1
            answers.append(SET)
        else:
            answers.append(NO_EXPIRY)
    if persisted:
        client.db.changed(key, HASH, b"hpersist", persisted)
    return answers


@command(
    "HTTL key FIELDS numfields field [field ...]",
    "The seconds after which fields expire; -1 never, -2 no such field.",
    READONLY | FAST, since="7.4.0", complexity="O(N)", tips="nondeterministic_output",
)
def httl(client: Client, argv: list[bytes]) -> Reply:
    return _ttl(client, argv, 1000, client.clock.ms)


@command(
    "HPTTL key FIELDS numfields field [field ...]",
    "The milliseconds after which fields expire; -1 never, -2 no such field.",
    READONLY | FAST, since="7.4.0", complexity="O(N)", tips="nondeterministic_output",
)
def hpttl(client: Client, argv: list[bytes]) -> Reply:
    return _ttl(client, argv, 1, client.clock.ms)


@command(
    "HEXPIRETIME key FIELDS numfields field [field ...]",
    "The moment, in seconds, at which fields expire; -1 never, -2 no such field.",
    READONLY | FAST, since="7.4.0", complexity="O(N)",
)
def hexpiretime(client: Client, argv: list[bytes]) -> Reply:
    return _ttl(client, argv, 1000, 0)


@command(
    "HPEXPIRETIME key FIELDS numfields field [field ...]",
    "The moment, in milliseconds, at which fields expire; -1 never, -2 no such field.",
    READONLY | FAST, since="7.4.0", complexity="O(N)",
)
def hpexpiretime(client: Client, argv: list[bytes]) -> Reply:
    return _ttl(client, argv, 1, 0)


def _ttl(client: Client, argv: list[bytes], unit: int, since: int) -> list[object]:
    found = find(client, argv[1])
    fields = listed_fields(argv, 2, NUMFIELDS_NOT_POSITIVE)
    if found is None:
        return [NO_FIELD] * len(fields)
    answers: list[object] = []
    for field in fields:
        due = found.due(field)
        if field not in found or 0 <= due <= client.clock.ms:
            answers.append(NO_FIELD)
        elif due == NO_EXPIRY:
            answers.append(NO_EXPIRY)
        else:
            answers.append((due - since + unit - 1) // unit)
    return answers


@command(
    "HGETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS numfields "
    "field [field ...]",
    "Gives the values of fields and changes their expiry.",
    WRITE | FAST, since="8.0.0", complexity="O(N)", keys="RW ACCESS UPDATE",
)
def hgetex(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = find_for_write(client, key)
    option = argv[2].upper()
    moment = -1
    at = 2
    if option in (b"EX", b"PX", b"EXAT", b"PXAT"):
        moment = _field_moment(argv[3], option, client.clock.ms, "hgetex")
        at = 4
    elif option == b"PERSIST":
        at = 3
    fields = listed_fields(argv, at, NUMFIELDS_NOT_POSITIVE)
    if found is None:
        return [None] * len(fields)
    values = field_values(client, key, found, fields)
    if at > 2:
        found.extend()
    if 0 <= moment <= client.clock.ms and client.keyspace.expiring:
        _delete_past(client, key, found, fields)
        return [None if field in fields[:place] else values[place] for place, field in enumerate(fields)]
    changed = 0
    for field in fields:
        if moment >= 0 and field in found:
            found.set_due(field, moment)
            changed += 1
        elif option == b"PERSIST" and found.persist(field):
            changed += 1
    if changed:
        client.db.due_fields.watch(key, found.soonest)
        client.db.changed(key, HASH, b"hexpire" if moment >= 0 else b"hpersist", changed)
        start = [b"HPEXPIREAT", key, b"%d" % moment] if moment >= 0 else [b"HPERSIST", key]
        client.replay_as([*start, *argv[at:]])
    delete_if_empty(client.db, key, found)
    return values


@command(
    "HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] FIELDS "
    "numfields field value [field value ...]",
    "Sets fields together with their expiry, all or none of them.",
    WRITE | DENYOOM | FAST, since="8.0.0", complexity="O(N)", keys="RW UPDATE",
)
def hsetex(client: Client, argv: list[bytes]) -> Reply:
    request = SetexRequest(argv, client.clock.ms)
    key = argv[1]
    found = find_for_write(client, key)
    pairs = argv[request.first :]
    fields = pairs[::2]
    if request.condition and not _all_or_none(client, key, found, fields, request.condition == b"FXX"):
        return 0
    if found is None:
        found = find_or_create(client, key)
    if request.moment >= 0:
        found.extend()
    if request.unit == b"KEEPTTL":
        _store_under_expiry(client, found, argv, request.first)
    else:
        store(client, found, argv, request.first)
    past = 0 <= request.moment <= client.clock.ms and client.keyspace.expiring
    db = client.db
    db.changed(key, HASH, b"hset", 0 if past else len(fields))
    if past:
        _delete_past(client, key, found, fields)
    elif request.moment >= 0:
        for field in fields:
            found.set_due(field, request.moment)
        db.due_fields.watch(key, found.soonest)
        db.changed(key, HASH, b"hexpire", 0)
        at = request.unit_at
        client.replay_as([b"HSETEX", *argv[1:at], b"PXAT", b"%d" % request.moment, *argv[at + 2 :]])
    return 1


def _all_or_none(client: Client, key: bytes, found: Hash | None, fields: list[bytes], wanted: bool) -> bool:
    """Whether the fields are all there, or none of them is. Those that are due go without a word, up to the first that decides."""
    for field in fields:
        there = found is not None and not drop_if_due(client.db, key, found, field) and field in found
        if there != wanted:
            if found is not None:
                delete_if_empty(client.db, key, found)
            return False
    return True


def _store_under_expiry(client: Client, found: Hash, argv: list[bytes], first: int) -> None:
    """The same, where fields that are there keep their expiry."""
    for at in range(first, len(argv), 2):
        if argv[at] in found:
            found.put(argv[at], argv[at + 1])
        else:
            found.set(argv[at], argv[at + 1])
    settle(client, found, (len(argv) - first) // 2)


class SetexRequest:
    """The options of HSETEX, in any order before FIELDS."""

    def __init__(self, argv: list[bytes], now_ms: int) -> None:
        self.condition = b""
        self.unit = b""
        self.unit_at = 0  # where it stands
        self.moment = -1
        self.first = 0  # where the first field stands
        at = 2
        while not self.first:
            word = argv[at].upper() if at < len(argv) else b""
            if word == b"FIELDS" and at + 1 < len(argv):
                self._check_count(argv, at + 1)
                self.first = at + 2
            elif word in (b"FNX", b"FXX"):
                if self.condition:
                    raise RedisError(HSETEX_CONDITIONS)
                self.condition = word
            elif word in (b"EX", b"PX", b"EXAT", b"PXAT", b"KEEPTTL"):
                if self.unit:
                    raise RedisError(HSETEX_EXPIRIES)
                self.unit = word
                self.unit_at = at
                if word != b"KEEPTTL":
                    at += 1
                    if at >= len(argv):
                        raise RedisError(wrong_arity("hsetex"))
                    self.moment = _field_moment(argv[at], word, now_ms, "hsetex")
            elif at >= len(argv):
                raise RedisError(wrong_arity("hsetex"))
            else:
                raise RedisError(unknown_argument(argv[at]))
            at += 1

    def _check_count(self, argv: list[bytes], at: int) -> None:
        count = as_int(argv[at])
        if count is None or not 1 <= count <= INT32_MAX:
            raise RedisError(HSETEX_NUMFIELDS)
        if len(argv) - at - 1 != 2 * count:
            raise RedisError(wrong_arity("hsetex"))
