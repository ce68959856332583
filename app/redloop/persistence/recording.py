"""Recording: a snapshot written to a file while the server goes on; what BGSAVE and BGREWRITEAOF share.

A slice of the snapshot is taken between two turns of the loop, then written by the executor while the loop has its turn: clients never wait
longer than a slice. While they ask for something the slices are shorter, and for at least twice as long as one lasted the loop is theirs:
they have to save the keys that they change before the walk comes there, too. The file is synced as it grows, lest the last sync be a long
one. Naming it what it shall be called is up to whoever wanted it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from redloop.keyspace.database import Keyspace
from redloop.persistence.files import Files, GrowingFile
from redloop.persistence.snapshot import Form, Snapshot

SLICE_NS: Final = 2_000_000
BUSY_SLICE_NS: Final = 1_000_000
REST: Final = 2
"""How many times as long as a slice the loop is the clients' before the next one, while they are busy."""
CHUNK: Final = 256 * 1024
"""Bytes that are worth a call of the executor."""
SYNC_EVERY: Final = 4 * 1024 * 1024


class RecordingCancelledError(Exception):
    """Somebody called `cancel`."""


class Recording:
    """The file at `path`, a temporary one, of the state at the moment `begin` is called.

    `activity` counts what clients do; where it grew since the last slice, they are busy.
    """

    def __init__(self, files: Files, path: str, keyspace: Keyspace, form: Form, activity: Callable[[], int]) -> None:
        self.path = path
        self.size = 0
        self.sync_as_it_grows = True
        self.snapshot = Snapshot(keyspace, form)
        self._form = form
        self._files = files
        self._clock = keyspace.clock
        self._activity = activity
        self._unsynced = 0
        self._cancelled = False

    def begin(self) -> None:
        """This is the state the file will hold."""
        self.snapshot.begin()

    def cancel(self) -> None:
        """Stops `write` at the next slice."""
        self._cancelled = True

    async def write(self, executor: Executor) -> None:
        """Writes, syncs and closes the file. Raises OSError and RecordingCancelledError; the file is gone then."""
        loop = asyncio.get_running_loop()
        file: GrowingFile | None = None
        clock = self._clock
        try:
            file = await loop.run_in_executor(executor, self._files.open_growing, self.path, True)
            seen = self._activity()
            slice_ns = BUSY_SLICE_NS
            more = True
            while more:
                started = clock.monotonic_ns()
                more = self._advance(started + slice_ns)
                data = self._form.flush() if not more or self._form.size >= CHUNK else b""
                ended = clock.monotonic_ns()
                if data:
                    await loop.run_in_executor(executor, self._write, file, data, not more)
                if self._cancelled:
                    raise RecordingCancelledError
                if more:
                    busy = self._activity() != seen
                    slice_ns = BUSY_SLICE_NS if busy else SLICE_NS
                    owed = REST * (ended - started) - (clock.monotonic_ns() - ended) if busy else 0
                    await asyncio.sleep(max(owed, 0) / 1e9)
                    seen = self._activity() if busy else seen
            await loop.run_in_executor(executor, file.close)
            file = None
        finally:
            self.snapshot.cancel()
            if file is not None:
                await loop.run_in_executor(executor, self._discard, file)

    def write_at_once(self) -> None:
        """Writes, syncs and closes the file while everything waits. Raises OSError; the file is gone then."""
        file: GrowingFile | None = None
        try:
            file = self._files.open_growing(self.path, True)
            more = True
            while more:
                more = self._advance(self._clock.monotonic_ns() + SLICE_NS)
                if not more or self._form.size >= CHUNK:
                    self._write(file, self._form.flush(), not more)
            file.close()
            file = None
        finally:
            self.snapshot.cancel()
            if file is not None:
                self._discard(file)

    def _advance(self, deadline_ns: int) -> bool:
        more = self.snapshot.advance(deadline_ns)
        if not more:
            self._form.end()
        return more

    def _write(self, file: GrowingFile, data: bytes, last: bool) -> None:
        view = memoryview(data)
        done = 0
        while done < len(view):
            done += file.write_at(self.size + done, view[done:])
        self.size += done
        self._unsynced += done
        if last or (self.sync_as_it_grows and self._unsynced >= SYNC_EVERY):
            self._unsynced = 0
            file.sync()

    def _discard(self, file: GrowingFile) -> None:
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            self._files.remove(self.path)
