"""Cost per command: redis-benchmark (or the hand-over generator) against each server in turn, several rounds.

A round of one test at one depth: every server gets an emptied keyspace, the same preparation and the same number of requests, one server
after the other, in alternating order. The ratio is taken within a round (both sides saw the same machine); the middle one of all rounds is
kept, with the lowest and the highest beside it.
"""

from __future__ import annotations

import re
import statistics
import subprocess
from typing import Final, NamedTuple

from benchmark import handover
from benchmark.servers import Cpu, Server, pin, tool
from benchmark.wire import HOST, ServerError, Wire, commands
from benchmark.workloads import HANDOVER, KEYSPACE, PER_REQUEST, Fill, Workload

WARM_UP: Final = 3000
LIMIT_SECONDS: Final = 120
MOST_REQUESTS: Final = 1_000_000
RATE: Final = re.compile(r"throughput summary: ([\d.]+)")
PERCENTILE: Final = re.compile(r"^([\d.]+)% <= ([\d.]+) milliseconds \(cumulative count (\d+)\)", re.MULTILINE)
REFUSAL: Final = re.compile(r"Error from server: (.*)|replied with error:\s*(.*)")


class NotSupportedError(Exception):
    """The server answered a test's command with an error; the text says which."""


class Load(NamedTuple):
    """What the load generator saw. Milliseconds."""

    rate: float
    p50: float
    p99: float
    p999: float


class Plan(NamedTuple):
    """The settings all tests share."""

    clients: int
    data: int
    keyspace: int
    rounds: int
    seconds: float
    load_core: int | None


class Sample(NamedTuple):
    """One server in one round. Microseconds of CPU per command."""

    cpu: float
    user: float
    system: float
    load: Load


class Result(NamedTuple):
    """One server in one test at one depth: the middle of its rounds, or why there is nothing."""

    test: str
    depth: int
    server: str
    requests: int
    sample: Sample | None
    ratio: float | None
    low: float | None
    high: float | None
    refused: str = ""


def measure(servers: list[Server], workload: Workload, depth: int, plan: Plan) -> list[Result]:
    """All rounds of one test; the first server is what the others are compared with."""
    refused: dict[str, str] = {}
    rate = 0.0
    for server in servers:
        try:
            rate = max(rate, one(server, workload, depth, plan, WARM_UP).load.rate)
        except NotSupportedError as reason:
            refused[server.label] = str(reason)
    step = plan.clients * depth
    requests = max(1, min(MOST_REQUESTS, int(rate * plan.seconds)) // step) * step
    able = [server for server in servers if server.label not in refused]
    samples: dict[str, list[Sample]] = {server.label: [] for server in able}
    for turn in range(plan.rounds):
        for server in able if turn % 2 == 0 else reversed(able):
            samples[server.label].append(one(server, workload, depth, plan, requests))
    results = []
    for server in servers:
        if server.label in refused:
            results.append(Result(workload.name, depth, server.label, 0, None, None, None, None, refused[server.label]))
            continue
        ratios: list[float] = []
        if server is not servers[0] and servers[0].label in samples:
            ratios = [theirs.cpu / ours.cpu for theirs, ours in zip(samples[servers[0].label], samples[server.label], strict=True)]
        middle = statistics.median(ratios) if ratios else None
        low, high = (min(ratios), max(ratios)) if ratios else (None, None)
        results.append(Result(workload.name, depth, server.label, requests, middle_of(samples[server.label]), middle, low, high))
    return results


def one(server: Server, workload: Workload, depth: int, plan: Plan, requests: int) -> Sample:
    with Wire(server.port) as wire:
        wire.call("FLUSHALL", "SYNC")
        for item in workload.before:
            pour(wire, item, plan, requests)
    if workload.name == HANDOVER:
        return per_command(*handover_run(server, depth, plan, requests))
    return per_command(*benchmark_run(server, workload, depth, plan, requests))


def per_command(cpu: Cpu, load: Load, requests: int) -> Sample:
    scale = 1e6 / requests
    return Sample(cpu.total * scale, cpu.user * scale, cpu.system * scale, load)


def pour(wire: Wire, item: Fill, plan: Plan, requests: int) -> None:
    """Prepare data; the first command is answered, so that a server without it is found out."""
    count = plan.keyspace if item.times == KEYSPACE else requests if item.times == PER_REQUEST else item.times
    command = tuple(word.replace("{value}", "x" * plan.data) for word in item.command)
    try:
        wire.call(*(word.format(i=0) for word in command))
    except ServerError as error:
        raise NotSupportedError(str(error)) from None
    if count > 1:
        wire.pour(commands(command, count - 1, start=1))


def benchmark_run(server: Server, workload: Workload, depth: int, plan: Plan, requests: int, seed: int = 1) -> tuple[Cpu, Load, int]:
    words = [tool("redis-benchmark"), "-h", HOST, "-p", str(server.port), "-c", str(plan.clients), "-P", str(depth)]
    words += ["-n", str(requests), "-d", str(plan.data), "-r", str(plan.keyspace), "--precision", "3", "--seed", str(seed)]
    words += ["-t", workload.built_in] if workload.built_in else list(workload.send)
    before = server.cpu()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    pin(process.pid, plan.load_core)
    try:
        text, _ = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise NotSupportedError(f"no end within {LIMIT_SECONDS} s") from None
    cpu = server.cpu().since(before)
    refusal = REFUSAL.search(text)
    rate = RATE.search(text)
    if refusal or not rate or process.returncode:
        raise NotSupportedError((refusal.group(1) or refusal.group(2)).strip() if refusal else text.strip()[-200:])
    return cpu, latencies(float(rate.group(1)), text), requests


def latencies(rate: float, text: str) -> Load:
    """redis-benchmark prints the distribution at uneven steps: the first step at or past the wanted share is taken."""
    steps = [(float(share), float(value)) for share, value, _ in PERCENTILE.findall(text.partition("Cumulative distribution")[0])]
    p99 = re.search(r"p50\s+p95\s+p99\s+max\s+([\d. ]+)", text)
    if p99 is None or not steps:
        raise NotSupportedError("redis-benchmark printed no latencies")
    columns = p99.group(1).split()
    return Load(rate, float(columns[2]), float(columns[4]), next(value for share, value in steps if share >= 99.9))


def handover_run(server: Server, depth: int, plan: Plan, requests: int) -> tuple[Cpu, Load, int]:
    try:
        with Wire(server.port) as wire:
            wire.call("DEL", "bench:none")
            wire.call("BLPOP", "bench:none", "0.001")
    except ServerError as error:
        raise NotSupportedError(str(error)) from None
    cpu, rate, waits = handover.run(server, plan.clients, depth, requests)
    waits.sort()
    cut = [waits[min(len(waits) - 1, int(len(waits) * share))] * 1000 for share in (0.5, 0.99, 0.999)]
    return cpu, Load(rate, *cut), len(waits)




def middle_of(samples: list[Sample]) -> Sample:
    """Each figure's own middle value over the rounds."""
    loads = [sample.load for sample in samples]
    return Sample(
        statistics.median(sample.cpu for sample in samples),
        statistics.median(sample.user for sample in samples),
        statistics.median(sample.system for sample in samples),
        Load(*(statistics.median(column) for column in zip(*loads, strict=True))),
    )
