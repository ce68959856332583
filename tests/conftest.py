"""What every test run shares: how much hypothesis tries, and the word on what is being tested.

REDLOOP_COMPILE=0|1 asks for redloop interpreted or compiled, REDLOOP_LOOP=uvloop|asyncio for the loop; a run that would test something
else than what was asked for stops. Which redloop is imported depends on PYTHONPATH: `app` has the sources, .venv what was built of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import redloop
from tests.compat.hand_clock import available
from tests.compat.harness import pack
from tests.compat.replies import Stream
from tests.compat.servers import OracleMissingError, oracle_folder, start

# On a busy machine anything may be slow for a moment, so nothing that hypothesis measures by a clock is held against a test.
UNTIMED: dict[str, Any] = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("redloop", max_examples=100, **UNTIMED)
hypothesis.settings.register_profile("ci", max_examples=100, derandomize=True, print_blob=True, **UNTIMED)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "redloop")


def pytest_report_header() -> str:
    mode = "compiled" if redloop.compiled() else "interpreted"
    clock = "hand-set where a test wants that" if available() else "the system's"
    return f"redloop {redloop.__version__}, {mode}, {os.environ.get('REDLOOP_LOOP', 'uvloop')}, from {redloop.__path__[0]}; clock: {clock}"


def pytest_sessionstart() -> None:
    wish = os.environ.get("REDLOOP_COMPILE")
    if wish in {"0", "1"} and redloop.compiled() != (wish == "1"):
        raise pytest.UsageError(f"REDLOOP_COMPILE={wish}, yet {'compiled' if redloop.compiled() else 'interpreted'} modules are found")
    for module in (Path(__file__).parents[1] / "app").rglob("*.so"):
        source = module.with_name(module.name.partition(".")[0] + ".py")
        if source.is_file() and source.stat().st_mtime > module.stat().st_mtime:
            raise pytest.UsageError(f"{source} has changed since it was compiled: ./scripts/compile, or ./scripts/compile clean")


@pytest.fixture(scope="session")
def oracle() -> str:
    """The folder of a real Redis; skips where there is none, except under CI."""
    try:
        return oracle_folder()
    except OracleMissingError as error:
        if os.environ.get("CI"):
            pytest.fail(f"no oracle: {error}")
        pytest.skip(f"no oracle: {error}")


class Real:
    """A connection to a real redis-server: `real("GET", key)` gives the reply's bytes."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __call__(self, *argv: bytes | str | int) -> bytes:
        return self.many([argv])[0]

    def many(self, commands: Sequence[Sequence[bytes | str | int]]) -> list[bytes]:
        """The replies to a pipeline."""
        lines = [[word if isinstance(word, bytes) else str(word).encode() for word in argv] for argv in commands]
        self.stream.peer.sendall(b"".join([pack(argv) for argv in lines]))
        return [self.stream.reply() for _ in commands]


@pytest.fixture(scope="session")
def real(oracle: str) -> Iterator[Real]:
    """A real redis-server to ask, once for a run."""
    with start("oracle") as server:
        stream = Stream(server.connect())
        yield Real(stream)
        stream.peer.close()
