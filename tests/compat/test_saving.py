"""SAVE and BGSAVE beside a real server, one after the other: a line of cases/*.txt could not wait until a background save has ended."""

from __future__ import annotations

import time

from tests.compat.harness import Pair, Side
from tests.compat.servers import PATIENCE


def settled(side: Side) -> None:
    """Until nothing is saved in the background."""
    deadline = time.monotonic() + PATIENCE
    while b"rdb_bgsave_in_progress:0\r\n" not in side.ask(b"INFO", b"persistence"):
        assert time.monotonic() < deadline


def play(side: Side) -> list[bytes]:
    said = [side.ask(b"SET", b"a", b"v"), side.ask(b"SAVE")]
    for _ in range(2):
        said.append(side.ask(b"BGSAVE"))
        settled(side)
    said.append(side.ask(b"SAVE"))
    return said


def test_saves_in_a_row(pair: Pair) -> None:
    assert play(pair.ours) == play(pair.theirs)
