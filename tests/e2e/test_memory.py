"""used_memory beside what the kernel says, and eviction in a process that really fills up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.compat.servers import Server, start
from tests.e2e.wire import Wire, encode, wait_while

MB = 1 << 20
KEYS = 24_000
BATCH = 1000


@pytest.fixture
def alone() -> Iterator[Server]:
    with start("redloop", "--appendonly", "no") as server:
        yield server


def figure(wire: Wire, name: bytes) -> int:
    for line in wire.data("INFO", "everything").split(b"\r\n"):
        if line.startswith(name + b":"):
            return int(line[len(name) + 1 :])
    raise AssertionError(name)


def write(wire: Wire, prefix: str, count: int, size: int) -> int:
    """Sets so many keys; how many were refused."""
    refused = 0
    for first in range(0, count, BATCH):
        wire.socket.sendall(b"".join([encode("SET", f"{prefix}:{number}", b"x" * size) for number in range(first, first + BATCH)]))
        for _ in range(BATCH):
            refused += wire.incoming.readline().startswith(b"-OOM")
    return refused


def test_used_memory_is_what_the_kernel_counts_until_something_is_freed(alone: Server) -> None:
    """Within a tenth of the growth; afterwards it falls with the data, though the process keeps some of it."""
    with Wire(alone) as wire:
        start_rss, start_used = alone.rss(), figure(wire, b"used_memory")
        write(wire, "small", KEYS, 100)
        write(wire, "large", KEYS // 10, 2000)
        for number in range(200):
            wire.call("HSET", f"hash:{number}", *[word for field in range(100) for word in (f"field:{field}", "value")])
        grown, used = alone.rss() - start_rss, figure(wire, b"used_memory") - start_used
        assert grown > 8 * MB
        assert abs(grown - used) < grown / 10 + MB

        for first in range(0, KEYS, BATCH):
            wire.call("DEL", *[f"small:{number}" for number in range(first, first + BATCH)])
        freed = used - (figure(wire, b"used_memory") - start_used)
        assert freed > KEYS * 150
        write(wire, "again", KEYS, 100)
        assert abs(figure(wire, b"used_memory") - start_used - used) < used / 4
        assert figure(wire, b"used_memory") <= figure(wire, b"used_memory_rss") <= alone.rss() + 4 * MB


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu"])
def test_a_process_that_fills_up_stays_near_its_limit(alone: Server, policy: str) -> None:
    with Wire(alone) as wire:
        limit = figure(wire, b"used_memory") + 12 * MB
        wire.call("CONFIG", "SET", "maxmemory", limit, "maxmemory-policy", policy)
        for size in (100, 1500, 100):
            assert write(wire, f"of {size}", KEYS, size) == 0
            assert figure(wire, b"used_memory") < limit + 6 * MB
        assert figure(wire, b"evicted_keys") > KEYS // 2
        assert int(str(wire.call("DBSIZE"))) > 2000


def test_refused_writes_go_on_when_something_was_deleted(alone: Server) -> None:
    with Wire(alone) as wire:
        wire.call("CONFIG", "SET", "maxmemory", figure(wire, b"used_memory") + 3 * MB)
        refused = write(wire, "key", KEYS, 100)
        assert 0 < refused < KEYS
        used = figure(wire, b"used_memory")
        assert write(wire, "more", 10 * BATCH, 100) > 5 * BATCH  # what a batch takes while it is read comes and goes
        assert abs(figure(wire, b"used_memory") - used) < 2 * MB
        wire.call("FLUSHALL")
        assert write(wire, "more", BATCH, 100) == 0


def test_what_was_evicted_is_gone_from_the_file_too() -> None:
    """The append-only file gives back what was there, and not a key that had to go; also from the base of a rewrite amid eviction."""
    with start("redloop", "--appendonly", "yes", "--maxmemory-policy", "allkeys-lru") as server, Wire(server) as wire:
        wire.call("CONFIG", "SET", "maxmemory", figure(wire, b"used_memory") + 4 * MB)
        write(wire, "before", KEYS // 2, 100)
        wire.call("BGREWRITEAOF")
        write(wire, "after", KEYS // 2, 100)
        assert figure(wire, b"evicted_keys") > 500
        wire.call("CONFIG", "SET", "maxmemory", 0)
        wait_while(wire, "persistence", b"aof_rewrite_in_progress:1")
        digest, size = wire.call("DEBUG", "DIGEST"), wire.call("DBSIZE")
        assert wire.call("DEBUG", "LOADAOF") == b"OK"
        assert (wire.call("DEBUG", "DIGEST"), wire.call("DBSIZE")) == (digest, size)
