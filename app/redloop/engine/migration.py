"""Keys on their way to another server (MIGRATE): connections that are kept, and who waits while keys are moved.

The payloads are made in slices between the commands. The conversation with the target then takes a thread, for as long as the caller's
timeout allows each step, so that neither a large value nor a slow target stops anybody: the client that asked is parked. A real server
stops altogether meanwhile, which makes the move atomic; here a guard parks whoever would change one of the keys (with COPY only until the
payloads are made), and lets everybody else pass. What happens by itself, as the expiry of a field, is in the payload or not, never half.
What has arrived is then deleted, and passed on as DEL. Inside a transaction or a script nothing may come between: there all is waited for,
as in Redis.

Connections are kept for ten seconds, at most 64 of them. A kept one that turns out to be closed is opened again, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from redloop.clock import Clock
from redloop.config import Config
from redloop.engine.client import PARKED_LONG, Client
from redloop.engine.command import NOSCRIPT, WRITE, Command
from redloop.engine.keys import find_keys
from redloop.engine.server import Server
from redloop.errors import MIGRATE_CONNECTING, MIGRATE_READING, MIGRATE_WRITING, RedisError, migrate_refused
from redloop.events import GENERIC
from redloop.keyspace.database import Database
from redloop.persistence.rdb.payload import Dumping
from redloop.resp.encode import encode_command
from redloop.resp.replies import NOTHING, OK

MOST_SOCKETS: Final = 64
KEEP_MS: Final = 10_000
MOST_AT_ONCE: Final = 4
"""Conversations; further ones wait for their turn."""
PIECE: Final = 64 * 1024
SLICE_NS: Final = 2_000_000
"""Longest stretch of making payloads before the loop gets its turn."""
LONGEST_LINE: Final = 64 * 1024
UNKNOWN: Final = -1


class StepError(Exception):
    """The conversation broke off; `again`: at once, so that a connection that was kept may have been closed long before."""

    def __init__(self, text: str, again: bool) -> None:
        super().__init__(text)
        self.text = text
        self.again = again


class Target:
    """A connection to another server."""

    def __init__(self, address: tuple[bytes, bytes], seconds: float) -> None:
        self.address = address
        self.database = UNKNOWN  # it has selected
        self.used_ms = 0
        self._received = b""
        host, port = (part.decode("utf-8", "surrogateescape") for part in address)
        try:
            self._socket = socket.create_connection((host, _leading_number(port)), seconds)
        except ConnectionRefusedError:  # a real server connects without waiting, and learns of it when it writes
            raise StepError(MIGRATE_WRITING, again=False) from None
        except (OSError, UnicodeError, OverflowError):
            raise StepError(MIGRATE_CONNECTING, again=False) from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes, seconds: float) -> None:
        """Sends everything; each piece may take so long."""
        self._socket.settimeout(seconds)
        view = memoryview(data)
        try:
            while view:
                view = view[self._socket.send(view[:PIECE]) :]
        except OSError as error:
            raise StepError(MIGRATE_WRITING, not isinstance(error, TimeoutError)) from None

    def line(self, seconds: float) -> bytes:
        """The next reply, which is one line."""
        self._socket.settimeout(seconds)
        while (end := self._received.find(b"\r\n")) < 0:
            try:
                data = self._socket.recv(PIECE)
            except OSError as error:
                raise StepError(MIGRATE_READING, not isinstance(error, TimeoutError)) from None
            if not data or len(self._received) > LONGEST_LINE:
                raise StepError(MIGRATE_READING, again=True)
            self._received += data
        line = self._received[:end]
        self._received = self._received[end + 2 :]
        return line

    def break_off(self) -> None:
        """Ends what a thread waits for."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()


def _leading_number(text: str) -> int:
    """The digits that a text begins with: how a port is read."""
    digits = ""
    for sign in text.strip():
        if not sign.isdecimal():
            break
        digits += sign
    return int(digits or "0")


class Parcel:
    """A key on its way, which expires at `due` (-1: never)."""

    def __init__(self, key: bytes, value: object, due: int, config: Config) -> None:
        self.key = key
        self.due = due
        self.dumping = Dumping(value, config)
        self.words = [b"RESTORE", key, b"0"]

    def pieces(self, replace: bool) -> Iterator[bytes]:
        """The RESTORE that makes it on the other side."""
        yield b"*%d\r\n%b" % (4 + replace, encode_command(self.words).partition(b"\r\n")[2])
        yield b"$%d\r\n" % self.dumping.size
        yield from self.dumping.pieces
        yield b"\r\n$7\r\nREPLACE\r\n" if replace else b"\r\n"


class Move:
    """What one MIGRATE is to do."""

    def __init__(self, address: tuple[bytes, bytes], database: int, seconds: float) -> None:
        self.address = address
        self.database = database
        self.seconds = seconds
        self.login: list[bytes] = []  # the words of AUTH
        self.parcels: list[Parcel] = []
        self.copy = False
        self.replace = False
        self._made = 0  # parcels whose payloads are

        # What came of it.
        self.arrived: list[bytes] = []
        self.error = ""

    def make(self, clock: Clock, deadline_ns: int) -> bool:
        """Makes payloads until the monotonic clock shows `deadline_ns`; False when all are made."""
        while self._made < len(self.parcels):
            if not self.parcels[self._made].dumping.step():
                self._made += 1
            if clock.monotonic_ns() >= deadline_ns:
                break
        if self._made < len(self.parcels):
            return True
        for parcel in self.parcels:
            if parcel.due >= 0:
                parcel.words[2] = b"%d" % max(1, parcel.due - clock.now_ms())
        return False

    def detach(self, key: bytes) -> None:
        """The value of a key is about to change."""
        for parcel in self.parcels:
            if parcel.key == key:
                parcel.dumping.detach()

    def converse(self, target: Target) -> None:
        """Talks to the target. Raises StepError."""
        selects = target.database != self.database
        opening = encode_command(self.login) if self.login else b""
        if selects:
            opening += encode_command([b"SELECT", b"%d" % self.database])
        for data in joined(self._outgoing(opening)):
            target.send(data, self.seconds)
        refused = self._take(target.line(self.seconds)) if self.login else False
        if selects:
            refused = self._take(target.line(self.seconds)) or refused
        for parcel in self.parcels:
            if not self._take(target.line(self.seconds)) and not refused:
                self.arrived.append(parcel.key)
        target.database = UNKNOWN if self.error else self.database

    def _outgoing(self, opening: bytes) -> Iterator[bytes]:
        yield opening
        for parcel in self.parcels:
            yield from parcel.pieces(self.replace)

    def _take(self, line: bytes) -> bool:
        """Whether a reply is an error; the first is what the client is told."""
        if not line.startswith(b"-"):
            return False
        self.error = self.error or migrate_refused(line[1:].decode("latin-1"))
        return True

    def reply(self) -> object:
        return RedisError(self.error) if self.error else OK


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces."""
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(gathered)
            gathered.clear()
            size = 0
    yield b"".join(gathered)


class Migrations:
    """The moves under way from one server, and its connections to others."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._kept: list[Target] = []
        self._busy: list[Target] = []
        self._moving: dict[tuple[int, bytes], int] = {}
        self._waiting: list[Client] = []
        self._conversations = 0
        self._stopped = False
        self._queued: deque[Callable[[], None]] = deque()
        server.cron.every(1000, self._close_idle)

    def sockets(self) -> int:
        """Connections that are kept or in use."""
        return len(self._kept) + len(self._busy)

    # --- one move ----------------------------------------------------------------------------------------------------------------

    def run(self, client: Client, move: Move) -> object:
        """Does the move while everybody waits; the reply."""
        while move.make(self.server.clock, self.server.clock.monotonic_ns() + SLICE_NS):
            pass
        self._converse(move)
        gone = self._delete(client.db, move)
        if gone:
            self.server.effects.replay_as(client.db.index, [b"DEL", *gone])
        else:
            self.server.effects.replay_nothing()
        return move.reply()

    def begin(self, client: Client, move: Move, loop: asyncio.AbstractEventLoop) -> None:
        """Parks the client, makes the payloads in slices, and does the rest beside the loop."""
        server = self.server
        keyspace = server.keyspace
        database = client.db
        client.park(PARKED_LONG)
        places = self._hold(database, move)

        def about_to_change(other: Database, key: bytes) -> None:
            if other is database:
                move.detach(key)

        def go_on() -> None:
            if self._stopped:
                return
            server.clock.refresh()
            if move.make(server.clock, server.clock.monotonic_ns() + SLICE_NS):
                loop.call_soon(go_on)
                return
            keyspace.savers = tuple([saver for saver in keyspace.savers if saver is not about_to_change])
            if move.copy:
                self._release(places)
                places.clear()
            self._send(client, database, move, places, loop)

        keyspace.savers = (*keyspace.savers, about_to_change)
        go_on()

    def _send(
        self, client: Client, database: Database, move: Move, places: list[tuple[int, bytes]], loop: asyncio.AbstractEventLoop
    ) -> None:
        """Has a thread talk to the target."""

        def done() -> None:
            self.server.clock.refresh()
            self._conversations -= 1
            if self._queued:
                self._start(self._queued.popleft())
            self._finish(client, database, move, places)

        def work() -> None:
            self._converse(move)
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server ends
                loop.call_soon_threadsafe(done)

        if self._conversations < MOST_AT_ONCE:
            self._start(work)
        else:
            self._queued.append(work)

    def _hold(self, database: Database, move: Move) -> list[tuple[int, bytes]]:
        """From now on nobody changes the keys."""
        places = [(database.index, parcel.key) for parcel in move.parcels]
        for place in places:
            self._moving[place] = self._moving.get(place, 0) + 1
        self.server.add_guard(self.guard)
        return places

    def _release(self, places: list[tuple[int, bytes]]) -> None:
        """Whoever waits for the keys goes on."""
        for place in places:
            self._moving[place] -= 1
            if not self._moving[place]:
                del self._moving[place]
        if not self._moving:
            self.server.remove_guard(self.guard)
        waiting, self._waiting = self._waiting, []
        for client in waiting:
            client.resume(PARKED_LONG)

    def _start(self, work: Callable[[], None]) -> None:
        self._conversations += 1
        threading.Thread(target=work, name="redloop-migrate", daemon=True).start()

    def _converse(self, move: Move) -> None:
        """Runs in a thread, or while the loop waits."""
        target: Target | None = None
        for attempt in (1, 2):
            kept = False
            try:
                target = self._find(move.address)
                kept = target is not None
                if target is None:
                    target = Target(move.address, move.seconds)
                self._busy.append(target)
                move.converse(target)
            except StepError as error:
                if target is not None:
                    self._drop(target)
                    target = None
                if kept and error.again and attempt == 1 and not move.arrived:
                    move.error = ""
                    continue
                move.error = error.text
                return
            self._keep(target)
            return

    def _delete(self, database: Database, move: Move) -> list[bytes]:
        """Takes away what has arrived; the keys that were still there."""
        gone: list[bytes] = []
        if not move.copy:
            for key in move.arrived:
                if database.remove(key):
                    database.changed(key, GENERIC, b"del")
                    gone.append(key)
        return gone

    def _finish(self, client: Client, database: Database, move: Move, places: list[tuple[int, bytes]]) -> None:
        server = self.server
        gone = self._delete(database, move)
        if gone and server.recording:
            server.effects.also(database.index, [b"DEL", *gone])
            server.effects.commit(whole=False)
            client.wrote = True
        if not client.closing:
            reply = move.reply()
            if isinstance(reply, RedisError):
                server.statistics.count_error(reply.code)
            if not client.muted:
                client.answer(reply)
            client.resume(PARKED_LONG)
        self._release(places)

    # --- who waits ---------------------------------------------------------------------------------------------------------------

    def guard(self, client: Client, command: Command, argv: list[bytes]) -> object:
        """Parks a client whose command may change a key that is being moved."""
        if not self._touches(client, command, argv):
            return None
        client.park(PARKED_LONG, argv)
        self._waiting.append(client)
        return NOTHING

    def _touches(self, client: Client, command: Command, argv: list[bytes]) -> bool:
        if client.transaction is not None:
            if command.name != "exec":
                return False
            return any(self._changes(client, queued, arguments) for queued, arguments in client.transaction.queued)
        return self._changes(client, command, argv)

    def _changes(self, client: Client, command: Command, argv: list[bytes]) -> bool:
        scripted = command.definition.group == "scripting" and bool(command.flags & NOSCRIPT)
        if not command.flags & WRITE and not scripted:
            return False
        try:
            found = find_keys(command.definition, argv)
        except ValueError:
            found = []
        if scripted or not found:
            return True  # FLUSHALL, a script: it could be any key
        return any((client.db.index, argv[key.place]) in self._moving for key in found) or command.name in ("move", "copy")

    # --- connections -------------------------------------------------------------------------------------------------------------

    def _find(self, address: tuple[bytes, bytes]) -> Target | None:
        for target in self._kept:
            if target.address == address:
                self._kept.remove(target)
                return target
        return None

    def _keep(self, target: Target) -> None:
        self._busy.remove(target)
        target.used_ms = self.server.clock.now_ms()
        self._kept.append(target)
        while len(self._kept) > MOST_SOCKETS:
            self._kept.pop(0).close()

    def _drop(self, target: Target) -> None:
        if target in self._busy:
            self._busy.remove(target)
        target.close()

    def _close_idle(self) -> None:
        now = self.server.clock.now_ms()
        for target in [target for target in self._kept if now - target.used_ms > KEEP_MS]:
            self._kept.remove(target)
            target.close()

    def stop(self) -> None:
        """The server ends: what is under way breaks off, and nothing is deleted for it."""
        self._stopped = True
        self._queued.clear()
        for target in self._busy[:]:
            target.break_off()
        for target in self._kept:
            target.close()
        self._kept.clear()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


