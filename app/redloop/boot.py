"""Boot: from a configuration to a server that listens, and back to nothing.

`Instance` is one running server on the running event loop, for the command line and for programs that hold redloop inside. `run` is the
command line's: it chooses the loop, installs the signals and returns the exit status.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import platform
import sys
from collections.abc import Callable

from redloop import __version__, commands, compiled  # noqa: F401  # declares the commands
from redloop.clock import Clock
from redloop.config import Config
from redloop.daemon import PidFile, Supervisor, daemonize, install_signals
from redloop.engine.acl.access import AccessError
from redloop.engine.cron import Timer
from redloop.engine.durability import Durability, DurabilityError
from redloop.engine.features import install
from redloop.engine.limits import Limits
from redloop.engine.server import REDIS_VERSION, Server
from redloop.errors import SHUTDOWN_FAILED, RedisError
from redloop.listening import ListenError, Listening, fit_descriptors, follow_maxclients
from redloop.logs import FORMATTER, LEVELS, NOTICE, configure
from redloop.scripting.functions import Functions
from redloop.scripting.scripts import Scripts

log = logging.getLogger("redloop.boot")

EXPIRE_SLICE_NS = 1_500_000
"""Longest stretch of active expiry before the loop gets its turn, in nanoseconds."""
EXPIRE_PAUSE_S = 0.002
"""And how long that turn is, while more keys are due."""
SWEEP_SLICE_NS = 1_000_000
"""Longest stretch of freeing what was dropped in one turn of the loop, in nanoseconds."""
SWEEP_OBJECTS = 128
"""Objects freed between two looks at the clock: any of them may be the last of a megabyte that goes back to the system."""


class BootError(Exception):
    """The server cannot start; the text says why."""


class Instance:
    """One server with its sockets. `await start()`, then `await stopped()`."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.config = config
        self.server = Server(config, clock if clock is not None else Clock())
        self.limits = Limits(self.server)
        self.listening = Listening(config, self.limits.admit)
        self._stopped: asyncio.Event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.durability = Durability(self.server, self._loop)
        self.stopping = False
        self._stopping: asyncio.Task[None] | None = None
        self._cron_handle: asyncio.TimerHandle | None = None
        self._sweeping = False
        self._expiring = False  # a slice of active expiry is to follow the last one
        self._paced: list[Timer] = []  # run hz times a second

    async def start(self) -> None:
        """Opens the sockets, loads the data, then accepts commands. Raises BootError."""
        server = self.server
        server.defer = self._loop.call_soon
        server.later = self._later
        server.shutdown = self._shutdown
        server.arrivals = self.listening.arrivals
        install(server)
        server.scripts = Scripts(server)
        functions = server.functions = Functions(server, server.scripts)
        saving = self.durability.saving
        saving.libraries, saving.take_library, saving.drop_libraries = functions.sources, functions.take, functions.flush
        try:
            server.access.start()
        except AccessError as error:
            raise BootError(str(error)) from None
        server.durability = self.durability
        self._paced = [server.cron.every(0, self._expire), server.cron.every(0, self._sweep)]
        self._set_pace()
        self.config.on_change("hz", self._set_pace)
        self.config.on_change("loglevel", self._set_log_level)
        fit_descriptors(self.config)
        follow_maxclients(self.config)
        self.durability.expect()
        try:
            self.listening.open()
        except ListenError as error:
            raise BootError(str(error)) from None
        server.loop_name = type(self._loop).__module__.partition(".")[0]
        server.memory.started()
        log.log(NOTICE, "Server initialized")
        self._tick()
        try:
            await self.durability.start()
        except DurabilityError as error:
            raise BootError(str(error)) from None
        server.cron.every(1000, self.durability.rewrite_if_grown)
        server.cron.every(100, self.durability.saving.check)
        if self.config.port:
            log.log(NOTICE, "Ready to accept connections tcp")
        if self.config.unixsocket:
            log.log(NOTICE, "Ready to accept connections unix")
        if self.config.tls_port:
            log.log(NOTICE, "Ready to accept connections tls")

    async def stopped(self) -> None:
        """Waits until `stop` was called and everything is closed."""
        await self._stopped.wait()

    async def stop(self) -> None:
        """Closes sockets and clients."""
        self.stopping = True
        self.listening.close()
        if self._cron_handle is not None:
            self._cron_handle.cancel()
        self.server.migrations.stop()
        await self.durability.stop()
        for client in list(self.server.clients.values()):
            client.close()
        self._stopped.set()

    def _shutdown(self, save: bool | None, force: bool) -> None:
        log.log(NOTICE, "User requested shutdown...")
        if not self.request_stop(save, force):
            raise RedisError(SHUTDOWN_FAILED)

    def request_stop(self, save: bool | None = None, force: bool = False) -> bool:
        """Begins to stop, `stopped` tells when that is done; False if the data cannot be saved and must be (`save`: None as configured)."""
        if self._stopping is None:
            if not self.durability.save_finally(save) and not force:
                log.warning("Errors trying to shut down the server. Check the logs for more information.")
                return False
            self._stopping = self._loop.create_task(self.stop())
        return True

    def _later(self, ms: int, callback: Callable[[], None]) -> object:
        return self._loop.call_later(max(ms, 0) / 1000, callback)

    def _set_pace(self) -> None:
        for timer in self._paced:
            timer.interval_ms = 1000 // self.config.hz

    def _set_log_level(self) -> None:
        logging.getLogger("redloop").setLevel(LEVELS[self.config.loglevel])

    def _tick(self) -> None:
        self.server.cron.run()
        self._cron_handle = self._loop.call_later(1 / self.config.hz, self._tick)

    def _expire(self) -> None:
        if not self._expiring:
            self._go_on_expiring()

    def _go_on_expiring(self) -> None:
        """A slice, and another one soon while keys are due."""
        self.server.clock.refresh()
        self._expiring = self.server.expire_some(EXPIRE_SLICE_NS)
        if self._expiring:
            self._loop.call_later(EXPIRE_PAUSE_S, self._go_on_expiring)

    def _sweep(self) -> None:
        if not self._sweeping:
            self._go_on_sweeping()

    def _go_on_sweeping(self) -> None:
        """A slice, and another one in the next turn of the loop while there is something to free."""
        clock, trash = self.server.clock, self.server.keyspace.trash
        deadline = clock.monotonic_ns() + SWEEP_SLICE_NS
        self._sweeping = True
        while self._sweeping and clock.monotonic_ns() < deadline:
            self._sweeping = trash.sweep(SWEEP_OBJECTS)
        if self._sweeping:
            self._loop.call_soon(self._go_on_sweeping)


def run(config: Config) -> int:
    """Runs a server until it is told to stop; returns the exit status."""
    if config.daemonize:
        daemonize()
    try:
        configure(config.loglevel, config.place(config.logfile) if config.logfile else "")
    except OSError as error:
        print(f"Can't open the log file: {error.strerror}", file=sys.stderr)
        return 1
    supervisor = Supervisor(config)
    supervisor.tell("STATUS=Redis is loading...\n")
    _announce(config)
    pidfile = PidFile(config)
    pidfile.write()
    try:
        if os.environ.get("REDLOOP_LOOP") == "asyncio":
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:  # one that watches sockets, also on Windows
                status = runner.run(_serve(config, supervisor))
        else:
            status = _run_on_fast_loop(config, supervisor)
    except BootError as error:
        log.warning("%s", error)
        status = 1
    except Exception:
        log.exception("redloop ends on a bug; please report it")
        status = 1
    pidfile.remove()
    if not status:
        log.warning("Redis is now ready to exit, bye bye...")
    return status


def _run_on_fast_loop(config: Config, supervisor: Supervisor) -> int:
    if sys.platform == "win32":
        import winloop as fast_loop
    else:
        import uvloop as fast_loop
    with asyncio.Runner(loop_factory=fast_loop.new_event_loop) as runner:
        return runner.run(_serve(config, supervisor))


async def _serve(config: Config, supervisor: Supervisor) -> int:
    instance = Instance(config)
    install_signals(instance.request_stop)
    try:
        await instance.start()
    except BootError as error:
        if not instance.stopping:
            raise
        log.warning("%s", error)  # it was told to stop while it loaded
        return 0
    supervisor.tell("STATUS=Ready to accept connections\n")
    supervisor.tell("READY=1\n")
    gc.collect()
    gc.freeze()
    await instance.stopped()
    supervisor.tell("STOPPING=1\n")
    return 0


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
    log.log(NOTICE, "Running mode=standalone, port=%d.", config.port or config.tls_port)


__all__ = ["BootError", "Instance", "run"]
