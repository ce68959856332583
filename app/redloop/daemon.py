"""The process: going into the background, the pid file, the supervisor that watches, the signals that end it.

The pid is the same from the first line of the log to the last, in the background from the fork on. A supervisor is told by the datagram
protocol of sd_notify(3), which needs no library.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final

from redloop.config import Config
from redloop.logs import NOTICE

log = logging.getLogger("redloop.daemon")

DEFAULT_PIDFILE: Final = "/var/run/redis.pid"
"""Where the pid of a server in the background is written when nothing else is said: where redis-server writes it."""


def daemonize() -> None:
    """Goes on in the background: in a child, in a session of its own, without a terminal. The parent exits with 0."""
    if not hasattr(os, "fork"):
        sys.exit("daemonize is not possible on this system: start redloop as a service instead")
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    if null > 2:
        os.close(null)


class PidFile:
    """The file with our pid, written if it is configured or we run in the background."""

    def __init__(self, config: Config) -> None:
        self._path = config.place(config.pidfile) if config.pidfile else DEFAULT_PIDFILE if config.daemonize else ""

    def write(self) -> None:
        """Writes it; a server that cannot still runs, as redis-server does."""
        if not self._path:
            return
        try:
            with open(self._path, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        except OSError as error:
            log.warning("Failed to write PID file: %s", error.strerror)
            self._path = ""

    def remove(self) -> None:
        """Removes it."""
        if self._path:
            log.log(NOTICE, "Removing the pid file.")
            with contextlib.suppress(OSError):
                os.unlink(self._path)


class Supervisor:
    """systemd, told of what we do if `supervised` says so and it listens."""

    def __init__(self, config: Config) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self.active = config.supervised in ("systemd", "auto") and bool(self._address)
        if config.supervised == "systemd" and not self._address:
            log.warning("systemd supervision requested or auto-detected, but NOTIFY_SOCKET is not set")
        if self.active:
            hint = "Please make sure you set appropriate values for TimeoutStartSec and TimeoutStopSec in your service unit."
            log.log(NOTICE, "Supervised by systemd. %s", hint)

    def tell(self, state: str) -> None:
        """Sends one assignment, such as READY=1."""
        if not self.active:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto(state.encode(), address)
        except OSError as error:
            log.warning("Could not notify systemd: %s", error.strerror)


def install_signals(stop: Callable[[], bool]) -> None:
    """SIGTERM and SIGINT call `stop`, which may refuse; if it did not, a second one exits at once. SIGHUP is harmless.

    For the main thread's running loop.
    """
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def receive(number: int) -> None:
        if seen:
            log.warning("You insist... exiting now.")
            os._exit(1)
        name = signal.Signals(number).name
        log.log(NOTICE, "Received %s scheduling shutdown...", name)
        log.log(NOTICE, "User requested shutdown...")
        if stop():
            seen.append(number)
        else:
            log.warning("%s received but errors trying to shut down the server, check the logs for more information", name)

    def receive_elsewhere(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(receive, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, receive, number)
        except NotImplementedError:  # Windows
            signal.signal(number, receive_elsewhere)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
