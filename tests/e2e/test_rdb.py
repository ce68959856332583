"""RDB files cross between redloop and a real Redis, in both directions, with every type and encoding; what is in them is the same."""

from __future__ import annotations

import os
import pathlib
import random
import shutil
import signal
import subprocess

import pytest

from tests.compat.servers import PATIENCE, Server, start
from tests.e2e.wire import Wire, wait_while

LATER = 4_102_444_800_000


def word(rng: random.Random) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        return b"%d" % rng.randint(-(10 ** rng.randint(1, 18)), 10 ** rng.randint(1, 18))
    if kind == 1:
        return b"x" * rng.randint(0, 300)
    return rng.randbytes(rng.randint(1, 90))


def commands(seed: int, keys: int) -> list[list[bytes | str]]:
    """Keys of every type, small and large, with and without expiry, in three databases."""
    rng = random.Random(seed)
    lines: list[list[bytes | str]] = []
    for number in range(keys):
        if number % 100 == 0:
            lines.append(["SELECT", str(number // 100 % 3)])
        key = b"key:%d" % number
        size = rng.choice([1, 3, 40, 600])
        kind = number % 7
        if kind == 0:
            lines.append(["SET", key, word(rng)])
        elif kind == 1:
            lines.append(["RPUSH", key, *[word(rng) for _ in range(size)]])
        elif kind == 2:
            lines.append(["SADD", key, *[word(rng) for _ in range(size)]])
        elif kind == 3:
            lines.append(["SADD", key, *[str(rng.randint(-(10**rng.choice([3, 9, 17])), 10**9)) for _ in range(size)]])
        elif kind == 4:
            lines.append(["HSET", key, *[word(rng) for _ in range(2 * size)]])
            if number % 2:
                lines.append(["HSET", key, "f", "v", "g", "w"])
                lines.append(["HPEXPIREAT", key, str(LATER + number), "FIELDS", "1", "f"])
        elif kind == 5:
            score = rng.choice(["inf", "-inf", "0.1", "3", "1e300", str(rng.random())])
            lines.append(["ZADD", key, *[part for _ in range(size) for part in (score, word(rng))]])
        else:
            lines.append(["APPEND", key, word(rng)])
            lines.append(["INCR", b"counter:%d" % (number % 5)])
        if rng.random() < 0.3:
            lines.append(["PEXPIREAT", key, str(LATER + number)])
    return lines


def fill(server: Server, seed: int, keys: int = 700) -> None:
    with Wire(server) as wire:
        for line in commands(seed, keys):
            wire.call(*line)


def digest(server: Server) -> object:
    with Wire(server) as wire:
        return wire.call("DEBUG", "DIGEST")


def check(oracle: str, path: str) -> str:
    run = subprocess.run([os.path.join(oracle, "redis-check-rdb"), path], capture_output=True, text=True, check=False)
    return run.stdout


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("writer", "reader"), [("redloop", "oracle"), ("oracle", "redloop")])
def test_a_saved_file_is_read_by_the_other(oracle: str, tmp_path: pathlib.Path, writer: str, reader: str, seed: int) -> None:
    with start(writer, folder=str(tmp_path)) as server:
        fill(server, seed)
        before = digest(server)
        with Wire(server) as wire:
            wire.call("SAVE" if seed == 1 else "BGSAVE")
            wait_while(wire, "persistence", b"rdb_bgsave_in_progress:1")
    assert "RDB looks OK" in check(oracle, str(tmp_path / "dump.rdb"))
    with start(reader, folder=str(tmp_path)) as server:
        assert digest(server) == before
        assert "DB loaded from disk" in server.tail()


@pytest.mark.parametrize(("writer", "reader"), [("redloop", "oracle"), ("oracle", "redloop")])
def test_a_rewritten_append_only_file_begins_with_a_snapshot(oracle: str, tmp_path: pathlib.Path, writer: str, reader: str) -> None:
    with start(writer, "--appendonly", "yes", folder=str(tmp_path)) as server:
        fill(server, 3, 300)
        with Wire(server) as wire:
            wire.call("BGREWRITEAOF")
            wait_while(wire, "persistence", b"aof_rewrite_in_progress:1")
        fill(server, 4, 100)
        before = digest(server)
    bases = [path.name for path in (tmp_path / "appendonlydir").glob("*.base.rdb")]
    assert len(bases) == 1
    assert "RDB looks OK" in check(oracle, str(tmp_path / "appendonlydir" / bases[0]))
    with start(reader, "--appendonly", "yes", folder=str(tmp_path)) as server:
        assert digest(server) == before
        assert "Reading RDB base file on AOF loading..." in server.tail()


def test_a_signal_saves_what_save_points_keep(kind: str, tmp_path: pathlib.Path) -> None:
    with start(kind, "--save", "3600 1", folder=str(tmp_path)) as server:
        fill(server, 5, 100)
        before = digest(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert "Saving the final RDB snapshot before exiting." in server.tail()
        assert "DB saved on disk" in server.tail()
    with start(kind, folder=str(tmp_path)) as server:
        assert digest(server) == before


def test_shutdown_nosave_saves_nothing(kind: str, tmp_path: pathlib.Path) -> None:
    with start(kind, "--save", "3600 1", folder=str(tmp_path)) as server:
        with Wire(server) as wire:
            wire.call("SET", "a", "1")
            wire.send("SHUTDOWN", "NOSAVE")
        assert server.process.wait(PATIENCE) == 0
    assert not (tmp_path / "dump.rdb").exists()


def test_a_damaged_file_is_never_loaded_wrongly(kind: str, oracle: str, tmp_path: pathlib.Path) -> None:
    """Flipped bytes are refused by the checksum, if not before; a cut file is refused."""
    home = tmp_path / "home"
    home.mkdir()
    with start("oracle", folder=str(home)) as server:
        fill(server, 6, 60)
        with Wire(server) as wire:
            wire.call("SAVE")
    raw = (home / "dump.rdb").read_bytes()
    rng = random.Random(1)
    for attempt in range(6):
        damaged = bytearray(raw)
        if attempt % 2:
            damaged[rng.randrange(9, len(raw))] ^= 1 << rng.randrange(8)
        else:
            del damaged[rng.randrange(1, len(raw)) :]
        (home / "dump.rdb").write_bytes(damaged)
        with pytest.raises(RuntimeError):
            start(kind, folder=str(home)).stop()
    shutil.rmtree(home)
