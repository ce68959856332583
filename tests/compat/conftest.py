"""The two servers, once for a run: `pair` plays lines on both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.compat.harness import Pair, start_pair


@pytest.fixture(scope="session")
def pair(oracle: str) -> Iterator[Pair]:
    ours, theirs = start_pair()
    with ours, theirs:
        both = Pair(ours, theirs)
        yield both
        both.close()
