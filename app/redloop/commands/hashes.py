"""Hash commands (https://redis.io/docs/latest/commands/?group=hash); those that set and tell the expiry of fields are in hash_expiry.py.

A field that is due still lies in its hash until active expiry or a command that asks for this very field finds it: such a command goes
through `field_value`, which deletes it, says so and passes it on. Commands that list a hash leave due fields out and in place, and
commands that write do not look: HLEN and HDEL count them, HSET finds them there. All as in Redis 8.0.
"""

from __future__ import annotations

from typing import cast

from redloop.commands.scanning import ScanRequest, no_elements
from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import parse_int_in_range
from redloop.errors import (
    HASH_FIELDS_MISSING,
    HASH_NUMFIELDS_MISMATCH,
    HASH_VALUE_NOT_FLOAT,
    HASH_VALUE_NOT_INTEGER,
    NAN_OR_INFINITY,
    NUMFIELDS_NOT_POSITIVE,
    OUT_OF_RANGE,
    OVERFLOW,
    SYNTAX,
    VALUE_NAN_OR_INFINITY,
    WRONGTYPE,
    RedisError,
    wrong_arity,
)
from redloop.events import GENERIC, HASH
from redloop.keyspace.database import Database
from redloop.keyspace.expiry import drop_if_due, reclaim_fields
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

# --- looking up ------------------------------------------------------------------------------------------------------------------


def _hash(value: object) -> Hash | None:
    if value is None or isinstance(value, Hash):
        return value
    raise RedisError(WRONGTYPE)


def find(client: Client, key: bytes) -> Hash | None:
    """The hash at `key` for reading."""
    return _hash(client.db.find(key))


def find_for_write(client: Client, key: bytes) -> Hash | None:
    """The hash at `key` about to be changed."""
    return _hash(client.db.find_for_write(key))


def find_or_create(client: Client, key: bytes) -> Hash:
    found = find_for_write(client, key)
    return _create(client, key) if found is None else found


def _kept_or_created(client: Client, key: bytes, found: Hash | None) -> Hash:
    """The hash found at `key`, or a new one where none was, or where the last field has just expired."""
    return found if found is not None and found.count else _create(client, key)


def _create(client: Client, key: bytes) -> Hash:
    found = Hash()
    client.db.put(key, found)
    return found


def field_value(client: Client, key: bytes, found: Hash, field: bytes) -> bytes | None:
    """The value of a field of the hash at `key`, None if there is none; a field that is due goes, and the hash with its last one."""
    if found.soonest < client.clock.ms and drop_if_due(client.db, key, found, field):
        tell_expired(client, key)
        delete_if_empty(client.db, key, found)
        return None
    return found.get(field)


def field_values(client: Client, key: bytes, found: Hash | None, fields: list[bytes]) -> list[bytes | None]:
    """The same for several fields; the hash stays, empty or not."""
    if found is None:
        return [None] * len(fields)
    if found.soonest >= client.clock.ms:
        return [found.get(field) for field in fields]
    values: list[bytes | None] = []
    expired = False
    for field in fields:
        if drop_if_due(client.db, key, found, field):
            expired = True
            values.append(None)
        else:
            values.append(found.get(field))
    if expired:
        tell_expired(client, key)
    return values


def tell_expired(client: Client, key: bytes) -> None:
    """Fields of the hash at `key` have just expired."""
    if client.keyspace.expiring:  # else they were only kept from view
        client.db.changed(key, HASH, b"hexpired", 0)


def delete_if_empty(db: Database, key: bytes, found: Hash) -> bool:
    if found.count:
        return False
    db.remove(key)
    db.changed(key, GENERIC, b"del", 0)
    return True


def store(client: Client, found: Hash, argv: list[bytes], first: int) -> int:
    """Sets the fields and values that follow in `argv`; returns how many fields are new."""
    added = 0
    end = len(argv)
    for at in range(first, end, 2):
        if found.set(argv[at], argv[at + 1]):
            added += 1
    settle(client, found, (end - first) // 2)
    return added


def settle(client: Client, found: Hash, pairs: int) -> None:
    """After so many pairs were set: Redis converts a listpack also when these, twice the same or not, are more than it would hold."""
    if found.compact:
        config = client.server.config
        if pairs > config.hash_max_listpack_entries:
            found.compact = False
        found.settle(config.hash_max_listpack_entries, config.hash_max_listpack_value)


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
    added = store(client, find_or_create(client, key), argv, 2)
    client.db.changed(key, HASH, b"hset", len(argv) // 2 - 1)
    return added


@command(
    "HSETNX key field value",
    "Sets a field of a hash unless it is there.",
    WRITE | DENYOOM | FAST, since="2.0.0", complexity="O(1)", keys="RW INSERT",
)
def hsetnx(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = find_for_write(client, key)
    if found is not None and field_value(client, key, found, argv[2]) is not None:
        return 0
    store(client, _kept_or_created(client, key, found), argv, 2)
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
    found = find_for_write(client, key)
    old = None if found is None else field_value(client, key, found, field)
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
    found = find_for_write(client, key)
    old = None if found is None else field_value(client, key, found, field)
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
    if found.due(field) < 0:
        client.replay_as([b"HSET", key, field, value])
    else:
        client.replay_as([b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, value])
    return value


def _change(client: Client, key: bytes, found: Hash | None, field: bytes, value: bytes, new: bool) -> Hash:
    """Sets one field of the hash found at `key`, if any, and leaves its expiry."""
    found = _kept_or_created(client, key, found)
    if new:
        found.set(field, value)
    else:
        found.put(field, value)
    settle(client, found, 1)
    return found


# --- getting ---------------------------------------------------------------------------------------------------------------------


@command("HGET key field", "The value of a field.", READONLY | FAST, since="2.0.0", complexity="O(1)")
def hget(client: Client, argv: list[bytes]) -> Reply:
    found = find(client, argv[1])
    return None if found is None else field_value(client, argv[1], found, argv[2])


@command("HMGET key field [field ...]", "The values of fields.", READONLY | FAST, since="2.0.0", complexity="O(N)")
def hmget(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = find(client, key)
    values = field_values(client, key, found, argv[2:])
    if found is not None:
        delete_if_empty(client.db, key, found)
    return values


@command(
    "HGETALL key",
    "All fields and values of a hash.",
    READONLY, since="2.0.0", complexity="O(N)", tips="nondeterministic_output_order",
)
def hgetall(client: Client, argv: list[bytes]) -> Reply:
    found = find(client, argv[1])
    if found is None:
        return Pairs([])
    flat = found.read()
    if found.soonest < client.clock.ms:
        gone = found.due_fields(client.clock.ms)
        flat = [text for field, value in zip(flat[::2], flat[1::2], strict=True) if field not in gone for text in (field, value)]
    return Pairs(cast(list[object], flat))


@command("HKEYS key", "All fields of a hash.", READONLY, since="2.0.0", complexity="O(N)", tips="nondeterministic_output_order")
def hkeys(client: Client, argv: list[bytes]) -> Reply:
    found = find(client, argv[1])
    return [] if found is None else _without_due(client, found, found.fields())


def _without_due(client: Client, found: Hash, fields: list[bytes]) -> list[bytes]:
    """Those of the fields that are not due."""
    if found.soonest >= client.clock.ms:
        return fields
    gone = found.due_fields(client.clock.ms)
    return [field for field in fields if field not in gone]


@command("HVALS key", "All values of a hash.", READONLY, since="2.0.0", complexity="O(N)", tips="nondeterministic_output_order")
def hvals(client: Client, argv: list[bytes]) -> Reply:
    found = find(client, argv[1])
    if found is None:
        return []
    if found.soonest < client.clock.ms:
        return [found.get(field) for field in _without_due(client, found, found.fields())]
    return found.values()


@command("HLEN key", "How many fields a hash has.", READONLY | FAST, since="2.0.0", complexity="O(1)", keys="RO")
def hlen(client: Client, argv: list[bytes]) -> Reply:
    found = find(client, argv[1])
    return 0 if found is None else len(found)


@command("HEXISTS key field", "Whether a field is there.", READONLY | FAST, since="2.0.0", complexity="O(1)", keys="RO")
def hexists(client: Client, argv: list[bytes]) -> Reply:
    found = find(client, argv[1])
    return 0 if found is None or field_value(client, argv[1], found, argv[2]) is None else 1


@command("HSTRLEN key field", "The length of the value of a field.", READONLY | FAST, since="3.2.0", complexity="O(1)", keys="RO")
def hstrlen(client: Client, argv: list[bytes]) -> Reply:
    found = find(client, argv[1])
    value = None if found is None else field_value(client, argv[1], found, argv[2])
    return 0 if value is None else len(value)


@command(
    "HRANDFIELD key [count [WITHVALUES]]",
    "Fields drawn at random: different ones, or with a negative count each drawn from all.",
    READONLY, since="6.2.0", complexity="O(N)", tips="nondeterministic_output",
)
def hrandfield(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) == 2:
        found = _find_to_draw(client, argv[1])
        return None if found is None else found.sample(client.server.random)
    count = parse_int_in_range(argv[2], -INT64_MAX, INT64_MAX)
    if len(argv) > 4 or (len(argv) == 4 and argv[3].upper() != b"WITHVALUES"):
        raise RedisError(SYNTAX)
    with_values = len(argv) == 4
    if with_values and abs(count) > INT64_MAX // 2:
        raise RedisError(OUT_OF_RANGE)
    found = _find_to_draw(client, argv[1])
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


def _find_to_draw(client: Client, key: bytes) -> Hash | None:
    """The hash at `key` with no field that is due: whoever draws at random meets them all."""
    found = find(client, key)
    if found is None or found.soonest >= client.clock.ms or not client.keyspace.expiring:
        return found
    return found if reclaim_fields(client.db, key, found, len(found)) else None


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
    found = find(client, argv[1])
    if found is None:
        return no_elements()
    request.read_options(True)
    cursor, fields = found.scan(request.cursor, request.count)
    fields = request.selected(_without_due(client, found, fields))
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
    found = find_for_write(client, argv[1])
    if found is None:
        return 0
    deleted = 0
    for at in range(2, len(argv)):
        if found.remove(argv[at]):
            deleted += 1
    if deleted:
        client.db.changed(argv[1], HASH, b"hdel", deleted)
        delete_if_empty(client.db, argv[1], found)
    return deleted


@command(
    "HGETDEL key FIELDS numfields field [field ...]",
    "Gives the values of fields and deletes them.",
    WRITE | FAST, since="8.0.0", complexity="O(N)", keys="RW ACCESS DELETE",
)
def hgetdel(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = find_for_write(client, key)
    fields = listed_fields(argv, 2, NUMFIELDS_NOT_POSITIVE)
    if found is None:
        return [None] * len(fields)
    values = field_values(client, key, found, fields)
    deleted = 0
    for place, field in enumerate(fields):
        if values[place] is not None and not found.remove(field):
            values[place] = None  # named a second time
        elif values[place] is not None:
            deleted += 1
    if deleted:
        client.db.changed(key, HASH, b"hdel", deleted)
        client.replay_as([b"HDEL", key, *fields])
    delete_if_empty(client.db, key, found)
    return values


def listed_fields(argv: list[bytes], at: int, bad_count: str) -> list[bytes]:
    """The fields behind `FIELDS numfields`, which stands at `at`, up to the end of the request."""
    if at >= len(argv) or argv[at].upper() != b"FIELDS":
        raise RedisError(HASH_FIELDS_MISSING)
    count = as_int(argv[at + 1]) if at + 1 < len(argv) else None
    if count is None or not 1 <= count <= INT64_MAX:
        raise RedisError(bad_count)
    if count != len(argv) - at - 2:
        raise RedisError(HASH_NUMFIELDS_MISMATCH)
    return argv[at + 2 :]
