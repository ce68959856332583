"""Durability: what binds the server to its append-only file.

At the start it replays the files, while clients are told -LOADING; then the file becomes a sink of every effect. With appendfsync always it
is also the barrier behind which replies wait. Its states become guards: a disk that fails refuses writes with -MISCONF until it succeeds, a
disk that does not keep up makes those who write wait. CONFIG SET turns it on and off, and changes its policy, while the server runs.
"""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from redloop.engine.client import PARKED_DISK, Client
from redloop.engine.command import LOADING, WRITE, Command
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.errors import LOADING as LOADING_TEXT
from redloop.errors import RedisError, misconf_aof, wrong_arity
from redloop.logs import NOTICE
from redloop.persistence.aof import ALWAYS, AppendOnlyFile
from redloop.persistence.directory import AofDirectory
from redloop.persistence.files import Files, GrowingFile
from redloop.persistence.loading import Loader, LoadError, UnknownCommandError
from redloop.persistence.manifest import ManifestError
from redloop.resp.replies import NOTHING

log = logging.getLogger("redloop.durability")

MOST_COMPLAINTS: Final = 100


class DurabilityError(Exception):
    """The data cannot be loaded, or no file to keep them in can be had; the text says why."""


class Durability:
    """The append-only file of one server."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, files: Files | None = None) -> None:
        config = server.config
        self.server = server
        self.files = files if files is not None else Files()
        self.executor = ThreadPoolExecutor(1, "redloop-disk")
        self.directory = AofDirectory(self.files, config.dir, config.appenddirname, config.appendfilename)
        self.aof = AppendOnlyFile(loop, server.clock, self.executor, config.appendfsync)
        self.aof.timestamps = config.aof_timestamp_enabled
        self.aof.on_change = self._follow_state
        self.loader: Loader | None = None
        self.enabled = False
        self._loop = loop
        self._waiting: list[Client] = []

        # For INFO.
        self.last_save_seconds = server.clock.now_ms() // 1000
        self.loading_started_seconds = 0
        self.base_size = 0  # of all files when they were last loaded or rewritten
        self.older_size = 0  # of all files but the one that grows

        config.on_change("appendfsync", self._follow_policy)
        config.on_change("aof-timestamp-enabled", self._follow_policy)

    # --- from start to stop ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Loads the data and opens the file, if there is to be one. Raises DurabilityError."""
        if not self.server.config.appendonly:
            return
        try:
            self.directory.read_manifest()
            await self._load()
            self.server.clock.refresh()
            self.aof.events = self._replication_offset()
            file, name, size = self.directory.open_last(self.aof.events)
        except ManifestError as error:
            for line in error.lines[:-1]:
                log.warning("%s", line)
            raise DurabilityError(error.lines[-1]) from None
        except LoadError as error:
            raise DurabilityError(str(error)) from None
        except OSError as error:
            raise DurabilityError(f"Can't open the append-only file: {error.strerror}: {error.filename}") from None
        self.base_size = self.directory.size()
        self.older_size = self.base_size - size
        self._attach(file, name, size)
        self._loop.run_in_executor(self.executor, self.directory.delete_history)

    async def _load(self) -> None:
        server = self.server
        replay = Replay(server)
        self.loader = Loader(self.directory, replay.apply, server.clock, self.executor, server.config.aof_load_truncated)
        self.loading_started_seconds = server.clock.now_ms() // 1000
        server.keyspace.expiring = False
        server.add_guard(refuse_while_loading)
        try:
            await self.loader.run()
        finally:
            replay.end()
            self.loader = None
            server.keyspace.expiring = True
            server.remove_guard(refuse_while_loading)

    def _replication_offset(self) -> int:
        """Where the last increment ends, as far as its manifest says so."""
        last = self.directory.manifest.increments[-1:]
        if not last or last[0].start_offset < 0:
            return 0
        if last[0].end_offset >= 0:
            return last[0].end_offset
        return last[0].start_offset + self.files.size(self.directory.path(last[0].name))

    async def stop(self) -> bool:
        """Brings everything to disk and closes the file; False if the disk would not have it."""
        error: OSError | None = None
        self.server.add_guard(self._hold_everyone)
        if self.enabled:
            log.log(NOTICE, "Calling fsync() on the AOF file.")
            error = await self._detach()
            if error is not None:
                log.warning("Error writing the AOF at shutdown: %s", error.strerror)
        self.executor.shutdown()
        return error is None

    def _attach(self, file: GrowingFile, name: str, size: int) -> None:
        self.aof.open(file, name, size)
        self.enabled = True
        self.server.add_sink(self.aof.feed)
        self.server.log_end = self.aof.end_offset
        self._follow_policy()

    async def _detach(self) -> OSError | None:
        self.enabled = False
        self.server.remove_sink(self.aof.feed)
        error = await self.aof.close()
        self._set_barrier()
        await self._loop.run_in_executor(self.executor, self._note_end)
        return error

    def _note_end(self) -> None:
        try:
            self.directory.note_end(self.aof.events)
        except OSError as error:
            log.warning("Could not write the AOF manifest: %s", error.strerror)

    # --- following ---------------------------------------------------------------------------------------------------------------

    def _follow_policy(self) -> None:
        config = self.server.config
        self.aof.timestamps = config.aof_timestamp_enabled
        self.aof.set_policy(config.appendfsync)
        self._set_barrier()

    def _set_barrier(self) -> None:
        server = self.server
        server.barrier = self.aof if self.enabled and server.config.appendfsync == ALWAYS else None
        if server.barrier is None:
            for client in list(server.clients.values()):
                if client.held:
                    client.release()

    def _follow_state(self) -> None:
        """The disk began to fail or recovered, fell behind or caught up."""
        server = self.server
        if self.aof.error is not None:
            server.add_guard(self._refuse_writes)
        else:
            server.remove_guard(self._refuse_writes)
        if self.aof.congested:
            server.add_guard(self._hold_writers)
            return
        server.remove_guard(self._hold_writers)
        waiting, self._waiting = self._waiting, []
        for client in waiting:
            client.peer.resume_reading()
            client.resume(PARKED_DISK)

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
        fields: list[tuple[str, object]] = [
            ("loading", int(self.loader is not None)),
            ("async_loading", 0),
            ("current_cow_peak", 0),
            ("current_cow_size", 0),
            ("current_cow_size_age", 0),
            ("current_fork_perc", "0.00"),
            ("current_save_keys_processed", 0),
            ("current_save_keys_total", 0),
            ("rdb_changes_since_last_save", self.server.keyspace.dirty),
            ("rdb_bgsave_in_progress", 0),
            ("rdb_last_save_time", self.last_save_seconds),
            ("rdb_last_bgsave_status", "ok"),
            ("rdb_last_bgsave_time_sec", -1),
            ("rdb_current_bgsave_time_sec", -1),
            ("rdb_saves", 0),
            ("rdb_last_cow_size", 0),
            ("rdb_last_load_keys_expired", 0),
            ("rdb_last_load_keys_loaded", 0),
            ("aof_enabled", int(self.enabled)),
            ("aof_rewrite_in_progress", 0),
            ("aof_rewrite_scheduled", 0),
            ("aof_last_rewrite_time_sec", -1),
            ("aof_current_rewrite_time_sec", -1),
            ("aof_last_bgrewrite_status", "ok"),
            ("aof_rewrites", 0),
            ("aof_rewrites_consecutive_failures", 0),
            ("aof_last_write_status", "ok" if aof.error is None else "err"),
            ("aof_last_cow_size", 0),
            ("module_fork_in_progress", 0),
            ("module_fork_last_cow_size", 0),
        ]
        if self.enabled:
            fields += [
                ("aof_current_size", self.older_size + aof.size()),
                ("aof_base_size", self.base_size),
                ("aof_pending_rewrite", 0),
                ("aof_buffer_length", aof.buffered()),
                ("aof_pending_bio_fsync", int(aof.syncing())),
                ("aof_delayed_fsync", aof.delayed_syncs),
            ]
        loader = self.loader
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
        self.dirty = server.keyspace.dirty
        self.complaints = 0

    def apply(self, argv: list[bytes]) -> None:
        """Runs one command. Raises UnknownCommandError; a command that fails is noted in the log."""
        command = self.server.commands.get(argv[0])
        if command is None or command.subcommands is not None:
            command = self.server.find_command(argv)
            if command is None:
                raise UnknownCommandError(os.fsdecode(argv[0]))
        try:
            if not command.min_args <= len(argv) <= command.max_args:
                raise RedisError(wrong_arity(command.name))
            command.handler(self.client, argv)
        except RedisError as error:
            self._complain(error, command)

    def _complain(self, error: RedisError, command: Command) -> None:
        self.complaints += 1
        if self.complaints <= MOST_COMPLAINTS:
            log.warning(
                "== CRITICAL == This server is sending an error to its AOF-loading-client: '-%s' after processing the command '%s'",
                error.text,
                command.name,
            )

    def end(self) -> None:
        """Leaves the server as if nothing had been changed since it was last saved."""
        if self.complaints > MOST_COMPLAINTS:
            log.warning("%d commands of the append-only file failed in all", self.complaints)
        self.server.effects.finish(0, [], False)
        self.server.keyspace.dirty = self.dirty
        self.server.clock.refresh()
