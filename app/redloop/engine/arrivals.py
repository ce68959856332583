"""Arrivals: connections between the moment they are accepted and the moment there is a client.

We accept ourselves instead of leaving it to the loop, so that everyone who has come can be found at any time: a script that takes long
serves them by hand (`scripting/busy.py`), also who is still shaking hands for TLS. An arrival that a script has met goes to the loop
afterwards, and the loop's socket takes the place of the bare one.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from redloop.config import Config
from redloop.engine.client import Client
from redloop.engine.connection import Connection
from redloop.engine.peer import Peer
from redloop.engine.session import Session, reason

log = logging.getLogger("redloop.arrivals")

MOST_AT_ONCE: Final = 100
"""Connections that one door lets in before the others have their turn."""
RETRY_SECONDS: Final = 0.1
"""How long to wait where the system lets nobody in: it is out of descriptors."""
HANDSHAKE_SECONDS: Final = 60.0
"""Longest handshake."""


class Arrivals:
    """Those of one server. `admit(peer)` makes a client, or gives None if it may not come in (the peer is closed then)."""

    def __init__(self, config: Config, admit: Callable[[Peer], Client | None]) -> None:
        self.config = config
        self.admit = admit
        self.doors: list[Door] = []  # those that are open
        self.coming: set[Arrival] = set()
        self.context: ssl.SSLContext | None = None  # for the next session
        self.seconds = HANDSHAKE_SECONDS

    def close(self) -> None:
        """Breaks off whatever is no client yet."""
        for arrival in list(self.coming):
            arrival.break_off()


class Door:
    """One listening socket; `secure`: what comes in there is encrypted."""

    def __init__(self, arrivals: Arrivals, sock: socket.socket, secure: bool = False) -> None:
        self.arrivals = arrivals
        self.sock = sock
        self.secure = secure
        self._loop: Any = None  # uvloop answers None where a bool is declared
        self._retry: asyncio.TimerHandle | None = None

    def serve(self) -> None:
        """Lets people in from the next turn of the loop on."""
        self._loop = asyncio.get_running_loop()
        self.arrivals.doors.append(self)
        self._watch()

    def close(self) -> None:
        """Closes it."""
        if self._loop is not None:
            self.arrivals.doors.remove(self)
            if self._retry is not None:
                self._retry.cancel()
            else:
                self._loop.remove_reader(self.sock)
            self._loop = None
        self.sock.close()

    def accept(self) -> Arrival | None:
        """Who comes next; None if nobody waits. Raises OSError where the system lets nobody in."""
        arrivals = self.arrivals
        while True:
            try:
                sock, _ = self.sock.accept()
            except (BlockingIOError, InterruptedError):
                return None
            except ConnectionAbortedError:
                continue
            if self.secure and (arrivals.context is None or len(arrivals.coming) >= arrivals.config.maxclients):
                sock.close()
                continue
            sock.setblocking(False)
            return Arrival(arrivals, sock, arrivals.context if self.secure else None)

    def _watch(self) -> None:
        self._retry = None
        if self._loop is not None:
            self._loop.add_reader(self.sock, self._let_in)

    def _let_in(self) -> None:
        try:
            for _ in range(MOST_AT_ONCE):
                arrival = self.accept()
                if arrival is None:
                    return
                arrival.start()
        except OSError as error:
            log.warning("Accepting client connection: %s", error.strerror or error)
            if self._loop is not None:
                self._loop.remove_reader(self.sock)
                self._retry = self._loop.call_later(RETRY_SECONDS, self._watch)


class Arrival:
    """One accepted socket."""

    def __init__(self, arrivals: Arrivals, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        self.arrivals = arrivals
        self.sock = sock
        self.receiver: Client | Session | None = None  # what takes the bytes of the socket
        self.known = False  # there is a client, or there will be none
        self.rest = b""  # was to be sent before the loop had it
        self.held = False  # by the loop
        self._started = False
        self._task: asyncio.Task[Any] | None = None  # while it runs: what it ends with refers to this arrival
        self._timer: asyncio.TimerHandle | None = None
        self._session = Session(context, arrivals.admit, self._settled) if context is not None else None
        arrivals.coming.add(self)

    def start(self) -> None:
        """The loop takes it over, a little later."""
        if self._started:
            return
        self._started = True
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(loop.connect_accepted_socket(self._connection, self.sock))
        self._task.add_done_callback(self._connected)
        if self._session is not None and not self.known:
            self._timer = loop.call_later(self.arrivals.seconds, self._too_late)

    def meet(self, peer: Peer) -> Client | Session | None:
        """What takes the bytes of the socket, whose other end `peer` is from now on; None if it may not come in."""
        session = self._session
        if session is not None:
            session.attach(peer)
            self.receiver = session
        elif not self.known:
            self.known = True
            self.receiver = self.arrivals.admit(peer)
        elif isinstance(self.receiver, Client):
            self.receiver.peer = peer
        if self.rest:
            peer.write(self.rest)
            self.rest = b""
        if self.receiver is None or self.receiver.closing:
            peer.close()
        return self.receiver

    def break_off(self) -> None:
        """Nothing is to become of it."""
        self._leave()
        if self._task is not None:
            self._task.cancel()
        if self._session is not None:
            self._session.abort()
        if not self.held:
            self.sock.close()

    def _connection(self) -> Connection:
        return Connection(self._meet_for_good)

    def _meet_for_good(self, peer: Peer) -> Client | Session | None:
        self.held = True
        receiver = self.meet(peer)
        if self.known:
            self._leave()
        return receiver

    def _connected(self, task: asyncio.Task[Any]) -> None:
        self._task = None
        if task.cancelled() or task.exception() is not None:  # the socket is not what it was
            self._leave()
            if self.receiver is not None:
                self.receiver.lost()

    def _settled(self, error: BaseException | None) -> None:
        self.known = True
        if self._timer is not None:
            self._timer.cancel()
        if self.held:
            self._leave()
        if error is not None and self._session is not None:
            peer = self._session.peer
            log.warning("Error accepting a client connection: %s (addr=%s laddr=%s)", reason(error), peer.address, peer.local_address)

    def _too_late(self) -> None:
        if self._session is not None and not self.known:
            self._session.fail(TimeoutError(f"SSL handshake is taking longer than {self.arrivals.seconds} seconds"))

    def _leave(self) -> None:
        self.arrivals.coming.discard(self)
