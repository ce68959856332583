"""The longest wait of a second client while a first one loads, and while as many keys as that fall due in one moment and are reclaimed.

The loader sends SETs as fast as the server takes them, with a bounded number under way; the prober, a process of its own, asks PING and
waits for the PONG. How long it waited by the wall clock says little on a busy machine, so two more figures are taken of each wait: when
the PONG reached the socket (the kernel's stamp: the prober may have been woken late) and how much CPU the server used meanwhile (another
program may have had its core). The server's own stall can be no longer than either: the smaller one is the figure to judge by. Where a
server has a latency monitor, the longest event of each kind that it saw itself stands beside.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import struct
import time
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

from benchmark.servers import LINUX, Server, pin
from benchmark.wire import ServerError, Wire, encode

WINDOW: Final = 200
IDLE_SECONDS: Final = 1.0
PAUSE: Final = 0.0003
STAMP: Final = 35  # SO_TIMESTAMPNS, which the socket module does not name
DUE_AT_MOST: Final = 1_000_000
DUE_MS: Final = 1000
PATIENCE: Final = 60.0
REPLY_SIZE: Final = len(b"+OK\r\n")
VALUE: Final = "0123456789abcdef"


class Waits(NamedTuple):
    """Milliseconds: the longest stall that was the server's own, 99.9 % of them stayed under `p999`; the longest wait by the wall clock."""

    pings: int
    longest: float
    p999: float
    wall: float


class Stall(NamedTuple):
    """`seconds` it took, `waits` meanwhile and while nothing went on before."""

    server: str
    what: str
    keys: int
    seconds: float
    idle: Waits
    waits: Waits
    events: dict[str, int]


class Prober:
    """PING after PING from another process until stopped."""

    def __init__(self, server: Server, core: int | None) -> None:
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=probe, args=(theirs, server.port, server.pid, core), daemon=True)
        self.process.start()
        self.ours.recv()

    def stop(self) -> Waits:
        self.ours.send(None)
        waits: Waits = self.ours.recv()
        self.process.join()
        return waits


def probe(orders: Connection, port: int, pid: int, core: int | None) -> None:
    pin(0, core)
    ping = encode("PING")
    clock = (~pid << 3) | 2
    exact = LINUX
    walls: list[float] = []
    stalls: list[float] = []
    with Wire(port) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, STAMP, 1)
        orders.send(None)
        while not orders.poll():
            cpu = time.clock_gettime(clock) if exact else 0.0
            begin = time.time()
            wire.send(ping)
            _, extra, _, _ = wire.socket.recvmsg(64, 64)
            wall = time.time() - begin
            used = time.clock_gettime(clock) - cpu if exact else wall
            arrived = next((stamp(data) - begin for _, kind, data in extra if kind == STAMP), wall)
            walls.append(wall * 1000)
            stalls.append(min(used, arrived, wall) * 1000)
            time.sleep(PAUSE)
    stalls.sort()
    orders.send(Waits(len(walls), stalls[-1], stalls[int(len(stalls) * 0.999)], max(walls)))


def stamp(data: bytes) -> float:
    seconds, nanoseconds = struct.unpack("qq", data[:16])
    return float(seconds) + float(nanoseconds) / 1e9


def measure(server: Server, keys: int, core: int | None) -> list[Stall]:
    """Loading `keys`, then as many that fall due (a million at most: it is they whose reclaim is promised)."""
    return [measure_loading(server, keys, core), measure_due(server, min(keys, DUE_AT_MOST), core)]


def measure_loading(server: Server, keys: int, core: int | None) -> Stall:
    prober = Prober(server, core)
    time.sleep(IDLE_SECONDS)
    idle = prober.stop()
    with Wire(server.port) as wire, contextlib.suppress(ServerError):  # no monitor: the prober's figures stand alone
        wire.call("CONFIG", "SET", "latency-monitor-threshold", 1)
    prober = Prober(server, core)
    begin = time.perf_counter()
    load(server.port, keys)
    seconds = time.perf_counter() - begin
    return Stall(server.label, "loading", keys, seconds, idle, prober.stop(), events(server.port))


def measure_due(server: Server, keys: int, core: int | None) -> Stall:
    """All keys fall due at one moment; from then until the last one is gone."""
    with Wire(server.port) as wire:
        wire.call("FLUSHALL")
        wire.call("LATENCY", "RESET")
        wire.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)  # the moment may come while they are loaded
        load(server.port, keys, int(time.time() * 1000) + DUE_MS)
        time.sleep(DUE_MS / 1000)
        prober = Prober(server, core)
        time.sleep(IDLE_SECONDS)
        idle = prober.stop()
        prober = Prober(server, core)
        wire.call("DEBUG", "SET-ACTIVE-EXPIRE", 1)
        begin = time.perf_counter()
        while wire.call("DBSIZE") and time.perf_counter() - begin < PATIENCE:
            time.sleep(0.02)
        seconds = time.perf_counter() - begin
        return Stall(server.label, "falling due", keys, seconds, idle, prober.stop(), events(server.port))


def load(port: int, keys: int, due_ms: int = 0) -> None:
    """SET key:000000000000 and so on, never more than two windows ahead of the replies."""
    many_words = b"*5" if due_ms else b"*3"
    head, middle, tail = many_words + b"\r\n$3\r\nSET\r\n$16\r\nkey:", b"\r\n$16\r\n", VALUE.encode() + b"\r\n"
    rest = middle + tail + (b"$4\r\nPXAT\r\n$13\r\n%d\r\n" % due_ms if due_ms else b"")
    with Wire(port) as wire:
        ahead = 0
        for first in range(0, keys, WINDOW):
            many = min(WINDOW, keys - first)
            wire.send(b"".join([b"%b%012d%b" % (head, number, rest) for number in range(first, first + many)]))
            if ahead:
                wire.incoming.read(ahead * REPLY_SIZE)
            ahead = many
        wire.incoming.read(ahead * REPLY_SIZE)


def events(port: int) -> dict[str, int]:
    with Wire(port) as wire:
        try:
            latest = wire.call("LATENCY", "LATEST")
        except ServerError:
            return {}
    assert isinstance(latest, list)
    return {event[0].decode(): event[3] for event in latest}
