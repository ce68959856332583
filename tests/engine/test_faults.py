"""A disk that fails at random: write, sync, rename and removal raise or do half of it; then it recovers. Whatever was answered is there.

Time runs a hundred times as fast for those who wait for another try.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

import redloop.commands  # noqa: F401  # declares the commands
from redloop.clock import ManualClock
from redloop.config import Config
from redloop.engine.durability import Durability
from redloop.engine.features import install
from redloop.engine.server import Server
from redloop.persistence.files import Files, GrowingFile
from tests.engine.test_durability import Talker, wait_until

STEPS = 200
FAULTS = 10  # at least
ERRORS = [errno.EIO, errno.ENOSPC, errno.EDQUOT]


class BadDisk(Files):
    """The operating system's files; while `chance` is above 0, each call may fail."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.chance = 0.0
        self.faults = 0

    def may_fail(self) -> None:
        if self.random.random() < self.chance:
            self.faults += 1
            number = self.random.choice(ERRORS)
            raise OSError(number, os.strerror(number))

    def open_growing(self, path: str, truncate: bool = False) -> GrowingFile:
        self.may_fail()
        return BadFile(self, path, truncate)

    def rename(self, source: str, target: str) -> None:
        self.may_fail()
        super().rename(source, target)

    def remove(self, path: str) -> None:
        self.may_fail()
        super().remove(path)

    def sync_directory(self, path: str) -> None:
        self.may_fail()
        super().sync_directory(path)


class BadFile(GrowingFile):
    """A file on it. A write that fails may have done half before."""

    def __init__(self, disk: BadDisk, path: str, truncate: bool) -> None:
        super().__init__(path, truncate)
        self.disk = disk

    def write_at(self, position: int, data: memoryview) -> int:
        rng = self.disk.random
        if rng.random() < self.disk.chance:
            self.disk.faults += 1
            half = super().write_at(position, data[: rng.randrange(len(data))])
            if rng.random() < 0.5 and half:
                return half
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().write_at(position, data)

    def truncate(self, size: int) -> None:
        self.disk.may_fail()
        super().truncate(size)

    def sync(self) -> None:
        self.disk.may_fail()
        super().sync()


class Hurried:
    """A loop whose timers are a hundred times as fast."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        return self._loop.call_later(delay / 100, callback, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


async def launch(home: Path, disk: Files, policy: str) -> Server:
    config = Config()
    config.dir = str(home)
    config.change([("appendonly", "yes"), ("appendfsync", policy), ("save", "")])
    loop = asyncio.get_running_loop()
    server = Server(config, ManualClock())
    server.later = lambda ms, callback: loop.call_later(ms / 1000, callback)
    install(server)
    server.durability = Durability(server, cast(asyncio.AbstractEventLoop, Hurried(loop)), disk)
    await server.durability.start()
    return server


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_answered_is_there_whatever_failed(tmp_path: Path, policy: str, seed: int) -> None:
    """Under always: what was answered; under the others: what was there when the server was stopped."""
    answered: dict[str, int] = {}

    async def scene() -> None:
        disk = BadDisk(seed)
        server = await launch(tmp_path, disk, policy)
        rng = random.Random(seed)
        talkers = [Talker(server) for _ in range(4)]
        sent = [0] * len(talkers)
        disk.chance = 0.15
        for step in itertools.count():
            if step >= STEPS:
                if disk.faults > FAULTS:
                    break
                disk.chance = 0.5  # a slow disk was asked for little meanwhile
            number = rng.randrange(len(talkers))
            talker = talkers[number]
            if talker.got.endswith(b"\r\n") or not sent[number]:
                if talker.got == b"+OK\r\n":
                    answered[f"key:{number}"] = sent[number]
                talker.got = b""
                sent[number] = step + 1
                talker.send(f"SET key:{number} {step + 1}")
            if step % 20 == 10:
                Talker(server).send("BGREWRITEAOF")
            if step % 20 == 15:
                Talker(server).send("BGSAVE SCHEDULE")
            await asyncio.sleep(0.002)
        disk.chance = 0.0
        await wait_until(lambda: server.durability.aof.error is None)
        await wait_until(lambda: all(talker.got for talker in talkers))
        for number, talker in enumerate(talkers):
            if talker.got == b"+OK\r\n":
                answered[f"key:{number}"] = sent[number]
        assert await server.durability.stop()
        server = await launch(tmp_path, Files(), policy)
        reader = Talker(server)
        for key, value in answered.items():
            text = str(value).encode()
            assert reader.send(f"GET {key}") == b"$%d\r\n%b\r\n" % (len(text), text)
        await server.durability.stop()

    asyncio.run(scene())
    assert answered
