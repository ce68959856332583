"""Boot: from a configuration to a server that listens, and back to nothing.

`Instance` is one running server on the running event loop, for the command line and for programs that hold redloop inside. `run` is the
command line's: it chooses the loop, installs the signals and returns the exit status.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import platform
import signal
import sys
from collections.abc import Callable
from types import FrameType

from redloop import __version__, commands, compiled  # noqa: F401  # declares the commands
from redloop.clock import Clock
from redloop.config import Config
from redloop.engine.blocking import BlockedClients
from redloop.engine.client import Client
from redloop.engine.connection import Connection
from redloop.engine.guards import Pause, require_authentication
from redloop.engine.peer import Peer
from redloop.engine.server import REDIS_VERSION, Server
from redloop.logs import FORMATTER, NOTICE, configure

log = logging.getLogger("redloop.boot")

EXPIRE_SLICE_NS = 1_500_000
"""Longest stretch of active expiry before the loop gets its turn, in nanoseconds."""
SWEEP_SEGMENTS = 8
"""Dropped segments freed in one turn of the loop."""


class BootError(Exception):
    """The server cannot start; the text says why."""


class Instance:
    """One server with its sockets. `await start()`, then `await stopped()`."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.config = config
        self.server = Server(config, clock if clock is not None else Clock())
        self.listeners: list[asyncio.Server] = []
        self._stopped: asyncio.Event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._cron_handle: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Opens the sockets, loads the data, then accepts commands. Raises BootError."""
        server = self.server
        server.defer = self._loop.call_soon
        server.later = self._later
        server.blocked = BlockedClients(server)
        server.pause = Pause(server)
        server.cron.every(1000 // self.config.hz, self._expire)
        server.cron.every(1000 // self.config.hz, self._sweep)
        await self._listen()
        log.log(NOTICE, "Server initialized")
        self._tick()
        if self.config.port:
            log.log(NOTICE, "Ready to accept connections tcp")
        if self.config.unixsocket:
            log.log(NOTICE, "Ready to accept connections unix")

    async def stopped(self) -> None:
        """Waits until `stop` was called and everything is closed."""
        await self._stopped.wait()

    async def stop(self) -> None:
        """Closes sockets and clients."""
        for listener in self.listeners:
            listener.close()
        if self._cron_handle is not None:
            self._cron_handle.cancel()
        for client in list(self.server.clients.values()):
            client.close()
        if self.config.unixsocket:
            _unlink(self.config.unixsocket)
        self._stopped.set()

    async def _listen(self) -> None:
        config = self.config
        if config.port:
            opened = 0
            for address in config.bind:
                opened += await self._listen_tcp(address)
            if not opened:
                raise BootError(f"Failed listening on port {config.port} (tcp), aborting.")
        if config.unixsocket:
            await self._listen_unix()

    async def _listen_tcp(self, address: str) -> int:
        port = self.config.port
        optional = address.startswith("-")
        host = address.removeprefix("-")
        if host in ("*", "::*"):
            host = "::" if host == "::*" else "0.0.0.0"
        try:
            listener = await self._loop.create_server(self._connection, host, port, backlog=self.config.tcp_backlog, reuse_address=True)
        except OSError as error:
            if optional:
                return 0
            reason = os.strerror(error.errno) if error.errno else str(error)
            log.warning("Warning: Could not create server TCP listening socket %s:%d: bind: %s", address.removeprefix("-"), port, reason)
            raise BootError(f"Failed listening on port {port} (tcp), aborting.") from error
        self.listeners.append(listener)
        return 1

    async def _listen_unix(self) -> None:
        path = self.config.unixsocket
        _unlink(path)
        try:
            listener = await self._loop.create_unix_server(self._connection, path, backlog=self.config.tcp_backlog)
        except OSError as error:
            raise BootError(f"Failed opening Unix socket: bind: {os.strerror(error.errno or 0)}") from error
        if self.config.unixsocketperm:
            os.chmod(path, self.config.unixsocketperm)
        self.listeners.append(listener)

    def _connection(self) -> Connection:
        return Connection(self._admit)

    def _admit(self, peer: Peer) -> Client | None:
        server = self.server
        if len(server.clients) >= self.config.maxclients:
            server.connections_rejected += 1
            peer.write(b"-ERR max number of clients reached\r\n")
            peer.close()
            return None
        server.connections_received += 1
        client = Client(server, peer, server.new_client_id())
        if not client.authenticated:
            client.add_guard(require_authentication)
        server.register(client)
        return client

    def _later(self, ms: int, callback: Callable[[], None]) -> object:
        return self._loop.call_later(max(ms, 0) / 1000, callback)

    def _tick(self) -> None:
        self.server.cron.run()
        self._cron_handle = self._loop.call_later(1 / self.config.hz, self._tick)

    def _expire(self) -> None:
        self.server.clock.refresh()
        if self.server.expire_some(EXPIRE_SLICE_NS):
            self._loop.call_later(0.004, self._expire)

    def _sweep(self) -> None:
        if self.server.keyspace.sweep(SWEEP_SEGMENTS):
            self._loop.call_soon(self._sweep)


def run(config: Config) -> int:
    """Runs a server until it is told to stop; returns the exit status."""
    try:
        configure(config.loglevel, config.place(config.logfile) if config.logfile else "")
    except OSError as error:
        print(f"Can't open the log file: {error.strerror}", file=sys.stderr)
        return 1
    _announce(config)
    try:
        if os.environ.get("REDLOOP_LOOP") == "asyncio":
            return asyncio.run(_serve(config))
        return _new_loop_runner(config)
    except BootError as error:
        log.warning("%s", error)
        return 1


def _new_loop_runner(config: Config) -> int:
    if sys.platform == "win32":
        import winloop as fast_loop
    else:
        import uvloop as fast_loop
    with asyncio.Runner(loop_factory=fast_loop.new_event_loop) as runner:
        return runner.run(_serve(config))


async def _serve(config: Config) -> int:
    instance = Instance(config)
    _install_signals(instance)
    await instance.start()
    gc.collect()
    gc.freeze()
    await instance.stopped()
    log.warning("redloop is now ready to exit, bye bye...")
    return 0


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _install_signals(instance: Instance) -> None:
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    stopping: list[asyncio.Task[None]] = []

    def stop(number: int) -> None:
        name = signal.Signals(number).name
        if seen:
            log.warning("You insist... exiting now.")
            os._exit(1)
        seen.append(number)
        log.log(NOTICE, "Received %s scheduling shutdown...", name)
        log.log(NOTICE, "User requested shutdown...")
        stopping.append(loop.create_task(instance.stop()))

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop, number)
        except NotImplementedError:  # Windows

            def handler(caught: int, _frame: FrameType | None) -> None:
                loop.call_soon_threadsafe(stop, caught)

            signal.signal(number, handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _announce(config: Config) -> None:
    log.log(NOTICE, "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo")
    log.log(
        NOTICE,
        "Redis version=%s, bits=64, commit=00000000, modified=0, pid=%d, just started (redloop %s, Python %s, %s)",
        REDIS_VERSION,
        os.getpid(),
        __version__,
        platform.python_version(),
        "compiled" if compiled() else "interpreted",
    )
    if config.loaded:
        log.log(NOTICE, "Configuration loaded")
    else:
        log.warning(
            "Warning: no config file specified, using the default config. In order to specify a config file use redloop /path/to/redis.conf"
        )
    for remark in config.remarks:
        log.warning("%s", remark)
    config.remarks.clear()
    FORMATTER.role = "M"
    log.log(NOTICE, "Running mode=standalone, port=%d.", config.port)


__all__ = ["BootError", "Instance", "run"]
