"""Lines of clock/*.txt, which turn the clock on (`+ 1500`), get the same replies as from a real redis-server, to the millisecond.

Both servers' clocks are hand-set and stand still in between, so that what takes time in other lines takes none here, and what is due is
due at one moment for both. Where that cannot be done (hand_clock.py) the test skips; under CI it fails.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import pytest

from tests.compat.hand_clock import FINE_TIME, available
from tests.compat.harness import Pair, read_cases, start_pair

CASES = pathlib.Path(__file__).parent / "clock"


@pytest.fixture(scope="module")
def clock_pair(oracle: str) -> Iterator[Pair]:
    if not available():
        if os.environ.get("CI"):
            pytest.fail("no hand-set clock")
        pytest.skip("no hand-set clock on this machine")
    ours, theirs = start_pair(*FINE_TIME, clocks=True)
    with ours, theirs:
        both = Pair(ours, theirs)
        yield both
        both.close()


@pytest.mark.parametrize("protocol", [2, 3], ids=["resp2", "resp3"])
@pytest.mark.parametrize("path", sorted(CASES.glob("*.txt")), ids=lambda path: path.stem)
def test_same_replies(clock_pair: Pair, path: pathlib.Path, protocol: int) -> None:
    differences = clock_pair.run_all(read_cases(path), (protocol,))
    if differences:
        pytest.fail(f"{len(differences)} lines differ\n" + "\n".join(str(difference) for difference in differences), pytrace=False)
