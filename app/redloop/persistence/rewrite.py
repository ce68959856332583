"""Rewriting: a new base for the append-only file, written from a snapshot while the server goes on.

A slice of the snapshot is taken between two turns of the loop, then written by the executor while the loop has its turn: clients never wait
longer than a slice. The file is synced as it grows, lest the last sync be a long one. What surrounds this - the increment that is begun at
the moment of the snapshot, the manifest that makes the base count - is `AofDirectory`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import Executor
from typing import Final

from redloop.keyspace.database import Keyspace
from redloop.logs import NOTICE
from redloop.persistence.as_commands import key_as_commands
from redloop.persistence.directory import AofDirectory
from redloop.persistence.files import GrowingFile
from redloop.persistence.snapshot import Snapshot
from redloop.resp.encode import encode_command

log = logging.getLogger("redloop.aof")

SLICE_NS: Final = 2_000_000
SYNC_EVERY: Final = 4 * 1024 * 1024


class RewriteCancelledError(Exception):
    """Somebody called `cancel`."""


class Rewrite:
    """The base file `name`, a temporary one, of the state at the moment `begin` is called."""

    def __init__(self, directory: AofDirectory, keyspace: Keyspace, executor: Executor, name: str) -> None:
        self.name = name
        self.size = 0
        self.timestamp = False  # begin with an annotation (aof-timestamp-enabled)
        self.sync_as_it_grows = True  # aof-rewrite-incremental-fsync
        self.snapshot = Snapshot(keyspace, self._take)
        self._directory = directory
        self._clock = keyspace.clock
        self._executor = executor
        self._chunks: list[bytes] = []
        self._database = -1
        self._cancelled = False

    def begin(self) -> None:
        """This is the state the base will hold."""
        self.snapshot.begin()
        if self.timestamp:
            self._chunks.append(b"#TS:%d\r\n" % (self._clock.now_ms() // 1000))

    def cancel(self) -> None:
        """Stops `write` at the next slice."""
        self._cancelled = True

    async def write(self) -> None:
        """Writes and syncs the file. Raises OSError and RewriteCancelledError; the file is gone then."""
        loop = asyncio.get_running_loop()
        path = self._directory.path(self.name)
        file: GrowingFile | None = None
        try:
            file = await loop.run_in_executor(self._executor, self._directory.files.open_growing, path, True)
            unsynced = 0
            more = True
            while more:
                more = self.snapshot.advance(self._clock.monotonic_ns() + SLICE_NS)
                data = b"".join(self._chunks)
                self._chunks.clear()
                unsynced += len(data)
                sync = not more or (self.sync_as_it_grows and unsynced >= SYNC_EVERY)
                await loop.run_in_executor(self._executor, self._write, file, data, sync)
                unsynced = 0 if sync else unsynced
                if self._cancelled:
                    raise RewriteCancelledError
            log.log(NOTICE, "Successfully created the temporary AOF base file %s", self.name)
            await loop.run_in_executor(self._executor, file.close)
            file = None
        finally:
            self.snapshot.cancel()
            if file is not None:
                await loop.run_in_executor(self._executor, self._discard, file, path)

    def _take(self, database: int, key: bytes, value: object, due: int) -> None:
        if database != self._database:
            self._database = database
            self._chunks.append(encode_command([b"SELECT", b"%d" % database]))
        self._chunks.append(key_as_commands(key, value, due))

    def _write(self, file: GrowingFile, data: bytes, sync: bool) -> None:
        view = memoryview(data)
        done = 0
        while done < len(view):
            done += file.write_at(self.size + done, view[done:])
        self.size += done
        if sync:
            file.sync()

    def _discard(self, file: GrowingFile, path: str) -> None:
        with contextlib.suppress(OSError):
            file.close()
            self._directory.files.remove(path)
