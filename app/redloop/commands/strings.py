"""String commands (https://redis.io/docs/latest/commands/?group=string).

A string is bytes, int or bytearray (see `values.strings`). What depends on time is replayed as the moment it came to (SET with PXAT,
PEXPIREAT, PERSIST, DEL), what depends on floating point as its result.
"""

from __future__ import annotations

from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import Options, expiry_moment
from redloop.errors import (
    DECREMENT_OVERFLOW,
    LCS_LEN_WITH_IDX,
    LCS_NO_MEMORY,
    LCS_NOT_STRINGS,
    NAN_OR_INFINITY,
    OFFSET_OUT_OF_RANGE,
    OVERFLOW,
    STRING_TOO_LONG,
    SYNTAX,
    RedisError,
    wrong_arity,
)
from redloop.events import GENERIC, STRING
from redloop.numbers import INT64_MAX, INT64_MIN, add_long_doubles, format_long_double, parse_int, parse_long_double
from redloop.resp.replies import OK, Pairs, Reply
from redloop.values import strings

command = family("string")

SURELY_FITS: Final = 1 << 61
"""Compiled code compares integers below this without making objects of them."""

# --- reading ---------------------------------------------------------------------------------------------------------------------


@command("GET key", "The string at a key.", READONLY | FAST, since="1.0.0", complexity="O(1)")
def get(client: Client, argv: list[bytes]) -> Reply:
    value = client.db.find(argv[1])
    if value is None or isinstance(value, bytes):
        return value
    return strings.text(value)


@command(
    "MGET key [key ...]", "The strings at several keys; null where there is none.",
    READONLY | FAST, since="1.0.0", complexity="O(N)", tips="request_policy:multi_shard",
)
def mget(client: Client, argv: list[bytes]) -> Reply:
    db = client.db
    found: list[object] = []
    for index in range(1, len(argv)):
        value = db.find(argv[index])
        if isinstance(value, (int, bytearray)):
            value = strings.text(value)
        found.append(value if isinstance(value, bytes) else None)
    return found


@command("STRLEN key", "How many bytes the string at a key has.", READONLY | FAST, since="2.2.0", complexity="O(1)", keys="RO")
def strlen(client: Client, argv: list[bytes]) -> Reply:
    return strings.size(client.db.find(argv[1]))


@command(
    "GETRANGE key start end", "A part of the string at a key; negative positions count from its end.",
    READONLY, since="2.4.0", complexity="O(N)",
)
def getrange(client: Client, argv: list[bytes]) -> Reply:
    start = parse_int(argv[2])
    end = parse_int(argv[3])
    return strings.part(client.db.find(argv[1]), start, end)


@command(
    "SUBSTR key start end", "GETRANGE by its first name.",
    READONLY, since="1.0.0", complexity="O(N)", deprecated="2.0.0", replaced_by="`GETRANGE`",
)
def substr(client: Client, argv: list[bytes]) -> Reply:
    return getrange(client, argv)


@command(
    "LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    "The longest common subsequence of two strings: itself, its length, or where it stands.",
    READONLY, since="7.0.0", complexity="O(N*M)",
)
def lcs(client: Client, argv: list[bytes]) -> Reply:
    values = [client.db.find(argv[1]), client.db.find(argv[2])]
    for value in values:
        if value is not None and not isinstance(value, (bytes, int, bytearray)):
            raise RedisError(LCS_NOT_STRINGS)
    length = index = with_lengths = False
    shortest = 0
    options = Options(argv, 3)
    while options.more():
        match options.word():
            case b"LEN":
                length = True
            case b"IDX":
                index = True
            case b"WITHMATCHLEN":
                with_lengths = True
            case b"MINMATCHLEN":
                shortest = options.integer()
            case _:
                raise RedisError(SYNTAX)
    if length and index:
        raise RedisError(LCS_LEN_WITH_IDX)
    left, right = strings.text(values[0]), strings.text(values[1])
    # The bound of Redis, whose table takes four bytes a cell; it keeps our work short as well.
    if (len(left) + 1) * (len(right) + 1) * 4 > client.server.config.proto_max_bulk_len:
        raise RedisError(LCS_NO_MEMORY)
    if length:
        return strings.common_size(left, right)
    runs = strings.common_runs(left, right)
    if not index:
        return b"".join([left[run[0] : run[0] + run[2]] for run in reversed(runs)])
    matches: list[object] = []
    for i, j, size in runs:
        if size >= shortest:
            places: list[object] = [[i, i + size - 1], [j, j + size - 1]]
            matches.append([*places, size] if with_lengths else places)
    return Pairs([b"matches", matches, b"len", sum([run[2] for run in runs])])


# --- setting ---------------------------------------------------------------------------------------------------------------------


@command(
    "SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    "Makes a key a string, whatever it was before.",
    WRITE | DENYOOM, since="1.0.0", complexity="O(1)", keys="RW ACCESS UPDATE VARIABLE_FLAGS",
    added={"2.6.12": "condition seconds milliseconds", "6.0.0": "keepttl", "6.2.0": "get unix-time-seconds unix-time-milliseconds"},
)
def set_(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 3:
        return _set_with_options(client, argv)
    key = argv[1]
    db = client.db
    db.put(key, argv[2])
    db.changed(key, STRING, b"set")
    return OK


def _set_with_options(client: Client, argv: list[bytes]) -> Reply:
    key, value = argv[1], argv[2]
    now_ms = client.clock.now_ms()
    if len(argv) == 5:
        # What caches do all day need not go through the cursor.
        unit = argv[3].upper()
        if unit == b"EX" or unit == b"PX":
            _set_until(client, key, value, expiry_moment(argv[4], unit, now_ms, "set"))
            return OK
    condition = b""
    get = False
    options = Options(argv, 3)
    while options.more():
        match options.word():
            case b"NX" | b"XX" as word:
                if condition and condition != word:
                    raise RedisError(SYNTAX)
                condition = word
            case b"GET":
                get = True
            case b"EX" | b"PX" | b"EXAT" | b"PXAT" | b"KEEPTTL" as unit:
                options.expiry(unit)
            case _:
                raise RedisError(SYNTAX)
    due = options.moment(now_ms, "set")
    db = client.db
    old = None
    if get:
        found = db.find(key)
        old = None if found is None else strings.text(found)
    if condition and (db.find_for_write(key) is None) != (condition == b"NX"):
        return old
    if due >= 0:
        _set_until(client, key, value, due, options.unit == b"PXAT")
        return old if get else OK
    if options.unit == b"KEEPTTL":
        db.replace(key, value)
    else:
        db.put(key, value)
    db.changed(key, STRING, b"set")
    if get and client.server.recording:
        client.replay_as(argv[:3] + [word for word in argv[3:] if word.upper() != b"GET"])
    return old if get else OK


def _set_until(client: Client, key: bytes, value: bytes, due: int, verbatim: bool = False) -> None:
    """Sets a key that vanishes at `due`; replayed with that moment, unless the request has it already."""
    db = client.db
    db.put(key, value)
    db.changed(key, STRING, b"set")
    db.set_expiry(key, due)
    db.changed(key, GENERIC, b"expire", 0)
    if client.server.recording and not verbatim:
        client.replay_as([b"SET", key, value, b"PXAT", b"%d" % due])


@command(
    "SETNX key value", "Makes a key a string unless it exists.",
    WRITE | DENYOOM | FAST, since="1.0.0", complexity="O(1)", keys="OW INSERT", deprecated="2.6.12",
    replaced_by="`SET` with the `NX` argument",
)
def setnx(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    db = client.db
    if db.find_for_write(key) is not None:
        return 0
    db.put(key, argv[2])
    db.changed(key, STRING, b"set")
    return 1


@command(
    "SETEX key seconds value", "Makes a key a string that vanishes after a number of seconds.",
    WRITE | DENYOOM, since="2.0.0", complexity="O(1)", keys="OW UPDATE", deprecated="2.6.12", replaced_by="`SET` with the `EX` argument",
)
def setex(client: Client, argv: list[bytes]) -> Reply:
    return _set_for_a_time(client, argv, b"EX", "setex")


@command(
    "PSETEX key milliseconds value", "Makes a key a string that vanishes after a number of milliseconds.",
    WRITE | DENYOOM, since="2.6.0", complexity="O(1)", keys="OW UPDATE", deprecated="2.6.12", replaced_by="`SET` with the `PX` argument",
)
def psetex(client: Client, argv: list[bytes]) -> Reply:
    return _set_for_a_time(client, argv, b"PX", "psetex")


def _set_for_a_time(client: Client, argv: list[bytes], unit: bytes, name: str) -> Reply:
    _set_until(client, argv[1], argv[3], expiry_moment(argv[2], unit, client.clock.now_ms(), name))
    return OK


@command(
    "MSET key value [key value ...]", "Makes several keys strings, all in one step.",
    WRITE | DENYOOM, since="1.0.1", complexity="O(N)", keys="OW UPDATE", tips="request_policy:multi_shard response_policy:all_succeeded",
)
def mset(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) & 1 == 0:
        raise RedisError(wrong_arity("mset"))
    _set_pairs(client, argv)
    return OK


@command(
    "MSETNX key value [key value ...]", "Makes several keys strings, unless one of them exists.",
    WRITE | DENYOOM, since="1.0.1", complexity="O(N)", keys="OW INSERT",
)
def msetnx(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) & 1 == 0:
        raise RedisError(wrong_arity("msetnx"))
    for index in range(1, len(argv), 2):
        if client.db.find_for_write(argv[index]) is not None:
            return 0
    _set_pairs(client, argv)
    return 1


def _set_pairs(client: Client, argv: list[bytes]) -> None:
    db = client.db
    for index in range(1, len(argv), 2):
        key = argv[index]
        db.put(key, argv[index + 1])
        db.changed(key, STRING, b"set")


# --- getting and changing --------------------------------------------------------------------------------------------------------


@command(
    "GETSET key value", "Makes a key a string, and gives the one it was before.",
    WRITE | DENYOOM | FAST, since="1.0.0", complexity="O(1)", keys="RW ACCESS UPDATE", deprecated="6.2.0",
    replaced_by="`SET` with the `!GET` argument",
)
def getset(client: Client, argv: list[bytes]) -> Reply:
    key, value = argv[1], argv[2]
    db = client.db
    found = db.find(key)
    old = None if found is None else strings.text(found)
    db.put(key, value)
    db.changed(key, STRING, b"set")
    client.replay_as([b"SET", key, value])
    return old


@command("GETDEL key", "The string at a key, which is deleted.", WRITE | FAST, since="6.2.0", complexity="O(1)", keys="RW ACCESS DELETE")
def getdel(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    db = client.db
    found = db.find(key)
    if found is None:
        return None
    value = strings.text(found)
    db.remove(key)
    db.changed(key, GENERIC, b"del")
    client.replay_as([b"DEL", key])
    return value


@command(
    "GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    "The string at a key, whose expiry is set or taken away.",
    WRITE | FAST, since="6.2.0", complexity="O(1)", keys="RW ACCESS UPDATE",
)
def getex(client: Client, argv: list[bytes]) -> Reply:
    options = Options(argv, 2)
    while options.more():
        match options.word():
            case b"EX" | b"PX" | b"EXAT" | b"PXAT" | b"PERSIST" as unit:
                options.expiry(unit)
            case _:
                raise RedisError(SYNTAX)
    key = argv[1]
    db = client.db
    found = db.find(key)
    if found is None:
        return None
    value = strings.text(found)
    now_ms = client.clock.now_ms()
    due = options.moment(now_ms, "getex")
    if not options.unit:
        return value
    if options.unit == b"PERSIST":
        if db.persist(key):
            db.changed(key, GENERIC, b"persist")
            client.replay_as([b"PERSIST", key])
    elif due <= now_ms and client.keyspace.expiring:
        db.remove(key)
        db.changed(key, GENERIC, b"del")
        client.replay_as([b"UNLINK" if client.server.config.lazyfree_lazy_expire else b"DEL", key])
    else:
        db.set_expiry(key, due)
        db.changed(key, GENERIC, b"expire")
        client.replay_as([b"PEXPIREAT", key, b"%d" % due])
    return value


# --- editing ---------------------------------------------------------------------------------------------------------------------


@command(
    "APPEND key value", "Adds to the end of the string at a key, which may be new; gives its length.",
    WRITE | DENYOOM | FAST, since="2.0.0", complexity="O(1)", keys="RW INSERT",
)
def append(client: Client, argv: list[bytes]) -> Reply:
    key, addition = argv[1], argv[2]
    db = client.db
    value = db.find_for_write(key)
    if value is None:
        db.put(key, addition)
        size = len(addition)
    else:
        size = strings.size(value) + len(addition)
        _check_size(client, size)
        target = strings.editable(value)
        target += addition
        if target is not value:
            db.replace(key, target)
    db.changed(key, STRING, b"append")
    return size


@command(
    "SETRANGE key offset value", "Overwrites the string at a key from a position on, zeros up to there where needed; gives its length.",
    WRITE | DENYOOM, since="2.2.0", complexity="O(N)", keys="RW UPDATE",
)
def setrange(client: Client, argv: list[bytes]) -> Reply:
    key, data = argv[1], argv[3]
    offset = parse_int(argv[2])
    if offset < 0:
        raise RedisError(OFFSET_OUT_OF_RANGE)
    db = client.db
    value = db.find_for_write(key)
    size = strings.size(value)
    if not data:
        return size
    _check_size(client, offset + len(data))
    target = strings.editable(value)
    strings.overwrite(target, offset, data)
    if target is not value:
        db.replace(key, target)
    db.changed(key, STRING, b"setrange")
    return len(target)


def _check_size(client: Client, size: int) -> None:
    if size > client.server.config.proto_max_bulk_len:
        raise RedisError(STRING_TOO_LONG)


# --- counting --------------------------------------------------------------------------------------------------------------------


@command(
    "INCR key", "Adds one to the integer at a key, which may be new.",
    WRITE | DENYOOM | FAST, since="1.0.0", complexity="O(1)", keys="RW ACCESS UPDATE",
)
def incr(client: Client, argv: list[bytes]) -> Reply:
    return _add(client, argv[1], 1)


@command(
    "DECR key", "Takes one from the integer at a key, which may be new.",
    WRITE | DENYOOM | FAST, since="1.0.0", complexity="O(1)", keys="RW ACCESS UPDATE",
)
def decr(client: Client, argv: list[bytes]) -> Reply:
    return _add(client, argv[1], -1)


@command(
    "INCRBY key increment", "Adds to the integer at a key, which may be new.",
    WRITE | DENYOOM | FAST, since="1.0.0", complexity="O(1)", keys="RW ACCESS UPDATE",
)
def incrby(client: Client, argv: list[bytes]) -> Reply:
    return _add(client, argv[1], parse_int(argv[2]))


@command(
    "DECRBY key decrement", "Takes from the integer at a key, which may be new.",
    WRITE | DENYOOM | FAST, since="1.0.0", complexity="O(1)", keys="RW ACCESS UPDATE",
)
def decrby(client: Client, argv: list[bytes]) -> Reply:
    decrement = parse_int(argv[2])
    if decrement == INT64_MIN:
        raise RedisError(DECREMENT_OVERFLOW)
    return _add(client, argv[1], -decrement)


def _add(client: Client, key: bytes, increment: int) -> object:
    db = client.db
    value = db.find_for_write(key)
    if isinstance(value, int):
        total = value + increment
    elif value is None:
        total = increment
    else:
        total = parse_int(strings.text(value)) + increment
    if not -SURELY_FITS < total < SURELY_FITS and not INT64_MIN <= total <= INT64_MAX:
        raise RedisError(OVERFLOW)
    stored: object = total  # one object for the keyspace and the reply
    if value is None:
        db.put(key, stored)
    else:
        db.update(key, stored)
    db.changed(key, STRING, b"incrby")
    return stored


@command(
    "INCRBYFLOAT key increment", "Adds to the number at a key, which may be new.",
    WRITE | DENYOOM | FAST, since="2.6.0", complexity="O(1)", keys="RW ACCESS UPDATE", types={"increment": "double"},
)
def incrbyfloat(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    db = client.db
    value = db.find_for_write(key)
    current = parse_long_double(b"0" if value is None else strings.text(value))
    total = add_long_doubles(current, parse_long_double(argv[2]))
    if total is None:
        raise RedisError(NAN_OR_INFINITY)
    written = strings.Written(format_long_double(total))
    db.replace(key, written)
    db.changed(key, STRING, b"incrbyfloat")
    client.replay_as([b"SET", key, written, b"KEEPTTL"])
    return written
