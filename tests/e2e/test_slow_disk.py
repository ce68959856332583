"""A disk that does not come back from an fsync must cost only those who wait for it.

Under `always` a writer waits, as it asked for; under `everysec` nobody does. A reader is answered in either case. The disk is a gate that
the test closes and opens (faults/sitecustomize.py), so that no clock is needed to tell who waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
import time
from collections.abc import Iterator

import pytest

from tests.compat.servers import PATIENCE, Server, start
from tests.e2e.wire import Wire

FAULTS = pathlib.Path(__file__).parent / "faults"
ROUNDS = 3
READS = 300


class Disk:
    """The disk of a server: `stuck` while the test says so."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        path.touch()

    def syncs(self) -> int:
        """How many have begun."""
        return self.path.read_bytes().count(b"(")

    @contextlib.contextmanager
    def stuck(self) -> Iterator[None]:
        """Whoever comes to sync waits until this ends."""
        with open(self.path, "ab") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield

    def wait_for_sync(self) -> None:
        """Until somebody waits."""
        deadline = time.monotonic() + PATIENCE
        while self.syncs() == self.path.read_bytes().count(b")"):
            assert time.monotonic() < deadline


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Disk:
    return Disk(tmp_path / "gate")


@pytest.fixture(params=["everysec", "always"])
def policy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def slow(policy: str, disk: Disk, monkeypatch: pytest.MonkeyPatch, kind: str) -> Iterator[Server]:
    if kind == "oracle":
        pytest.skip("the fault is put into a Python process")
    monkeypatch.setenv("PYTHONPATH", str(FAULTS))
    monkeypatch.setenv("REDLOOP_TEST_GATE", str(disk.path))
    with start("redloop", "--appendonly", "yes", "--appendfsync", policy) as server:
        yield server


def has_reply(wire: Wire) -> bool:
    """Whether anything has come that was not read yet."""
    wire.socket.setblocking(False)
    try:
        return bool(wire.incoming.peek())
    finally:
        wire.socket.settimeout(PATIENCE)


def test_readers_do_not_wait(slow: Server, disk: Disk, policy: str) -> None:
    """While the disk is stuck, another client's GETs are answered; a writer is answered too, unless it asked to wait."""
    with Wire(slow) as reader, Wire(slow) as writer:
        writer.call("SET", "other", "value")
        for number in range(ROUNDS):
            with disk.stuck():
                writer.send("SET", "key", number)
                disk.wait_for_sync()
                for _ in range(READS):
                    assert reader.call("GET", "other") == b"value"
                if policy == "always":
                    assert not has_reply(writer)
                else:
                    assert writer.read() == b"OK"
                    for _ in range(READS):
                        assert writer.call("SET", "key", number) == b"OK"
                assert reader.call("GET", "key") == str(number).encode()
            if policy == "always":
                assert writer.read() == b"OK"


def test_writers_share_an_fsync(slow: Server, disk: Disk, policy: str) -> None:
    """Group commit: twenty writers that wait for the disk wait together, not one after the other."""
    wires = [Wire(slow) for _ in range(20)]
    with Wire(slow) as first, Wire(slow) as reader:
        before = disk.syncs()
        with disk.stuck():
            first.send("SET", "first", "1")
            disk.wait_for_sync()
            for number, wire in enumerate(wires):
                assert wire.call("GET", "first") == b"1"
                wire.send("SET", f"key:{number}", number)
            while reader.call("DBSIZE") != 1 + len(wires):  # all have been read
                pass
        for wire in [first, *wires]:
            assert wire.read() == b"OK"
        if policy == "always":
            assert disk.syncs() == before + 2
        for wire in wires:
            wire.close()
