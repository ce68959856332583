"""What is on disk after a crash: everything acknowledged, nothing half, in files that a real Redis takes and gives."""

from __future__ import annotations

import itertools
import os
import pathlib
import random
import shutil
import subprocess
import threading
import time

import pytest

from tests.compat.servers import PATIENCE, Server, start
from tests.e2e.wire import Wire, encode

WRITERS = 20
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
LAZY = ("--appendonly", "yes", "--appendfsync", "everysec")
AS_COMMANDS = ("--appendonly", "yes", "--aof-use-rdb-preamble", "no")


def kill(server: Server) -> None:
    server.process.kill()
    server.process.wait()


class Writer(threading.Thread):
    """Writes its keys one after the other until the server is gone; `acknowledged` of them were answered."""

    def __init__(self, server: Server, number: int, first: int, each: threading.Semaphore) -> None:
        super().__init__()
        self.wire = Wire(server)
        self.number = number
        self.acknowledged = first
        self.each = each

    def run(self) -> None:
        with self.wire as wire:
            try:
                while wire.call("SET", f"writer:{self.number}:{self.acknowledged}", self.acknowledged) == b"OK":
                    self.acknowledged += 1
                    self.each.release()
            except OSError:
                return


def test_nothing_acknowledged_is_lost(kind: str, full: bool, tmp_path: pathlib.Path) -> None:
    """kill -9 under twenty writing clients, again and again: with appendfsync always every write that was answered is there."""
    counts = [0] * WRITERS
    chance = random.Random(1)
    for _ in range(50 if full else 4):
        with start(kind, *DURABLE, folder=str(tmp_path)) as server:
            each = threading.Semaphore(0)
            writers = [Writer(server, number, counts[number], each) for number in range(WRITERS)]
            for writer in writers:
                writer.start()
            for _ in range(chance.randrange(20, 600)):
                assert each.acquire(timeout=PATIENCE)
            kill(server)
            for writer in writers:
                writer.join()
            counts = [writer.acknowledged for writer in writers]
        with start(kind, *DURABLE, folder=str(tmp_path)) as server, Wire(server) as wire:
            for number, count in enumerate(counts):
                values = wire.items("MGET", *(f"writer:{number}:{i}" for i in range(count + 2)))
                assert values[:count] == [str(i).encode() for i in range(count)]
                assert values[count] in (None, str(count).encode())
                assert values[count + 1] is None
                counts[number] += values[count] is not None


def test_everysec_keeps_a_beginning(kind: str, tmp_path: pathlib.Path) -> None:
    """kill -9 under everysec: what is kept is all of what came first, and all of it once WAITAOF said so."""
    with start(kind, *LAZY, folder=str(tmp_path)) as server, Wire(server) as wire:
        for number in range(1000):
            wire.call("SET", f"sure:{number}", number)
        assert wire.call("WAITAOF", 1, 0, int(PATIENCE * 1000)) == [1, 0]
        wire.socket.sendall(b"".join(encode("SET", f"key:{number}", number) for number in range(20_000)))
        for _ in range(20_000):
            wire.read()
        kill(server)
    with start(kind, *LAZY, folder=str(tmp_path)) as server, Wire(server) as wire:
        assert None not in wire.items("MGET", *(f"sure:{number}" for number in range(1000)))
        kept = [value is not None for value in wire.items("MGET", *(f"key:{number}" for number in range(20_000)))]
        assert kept == sorted(kept, reverse=True)


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_a_crash_after_mass_insertion(oracle: str, kind: str, full: bool, tmp_path: pathlib.Path, policy: str) -> None:
    """redis-cli --pipe, then kill -9: always keeps every key, everysec all but what came in the last two seconds, a beginning of it all."""
    count = 1_000_000 if full else 50_000
    settings = ("--appendonly", "yes", "--appendfsync", policy)
    text = b"".join(encode("SET", f"key:{number:012}", number) for number in range(count))
    with start(kind, *settings, folder=str(tmp_path)) as server:
        begin = time.monotonic()
        command = [os.path.join(oracle, "redis-cli"), "-p", str(server.port), "--pipe"]
        done = subprocess.run(command, input=text, capture_output=True, timeout=300, check=False)
        seconds = time.monotonic() - begin
        kill(server)
    assert f"errors: 0, replies: {count}" in done.stdout.decode()
    with start(kind, *settings, folder=str(tmp_path)) as server, Wire(server) as wire:
        kept = wire.call("DBSIZE")
        assert isinstance(kept, int)
        assert kept == count if policy == "always" else kept >= count * (1 - min(1, 2 / seconds))
        assert kept == 0 or wire.call("GET", f"key:{kept - 1:012}") == str(kept - 1).encode()


def incremental(folder: pathlib.Path) -> pathlib.Path:
    """The newest file of commands."""
    return max((folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))


def test_cut_anywhere(kind: str, full: bool, tmp_path: pathlib.Path) -> None:
    """A file cut at any of its last bytes starts, keeps every whole command, and says that it dropped the rest."""
    lines = [encode("SET", f"key:{number}", "x" * (number % 40)) for number in range(60)]
    whole = tmp_path / "whole"
    whole.mkdir()
    with start(kind, *DURABLE, folder=str(whole)) as server, Wire(server) as wire:
        for line in lines:
            wire.socket.sendall(line)
            assert wire.read() == b"OK"
    size = incremental(whole).stat().st_size
    ends = [size - sum(map(len, lines[keep:])) for keep in range(len(lines) + 1)]
    for cut in range(1, 201) if full else range(1, 201, 40):
        keep = next(keep for keep in range(len(lines), -1, -1) if ends[keep] <= size - cut)
        folder = tmp_path / f"cut-{cut}"
        shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("socket", "log"))
        os.truncate(incremental(folder), size - cut)
        with start(kind, *DURABLE, folder=str(folder)) as server, Wire(server) as wire:
            assert wire.call("DBSIZE") == keep, f"cut by {cut}"
            if ends[keep] != size - cut:
                assert "short read while loading the AOF file" in server.tail(), f"cut by {cut}"
            wire.call("SET", "after", "the cut")
            kill(server)
        with start(kind, *DURABLE, folder=str(folder)) as server, Wire(server) as wire:
            assert wire.call("DBSIZE") == keep + 1, f"cut by {cut}, second start"


def test_refuses_a_cut_file_when_told_to(kind: str, tmp_path: pathlib.Path) -> None:
    """aof-load-truncated no: a cut file is not started from, and the log says how to repair it."""
    with start(kind, *DURABLE, folder=str(tmp_path)) as server, Wire(server) as wire:
        wire.call("SET", "key", "value")
    path = incremental(tmp_path)
    os.truncate(path, path.stat().st_size - 3)
    with pytest.raises(RuntimeError, match="Unexpected end of file reading the append only file"):
        start(kind, *DURABLE, "--aof-load-truncated", "no", folder=str(tmp_path))


def fill(server: Server) -> None:
    with Wire(server) as wire:
        for number in range(300):
            wire.call("SET", f"key:{number}", bytes([number % 256]) * (number % 50))
        wire.call("MSET", "one", 1, "two", -2)
        wire.call("APPEND", "one", "\r\n$3\r\n")
        wire.call("INCRBYFLOAT", "float", "3.5")
        wire.call("SETRANGE", "holes", 20, "end")
        wire.call("SET", "expires", "later", "EX", 1_000_000)
        wire.call("PEXPIREAT", "key:7", 4_000_000_000_123)
        wire.call("SET", "gone", "now", "PXAT", 1)
        wire.call("DEL", "key:1", "key:2")
        wire.call("RENAME", "key:3", "renamed")
        wire.call("SELECT", 5)
        wire.call("SET", "elsewhere", "x" * 100_000)


def contents(server: Server) -> dict[tuple[int, bytes], tuple[bytes, int]]:
    """Every key of every database with its value and when it expires."""
    found = {}
    with Wire(server) as wire:
        for database in range(16):
            wire.call("SELECT", database)
            for key in wire.items("KEYS", "*"):
                assert isinstance(key, bytes)
                expiry = wire.call("PEXPIRETIME", key)
                assert isinstance(expiry, int)
                found[database, key] = (wire.data("GET", key), expiry)
    return found


@pytest.mark.parametrize("writer", ["oracle", "redloop"])
def test_directories_are_exchanged(oracle: str, tmp_path: pathlib.Path, writer: str) -> None:
    """A data directory of redis-server starts redloop and the other way round; nothing is missing, and each goes on writing in it."""
    reader = "redloop" if writer == "oracle" else "oracle"
    with start(writer, *AS_COMMANDS, folder=str(tmp_path)) as server:
        fill(server)
        before = contents(server)
    with start(reader, *AS_COMMANDS, folder=str(tmp_path)) as server:
        assert contents(server) == before
        with Wire(server) as wire:
            wire.call("SET", "back", "again")
    with start(writer, *AS_COMMANDS, folder=str(tmp_path)) as server:
        assert contents(server) == before | {(0, b"back"): (b"again", -1)}


def test_redis_check_aof(oracle: str, kind: str, tmp_path: pathlib.Path) -> None:
    """Redis's own tool finds our directory valid."""
    with start(kind, *AS_COMMANDS, folder=str(tmp_path)) as server:
        fill(server)
        kill(server)
    manifest = next((tmp_path / "appendonlydir").glob("*.manifest"))
    command = [os.path.join(oracle, "redis-check-aof"), str(manifest)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, "All AOF files and manifest are valid" in done.stdout) == (0, True), done.stdout


class Story(threading.Thread):
    """Writes step after step until the server is gone. `sent`: the last it began; `answered`: when each was answered.

    Every step is a number at the end of a list, every third a transaction that sets two keys as well, every tenth one with a large value.
    """

    def __init__(self, server: Server, name: str, first: int, each: threading.Semaphore) -> None:
        super().__init__()
        self.wire = Wire(server)
        self.name = name
        self.first = first
        self.sent = first
        self.answered: list[float] = []
        self.each = each

    def run(self) -> None:
        with self.wire as wire:
            try:
                while True:
                    self.sent += 1
                    lines = self.lines(self.sent)
                    wire.socket.sendall(b"".join(lines))
                    for _ in lines:
                        wire.read()
                    self.answered.append(time.monotonic())
                    self.each.release()
            except OSError:
                return

    def lines(self, step: int) -> list[bytes]:
        lines = [encode("RPUSH", self.name, step)]
        if step % 3 == 0:
            lines += [encode("SET", f"{self.name}:left", step), encode("SET", f"{self.name}:right", step)]
        if step % 10 == 0:
            lines.append(encode("SET", f"{self.name}:large", large(step)))
        return lines if len(lines) == 1 else [encode("MULTI"), *lines, encode("EXEC")]

    def answered_before(self, moment: float) -> int:
        """How many steps there must be if all is kept that was answered before."""
        return self.first + sum(at < moment for at in self.answered)


def longest_pause(stories: list[Story], ended: float) -> float:
    """How long nobody was answered: the machine stood still, and did not write either."""
    moments = sorted([at for story in stories for at in story.answered if at < ended] + [ended])
    return max((after - before for before, after in itertools.pairwise(moments)), default=0.0)


def large(step: int) -> bytes:
    return b"%d." % step * 30_000


def beginning(wire: Wire, name: str) -> int:
    """How many steps of a story are there; they must be its first, and nothing half."""
    told = wire.items("LRANGE", name, 0, -1)
    assert told == [b"%d" % step for step in range(1, len(told) + 1)]
    third, tenth = len(told) // 3 * 3, len(told) // 10 * 10
    expected = [b"%d" % third if third else None] * 2 + [large(tenth) if tenth else None]
    assert wire.items("MGET", *(f"{name}:{key}" for key in ("left", "right", "large"))) == expected
    return len(told)


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_crashes_while_files_are_written(oracle: str, kind: str, full: bool, tmp_path: pathlib.Path, policy: str) -> None:
    """kill -9 amid rewrites and saves. Each client's writes are kept up to one of them and none beyond, transactions whole; with always up
    to the last that was answered, else to the last that was two seconds before, and as long again as nobody was answered. A snapshot is
    of one moment. Nothing kept is lost later.
    """
    chance = random.Random(policy)
    settings = ("--appendonly", "yes", "--appendfsync", policy, "--aof-use-rdb-preamble")
    names = [f"story:{number}" for number in range(4)]
    kept = [0] * len(names)
    rounds = 67 if full else 2
    amid = 0  # rounds that ended while a file was written
    for number in range(rounds):
        arguments = (*settings, "yes" if number % 2 else "no")
        with start(kind, *arguments, folder=str(tmp_path)) as server, Wire(server) as wire:
            each = threading.Semaphore(0)
            stories = [Story(server, name, first, each) for name, first in zip(names, kept, strict=True)]
            for story in stories:
                story.start()
            wire.call("DEBUG", "POPULATE", 20_000, "filler", 100)
            steps = 3000 if full and number % 8 == 7 else 200  # some seconds, or less than one
            for command in chance.sample([("BGREWRITEAOF",), ("BGSAVE", "SCHEDULE")], 2):
                for _ in range(chance.randrange(steps)):
                    assert each.acquire(timeout=PATIENCE)
                wire.call(*command)
            for _ in range(chance.randrange(10, 100)):
                assert each.acquire(timeout=PATIENCE)
            amid += b"in_progress:1" in wire.data("INFO", "persistence")
            ended = time.monotonic()
            kill(server)
            for story in stories:
                story.join()
        with start(kind, *arguments, folder=str(tmp_path)) as server, Wire(server) as wire:
            sure = ended if policy == "always" else ended - 2 - longest_pause(stories, ended)
            for one, story in enumerate(stories):
                kept[one] = beginning(wire, story.name)
                assert story.answered_before(sure) <= kept[one] <= story.sent, f"round {number}"
        if number % 10 == 1 and (tmp_path / "dump.rdb").exists():
            check_snapshot(oracle, kind, tmp_path, names)
    assert not full or amid > rounds // 4


def check_snapshot(oracle: str, kind: str, folder: pathlib.Path, names: list[str]) -> None:
    """The last snapshot is whole, and of one moment."""
    command = [os.path.join(oracle, "redis-check-rdb"), str(folder / "dump.rdb")]
    assert subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False).returncode == 0
    alone = folder / "alone"
    alone.mkdir()
    shutil.copy(folder / "dump.rdb", alone)
    with start(kind, folder=str(alone)) as server, Wire(server) as wire:
        for name in names:
            beginning(wire, name)
    shutil.rmtree(alone)
