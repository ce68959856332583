"""A disk that takes half a second for every fsync must cost only those who wait for it.

Under `always` a writer waits, as it asked for; under `everysec` nobody does. A reader is answered at once in either case. The fault is
faults/sitecustomize.py.
"""

from __future__ import annotations

import pathlib
import threading
import time
from collections.abc import Iterator

import pytest

from tests.compat.servers import Server, start
from tests.e2e.wire import Wire

DELAY = 0.5
FAULTS = pathlib.Path(__file__).parent / "faults"


@pytest.fixture(params=["everysec", "always"])
def slow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str) -> Iterator[Server]:
    if kind == "oracle":
        pytest.skip("the fault is put into a Python process")
    monkeypatch.setenv("PYTHONPATH", str(FAULTS))
    monkeypatch.setenv("REDLOOP_TEST_FSYNC_MS", str(int(DELAY * 1000)))
    with start("redloop", "--appendonly", "yes", "--appendfsync", request.param) as server:
        yield server


def test_readers_do_not_wait(slow: Server) -> None:
    """While writers keep the disk busy for several fsyncs, another client's GETs are answered within milliseconds."""
    policy = "always" if "always" in slow.arguments else "everysec"
    writes: list[float] = []
    done = threading.Event()

    def write() -> None:
        with Wire(slow) as wire:
            while not done.is_set():
                begin = time.perf_counter()
                wire.call("SET", "key", len(writes))
                writes.append(time.perf_counter() - begin)

    with Wire(slow) as wire:
        wire.call("SET", "other", "value")
        writer = threading.Thread(target=write)
        writer.start()
        reads = []
        end = time.perf_counter() + 5 * DELAY
        while time.perf_counter() < end:
            begin = time.perf_counter()
            assert wire.call("GET", "other") == b"value"
            reads.append(time.perf_counter() - begin)
        done.set()
        writer.join()
    reads.sort()
    assert reads[int(len(reads) * 0.99)] < DELAY / 20
    assert reads[-1] < DELAY / 2
    if policy == "always":
        assert min(writes) > DELAY * 0.9
    else:
        writes.sort()
        assert writes[-1] < DELAY / 2


def test_writers_share_an_fsync(slow: Server) -> None:
    """Group commit: twenty writers that wait for the disk wait together, not one after the other."""
    wires = [Wire(slow) for _ in range(20)]
    begin = time.perf_counter()
    for number, wire in enumerate(wires):
        wire.send("SET", f"key:{number}", number)
    for wire in wires:
        assert wire.read() == b"OK"
        wire.close()
    assert time.perf_counter() - begin < 4 * DELAY
