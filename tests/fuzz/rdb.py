"""RESTORE and RDB files under atheris. What is refused must be refused with the error that says so; what is taken must be a sound value,
which every command of its type can work with. Nothing may take much memory.

The first byte chooses: a payload (its kind and body follow, the footer is added), a payload of libraries of functions, or a file (a
version and what comes after it).
"""

from __future__ import annotations

import contextlib
import logging
import sys
from random import Random
from typing import Final

from redloop.clock import ManualClock
from redloop.config import Config
from redloop.keyspace.database import Keyspace
from redloop.persistence.rdb.codecs import crc64
from redloop.persistence.rdb.file import DONE, HUNGRY, FileLoader, RdbError
from redloop.persistence.rdb.opcodes import VERSION
from redloop.persistence.rdb.packs import FormatError
from redloop.persistence.rdb.payload import FOOTER, dump, restore, restore_libraries
from redloop.resp.encode import encode_command
from redloop.values.digest import mix_value
from redloop.values.footprint import footprint
from redloop.values.types import encoding, type_name
from tests.engine.house import Guest, House

PIECE: Final = 50
NO_DIGEST: Final = bytes(20)
MOST_MEMORY: Final = 64 * 1024
"""Kilobytes one input may add to what the process had at most: it has a few kilobytes itself."""
NOW: Final = 1_700_000_000_000

LIBRARIES: Final = 0x70
FILES: Final = 0x80

USES: Final[dict[bytes, str]] = {
    b"string": "STRLEN k;GETRANGE k 0 -1;BITCOUNT k;APPEND k x;SETRANGE k 5 y;INCR k;GET k",
    b"list": "LRANGE k 0 -1;LINDEX k -1;LPUSH k a;LINSERT k AFTER a b;LSET k 2 c;LREM k 0 b;LTRIM k 1 -2;RPOP k 2;LPOS k a;LPOP k",
    b"set": "SMEMBERS k;SISMEMBER k 1;SADD k 5 x;SREM k 5;SRANDMEMBER k 3;SINTERSTORE d k k;SPOP k;SSCAN k 0",
    b"zset": "ZRANGE k 0 -1 WITHSCORES;ZADD k 1.5 x;ZRANK k x;ZINCRBY k -3 x;ZRANGEBYSCORE k -inf (7;ZRANGEBYLEX k - +;"
    "ZUNIONSTORE d 2 k k;ZPOPMIN k;ZREMRANGEBYRANK k 0 0;ZSCAN k 0",
    b"hash": "HGETALL k;HSET k f 1;HINCRBY k f 2;HPEXPIRE k 5000 FIELDS 1 f;HTTL k FIELDS 1 f;HPERSIST k FIELDS 1 f;HDEL k f;"
    "HRANDFIELD k 2;HSCAN k 0",
    b"stream": "XRANGE k - +;XREVRANGE k + - COUNT 2;XINFO STREAM k FULL;XADD k * f v;XGROUP CREATE k new 0;"
    "XREADGROUP GROUP new c STREAMS k >;XPENDING k new - + 5;XAUTOCLAIM k new d 0 0;XCLAIM k new e 0 1-1;XDEL k 1-1;XTRIM k MAXLEN 2;"
    "XSETID k 18446744073709551615-1;XADD k * f v",
}
"""What is done with a value that was taken. No reply may be of an error within the server."""


def settings() -> Config:
    config = Config()
    config.rdbchecksum = False
    return config


CONFIG: Final = settings()


def fuzz_payload(data: bytes) -> None:
    """A value that is taken can be looked at, dumped, and is the same when that is restored."""
    try:
        value = restore(data + bytes(FOOTER), CONFIG)
    except FormatError:
        return
    type_name(value)
    encoding(value, CONFIG)
    assert footprint(value, 5) > 0
    again = restore(dump(value, CONFIG), CONFIG)
    assert mix_value(NO_DIGEST, again, expires=False) == mix_value(NO_DIGEST, value, expires=False)
    use(data, type_name(value))


def use(data: bytes, kind: bytes) -> None:
    """A client restores the value and works with it."""
    guest = House().visit()
    raw = data + VERSION.to_bytes(2, "little")
    assert ask(guest, b"RESTORE", b"k", b"0", raw + crc64(raw)) == b"+OK\r\n"
    for line in f"OBJECT ENCODING k;MEMORY USAGE k;DUMP k;COPY k c;{USES[kind]};DEBUG DIGEST;SORT k ALPHA LIMIT 0 5;DEL k".split(";"):
        ask(guest, *line.encode().split())


def ask(guest: Guest, *words: bytes) -> bytes:
    guest.client.feed(encode_command(list(words)))
    guest.house.end_tick()
    reply = guest.look()
    assert reply, words
    assert b"internal error" not in reply[:40], words
    return reply


def fuzz_libraries(data: bytes) -> None:
    """Sources are found, or why there are none."""
    sources, problem = restore_libraries(data + bytes(FOOTER))
    assert sum(map(len, sources)) <= 100 * (len(data) + FOOTER)
    assert problem or sources or not data


def fuzz_file(data: bytes) -> None:
    """A file is loaded or refused, in whichever pieces it comes."""
    keyspace = Keyspace(ManualClock(NOW), 16, Random(1))
    loader = FileLoader(keyspace, CONFIG, False, _forget)
    raw = b"REDIS00%02d" % (data[0] % 13 if data else 12) + data[1:]
    at = 0
    with contextlib.suppress(RdbError):
        while (state := loader.advance(0)) != DONE:
            if state == HUNGRY:
                if at >= len(raw):
                    raise loader.ended_early()
                loader.feed(raw[at : at + PIECE])
                at += PIECE
    for database in keyspace.databases:
        for segment in database.segments():
            for value in segment.values.values():
                assert dump(value, CONFIG)


def _forget(code: bytes) -> None:
    """Libraries of functions are not run."""


def fuzz(data: bytes) -> None:
    """One input."""
    kind = data[0] if data else 0
    if kind < LIBRARIES:
        fuzz_payload(data[1:])
    elif kind < FILES:
        fuzz_libraries(data[1:])
    else:
        fuzz_file(data[1:])


def fuzz_in_bounds(data: bytes) -> None:
    """One input, which must not take much memory."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fuzz(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY


def main() -> None:
    import atheris

    logging.disable()
    atheris.instrument_all()
    atheris.Setup(sys.argv, fuzz_in_bounds)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
