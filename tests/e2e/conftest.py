"""End to end: a server process, and the programs people use with it.

`server` is shared by all tests of a file and emptied before each. The sizes are those of a suite that must stay quick; `REDLOOP_FULL=1`
takes the sizes the project promises (a million SETs, fifty crashes, every cut). `REDLOOP_E2E=oracle` runs the same tests against a real
redis-server: a test that fails there is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.compat.servers import Server, start
from tests.e2e.wire import Wire


@pytest.fixture(scope="session")
def kind() -> str:
    return os.environ.get("REDLOOP_E2E", "redloop")


@pytest.fixture(scope="session")
def full() -> bool:
    return bool(os.environ.get("REDLOOP_FULL"))


@pytest.fixture(scope="module")
def running(kind: str) -> Iterator[Server]:
    with start(kind) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    with Wire(running) as wire:
        wire.call("FLUSHALL")
    return running
