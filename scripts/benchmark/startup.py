"""From exec to the first PONG: with nothing to load (the middle of several starts), and with an append-only file of many SETs to read."""

from __future__ import annotations

import signal
import statistics
from pathlib import Path
from typing import Final, NamedTuple

from benchmark.servers import Launch, Server
from benchmark.wire import Wire, commands

STARTS: Final = 5
TEMPLATE: Final = ("SET", "key:{i:012}", "0123456789abcdef")


class Startup(NamedTuple):
    """Seconds."""

    server: str
    empty: float
    keys: int
    loading: float


def measure(launch: Launch, keys: int, directory: Path, core: int | None) -> Startup:
    empty = []
    for number in range(STARTS):
        server = Server(launch, directory / f"empty-{number}", core).start()
        empty.append(server.start_seconds)
        server.stop()
    place = directory / "full"
    options = ("--appendonly", "yes", "--aof-use-rdb-preamble", "no")
    server = Server(launch, place, core, *options).start()
    with Wire(server.port) as wire:
        wire.pour(commands(TEMPLATE, keys))
    server.stop(signal.SIGTERM)
    server = Server(launch, place, core, *options).start()
    try:
        with Wire(server.port) as wire:
            held = wire.call("DBSIZE")
        if held != keys:
            raise SystemExit(f"{launch.label} came back with {held!r} keys of {keys}")
    finally:
        server.stop()
    return Startup(launch.label, statistics.median(empty), keys, server.start_seconds)
