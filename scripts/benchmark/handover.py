"""BLPOP hand-over: clients that wait on a list and are served by the pushes of others.

redis-benchmark sends and waits on one connection, so it cannot make a client wait for another. Here groups of `depth` waiters each send
BLPOP on their group's list; then the group's pusher sends `depth` pushes in one write; then every waiter reads its item. One hand-over (a
BLPOP and an LPUSH) counts as one command. A PING between makes sure that they all wait: what was sent before it has been read when it
answers.
"""

from __future__ import annotations

import time
from typing import Final

from benchmark.servers import Cpu, Server
from benchmark.wire import Wire, encode

ITEM: Final = "0123456789abcdef"
MOST_WAITERS: Final = 200


def run(server: Server, clients: int, depth: int, wanted: int) -> tuple[Cpu, float, list[float]]:
    """At least `wanted` hand-overs: the server's CPU, how many per second, and the seconds from push to delivery of each."""
    port = server.port
    groups = max(1, min(clients, MOST_WAITERS // depth))
    waiters = [[Wire(port) for _ in range(depth)] for _ in range(groups)]
    pushers = [Wire(port) for _ in range(groups)]
    asks = [encode("BLPOP", f"bench:list:{number}", 0) for number in range(groups)]
    pushes = [encode("LPUSH", f"bench:list:{number}", ITEM) * depth for number in range(groups)]
    waits: list[float] = []
    before = server.cpu()
    begin = time.perf_counter()
    try:
        while len(waits) < wanted:
            for ask, group in zip(asks, waiters, strict=True):
                for wire in group:
                    wire.send(ask)
            pushers[0].call("PING")
            for push, pusher in zip(pushes, pushers, strict=True):
                pusher.send(push)
            sent = time.perf_counter()
            for group in waiters:
                for wire in group:
                    wire.read()
                    waits.append(time.perf_counter() - sent)
            for pusher in pushers:
                for _ in range(depth):
                    pusher.read()
        return server.cpu().since(before), len(waits) / (time.perf_counter() - begin), waits
    finally:
        for wire in [*pushers, *(wire for group in waiters for wire in group)]:
            wire.close()
