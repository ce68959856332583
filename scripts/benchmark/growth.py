"""The same command on a value of a thousand members and of a million: what should not depend on size, must not.

Run with redis-benchmark at one depth, one command a test. The value is built once for each size, so a command may not shrink it: RPOPLPUSH
goes onto itself, LPOP follows as many LPUSHes, and what SPOP or ZPOPMIN would show, SRANDMEMBER and ZRANK show.

Both sizes take turns within each round, since a shared machine may be half as fast again from one second to the next; each round draws
other members than the one before. The middle of the rounds is kept, of the times as well.
"""

from __future__ import annotations

import statistics
from typing import Final, NamedTuple

from benchmark.commands import NotSupportedError, Plan, benchmark_run, pour
from benchmark.servers import Server
from benchmark.wire import Wire
from benchmark.workloads import RANDOM, Fill, Workload

SMALL: Final = 1_000
LARGE: Final = 1_000_000
DEPTH: Final = 16
REQUESTS: Final = 8_000
ROUNDS: Final = 5
VALUE: Final = "bench:value"


class Family(NamedTuple):
    """A value of `{size}` members and the commands to try on it; `{middle}` is half the size."""

    build: tuple[str, ...]
    tries: tuple[str, ...]


FAMILIES: Final = (
    Family(
        ("RPUSH", "bench:value", "item:{i:012}"),
        (
            "LINDEX bench:value {middle}",
            "LSET bench:value {middle} other",
            "LRANGE bench:value {middle} {middle}",
            "RPOPLPUSH bench:value bench:value",
            "LPUSH bench:value item",
            "LPOP bench:value",
        ),
    ),
    Family(
        ("HSET", "bench:value", "field:{i:012}", "value"),
        (
            f"HGET bench:value field:{RANDOM}",
            f"HSET bench:value field:{RANDOM} other",
            "HLEN bench:value",
            "HRANDFIELD bench:value",
            "HSCAN bench:value 0",
        ),
    ),
    Family(
        ("SADD", "bench:value", "member:{i:012}"),
        (f"SISMEMBER bench:value member:{RANDOM}", "SRANDMEMBER bench:value", f"SADD bench:value member:{RANDOM}"),
    ),
    Family(
        ("ZADD", "bench:value", "{i}", "member:{i:012}"),
        (
            f"ZADD bench:value {RANDOM} member:{RANDOM}",
            f"ZSCORE bench:value member:{RANDOM}",
            f"ZRANK bench:value member:{RANDOM}",
            f"ZRANGEBYSCORE bench:value {RANDOM} +inf LIMIT 0 10",
            "ZRANGE bench:value {middle} {middle}",
            f"ZCOUNT bench:value 10 {RANDOM}",
            f"ZINCRBY bench:value 1 member:{RANDOM}",
        ),
    ),
    Family(
        ("XADD", "bench:value", "{i}-1", "field", "value"),
        (
            "XADD bench:value * field value",
            "XRANGE bench:value {middle} + COUNT 10",
            "XREAD COUNT 10 STREAMS bench:value {middle}-0",
            "XLEN bench:value",
        ),
    ),
)


class Growth(NamedTuple):
    """Microseconds of server CPU per command at the two sizes, and how many times the one the other is."""

    test: str
    server: str
    small_size: int
    large_size: int
    small: float
    large: float
    times: float
    refused: str = ""


def measure(server: Server, plan: Plan, large_size: int) -> list[Growth]:
    results = []
    for family in FAMILIES:
        refused = build(server, plan, family, large_size)
        for text in family.tries:
            try:
                if refused:
                    raise NotSupportedError(refused)
                rounds = [[cost(server, plan, text, size, turn) for size in (SMALL, large_size)] for turn in range(ROUNDS)]
            except NotSupportedError as reason:
                results.append(Growth(text, server.label, SMALL, large_size, 0.0, 0.0, 0.0, str(reason)))
                continue
            small, large = (statistics.median(each) for each in zip(*rounds, strict=True))
            times = statistics.median(large / small for small, large in rounds)
            results.append(Growth(text, server.label, SMALL, large_size, small, large, times))
    return results


def build(server: Server, plan: Plan, family: Family, large_size: int) -> str:
    """Both values, in an empty keyspace; what the server answered if it cannot."""
    with Wire(server.port) as wire:
        wire.call("FLUSHALL", "SYNC")
        try:
            for size in (SMALL, large_size):
                pour(wire, Fill(sized(family.build, size), size + 1), plan, 0)
        except NotSupportedError as reason:
            return str(reason)
    return ""


def sized(words: tuple[str, ...], size: int) -> tuple[str, ...]:
    return tuple(word.replace(VALUE, f"{VALUE}:{size}").replace("{middle}", str(size // 2)) for word in words)


def cost(server: Server, plan: Plan, text: str, size: int, seed: int) -> float:
    workload = Workload(text, sized(tuple(text.split()), size))
    cpu, _, requests = benchmark_run(server, workload, DEPTH, plan._replace(keyspace=size), REQUESTS, seed)
    return cpu.total * 1e6 / requests
