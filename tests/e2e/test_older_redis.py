"""An older Redis: files that 7.0.15 left are read, and what is saved for it with rdb-version is read by it.

The second half needs a redis-server 7.0: the folder that REDLOOP_REDIS_7_0 names, else it is skipped.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from tests.compat.servers import PATIENCE, free_port, start
from tests.e2e.test_rdb import commands
from tests.e2e.wire import ReplyError, Wire, encode, wait_while

FIXTURE = pathlib.Path(__file__).parent.parent / "persistence" / "fixtures" / "redis-7.0.15-aof"
OF_THE_BASE = b"6a854f5580b78995847f88e9b03ffb74ba043710"
OF_ALL = b"74898058fc06364f346f613df53ae5e4afa8b885"


def test_a_snapshot_is_read(kind: str, tmp_path: pathlib.Path) -> None:
    shutil.copy(FIXTURE / "appendonly.aof.1.base.rdb", tmp_path / "dump.rdb")
    with start(kind, folder=str(tmp_path)) as server, Wire(server) as wire:
        assert wire.call("DEBUG", "DIGEST") == OF_THE_BASE
        assert wire.call("FCALL", "answer", 0) == 42
        assert wire.items("XPENDING", "stream:large", "g1")[0] == 9


def test_an_append_only_directory_is_read_and_goes_on(kind: str, tmp_path: pathlib.Path) -> None:
    shutil.copytree(FIXTURE, tmp_path / "appendonlydir")
    with start(kind, "--appendonly", "yes", folder=str(tmp_path)) as server, Wire(server) as wire:
        assert wire.call("DEBUG", "DIGEST") == OF_ALL
        wire.call("SET", "ours", "1")
        digest = wire.call("DEBUG", "DIGEST")
    with start(kind, "--appendonly", "yes", folder=str(tmp_path)) as server, Wire(server) as wire:
        assert wire.call("DEBUG", "DIGEST") == digest


def test_it_can_be_saved_and_read_again(kind: str, tmp_path: pathlib.Path) -> None:
    shutil.copy(FIXTURE / "appendonly.aof.1.base.rdb", tmp_path / "dump.rdb")
    with start(kind, folder=str(tmp_path)) as server, Wire(server) as wire:
        assert wire.call("SAVE") == b"OK"
    with start(kind, folder=str(tmp_path)) as server, Wire(server) as wire:
        assert wire.call("DEBUG", "DIGEST") == OF_THE_BASE


# --- the other way round ----------------------------------------------------------------------------------------------------------


class Old:
    """A running redis-server 7.0."""

    def __init__(self, folder: str, home: pathlib.Path, *arguments: str) -> None:
        self.port = free_port()
        command = [os.path.join(folder, "redis-server"), "--port", str(self.port), "--dir", str(home), "--save", "", "--bind", "127.0.0.1"]
        command += ["--enable-protected-configs", "yes", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if "Ready to accept connections" in line:
                return
        self.process.wait()
        raise AssertionError(said)

    def call(self, *words: bytes | str | int) -> bytes:
        """A command whose reply is one line."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as peer:
            peer.sendall(encode(*words))
            return peer.recv(1000)

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def folder() -> str:
    named = os.environ.get("REDLOOP_REDIS_7_0", "")
    if not named:
        pytest.skip("no redis-server 7.0: name the folder of one in REDLOOP_REDIS_7_0")
    return named


@pytest.fixture
def fed(tmp_path: pathlib.Path, kind: str) -> tuple[pathlib.Path, bytes]:
    """A directory with a snapshot and an append-only file for Redis 7.0, and their digest."""
    settings = ("--rdb-version", "10", "--appendonly", "yes", "--dbfilename", "ours.rdb", "--save", "")
    with start(kind, *settings, folder=str(tmp_path)) as server, Wire(server) as wire:
        for line in commands(3, 200):
            if line[0] != "HPEXPIREAT":
                wire.send(*line)
                try:
                    wire.read()
                except ReplyError:
                    continue
        wire.call("SELECT", 0)
        for number in range(200):
            wire.call("XADD", "stream", f"{number + 1}-1", "field", number)
        wire.call("XGROUP", "CREATE", "stream", "group", "0")
        wire.call("XREADGROUP", "GROUP", "group", "consumer", "COUNT", "10", "STREAMS", "stream", ">")
        wire.call("BGREWRITEAOF")
        wait_while(wire, "persistence", b"aof_rewrite_in_progress:1")
        wire.call("SET", "later", "1")
        wire.call("SAVE")
        digest = wire.data("DEBUG", "DIGEST")
    return tmp_path, digest


@pytest.mark.parametrize("what", [("--dbfilename", "ours.rdb"), ("--appendonly", "yes")])
def test_what_is_saved_for_it_is_read_by_it(folder: str, fed: tuple[pathlib.Path, bytes], what: tuple[str, str]) -> None:
    """It reads what we saved and saves it; that we read again. (Its digest is another: scores are written otherwise.)"""
    home, digest = fed
    old = Old(folder, home, *what)
    try:
        assert old.call("CONFIG", "SET", "dbfilename", "theirs.rdb") == b"+OK\r\n"
        assert old.call("SAVE") == b"+OK\r\n"
    finally:
        old.stop()
    with start("redloop", "--dbfilename", "theirs.rdb", folder=str(home)) as server, Wire(server) as wire:
        assert wire.call("DEBUG", "DIGEST") == digest
    done = subprocess.run([os.path.join(folder, "redis-check-rdb"), str(home / "ours.rdb")], capture_output=True, text=True, check=False)
    assert "RDB looks OK" in done.stdout


def test_keys_move_there_and_back(folder: str, tmp_path: pathlib.Path) -> None:
    old = Old(folder, tmp_path)
    try:
        with start("redloop", "--rdb-version", "10") as server, Wire(server) as wire:
            for line in commands(5, 60):
                if line[0] not in ("SELECT", "HPEXPIREAT"):
                    wire.send(*line)
                    try:
                        wire.read()
                    except ReplyError:
                        continue
            digest = wire.call("DEBUG", "DIGEST")
            names = [key for key in wire.items("KEYS", "*") if isinstance(key, bytes)]
            assert wire.call("MIGRATE", "127.0.0.1", old.port, "", 0, 20_000, "KEYS", *names) == b"OK"
            assert wire.call("DBSIZE") == 0
            assert old.call("DBSIZE") == b":%d\r\n" % len(names)
            assert old.call("MIGRATE", "127.0.0.1", server.port, "", 0, 20_000, "KEYS", *names) == b"+OK\r\n"
            assert wire.call("DEBUG", "DIGEST") == digest
    finally:
        old.stop()
