"""Limits on clients follow the configuration."""

from __future__ import annotations

from redloop import commands  # noqa: F401  # declares the commands
from redloop.clock import ManualClock
from redloop.config import Config
from redloop.engine.client import PARKED_BLOCKED, PARKED_LONG, Client
from redloop.engine.features import install
from redloop.engine.limits import Limits
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.errors import MAX_CLIENTS, PROTECTED_MODE


class House:
    """A server with limits, and peers that note what they get."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.config = Config()
        self.server = Server(self.config, self.clock)
        install(self.server)
        self.limits = Limits(self.server)

    def visit(self, *, local: bool = True) -> tuple[Client | None, list[bytes]]:
        peer = Peer()
        got: list[bytes] = []
        peer.write = got.append
        peer.close = lambda: got.append(b"closed")
        peer.local = local
        return self.limits.admit(peer), got

    def client(self) -> Client:
        client, _ = self.visit()
        assert client is not None
        return client


def test_no_more_than_maxclients_come_in() -> None:
    house = House()
    house.config.change([("maxclients", "1")])
    house.client()
    client, got = house.visit()
    assert (client, got) == (None, [f"-{MAX_CLIENTS}\r\n".encode(), b"closed"])
    statistics = house.server.statistics
    assert (statistics.connections_received, statistics.connections_rejected) == (1, 1)


def test_protected_mode_lets_strangers_in_with_a_password_only() -> None:
    house = House()
    client, got = house.visit(local=False)
    assert (client, got) == (None, [f"-{PROTECTED_MODE}\r\n".encode(), b"closed"])
    house.config.change([("requirepass", "x")])
    assert house.visit(local=False)[0] is not None
    house.config.change([("requirepass", ""), ("protected-mode", "no")])
    assert house.visit(local=False)[0] is not None


def test_who_says_nothing_for_timeout_seconds_is_hung_up_on() -> None:
    house = House()
    idle, blocked, subscribed, busy = house.client(), house.client(), house.client(), house.client()
    busy.parked = PARKED_LONG
    blocked.parked = PARKED_BLOCKED
    subscribed.subscriptions = 1
    house.clock.advance(100_000)
    house.server.cron.run()
    house.config.change([("timeout", "10")])
    fresh = house.client()
    house.clock.advance(10_000)
    house.server.cron.run()
    assert [client.closing for client in (idle, blocked, subscribed, busy, fresh)] == [True, False, False, False, False]


def test_a_new_bulk_size_counts_for_those_who_are_here() -> None:
    house = House()
    client = house.client()
    house.config.change([("proto-max-bulk-len", "1mb")])
    assert client.most_bytes == 1 << 20
