"""maxmemory-clients: who takes most has to go."""

from __future__ import annotations

import pytest

from redloop.engine.client import CLIENT_BYTES
from redloop.engine.client_line import describe
from tests.engine.house import House


def with_room_for(clients: float, **settings: str) -> House:
    return House(maxmemory_clients=str(int(clients * CLIENT_BYTES)), **settings)


def test_half_a_command_counts() -> None:
    house = with_room_for(5)
    small, large = house.visit(), house.visit()
    large.client.feed(b"*2\r\n$4\r\nECHO\r\n$100000\r\n" + b"x" * 40_000)
    assert small.say("PING") == b"+PONG\r\n"
    house.clock.advance(100)
    house.server.cron.run()
    assert large.client.closing
    assert not small.client.closing
    assert b"evicted_clients:1\r\n" in small.say("INFO stats")


def test_what_is_not_read_counts() -> None:
    house = with_room_for(5)
    small, large = house.visit(), house.visit()
    large.client.peer.pending = lambda: 40_000
    assert small.say("PING") == b"+PONG\r\n"
    house.clock.advance(100)
    house.server.cron.run()
    assert large.client.closing
    assert not small.client.closing


def test_what_is_queued_counts_and_its_own_client_may_go() -> None:
    house = with_room_for(5)
    small, large = house.visit(), house.visit()
    large.say("MULTI")
    for _ in range(30):
        large.say("SET k " + "x" * 1000)
    assert large.client.closing
    assert small.say("GET k") == b"$-1\r\n"


def test_who_may_not_be_evicted_counts_all_the_same() -> None:
    house = with_room_for(4)
    small, large = house.visit(), house.visit()
    large.say("CLIENT NO-EVICT ON")
    large.client.peer.pending = lambda: 40_000
    house.clock.advance(100)
    house.server.cron.run()
    assert small.client.closing
    assert not large.client.closing


def test_no_more_go_than_need_to() -> None:
    house = with_room_for(6)
    guests = [house.visit() for _ in range(4)]
    guests[1].client.peer.pending = lambda: 12_000
    guests[2].client.peer.pending = lambda: 15_000
    house.clock.advance(100)
    house.server.cron.run()
    assert [guest.client.closing for guest in guests] == [False, False, True, False]


@pytest.mark.parametrize(("maxmemory", "goes"), [("1gb", False), ("0", False), ("60000", True)])
def test_a_percentage_is_one_of_maxmemory(maxmemory: str, goes: bool) -> None:
    house = House(maxmemory_clients="5%", maxmemory=maxmemory)
    guest = house.visit()
    guest.say("PING")
    assert guest.client.closing is goes


def test_without_a_limit_there_is_no_guard_and_no_timer() -> None:
    house = with_room_for(5)
    guest = house.visit()
    timers = len(house.server.cron.timers)
    guest.say("CONFIG SET maxmemory-clients 0")
    assert not house.server.guards
    assert len(house.server.cron.timers) == timers - 1


def test_what_client_list_says() -> None:
    house = House()
    guest = house.visit()
    guest.say("MULTI", "SET k " + "x" * 1000)
    line = describe(guest.client)
    assert f"tot-mem={guest.client.memory_size()}" in line
    assert "multi-mem=1254" in line
