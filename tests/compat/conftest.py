"""The two servers, once for a run: `pair` plays lines on both."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.compat.harness import Pair, start_pair
from tests.compat.servers import OracleMissingError, oracle_folder


@pytest.fixture(scope="session")
def oracle() -> str:
    """The folder of a real Redis; skips where there is none, except under CI."""
    try:
        return oracle_folder()
    except OracleMissingError as error:
        if os.environ.get("CI"):
            pytest.fail(f"no oracle: {error}")
        pytest.skip(f"no oracle: {error}")


@pytest.fixture(scope="session")
def pair(oracle: str) -> Iterator[Pair]:
    ours, theirs = start_pair()
    with ours, theirs:
        both = Pair(ours, theirs)
        yield both
        both.close()
