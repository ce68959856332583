"""When a client's socket is read, and when it is not: who sends faster than it is served does not keep the others waiting."""

from __future__ import annotations

from redloop.engine.client import GREEDY, PARKED_DISK, PARKED_OUTPUT
from tests.engine.house import Guest, House

PINGS = b"PING\r\n" * (GREEDY // 6 + 1)


def watched(house: House) -> tuple[Guest, list[str]]:
    """A guest, and what was done to the reading of its socket."""
    guest = house.visit()
    done: list[str] = []
    guest.client.peer.pause_reading = lambda: done.append("pause")
    guest.client.peer.resume_reading = lambda: done.append("resume")
    return guest, done


def test_after_a_large_read_the_others_have_their_turn_first() -> None:
    house = House()
    guest, done = watched(house)
    guest.client.feed(PINGS)
    assert done == ["pause"]
    house.end_tick()
    assert done == ["pause", "resume"]
    guest.client.feed(b"PING\r\n")
    assert done == ["pause", "resume"]


def test_who_is_not_to_be_read_is_not_read_after_its_turn_either() -> None:
    house = House()
    guest, done = watched(house)
    guest.client.feed(PINGS)
    guest.client.park(PARKED_OUTPUT)
    house.end_tick()
    assert done == ["pause"]


def test_two_reasons_not_to_read_must_both_go() -> None:
    house = House()
    guest, done = watched(house)
    guest.client.park(PARKED_OUTPUT)
    guest.client.park(PARKED_DISK)
    guest.client.resume_reading(PARKED_DISK)
    assert done == []
    guest.client.relieve()
    assert done == ["resume"]
    guest.client.relieve()
    assert done == ["resume"]
