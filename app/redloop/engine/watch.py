"""WATCH: notices when a key changes before a transaction (https://redis.io/docs/latest/develop/interact/transactions/).

While somebody watches, a listener looks at every change of a key; while nobody does, there is none. A change to the same value counts,
and so do expiry, FLUSHALL of a key that was there, and SWAPDB.
"""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.server import Server
from redloop.events import ASIDE, FLUSHED, KEY_MISS, NEW, SWAPPED
from redloop.keyspace.database import Database


class Watched:
    """The watched keys of one server, and the clients whose next EXEC must fail."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._watchers: dict[tuple[int, bytes], set[Client]] = {}
        self._keys: dict[Client, set[tuple[int, bytes]]] = {}
        self._changed: set[Client] = set()

    def watch(self, client: Client, database: Database, key: bytes) -> None:
        """From now on `client` wants to know of changes to `key`."""
        place = (database.index, key)
        keys = self._keys.get(client)
        if keys is None:
            if not self._keys:
                self.server.add_listener(self._notice)
            keys = self._keys[client] = set()
            client.on_leave.append(self.unwatch)
        if place not in keys:
            database.peek(key)  # one that is due vanishes now, and not as a change
            keys.add(place)
            self._watchers.setdefault(place, set()).add(client)

    def unwatch(self, client: Client) -> None:
        """Forgets what `client` watches."""
        for place in self._keys.pop(client, set()):
            watchers = self._watchers[place]
            watchers.discard(client)
            if not watchers:
                del self._watchers[place]
        self._changed.discard(client)
        if self.unwatch in client.on_leave:
            client.on_leave.remove(self.unwatch)
        if not self._keys:
            self.server.remove_listener(self._notice)

    def count(self, client: Client) -> int:
        """How many keys `client` watches."""
        return len(self._keys.get(client, ()))

    def clients(self) -> int:
        """How many clients watch."""
        return len(self._keys)

    def keys(self) -> int:
        """How many keys are watched."""
        return len(self._watchers)

    def changed(self, client: Client) -> bool:
        """Whether a key that `client` watches has changed, or was due without anybody having asked for it."""
        for index, key in self._keys.get(client, ()):
            self.server.keyspace.databases[index].peek(key)
        return client in self._changed

    def _notice(self, database: Database, key: bytes, event_class: int, event: bytes) -> None:
        if event_class & (KEY_MISS | NEW | ASIDE):
            return
        if event_class & (FLUSHED | SWAPPED):
            for (index, watched), watchers in self._watchers.items():
                if index == database.index and database.exists(watched):
                    self._changed |= watchers
        else:
            self._changed |= self._watchers.get((database.index, key), set())
