"""maxmemory-clients: the clients that take most are disconnected while all together take more.

What a client takes is what it has sent and is owed, what it has queued since MULTI, and what it costs to be connected
(`Client.memory_size`). The guard stands only while there is a limit: it brings the figure of the client whose turn it is up to date, a
timer those of all, who may be sent messages or send half a command. CLIENT NO-EVICT is exempt, and still counts.
"""

from __future__ import annotations

import logging
from operator import itemgetter

from redloop.engine.client import Client
from redloop.engine.client_line import describe
from redloop.engine.command import Command
from redloop.engine.cron import Timer
from redloop.engine.server import Server
from redloop.logs import NOTICE
from redloop.resp.replies import NOTHING

log = logging.getLogger("redloop.clients")

CHECK_MS = 100


class ClientEviction:
    """Keeps the clients of one server within maxmemory-clients."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.limit = 0
        self._sizes: dict[int, int] = {}
        self._total = 0
        self._timer: Timer | None = None
        for name in ("maxmemory-clients", "maxmemory"):
            server.config.on_change(name, self.follow)
        self.follow()

    def follow(self) -> None:
        """Follows the configuration; a percentage is one of maxmemory, and without that no limit."""
        server = self.server
        limit = server.config.maxmemory_clients
        self.limit = limit if limit >= 0 else server.config.maxmemory * -limit // 100
        if self.limit:
            server.add_guard(self.guard)
            if self._timer is None:
                self._timer = server.cron.every(CHECK_MS, self.check)
            return
        server.remove_guard(self.guard)
        if self._timer is not None:
            server.cron.cancel(self._timer)
            self._timer = None

    def guard(self, client: Client, command: Command, argv: list[bytes]) -> object:
        """Before a command; its client may be the one that has to go."""
        size = client.memory_size()
        self._total += size - self._sizes.get(client.id, 0)
        self._sizes[client.id] = size
        if self._total > self.limit:
            self.check()
            if client.closing:
                return NOTHING
        return None

    def check(self) -> None:
        """Looks at all clients, and disconnects the largest until the limit is kept."""
        clients = self.server.clients
        self._sizes = {client.id: client.memory_size() for client in clients.values()}
        self._total = sum(self._sizes.values())
        if self._total <= self.limit:
            return
        for ident, size in sorted(self._sizes.items(), key=itemgetter(1), reverse=True):
            client = clients[ident]
            if client.no_evict or client.closing:
                continue
            log.log(NOTICE, "Evicting client: %s", describe(client))
            self.server.statistics.clients_evicted += 1
            self._total -= size
            del self._sizes[ident]
            client.abort()
            if self._total <= self.limit:
                return
