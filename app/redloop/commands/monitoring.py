"""Commands that watch the server: SLOWLOG, LATENCY, MONITOR (https://redis.io/docs/latest/operate/oss_and_stack/management/)."""

from __future__ import annotations

from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import ADMIN, LOADING, NOSCRIPT, STALE, Command, family
from redloop.engine.latency_report import diagnose, graph
from redloop.errors import (
    MONITOR_IN_TRANSACTION,
    SLOWLOG_COUNT,
    RedisError,
    no_latency_samples,
    unknown_subcommand_or_arity,
)
from redloop.numbers import INT64_MAX, parse_int_between
from redloop.resp.replies import NOTHING, OK, Pairs, Reply, Verbatim

command = family("server")

WATCHING: Final = ADMIN | LOADING | STALE
ENTRIES: Final = 10
"""How many SLOWLOG GET tells of unless it is told."""


# --- SLOWLOG ---------------------------------------------------------------------------------------------------------------------


@command(
    "SLOWLOG GET [count]",
    "The latest slow commands (10 unless a count is given, -1: all): id, second, microseconds, arguments, client's address and name.",
    WATCHING, since="2.2.12", complexity="O(N)", tips="request_policy:all_nodes nondeterministic_output",
)
def slowlog_get(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 3:
        raise RedisError(unknown_subcommand_or_arity("slowlog", argv[1]))
    entries = client.server.slowlog.entries
    count = parse_int_between(argv[2], -1, INT64_MAX, SLOWLOG_COUNT) if len(argv) == 3 else ENTRIES
    told = list(entries)[: count if count >= 0 else None]
    return [[entry.id, entry.second, entry.microseconds, entry.argv, entry.address.encode(), entry.name] for entry in told]


@command(
    "SLOWLOG LEN",
    "How many slow commands are kept.",
    WATCHING, since="2.2.12", complexity="O(1)", tips="request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
)
def slowlog_len(client: Client, argv: list[bytes]) -> Reply:
    return len(client.server.slowlog.entries)


@command(
    "SLOWLOG RESET",
    "Forgets the slow commands.",
    WATCHING, since="2.2.12", complexity="O(N)", tips="request_policy:all_nodes response_policy:all_succeeded",
)
def slowlog_reset(client: Client, argv: list[bytes]) -> Reply:
    client.server.slowlog.reset()
    return OK


# --- LATENCY ---------------------------------------------------------------------------------------------------------------------


@command(
    "LATENCY LATEST",
    "The latest spike of each event: name, second, its milliseconds, and those of the worst.",
    WATCHING | NOSCRIPT, since="2.8.13", complexity="O(1)",
    tips="nondeterministic_output request_policy:all_nodes response_policy:special",
)
def latency_latest(client: Client, argv: list[bytes]) -> Reply:
    rows: list[object] = []
    for event, series in client.server.latency.events.items():
        latest = series.samples[-1]
        rows.append([event.encode(), latest.second, latest.milliseconds, series.worst])
    return rows


@command(
    "LATENCY HISTORY event",
    "The spikes of an event: second and milliseconds, the oldest first.",
    WATCHING | NOSCRIPT, since="2.8.13", complexity="O(1)",
    tips="nondeterministic_output request_policy:all_nodes response_policy:special",
)
def latency_history(client: Client, argv: list[bytes]) -> Reply:
    series = client.server.latency.events.get(_text(argv[2]))
    return [] if series is None else [[sample.second, sample.milliseconds] for sample in series.samples]


@command(
    "LATENCY RESET [event [event ...]]",
    "Forgets the spikes of the events, of all if none are named.",
    WATCHING | NOSCRIPT, since="2.8.13", complexity="O(1)", tips="request_policy:all_nodes response_policy:agg_sum",
)
def latency_reset(client: Client, argv: list[bytes]) -> Reply:
    return client.server.latency.reset([_text(word) for word in argv[2:]])


@command(
    "LATENCY GRAPH event",
    "Draws the spikes of an event.",
    WATCHING | NOSCRIPT, since="2.8.13", complexity="O(1)",
    tips="nondeterministic_output request_policy:all_nodes response_policy:special",
)
def latency_graph(client: Client, argv: list[bytes]) -> Reply:
    event = _text(argv[2])
    series = client.server.latency.events.get(event)
    if series is None:
        raise RedisError(no_latency_samples(argv[2]))
    return Verbatim(graph(event, series, client.clock.seconds).encode())


@command(
    "LATENCY DOCTOR",
    "Says what the spikes mean, and what may help.",
    WATCHING | NOSCRIPT, since="2.8.13", complexity="O(1)",
    tips="nondeterministic_output request_policy:all_nodes response_policy:special",
)
def latency_doctor(client: Client, argv: list[bytes]) -> Reply:
    server = client.server
    return Verbatim(diagnose(server.latency.events, server.config, client.clock.seconds).encode())


@command(
    "LATENCY HISTOGRAM [command [command ...]]",
    "How many calls of a command took at most how many microseconds, of all commands if none are named.",
    WATCHING | NOSCRIPT, since="7.0.0", complexity="O(N)",
    tips="nondeterministic_output request_policy:all_nodes response_policy:special",
)
def latency_histogram(client: Client, argv: list[bytes]) -> Reply:
    server = client.server
    if len(argv) == 2:
        told = server.all_commands()
    else:
        told = []
        for word in argv[2:]:
            named = server.find_command(word.split(b"|", 1))
            if named is not None:
                told += [named] if named.subcommands is None else _distinct(named.subcommands)
    flat: list[object] = []
    for one in told:
        calls, pairs = _octaves(one)
        if calls:
            flat += [one.name.encode(), Pairs([b"calls", calls, b"histogram_usec", Pairs(pairs)])]
    return Pairs(flat)


def _octaves(one: Command) -> tuple[int, list[object]]:
    """The calls of a command, and for each octave that has any: its end in microseconds, the calls up to it."""
    pairs: list[object] = []
    calls = 0
    end = 1024
    for low, count in one.tracked.buckets():
        if low >= end and calls:
            pairs += [_microseconds(end), calls]
        while low >= end:
            end *= 2
        calls += count
    if calls:
        pairs += [_microseconds(end), calls]
    return calls, pairs


def _microseconds(end: int) -> int:
    """The end of an octave as Redis tells it: that of the last 128th that begins with it."""
    return (end + end // 128 - 1) // 1000


def _distinct(table: dict[bytes, Command]) -> list[Command]:
    return list({id(one): one for one in table.values()}.values())


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


# --- MONITOR ---------------------------------------------------------------------------------------------------------------------


@command("MONITOR", "Shows this connection every command that the server runs.", WATCHING | NOSCRIPT, since="1.0.0")
def monitor(client: Client, argv: list[bytes]) -> Reply:
    if client.may_not_block:
        raise RedisError(MONITOR_IN_TRANSACTION)
    if client.monitoring:
        return NOTHING
    client.server.monitors.add(client)
    return OK
