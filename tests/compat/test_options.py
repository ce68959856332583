"""Sessions of random commands, every one built from its documented syntax, get the same replies as from a real server.

The data they leave must be the same too (DEBUG DIGEST). `REDLOOP_COMPAT_EXAMPLES=5000` makes it a long run.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compat.grammar import GROUPS, commands, documented
from tests.compat.harness import Line, Pair

EXAMPLES = int(os.environ.get("REDLOOP_COMPAT_EXAMPLES", "60"))
LONGEST = 40


def _play(pair: Pair, lines: list[str], protocol: int) -> None:
    differences = pair.run(Line(" | ".join([*lines, "debug digest"]), where="session"), protocol)
    assert not differences, f"\n{differences[0]}"


@pytest.mark.parametrize("group", [*GROUPS, "all"])
def test_sessions(quiet_pair: Pair, group: str) -> None:
    """Commands of one group among themselves, then all together."""
    known = documented(quiet_pair)
    strategies = commands(quiet_pair)
    names = sorted(name for name in strategies if group in ("all", known[name]["group"]))
    if not names:
        pytest.skip(f"no commands of group {group}")
    one = st.sampled_from(names).flatmap(strategies.__getitem__)

    # Long sessions find more; that a short one may be drawn as well lets a failing one shrink.
    sessions = st.sampled_from([1, LONGEST // 2]).flatmap(lambda least: st.lists(one, min_size=least, max_size=LONGEST))

    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
    @given(sessions, st.sampled_from([2, 3]))
    def same(lines: list[str], protocol: int) -> None:
        _play(quiet_pair, lines, protocol)

    same()
