"""A script that takes its time: the others are told so, and may end it.

Lua asks `tick` every so many instructions. A short script is done before the first; from busy-reply-threshold on each look also serves
the other clients by hand, since the loop cannot be entered again: their sockets are polled, what they sent is fed to them behind a guard
that answers -BUSY, and the replies are sent at once. Who connects meanwhile is talked to on the bare socket, and becomes an ordinary
connection when the script is over. Connections under TLS wait, and so does one that the loop had accepted but not yet handed to us.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

from redloop.engine.client import PARKED_UNREAD, Client
from redloop.engine.command import ALLOW_BUSY, Command
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.errors import BUSY_FUNCTION, BUSY_SCRIPT, NOTBUSY, SCRIPT_KILLED, UNKILLABLE, RedisError
from redloop.scripting.calls import Calls

log = logging.getLogger("redloop.scripting")

READ_BYTES: Final = 65536
MOST_ACCEPTED: Final = 100


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
        self._guests: list[Guest] = []

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
            for key in list(self._selector.get_map().values()):
                if isinstance(key.data, Client):
                    assert isinstance(key.fileobj, socket.socket)
                    key.fileobj.detach()
            self._selector.close()
            self._selector = None
        for guest in self._guests:
            guest.hand_over()
        self._guests.clear()
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
        for door in self.server.doors():
            selector.register(door, selectors.EVENT_READ, None)
        for client in self.server.clients.values():
            if client.peer.fd >= 0 and client.peer.plain and not client.closing:
                selector.register(socket.socket(fileno=client.peer.fd), selectors.EVENT_READ, client)

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
        server = self.server
        touching = server.keyspace.touching
        for key, _ in selector.select(0):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if key.data is None:
                self._accept(sock, selector)
            elif isinstance(key.data, Guest):
                if not key.data.read():
                    selector.unregister(sock)
            elif not self._read(key.data, sock):
                selector.unregister(sock)
                sock.detach()
        server.keyspace.touching = touching

    def _read(self, client: Client, sock: socket.socket) -> bool:
        """Feeds a client what its socket has; False if nothing more is to be read there for now."""
        if client.closing or client.parked & PARKED_UNREAD:
            return False
        try:
            data = sock.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False  # the loop finds the end there too
        peer = client.peer
        write = peer.write
        peer.write = partial(_send, sock, peer, write)
        try:
            client.feed(data)
        finally:
            peer.write = write
        return not client.closing

    def _accept(self, door: socket.socket, selector: selectors.BaseSelector) -> None:
        for _ in range(MOST_ACCEPTED):
            try:
                sock, _address = door.accept()
            except OSError:
                return
            guest = Guest(self.server, sock)
            if guest.client is not None:
                self._guests.append(guest)
                selector.register(sock, selectors.EVENT_READ, guest)


def _send(sock: socket.socket, peer: Peer, write: Callable[[bytes], object], data: bytes) -> None:
    """Sends at once what the system takes; the rest goes the usual way, later."""
    if not peer.pending():
        with contextlib.suppress(OSError):
            data = data[sock.send(data) :]
    if data:
        write(data)


class Guest:
    """A connection that came while a script ran."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.rest = bytearray()  # of the output
        sock.setblocking(False)
        peer = Peer()
        peer.write = self._write
        peer.abort = self.rest.clear
        peer.pending = self._pending
        self.client: Client | None = server.admit(sock, peer)
        if self.client is None:
            sock.close()

    def read(self) -> bool:
        """Feeds what has come; False at the end."""
        client = self.client
        if client is None or client.closing:
            return False
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if data:
            client.feed(data)
        return bool(data) and not client.closing

    def hand_over(self) -> None:
        """The script is over: the loop takes the connection."""
        if self.client is not None:
            self.server.adopt(self.client, self.sock, bytes(self.rest))

    def _pending(self) -> int:
        return len(self.rest)

    def _write(self, data: bytes) -> None:
        self.rest += data
        with contextlib.suppress(OSError):
            del self.rest[: self.sock.send(self.rest)]
