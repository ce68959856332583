"""The figures as Markdown tables (aligned, so that they read in a terminal too) and as JSON.

The ratio is redis-server's CPU divided by ours: 1.00 is equal, 0.90 means that we spend a ninth more, above 1 we spend less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from benchmark.commands import Result
from benchmark.fanout import Crowd, Fanout
from benchmark.growth import Growth
from benchmark.memory import Use
from benchmark.snapshot import Snapshot
from benchmark.stall import Stall
from benchmark.startup import Startup
from benchmark.workloads import CORE

SPREAD: Final = " -r "
MEGABYTE: Final = 1_000_000


class Figures(NamedTuple):
    """Everything one run measured; a part that was not asked for is empty."""

    commands: list[Result]
    growth: list[Growth]
    memory: list[Use]
    stalls: list[Stall]
    startups: list[Startup]
    fanouts: list[Fanout]
    crowds: list[Crowd]
    snapshots: list[Snapshot]


def table(heads: list[str], rows: Iterable[list[str]]) -> str:
    """First column to the left, figures to the right."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    texts = []
    for line in lines:
        cells = [line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]
        texts.append("| " + " | ".join(cells) + " |")
    texts.insert(1, "|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""]))
    return "\n".join(texts)


def spread(test: str, keys: int) -> str:
    """The name of a test over that many keys instead of one."""
    return f"{test}{SPREAD}{keys}"


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def everything(figures: Figures) -> str:
    parts = []
    if figures.commands:
        parts += [
            "## Ratio by test\n\nServer CPU of redis-server divided by ours for the same requests: 1.00 is equal, below 1 we are slower.",
            ratios(figures.commands),
            "## Figures by test\n\nMicroseconds of server CPU per command, thousands of requests per second, latency in milliseconds.",
            details(figures.commands),
        ]
    if figures.growth:
        parts += ["## Growth\n\nMicroseconds of server CPU per command, by how many members the value has.", growth(figures.growth)]
    if figures.memory:
        parts += ["## Memory\n\nBytes of resident memory for each key, member or entry.", memory(figures.memory)]
    if figures.stalls:
        about = "Milliseconds for which a second client waits while SETs are loaded (wall: with the machine's own delays)."
        parts += [f"## Stalls\n\n{about}", stalls(figures.stalls)]
    if figures.snapshots:
        keys = f"{figures.snapshots[0].keys:,} keys"
        about = f"BGSAVE of {keys} at rest, and a start with what was written: seconds, in brackets those of CPU. The last: as commands."
        parts += [f"## Saving and loading\n\n{about}", savings(figures.snapshots)]
        about = (
            f"BGSAVE of {keys} under SET and GET of random ones: thousands of commands per second, microseconds of the server's own CPU "
            "for each (with all it does beside), milliseconds for which a second client waits (wall: with the machine's own delays), "
            "megabytes that are resident, those of a child included."
        )
        parts += [f"## BGSAVE under load\n\n{about}", burdens(figures.snapshots)]
    if figures.startups:
        parts += ["## Start-up\n\nSeconds from exec to the first PONG.", startups(figures.startups)]
    if figures.fanouts:
        parts += ["## Fan-out\n\nNanoseconds of server CPU for each message that reached a subscriber.", fanouts(figures.fanouts)]
    if figures.crowds:
        about = "Resident bytes of a connection that stored and read a key, microseconds of server CPU to let it in, and for a command."
        parts += [f"## Connections\n\n{about}", crowds(figures.crowds)]
    return "\n\n".join(parts) + "\n"


def ratios(results: list[Result]) -> str:
    ours = [label for label in labels(results) if label != results[0].server]
    depths = sorted({result.depth for result in results})
    found = {(result.test, result.depth, result.server): result for result in results}
    tests = list(dict.fromkeys(result.test for result in results))
    columns = [(label, depth) for label in ours for depth in depths]
    rows = [[test, *(ratio_of(found.get((test, depth, label))) for label, depth in columns)] for test in tests]
    plain = [test for test in tests if SPREAD not in test]
    groups = [("mean of all", plain), (f"mean of {', '.join(CORE)}", [test for test in plain if test in CORE])]
    suffixes = dict.fromkeys(SPREAD + test.partition(SPREAD)[2] for test in tests if SPREAD in test)
    groups += [(f"mean of all{suffix}", [test for test in tests if test.endswith(suffix)]) for suffix in suffixes]
    for name, members in groups:
        cells = []
        for label, depth in columns:
            values = [found[test, depth, label].ratio for test in members if (test, depth, label) in found]
            numbers = [value for value in values if value is not None]
            cells.append(f"{geometric_mean(numbers):.2f}" if numbers else "-")
        rows.append([name, *cells])
    return table(["test", *(f"{label} P={depth}" for label, depth in columns)], rows)


def ratio_of(result: Result | None) -> str:
    if result is None:
        return "-"
    if result.refused:
        return "not supported"
    if result.ratio is None or result.low is None or result.high is None:
        return "-"
    return f"{result.ratio:.2f} ({result.low:.2f}-{result.high:.2f})"


def details(results: list[Result]) -> str:
    rows = []
    for result in results:
        sample = result.sample
        if sample is None:
            rows.append([f"{result.test} P={result.depth}", result.server, "not supported", "", "", "", "", "", "", ""])
            continue
        load = sample.load
        micro = [f"{value:.2f}" for value in (sample.cpu, sample.user, sample.system)]
        milli = [f"{value:.3f}" for value in (load.p50, load.p99, load.p999)]
        ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
        rows.append([f"{result.test} P={result.depth}", result.server, *micro, f"{load.rate / 1000:.0f}", *milli, ratio])
    return table(["test", "server", "us", "user", "sys", "k/s", "p50", "p99", "p99.9", "ratio"], rows)


def growth(results: list[Growth]) -> str:
    rows = []
    for result in results:
        if result.refused:
            rows.append([result.test, result.server, "not supported", "", ""])
        else:
            rows.append([result.test, result.server, f"{result.small:.2f}", f"{result.large:.2f}", f"{result.times:.1f}"])
    sizes = [f"{results[0].small_size:,}", f"{results[0].large_size:,}"]
    return table(["test", "server", *sizes, "times"], rows)


def memory(uses: list[Use]) -> str:
    servers = list(dict.fromkeys(use.server for use in uses))
    found = {(use.case, use.server): use for use in uses}
    rows = []
    for name in dict.fromkeys(use.case for use in uses):
        first = found[name, servers[0]]
        row = [f"{name}, per {first.each}", f"{first.size:,}"]
        for label in servers:
            use = found[name, label]
            row.append("not supported" if use.bytes_each is None else f"{use.bytes_each:,.0f}")
            if label != servers[0]:
                known = use.bytes_each is not None and first.bytes_each
                row.append(f"{(use.bytes_each or 0) / first.bytes_each:.2f}" if known and first.bytes_each else "-")
        rows.append(row)
    heads = ["what", "how many", servers[0]]
    for label in servers[1:]:
        heads += [label, "times"]
    return table(heads, rows)


def stalls(results: list[Stall]) -> str:
    rows = []
    for result in results:
        idle, waits = result.idle, result.waits
        seen = ", ".join(f"{name} {value}" for name, value in result.events.items()) or "none"
        row = [result.server, result.what, f"{result.keys:,}", f"{result.seconds:.1f}", f"{waits.longest:.2f}", f"{waits.p999:.2f}"]
        rows.append([*row, f"{waits.wall:.2f}", f"{idle.longest:.2f}", f"{idle.wall:.2f}", seen])
    heads = ["server", "what", "keys", "seconds", "longest", "p99.9", "wall", "idle: longest", "idle: wall"]
    return table([*heads, "its own latency monitor"], rows)


def savings(results: list[Snapshot]) -> str:
    first = results[0]
    rows = []
    for each in results:
        row = [each.server, f"{each.size / MEGABYTE:,.0f}"]
        for wall, cpu, reference in (
            (each.saving, each.saving_cpu, first.saving),
            (each.loading, each.loading_cpu, first.loading),
            (each.replaying, each.replaying_cpu, first.replaying),
        ):
            row += [f"{wall:.2f} ({cpu:.2f})", f"{wall / reference:.1f}"]
        rows.append(row)
    return table(["server", "MB", "BGSAVE", "times", "loading RDB", "times", "loading AOF", "times"], rows)


def burdens(results: list[Snapshot]) -> str:
    rows = []
    for each in results:
        for what, under in (("alone", each.alone), ("BGSAVE", each.during)):
            waits = under.waits
            row = [each.server, what, f"{under.seconds:.1f}", f"{under.rate / 1000:.0f}", f"{under.rate / each.alone.rate:.2f}"]
            row += [f"{under.cpu:.2f}", f"{each.alone.cpu / under.cpu:.2f}"]
            row += [f"{waits.longest:.2f}", f"{waits.p999:.2f}", f"{waits.wall:.2f}"]
            row += [f"{under.before / MEGABYTE:,.0f}", f"{under.peak / MEGABYTE:,.0f}", f"{100 * under.peak / under.before - 100:.1f} %"]
            rows.append(row)
    heads = ["server", "load", "seconds", "k/s", "of alone", "us", "of alone", "longest", "p99.9", "wall", "MB before", "at most", "above"]
    return table(heads, rows)


def startups(results: list[Startup]) -> str:
    heads = ["server", "empty", f"reading an AOF of {results[0].keys:,} SETs"]
    return table(heads, [[result.server, f"{result.empty:.3f}", f"{result.loading:.2f}"] for result in results])


def fanouts(results: list[Fanout]) -> str:
    heads = ["server", "subscribers", "messages", "ns a delivery"]
    return table(heads, [[each.server, f"{each.subscribers:,}", f"{each.messages:,}", f"{each.nanoseconds:.0f}"] for each in results])


def crowds(results: list[Crowd]) -> str:
    heads = ["server", "connections", "bytes", "us to enter", "us a command"]
    rows = [[each.server, f"{each.connections:,}", f"{each.resident:,.0f}", f"{each.entry:.1f}", f"{each.command:.2f}"] for each in results]
    return table(heads, rows)


def labels(results: list[Result]) -> list[str]:
    return list(dict.fromkeys(result.server for result in results))
