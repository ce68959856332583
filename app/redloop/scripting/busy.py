"""A script that takes its time: the others are told so, and may end it.

Lua asks `tick` every so many instructions. A short script is done before the first; from busy-reply-threshold on each look also serves
the other clients by hand, since the loop cannot be entered again: their sockets are polled, what they sent is fed to them behind a guard
that answers -BUSY, and the replies are sent at once. TLS is between us and them as ever (`engine/session.py`). Who has come and is no
client yet, or comes meanwhile, is talked to on the bare socket, and goes to the loop when the script is over (`engine/arrivals.py`).
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

from redloop.engine.arrivals import MOST_AT_ONCE, Arrival, Door
from redloop.engine.client import PARKED_UNREAD, Client
from redloop.engine.command import ALLOW_BUSY, Command
from redloop.engine.connection import describe
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.engine.session import Session
from redloop.errors import BUSY_FUNCTION, BUSY_SCRIPT, NOTBUSY, SCRIPT_KILLED, UNKILLABLE, RedisError
from redloop.scripting.calls import Calls

log = logging.getLogger("redloop.scripting")

READ_BYTES: Final = 65536


class Busy:
    """What runs on one server, and who is served meanwhile."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.caller: Client | None = None
        self.calls: Calls | None = None
        self.function = ""  # the name of the function that runs, "" for a script
        self.slow = False
        self._started_ns = 0
        self._killed = False
        self._ending = False  # SHUTDOWN NOSAVE
        self._selector: selectors.BaseSelector | None = None
        self._lines: list[Line] = []

    # --- around a script -------------------------------------------------------------------------------------------------------------

    def begin(self, caller: Client, calls: Calls, function: str = "") -> None:
        """A script or a function starts."""
        self.caller = caller
        self.calls = calls
        self.function = function
        self._started_ns = self.server.mark

    def end(self) -> bool:
        """It is over. True if the server ends with it, and nothing that it did is to be kept."""
        self.caller = None
        if not self.slow:
            return False
        self.slow = False
        self._killed = False
        self.server.remove_guard(self._guard)
        if self._selector is not None:
            self._selector.close()
            self._selector = None
        for line in self._lines:
            line.let_go()
        self._lines.clear()
        return self._ending

    def running_ms(self) -> int:
        """For how long it runs, in milliseconds."""
        return int(self.server.clock.monotonic_ns() - self._started_ns) // 1_000_000

    def kill(self, function: bool) -> None:
        """SCRIPT KILL and FUNCTION KILL. Raises RedisError where there is nothing that can be killed."""
        if self.caller is None or self.calls is None:
            raise RedisError(NOTBUSY)
        if self.calls.wrote:
            raise RedisError(UNKILLABLE)
        if function != bool(self.function):
            raise RedisError(self._text())
        self._killed = True

    def tick(self, asked: object = None) -> object:
        """Lua asks whether the script is to die; then (`asked`) for the error it dies of."""
        if asked:
            return (True, 4, SCRIPT_KILLED)
        if self.caller is None:
            return None
        if not self.slow:
            threshold = self.server.config.busy_reply_threshold
            if not threshold or self.running_ms() < threshold:
                return None
            self._become_slow()
        try:
            self._serve()
        except Exception:
            log.exception("Serving others during a script failed on a bug in redloop; please report it")
        return self._killed or self._ending or None

    def _become_slow(self) -> None:
        what = f"Function name is: {self.function}" if self.function else "You can try killing the script using the SCRIPT KILL command"
        log.warning("Slow script detected: still in execution after %d milliseconds. %s.", self.running_ms(), what)
        self.slow = True
        self.server.add_guard(self._guard)
        selector = self._selector = selectors.DefaultSelector()
        arrivals = self.server.arrivals
        taken: set[int] = set()
        if arrivals is not None:
            for door in arrivals.doors:
                selector.register(door.sock, selectors.EVENT_READ, door)
            for arrival in list(arrivals.coming):
                taken.add(arrival.sock.fileno())
                self._receive(arrival, selector)
        for client in self.server.clients.values():
            peer = client.peer
            if peer.fd >= 0 and peer.fd not in taken and not client.closing:
                self._listen_to(Known(socket.socket(fileno=peer.fd), client, peer), selector)

    def _text(self) -> str:
        return BUSY_FUNCTION if self.function else BUSY_SCRIPT

    def _guard(self, client: Client, command: Command, argv: list[bytes]) -> object:
        if not command.flags & ALLOW_BUSY:
            raise RedisError(self._text())
        if command.name == "shutdown":
            if b"nosave" not in [word.lower() for word in argv[1:]]:
                raise RedisError(self._text())
            self._ending = True
        return None

    # --- serving -----------------------------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        selector = self._selector
        if selector is None:
            return
        keyspace = self.server.keyspace
        touching = keyspace.touching
        for key, _ in selector.select(0):
            data = key.data
            if isinstance(data, Door):
                self._let_in(data, selector)
            elif isinstance(data, Line) and not data.read():
                selector.unregister(key.fileobj)
        keyspace.touching = touching

    def _let_in(self, door: Door, selector: selectors.BaseSelector) -> None:
        with contextlib.suppress(OSError):
            for _ in range(MOST_AT_ONCE):
                arrival = door.accept()
                if arrival is None:
                    return
                self._receive(arrival, selector)

    def _receive(self, arrival: Arrival, selector: selectors.BaseSelector) -> None:
        """Somebody who is no client yet: the loop has the socket, and waits for a handshake, or has not come to it."""
        if arrival.held:
            session = arrival.receiver
            assert isinstance(session, Session)
            self._listen_to(Known(socket.socket(fileno=arrival.sock.fileno()), session, session.peer), selector)
        else:
            self._listen_to(Guest(arrival), selector)

    def _listen_to(self, line: Line, selector: selectors.BaseSelector) -> None:
        self._lines.append(line)
        selector.register(line.sock, selectors.EVENT_READ, line)


class Line:
    """A connection that is served by hand: what is read at `sock` goes to `receiver`."""

    def __init__(self, sock: socket.socket, receiver: Client | Session | None) -> None:
        self.sock = sock
        self.receiver = receiver

    def read(self) -> bool:
        """Feeds what has come; False if nothing more is to be read there for now."""
        receiver = self.receiver
        if receiver is None or receiver.closing:
            return False
        client = receiver.client if isinstance(receiver, Session) else receiver
        if client is not None and client.parked & PARKED_UNREAD:
            return False
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False  # the loop finds the end there too
        self.feed(receiver, data)
        return not receiver.closing

    def feed(self, receiver: Client | Session, data: bytes) -> None:
        receiver.feed(data)

    def let_go(self) -> None:
        """The script is over."""


class Known(Line):
    """One that the loop has, too: what is to be sent goes past it."""

    def __init__(self, sock: socket.socket, client: Client | Session, peer: Peer) -> None:
        session = peer.session
        super().__init__(sock, session if session is not None else client)
        self.raw: Peer = session.raw if session is not None else peer

    def feed(self, receiver: Client | Session, data: bytes) -> None:
        raw = self.raw
        write = raw.write
        raw.write = partial(_send, self.sock, raw, write)
        try:
            receiver.feed(data)
        finally:
            raw.write = write

    def let_go(self) -> None:
        self.sock.detach()


def _send(sock: socket.socket, raw: Peer, write: Callable[[bytes], object], data: bytes) -> None:
    """Sends at once what the system takes; the rest goes the usual way, later."""
    if not raw.pending():
        with contextlib.suppress(OSError):
            data = data[sock.send(data) :]
    if data:
        write(data)


class Guest(Line):
    """One that the loop does not have yet."""

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.rest = bytearray()  # of the output
        peer = Peer()
        peer.write = self._write
        peer.abort = self.rest.clear
        peer.pending = self._pending
        describe(peer, arrival.sock)
        super().__init__(arrival.sock, arrival.meet(peer))
        if self.receiver is None:
            with contextlib.suppress(OSError):
                arrival.sock.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """The loop takes the connection."""
        self.arrival.rest = bytes(self.rest)
        self.arrival.start()

    def _pending(self) -> int:
        return len(self.rest)

    def _write(self, data: bytes) -> None:
        self.rest += data
        with contextlib.suppress(OSError):
            del self.rest[: self.sock.send(self.rest)]
