"""How well the eviction policies choose: the share of hits of a cache under a Zipf trace, beside redis-server's.

The cache is given room for a fifth of the items: it is filled with so many, and what is in use then becomes `maxmemory`. Then a trace is
played: GET, and SET after a miss. Items are drawn by rank with a probability of 1 / rank**EXPONENT; which item has which rank changes
halfway, so that what was popular must be forgotten too.

    PYTHONPATH=scripts:app python -m benchmark.eviction            # needs redis-server, see scripts/oracle
"""

from __future__ import annotations

import random
import sys
from bisect import bisect_left
from itertools import accumulate
from typing import Final

from tests.compat.servers import Server, start
from tests.e2e.wire import Wire, encode

ITEMS: Final = 50_000
ROOM: Final = 10_000
VALUE: Final = b"x" * 500
BATCH: Final = 50
EXPONENT: Final = 0.9
POLICIES: Final = ("allkeys-lru", "allkeys-lfu", "allkeys-random")


def trace(requests: int) -> list[int]:
    """The items asked for, the same each time."""
    rng = random.Random(1)
    bounds = list(accumulate([(rank + 1) ** -EXPONENT for rank in range(ITEMS)]))
    order = list(range(ITEMS))
    found: list[int] = []
    for _ in range(2):
        rng.shuffle(order)
        found += [order[bisect_left(bounds, rng.random() * bounds[-1])] for _ in range(requests // 2)]
    return found


def key(item: int) -> bytes:
    return b"item:%07d" % item


def figure(wire: Wire, name: bytes) -> int:
    for line in wire.data("INFO", "everything").split(b"\r\n"):
        if line.startswith(name + b":"):
            return int(line[len(name) + 1 :])
    raise KeyError(name)


def play(server: Server, policy: str, items: list[int]) -> tuple[float, int]:
    """The share of hits in the second half of each half of the trace, and how many keys there were in the end."""
    with Wire(server) as wire:
        wire.call("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", policy)
        for item in range(ITEMS, ITEMS + ROOM):
            wire.call("SET", key(item), VALUE)
        wire.call("CONFIG", "SET", "maxmemory", figure(wire, b"used_memory"))
        hits = counted = 0
        quarter = len(items) // 4
        for first in range(0, len(items), BATCH):
            batch = items[first : first + BATCH]
            wire.socket.sendall(b"".join([encode("GET", key(item)) for item in batch]))
            missed = [item for item in batch if wire.read() is None]
            if first // quarter % 2:
                counted += len(batch)
                hits += len(batch) - len(missed)
            if missed:
                wire.socket.sendall(b"".join([encode("SET", key(item), VALUE) for item in missed]))
                for _ in missed:
                    wire.read()
        size = wire.call("DBSIZE")
        assert isinstance(size, int)
        return 100 * hits / counted, size


def main(requests: int) -> None:
    items = trace(requests)
    print(f"{requests} requests, room for {ROOM} of {ITEMS} items\n")
    print("| policy | redis-server | keys | redloop | keys | points |\n|---|---|---|---|---|---|")
    for policy in POLICIES:
        shares: list[tuple[float, int]] = []
        for kind in ("oracle", "redloop"):
            with start(kind) as server:
                shares.append(play(server, policy, items))
        (theirs, their_keys), (ours, our_keys) = shares
        print(f"| {policy} | {theirs:.1f} % | {their_keys} | {ours:.1f} % | {our_keys} | {ours - theirs:+.1f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
