"""Sessions of random commands, every one built from its documented syntax, get the same replies as from a real server.

The data they leave must be the same too (DEBUG DIGEST). `REDLOOP_COMPAT_EXAMPLES=5000` makes it a long run.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compat.grammar import GROUPS, commands, documented
from tests.compat.harness import Line, Pair, start_pair, without_equal_spans

EXAMPLES = int(os.environ.get("REDLOOP_COMPAT_EXAMPLES", "60"))
LONGEST = 40


def _play(pair: Pair, lines: list[str], protocol: int) -> None:
    differences = pair.run(Line(without_equal_spans(" | ".join([*lines, "debug digest"])), where="session"), protocol)
    assert not differences, f"\n{differences[0]}"


def _sessions(one: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Long sessions find more; that a short one may be drawn as well lets a failing one shrink."""
    return st.sampled_from([1, LONGEST // 2]).flatmap(lambda least: st.lists(one, min_size=least, max_size=LONGEST))


@pytest.mark.parametrize("group", [*GROUPS, "all"])
def test_sessions(quiet_pair: Pair, group: str) -> None:
    """Commands of one group among themselves, then all together."""
    known = documented(quiet_pair)
    strategies = commands(quiet_pair)
    names = sorted(name for name in strategies if group in ("all", known[name]["group"]))
    if not names:
        pytest.skip(f"no commands of group {group}")
    one = st.sampled_from(names).flatmap(strategies.__getitem__)

    @settings(max_examples=EXAMPLES)
    @given(_sessions(one), st.sampled_from([2, 3]))
    def same(lines: list[str], protocol: int) -> None:
        _play(quiet_pair, lines, protocol)

    same()


def test_replay(oracle: str) -> None:
    """What the append-only file brings back after a session is what was there: redloop's digest stays the oracle's."""
    ours, theirs = start_pair("--appendonly", "yes")
    with ours, theirs:
        pair = Pair(ours, theirs)
        for side in (pair.ours, pair.theirs):
            side.ask(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0")
        strategies = commands(pair)
        one = st.sampled_from(sorted(strategies)).flatmap(strategies.__getitem__)

        @settings(max_examples=EXAMPLES)
        @given(_sessions(one))
        def same(lines: list[str]) -> None:
            _play(pair, lines, 2)
            before = pair.ours.ask(b"DEBUG", b"DIGEST")
            assert pair.ours.ask(b"DEBUG", b"LOADAOF") == b"+OK\r\n"
            assert pair.ours.ask(b"DEBUG", b"DIGEST") == before

        same()
        pair.close()
