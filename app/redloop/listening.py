"""Listening: the sockets on which connections come in, as port, tls-port, bind and unixsocket say, now and after CONFIG SET.

Sockets are bound at once, so that a port in use is an error where it is asked for; who comes is let in from the loop's next turn on
(`engine/arrivals.py`). New addresses replace the old ones: these are closed first, since `*` and `127.0.0.1` on one port exclude each
other, and opened again if the new ones cannot be had. An address that starts with `-` may be missing on this machine, not be in use.

tcp-keepalive is set on the listening sockets: what they accept inherits it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import sys
from collections.abc import Callable

from redloop.config import Config, ConfigError
from redloop.engine.arrivals import Arrivals, Door
from redloop.engine.client import Client
from redloop.engine.peer import Peer
from redloop.tls import Tls, TlsError

log = logging.getLogger("redloop.listening")

MISSING = frozenset(
    {
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.ENOPROTOOPT,
        errno.EPFNOSUPPORT,
        errno.EPROTONOSUPPORT,
        errno.ESOCKTNOSUPPORT,
    }
)
"""What the system says of an address it does not have."""
PORT_REFUSED = "Unable to listen on this port. Check server logs."
SPARE_DESCRIPTORS = 32
"""Files a server has open beside its clients."""


class ListenError(Exception):
    """A socket cannot be opened; the text says which."""


class Gate:
    """The doors of one port, on every address of bind; `secure`: the one for TLS."""

    def __init__(self, config: Config, arrivals: Arrivals, secure: bool) -> None:
        self.config = config
        self.arrivals = arrivals
        self.secure = secure
        self.doors: list[Door] = []
        self.opened: tuple[int, list[str]] = (0, [])  # the port and the addresses

    def open(self, port: int, addresses: list[str]) -> None:
        """Binds. Raises ListenError, and has then nothing open."""
        config = self.config
        self.opened = (port, addresses)
        if not port:
            return
        for address in addresses:
            host = address.removeprefix("-")
            try:
                sock = _bound_tcp(host, port, config.tcp_backlog)
            except OSError as error:
                reason = error.strerror or str(error)
                if not isinstance(error, socket.gaierror):
                    reason = f"bind: {reason}"
                log.warning("Warning: Could not create server TCP listening socket %s:%d: %s", host, port, reason)
                if address.startswith("-") and error.errno in MISSING:
                    continue
                self.close()
                raise ListenError(f"Failed listening on port {port} ({'tls' if self.secure else 'tcp'}), aborting.") from None
            keep_alive(sock, config.tcp_keepalive)
            self.doors.append(Door(self.arrivals, sock, self.secure))

    def reopen(self, port: int, addresses: list[str]) -> None:
        """Closes, and opens what is wanted now. Raises ListenError, and has then open again what was before."""
        before = self.opened
        if before == (port, addresses):
            return
        self.close()
        try:
            self.open(port, addresses)
        except ListenError:
            with contextlib.suppress(ListenError):
                self.open(*before)
            raise
        finally:
            self.serve()

    def serve(self) -> None:
        """Lets people in from the next turn of the loop on."""
        for door in self.doors:
            door.serve()

    def close(self) -> None:
        for door in self.doors:
            door.close()
        self.doors = []


class Listening:
    """The open sockets of one server. `admit(peer)` makes a client, or gives None if it may not come in (the peer is closed then)."""

    def __init__(self, config: Config, admit: Callable[[Peer], Client | None]) -> None:
        self.config = config
        self.arrivals = Arrivals(config, admit)
        self.tls = Tls(config, self.arrivals)
        self.tcp_gate = Gate(config, self.arrivals, False)
        self.tls_gate = Gate(config, self.arrivals, True)
        self.unix_door: Door | None = None

    def open(self) -> None:
        """Opens everything, and from then on follows the configuration. Raises ListenError."""
        config = self.config
        try:
            if config.tls_port:
                self._configure_tls()
            self.tcp_gate.open(config.port, config.bind)
            self.tls_gate.open(config.tls_port, config.bind)
            if config.unixsocket:
                self.unix_door = Door(
                    self.arrivals, _bound_unix(config.place(config.unixsocket), config.unixsocketperm, config.tcp_backlog)
                )
        except ListenError:
            self.close()
            raise
        if not self.tcp_gate.doors and not self.tls_gate.doors and self.unix_door is None:
            raise ListenError("Configured to not listen anywhere, exiting.")
        self.tcp_gate.serve()
        self.tls_gate.serve()
        if self.unix_door is not None:
            self.unix_door.serve()
        config.on_change("port", self._change_port)
        config.on_change("tls-port", self._change_tls_port)
        config.on_change("bind", self._change_bind)
        config.on_change("tcp-keepalive", self._keep_alive)
        self.tls.follow()

    def close(self) -> None:
        self.arrivals.close()
        self.tcp_gate.close()
        self.tls_gate.close()
        if self.unix_door is not None:
            self.unix_door.close()
            self.unix_door = None
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.config.place(self.config.unixsocket))

    def _configure_tls(self) -> None:
        try:
            self.tls.configure()
        except TlsError as error:
            log.warning("%s", error)
            raise ListenError("Failed to configure TLS. Check logs for more info.") from None

    def _change_port(self) -> None:
        try:
            self.tcp_gate.reopen(self.config.port, self.config.bind)
        except ListenError:
            raise ConfigError(PORT_REFUSED) from None

    def _change_tls_port(self) -> None:
        if self.config.tls_port:
            self.tls.change()
        try:
            self.tls_gate.reopen(self.config.tls_port, self.config.bind)
        except ListenError:
            raise ConfigError(PORT_REFUSED) from None

    def _change_bind(self) -> None:
        before = self.tcp_gate.opened
        try:
            self.tcp_gate.reopen(self.config.port, self.config.bind)
            self.tls_gate.reopen(self.config.tls_port, self.config.bind)
        except ListenError:
            with contextlib.suppress(ListenError):
                self.tcp_gate.reopen(*before)
            raise ConfigError("Failed to bind to specified addresses.") from None

    def _keep_alive(self) -> None:
        for door in self.tcp_gate.doors + self.tls_gate.doors:
            keep_alive(door.sock, self.config.tcp_keepalive)


def keep_alive(sock: socket.socket, seconds: int) -> None:
    """Has the system ask a silent peer after so many seconds whether it is still there; three times, then it is gone. 0: never."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1 if seconds else 0)
    if not seconds:
        return
    idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
    for option, value in ((idle, seconds), ("TCP_KEEPINTVL", max(seconds // 3, 1)), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            with contextlib.suppress(OSError):  # longer than the system can wait
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def fit_descriptors(config: Config) -> None:
    """Asks the system for as many open files as maxclients needs, and lowers maxclients where it says no."""
    wanted = config.maxclients + SPARE_DESCRIPTORS
    allowed = raise_descriptors(wanted)
    if allowed < wanted:
        config.maxclients = max(allowed - SPARE_DESCRIPTORS, 1)
        log.warning("You requested maxclients of %d requiring at least %d max file descriptors.", wanted - SPARE_DESCRIPTORS, wanted)
        log.warning(
            "Current maximum open files is %d. maxclients has been reduced to %d to compensate for low ulimit. "
            "If you need higher maxclients increase 'ulimit -n'.",
            allowed,
            config.maxclients,
        )


def follow_maxclients(config: Config) -> None:
    """CONFIG SET maxclients: refused beyond what the system allows."""

    def changed() -> None:
        allowed = raise_descriptors(config.maxclients + SPARE_DESCRIPTORS)
        if allowed < config.maxclients + SPARE_DESCRIPTORS:
            most = allowed - SPARE_DESCRIPTORS
            raise ConfigError(f"The operating system is not able to handle the specified number of clients, try with {most}")

    config.on_change("maxclients", changed)


def raise_descriptors(wanted: int) -> int:
    """Raises the process's limit of open files to `wanted` if it is lower; returns what it may open, at most `wanted`."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    for limit in ((wanted, wanted), (most, hard)):  # beyond the hard limit for root only
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            return limit[0]
    return soft


def _bound_tcp(host: str, port: int, backlog: int) -> socket.socket:
    """`*` is every IPv4 address and `::*` every IPv6 address; a name with a colon is of IPv6."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    host = {"*": "0.0.0.0", "::*": "::"}.get(host, host)
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves TCP_NODELAY out
    try:
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(found[0][4])
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _bound_unix(path: str, mode: int, backlog: int) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        if mode:
            os.chmod(path, mode)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise ListenError(f"Failed opening Unix socket: bind: {error.strerror or error}") from None
    sock.setblocking(False)
    return sock
