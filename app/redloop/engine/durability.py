"""Durability: what binds the server to its append-only file.

At the start it replays the files, while clients are told -LOADING; then the file becomes a sink of every effect. With appendfsync always it
is also the barrier behind which replies wait. Its states become guards: a disk that fails refuses writes with -MISCONF until it succeeds, a
disk that does not keep up makes those who write wait. CONFIG SET turns it on and off, and changes its policy, while the server runs;
BGREWRITEAOF, or growth, has it rewritten.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from redloop.config import ConfigError
from redloop.engine.client import PARKED_DISK, Client
from redloop.engine.command import LOADING, WRITE, Command
from redloop.engine.peer import Peer
from redloop.engine.saving import LoadingError, Saving
from redloop.engine.server import Server
from redloop.errors import LOADING as LOADING_TEXT
from redloop.errors import RedisError, misconf_aof, wrong_arity
from redloop.logs import NOTICE
from redloop.persistence.aof import ALWAYS, AppendOnlyFile, Job
from redloop.persistence.as_commands import CommandForm
from redloop.persistence.directory import AofDirectory
from redloop.persistence.files import Files
from redloop.persistence.loading import NO_END, Loader, LoadError, UnknownCommandError, parse_moment
from redloop.persistence.manifest import ManifestError
from redloop.persistence.rdb.file import FileLoader
from redloop.persistence.recording import Recording, RecordingCancelledError
from redloop.resp.replies import NOTHING

log = logging.getLogger("redloop.durability")

MOST_COMPLAINTS: Final = 100
PATIENT_FAILURES: Final = 3

T = TypeVar("T")


class DurabilityError(Exception):
    """The data cannot be loaded, or no file to keep them in can be had; the text says why."""


class Durability:
    """The append-only file of one server.

    It is `enabled` while effects are kept; that follows `appendonly` as soon as what is under way has ended.
    """

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, files: Files | None = None) -> None:
        config = server.config
        self.server = server
        self.files = files if files is not None else Files()
        self.executor = ThreadPoolExecutor(2, "redloop-aof")  # the increment: one writes, one may sync
        self.worker = ThreadPoolExecutor(1, "redloop-rewrite")  # all other files
        self.directory = AofDirectory(self.files, config.dir, config.appenddirname, config.appendfilename)
        self.aof = AppendOnlyFile(loop, server.clock, self.executor, config.appendfsync)
        self.aof.timestamps = config.aof_timestamp_enabled
        self.aof.on_change = self._follow_state
        self.aof.on_job = self._note_times
        self.saving = Saving(server, loop, self.files, self.worker)
        self.saving.rewriting = self.rewriting
        self.loader: Loader | None = None
        self.rewrite: Recording | None = None
        self.rewrite_scheduled = False
        self.rewrite_as_rdb = False
        self.enabled = False
        self._loop = loop
        self._task: asyncio.Task[None] | None = None  # a rewrite, or a turn on or off
        self._waiting: list[Client] = []
        self._stopping = False
        self.fixed = False  # loaded as of an earlier moment: the files must not change
        self._loaded = asyncio.Event()
        self._loaded.set()

        # For INFO.
        self.loading_started_seconds = 0
        self.base_size = 0  # of all files when they were last loaded or rewritten
        self.older_size = 0  # of all files but the one that grows
        self.rewrites = 0
        self.rewrite_failures = 0  # without a success since
        self.rewrite_started_ns = 0
        self.rewrite_seconds = -1  # that the last one took

        config.on_change("appendonly", self._follow_appendonly)
        config.on_change("appendfsync", self._follow_policy)
        config.on_change("aof-timestamp-enabled", self._follow_policy)

    # --- from start to stop ------------------------------------------------------------------------------------------------------

    def expect(self) -> None:
        """Tells clients -LOADING from now on, if there is a file to load: sockets open before `start` gets to it."""
        config = self.server.config
        if config.appendonly or config.aof_load_until or self.saving.wanted():
            self.server.add_guard(refuse_while_loading)

    async def start(self) -> None:
        """Loads the data and opens the file, if there is to be one. Raises DurabilityError."""
        self.expect()
        config = self.server.config
        if not config.appendonly and not config.aof_load_until:
            await self._load_snapshot()
            return
        try:
            if config.aof_load_until:
                await self._load_until(config.aof_load_until)
            else:
                await self._start()
        except ManifestError as error:
            for line in error.lines[:-1]:
                log.warning("%s", line)
            raise self._give_up(error.lines[-1]) from None
        except LoadError as error:
            raise self._give_up(str(error)) from None
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise self._give_up(f"{error.strerror}{where}") from None

    async def _load_snapshot(self) -> None:
        self._loaded.clear()
        self.loading_started_seconds = self.server.clock.now_ms() // 1000
        try:
            await self.saving.load()
        except LoadingError as error:
            raise DurabilityError(str(error)) from None
        finally:
            self._loaded.set()
        self.server.remove_guard(refuse_while_loading)

    def _give_up(self, text: str) -> DurabilityError:
        self.directory.release()
        return DurabilityError(text)

    async def _start(self) -> None:
        self.directory.claim()
        self.directory.read_manifest()
        await self._load()
        self.server.clock.refresh()
        self.aof.events = self._replication_offset()
        base = self.saving.empty_base() if self.server.config.aof_use_rdb_preamble else b""
        file, name, size = self.directory.open_last(self.aof.events, base)
        self.base_size = self.directory.size()
        self.older_size = self.base_size - size
        self.aof.open(file, name, size)
        if not self.server.config.aof_disable_auto_gc:
            self.directory.delete_history()
        self._attach()

    async def _load_until(self, text: str) -> None:
        """Loads what was at a moment. The files stay as they are: nothing is appended or rewritten, a snapshot is saved only by SAVE."""
        try:
            moment = parse_moment(text)
        except (ValueError, OverflowError):
            raise LoadError(f"aof-load-until: '{text}' is neither a unix time nor a time as ISO 8601 writes it") from None
        self.fixed = True
        self.saving.asked_only = True
        self.directory.look()
        await self._load(moment)
        self.server.clock.refresh()
        log.warning("Loaded as of %s: the files stay as they are, and changes from here on are in none of them", text)

    async def _load(self, until: int = NO_END) -> None:
        server = self.server
        replay = Replay(server)
        truncated = server.config.aof_load_truncated
        self.loader = Loader(self.directory, replay.apply, server.clock, self.executor, truncated, self._new_preamble)
        self.loader.check = replay.find
        self.loader.until = until
        self._loaded.clear()
        self.loading_started_seconds = server.clock.now_ms() // 1000
        server.keyspace.expiring = False
        try:
            await self.loader.run()
        finally:
            replay.end()
            self.loader = None
            self._loaded.set()
            server.keyspace.expiring = True
        server.remove_guard(refuse_while_loading)

    def _new_preamble(self) -> FileLoader:
        return self.saving.loader(preamble=True)

    def _replication_offset(self) -> int:
        """Where the last increment ends, as far as its manifest says so."""
        last = self.directory.manifest.increments[-1:]
        if not last or last[0].start_offset < 0:
            return 0
        if last[0].end_offset >= 0:
            return last[0].end_offset
        return last[0].start_offset + self.files.size(self.directory.path(last[0].name))

    def save_finally(self, wanted: bool | None) -> bool:
        """Before the end: saves a snapshot if that is `wanted`, or as configured (None); False if it failed. Nothing may change then."""
        if not self.saving.save_finally(wanted):
            return False
        self.server.add_guard(self._hold_everyone)
        return True

    def flushed(self) -> None:
        """FLUSHALL has emptied everything."""
        if self.loader is None:
            self.saving.flushed()

    async def stop(self) -> bool:
        """Brings everything to disk and closes the file; False if the disk would not have it."""
        error: OSError | None = None
        self._stopping = True
        self.server.add_guard(self._hold_everyone)
        if self.loader is not None:
            self.loader.cancel()
        if self.saving.loading is not None:
            self.saving.loading.loader.cancelled = True
        await self._loaded.wait()
        await self.saving.stop()
        if self.rewrite is not None:
            self.rewrite.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])
        if self.enabled:
            log.log(NOTICE, "Calling fsync() on the AOF file.")
            error = await self._detach()
            if error is not None:
                log.warning("Error writing the AOF at shutdown: %s", error.strerror)
        self.executor.shutdown()
        self.worker.shutdown()
        self.directory.release()
        return error is None

    def _attach(self) -> None:
        self.enabled = True
        self.server.add_sink(self.aof.feed)
        self.server.log_end = self.aof.end_offset
        self._follow_policy()

    async def _detach(self) -> OSError | None:
        self.enabled = False
        self.server.remove_sink(self.aof.feed)
        error = await self.aof.close()
        self._set_barrier()
        await self._work(self._note_end)
        self.directory.release()
        return error

    def _note_end(self) -> None:
        try:
            self.directory.note_end(self.aof.events)
        except OSError as error:
            log.warning("Could not write the AOF manifest: %s", error.strerror)

    async def _work(self, function: Callable[..., T], *args: object) -> T:
        return await self._loop.run_in_executor(self.worker, function, *args)

    async def _delete_history(self) -> None:
        if not self.server.config.aof_disable_auto_gc:
            try:
                await self._work(self.directory.delete_history)
            except OSError as error:
                log.warning("Could not write the AOF manifest: %s", error.strerror)

    # --- rewriting ---------------------------------------------------------------------------------------------------------------

    def rewriting(self) -> bool:
        """Whether a rewrite is under way."""
        return self._task is not None

    def start_rewrite(self) -> bool:
        """BGREWRITEAOF; False if something of the kind is under way."""
        if self._task is not None or self._stopping or self.fixed:
            return False
        self.rewrite_scheduled = False
        self._run(self._rewrite())
        return True

    def rewrite_if_grown(self) -> None:
        """Rewrites what has outgrown auto-aof-rewrite-percentage and auto-aof-rewrite-min-size; called by a timer."""
        config = self.server.config
        size = self.size()
        if self.saving.recording is not None:
            return
        if self.rewrite_scheduled:
            self.start_rewrite()
        if not self.enabled or self._task is not None or not config.auto_aof_rewrite_percentage or size < config.auto_aof_rewrite_min_size:
            return
        growth = size * 100 // max(self.base_size, 1) - 100
        if growth >= config.auto_aof_rewrite_percentage and self._may_try_again():
            log.log(NOTICE, "Starting automatic rewriting of AOF on %d%% growth", growth)
            self.start_rewrite()

    def _may_try_again(self) -> bool:
        """After failures an automatic rewrite waits, twice as long each time, up to an hour."""
        if self.rewrite_failures < PATIENT_FAILURES:
            return True
        pause_s = min(60 << (self.rewrite_failures - PATIENT_FAILURES), 3600)
        return self.server.clock.monotonic_ns() - self.rewrite_started_ns >= pause_s * 1_000_000_000

    def size(self) -> int:
        """Bytes of all files of the data."""
        return self.older_size + self.aof.size()

    def _run(self, steps: Coroutine[Any, Any, None]) -> None:
        self._task = self._loop.create_task(steps)
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self.rewrite = None
        task.result()
        self._follow_appendonly()

    def _new_rewrite(self) -> Recording:
        server = self.server
        config = server.config
        self.rewrite_as_rdb = config.aof_use_rdb_preamble
        form = self.saving.form(base=True) if self.rewrite_as_rdb else CommandForm(config.aof_timestamp_enabled, self.saving.libraries())
        path = self.directory.path(f"temp-rewriteaof-bg-{os.getpid()}.aof")
        rewrite = Recording(self.files, path, server.keyspace, form, server.activity)
        rewrite.sync_as_it_grows = config.aof_rewrite_incremental_fsync
        self.rewrite = rewrite
        self.rewrite_started_ns = server.clock.monotonic_ns()
        self.aof.hold_syncs = config.no_appendfsync_on_rewrite
        return rewrite

    async def _write_base(self, rewrite: Recording) -> str:
        """Writes the file of a new base; its name."""
        await rewrite.write(self.worker)
        name = os.path.basename(rewrite.path)
        log.log(NOTICE, "Successfully created the temporary AOF base file %s", name)
        return name

    async def _rewrite(self) -> None:
        """A new base, and with the file enabled a new increment from the moment of that base on."""
        rewrite = self._new_rewrite()
        try:
            keep = 0
            if self.enabled:
                offset = self.aof.events
                file, name = await self._work(self.directory.add_increment, offset, offset)
                self.older_size = self.size()
                self.aof.switch(file, name, 0)
                keep = 1
            else:
                await self._work(self.directory.claim)
                await self._work(self.directory.read_manifest)
            rewrite.begin()
            name = await self._write_base(rewrite)
            await self._work(self.directory.replace_base, name, self.rewrite_as_rdb, keep)
        except (OSError, ManifestError, RecordingCancelledError) as error:
            self._rewrite_failed(error)
        else:
            await self._rewrite_succeeded(rewrite)

    async def _rewrite_succeeded(self, rewrite: Recording) -> None:
        self.older_size = rewrite.size
        self.base_size = self.size()
        self.rewrites += 1
        self.rewrite_failures = 0
        self._rewrite_over()
        await self._delete_history()
        log.log(NOTICE, "Background AOF rewrite finished successfully")

    def _rewrite_failed(self, error: Exception) -> None:
        self._rewrite_over()
        if isinstance(error, RecordingCancelledError):
            log.log(NOTICE, "Background AOF rewrite cancelled")
            return
        self.rewrite_failures += 1
        log.warning("Background AOF rewrite failed: %s", getattr(error, "strerror", None) or error)

    def _rewrite_over(self) -> None:
        self.rewrite_seconds = (self.server.clock.monotonic_ns() - self.rewrite_started_ns) // 1_000_000_000
        self.aof.hold_syncs = False
        self._follow_policy()

    # --- on and off --------------------------------------------------------------------------------------------------------------

    def _follow_appendonly(self) -> None:
        """Turns the file on or off if it should be otherwise; what is under way is brought to its end, or called off, first."""
        wanted = self.server.config.appendonly
        if self.fixed:
            if wanted:
                raise ConfigError(f"the append-only file was loaded as of {self.server.config.aof_load_until} and stays as it is")
            return
        if wanted == self.enabled or self._stopping:
            return
        if self._task is not None:
            if self.rewrite is not None:
                self.rewrite.cancel()
        elif wanted:
            self._turn_on()
        else:
            self._run(self._turn_off())

    def _turn_on(self) -> None:
        """Keeps every effect from this moment on; they count once the base, the state at this moment, is on disk."""
        config = self.server.config
        self.directory = AofDirectory(self.files, config.dir, config.appenddirname, config.appendfilename)
        rewrite = self._new_rewrite()
        rewrite.begin()
        self.aof.distrust()
        self._attach()
        self._run(self._write_first_base(rewrite))

    async def _write_first_base(self, rewrite: Recording) -> None:
        try:
            file, manifest = await self._work(self.directory.prepare_anew, self.aof.events, self.rewrite_as_rdb)
            self.aof.open(file, manifest.increments[0].name, 0)
            await self._work(self.directory.start_anew, manifest, await self._write_base(rewrite))
        except (OSError, ManifestError, RecordingCancelledError) as error:
            rewrite.snapshot.cancel()
            self._rewrite_failed(error)
            self.enabled = False
            self.server.remove_sink(self.aof.feed)
            await self.aof.close()
            self.directory.release()
            if not isinstance(error, RecordingCancelledError):
                self.server.config.appendonly = False
                log.warning("The append-only file could not be turned on, appendonly is off again")
            return
        self.aof.trust()
        self._set_barrier()
        await self._rewrite_succeeded(rewrite)

    async def _turn_off(self) -> None:
        error = await self._detach()
        if error is not None:
            log.warning("Error writing the AOF before it was turned off: %s", error.strerror)

    # --- once more ---------------------------------------------------------------------------------------------------------------

    def load_again(self, done: Callable[[bool], None]) -> bool:
        """DEBUG LOADAOF: the keyspace becomes what the files say, while clients are told -LOADING; False if a rewrite or the like runs."""
        if self._task is not None or self._stopping or self.fixed:
            return False
        self.server.add_guard(refuse_while_loading)
        self._run(self._load_again(done))
        return True

    async def _load_again(self, done: Callable[[bool], None]) -> None:
        server = self.server
        try:
            if self.enabled:
                await self.aof.drain()
                server.remove_sink(self.aof.feed)
            else:
                await self._work(self.directory.read_manifest)
            for database in server.keyspace.databases:
                database.clear()
            self.saving.drop_libraries()
            await self._load()
        except (LoadError, ManifestError, OSError) as error:
            log.warning("%s", error)
            done(False)
        else:
            log.log(NOTICE, "Append Only File loaded by DEBUG LOADAOF")
            done(True)
        finally:
            server.remove_guard(refuse_while_loading)
            if self.enabled:
                server.add_sink(self.aof.feed)

    # --- following ---------------------------------------------------------------------------------------------------------------

    def _follow_policy(self) -> None:
        config = self.server.config
        self.aof.timestamps = config.aof_timestamp_enabled
        self.aof.set_policy(config.appendfsync)
        self._set_barrier()

    def _set_barrier(self) -> None:
        server = self.server
        wanted = self.enabled and server.config.appendfsync == ALWAYS and self.aof.trusted()
        server.barrier = self.aof if wanted else None
        if server.barrier is None:
            for client in list(server.clients.values()):
                if client.held:
                    client.release()

    def _follow_state(self) -> None:
        """The disk began to fail or recovered, fell behind or caught up."""
        server = self.server
        if self.aof.error is not None:
            server.add_guard(self._refuse_writes, inner=True)
        else:
            server.remove_guard(self._refuse_writes)
        if self.aof.congested:
            server.add_guard(self._hold_writers)
            return
        server.remove_guard(self._hold_writers)
        waiting, self._waiting = self._waiting, []
        for client in waiting:
            client.resume_reading(PARKED_DISK)

    def _note_times(self, job: Job) -> None:
        latency = self.server.latency
        latency.add("aof-write", job.write_ns // 1_000_000)
        if self.aof.policy == ALWAYS:
            latency.add("aof-fsync-always", job.sync_ns // 1_000_000)

    def _refuse_writes(self, client: Client, command: Command, argv: list[bytes]) -> object:
        if command.flags & WRITE or command.name == "ping":
            raise RedisError(misconf_aof(self.aof.error_text()))
        return None

    def _hold_everyone(self, client: Client, command: Command, argv: list[bytes]) -> object:
        """Nothing may change any more: the file is being closed."""
        client.park(PARKED_DISK, argv)
        return NOTHING

    def _hold_writers(self, client: Client, command: Command, argv: list[bytes]) -> object:
        if not command.flags & WRITE:
            return None
        client.park(PARKED_DISK, argv)
        client.peer.pause_reading()
        self._waiting.append(client)
        return NOTHING

    # --- INFO --------------------------------------------------------------------------------------------------------------------

    def figures(self) -> list[tuple[str, object]]:
        """The fields of INFO persistence (https://redis.io/docs/latest/commands/info/)."""
        aof = self.aof
        loader = self.loader or self.saving.loading
        rewrite = self.rewrite
        recording = rewrite or self.saving.recording
        running_s = -1 if rewrite is None else (self.server.clock.monotonic_ns() - self.rewrite_started_ns) // 1_000_000_000
        fields: list[tuple[str, object]] = [
            ("loading", int(loader is not None)),
            ("async_loading", 0),
            ("current_cow_peak", 0),
            ("current_cow_size", 0),
            ("current_cow_size_age", 0),
            ("current_fork_perc", "0.00"),
            ("current_save_keys_processed", 0 if recording is None else recording.snapshot.taken),
            ("current_save_keys_total", 0 if recording is None else recording.snapshot.total),
            *self.saving.figures(),
            ("aof_enabled", int(self.enabled)),
            ("aof_rewrite_in_progress", int(rewrite is not None)),
            ("aof_rewrite_scheduled", int(self.rewrite_scheduled)),
            ("aof_last_rewrite_time_sec", self.rewrite_seconds),
            ("aof_current_rewrite_time_sec", running_s),
            ("aof_last_bgrewrite_status", "err" if self.rewrite_failures else "ok"),
            ("aof_rewrites", self.rewrites),
            ("aof_rewrites_consecutive_failures", self.rewrite_failures),
            ("aof_last_write_status", "ok" if aof.error is None else "err"),
            ("aof_last_cow_size", 0),
            ("module_fork_in_progress", 0),
            ("module_fork_last_cow_size", 0),
        ]
        if self.enabled:
            fields += [
                ("aof_current_size", self.size()),
                ("aof_base_size", self.base_size),
                ("aof_pending_rewrite", 0),
                ("aof_buffer_length", aof.buffered()),
                ("aof_pending_bio_fsync", int(aof.syncing())),
                ("aof_delayed_fsync", aof.delayed_syncs),
            ]
        if loader is not None:
            percent = 100 * loader.loaded_bytes / loader.total_bytes if loader.total_bytes else 0.0
            fields += [
                ("loading_start_time", self.loading_started_seconds),
                ("loading_total_bytes", loader.total_bytes),
                ("loading_rdb_used_mem", 0),
                ("loading_loaded_bytes", loader.loaded_bytes),
                ("loading_loaded_perc", f"{percent:.2f}"),
                ("loading_eta_seconds", loader.seconds_left()),
            ]
        return fields


def refuse_while_loading(client: Client, command: Command, argv: list[bytes]) -> object:
    """The guard that stands while the data are loaded."""
    if not command.flags & LOADING:
        raise RedisError(LOADING_TEXT)
    return None


class Replay:
    """Runs the commands of the append-only file: no guards, no statistics, no effects."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = Client(server, Peer(), -1)
        self.client.obeyed = True
        self.dirty = server.keyspace.dirty
        self.complaints = 0

    def apply(self, argv: list[bytes]) -> None:
        """Runs one command. Raises UnknownCommandError; a command that fails is noted in the log."""
        command = self.find(argv)
        try:
            if not command.min_args <= len(argv) <= command.max_args:
                raise RedisError(wrong_arity(command.name))
            command.handler(self.client, argv)
        except RedisError as error:
            self._complain(error, command)

    def find(self, argv: list[bytes]) -> Command:
        """The command. Raises UnknownCommandError."""
        command = self.server.commands.get(argv[0])
        if command is None or command.subcommands is not None:
            command = self.server.find_command(argv)
            if command is None:
                raise UnknownCommandError(os.fsdecode(argv[0]))
        return command

    def _complain(self, error: RedisError, command: Command) -> None:
        self.complaints += 1
        self.server.statistics.unexpected_errors += 1
        if self.complaints <= MOST_COMPLAINTS:
            log.warning(
                "== CRITICAL == This server is sending an error to its AOF-loading-client: '%s' after processing the command '%s'",
                error.text.removeprefix("ERR ") if error.code == "ERR" else f"-{error.text}",
                command.name,
            )

    def end(self) -> None:
        """Leaves the server as if nothing had been changed since it was last saved."""
        if self.complaints > MOST_COMPLAINTS:
            log.warning("%d commands of the append-only file failed in all", self.complaints)
        self.server.effects.finish(0, [], False)
        self.server.keyspace.dirty = self.dirty
        self.server.clock.refresh()
