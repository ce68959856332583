"""MONITOR: clients that are shown every command as it runs (https://redis.io/docs/latest/commands/monitor/).

An observer of the server, only while somebody monitors. A command is shown after it ran, so what a transaction or a script ran comes before
the EXEC; a command flagged SKIP_MONITOR or ADMIN is not shown. EVAL and its kin are flagged so, and say `show` themselves before they run
the script. Secrets never get here: a command that is given one puts REDACTED in its place in argv before it ends.

A monitoring client sees its own commands too, each after its reply.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import ADMIN, MAY_REPLICATE, READONLY, SKIP_MONITOR, WRITE, Command
from redloop.engine.server import Server
from redloop.errors import MONITOR_KEYSPACE, RedisError

_NAMED: Final = {b"\\": b"\\\\", b'"': b'\\"', b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t", b"\a": b"\\a", b"\b": b"\\b"}


def _escaped(found: re.Match[bytes]) -> bytes:
    byte = found[0]
    return _NAMED.get(byte) or b"\\x%02x" % byte[0]


_escape: Final = partial(re.compile(rb'[^ !#-\[\]-~]').sub, _escaped)


def refuse_keys(client: Client, command: Command, argv: list[bytes]) -> object:
    """The guard of a monitoring client: it is there to look on."""
    if command.flags & (READONLY | WRITE | MAY_REPLICATE):
        raise RedisError(MONITOR_KEYSPACE)
    return None


class Monitors:
    """The monitoring clients of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clients: list[Client] = []

    def add(self, client: Client) -> None:
        """From now on `client` is shown every command."""
        if not self.clients:
            self.server.add_observer(self._observe)
        self.clients.append(client)
        client.monitoring = True
        client.add_guard(refuse_keys)
        client.on_leave.append(self._remove)

    def _remove(self, client: Client) -> None:
        self.clients.remove(client)
        client.monitoring = False
        client.remove_guard(refuse_keys)
        if not self.clients:
            self.server.remove_observer(self._observe)

    def _observe(self, client: Client, command: Command, argv: list[bytes], spent: int) -> None:
        if not command.flags & (SKIP_MONITOR | ADMIN) and not client.retrying:
            self.show(client, argv)

    def show(self, client: Client, argv: list[bytes]) -> None:
        """Shows a command of `client` to all who monitor."""
        if not self.clients:
            return
        line = self._line(client, argv)
        for monitor in self.clients:
            if not monitor.muted and not monitor.closing:
                monitor.push(line)

    def _line(self, client: Client, argv: list[bytes]) -> bytes:
        microseconds = self.server.clock.now_us()
        words = b" ".join([b'"%b"' % _escape(word) for word in argv])
        where = self._where(client).encode()
        return b"+%d.%06d [%d %b] %b\r\n" % (microseconds // 1_000_000, microseconds % 1_000_000, client.db.index, where, words)

    def _where(self, client: Client) -> str:
        if client.peer.unix:
            return f"unix:{self.server.config.unixsocket}"
        return client.peer.address or "lua"
