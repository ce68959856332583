"""Reading an RDB file from disk into the keyspace, in slices or at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Final

from redloop.clock import Clock
from redloop.persistence.files import Chunks, Files
from redloop.persistence.rdb.file import BUSY, DONE, FileLoader, RdbError

CHUNK: Final = 1024 * 1024
SLICE_NS: Final = 2_000_000


class RdbFile:
    """One file that is being loaded."""

    def __init__(self, files: Files, path: str, loader: FileLoader, clock: Clock) -> None:
        self.loader = loader
        self.total_bytes = 0
        self.loaded_bytes = 0
        self.started_ns = clock.monotonic_ns()
        self._files = files
        self._path = path
        self._clock = clock

    def seconds_left(self) -> int:
        """How long the rest will take at the pace so far."""
        elapsed = (self._clock.monotonic_ns() - self.started_ns) / 1e9
        return int(elapsed * (self.total_bytes - self.loaded_bytes) / self.loaded_bytes) if self.loaded_bytes else 1

    async def load(self, executor: Executor) -> None:
        """Loads the file while the loop goes on. Raises RdbError and OSError."""
        self.total_bytes = self._files.size(self._path)
        chunks = Chunks(self._files.open_reading(self._path), executor, CHUNK)
        try:
            while chunk := await chunks.next():
                if await feed(self.loader, chunk, self._clock):
                    return
                self.loaded_bytes += len(chunk)
        finally:
            chunks.close()
        raise self.loader.ended_early()

    def load_at_once(self) -> None:
        """Loads the file while everything waits. Raises RdbError and OSError."""
        self.total_bytes = self._files.size(self._path)
        with self._files.open_reading(self._path) as file:
            while chunk := file.read(CHUNK):
                self.loader.feed(chunk)
                while (state := self.loader.advance(self._clock.monotonic_ns() + SLICE_NS)) == BUSY:
                    pass
                if state == DONE:
                    return
                self.loaded_bytes += len(chunk)
        raise self.loader.ended_early()


async def feed(loader: FileLoader, chunk: bytes, clock: Clock) -> bool:
    """Loads what `chunk` brings, with turns of the loop in between; True when the file is at its end. Raises RdbError."""
    loader.feed(chunk)
    state = BUSY
    while state == BUSY:
        state = loader.advance(clock.monotonic_ns() + SLICE_NS)
        await asyncio.sleep(0)
        if loader.cancelled:
            raise RdbError("Received shutdown signal during loading, exiting now.")
    return state == DONE
