"""Limits on clients that follow the configuration: how long one may be idle, how much it may send, whether it must say who it is.

`Limits(server)` registers itself: with the configuration for what changes, and with the timers for `timeout`.
"""

from __future__ import annotations

from redloop.engine.client import PARKED_BLOCKED, PARKED_LONG, Client
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.errors import MAX_CLIENTS, PROTECTED_MODE, RedisError

IDLE_CHECK_MS = 1000


class Limits:
    """Keeps the clients of one server within the configured limits."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.config = server.config
        server.cron.every(IDLE_CHECK_MS, self.close_idle)
        self.config.on_change("proto-max-bulk-len", self._bulk_size)

    def admit(self, peer: Peer) -> Client | None:
        """The client of a new connection; None when it may not come in, which the peer is told."""
        server = self.server
        refusal = ""
        if len(server.clients) >= self.config.maxclients:
            refusal = MAX_CLIENTS
        elif self.config.protected_mode and server.users.default.no_password and not peer.local:
            refusal = PROTECTED_MODE
        if refusal:
            server.statistics.connections_rejected += 1
            peer.write(RedisError(refusal).line())
            peer.close()
            return None
        server.statistics.connections_received += 1
        client = Client(server, peer, server.new_client_id())
        server.access.admit(client)
        server.register(client)
        return client

    def close_idle(self) -> None:
        """Hangs up on who has said nothing for `timeout` seconds, unless it waits for something."""
        timeout = self.config.timeout
        if not timeout:
            return
        longest_ago = self.server.clock.now_ms() - timeout * 1000
        for client in list(self.server.clients.values()):
            if client.seen_ms < longest_ago and not client.subscriptions and not client.parked & (PARKED_BLOCKED | PARKED_LONG):
                client.close()

    def _bulk_size(self) -> None:
        for client in self.server.clients.values():
            if client.authenticated:
                client.most_bytes = self.config.proto_max_bulk_len
