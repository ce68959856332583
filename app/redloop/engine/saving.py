"""Saving: what binds the server to its RDB file - SAVE, BGSAVE, save points, loading at the start, saving at the end.

There is no fork: BGSAVE records a snapshot while the server goes on (persistence/recording.py). The file is written beside its place,
synced and renamed. While background saves fail and there are save points, writes are refused with -MISCONF (stop-writes-on-bgsave-error).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import WRITE, Command
from redloop.engine.server import REDIS_VERSION, Server
from redloop.errors import BGSAVE_DURING_REWRITE, BGSAVE_IN_PROGRESS, MISCONF_SNAPSHOT, RedisError
from redloop.logs import NOTICE
from redloop.persistence.files import Files
from redloop.persistence.rdb.file import FileLoader, RdbError
from redloop.persistence.rdb.form import RdbForm
from redloop.persistence.rdb_file import RdbFile
from redloop.persistence.recording import Recording, RecordingCancelledError

log = logging.getLogger("redloop.rdb")

RETRY_MS: Final = 5000
"""How long after a failure save points wait."""


class LoadingError(Exception):
    """The file cannot be loaded; the text says why."""


def _no_rewrite() -> bool:
    return False


def _forget(_replace: bool, _code: bytes) -> None:
    return None


def _nothing() -> None:
    return None


class Saving:
    """The RDB file of one server."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, files: Files, executor: Executor) -> None:
        self.server = server
        self.files = files
        self.rewriting: Callable[[], bool] = _no_rewrite  # whether the append-only file is being rewritten
        self.recording: Recording | None = None
        self.loading: RdbFile | None = None
        self.scheduled = False
        self.asked_only = False  # save points count for nothing: what was loaded is of an earlier moment
        self.libraries: Callable[[], list[bytes]] = list  # the sources of functions
        self.take_library: Callable[[bool, bytes], None] = _forget  # one that was loaded, in place of another or not; raises RdbError
        self.drop_libraries: Callable[[], None] = _nothing
        self._loop = loop
        self._executor = executor
        self._task: asyncio.Task[None] | None = None
        self._tried_ms = 0
        self._failed = False

        # For INFO.
        self.last_save_seconds = server.clock.now_ms() // 1000
        self.saves = 0
        self.started_ns = 0
        self.took_seconds = -1
        self.keys_loaded = 0
        self.keys_expired = 0

        server.config.on_change("save", self._set_guard)
        server.config.on_change("stop-writes-on-bgsave-error", self._set_guard)

    # --- files -------------------------------------------------------------------------------------------------------------------

    def path(self) -> str:
        """Where the file is."""
        return os.path.join(self.server.config.dir, self.server.config.dbfilename)

    def form(self, base: bool) -> RdbForm:
        """How a file is written; `base`: one that begins an append-only file."""
        server = self.server
        facts = [
            (b"redis-ver", REDIS_VERSION.encode()),
            (b"redis-bits", b"64"),
            (b"ctime", b"%d" % (server.clock.now_ms() // 1000)),
            (b"used-mem", b"%d" % server.memory.now()),
            (b"aof-base", b"1" if base else b"0"),
        ]
        return RdbForm(server.config, server.keyspace, facts, self.libraries())

    def empty_base(self) -> bytes:
        """The base of an append-only file that begins with nothing."""
        form = self.form(base=True)
        form.writer.begin_file(form.facts)
        form.end()
        return form.flush()

    def _record(self, suffix: str) -> Recording:
        path = os.path.join(self.server.config.dir, f"temp-{os.getpid()}{suffix}.rdb")
        recording = Recording(self.files, path, self.server.keyspace, self.form(base=False), self.server.activity)
        recording.sync_as_it_grows = self.server.config.rdb_save_incremental_fsync
        return recording

    def _put_in_place(self, temporary: str) -> None:
        directory = self.server.config.dir
        try:
            self.files.rename(temporary, self.path())
            self.files.sync_directory(directory)
        except OSError as error:
            log.warning(
                "Error moving temp DB file %s on the final destination %s (in server root dir %s): %s",
                os.path.basename(temporary),
                self.server.config.dbfilename,
                directory,
                error.strerror,
            )
            with contextlib.suppress(OSError):
                self.files.remove(temporary)
            raise

    # --- saving ------------------------------------------------------------------------------------------------------------------

    def save(self) -> bool:
        """SAVE: writes the file while everything waits; False if that failed, which is in the log."""
        recording = self._record("")
        try:
            recording.begin()
            recording.write_at_once()
        except OSError as error:
            self._complain(recording, error)
            return False
        try:
            self._put_in_place(recording.path)
        except OSError:
            return False
        self._saved(self.server.keyspace.dirty)
        return True

    def save_in_background(self, schedule: bool) -> bool:
        """BGSAVE: begins to save; False if it is to begin later, after a transaction or a rewrite. Raises RedisError."""
        if self.recording is not None:
            raise RedisError(BGSAVE_IN_PROGRESS)
        if self.rewriting() and not schedule:
            raise RedisError(BGSAVE_DURING_REWRITE)
        if self.rewriting() or self.server.effects.depth:
            self.scheduled = True
            return False
        self._begin()
        return True

    def check(self) -> None:
        """Begins what save points or BGSAVE SCHEDULE ask for; called by a timer."""
        if self.recording is not None or self.loading is not None or self.rewriting():
            return
        now_ms = self.server.clock.now_ms()
        if self._failed and now_ms - self._tried_ms < RETRY_MS:
            return
        dirty = self.server.keyspace.dirty
        for seconds, changes in self._points():
            if dirty >= changes and now_ms // 1000 - self.last_save_seconds > seconds:
                log.log(NOTICE, "%d changes in %d seconds. Saving...", changes, seconds)
                self._begin()
                return
        if self.scheduled:
            self._begin()

    def cancel(self) -> None:
        """Stops saving in the background."""
        if self.recording is not None:
            self.recording.cancel()

    def _points(self) -> list[tuple[int, int]]:
        return [] if self.asked_only else self.server.config.save

    def save_finally(self, wanted: bool | None) -> bool:
        """Before the end: saves if that is wanted, or else if there are save points; False if that failed."""
        self.cancel()
        if self.loading is not None or wanted is False or (wanted is None and not self._points()):
            return True
        log.log(NOTICE, "Saving the final RDB snapshot before exiting.")
        if self.save():
            return True
        log.warning("Error trying to save the DB, can't exit.")
        return False

    def flushed(self) -> None:
        """FLUSHALL: a save in the background is pointless, and what save points keep is to be empty too."""
        self.cancel()
        if self._points() and self.loading is None:
            dirty = self.server.keyspace.dirty
            self.save()
            self.server.keyspace.dirty = dirty

    async def stop(self) -> None:
        """Waits for the end of what was cancelled."""
        self.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _begin(self) -> None:
        self.scheduled = False
        self.recording = self._record("-bg")
        self._tried_ms = self.server.clock.now_ms()
        self.started_ns = self.server.clock.monotonic_ns()
        self.recording.begin()
        log.log(NOTICE, "Background saving started")
        self._task = self._loop.create_task(self._save(self.recording, self.server.keyspace.dirty))

    async def _save(self, recording: Recording, dirty: int) -> None:
        failed = True
        try:
            await recording.write(self._executor)
            await self._loop.run_in_executor(self._executor, self._put_in_place, recording.path)
            failed = False
        except RecordingCancelledError:
            log.log(NOTICE, "Background saving cancelled")
            failed = self._failed
        except OSError as error:
            if recording.size == 0 or not recording.snapshot.finished:
                self._complain(recording, error)
            log.warning("Background saving error")
        else:
            self._saved(dirty)
            log.log(NOTICE, "Background saving terminated with success")
        self._failed = failed
        self.took_seconds = (self.server.clock.monotonic_ns() - self.started_ns) // 1_000_000_000
        self.recording = None
        self._task = None
        self._set_guard()

    def _saved(self, dirty: int) -> None:
        log.log(NOTICE, "DB saved on disk")
        self.server.keyspace.dirty -= dirty
        self.last_save_seconds = self.server.clock.now_ms() // 1000
        self.saves += 1
        self._failed = False
        self._set_guard()

    def _complain(self, recording: Recording, error: OSError) -> None:
        name = os.path.basename(recording.path)
        if recording.size:
            log.warning("Write error while saving DB to the disk(%s): %s", name, error.strerror)
        else:
            log.warning(
                "Failed opening the temp RDB file %s (in server root dir %s) for saving: %s", name, self.server.config.dir, error.strerror
            )

    def _set_guard(self) -> None:
        config = self.server.config
        if self._failed and config.save and config.stop_writes_on_bgsave_error:
            self.server.add_guard(refuse_writes, inner=True)
        else:
            self.server.remove_guard(refuse_writes)

    # --- loading -----------------------------------------------------------------------------------------------------------------

    def wanted(self) -> bool:
        """Whether there is a file to load."""
        return bool(self.server.config.dbfilename) and self.files.is_file(self.path())

    def loader(self, preamble: bool, merge: bool = False) -> FileLoader:
        """What loads a file; `preamble`: one that begins an append-only file."""
        loader = FileLoader(self.server.keyspace, self.server.config, preamble, partial(self.take_library, merge))
        loader.merge = merge
        return loader

    async def load(self) -> None:
        """Loads the file, if there is one, while the loop goes on. Raises LoadingError."""
        if not self.wanted():
            return
        server = self.server
        loader = self.loader(preamble=False)
        self.loading = RdbFile(self.files, self.path(), loader, server.clock)
        server.keyspace.expiring = False
        try:
            await self.loading.load(self._executor)
            elapsed_s = (server.clock.monotonic_ns() - self.loading.started_ns) / 1e9
            log.log(NOTICE, "DB loaded from disk: %.3f seconds", elapsed_s)
        except (RdbError, OSError) as error:
            raise LoadingError(self._explain(loader, error)) from None
        finally:
            self.loading = None
            server.keyspace.expiring = True
            server.clock.refresh()
        self._note(loader)

    def reload(self, save: bool, flush: bool, merge: bool) -> bool:
        """DEBUG RELOAD: saves, empties the keyspace, loads, while everything waits; False if it failed, which is in the log."""
        if save and not self.save():
            return False
        keyspace = self.server.keyspace
        if flush:
            for database in keyspace.databases:
                database.clear()
            self.drop_libraries()
        loader = self.loader(preamble=False, merge=merge)
        try:
            RdbFile(self.files, self.path(), loader, self.server.clock).load_at_once()
        except (RdbError, OSError) as error:
            log.warning("%s", self._explain(loader, error))
            return False
        self._note(loader)
        return True

    def _note(self, loader: FileLoader) -> None:
        self.keys_loaded = loader.loaded
        self.keys_expired = loader.expired

    def _explain(self, loader: FileLoader, error: Exception) -> str:
        if isinstance(error, OSError):
            log.warning("Fatal error: can't open the RDB file %s for reading: %s", self.path(), error.strerror)
            return "Fatal error loading the DB, check server logs. Exiting."
        if loader.reader.starved:
            log.warning("Short read or OOM loading DB. Unrecoverable error, aborting now.")
        return str(error)

    # --- INFO --------------------------------------------------------------------------------------------------------------------

    def figures(self) -> list[tuple[str, object]]:
        """The fields of INFO persistence that are about snapshots."""
        running_s = -1 if self.recording is None else (self.server.clock.monotonic_ns() - self.started_ns) // 1_000_000_000
        return [
            ("rdb_changes_since_last_save", self.server.keyspace.dirty),
            ("rdb_bgsave_in_progress", int(self.recording is not None)),
            ("rdb_last_save_time", self.last_save_seconds),
            ("rdb_last_bgsave_status", "err" if self._failed else "ok"),
            ("rdb_last_bgsave_time_sec", self.took_seconds),
            ("rdb_current_bgsave_time_sec", running_s),
            ("rdb_saves", self.saves),
            ("rdb_last_cow_size", 0),
            ("rdb_last_load_keys_expired", self.keys_expired),
            ("rdb_last_load_keys_loaded", self.keys_loaded),
        ]


def refuse_writes(client: Client, command: Command, argv: list[bytes]) -> object:
    """The guard that stands while snapshots fail."""
    if command.flags & WRITE or command.name == "ping":
        raise RedisError(MISCONF_SNAPSHOT)
    return None
