"""Guards: rules that are checked before a command, each switched on only while it has something to check.

A guard is a function (client, command, argv): it returns None to let the command pass, raises RedisError to reject it, or returns the
reply to give instead. `server.add_guard` puts it before every client's commands, `client.add_guard` before one client's.
"""

from __future__ import annotations

from redloop.engine.client import PARKED_PAUSED, Client
from redloop.engine.command import MAY_REPLICATE, WRITE, Command
from redloop.engine.server import Server
from redloop.errors import RedisError, not_enabled
from redloop.resp.replies import NOTHING


def check_enabled(client: Client, name: str) -> None:
    """Raises if enable-debug-command or enable-module-command keeps `name`, debug or module, from this client."""
    config = client.server.config
    allowed = config.enable_debug_command if name == "debug" else config.enable_module_command
    if not (allowed == "yes" or (allowed == "local" and client.peer.local)):
        raise RedisError(not_enabled(name))


class Pause:
    """CLIENT PAUSE: commands wait until the pause ends (https://redis.io/docs/latest/commands/client-pause/).

    `writes_only` lets reading commands pass. A longer or stricter pause extends the one that runs.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.until_ms = 0
        self.writes_only = False
        self._waiting: list[Client] = []

    def active(self) -> bool:
        """Whether a pause runs."""
        return self.until_ms > self.server.clock.now_ms()

    def start(self, until_ms: int, writes_only: bool) -> None:
        """Pauses until `until_ms`, in milliseconds of wall time."""
        running = self.active()
        self.writes_only = writes_only and (self.writes_only or not running)
        self.until_ms = max(self.until_ms, until_ms) if running else until_ms
        self.server.keyspace.expiring = False
        self.server.keyspace.veiled = True
        self.server.add_guard(self.guard)
        self.server.later(self.until_ms - self.server.clock.now_ms(), self._check)

    def end(self) -> None:
        """Lets everybody go on."""
        self.until_ms = 0
        self.writes_only = False
        self.server.keyspace.expiring = True
        self.server.keyspace.veiled = False
        self.server.remove_guard(self.guard)
        waiting = self._waiting
        self._waiting = []
        for client in waiting:
            client.resume(PARKED_PAUSED)

    def guard(self, client: Client, command: Command, argv: list[bytes]) -> object:
        """Parks the client if its command must wait."""
        if self.writes_only and not command.flags & (WRITE | MAY_REPLICATE) and not _ends_writing(client, command):
            return None
        client.park(PARKED_PAUSED, argv)
        self._waiting.append(client)
        return NOTHING

    def _check(self) -> None:
        self.server.clock.refresh()
        left = self.until_ms - self.server.clock.now_ms()
        if not self.until_ms:
            return
        if left > 0:  # a longer pause has come, or the timer was early
            self.server.later(left, self._check)
        else:
            self.end()


def _ends_writing(client: Client, command: Command) -> bool:
    """Whether it is the EXEC of a transaction that writes."""
    transaction = client.transaction
    if transaction is None or command.name != "exec":
        return False
    return any(queued.flags & (WRITE | MAY_REPLICATE) for queued, _ in transaction.queued)
