"""The same command on a value of a thousand members and of a million: what should not depend on size, must not.

Run with redis-benchmark at one depth, one command a test. The value is built once for each size, so a command may not shrink it: RPOPLPUSH
goes onto itself, LPOP follows as many LPUSHes, and what SPOP or ZPOPMIN would show, SRANDMEMBER and ZRANK show.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from benchmark.commands import NotSupportedError, Plan, benchmark_run, pour
from benchmark.servers import Server
from benchmark.wire import Wire
from benchmark.workloads import RANDOM, Fill, Workload

SMALL: Final = 1_000
LARGE: Final = 1_000_000
DEPTH: Final = 16
REQUESTS: Final = 8_000


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
    """Microseconds of server CPU per command at the two sizes."""

    test: str
    server: str
    small_size: int
    large_size: int
    small: float
    large: float
    refused: str = ""


def measure(server: Server, plan: Plan, large_size: int) -> list[Growth]:
    found: dict[tuple[str, int], float] = {}
    refused: dict[str, str] = {}
    tries: dict[str, None] = {}
    for size in (SMALL, large_size):
        for family in FAMILIES:
            with Wire(server.port) as wire:
                wire.call("FLUSHALL", "SYNC")
                try:
                    pour(wire, Fill(family.build, size + 1), plan, 0)
                except NotSupportedError as reason:
                    refused.update((text, str(reason)) for text in family.tries)
            for text in family.tries:
                tries[text] = None
                if text not in refused:
                    try:
                        found[text, size] = cost(server, plan, text, size)
                    except NotSupportedError as reason:
                        refused[text] = str(reason)
    results = []
    for text in tries:
        small, large = found.get((text, SMALL), 0.0), found.get((text, large_size), 0.0)
        results.append(Growth(text, server.label, SMALL, large_size, small, large, refused.get(text, "")))
    return results


def cost(server: Server, plan: Plan, text: str, size: int) -> float:
    words = tuple(text.replace("{middle}", str(size // 2)).split())
    cpu, _, requests = benchmark_run(server, Workload(text, words), DEPTH, plan._replace(keyspace=size), REQUESTS)
    return cpu.total * 1e6 / requests
