"""Bytes per key: what the resident set grew by, divided by what was stored.

Each case is loaded into a server started for it alone, so that nothing is measured inside memory that an earlier case gave back.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, NamedTuple

from benchmark.servers import Launch, Server
from benchmark.wire import ServerError, Wire, commands


class Case(NamedTuple):
    """`size` commands made from `template`; `each` tells what one of them adds."""

    name: str
    template: tuple[str, ...]
    size: int
    each: str


class Use(NamedTuple):
    case: str
    each: str
    server: str
    size: int
    bytes_each: float | None
    refused: str = ""


def string(length: int, size: int) -> Case:
    return Case(f"string of {length}", ("SET", "key:{i:012}", "x" * length), size, "key")


FIELDS: Final = tuple(word for i in range(10) for word in (f"field:{i}", "value:{i:08}"))
ITEMS: Final = ("item:{i:08}",) * 20

CASES: Final = (
    string(16, 1_000_000),
    string(100, 500_000),
    string(1000, 100_000),
    string(10_000, 10_000),
    Case("string with expiry", ("SET", "key:{i:012}", "x" * 16, "EX", "100000"), 500_000, "key"),
    Case("integer", ("SET", "key:{i:012}", "{i}"), 500_000, "key"),
    Case("hash of 10 fields", ("HSET", "hash:{i:012}", *FIELDS), 100_000, "key"),
    Case("list of 20 items", ("RPUSH", "list:{i:012}", *ITEMS), 100_000, "key"),
    Case("set of 20 members", ("SADD", "set:{i:012}", *(f"member:{{i}}:{j}" for j in range(20))), 100_000, "key"),
    Case("one sorted set", ("ZADD", "bench:zset", "{i}", "member:{i:012}"), 1_000_000, "member"),
    Case("one stream", ("XADD", "bench:stream", "*", "field", "value:{i:08}"), 1_000_000, "entry"),
)


def measure(launch: Launch, case: Case, scale: float, directory: Path, core: int | None) -> Use:
    count = max(1000, int(case.size * scale))
    server = Server(launch, directory, core).start()
    try:
        with Wire(server.port) as wire:
            before = settled(server)
            wire.call(*(word.format(i=0) for word in case.template))
            wire.pour(commands(case.template, count - 1, start=1))
        return Use(case.name, case.each, launch.label, count, (settled(server) - before) / count)
    except ServerError as error:
        return Use(case.name, case.each, launch.label, count, None, str(error))
    finally:
        server.stop()


def settled(server: Server) -> int:
    """The resident set once it stands still (a server may give memory back a moment later)."""
    last = -1
    for _ in range(20):
        now = server.resident()
        if now == last:
            break
        last = now
        time.sleep(0.1)
    return last
