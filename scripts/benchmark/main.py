"""The command line: which servers, which parts, how long; then run, print, and keep."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmark import commands, fanout, growth, memory, report, snapshot, stall, startup
from benchmark.commands import Plan, Result
from benchmark.servers import (
    ROOT,
    SOURCE,
    Launch,
    Server,
    compiled_copy,
    copy_source,
    cores,
    default_python,
    is_compiled,
    pin,
    redis,
    redloop,
    scratch,
    tool,
    unpinned,
)
from benchmark.workloads import WORKLOADS, Workload, select

PARTS: Final = ("commands", "connections", "fanout", "growth", "memory", "snapshot", "stall", "startup")
ASKED: Final = ("connections", "fanout", "growth", "snapshot")
"""Parts that run when they are named."""
DOCUMENT: Final = ROOT / "docs" / "performance.md"
MARK: Final = "<!-- Everything below this line is written by scripts/bench --write. -->"


def main(words: Sequence[str] | None = None) -> int:
    options = parse(words)
    if options.list:
        print("\n".join(workload.name for workload in WORKLOADS))
        return 0
    with scratch() as folder:
        figures = run(options, launches(options, Path(folder)), Path(folder))
    text = f"{heading(options)}\n\n{report.everything(figures)}"
    print(f"\n{text}")
    if options.json:
        save(options.json, json.dumps(as_json(options, figures), indent=1) + "\n")
    if options.write:
        intro = DOCUMENT.read_text().partition(MARK)[0]
        DOCUMENT.write_text(f"{intro}{MARK}\n\n{text}")
    return 0


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    about = "Compare redloop with redis-server on this machine, by server CPU per command."
    parser = argparse.ArgumentParser(prog="scripts/bench", description=about)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; default: all but {', '.join(ASKED)}")
    parser.add_argument("-t", "--tests", default="", help="comma separated test names (default: all)")
    parser.add_argument("--list", action="store_true", help="print the names of the tests and end")
    parser.add_argument("-P", "--depths", default="1,16,64", help="pipeline depths (default: 1,16,64)")
    parser.add_argument("-c", "--clients", type=int, default=50, help="connections (default: 50)")
    parser.add_argument("-d", "--data", type=int, default=3, help="bytes of a value (default: 3)")
    parser.add_argument("-r", "--keyspaces", default="1", help="how many different keys; tests of keys also with each further (default: 1)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each test, servers taking turns (default: 3)")
    parser.add_argument("--seconds", type=float, default=0.4, help="about how long one server works in one round (default: 0.4)")
    parser.add_argument("--keys", type=int, default=1_000_000, help="keys of the snapshot, stall and start-up parts (default: 1000000)")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the sizes of the memory, fanout, connections parts")
    parser.add_argument("--subscribers", type=int, default=1000, help="subscribers in the fan-out part (default: 1000)")
    parser.add_argument("--members", type=int, default=growth.LARGE, help="members of the large value in the growth part")
    parser.add_argument("--compiled", action="store_true", help="measure a compiled copy of the source, made in build/bench")
    parser.add_argument("--interpreted", action="store_true", help="measure an interpreted copy; neither: the source as it lies in app/")
    parser.add_argument("--self", action="store_true", help="redis-server against itself: what is left is this machine's noise")
    parser.add_argument("--python", default=default_python(), help="the Python that runs redloop (default: that of .venv, else this one)")
    parser.add_argument("--json", metavar="FILE", help="write all figures as JSON ('-': to stdout)")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {DOCUMENT.relative_to(ROOT)}")
    options = parser.parse_args(words)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    options.parts = options.parts or [part for part in PARTS if part not in ASKED]
    options.words = list(sys.argv[1:] if words is None else words)
    return options


def launches(options: argparse.Namespace, folder: Path) -> list[Launch]:
    """The reference first."""
    if options.self:
        return [redis(), redis()._replace(label="redis again")]
    found = [redis()]
    if options.compiled:
        say("compiling")
        found.append(redloop("compiled", options.python, compiled_copy(options.python)))
    if options.interpreted:
        found.append(redloop("interpreted", options.python, copy_source(folder / "interpreted" / "app")))
    if len(found) == 1:
        found.append(redloop("compiled" if is_compiled(SOURCE) else "interpreted", options.python, SOURCE))
    return found


def run(options: argparse.Namespace, kinds: list[Launch], folder: Path) -> report.Figures:
    figures = report.Figures([], [], [], [], [], [], [], [])
    core, load_core = cores()
    pin(0, load_core)
    keyspace, *further = [int(text) for text in options.keyspaces.split(",")]
    plan = Plan(options.clients, options.data, keyspace, options.rounds, options.seconds, load_core)
    if "commands" in options.parts:
        works = [(workload, plan) for workload in select(options.tests)]
        for keys in further:
            spread = plan._replace(keyspace=keys)
            works += [(each._replace(name=report.spread(each.name, keys)), spread) for each in select(options.tests) if each.keyed]
        figures.commands.extend(measure_commands(options, kinds, works, folder / "commands", core))
    if "growth" in options.parts:
        for kind in kinds:
            say(f"growth: {kind.label}")
            with_server(kind, folder / "growth", core, lambda server: figures.growth.extend(growth.measure(server, plan, options.members)))
        order = list(dict.fromkeys(each.test for each in figures.growth))
        figures.growth.sort(key=lambda each: order.index(each.test))
    if "memory" in options.parts:
        for number, case in enumerate(memory.CASES):
            for kind in kinds:
                say(f"memory: {case.name}: {kind.label}")
                figures.memory.append(memory.measure(kind, case, options.scale, folder / f"memory-{number}-{kind.label}", core))
    if "stall" in options.parts:
        for kind in kinds:
            say(f"stall: {kind.label}")
            with_server(kind, folder / "stall", core, lambda server: figures.stalls.extend(stall.measure(server, options.keys, load_core)))
    if "snapshot" in options.parts:
        for kind in kinds:
            say(f"snapshot: {kind.label}")
            with unpinned(load_core):
                figures.snapshots.append(snapshot.measure(kind, options.keys, folder / f"snapshot-{kind.label}"))
    if "startup" in options.parts:
        for kind in kinds:
            say(f"start-up: {kind.label}")
            figures.startups.append(startup.measure(kind, options.keys, folder / f"startup-{kind.label}", core))
    if "fanout" in options.parts:
        for kind in kinds:
            say(f"fan-out: {kind.label}")
            with_server(
                fanout.roomy(kind, options.subscribers), folder / "fanout", core,
                lambda server: figures.fanouts.append(fanout.measure(server, options.subscribers, int(10_000 * options.scale))),
            )
    if "connections" in options.parts:
        count = int(10_000 * options.scale)
        for kind in kinds:
            say(f"connections: {kind.label}")
            with_server(
                fanout.roomy(kind, count), folder / "connections", core, lambda server: figures.crowds.append(fanout.crowd(server, count))
            )
    return figures


def measure_commands(
    options: argparse.Namespace, kinds: list[Launch], works: list[tuple[Workload, Plan]], folder: Path, core: int | None
) -> list[Result]:
    """All servers live through the part; those not being measured are idle."""
    servers: list[Server] = []
    results: list[Result] = []
    try:
        servers += [Server(kind, folder / kind.label, core) for kind in kinds]
        for server in servers:
            server.start()
        for workload, plan in works:
            for depth in map(int, options.depths.split(",")):
                found = commands.measure(servers, workload, depth, plan)
                results.extend(found)
                for result in found:
                    cost = f"{result.sample.cpu:.2f} us" if result.sample else f"not supported: {result.refused}"
                    say(f"{result.test} P={result.depth}: {result.server} {cost} {report.ratio_of(result) if result.sample else ''}")
    finally:
        for server in servers:
            server.stop()
    return results


def with_server(kind: Launch, folder: Path, core: int | None, work: Callable[[Server], object]) -> None:
    server = Server(kind, folder / kind.label, core).start()
    try:
        work(server)
    finally:
        server.stop()


def heading(options: argparse.Namespace) -> str:
    """Where, when and how: figures without these mean nothing."""
    version = subprocess.run([options.python, "-V"], capture_output=True, text=True, check=False).stdout.strip()
    redis_version = subprocess.run([tool("redis-server"), "--version"], capture_output=True, text=True, check=False).stdout.split()
    number = next((word[2:] for word in redis_version if word.startswith("v=")), "of unknown version")
    command = shlex.join(["scripts/bench", *options.words])
    machine = f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    return (
        f"`{command}`\n\n{dt.date.today().isoformat()}, {machine}, "
        f"{version}, redis-server {number}. {options.clients} connections, {options.rounds} rounds."
    )


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def as_json(options: argparse.Namespace, figures: report.Figures) -> dict[str, object]:
    return {
        "command": ["scripts/bench", *options.words],
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "commands": [
            {**result._asdict(), "sample": {**result.sample._asdict(), "load": result.sample.load._asdict()} if result.sample else None}
            for result in figures.commands
        ],
        "growth": [each._asdict() for each in figures.growth],
        "memory": [each._asdict() for each in figures.memory],
        "stalls": [{**each._asdict(), "idle": each.idle._asdict(), "waits": each.waits._asdict()} for each in figures.stalls],
        "snapshots": [
            {**each._asdict(), "alone": each.alone.as_dict(), "during": each.during.as_dict()} for each in figures.snapshots
        ],
        "startups": [each._asdict() for each in figures.startups],
        "fanouts": [each._asdict() for each in figures.fanouts],
        "crowds": [each._asdict() for each in figures.crowds],
    }


def save(place: str, text: str) -> None:
    if place == "-":
        print(text)
    else:
        Path(place).write_text(text)


def say(text: str) -> None:
    """Progress, for the person who waits."""
    print(text, file=sys.stderr, flush=True)
