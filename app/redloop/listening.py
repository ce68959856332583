"""Listening: the sockets on which connections come in, as port, bind and unixsocket say, now and after CONFIG SET.

Sockets are bound at once, so that a port in use is an error where it is asked for; the loop takes them over in its next turn. New addresses
replace the old ones: these are closed first, since `*` and `127.0.0.1` on one port exclude each other, and opened again if the new ones
cannot be had. An address that starts with `-` may be missing on this machine, not be in use.

tcp-keepalive is set on the listening sockets: what they accept inherits it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import sys
from collections.abc import Callable

from redloop.config import Config, ConfigError

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
SPARE_DESCRIPTORS = 32
"""Files a server has open beside its clients."""


class ListenError(Exception):
    """A socket cannot be opened; the text says which."""


class Door:
    """One listening socket, and the loop's server for it once the loop has taken it over."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.server: asyncio.Server | None = None
        self.opening: asyncio.Task[None] | None = None

    def close(self) -> None:
        if self.opening is not None:
            self.opening.cancel()
        if self.server is not None:
            self.server.close()
        else:
            self.sock.close()


class Listening:
    """The open sockets of one server. `accept` makes the protocol of a connection."""

    def __init__(self, config: Config, accept: Callable[[], asyncio.Protocol]) -> None:
        self.config = config
        self.accept = accept
        self.loop = asyncio.get_running_loop()
        self.doors: list[Door] = []  # on TCP
        self.unix_door: Door | None = None
        self._opened: tuple[int, list[str]] = (0, [])  # the port and addresses of the doors

    async def open(self) -> None:
        """Opens everything, and from then on follows the configuration. Raises ListenError."""
        config = self.config
        self._open_tcp()
        if config.unixsocket:
            try:
                self.unix_door = Door(_bound_unix(config.place(config.unixsocket), config.unixsocketperm, config.tcp_backlog))
            except ListenError:
                self.close()
                raise
        if not self.doors and self.unix_door is None:
            raise ListenError("Configured to not listen anywhere, exiting.")
        for door in self.doors:
            await self._take_over(door)
        if self.unix_door is not None:
            await self._take_over(self.unix_door)
        config.on_change("port", self._change_port)
        config.on_change("bind", self._change_bind)
        config.on_change("tcp-keepalive", self._keep_alive)

    def close(self) -> None:
        for door in self.doors:
            door.close()
        self.doors = []
        if self.unix_door is not None:
            self.unix_door.close()
            self.unix_door = None
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.config.place(self.config.unixsocket))

    def _open_tcp(self) -> None:
        config = self.config
        self._opened = (config.port, config.bind)
        if not config.port:
            return
        for address in config.bind:
            try:
                sock = _bound_tcp(address.removeprefix("-"), config.port, config.tcp_backlog)
            except OSError as error:
                reason = error.strerror or str(error)
                if not isinstance(error, socket.gaierror):
                    reason = f"bind: {reason}"
                host = address.removeprefix("-")
                log.warning("Warning: Could not create server TCP listening socket %s:%d: %s", host, config.port, reason)
                if address.startswith("-") and error.errno in MISSING:
                    continue
                for door in self.doors:
                    door.close()
                self.doors = []
                raise ListenError(f"Failed listening on port {config.port} (tcp), aborting.") from None
            keep_alive(sock, config.tcp_keepalive)
            self.doors.append(Door(sock))

    def _change_port(self) -> None:
        self._reopen("Unable to listen on this port. Check server logs.")

    def _change_bind(self) -> None:
        self._reopen("Failed to bind to specified addresses.")

    def _reopen(self, refusal: str) -> None:
        config = self.config
        if self._opened == (config.port, config.bind):
            return
        before = self._opened
        for door in self.doors:
            door.close()
        self.doors = []
        try:
            self._open_tcp()
        except ListenError:
            wanted = (config.port, config.bind)
            config.port, config.bind = before
            with contextlib.suppress(ListenError):
                self._open_tcp()
            config.port, config.bind = wanted
            raise ConfigError(refusal) from None
        finally:
            for door in self.doors:
                door.opening = self.loop.create_task(self._take_over(door))

    async def _take_over(self, door: Door) -> None:
        backlog = self.config.tcp_backlog
        if door is self.unix_door:
            door.server = await self.loop.create_unix_server(self.accept, sock=door.sock, backlog=backlog)
        else:
            door.server = await self.loop.create_server(self.accept, sock=door.sock, backlog=backlog)

    def _keep_alive(self) -> None:
        for door in self.doors:
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
    sock = socket.socket(family, socket.SOCK_STREAM)
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
