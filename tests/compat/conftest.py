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


@pytest.fixture
def quiet_pair(pair: Pair) -> Iterator[Pair]:
    """Both servers without active expiry, whose moment differs: what is due vanishes when somebody asks for it."""
    for side in (pair.ours, pair.theirs):
        side.ask(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0")
    yield pair
    for side in (pair.ours, pair.theirs):
        side.ask(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"1")
