"""Client-side caching, as far as a second server cannot tell: what it costs, what is kept, what is random, what was not to be."""

from __future__ import annotations

import pytest

from redloop.engine.tracking import TRIM_KEYS, Table
from tests.engine.house import Guest, House


def told(*keys: str) -> bytes:
    return b"".join([b">2\r\n$10\r\ninvalidate\r\n*1\r\n$%d\r\n%b\r\n" % (len(key), key.encode()) for key in keys])


def caching(house: House, *options: str) -> Guest:
    guest = house.visit()
    guest.say("HELLO 3", " ".join(["CLIENT TRACKING ON", *options]))
    return guest


def test_nobody_tracks_no_hook() -> None:
    """While nobody tracks, a command passes no guard, no observer and no listener of tracking."""
    house = House()
    server = house.server
    hooks = (server.guards, server.observers, server.keyspace.listeners)
    guest = caching(house)
    guest.say("GET k")
    assert (server.guards, server.observers, server.keyspace.listeners) != hooks
    guest.client.lost()
    assert (server.guards, server.observers, server.keyspace.listeners) == hooks
    assert len(server.tracking.table) == 0


def test_keys_stay_known_while_any_tracker_is_connected() -> None:
    house = House()
    first, second = caching(house), caching(house)
    first.say("GET k")
    second.say("GET j")
    first.client.lost()
    assert len(house.server.tracking.table) == 2
    assert house.visit().say("SET k 1") == b"+OK\r\n"
    assert len(house.server.tracking.table) == 1
    second.client.lost()
    assert len(house.server.tracking.table) == 0


def test_one_tick_is_one_broadcast() -> None:
    house = House()
    guest = caching(house, "BCAST")
    other = house.visit()
    other.say("SET b 1", "SET a 1", "SET b 2")
    assert guest.look() == b">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    other.say("SET a 3")
    assert guest.look() == told("a")


def test_noloop_leaves_out_what_the_client_changed_itself_and_nothing_else() -> None:
    house = House()
    guest = caching(house, "BCAST", "NOLOOP")
    other = house.visit()
    guest.client.feed(b"SET mine 1\r\n")
    other.client.feed(b"SET theirs 1\r\n")
    house.end_tick()
    assert guest.look() == b"+OK\r\n" + told("theirs")


def test_the_table_is_kept_small() -> None:
    """Beyond tracking-table-max-keys keys are forgotten before anybody's next command, a hundred at a time, more if that is too few."""
    house = House(tracking_table_max_keys="10")
    guest, other = caching(house), house.visit()
    table = house.server.tracking.table
    guest.say(*[f"MGET {' '.join([f'key{n}' for n in range(start, start + 100)])}" for start in range(0, 400, 100)])
    before = len(table)
    assert before <= 10 + TRIM_KEYS
    guest.look()
    other.say("PING")
    assert len(table) == 10
    assert guest.look().count(b"invalidate") == before - 10


def test_room_in_the_table_takes_its_guard_away() -> None:
    house = House(tracking_table_max_keys="10")
    guest, other = caching(house), house.visit()
    guards = house.server.guards
    guest.say(*[f"GET key{n}" for n in range(20)])
    assert house.server.guards != guards
    other.say("FLUSHALL")
    guest.say("GET k")
    assert house.server.guards == guards


def test_an_idle_server_trims_too() -> None:
    house = House(tracking_table_max_keys="5")
    guest = caching(house)
    guest.say("MGET a b c d e f g")
    guest.look()
    house.clock.advance(200)
    house.server.cron.run()
    house.end_tick()
    assert guest.look().count(b"invalidate") == 2


def test_a_table_draws_any_of_its_keys() -> None:
    table = Table()
    for name in (b"a", b"b", b"c", b"d"):
        table.add(name, 1)
    table.add(b"b", 1)
    table.add(b"b", 2)
    assert (len(table), table.items) == (4, 5)
    assert table.take(b"a") == {1}
    assert table.take(b"a") is None
    assert {table.draw(chance / 3) for chance in range(3)} == {b"b", b"c", b"d"}
    assert table.take(b"b") == {1, 2}
    assert (len(table), table.items) == (2, 2)


def test_active_expiry_tells_at_once() -> None:
    house = House()
    guest, other = caching(house), house.visit()
    other.say("SET k v PX 10")
    guest.say("GET k")
    house.clock.advance(20)
    house.server.expire_some(1_000_000_000)
    house.end_tick()
    assert guest.look() == told("k")


def test_a_blocked_client_hears_of_its_own_pop_behind_the_reply() -> None:
    house = House()
    guest, other = caching(house, "BCAST"), house.visit()
    guest.say("BLPOP l 0")
    other.say("RPUSH l a")
    assert guest.look() == b"*2\r\n$1\r\nl\r\n$1\r\na\r\n" + told("l")


@pytest.mark.parametrize("muting", ["CLIENT REPLY OFF", "CLIENT REPLY SKIP"])
def test_a_client_without_replies_is_told_all_the_same(muting: str) -> None:
    house = House()
    guest = caching(house)
    guest.say("GET k", muting)
    guest.look()
    assert guest.say("SET k v") == told("k")


def test_a_paused_client_hears_of_its_own_command_behind_the_reply() -> None:
    house = House()
    guest, other = caching(house), house.visit()
    guest.say("GET k")
    other.say("CLIENT PAUSE 100000 WRITE")
    assert guest.say("SET k v") == b""
    other.say("CLIENT UNPAUSE")
    assert guest.look() == b"+OK\r\n" + told("k")
