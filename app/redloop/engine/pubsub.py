"""Publish and subscribe (https://redis.io/docs/latest/develop/interact/pubsub/).

A message is encoded once for each protocol, and handed to each subscriber's output, which leaves in one write at the end of the loop's
tick. Channels, patterns and shard channels each have a `Directory`; a client's number of channels and patterns makes it a subscriber,
which in RESP2 may only subscribe and unsubscribe.
"""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import Command
from redloop.engine.server import Server
from redloop.errors import RedisError, not_for_subscribers
from redloop.patterns import compile_pattern
from redloop.resp.encode import encode
from redloop.resp.replies import Push

ALLOWED = frozenset(
    {"subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe", "ping", "quit", "reset"}
)
"""What a subscriber may say in RESP2."""


class Directory:
    """Who listens to what, both ways round. Order of subscription is kept."""

    def __init__(self) -> None:
        self.listeners: dict[bytes, dict[Client, None]] = {}
        self._names: dict[Client, dict[bytes, None]] = {}

    def add(self, client: Client, name: bytes) -> None:
        """Enters `client` under `name`."""
        self.listeners.setdefault(name, {})[client] = None
        self._names.setdefault(client, {})[name] = None

    def remove(self, client: Client, name: bytes) -> None:
        """Takes `client` out from under `name`, if it is there."""
        listeners = self.listeners.get(name)
        if listeners is None or client not in listeners:
            return
        del listeners[client]
        if not listeners:
            del self.listeners[name]
        names = self._names[client]
        del names[name]
        if not names:
            del self._names[client]

    def names(self, client: Client) -> list[bytes]:
        """What `client` listens to."""
        return list(self._names.get(client, {}))

    def count(self, client: Client) -> int:
        """To how many names `client` listens."""
        return len(self._names.get(client, {}))


class PubSub:
    """The subscriptions of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.channels = Directory()
        self.patterns = Directory()
        self.shards = Directory()

    def subscribe(self, client: Client, directory: Directory, kind: bytes, name: bytes) -> Push:
        """Enters a subscription; returns its confirmation."""
        directory.add(client, name)
        if self.leave not in client.on_leave:
            client.on_leave.append(self.leave)
            client.add_guard(only_subscribing)
        return self._confirm(client, directory, kind, name)

    def unsubscribe(self, client: Client, directory: Directory, kind: bytes, name: bytes | None) -> Push:
        """Takes a subscription out; returns its confirmation. `name` is None where there was none at all."""
        if name is not None:
            directory.remove(client, name)
        return self._confirm(client, directory, kind, name)

    def leave(self, client: Client) -> None:
        """Takes out all subscriptions of `client`."""
        for directory in (self.channels, self.patterns, self.shards):
            for name in directory.names(client):
                directory.remove(client, name)
        self._settle(client)

    def _confirm(self, client: Client, directory: Directory, kind: bytes, name: bytes | None) -> Push:
        self._settle(client)
        left = self.shards.count(client) if directory is self.shards else self.channels.count(client) + self.patterns.count(client)
        return Push([kind, name, left])

    def _settle(self, client: Client) -> None:
        client.subscriptions = self.channels.count(client) + self.patterns.count(client) + self.shards.count(client)
        client.output_kind = 2 if client.subscriptions else 0
        if not client.subscriptions:
            client.remove_guard(only_subscribing)
            if self.leave in client.on_leave:
                client.on_leave.remove(self.leave)

    def publish(self, channel: bytes, message: bytes) -> int:
        """Sends `message` to everybody who listens to `channel`, by name or by pattern; returns to how many."""
        receivers = self._send(self.channels, channel, [b"message", channel, message])
        for pattern in list(self.patterns.listeners):
            if compile_pattern(pattern).matches(channel):
                receivers += self._send(self.patterns, pattern, [b"pmessage", pattern, channel, message])
        return receivers

    def publish_shard(self, channel: bytes, message: bytes) -> int:
        """`publish` to the subscribers of a shard channel."""
        return self._send(self.shards, channel, [b"smessage", channel, message])

    def _send(self, directory: Directory, name: bytes, items: list[object]) -> int:
        listeners = directory.listeners.get(name)
        if listeners is None:
            return 0
        push = Push(items)
        resp2 = resp3 = b""  # encoded once, and only for whom there is
        for client in listeners:
            if client.resp3:
                if not resp3:
                    resp3 = _encoded(push, True)
                client.push(resp3)
            else:
                if not resp2:
                    resp2 = _encoded(push, False)
                client.push(resp2)
        return len(listeners)


def _encoded(push: Push, resp3: bool) -> bytes:
    out: list[bytes] = []
    encode(push, out, resp3)
    return b"".join(out)


def only_subscribing(client: Client, command: Command, argv: list[bytes]) -> object:
    """The guard of a subscriber: RESP2 has no way to tell a reply from a message."""
    if not client.resp3 and command.name not in ALLOWED:
        raise RedisError(not_for_subscribers(command.name))
    return None
