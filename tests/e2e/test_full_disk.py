"""A disk that is really full: a small file system of its own, which a ballast fills and frees. Nothing acknowledged is lost.

It takes root to mount one; elsewhere these tests are skipped, and tests/engine/test_faults.py does the same with a disk that says so.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.compat.servers import PATIENCE, Server, start
from tests.e2e.wire import ReplyError, Wire

SIZE = 8 * 1024 * 1024
VALUE = "v" * 20_000


@pytest.fixture(scope="module", autouse=True)
def only_ours(kind: str) -> None:
    if kind == "oracle":
        pytest.skip("redis-server does otherwise: it exits, or replies before the disk has it")


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a file system needs root on Linux")
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


class Ballast:
    """A file that takes all the room but what is to be left."""

    def __init__(self, disk: pathlib.Path) -> None:
        self.path = disk / "ballast"
        self.disk = disk

    def fill(self, left: int = 0) -> None:
        room = os.statvfs(self.disk)
        with open(self.path, "wb") as file:
            file.write(b"x" * max(0, room.f_bavail * room.f_frsize - left))

    def drop(self) -> None:
        self.path.unlink()


def settle(wire: Wire) -> None:
    """Nothing more is on its way to the disk."""
    assert wire.call("WAITAOF", 1, 0, int(PATIENCE * 1000)) == [1, 0]


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def said(wire: Wire, line: str) -> bool:
    return f"{line}\r\n".encode() in wire.data("INFO", "persistence")


def write_until_refused(wire: Wire) -> int:
    """Sets keys until one is refused; how many were not."""
    count = 0
    try:
        while count < 10_000:
            wire.call("SET", f"key:{count}", VALUE)
            count += 1
    except ReplyError as error:
        assert str(error).startswith("MISCONF Errors writing to the AOF file: No space left on device")  # noqa: PT017  # ends the loop
    return count


def aof(disk: pathlib.Path, policy: str = "everysec") -> Server:
    return start("redloop", "--appendonly", "yes", "--appendfsync", policy, folder=str(disk))


def values(wire: Wire, count: int) -> bool:
    return wire.items("MGET", *[f"key:{number}" for number in range(count)]) == [VALUE.encode()] * count


def test_everysec_refuses_writes_until_there_is_room(disk: pathlib.Path) -> None:
    ballast = Ballast(disk)
    with aof(disk) as server, Wire(server) as wire:
        wire.call("SET", "first", "1")
        settle(wire)
        ballast.fill(200_000)
        count = write_until_refused(wire)
        assert count > 5
        assert wire.call("GET", "first") == b"1"
        assert said(wire, "aof_last_write_status:err")
        ballast.drop()
        wait_until(lambda: said(wire, "aof_last_write_status:ok"))
        assert wire.call("SET", f"key:{count}", VALUE) == b"OK"
        assert wire.call("WAITAOF", 1, 0, int(PATIENCE * 1000)) == [1, 0]
        server.process.kill()
        server.process.wait()
        assert "No space left on device" in server.tail()
    with aof(disk) as server, Wire(server) as wire:
        assert values(wire, count + 1)


def test_always_answers_when_the_disk_has_it(disk: pathlib.Path) -> None:
    ballast = Ballast(disk)
    with aof(disk, "always") as server, Wire(server) as writer, Wire(server) as reader:
        assert writer.call("SET", "key:0", VALUE) == b"OK"
        ballast.fill()
        writer.send("SET", "key:1", VALUE)
        wait_until(lambda: said(reader, "aof_last_write_status:err"))
        with pytest.raises(ReplyError, match=r"^MISCONF Errors writing to the AOF file: No space left on device"):
            reader.call("SET", "key:2", VALUE)
        ballast.drop()
        assert writer.read() == b"OK"
        server.process.kill()
        server.process.wait()
    with aof(disk, "always") as server, Wire(server) as wire:
        assert values(wire, 2)


def test_a_rewrite_that_finds_no_room_leaves_what_was(disk: pathlib.Path) -> None:
    ballast = Ballast(disk)
    with aof(disk) as server, Wire(server) as wire:
        for number in range(50):
            wire.call("SET", f"key:{number}", os.urandom(10_000).hex())
        written = wire.items("MGET", *[f"key:{number}" for number in range(50)])
        settle(wire)
        ballast.fill(300_000)
        wire.call("BGREWRITEAOF")
        wait_until(lambda: said(wire, "aof_last_bgrewrite_status:err") and said(wire, "aof_rewrite_in_progress:0"))
        assert "Background AOF rewrite failed: No space left on device" in server.tail()
        assert not list((disk / "appendonlydir").glob("temp*"))
        assert wire.call("SET", "small", "1") == b"OK"
        ballast.drop()
        wire.call("BGREWRITEAOF")
        wait_until(lambda: said(wire, "aof_last_bgrewrite_status:ok") and said(wire, "aof_rewrite_in_progress:0"))
    with aof(disk) as server, Wire(server) as wire:
        assert wire.items("MGET", *[f"key:{number}" for number in range(50)]) == written
        assert wire.call("GET", "small") == b"1"


def test_a_save_that_finds_no_room_leaves_the_file_before(disk: pathlib.Path) -> None:
    ballast = Ballast(disk)
    with start("redloop", "--save", "3600 1000000", folder=str(disk)) as server, Wire(server) as wire:
        wire.call("SET", "first", "1")
        wire.call("SAVE")
        before = (disk / "dump.rdb").read_bytes()
        for number in range(50):
            wire.call("SET", f"key:{number}", os.urandom(10_000).hex())
        ballast.fill(100_000)
        wire.call("BGSAVE")
        wait_until(lambda: said(wire, "rdb_last_bgsave_status:err") and said(wire, "rdb_bgsave_in_progress:0"))
        with pytest.raises(ReplyError, match=r"^MISCONF Redis is configured to save RDB snapshots"):
            wire.call("SET", "more", "1")
        with pytest.raises(ReplyError):
            wire.call("SAVE")
        assert (disk / "dump.rdb").read_bytes() == before
        assert sorted(path.name for path in disk.glob("*.rdb")) == ["dump.rdb"]
        ballast.drop()
        wire.call("BGSAVE")
        wait_until(lambda: said(wire, "rdb_last_bgsave_status:ok") and said(wire, "rdb_bgsave_in_progress:0"))
        assert wire.call("SET", "more", "1") == b"OK"
        server.process.kill()
        server.process.wait()
    with start("redloop", folder=str(disk)) as server, Wire(server) as wire:
        assert wire.call("DBSIZE") == 51


def test_a_second_server_on_the_directory_is_refused(tmp_path: pathlib.Path) -> None:
    settings = ("--appendonly", "yes", "--dir", str(tmp_path))
    with start("redloop", *settings) as first, Wire(first) as wire:
        wire.call("SET", "a", "1")
        with pytest.raises(RuntimeError, match="appendonlydir"):
            start("redloop", *settings).stop()
        assert wire.call("SET", "a", "2") == b"OK"
    with start("redloop", *settings) as again, Wire(again) as wire:
        assert wire.call("GET", "a") == b"2"
