"""maxmemory: keys are evicted, or what needs memory is refused, while more is in use (https://redis.io/docs/latest/develop/reference/eviction/).

The guard stands only while there is a limit. Before a command it compares what is in use with the limit: the last reading
(engine/memory.py), and what has come in and was evicted since. Above the limit it first frees what was dropped and waits to be freed, then
evicts keys (keyspace/eviction.py) for as long as maxmemory-eviction-tenacity allows; what is left to do then is done after the batch, and
commands go on meanwhile. When there is nothing to evict, commands that need memory get -OOM. `out_of_memory` says so for the command that
runs: the commands of a script may not go beyond it either.
"""

from __future__ import annotations

import logging
from typing import Final

from mypy_extensions import i64

from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, MAY_REPLICATE, NOSCRIPT, WRITE, Command
from redloop.engine.server import Server
from redloop.errors import OOM, RedisError
from redloop.events import EVICTED
from redloop.keyspace.database import Database
from redloop.keyspace.eviction import NONE, Evictor
from redloop.values.footprint import footprint

log = logging.getLogger("redloop.eviction")

NEEDS_MEMORY: Final = WRITE | DENYOOM | MAY_REPLICATE | NOSCRIPT  # the last: scripts
PLACE_BYTES: Final = 100
"""About what a key takes beside itself and its value: its places in the dicts of its segment."""
SAMPLES: Final = 5
BETWEEN_LOOKS: Final = 16
"""Keys evicted between two looks at the clock."""
PATIENT: Final = 10
UNLIMITED: Final = 100
"""maxmemory-eviction-tenacity: 50 microseconds for each step up to PATIENT, from there 15 % more with each, at UNLIMITED no limit."""
FOREVER: Final = 1 << 60
SWEEP_OBJECTS: Final = 1024
NEVER: Final = -1


def slice_ns(tenacity: int) -> int:
    """How long eviction may hold up a command."""
    if tenacity <= PATIENT:
        return 50_000 * tenacity
    if tenacity < UNLIMITED:
        return int(500_000 * 1.15 ** (tenacity - PATIENT))
    return FOREVER


class Eviction:
    """Keeps one server within maxmemory."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.memory = server.memory
        self.clock = server.clock
        self.evictor = Evictor(server.keyspace)
        self.limit: i64 = 0
        self.out_of_memory = False
        self._slice_ns: i64 = 0
        self._delete = b"DEL"
        self._scheduled = False

        # Since the last reading of memory.
        self._readings = 0
        self._input_mark: i64 = 0
        self._freed: i64 = 0
        self._changes_mark: i64 = -1
        self._mark: i64 = 0  # when the command before began

        # For INFO: how long memory was short.
        self._short_since_ns = NEVER
        self._short_ns = 0

        config = server.config
        for name in ("maxmemory-policy", "maxmemory-samples", "maxmemory-eviction-tenacity", "lazyfree-lazy-eviction"):
            config.on_change(name, self._follow_policy)
        config.on_change("maxmemory", self._follow_limit)
        self._follow_policy()
        if config.maxmemory:
            self._follow_limit()

    # --- configuration -----------------------------------------------------------------------------------------------------------

    def _follow_policy(self) -> None:
        config = self.server.config
        self.evictor.follow(config.maxmemory_policy, config.maxmemory_samples)
        self._slice_ns = slice_ns(config.maxmemory_eviction_tenacity)
        self._delete = b"UNLINK" if config.lazyfree_lazy_eviction else b"DEL"

    def _follow_limit(self) -> None:
        self.limit = self.server.config.maxmemory
        self.memory.limited = self.limit > 0
        self.out_of_memory = False
        if not self.limit:
            self.server.remove_guard(self.guard)
            self._note(short=False)
            return
        self.server.add_guard(self.guard)
        self._measure()
        if self._excess() > 0:
            log.warning(
                "WARNING: the new maxmemory value set via CONFIG SET (%d) is smaller than the current memory usage (%d). This will result "
                "in key eviction and/or the inability to accept new write commands depending on the maxmemory-policy.",
                self.limit,
                self.memory.used,
            )
            self._go_on_later()

    # --- the guard ---------------------------------------------------------------------------------------------------------------

    def guard(self, client: Client, command: Command, argv: list[bytes]) -> object:
        """Makes room before a command; refuses one that needs memory when there is none."""
        if not client.authenticated or (self.evictor.policy == NONE and not command.flags & NEEDS_MEMORY and command.name != "exec"):
            return None
        if self._excess() <= 0:
            self.out_of_memory = False
            if self._short_since_ns != NEVER:
                self._note(short=False)
        elif self._relieve():
            self.out_of_memory = False
        else:
            self.out_of_memory = True
            if command.flags & DENYOOM or (command.name == "exec" and self._queues_denied(client)):
                raise RedisError(OOM)
        return None

    def _queues_denied(self, client: Client) -> bool:
        if client.transaction is not None:
            for command, _ in client.transaction.queued:
                if command.flags & DENYOOM:
                    return True
        return False

    # --- how much ----------------------------------------------------------------------------------------------------------------

    def _excess(self) -> i64:
        """Bytes above the limit, by the last reading and what is known to have happened since."""
        mark = self.server.mark
        before = self._mark
        self._mark = mark
        if mark >= self.memory.next_ns or mark - before > self.memory.patience_ns:
            self._measure()
        elif self.memory.count != self._readings:
            self._begin_count()
        incoming: i64 = self.server.statistics.bytes_in - self._input_mark
        if incoming < 0:  # CONFIG RESETSTAT
            self._input_mark = self.server.statistics.bytes_in
            incoming = 0
        used: i64 = self.memory.used
        excess: i64 = used + incoming - self._freed - self.limit
        if excess > 0 and self.server.durability is not None:
            buffered: i64 = self.server.durability.aof.buffered()  # is not counted: it is gone soon, and evicting adds to it
            excess -= buffered
        return excess

    def _measure(self) -> None:
        self.memory.now()
        self._begin_count()

    def _begin_count(self) -> None:
        keyspace = self.server.keyspace
        self._readings = self.memory.count
        self._input_mark = self.server.statistics.bytes_in
        self._freed = 0
        self._changes_mark = keyspace.dirty + keyspace.trash.swept

    # --- making room -------------------------------------------------------------------------------------------------------------

    def _relieve(self) -> bool:
        """Gets below the limit, or on the way there; False if there is nothing that could go."""
        keyspace = self.server.keyspace
        if not keyspace.expiring:  # a pause, or loading: nothing may vanish by itself
            return True
        begun = self.clock.monotonic_ns()
        deadline: i64 = begun + self._slice_ns
        while keyspace.trash and self._excess() > 0:
            keyspace.trash.sweep(SWEEP_OBJECTS)
            self._measure()
            if keyspace.trash and self.clock.monotonic_ns() > deadline:
                if self.limit < self.memory.at_start:  # all that waits to be freed cannot be enough
                    break
                self._go_on_later()
                return True
        if self._excess() > 0 and self.evictor.policy != NONE:
            more = self._evict(deadline)
            spent = self.clock.monotonic_ns() - begun
            self.server.latency.add("eviction-cycle", spent // 1_000_000)
            if more:
                self._go_on_later()
                return True
        if self._excess() > 0 and self._changes_mark != keyspace.dirty + keyspace.trash.swept:
            self._measure()
        short = self._excess() > 0
        self._note(short)
        return not short

    def _evict(self, deadline: i64) -> bool:
        """Evicts until the limit is kept or there is nothing left; True if time ran out first."""
        count: i64 = 0
        more = False
        while self._excess() > 0:
            chosen = self.evictor.choose()
            if chosen is None:
                break
            self._evict_key(chosen[0], chosen[1])
            count += 1
            if count % BETWEEN_LOOKS == 0 and self.clock.monotonic_ns() > deadline:
                more = True
                break
        if count and not self.server.effects.depth:
            self.server.effects.commit(whole=False)
        return more and self._excess() > 0

    def _evict_key(self, database: Database, key: bytes) -> None:
        value = database.segment(key).values.get(key)
        size = footprint(key, 0) + footprint(value, SAMPLES) + PLACE_BYTES
        if not database.remove(key):
            return  # it was due
        keyspace = self.server.keyspace
        self._freed += size
        keyspace.evicted += 1
        self.server.effects.also(database.index, [self._delete, key])
        database.changed(key, EVICTED, b"evicted", 0)

    def _go_on_later(self) -> None:
        self._note(short=True)
        if not self._scheduled and self.server.defer is not None:
            self._scheduled = True
            self.server.defer(self._go_on)

    def _go_on(self) -> None:
        self._scheduled = False
        self.clock.refresh()
        if self.limit and self._excess() > 0:
            self._relieve()

    # --- INFO --------------------------------------------------------------------------------------------------------------------

    def _note(self, short: bool) -> None:
        if short:
            if self._short_since_ns == NEVER:
                self._short_since_ns = self.clock.monotonic_ns()
        elif self._short_since_ns != NEVER:
            self._short_ns += self.clock.monotonic_ns() - self._short_since_ns
            self._short_since_ns = NEVER

    def exceeding_ms(self) -> int:
        """For how long more has been in use than may be, so far."""
        return (self.clock.monotonic_ns() - self._short_since_ns) // 1_000_000 if self._short_since_ns != NEVER else 0

    def exceeded_ms(self) -> int:
        """For how long that was so in all."""
        return self._short_ns // 1_000_000 + self.exceeding_ms()
