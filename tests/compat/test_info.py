"""INFO beside a real server: the same sections, the same fields in the same order, in the same notation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.compat.harness import Pair, pack
from tests.compat.replies import Stream, parse

FIXED = ["server", "clients", "memory", "persistence", "threads", "stats", "replication", "cpu", "modules", "cluster"]
"""The sections whose fields do not depend on what has been done."""
COUNTED = {"total_error_replies", "keyspace_hits", "keyspace_misses", "expired_keys", "rejected_connections", "unexpected_error_replies"}
TEXTS = {
    "os",
    "monotonic_clock",
    "multiplexing_api",
    "atomicvar_api",
    "gcc_version",
    "mem_allocator",
    "executable",
    "redis_build_id",
    "run_id",
    "master_replid",
    "listener0",
    "listener1",
}
"""Fields that tell of the program or the machine in words."""
OURS_ALONE = re.compile(r"redloop_\w+")
COMMANDS = [
    [b"SET", b"s", b"x"],
    [b"GET", b"s"],
    [b"GET", b"nosuch"],
    [b"SET", b"t", b"x", b"EX", b"100"],
    [b"RPUSH", b"l", b"a", b"b", b"c"],
    [b"HSET", b"h", b"f", b"1"],
    [b"HEXPIRE", b"h", b"100", b"FIELDS", b"1", b"f"],
    [b"SADD", b"set", *[b"%d" % number for number in range(2000)]],
    [b"INCR", b"l"],
    [b"GET"],
    [b"NOSUCH"],
]
"""Something of everything that INFO tells of."""


@pytest.fixture(scope="module")
def both(pair: Pair) -> Iterator[list[Stream]]:
    """A connection to each server; both have run the same commands since their statistics were reset."""
    streams = [Stream(side.server.connect()) for side in (pair.ours, pair.theirs)]
    for stream in streams:
        stream.peer.sendall(b"".join([pack(argv) for argv in [[b"FLUSHALL"], [b"CONFIG", b"RESETSTAT"], *COMMANDS]]))
        for _ in range(len(COMMANDS) + 2):
            stream.reply()
    yield streams
    for stream in streams:
        stream.peer.close()


def lines(stream: Stream, *sections: str) -> list[str]:
    stream.peer.sendall(pack([b"INFO", *[section.encode() for section in sections]]))
    text = parse(stream.reply())[0][1]
    assert isinstance(text, bytes)
    return text.decode().split("\r\n")


def field(line: str) -> str:
    return line.partition(":")[0]


@pytest.mark.parametrize(
    "sections",
    [[], ["default"], ["all"], ["everything"], ["Server", "clients"], ["nosuch"], ["nosuch", "cpu"], ["default", "commandstats"]],
    ids=" ".join,
)
def test_the_same_sections_come(both: list[Stream], sections: list[str]) -> None:
    ours, theirs = ([line for line in lines(stream, *sections) if line.startswith("#")] for stream in both)
    assert ours == theirs


@pytest.mark.parametrize("section", FIXED)
def test_the_same_fields_come_in_the_same_order(both: list[Stream], section: str) -> None:
    ours, theirs = ([field(line) for line in lines(stream, section)] for stream in both)
    assert [name for name in ours if not OURS_ALONE.fullmatch(name)] == [name for name in theirs if name != "module"]


@pytest.mark.parametrize("section", ["commandstats", "errorstats", "latencystats"])
def test_commands_are_told_of_by_the_same_names(both: list[Stream], section: str) -> None:
    ours, theirs = (sorted(field(line) for line in lines(stream, section)) for stream in both)
    assert ours == theirs


def test_notation_is_the_same(both: list[Stream]) -> None:
    """But for the digits."""
    known: list[dict[str, str]] = []
    for stream in both:
        shapes = {}
        for line in lines(stream, "everything"):
            name, _, value = line.partition(":")
            # What is resident is less than what is in use when the machine needs the memory; whether a save point came is a matter of time.
            if name.endswith("_bytes") or name == "rdb_last_bgsave_time_sec":
                value = value.removeprefix("-")
            shapes[name] = re.sub(r"\d+(\.\d\d)?[BKMGT]$", "a size", value) if "_human" in name else re.sub(r"\d+", "0", value)
        known.append(shapes)
    ours, theirs = known
    assert {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]} <= TEXTS


@pytest.mark.parametrize("section", ["keyspace", "keysizes", "errorstats"])
def test_what_the_data_decide_is_equal(both: list[Stream], section: str) -> None:
    ours, theirs = ([re.sub(r"avg_ttl=\d+", "", line) for line in lines(stream, section)] for stream in both)
    assert ours == theirs


def test_what_the_commands_decide_is_equal(both: list[Stream]) -> None:
    ours, theirs = ([line for line in lines(stream, "stats") if field(line) in COUNTED] for stream in both)
    assert ours == theirs
    assert len(ours) == len(COUNTED)


def test_calls_are_counted_alike(both: list[Stream]) -> None:
    ours, theirs = (
        {field(line): re.sub(r"usec(_per_call)?=[\d.]+,", "", line) for line in lines(stream, "commandstats") if "info" not in line}
        for stream in both
    )
    assert ours == theirs
