"""Snapshots of a server: saved at once, in the background, by save points and at the end; loaded at the start; and what fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

import redloop.commands  # noqa: F401  # declares them
from redloop.clock import ManualClock
from redloop.config import Config
from redloop.engine.durability import Durability, DurabilityError
from redloop.engine.features import install
from redloop.engine.saving import Saving
from redloop.engine.server import Server
from redloop.errors import MISCONF_SNAPSHOT
from tests.compat.servers import PATIENCE
from tests.engine.test_durability import Disk, Talker, wait_until


@contextlib.asynccontextmanager
async def running(home: Path, disk: Disk | None = None, **settings: object) -> AsyncIterator[Server]:
    config = Config()
    config.dir = str(home)
    config.save = []
    for name, value in settings.items():
        setattr(config, name, value)
    server = Server(config, ManualClock())
    install(server)
    server.durability = Durability(server, asyncio.get_running_loop(), disk)
    await server.durability.start()
    try:
        yield server
    finally:
        await server.durability.stop()


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def saving_of(server: Server) -> Saving:
    saving: Saving = server.durability.saving
    return saving


def figures(server: Server) -> dict[str, object]:
    return dict(server.durability.figures())


def busy(server: Server) -> bool:
    return saving_of(server).recording is not None


async def saved(server: Server) -> None:
    await wait_until(lambda: not busy(server))


FILL = [
    "SET string value",
    "RPUSH list a b c",
    "SADD set 1 2 3",
    "HSET hash f v",
    "ZADD zset 1.5 m",
    "SELECT 3",
    "SET volatile x PX 100000",
    "SELECT 0",
]
ASK = ["SELECT 0", "GET string", "LRANGE list 0 -1", "SMEMBERS set", "HGETALL hash", "ZRANGE zset 0 -1 WITHSCORES"]
ASK += ["SELECT 3", "PTTL volatile"]


@pytest.mark.parametrize("how", ["SAVE", "BGSAVE"])
def test_what_was_saved_is_loaded(tmp_path: Path, how: str) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            talker = Talker(server)
            talker.send(*FILL)
            state = talker.send(*ASK)
            talker.send("SELECT 0")
            assert figures(server)["rdb_changes_since_last_save"] != 0
            assert talker.send(how) == (b"+OK\r\n" if how == "SAVE" else b"+Background saving started\r\n")
            await saved(server)
            assert figures(server)["rdb_changes_since_last_save"] == 0
            assert figures(server)["rdb_saves"] == 1
        async with running(tmp_path) as server:
            assert Talker(server).send(*ASK) == state
            assert (figures(server)["rdb_last_load_keys_loaded"], figures(server)["loading"]) == (6, 0)
            assert server.keyspace.dirty == 0

    play(scene())
    assert os.listdir(tmp_path) == ["dump.rdb"]


def test_a_background_save_holds_its_beginning_whatever_comes(tmp_path: Path) -> None:
    async def scene() -> None:
        disk = Disk()
        opened = threading.Event()
        disk.gate = lambda: opened.wait(PATIENCE)
        async with running(tmp_path, disk) as server:
            talker = Talker(server)
            talker.send(*[f"SET n:{number} {number}" for number in range(3000)])
            talker.send("RPUSH long " + " ".join(map(str, range(3000))), "SADD big " + " ".join(f"m{number}" for number in range(3000)))
            asks = [*[f"GET n:{number}" for number in range(0, 3000, 7)], "LRANGE long 0 -1", "SCARD big", "DBSIZE"]
            state = talker.send(*asks)
            assert talker.send("BGSAVE", "BGSAVE", "SAVE", "BGREWRITEAOF") == (
                b"+Background saving started\r\n" + b"-ERR Background save already in progress\r\n" * 2
                + b"+Background append only file rewriting scheduled\r\n"
            )
            server.durability.rewrite_scheduled = False
            rounds = 0
            while busy(server):
                talker.send(*[f"INCR n:{number}" for number in range(rounds % 7, 3000, 7)], "LPOP long", "SREM big m5", f"SET x{rounds} 1")
                talker.send(f"DEL n:{rounds}", f"RENAME n:{rounds + 100} y{rounds}")
                if rounds == 5:
                    talker.send("SWAPDB 0 1")
                if rounds == 50:
                    talker.send("FLUSHDB")
                if rounds == 60:
                    opened.set()
                rounds += 1
                await asyncio.sleep(0 if rounds <= 60 else 0.001)  # a loop that never rests keeps the interpreter's lock from the executor
            assert rounds > 60
            changes = figures(server)["rdb_changes_since_last_save"]
            assert isinstance(changes, int)
            assert changes > rounds
        async with running(tmp_path) as server:
            assert Talker(server).send(*asks) == state

    play(scene())


def test_save_points(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, save=[(60, 3)]) as server:
            talker, saving = Talker(server), saving_of(server)
            talker.send("SET a 1", "SET b 2")
            server.clock.advance(61_000)  # type: ignore[attr-defined]
            saving.check()
            assert not busy(server)
            talker.send("SET c 3")
            saving.check()
            assert busy(server)
            await saved(server)
            talker.send("SET c 3", "SET c 3", "SET c 3")
            saving.check()
            assert not busy(server)  # the last one is not 60 seconds past

    play(scene())
    assert (tmp_path / "dump.rdb").exists()


def test_a_scheduled_save_waits_for_the_rewrite(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            talker, saving = Talker(server), saving_of(server)
            talker.send("SET a 1")
            assert talker.send("BGREWRITEAOF").startswith(b"+Background")
            assert talker.send("BGSAVE").startswith(b"-ERR Another child process is active (AOF?)")
            assert talker.send("BGSAVE SCHEDULE", "BGSAVE x", "BGSAVE SCHEDULE x") == (
                b"+Background saving scheduled\r\n" + b"-ERR syntax error\r\n" * 2
            )
            saving.check()
            assert not busy(server)
            await wait_until(lambda: not server.durability.rewriting())
            saving.check()
            assert busy(server)
            await saved(server)
            saving.check()
            assert not busy(server)

    play(scene())


def test_in_a_transaction_a_save_begins_behind_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            saving = saving_of(server)
            assert Talker(server).send("MULTI", "SET a 1", "BGSAVE", "SET a 2", "EXEC").endswith(b"+Background saving scheduled\r\n+OK\r\n")
            assert not busy(server)
            saving.check()
            await saved(server)
        async with running(tmp_path) as server:
            assert Talker(server).send("GET a") == b"$1\r\n2\r\n"

    play(scene())


def test_failures_refuse_writes_until_one_succeeds(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, save=[(60, 1)]) as server:
            talker, saving = Talker(server), saving_of(server)
            talker.send("SET a 1")
            (tmp_path / "dump.rdb").mkdir()
            assert talker.send("SAVE") == b"-ERR\r\n"
            assert talker.send("SET a 2") == b"+OK\r\n"  # SAVE tells who asked
            talker.send("BGSAVE")
            await saved(server)
            assert figures(server)["rdb_last_bgsave_status"] == "err"
            refused = f"-{MISCONF_SNAPSHOT}\r\n".encode()
            assert talker.send("SET a 3", "PING", "GET a") == refused * 2 + b"$1\r\n2\r\n"
            server.config.change([("stop-writes-on-bgsave-error", "no")])
            assert talker.send("SET a 3") == b"+OK\r\n"
            server.config.change([("stop-writes-on-bgsave-error", "yes")])
            assert talker.send("SET a 4") == refused
            server.clock.advance(61_000)  # type: ignore[attr-defined]
            (tmp_path / "dump.rdb").rmdir()
            saving.check()
            await saved(server)
            assert talker.send("SET a 4") == b"+OK\r\n"
            assert figures(server)["rdb_last_bgsave_status"] == "ok"
        assert sorted(os.listdir(tmp_path)) == ["dump.rdb"]

    play(scene())


def test_flushall_cancels_and_leaves_an_empty_file(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, save=[(60, 1000)]) as server:
            talker = Talker(server)
            talker.send(*[f"SET n:{number} {number}" for number in range(3000)], "BGSAVE")
            assert talker.send("FLUSHALL") == b"+OK\r\n"
            await saved(server)
            assert (tmp_path / "dump.rdb").stat().st_size < 120
            assert figures(server)["rdb_last_bgsave_status"] == "ok"
            assert server.keyspace.savers == ()

    play(scene())


@pytest.mark.parametrize(
    ("points", "wanted", "there"), [([], None, False), ([(60, 1)], None, True), ([], True, True), ([(60, 1)], False, False)]
)
def test_the_last_snapshot(tmp_path: Path, points: list[tuple[int, int]], wanted: bool | None, there: bool) -> None:
    async def scene() -> None:
        async with running(tmp_path, save=points) as server:
            Talker(server).send("SET a 1")
            assert server.durability.save_finally(wanted)

    play(scene())
    assert (tmp_path / "dump.rdb").exists() == there


def test_a_last_snapshot_that_fails_keeps_the_server_up(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, save=[(60, 1)]) as server:
            talker = Talker(server)
            talker.send("SET a 1")
            (tmp_path / "dump.rdb").mkdir()
            assert not server.durability.save_finally(None)
            assert talker.send("SET a 2") == b"+OK\r\n"

    play(scene())


def test_a_file_that_is_wrong_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(text: str) -> None:
        with pytest.raises(DurabilityError, match=text):
            async with running(tmp_path):
                pass

    wrong = [(b"REDIS0012\xfe\x00\x00\x01a", "Unexpected EOF"), (b"nonsense!", "Wrong signature"), (b"REDIS0099\xff", "version 99")]
    for raw, text in wrong:
        (tmp_path / "dump.rdb").write_bytes(raw)
        play(scene(text))
    assert "Short read or OOM loading DB. Unrecoverable error, aborting now." in caplog.text


def test_reload(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            talker, saving = Talker(server), saving_of(server)
            talker.send(*FILL)
            state = talker.send(*ASK)
            assert saving.reload(save=True, flush=True, merge=False)
            assert talker.send(*ASK) == state
            talker.send("SELECT 0", "SET string other", "SET new 1")
            assert not saving.reload(save=False, flush=False, merge=False)  # a key is there already
            assert saving.reload(save=False, flush=False, merge=True)
            assert talker.send("GET string", "GET new") == b"$5\r\nvalue\r\n$1\r\n1\r\n"

    play(scene())


def test_libraries_of_functions_are_asked_for_and_handed_on(tmp_path: Path) -> None:
    taken: list[tuple[bool, bytes]] = []

    async def scene() -> None:
        async with running(tmp_path) as server:
            saving = saving_of(server)
            saving.libraries = lambda: [b"#!lua name=lib\n"]
            saving.take_library = lambda replace, code: taken.append((replace, code))
            saving.drop_libraries = taken.clear
            assert saving.reload(save=True, flush=False, merge=True)
            assert taken == [(True, b"#!lua name=lib\n")]
            assert saving.reload(save=False, flush=True, merge=False)
            assert taken == [(False, b"#!lua name=lib\n")]

    play(scene())
    assert b"\xf5\x0f#!lua name=lib\n" in (tmp_path / "dump.rdb").read_bytes()


def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path) -> None:
    async def scene() -> None:
        disk = Disk()
        async with running(tmp_path, disk) as server:
            talker = Talker(server)
            talker.send("SET a 1", "SAVE")
            before = (tmp_path / "dump.rdb").read_bytes()
            disk.fail_write = 28
            talker.send("SET a 2")
            assert talker.send("SAVE") == b"-ERR\r\n"
            talker.send("BGSAVE")
            await saved(server)
            assert figures(server)["rdb_last_bgsave_status"] == "err"
            assert (tmp_path / "dump.rdb").read_bytes() == before
            assert os.listdir(tmp_path) == ["dump.rdb"]
            disk.fail_write = 0
            assert talker.send("SAVE") == b"+OK\r\n"

    play(scene())
