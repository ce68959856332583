"""Hash commands (https://redis.io/docs/latest/commands/?group=hash).

Fields may expire. Whoever looks a hash up gets it without the fields that are due (`_find`, `_find_for_write`): these are deleted then and
there, and the deletion is passed on. Times are passed on as moments, never as spans.
"""

from __future__ import annotations

from typing import Final, cast

from redloop.commands.scanning import ScanRequest, no_elements
from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import parse_int_in_range
from redloop.errors import (
    HASH_EXPIRE_NEGATIVE,
    HASH_FIELDS_MISSING,
    HASH_NUMFIELDS_MISMATCH,
    HASH_NUMFIELDS_NOT_POSITIVE,
    HASH_VALUE_NOT_FLOAT,
    HASH_VALUE_NOT_INTEGER,
    HSETEX_CONDITIONS,
    HSETEX_EXPIRIES,
    HSETEX_NUMFIELDS,
    NAN_OR_INFINITY,
    NUMFIELDS_NOT_POSITIVE,
    OUT_OF_RANGE,
    OVERFLOW,
    SYNTAX,
    VALUE_NAN_OR_INFINITY,
    WRONGTYPE,
    RedisError,
    invalid_expire,
    unknown_argument,
    wrong_arity,
)
from redloop.events import GENERIC, HASH
from redloop.keyspace.database import Database
from redloop.keyspace.expiry import reclaim_fields
from redloop.numbers import (
    INT64_MAX,
    LongDouble,
    add_long_doubles,
    as_int,
    as_long_double,
    fits_int64,
    format_long_double,
    parse_int,
    parse_long_double,
)
from redloop.resp.replies import OK, Pairs, Reply
from redloop.values.hash import Hash

command = family("hash")

LATEST: Final = (1 << 46) - 1
"""The last millisecond a field may expire at."""
ALL: Final = 1 << 60

# HTTL and its kin; also the answers of HEXPIRE.
NO_FIELD: Final = -2
NO_EXPIRY: Final = -1
CONDITION_FAILED: Final = 0
SET: Final = 1
DELETED: Final = 2


# --- looking up ------------------------------------------------------------------------------------------------------------------


def _hash(value: object) -> Hash | None:
    if value is None or isinstance(value, Hash):
        return value
    raise RedisError(WRONGTYPE)


def _find(client: Client, key: bytes) -> Hash | None:
    found = _hash(client.db.find(key))
    if found is not None and found.soonest <= client.clock.ms:
        return _reclaim(client, key, found)
    return found


def _find_for_write(client: Client, key: bytes) -> Hash | None:
    found = _hash(client.db.find_for_write(key))
    if found is not None and found.soonest <= client.clock.ms:
        found = _reclaim(client, key, found)
    return found


def _find_or_create(client: Client, key: bytes) -> Hash:
    found = _find_for_write(client, key)
    return _create(client, key) if found is None else found


def _create(client: Client, key: bytes) -> Hash:
    found = Hash()
    client.db.put(key, found)
    return found


def _reclaim(client: Client, key: bytes, found: Hash) -> Hash | None:
    """The hash without the fields that are due; None if that were all."""
    if not client.keyspace.expiring:
        return found
    return found if reclaim_fields(client.db, key, found, ALL) else None


def _delete_if_empty(db: Database, key: bytes, found: Hash) -> bool:
    if found.count:
        return False
    db.remove(key)
    db.changed(key, GENERIC, b"del", 0)
    return True


def _store(client: Client, found: Hash, argv: list[bytes], first: int) -> int:
    """Sets the fields and values that follow in `argv`; returns how many fields are new."""
    added = 0
    end = len(argv)
    for at in range(first, end, 2):
        if found.set(argv[at], argv[at + 1]):
            added += 1
    _settle(client, found, (end - first) // 2)
    return added


def _settle(client: Client, found: Hash, pairs: int) -> None:
    """After so many pairs were set: Redis converts a listpack also when these, twice the same or not, are more than it would hold."""
    if found.compact:
        config = client.server.config
        if pairs > config.hash_max_listpack_entries:
            found.compact = False
        found.settle(config.hash_max_listpack_entries, config.hash_max_listpack_value)


def _store_under_expiry(client: Client, found: Hash, argv: list[bytes], first: int) -> None:
    """The same, where fields that are there keep their expiry."""
    for at in range(first, len(argv), 2):
        if argv[at] in found:
            found.put(argv[at], argv[at + 1])
        else:
            found.set(argv[at], argv[at + 1])
    _settle(client, found, (len(argv) - first) // 2)


# --- setting ---------------------------------------------------------------------------------------------------------------------


@command(
    "HSET key field value [field value ...]",
    "Sets fields of a hash; gives how many of them are new.",
    WRITE | DENYOOM | FAST, since="2.0.0", complexity="O(1)", keys="RW UPDATE",
)
def hset(client: Client, argv: list[bytes]) -> Reply:
    return _set_fields(client, argv, "hset")


@command(
    "HMSET key field value [field value ...]",
    "Sets fields of a hash.",
    WRITE | DENYOOM | FAST, since="2.0.0", complexity="O(N)", keys="RW UPDATE", deprecated="4.0.0",
    replaced_by="`HSET` with multiple field-value pairs",
)
def hmset(client: Client, argv: list[bytes]) -> Reply:
    _set_fields(client, argv, "hmset")
    return OK


def _set_fields(client: Client, argv: list[bytes], name: str) -> int:
    if len(argv) % 2:
        raise RedisError(wrong_arity(name))
    key = argv[1]
    added = _store(client, _find_or_create(client, key), argv, 2)
    client.db.changed(key, HASH, b"hset", len(argv) // 2 - 1)
    return added


@command(
    "HSETNX key field value",
    "Sets a field of a hash unless it is there.",
    WRITE | DENYOOM | FAST, since="2.0.0", complexity="O(1)", keys="RW INSERT",
)
def hsetnx(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = _find_or_create(client, key)
    if argv[2] in found:
        return 0
    _store(client, found, argv, 2)
    client.db.changed(key, HASH, b"hset")
    return 1


@command(
    "HINCRBY key field increment",
    "Adds an integer to the integer in a field; a missing field counts as zero.",
    WRITE | DENYOOM | FAST, since="2.0.0", complexity="O(1)", keys="RW ACCESS UPDATE",
)
def hincrby(client: Client, argv: list[bytes]) -> Reply:
    key, field = argv[1], argv[2]
    increment = parse_int(argv[3])
    found = _find_for_write(client, key)
    old = None if found is None else found.get(field)
    number = 0 if old is None else as_int(old)
    if number is None:
        raise RedisError(HASH_VALUE_NOT_INTEGER)
    number += increment
    if not fits_int64(number):
        raise RedisError(OVERFLOW)
    _change(client, key, found, field, b"%d" % number, old is None)
    client.db.changed(key, HASH, b"hincrby")
    return number


@command(
    "HINCRBYFLOAT key field increment",
    "Adds a number to the number in a field; a missing field counts as zero.",
    WRITE | DENYOOM | FAST, since="2.6.0", complexity="O(1)", keys="RW ACCESS UPDATE", types={"increment": "double"},
)
def hincrbyfloat(client: Client, argv: list[bytes]) -> Reply:
    key, field = argv[1], argv[2]
    increment = parse_long_double(argv[3])
    if increment.infinite:
        raise RedisError(VALUE_NAN_OR_INFINITY)
    found = _find_for_write(client, key)
    old = None if found is None else found.get(field)
    number: LongDouble | None = increment
    if old is not None:
        before = as_long_double(old)
        if before is None:
            raise RedisError(HASH_VALUE_NOT_FLOAT)
        number = add_long_doubles(before, increment)
    if number is None:
        raise RedisError(NAN_OR_INFINITY)
    value = format_long_double(number)
    found = _change(client, key, found, field, value, old is None)
    client.db.changed(key, HASH, b"hincrbyfloat")
    if found.due(field) == NO_EXPIRY:
        client.replay_as([b"HSET", key, field, value])
    else:
        client.replay_as([b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, value])
    return value


def _change(client: Client, key: bytes, found: Hash | None, field: bytes, value: bytes, new: bool) -> Hash:
    """Sets one field of the hash found at `key`, if any, and leaves its expiry."""
    if found is None:
        found = _create(client, key)
    if new:
        found.set(field, value)
    else:
        found.put(field, value)
    _settle(client, found, 1)
    return found


# --- getting ---------------------------------------------------------------------------------------------------------------------


@command("HGET key field", "The value of a field.", READONLY | FAST, since="2.0.0", complexity="O(1)")
def hget(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return None if found is None else found.get(argv[2])


@command("HMGET key field [field ...]", "The values of fields.", READONLY | FAST, since="2.0.0", complexity="O(N)")
def hmget(client: Client, argv: list[bytes]) -> Reply:
    return _values(_find(client, argv[1]), argv[2:])


def _values(found: Hash | None, fields: list[bytes]) -> list[object]:
    if found is None:
        return [None] * len(fields)
    return [found.get(field) for field in fields]


@command(
    "HGETALL key",
    "All fields and values of a hash.",
    READONLY, since="2.0.0", complexity="O(N)", tips="nondeterministic_output_order",
)
def hgetall(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return Pairs([] if found is None else cast(list[object], found.read()))


@command("HKEYS key", "All fields of a hash.", READONLY, since="2.0.0", complexity="O(N)", tips="nondeterministic_output_order")
def hkeys(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return [] if found is None else found.fields()


@command("HVALS key", "All values of a hash.", READONLY, since="2.0.0", complexity="O(N)", tips="nondeterministic_output_order")
def hvals(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return [] if found is None else found.values()


@command("HLEN key", "How many fields a hash has.", READONLY | FAST, since="2.0.0", complexity="O(1)", keys="RO")
def hlen(client: Client, argv: list[bytes]) -> Reply:
    # As in Redis, fields that are due count until something reads or reclaims them.
    found = _hash(client.db.find(argv[1]))
    return 0 if found is None else len(found)


@command("HEXISTS key field", "Whether a field is there.", READONLY | FAST, since="2.0.0", complexity="O(1)", keys="RO")
def hexists(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return 1 if found is not None and argv[2] in found else 0


@command("HSTRLEN key field", "The length of the value of a field.", READONLY | FAST, since="3.2.0", complexity="O(1)", keys="RO")
def hstrlen(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    value = None if found is None else found.get(argv[2])
    return 0 if value is None else len(value)


@command(
    "HRANDFIELD key [count [WITHVALUES]]",
    "Fields drawn at random: different ones, or with a negative count each drawn from all.",
    READONLY, since="6.2.0", complexity="O(N)", tips="nondeterministic_output",
)
def hrandfield(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) == 2:
        found = _find(client, argv[1])
        return None if found is None else found.sample(client.server.random)
    count = parse_int_in_range(argv[2], -INT64_MAX, INT64_MAX)
    if len(argv) > 4 or (len(argv) == 4 and argv[3].upper() != b"WITHVALUES"):
        raise RedisError(SYNTAX)
    with_values = len(argv) == 4
    if with_values and abs(count) > INT64_MAX // 2:
        raise RedisError(OUT_OF_RANGE)
    found = _find(client, argv[1])
    if found is None or count == 0:
        return []
    fields = _draw(client, found, count)
    if not with_values:
        return fields
    if client.resp3:
        return [[field, found.get(field)] for field in fields]
    flat: list[object] = []
    for field in fields:
        flat.append(field)
        flat.append(found.get(field))
    return flat


def _draw(client: Client, found: Hash, count: int) -> list[bytes]:
    random = client.server.random
    if count < 0:
        return [found.sample(random) for _ in range(-count)]
    if count >= len(found):
        return found.fields()
    if count * 3 > len(found):
        fields = found.fields()
        return [fields[place] for place in sorted(random.sample(range(len(fields)), count))]
    chosen: dict[bytes, bool] = {}
    while len(chosen) < count:
        chosen[found.sample(random)] = True
    return list(chosen)


@command(
    "HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
    "Some fields and values of a hash, and the cursor to go on with.",
    READONLY, since="2.8.0", complexity="O(1)", tips="nondeterministic_output",
)
def hscan(client: Client, argv: list[bytes]) -> Reply:
    request = ScanRequest(argv)
    found = _find(client, argv[1])
    if found is None:
        return no_elements()
    request.read_options(True)
    cursor, fields = found.scan(request.cursor, request.count)
    fields = request.selected(fields)
    if request.novalues:
        return [b"%d" % cursor, fields]
    flat: list[object] = []
    for field in fields:
        flat.append(field)
        flat.append(found.get(field))
    return [b"%d" % cursor, flat]


# --- deleting --------------------------------------------------------------------------------------------------------------------


@command(
    "HDEL key field [field ...]",
    "Deletes fields, and the hash with its last one.",
    WRITE | FAST, since="2.0.0", complexity="O(N)", keys="RW DELETE",
)
def hdel(client: Client, argv: list[bytes]) -> Reply:
    found = _find_for_write(client, argv[1])
    if found is None:
        return 0
    deleted = 0
    for at in range(2, len(argv)):
        if found.remove(argv[at]):
            deleted += 1
    if deleted:
        client.db.changed(argv[1], HASH, b"hdel", deleted)
        _delete_if_empty(client.db, argv[1], found)
    return deleted


@command(
    "HGETDEL key FIELDS numfields field [field ...]",
    "Gives the values of fields and deletes them.",
    WRITE | FAST, since="8.0.0", complexity="O(N)", keys="RW ACCESS DELETE",
)
def hgetdel(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = _find_for_write(client, key)
    fields = _listed_fields(argv, 2, NUMFIELDS_NOT_POSITIVE)
    if found is None:
        return [None] * len(fields)
    values: list[object] = []
    deleted = 0
    for field in fields:
        values.append(found.get(field))
        if found.remove(field):
            deleted += 1
    if deleted:
        client.db.changed(key, HASH, b"hdel", deleted)
        client.replay_as([b"HDEL", key, *fields])
        _delete_if_empty(client.db, key, found)
    return values


# --- expiry ----------------------------------------------------------------------------------------------------------------------


def _listed_fields(argv: list[bytes], at: int, bad_count: str) -> list[bytes]:
    """The fields behind `FIELDS numfields`, which stands at `at`, up to the end of the request."""
    if at >= len(argv) or argv[at].upper() != b"FIELDS":
        raise RedisError(HASH_FIELDS_MISSING)
    count = as_int(argv[at + 1]) if at + 1 < len(argv) else None
    if count is None or not 1 <= count <= INT64_MAX:
        raise RedisError(bad_count)
    if count != len(argv) - at - 2:
        raise RedisError(HASH_NUMFIELDS_MISMATCH)
    return argv[at + 2 :]


def _field_moment(text: bytes, unit: bytes, now_ms: int, name: str) -> int:
    """When fields shall expire, in milliseconds; `unit` as EX, PX, EXAT, PXAT."""
    amount = parse_int(text)
    if amount < 0:
        raise RedisError(HASH_EXPIRE_NEGATIVE)
    if unit == b"EX" or unit == b"EXAT":
        amount *= 1000
    if unit == b"EX" or unit == b"PX":
        amount += now_ms
    if amount > LATEST:
        raise RedisError(invalid_expire(name))
    return amount


def _delete_past(client: Client, key: bytes, found: Hash, fields: list[bytes]) -> None:
    """Fields given a moment that is past are deleted; to those who replay, they are deleted one by one."""
    deleted = 0
    for field in fields:
        if found.remove(field):
            client.replay_as([b"HDEL", key, field])
            deleted += 1
    if deleted:
        client.db.changed(key, HASH, b"hdel", deleted)
    _delete_if_empty(client.db, key, found)


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
    found = _find_for_write(client, key)
    moment = _field_moment(argv[2], unit, client.clock.ms, name)
    condition = argv[3].upper()
    if condition not in (b"NX", b"XX", b"GT", b"LT"):
        condition = b""
    fields = _listed_fields(argv, 4 if condition else 3, HASH_NUMFIELDS_NOT_POSITIVE)
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
    found = _find_for_write(client, key)
    fields = _listed_fields(argv, 2, NUMFIELDS_NOT_POSITIVE)
    if found is None:
        return [NO_FIELD] * len(fields)
    answers: list[object] = []
    persisted = 0
    for field in fields:
        if field not in found:
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
    found = _find(client, argv[1])
    fields = _listed_fields(argv, 2, NUMFIELDS_NOT_POSITIVE)
    if found is None:
        return [NO_FIELD] * len(fields)
    answers: list[object] = []
    for field in fields:
        due = found.due(field)
        if field not in found:
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
    found = _find_for_write(client, key)
    option = argv[2].upper()
    moment = -1
    at = 2
    if option in (b"EX", b"PX", b"EXAT", b"PXAT"):
        moment = _field_moment(argv[3], option, client.clock.ms, "hgetex")
        at = 4
    elif option == b"PERSIST":
        at = 3
    fields = _listed_fields(argv, at, NUMFIELDS_NOT_POSITIVE)
    if found is None:
        return [None] * len(fields)
    if at > 2:
        found.extend()
    if 0 <= moment <= client.clock.ms and client.keyspace.expiring:
        values: list[object] = []
        for place, field in enumerate(fields):
            values.append(None if field in fields[:place] else found.get(field))
        _delete_past(client, key, found, fields)
        return values
    changed = 0
    for field in fields:
        if moment >= 0 and field in found:
            found.set_due(field, moment)
            changed += 1
        elif option == b"PERSIST" and found.persist(field):
            changed += 1
    values = _values(found, fields)
    if changed:
        client.db.due_fields.watch(key, found.soonest)
        client.db.changed(key, HASH, b"hexpire" if moment >= 0 else b"hpersist", changed)
        start = [b"HPEXPIREAT", key, b"%d" % moment] if moment >= 0 else [b"HPERSIST", key]
        client.replay_as([*start, *argv[at:]])
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
    found = _find_for_write(client, key)
    pairs = argv[request.first :]
    fields = pairs[::2]
    if request.condition:
        present = [field for field in fields if found is not None and field in found]
        if len(present) != (len(fields) if request.condition == b"FXX" else 0):
            return 0
    if found is None:
        found = _find_or_create(client, key)
    if request.moment >= 0:
        found.extend()
    if request.unit == b"KEEPTTL":
        _store_under_expiry(client, found, argv, request.first)
    else:
        _store(client, found, argv, request.first)
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


INT32_MAX: Final = (1 << 31) - 1
