"""Blocking commands: try, park, try again. One code path for all of them.

A handler that finds nothing returns `block(client, keys, ...)`: the client is parked and waits in line at each key. When a command or a
transaction has changed a key somebody waits for, the same handler runs again with the same arguments for the first in line, then for the
next, as long as they get something. Nobody waits: no listener, no observer, no cost.
"""

from __future__ import annotations

from typing import Final

from redloop.engine.client import PARKED_BLOCKED, Client
from redloop.engine.command import Command
from redloop.engine.options import timeout_seconds
from redloop.engine.server import Server
from redloop.errors import RedisError
from redloop.events import EXPIRED, FLUSHED, STREAM, SWAPPED
from redloop.keyspace.database import Database
from redloop.resp.replies import NOTHING
from redloop.values.types import type_name

UNBLOCKED: str = "UNBLOCKED client unblocked via CLIENT UNBLOCK"

STREAM_READY: Final = (b"xadd", b"xgroup-destroy")
"""What happens to a stream and is of interest to those who wait for it."""


# How a try ended: with a reply, without one, or there is nothing left at the key and nobody else in line needs to be asked.
SERVED: Final = 0
WAITS_ON: Final = 1
NONE_LEFT: Final = 2


class Waiting:
    """What a blocked client waits for, and how it is tried again."""

    def __init__(self, client: Client, argv: list[bytes], keys: list[bytes], nothing: object, kind: bytes) -> None:
        self.client = client
        self.argv = argv
        self.keys = keys
        self.nothing = nothing  # the reply when time runs out
        self.kind = kind  # the type a key must have for a try
        self.deadline_ms = 0
        self.trying = False


class BlockedClients:
    """The lines of clients at the keys of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._lines: dict[tuple[int, bytes], dict[int, Waiting]] = {}
        self._clients: dict[int, Waiting] = {}
        self._ready: dict[tuple[int, bytes], None] = {}
        self._serving = False

    def __len__(self) -> int:
        return len(self._clients)

    def timed(self) -> int:
        """How many clients wait until some moment."""
        return len([1 for waiting in self._clients.values() if waiting.deadline_ms])

    def keys(self) -> int:
        """How many keys are waited for."""
        return len(self._lines)

    def block(self, client: Client, argv: list[bytes], keys: list[bytes], timeout_ms: int, nothing: object, kind: bytes) -> object:
        """Parks `client` until one of `keys` changes to its liking or `timeout_ms` (0: for ever) have passed."""
        waiting = self._clients.get(client.id)
        if waiting is not None and waiting.trying:
            return NOTHING
        if client.may_not_block:
            return nothing
        if not self._clients:
            self.server.add_listener(self._changed)
            self.server.add_observer(self._after_command)
        waiting = Waiting(client, argv, keys, nothing, kind)
        self._clients[client.id] = waiting
        for key in keys:
            self._lines.setdefault((client.db.index, key), {})[client.id] = waiting
        client.park(PARKED_BLOCKED)
        client.on_leave.append(self._gone)
        if timeout_ms:
            waiting.deadline_ms = self.server.clock.now_ms() + timeout_ms
            self.server.later(timeout_ms, lambda: self._time_out(waiting))
        return NOTHING

    def unblock(self, client: Client, with_error: bool) -> bool:
        """CLIENT UNBLOCK; False if the client was not blocked."""
        waiting = self._clients.get(client.id)
        if waiting is None:
            return False
        if with_error:
            self._finish(waiting, RedisError(UNBLOCKED))
        else:
            self._finish(waiting, waiting.nothing)
        return True

    def release(self, client: Client, nothing: object) -> None:
        """Ends a wait for something else than a key, if it still lasts: the one that was to reply `nothing` when time runs out."""
        waiting = self._clients.get(client.id)
        if waiting is not None and waiting.nothing is nothing:
            self._finish(waiting, nothing)

    def _time_out(self, waiting: Waiting) -> None:
        if self._clients.get(waiting.client.id) is not waiting:
            return
        self.server.clock.refresh()
        left = waiting.deadline_ms - self.server.clock.now_ms()
        if left > 0:
            self.server.later(left, lambda: self._time_out(waiting))
        else:
            self._finish(waiting, waiting.nothing)

    def _gone(self, client: Client) -> None:
        waiting = self._clients.get(client.id)
        if waiting is not None:
            self._leave(waiting)

    def _leave(self, waiting: Waiting) -> None:
        client = waiting.client
        del self._clients[client.id]
        for key in waiting.keys:
            line = self._lines.get((client.db.index, key))
            if line is not None:
                line.pop(client.id, None)
                if not line:
                    del self._lines[(client.db.index, key)]
        if not self._clients:
            self.server.remove_listener(self._changed)
            self.server.remove_observer(self._after_command)

    def _finish(self, waiting: Waiting, reply: object) -> None:
        client = waiting.client
        self._leave(waiting)
        if self._gone in client.on_leave:
            client.on_leave.remove(self._gone)
        client.answer(reply)
        client.resume(PARKED_BLOCKED)

    def _changed(self, database: Database, key: bytes, event_class: int, event: bytes) -> None:
        if event_class & (SWAPPED | FLUSHED):  # anything may be there now, or gone
            self._ready.update(dict.fromkeys([entry for entry in self._lines if entry[0] == database.index]))
        elif (database.index, key) in self._lines and (not event_class & STREAM or event in STREAM_READY):
            self._ready[(database.index, key)] = None
            if event_class & EXPIRED and self.server.defer is not None:  # perhaps of itself, with no command to end
                self.server.defer(self._serve_ready)

    def _after_command(self, client: Client, command: Command, argv: list[bytes], spent: int) -> None:
        if self._ready:
            self._serve_ready()

    def _serve_ready(self) -> None:
        if not self._ready or self._serving or self.server.effects.depth:
            return
        self._serving = True
        try:
            while self._ready:
                ready = self._ready
                self._ready = {}
                for place in ready:
                    self._serve(place)
        finally:
            self._serving = False

    def _serve(self, place: tuple[int, bytes]) -> None:
        line = self._lines.get(place)
        while line is not None:  # as a rule the first in line is served, and that was all: lines may be long
            answer = self._try(place, next(iter(line.values())))
            if answer == NONE_LEFT:
                return
            if answer == WAITS_ON:
                break
            line = self._lines.get(place)
        if line is not None:
            for waiting in list(line.values())[1:]:
                if self._clients.get(waiting.client.id) is waiting and self._try(place, waiting) == NONE_LEFT:
                    return

    def _try(self, place: tuple[int, bytes], waiting: Waiting) -> int:
        """Runs the command of one in line again."""
        if waiting.kind:
            value = self.server.keyspace.databases[place[0]].peek(place[1])
            if value is None:
                return NONE_LEFT
            if type_name(value) != waiting.kind:
                return WAITS_ON
        waiting.trying = True
        reply = waiting.client.retry(waiting.argv)
        waiting.trying = False
        if reply is NOTHING:
            return WAITS_ON
        self._finish(waiting, reply)
        return SERVED


def wait_ms(client: Client, text: bytes) -> int:
    """The timeout of a blocking command, given in seconds: the milliseconds to wait, 0 for ever."""
    now = client.clock.ms
    end = timeout_seconds(text, now)
    return end - now if end else 0


def block(
    client: Client, argv: list[bytes], keys: list[bytes], timeout_ms: int, nothing: object, kind: bytes = b""
) -> object:
    """Parks `client` until `argv` finds something at one of `keys`: return what this returns.

    Tried are keys that have become of type `kind`, or any if that is empty; an error then ends the wait too.
    `timeout_ms` 0 waits for ever; `nothing` is the reply when time runs out, and at once inside a transaction or script.
    """
    blocked: BlockedClients = client.server.blocked
    return blocked.block(client, argv, keys, timeout_ms, nothing, kind)
