"""The server and its append-only file together: replies wait, files come back, a disk that fails is told and survived."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

import redloop.commands  # noqa: F401  # declares the commands
from redloop.clock import ManualClock
from redloop.config import Config
from redloop.engine.client import Client
from redloop.engine.durability import Durability, DurabilityError
from redloop.engine.features import install
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.persistence.files import Files, GrowingFile
from redloop.resp.encode import encode_command
from tests.compat.servers import PATIENCE


class TroubledFile(GrowingFile):
    """A real file that fails when its `Disk` says so."""

    def __init__(self, disk: Disk, path: str, truncate: bool) -> None:
        super().__init__(path, truncate)
        self.disk = disk

    def write_at(self, position: int, data: memoryview) -> int:
        if self.disk.fail_write:
            raise OSError(self.disk.fail_write, "No space left on device")
        return super().write_at(position, data)

    def sync(self) -> None:
        self.disk.gate()
        if self.disk.fail_sync:
            raise OSError(self.disk.fail_sync, "Input/output error")
        super().sync()


class Disk(Files):
    """The operating system's files, with troubles."""

    def __init__(self) -> None:
        self.fail_write = 0
        self.fail_sync = 0
        self.gate: Callable[[], object] = lambda: None

    def open_growing(self, path: str, truncate: bool = False) -> GrowingFile:
        return TroubledFile(self, path, truncate)


async def wait_until(true: Callable[[], bool]) -> None:
    """Lets the loop run until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  # what is waited for tells nobody
            await asyncio.sleep(0.001)


class Talker:
    """A client whose replies are kept."""

    def __init__(self, server: Server) -> None:
        self.got = b""
        peer = Peer()
        peer.write = self._take
        self.client = Client(server, peer, server.new_client_id())
        server.register(self.client)

    def _take(self, data: bytes) -> None:
        self.got += data

    def send(self, *lines: str) -> bytes:
        """Sends commands in one go; returns what came at once."""
        self.got = b""
        self.client.feed(b"".join(encode_command([word.encode() for word in line.split()]) for line in lines))
        return self.got

    async def until(self, reply: bytes) -> None:
        """Waits for a reply that is held back."""
        await wait_until(lambda: self.got == reply)


@contextlib.asynccontextmanager
async def running(home: Path, disk: Disk | None = None, **settings: object) -> AsyncIterator[Server]:
    config = Config()
    config.dir = str(home)
    config.appendonly = True
    for name, value in settings.items():
        setattr(config, name, value)
    loop = asyncio.get_running_loop()
    server = Server(config, ManualClock())
    server.later = lambda ms, callback: loop.call_later(ms / 1000, callback)
    install(server)
    server.durability = Durability(server, loop, disk)
    await server.durability.start()
    try:
        yield server
    finally:
        await server.durability.stop()


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def incremental(home: Path, number: int = 1) -> str:
    """The words of an increment."""
    data = (home / f"appendonlydir/appendonly.aof.{number}.incr.aof").read_bytes()
    return " ".join(word for word in data.decode().split("\r\n") if word and word[0] not in "*$")


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_what_was_written_is_there_after_a_restart(tmp_path: Path, policy: str) -> None:
    async def scene() -> None:
        async with running(tmp_path, appendfsync=policy) as server:
            talker = Talker(server)
            talker.send("SET a 1", "INCR a", "SELECT 3", "SET b x PX 5000", "DEL nothing", "GET b")
        async with running(tmp_path, appendfsync=policy) as server:
            talker = Talker(server)
            assert talker.send("GET a", "SELECT 3", "GET b", "PTTL b") == b"$1\r\n2\r\n+OK\r\n$1\r\nx\r\n:5000\r\n"
            assert server.keyspace.dirty == 0

    play(scene())
    assert incremental(tmp_path) == "SELECT 0 SET a 1 INCR a SELECT 3 SET b x PXAT 1700000005000"


def test_under_always_a_reply_waits_for_the_sync_and_readers_do_not(tmp_path: Path) -> None:
    async def scene() -> None:
        disk = Disk()
        opened = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with running(tmp_path, disk, appendfsync="always") as server:
            writer, reader = Talker(server), Talker(server)
            disk.gate = lambda: asyncio.run_coroutine_threadsafe(opened.wait(), loop).result(PATIENCE)
            assert writer.send("SET a 1", "GET a") == b""
            assert reader.send("GET a") == b"$1\r\n1\r\n"
            await asyncio.sleep(0.02)
            assert writer.got == b""
            writer.client.feed(encode_command([b"PING"]))
            assert writer.got == b""
            opened.set()
            await writer.until(b"+OK\r\n$1\r\n1\r\n+PONG\r\n")

    play(scene())


def test_under_always_transactions_and_those_who_are_served_wait_too(tmp_path: Path) -> None:
    async def scene() -> None:
        disk = Disk()
        opened = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with running(tmp_path, disk, appendfsync="always") as server:
            writer, waiting = Talker(server), Talker(server)
            disk.gate = lambda: asyncio.run_coroutine_threadsafe(opened.wait(), loop).result(PATIENCE)
            assert waiting.send("BLPOP l 0") == b""
            assert writer.send("MULTI") + writer.send("SET a 1") + writer.send("RPUSH l x y") == b"+OK\r\n+QUEUED\r\n+QUEUED\r\n"
            assert writer.send("EXEC") == b""
            await asyncio.sleep(0.02)
            assert (writer.got, waiting.got) == (b"", b"")
            opened.set()
            await writer.until(b"*2\r\n+OK\r\n:2\r\n")
            await waiting.until(b"*2\r\n$1\r\nl\r\n$1\r\nx\r\n")

    play(scene())
    assert incremental(tmp_path) == "MULTI SELECT 0 SET a 1 RPUSH l x y EXEC LPOP l"


@pytest.mark.parametrize("after", ["everysec", "no"])
def test_replies_that_wait_leave_when_the_policy_lets_them(tmp_path: Path, after: str) -> None:
    async def scene() -> None:
        disk = Disk()
        opened = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with running(tmp_path, disk, appendfsync="always") as server:
            disk.gate = lambda: asyncio.run_coroutine_threadsafe(opened.wait(), loop).result(PATIENCE)
            writer, other = Talker(server), Talker(server)
            writer.send("SET a 1")
            await asyncio.sleep(0.01)
            assert writer.got == b""
            assert other.send(f"CONFIG SET appendfsync {after}") == b"+OK\r\n"
            assert writer.got == b"+OK\r\n"
            assert writer.send("SET a 2") == b"+OK\r\n"
            opened.set()

    play(scene())


@pytest.mark.parametrize("fault", ["fail_write", "fail_sync"])
def test_a_disk_that_fails_refuses_writes_until_it_succeeds_and_loses_nothing(tmp_path: Path, fault: str) -> None:
    async def scene() -> None:
        disk = Disk()
        async with running(tmp_path, disk, appendfsync="always") as server:
            writer, other = Talker(server), Talker(server)
            setattr(disk, fault, errno.ENOSPC)
            writer.send("SET a 1")
            await wait_until(lambda: server.durability.aof.error is not None)
            refusal = b"-MISCONF Errors writing to the AOF file: "
            assert other.send("SET b 1").startswith(refusal)
            assert other.send("PING").startswith(refusal)
            assert other.send("GET a") == b"$1\r\n1\r\n"
            assert dict(server.durability.figures())["aof_last_write_status"] == "err"
            assert writer.got == b""
            setattr(disk, fault, 0)
            await writer.until(b"+OK\r\n")
            assert dict(server.durability.figures())["aof_last_write_status"] == "ok"
            other.send("SET b 1")
            await other.until(b"+OK\r\n")

    play(scene())
    assert incremental(tmp_path) == "SELECT 0 SET a 1 SET b 1"


def test_waitaof(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, appendfsync="everysec") as server:
            assert isinstance(server.clock, ManualClock)
            writer, reader = Talker(server), Talker(server)
            assert writer.send("SET a 1", "WAITAOF 1 0 0") == b"+OK\r\n"
            assert reader.send("WAITAOF 1 0 0") == b"*2\r\n:1\r\n:0\r\n"
            server.durability.aof.set_policy("always")
            await writer.until(b"+OK\r\n*2\r\n:1\r\n:0\r\n")
            assert writer.send("WAITAOF 1 0 0", "WAITAOF 0 0 0") == b"*2\r\n:1\r\n:0\r\n" * 2
            writer.send("WAITAOF 1 1 5")
            server.clock.advance(5)
            await writer.until(b"*2\r\n:1\r\n:0\r\n")
            writer.send("WAIT 1 5")
            server.clock.advance(5)
            await writer.until(b":0\r\n")
            server.durability.aof.set_policy("no")
            writer.send("SET a 2", "WAITAOF 1 0 5")
            server.clock.advance(5)
            await writer.until(b"+OK\r\n*2\r\n:0\r\n:0\r\n")

    play(scene())


def test_a_congested_disk_holds_writers_and_lets_readers_pass(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, appendfsync="everysec") as server:
            writer, reader = Talker(server), Talker(server)
            aof = server.durability.aof
            aof.congested = True
            aof.on_change()
            assert writer.send("SET a 1", "PING") == b""
            assert reader.send("GET a") == b"$-1\r\n"
            aof.congested = False
            aof.on_change()
            assert writer.got == b"+OK\r\n+PONG\r\n"

    play(scene())


def test_expired_keys_are_deleted_in_the_file_each_for_itself_or_with_the_command_that_found_them(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            talker = Talker(server)
            talker.send("SET a 1 PX 10", "SET b 1 PX 10", "SET c 1 PX 10")
            assert isinstance(server.clock, ManualClock)
            server.clock.advance(20)
            talker.send("INCR a")
            server.expire_some(1 << 40)

    play(scene())
    tail = incremental(tmp_path).partition("MULTI")[2]
    assert tail in (" DEL a INCR a EXEC DEL b DEL c", " DEL a INCR a EXEC DEL c DEL b")


def test_a_command_that_fails_in_the_file_is_told_and_the_rest_is_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            Talker(server).send("SET a x")
        path = tmp_path / "appendonlydir/appendonly.aof.1.incr.aof"
        path.write_bytes(path.read_bytes() + b"".join(encode_command(argv) for argv in ([b"INCR", b"a"], [b"SET"], [b"SET", b"b", b"1"])))
        async with running(tmp_path) as server:
            assert Talker(server).send("GET a", "GET b") == b"$1\r\nx\r\n$1\r\n1\r\n"

    play(scene())
    said = "== CRITICAL == This server is sending an error to its AOF-loading-client: '%s' after processing the command '%s'"
    assert [record.message for record in caplog.records if "CRITICAL" in record.message] == [
        said % ("value is not an integer or out of range", "incr"),
        said % ("wrong number of arguments for 'set' command", "set"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("appendonly.aof.manifest", b"nonsense\n", "Invalid AOF manifest file format"),
        ("appendonly.aof.1.incr.aof", b"nonsense\r\n", "Bad file format reading the append only file"),
        ("appendonly.aof.1.incr.aof", encode_command([b"NONSENSE"]), "Unknown command 'NONSENSE' reading the append only file"),
        (
            "appendonly.aof.1.incr.aof",
            b"".join([encode_command(line.split()) for line in (b"MULTI", b"SET a 1", b"EXEB", b"SET b 2")]),
            "Unknown command 'EXEB' reading the append only file",
        ),
    ],
)
def test_what_cannot_be_loaded_stops_the_start(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    async def scene() -> None:
        async with running(tmp_path):
            pass
        (tmp_path / "appendonlydir" / name).write_bytes(content)
        with pytest.raises(DurabilityError, match=complaint):
            async with running(tmp_path):
                pass

    play(scene())


def test_while_the_data_are_loaded_clients_are_told_so(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            Talker(server).send(*[f"SET key:{number} x" for number in range(1000)])
        config = Config()
        config.dir, config.appendonly = str(tmp_path), True
        server = Server(config, ManualClock())
        server.durability = Durability(server, asyncio.get_running_loop())
        starting = asyncio.get_running_loop().create_task(server.durability.start())
        talker = Talker(server)
        await asyncio.sleep(0)  # to its first read
        assert talker.send("GET key:1") == b"-LOADING Redis is loading the dataset in memory\r\n"
        figures = dict(server.durability.figures())
        assert (figures["loading"], "loading_loaded_perc" in figures) == (1, True)
        await starting
        assert talker.send("GET key:1") == b"$1\r\nx\r\n"
        assert dict(server.durability.figures())["loading"] == 0
        await server.durability.stop()

    play(scene())


def test_a_stop_while_the_data_are_loaded_ends_the_loading(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            Talker(server).send(*[f"SET key:{number} x" for number in range(1000)])
        config = Config()
        config.dir, config.appendonly = str(tmp_path), True
        durability = Durability(Server(config, ManualClock()), asyncio.get_running_loop())
        starting = asyncio.get_running_loop().create_task(durability.start())
        await asyncio.sleep(0)  # to its first read
        await durability.stop()
        with pytest.raises(DurabilityError, match="Received shutdown signal during loading"):
            await starting

    play(scene())


def test_two_servers_on_one_directory(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path):
            with pytest.raises(DurabilityError, match="Another server uses"):
                async with running(tmp_path):
                    pass
            async with running(tmp_path, appendonly=False) as second:
                talker = Talker(second)
                talker.send("CONFIG SET appendonly yes")
                await rewritten(second)
                assert not second.durability.enabled

    play(scene())


def test_nothing_changes_any_more_once_the_server_stops(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            talker = Talker(server)
            talker.send("SET a 1")
        assert talker.send("SET a 2") == b""

    play(scene())
    assert incremental(tmp_path) == "SELECT 0 SET a 1"


def test_loading_once_more(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, enable_debug_command="yes") as server:
            talker, other = Talker(server), Talker(server)
            talker.send("SET a 1", "SET b x PX 5000", "SELECT 3", "INCRBYFLOAT f 1.5")
            assert talker.send("DEBUG LOADAOF", "GET f") == b""
            assert other.send("GET a") == b"-LOADING Redis is loading the dataset in memory\r\n"
            await talker.until(b"+OK\r\n$3\r\n1.5\r\n")
            assert other.send("GET a", "PTTL b", "INCR a") == b"$1\r\n1\r\n:5000\r\n:2\r\n"
        async with running(tmp_path) as server:
            assert Talker(server).send("GET a") == b"$1\r\n2\r\n"

    play(scene())
    assert incremental(tmp_path) == "SELECT 0 SET a 1 SET b x PXAT 1700000005000 SELECT 3 SET f 1.5 KEEPTTL SELECT 0 INCR a"


@pytest.mark.parametrize("preamble", [False, True])
def test_a_start_as_of_an_earlier_moment_changes_no_file(tmp_path: Path, preamble: bool) -> None:
    async def scene() -> None:
        async with running(tmp_path, aof_timestamp_enabled=True, aof_use_rdb_preamble=preamble) as server:
            assert isinstance(server.clock, ManualClock)
            talker = Talker(server)
            talker.send("SET a 1")
            server.clock.advance(10_000)
            talker.send("SET a 2")
        before = {path.name: path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir()}
        async with running(tmp_path, aof_load_until="2023-11-14T22:13:25Z") as server:
            talker = Talker(server)
            assert talker.send("GET a", "SET a 3") == b"$1\r\n1\r\n+OK\r\n"
            assert talker.send("CONFIG SET appendonly yes").startswith(b"-ERR CONFIG SET failed")
            assert talker.send("BGREWRITEAOF").startswith(b"-ERR The append-only file was loaded as of an earlier moment")
        assert {path.name: path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir()} == before
        async with running(tmp_path, appendonly=False, save=[(1, 1)], aof_load_until="1700000005") as server:
            talker = Talker(server)
            assert talker.send("GET a", "SET a 4") == b"$1\r\n1\r\n+OK\r\n"
            assert isinstance(server.clock, ManualClock)
            server.clock.advance(10_000)
            server.durability.saving.check()
            assert server.durability.save_finally(None)
            assert not (tmp_path / "dump.rdb").exists()
        async with running(tmp_path) as server:
            assert Talker(server).send("GET a") == b"$1\r\n2\r\n"
        with pytest.raises(DurabilityError, match="'yesterday' is neither a unix time nor a time as ISO 8601 writes it"):
            async with running(tmp_path, aof_load_until="yesterday"):
                pass

    play(scene())


# -- rewriting, on and off -------------------------------------------------------------------------------------------


def manifest(home: Path) -> list[str]:
    return (home / "appendonlydir/appendonly.aof.manifest").read_text().splitlines()


def files(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "appendonlydir").iterdir())


async def rewritten(server: Server) -> None:
    """Waits until no rewrite runs."""
    await wait_until(lambda: server.durability._task is None)


@pytest.mark.parametrize("rdb", [False, True])
def test_a_rewrite_while_writes_go_on_loses_and_repeats_nothing(tmp_path: Path, rdb: bool) -> None:
    async def scene() -> None:
        disk = Disk()
        opened = threading.Event()
        async with running(tmp_path, disk, aof_use_rdb_preamble=rdb) as server:
            disk.gate = lambda: opened.wait(PATIENCE)
            talker = Talker(server)
            talker.send(*[f"SET n:{number} {number}" for number in range(3000)], "SELECT 2", "RPUSH l a b", "SELECT 0")
            assert talker.send("BGREWRITEAOF", "BGREWRITEAOF") == (
                b"+Background append only file rewriting started\r\n-ERR Background append only file rewriting already in progress\r\n"
            )
            rounds = 0
            while server.durability._task is not None:
                talker.send(*[f"INCR n:{number}" for number in range(rounds % 7, 3000, 7)], f"APPEND grown {rounds}")
                rounds += 1
                if rounds == 30:
                    opened.set()
                await asyncio.sleep(0 if rounds < 30 else 0.001)  # a loop that never rests keeps the interpreter's lock from the executor
            assert rounds >= 30
            talker.send("SELECT 0")
            state = talker.send(*[f"GET n:{number}" for number in range(3000)], "GET grown")
            figures = dict(server.durability.figures())
            assert (figures["aof_rewrites"], figures["aof_last_bgrewrite_status"], figures["aof_rewrite_in_progress"]) == (1, "ok", 0)
        async with running(tmp_path) as server:
            talker = Talker(server)
            assert talker.send(*[f"GET n:{number}" for number in range(3000)], "GET grown") == state
            assert talker.send("SELECT 2", "LRANGE l 0 -1") == b"+OK\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"

    play(scene())
    base = f"appendonly.aof.2.base.{'rdb' if rdb else 'aof'}"
    assert [line.split()[1] for line in manifest(tmp_path)] == [base, "appendonly.aof.2.incr.aof"]
    assert files(tmp_path) == [base, "appendonly.aof.2.incr.aof", "appendonly.aof.manifest"]


def test_a_rewrite_that_fails_leaves_what_was(tmp_path: Path) -> None:
    async def scene() -> None:
        disk = Disk()
        async with running(tmp_path, disk) as server:
            talker = Talker(server)
            talker.send("SET a 1")
            await server.durability.aof.drain()
            disk.fail_write = errno.ENOSPC
            talker.send("BGREWRITEAOF")
            await rewritten(server)
            disk.fail_write = 0
            figures = dict(server.durability.figures())
            assert (figures["aof_last_bgrewrite_status"], figures["aof_rewrites_consecutive_failures"]) == ("err", 1)
            talker.send("SET b 2")
            talker.send("BGREWRITEAOF")
            await rewritten(server)
            assert dict(server.durability.figures())["aof_last_bgrewrite_status"] == "ok"
        async with running(tmp_path) as server:
            assert Talker(server).send("GET a", "GET b") == b"$1\r\n1\r\n$1\r\n2\r\n"

    play(scene())
    assert not [name for name in files(tmp_path) if name.startswith("temp")]


def test_turned_on_while_running_it_holds_what_was_there_and_what_came_after(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, appendonly=False, appendfsync="always") as server:
            talker = Talker(server)
            talker.send("SET a 1", "SELECT 1", "SET b 2")
            assert talker.send("WAITAOF 1 0 0") == b"-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n"
            assert talker.send("CONFIG SET appendonly yes", "INCR b", "WAITAOF 1 0 0") == b"+OK\r\n:3\r\n"
            await talker.until(b"+OK\r\n:3\r\n*2\r\n:1\r\n:0\r\n")
            await rewritten(server)
            talker.send("INCR b")
            assert talker.got == b""  # always holds from here on
            await talker.until(b":4\r\n")
        async with running(tmp_path) as server:
            assert Talker(server).send("GET a", "SELECT 1", "GET b") == b"$1\r\n1\r\n+OK\r\n$1\r\n4\r\n"

    play(scene())
    assert files(tmp_path) == ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", "appendonly.aof.manifest"]


def test_off_and_on_again_in_one_breath_ends_on_with_everything(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            talker = Talker(server)
            talker.send("SET a 1", "CONFIG SET appendonly no", "SET b 2", "CONFIG SET appendonly yes", "SET c 3")
            await wait_until(lambda: server.durability.enabled and server.durability._task is None)
            talker.send("SET d 4", "CONFIG SET appendonly no")
            await rewritten(server)
            assert not server.durability.enabled
            talker.send("SET e 5", "CONFIG SET appendonly yes", "CONFIG SET appendonly no", "CONFIG SET appendonly yes")
            await wait_until(lambda: server.durability.enabled and server.durability._task is None)
        async with running(tmp_path) as server:
            assert Talker(server).send("MGET a b c d e") == b"*5\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n"

    play(scene())


def test_what_cannot_be_turned_on_is_off_again(tmp_path: Path) -> None:
    async def scene() -> None:
        disk = Disk()
        async with running(tmp_path, disk, appendonly=False) as server:
            talker = Talker(server)
            disk.fail_write = errno.ENOSPC
            talker.send("SET a 1", "CONFIG SET appendonly yes")
            await rewritten(server)
            assert not server.durability.enabled
            assert talker.send("CONFIG GET appendonly", "SET a 2") == b"*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n+OK\r\n"
            assert server.keyspace.savers == ()
            disk.fail_write = 0
            talker.send("CONFIG SET appendonly yes")
            await rewritten(server)
        async with running(tmp_path) as server:
            assert Talker(server).send("GET a") == b"$1\r\n2\r\n"

    play(scene())


def test_growth_starts_a_rewrite(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, auto_aof_rewrite_min_size=1000) as server:
            talker = Talker(server)
            talker.send("SET a 1")
            server.durability.rewrite_if_grown()
            assert server.durability.rewrite is None
            talker.send(*["INCR a"] * 100)
            server.durability.rewrite_if_grown()
            await rewritten(server)
            assert server.durability.rewrites == 1
            server.durability.rewrite_if_grown()
            assert server.durability.rewrite is None

    play(scene())


def test_a_stop_amid_a_rewrite_keeps_what_was(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            talker = Talker(server)
            talker.send(*[f"SET n:{number} {number}" for number in range(3000)], "BGREWRITEAOF", "SET last 1")
        async with running(tmp_path) as server:
            assert Talker(server).send("GET n:2999", "GET last") == b"$4\r\n2999\r\n$1\r\n1\r\n"

    play(scene())
    assert not [name for name in files(tmp_path) if name.startswith("temp")]


SELECT = encode_command([b"SELECT", b"0"])


def units(count: int) -> tuple[bytes, list[tuple[str, str]]]:
    """An increment of commands and transactions, and the keys it sets, in their order."""
    lines, pairs = ["SELECT 0"], []
    for number in range(count):
        pairs += [(f"key:{number}", f"value:{number}"), (f"more:{number}", "x" * number)]
        both = [f"SET {key} {value}" for key, value in pairs[-2:] if value]
        lines += ["MULTI", *both, "EXEC"] if number % 3 == 2 else both
    return b"".join([encode_command([word.encode() for word in line.split(" ")]) for line in lines]), [pair for pair in pairs if pair[1]]


def test_a_flipped_bit_is_refused_or_spoils_one_command_or_cuts_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content, pairs = units(20)
    rng = random.Random(1)
    outcomes: dict[str, int] = {}

    async def scene(number: int) -> None:
        home = tmp_path / str(number)
        (home / "appendonlydir").mkdir(parents=True)
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path = home / "appendonlydir/appendonly.aof.1.incr.aof"
        path.write_bytes(damaged)
        (home / "appendonlydir/appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
        caplog.clear()
        complaint = ""
        try:
            async with running(home) as server:
                got = [Talker(server).send(f"GET {key}") == b"$%d\r\n%b\r\n" % (len(value), value.encode()) for key, value in pairs]
        except DurabilityError as error:
            complaint = str(error)
        if complaint:
            outcomes["refused"] = outcomes.get("refused", 0) + 1
            assert complaint.startswith(("Bad file format", "Unknown command"))
            assert path.read_bytes() == damaged
        elif "behind the last whole command are dropped" in caplog.text:
            outcomes["cut"] = outcomes.get("cut", 0) + 1
            assert got == sorted(got, reverse=True)
        else:
            outcomes["loaded"] = outcomes.get("loaded", 0) + 1
            assert got.count(False) <= 1 or damaged[: len(SELECT)] != SELECT

    for number in range(60):
        play(scene(number))
    assert outcomes["refused"] > 10
    assert outcomes["loaded"] > 10


@pytest.mark.parametrize("name", ["appendonlydir/appendonly.aof.1.incr.aof", "appendonlydir/appendonly.aof.1.base.rdb", "dump.rdb"])
def test_a_disk_that_cannot_be_read_stops_the_start(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    class Unreadable(FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    class BadDisk(Disk):
        def open_reading(self, path: str) -> FileIO:
            return Unreadable(path, "rb") if path.endswith(name) else super().open_reading(path)

    aof = name != "dump.rdb"

    async def fill() -> None:
        async with running(tmp_path, appendonly=aof) as server:
            Talker(server).send("SET a 1", "SAVE")

    async def start() -> None:
        async with running(tmp_path, BadDisk(), appendonly=aof):
            pass

    play(fill())
    before = whole(tmp_path)
    with pytest.raises(DurabilityError) as caught:
        play(start())
    assert "Input/output error" in f"{caught.value}\n{caplog.text}"
    assert whole(tmp_path) == before


def whole(home: Path) -> dict[Path, bytes]:
    """Every file."""
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
