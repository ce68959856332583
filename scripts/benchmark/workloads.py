"""What is measured, one line a test.

A workload is a name, what redis-benchmark is told to send, and what must be there first. The first block is redis-benchmark's own default
list, by its own names and keys (`-t NAME`), so that figures can be held against anybody else's; `keyed` are those that spread over as many
keys, or members of one, as there are (`-r`). `RANDOM` in a command is replaced by a twelve-digit number below that, as redis-benchmark
does, `{value}` in a `Fill` by as many bytes as a value has (`-d`). A `Fill` without a number is made as often as there will be requests
(LPOP needs as many items as it takes away), one with a number is made that many times, one with `KEYSPACE` once for each possible key.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

RANDOM: Final = "__rand_int__"
KEYSPACE: Final = -1
PER_REQUEST: Final = 0


class Fill(NamedTuple):
    command: tuple[str, ...]
    times: int = PER_REQUEST


class Workload(NamedTuple):
    name: str
    send: tuple[str, ...] = ()
    before: tuple[Fill, ...] = ()
    built_in: str = ""
    keyed: bool = False


def own(name: str, *before: Fill, keyed: bool = False) -> Workload:
    """One of redis-benchmark's own tests."""
    return Workload(name, (), before, name, keyed)


def line(name: str, text: str, *before: Fill) -> Workload:
    """A test given by its command line."""
    return Workload(name, tuple(text.split()), before)


def script(name: str, text: str) -> Workload:
    """A script, run by its SHA-1 with one key."""
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Workload(name, ("EVALSHA", sha, "1", "bench:counter"), (Fill(("SCRIPT", "LOAD", text), 1), fill("SET bench:counter 1", 1)))


def fill(text: str, times: int = PER_REQUEST) -> Fill:
    return Fill(tuple(text.split()), times)


MANY: Final = 10_000
VALUE: Final = "{value}"
LIST_1000: Final = fill(f"RPUSH mylist {VALUE}", 1000)
FIELDS_20: Final = fill("HSET bench:hash " + " ".join(f"field:{i:02} 0123456789abcdef" for i in range(20)), 1)
MEMBERS: Final = " ".join(f"member:{i:04}" for i in range(100))
OTHER_MEMBERS: Final = " ".join(f"member:{i:04}" for i in range(50, 150))

HANDOVER: Final = "blpop"

WORKLOADS: Final = (
    own("ping_inline"),
    own("ping_mbulk"),
    own("set", keyed=True),
    own("get", fill("SET key:{i:012} " + VALUE, KEYSPACE), keyed=True),
    own("incr", keyed=True),
    own("lpush"),
    own("rpush"),
    own("lpop", fill(f"RPUSH mylist {VALUE}")),
    own("rpop", fill(f"RPUSH mylist {VALUE}")),
    own("sadd", keyed=True),
    own("hset", keyed=True),
    own("spop", fill("SADD myset element:{i:012}")),
    own("zadd", keyed=True),
    own("zpopmin", fill("ZADD myzset {i} element:{i:012}")),
    line("lrange_100", "LRANGE mylist 0 99", LIST_1000),
    line("lrange_300", "LRANGE mylist 0 299", LIST_1000),
    line("lrange_500", "LRANGE mylist 0 499", LIST_1000),
    line("lrange_600", "LRANGE mylist 0 599", LIST_1000),
    own("mset", keyed=True),
    own("xadd"),
    line(
        "xreadgroup",
        "XREADGROUP GROUP workers one COUNT 1 STREAMS bench:stream >",
        fill("XGROUP CREATE bench:stream workers 0 MKSTREAM", 1),
        fill(f"XADD bench:stream * field {VALUE}"),
    ),
    line("zrangebyscore", f"ZRANGEBYSCORE bench:zset {MANY // 2} +inf LIMIT 0 20", fill("ZADD bench:zset {i} member:{i:012}", MANY)),
    line("hgetall_20", "HGETALL bench:hash", FIELDS_20),
    line("sinter", "SINTER bench:one bench:two", fill(f"SADD bench:one {MEMBERS}", 1), fill(f"SADD bench:two {OTHER_MEMBERS}", 1)),
    line("scan", "SCAN 0", fill("SET key:{i:012} " + VALUE, MANY)),
    script("script", "return redis.call('GET', KEYS[1])"),
    script("script_100", "for i = 1, 100 do redis.call('INCR', KEYS[1]) end return 1"),
    Workload(HANDOVER),
)

CORE: Final = ("ping_mbulk", "set", "get", "incr", "mset")
ALIASES: Final = {"ping": ("ping_inline", "ping_mbulk"), "lrange": ("lrange_100", "lrange_300", "lrange_500", "lrange_600")}


def select(names: str) -> list[Workload]:
    """The workloads of a comma separated list (`ping` and `lrange` stand for their kinds); an unknown name ends the run with the list."""
    known = {workload.name: workload for workload in WORKLOADS}
    if not names:
        return list(WORKLOADS)
    wanted: list[str] = []
    for name in names.lower().split(","):
        wanted.extend(ALIASES.get(name, (name,)))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SystemExit(f"no such test: {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in wanted]
