"""The server: what clients share. One instance is one server; several may live in one process.

It owns the configuration, the clock, the keyspace, the table of commands, the clients, and the tuples that features plug into. It does no
I/O: `boot` opens sockets and files and hands connections in.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol

from mypy_extensions import i64

from redloop.clock import Clock
from redloop.config import Config
from redloop.engine.acl.users import Users
from redloop.engine.command import DEFINITIONS, Command, build_table
from redloop.engine.cron import Cron
from redloop.engine.effects import Effects
from redloop.engine.latency import LatencyMonitor
from redloop.engine.memory import MemoryUse
from redloop.engine.renaming import rename
from redloop.engine.slowlog import SlowLog
from redloop.engine.statistics import SAMPLE_MS, Statistics
from redloop.errors import RedisError, exec_aborted, unknown_command, unknown_subcommand
from redloop.keyspace.database import TOUCH_COUNTER, TOUCH_NOTHING, TOUCH_SEGMENT, TOUCH_TIME, Database, Keyspace
from redloop.keyspace.expiry import ExpiryCycle

REDIS_VERSION: Final = "8.0.2"
"""The version of Redis whose behaviour this is; clients decide by it what they may send."""


class Barrier(Protocol):
    """Where replies wait for the disk (appendfsync always)."""

    def end_offset(self) -> int:
        """Bytes appended so far."""

    def durable_offset(self) -> int:
        """Bytes that are safely on disk."""

    def when_durable(self, offset: int, callback: Callable[[], None]) -> None:
        """Calls back once `durable_offset() >= offset`."""


def _cannot_stop(_save: bool | None, _force: bool) -> None:
    raise RedisError("ERR this server is held by a program and ends with it")


def _never(_ms: int, _callback: Callable[[], None]) -> object:
    return None


def _nothing_yet() -> int:
    return 0


class Server:
    """One Redis-compatible server. Times are milliseconds of wall time or nanoseconds of monotonic time, as the name says."""

    def __init__(self, config: Config, clock: Clock, random: Random | None = None) -> None:
        self.config = config
        self.clock = clock
        self.random = random if random is not None else Random()
        self.keyspace = Keyspace(clock, config.databases, self.random)
        self.keyspace.on_expired = self._propagate_expiry
        self.keyspace.on_fields_expired = self._propagate_field_expiry
        self.commands: dict[bytes, Command] = build_table(DEFINITIONS)
        self.users = Users(config, self.commands)  # whose rules name commands as they were
        for old, new in config.renamed_commands:
            rename(self.commands, old, new)

        # Plug-ins, empty until switched on.
        self.guards: tuple[Any, ...] = ()
        self.inner_guards: tuple[Any, ...] = ()  # those that scripts' commands pass as well; they raise or let pass
        self.observers: tuple[Any, ...] = ()
        self.effects = Effects()
        self.recording = False
        self.barrier: Barrier | None = None
        self.log_end: Callable[[], int] = _nothing_yet  # where the append-only file ends

        # Clients.
        self.clients: dict[int, Any] = {}
        self.current: Any = None  # the connected client whose command runs
        self.next_client_id = 1
        self.defer: Callable[[Callable[[], None]], object] | None = None  # runs a callback at the end of the loop's tick
        self.later: Callable[[int, Callable[[], None]], object] = _never  # runs a callback some milliseconds from now
        self.blocked: Any = None  # engine.blocking's lines of waiting clients
        self.pubsub: Any = None  # engine.pubsub's subscriptions
        self.watched: Any = None  # engine.watch's keys
        self.shutdown: Callable[[bool | None, bool], None] = _cannot_stop
        self.pause: Any = None  # engine.guards' CLIENT PAUSE
        self.durability: Any = None  # engine.durability's append-only file
        self.monitors: Any = None  # engine.monitor's clients
        self.tracking: Any = None  # engine.tracking's caching clients
        self.eviction: Any = None  # engine.eviction's limit on memory
        self.access: Any = None  # engine.acl's access control
        self.functions: Any = None  # scripting's libraries of functions
        self.scripts: Any = None  # scripting's cache and runtime
        self.arrivals: Any = None  # engine.arrivals' connections that are no clients yet
        self.migrations: Any = None  # engine.migration's moves
        self._to_flush: list[Any] = []

        # Timers.
        self.cron = Cron(clock)
        self.expiry = ExpiryCycle(self.keyspace)
        self.active_expiry = True

        # Time.
        self.mark: i64 = clock.tick()
        self.slow_ns: i64 = 1 << 62
        self.started_ms = clock.now_ms()
        self.run_id = os.urandom(20).hex()
        self.replication_id = os.urandom(20).hex()
        self.loop_name = "none"

        # Figures.
        self.statistics = Statistics()
        self.memory = MemoryUse(clock)
        self.memory.changes = self._changes
        self.slowlog = SlowLog(config, clock)
        self.latency = LatencyMonitor(config, clock)
        self.slow_observers: list[Any] = [self.slowlog.observe, self.latency.observe]
        self._follow_tracking()
        self._set_slow()
        for name in ("slowlog-log-slower-than", "slowlog-max-len", "latency-monitor-threshold"):
            config.on_change(name, self._set_slow)
        config.on_change("latency-tracking", self._follow_tracking)
        self.cron.every(SAMPLE_MS, self._sample)

    # --- commands ----------------------------------------------------------------------------------------------------------------

    def find_command(self, argv: list[bytes]) -> Command | None:
        """The command that `argv` names, in any case; a container where no subcommand follows."""
        command = self.commands.get(argv[0]) or self.commands.get(argv[0].lower())
        if command is None or command.subcommands is None or len(argv) == 1:
            return command
        return command.subcommands.get(argv[1]) or command.subcommands.get(argv[1].lower())

    def resolve(self, argv: list[bytes]) -> tuple[Command | None, object]:
        """The command that `argv` names; or None and the error to answer."""
        command = self.find_command(argv)
        if command is not None:
            return command, None
        container = self.find_command(argv[:1])
        if container is None:
            return None, self._refuse(RedisError(unknown_command(argv)))
        return None, self._refuse(RedisError(unknown_subcommand(argv[0], argv[1])))

    def _refuse(self, error: RedisError) -> RedisError:
        self.statistics.count_error(error.code)
        return error

    def reject(self, command: Command, error: RedisError) -> RedisError:
        """A command that was not run: counts it."""
        command.rejected += 1
        if command.name == "exec":  # the transaction is gone, whatever the reason
            error = RedisError(exec_aborted(error.text))
        self.statistics.count_error(error.code)
        return error

    def observe(self, client: Any, command: Command, argv: list[bytes], spent: int) -> None:
        """Shows a command that has run to the observers: all of them, and those of slow commands if it was one."""
        for observer in self.observers:
            observer(client, command, argv, spent)
        if spent >= self.slow_ns:
            for observer in self.slow_observers:
                observer(client, command, argv, spent)

    # --- plug-ins ----------------------------------------------------------------------------------------------------------------

    def add_guard(self, guard: Any, inner: bool = False) -> None:
        """Checks every later command of every client with `guard(client, command, argv)`; `inner`: also those that scripts call."""
        if guard not in self.guards:
            self.guards = (*self.guards, guard)
            self._refresh_guards()
        if inner and guard not in self.inner_guards:
            self.inner_guards = (*self.inner_guards, guard)

    def remove_guard(self, guard: Any) -> None:
        """Takes a guard away."""
        self.guards = tuple([other for other in self.guards if other != guard])
        self.inner_guards = tuple([other for other in self.inner_guards if other != guard])
        self._refresh_guards()

    def _refresh_guards(self) -> None:
        for client in self.clients.values():
            client.refresh_guards()

    def add_observer(self, observer: Any) -> None:
        """Shows every later command to `observer(client, command, argv, nanoseconds)` after it ran."""
        self.observers = (*self.observers, observer)

    def remove_observer(self, observer: Any) -> None:
        """Takes an observer away."""
        self.observers = tuple([other for other in self.observers if other != observer])

    def add_sink(self, sink: Any) -> None:
        """From now on `sink(database index, bytes)` gets every effect."""
        self.effects.add_sink(sink)
        self.recording = True

    def remove_sink(self, sink: Any) -> None:
        """`sink` gets no more."""
        self.effects.remove_sink(sink)
        self.recording = bool(self.effects.sinks)

    def add_listener(self, listener: Any, first: bool = False) -> None:
        """Tells `listener(database, key, event class, event)` of every change of a key; `first`: before those there are."""
        listeners = self.keyspace.listeners
        self.keyspace.listeners = (listener, *listeners) if first else (*listeners, listener)

    def remove_listener(self, listener: Any) -> None:
        """Takes a listener away."""
        self.keyspace.listeners = tuple([other for other in self.keyspace.listeners if other != listener])

    def _propagate_expiry(self, database: Database, key: bytes) -> None:
        self.effects.also(database.index, [b"UNLINK" if self.config.lazyfree_lazy_expire else b"DEL", key])

    def _propagate_field_expiry(self, database: Database, key: bytes, fields: list[bytes]) -> None:
        for field in fields:
            self.effects.also(database.index, [b"HDEL", key, field])

    # --- clients -----------------------------------------------------------------------------------------------------------------

    def register(self, client: Any) -> None:
        """A connected client."""
        self.clients[client.id] = client

    def new_client_id(self) -> int:
        """Ids grow and are never used again."""
        ident = self.next_client_id
        self.next_client_id += 1
        return ident

    def forget(self, client: Any) -> None:
        """A client that is gone."""
        self.clients.pop(client.id, None)

    def output_limit(self, client: Any) -> tuple[int, int, int]:
        """(hard bytes, soft bytes, seconds) from client-output-buffer-limit; 0 means no limit."""
        kind: int = client.output_kind
        return self.config.client_output_buffer_limit[kind]

    def flush_soon(self, client: Any) -> None:
        """Flushes `client` at the end of the tick, so that many pushes leave in one write."""
        if not self._to_flush and self.defer is not None:
            self.defer(self.flush_pushes)
        self._to_flush.append(client)

    def flush_pushes(self) -> None:
        """Sends what was pushed in this tick."""
        clients = self._to_flush
        self._to_flush = []
        for client in clients:
            client.flush()

    def activity(self) -> int:
        """A number that grows while clients ask for something."""
        return int(self.statistics.bytes_in)

    # --- timers ------------------------------------------------------------------------------------------------------------------

    def follow_use(self) -> None:
        """Notes of every use of a key what maxmemory-policy goes by: the time, or how often."""
        keyspace, config = self.keyspace, self.config
        policy = config.maxmemory_policy
        if "lfu" in policy:
            keyspace.touch_mode = TOUCH_COUNTER
        elif "lru" in policy or keyspace.uses_wanted:
            keyspace.touch_mode = TOUCH_TIME
        else:
            keyspace.touch_mode = TOUCH_SEGMENT
        if keyspace.touching != TOUCH_NOTHING:
            keyspace.touching = keyspace.touch_mode  # for the rest of the batch
        keyspace.lfu_log_factor = config.lfu_log_factor
        keyspace.lfu_decay_minutes = config.lfu_decay_time

    def expire_some(self, budget_ns: int) -> bool:
        """Reclaims keys that are due; True if time ran out first."""
        if not self.active_expiry or not self.keyspace.expiring:
            return False
        clock = self.clock
        start = clock.monotonic_ns()
        more = self.expiry.run(budget_ns)
        self.effects.commit(whole=False)
        spent = clock.monotonic_ns() - start
        self.statistics.expiry_ns += spent
        self.latency.add("expire-cycle", spent // 1_000_000)
        if more:
            self.statistics.expiry_cut_short += 1
        return more

    # --- figures -----------------------------------------------------------------------------------------------------------------

    def all_commands(self) -> list[Command]:
        """Every command once, subcommands behind their container."""
        found: dict[int, Command] = {}
        for command in self.commands.values():
            found[id(command)] = command
            if command.subcommands is not None:
                for nested in command.subcommands.values():
                    found[id(nested)] = nested
        return list(found.values())

    def commands_run(self) -> int:
        """Calls of all commands."""
        return sum([command.calls for command in self.all_commands()])

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        self.statistics = Statistics()
        self.keyspace.reset_statistics()
        for command in self.all_commands():
            command.reset_statistics()
        self._follow_tracking()

    def _changes(self) -> int:
        """What was changed or freed so far, as MemoryUse wants to know."""
        return self.keyspace.dirty + self.keyspace.trash.swept

    def _sample(self) -> None:
        self.statistics.sample(self.commands_run(), self.clock.monotonic_ns())
        self.memory.glance()

    def _set_slow(self) -> None:
        self.slow_ns = min(self.slowlog.threshold_ns(), self.latency.threshold_ns())

    def _follow_tracking(self) -> None:
        for command in self.all_commands():
            command.track(self.config.latency_tracking)
