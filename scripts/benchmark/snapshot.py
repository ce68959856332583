"""Saving and loading: how long they take, and what a background save costs those who are served meanwhile.

Each server is filled over the wire: of ten keys eight are strings, one is a hash, one a list, of five members each. Then

at rest     BGSAVE, until the file is in its place. Seconds by the wall, and of CPU: redis-server saves in a child of its own
under load  redis-benchmark sends SET and GET of random strings all the time: from the start of a BGSAVE to its end, and then alone for as
            long (the longest stall of half a minute is longer than that of a second). The rate is the server's own count of commands;
            stalls are those of `stall.Prober`; memory is what is resident, and what of the child's is not its parent's, against what was
            there when the save began
loading     restarts with that file, and with an append-only file of the same keys, written as commands

Nothing is pinned to a core here: a child that saves needs one of its own, if there is any.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from benchmark.servers import Launch, Server, tool
from benchmark.stall import Prober, Waits
from benchmark.wire import HOST, Wire, commands

KINDS: Final = 10
"""Keys of which one is a hash and one a list."""
VALUE: Final = "0123456789abcdef"
HASH: Final = ("HSET", "hash:{i:012}", *(word for i in range(5) for word in (f"field:{i}", "value:{i:08}")))
LIST: Final = ("RPUSH", "list:{i:012}", *("item:{i:08}",) * 5)
STRING: Final = ("SET", "key:{i:012}", VALUE)
DEPTH: Final = 16
CLIENTS: Final = 25
"""Of each of the two redis-benchmarks."""
WARM_SECONDS: Final = 1.0
SAMPLE_SECONDS: Final = 0.05
PATIENCE: Final = 600.0
KILOBYTE: Final = 1024


class Under(NamedTuple):
    """Some seconds under load: commands per second, microseconds of CPU of the server's own process for each of them, and bytes that were
    resident at first, and at most.
    """

    seconds: float
    rate: float
    cpu: float
    waits: Waits
    before: int
    peak: int

    def as_dict(self) -> dict[str, object]:
        return {**self._asdict(), "waits": self.waits._asdict()}


class Snapshot(NamedTuple):
    """Seconds, of a server with that many keys; the size of the file in bytes."""

    server: str
    keys: int
    size: int
    saving: float
    saving_cpu: float
    loading: float
    loading_cpu: float
    replaying: float
    replaying_cpu: float
    alone: Under
    during: Under


def measure(launch: Launch, keys: int, directory: Path) -> Snapshot:
    server = Server(launch, directory, None).start()
    try:
        fill(server.port, keys)
        file = directory / "dump.rdb"
        spent = family_cpu(server)
        saving = saved(server, file)
        saving_cpu = family_cpu(server) - spent
        with load(server.port, keys):
            time.sleep(WARM_SECONDS)
            during = watch(server, lambda: saved(server, file))
            alone = watch(server, lambda: time.sleep(during.seconds))
        size = file.stat().st_size
        server.stop(signal.SIGTERM)
        loading, loading_cpu = restart(server, keys)
        with Wire(server.port, PATIENCE) as wire:
            wire.call("CONFIG", "SET", "aof-use-rdb-preamble", "no")
            wire.call("CONFIG", "SET", "appendonly", "yes")
            wait_for(server, "aof_rewrite_in_progress", "aof_rewrite_scheduled")
        server.stop(signal.SIGTERM)
        server.options = ("--appendonly", "yes")
        replaying, replaying_cpu = restart(server, keys)
    finally:
        server.stop()
    return Snapshot(launch.label, keys, size, saving, saving_cpu, loading, loading_cpu, replaying, replaying_cpu, alone, during)


def fill(port: int, keys: int) -> None:
    few = keys // KINDS
    with Wire(port, PATIENCE) as wire:
        for template, count in ((STRING, keys - 2 * few), (HASH, few), (LIST, few)):
            wire.pour(commands(template, count))


def restart(server: Server, keys: int) -> tuple[float, float]:
    """Seconds until it is ready, and how much CPU that took."""
    server.start()
    cpu = server.cpu().total
    with Wire(server.port) as wire:
        held = wire.call("DBSIZE")
    if held != keys:
        raise SystemExit(f"{server.label} came back with {held!r} keys of {keys}")
    return server.start_seconds, cpu


def saved(server: Server, file: Path) -> float:
    """BGSAVE; the seconds until the file is in its place. Looks at the directory only: questions would disturb the server."""
    wait_for(server, "rdb_bgsave_in_progress")
    file.unlink(missing_ok=True)
    begin = time.perf_counter()
    with Wire(server.port) as wire:
        wire.call("BGSAVE")
    while not file.exists():
        if time.perf_counter() - begin > PATIENCE:
            raise SystemExit(f"{server.label} did not save within {PATIENCE:.0f} s")
        time.sleep(0.002)
    seconds = time.perf_counter() - begin
    wait_for(server, "rdb_bgsave_in_progress")
    return seconds


def wait_for(server: Server, *states: str) -> None:
    """Until these figures of INFO are 0."""
    begin = time.perf_counter()
    while any(server.info("persistence")[state] != "0" for state in states):
        if time.perf_counter() - begin > PATIENCE:
            raise SystemExit(f"{server.label}: {', '.join(states)} for more than {PATIENCE:.0f} s")
        time.sleep(0.1)


# --- load ------------------------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def load(port: int, keys: int) -> Iterator[None]:
    """SETs and GETs of the strings that are there, without end."""
    words = [tool("redis-benchmark"), "-h", HOST, "-p", str(port), "-c", str(CLIENTS), "-P", str(DEPTH), "-n", "1000000", "-l", "-q"]
    words += ["-d", str(len(VALUE)), "-r", str(keys - 2 * (keys // KINDS))]
    quiet = subprocess.DEVNULL
    running = [subprocess.Popen([*words, "-t", test], stdout=quiet, stderr=quiet) for test in ("set", "get")]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def watch(server: Server, work: Callable[[], object]) -> Under:
    """How the server fares while `work` goes on."""
    before = resident(server)
    peak = Peak(server)
    prober = Prober(server, None)
    cpu, count = server.cpu().total, processed(server)
    begin = time.perf_counter()
    work()
    seconds = time.perf_counter() - begin
    cpu, count = server.cpu().total - cpu, processed(server) - count
    waits = prober.stop()
    asked = max(count - waits.pings, 1)
    return Under(seconds, asked / seconds, cpu * 1e6 / asked, waits, before, peak.stop())


def processed(server: Server) -> int:
    return int(server.info("stats")["total_commands_processed"])


# --- the process -----------------------------------------------------------------------------------------------------------------------


class Peak:
    """Looks at what is resident, again and again, from a thread."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.most = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        while not self.ended.wait(SAMPLE_SECONDS):
            self.most = max(self.most, resident(self.server))

    def stop(self) -> int:
        self.ended.set()
        self.thread.join()
        return max(self.most, resident(self.server))


def resident(server: Server) -> int:
    """Bytes: the server's, and what a child that saves does not share with it."""
    return server.resident() + sum(map(private, children(server.pid)))


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def private(pid: int) -> int:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * KILOBYTE for line in lines if line.startswith("Private"))
    return 0


def family_cpu(server: Server) -> float:
    """Seconds of CPU, those of children that have ended included."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")
