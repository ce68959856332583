"""Features: what a server has beside clients and commands, each in a module of its own, put together here."""

from __future__ import annotations

from redloop.engine.acl.access import AccessControl
from redloop.engine.blocking import BlockedClients
from redloop.engine.client_eviction import ClientEviction
from redloop.engine.eviction import Eviction
from redloop.engine.guards import Pause
from redloop.engine.migration import Migrations
from redloop.engine.monitor import Monitors
from redloop.engine.notifications import Notifications
from redloop.engine.pubsub import PubSub
from redloop.engine.server import Server
from redloop.engine.tracking import Tracking
from redloop.engine.watch import Watched


def install(server: Server) -> None:
    """Gives a new server its features; none of them costs anything before it is used."""
    server.access = AccessControl(server)
    server.blocked = BlockedClients(server)
    server.pause = Pause(server)
    server.pubsub = PubSub(server)
    Notifications(server)
    server.watched = Watched(server)
    server.monitors = Monitors(server)
    server.tracking = Tracking(server)
    server.eviction = Eviction(server)
    ClientEviction(server)
    server.migrations = Migrations(server)
    for name in ("maxmemory-policy", "lfu-log-factor", "lfu-decay-time"):
        server.config.on_change(name, server.follow_use)
    server.follow_use()
