"""Keyspace notifications: changes of keys, published to whom it may concern (https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/).

The listener is there only while notify-keyspace-events asks for something. K publishes the event to `__keyspace@<db>__:<key>`, E the key to
`__keyevent@<db>__:<event>`; the other letters choose the classes of events.
"""

from __future__ import annotations

from redloop.engine.server import Server
from redloop.events import KEYEVENT, KEYSPACE
from redloop.keyspace.database import Database


class Notifications:
    """Publishes the events of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._classes = 0
        self._keyspace = False
        self._keyevent = False
        self.configure()
        server.config.on_change("notify-keyspace-events", self.configure)

    def configure(self) -> None:
        """Follows notify-keyspace-events."""
        server = self.server
        flags = server.config.notify_keyspace_events
        server.remove_listener(self._publish)
        self._keyspace = bool(flags & KEYSPACE)
        self._keyevent = bool(flags & KEYEVENT)
        self._classes = flags
        if flags and (self._keyspace or self._keyevent):
            server.add_listener(self._publish)

    def _publish(self, database: Database, key: bytes, event_class: int, event: bytes) -> None:
        if not event_class & self._classes:
            return
        pubsub = self.server.pubsub
        if self._keyspace:
            pubsub.publish(b"__keyspace@%d__:%b" % (database.index, key), event)
        if self._keyevent:
            pubsub.publish(b"__keyevent@%d__:%b" % (database.index, event), key)
