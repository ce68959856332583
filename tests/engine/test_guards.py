"""CLIENT PAUSE and its clock: a pause ends when its time has come, whatever the timer thinks. Its replies are compared in compat."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine.house import House


def test_a_timer_that_is_early_or_overtaken_asks_again() -> None:
    house = House()
    timers: list[tuple[int, Callable[[], None]]] = []
    house.server.later = lambda ms, callback: timers.append((ms, callback))
    guest, other = house.visit(), house.visit()
    guest.say("CLIENT PAUSE 30 WRITE")
    assert other.say("SET k v") == b""
    for advanced, left in ((29, 1), (1, 0)):
        house.clock.advance(advanced)
        timers.pop(0)[1]()
        house.end_tick()
        assert [ms for ms, _ in timers] == ([left] if left else [])
    assert other.look() == b"+OK\r\n"
    assert not house.server.guards


def test_a_key_that_is_due_stays_through_a_pause_and_is_not_seen() -> None:
    house = House()
    guest = house.visit()
    guest.say("SET k v PX 10", "CLIENT PAUSE 1000 WRITE")
    house.clock.advance(20)
    assert guest.say("GET k", "EXISTS k", "DBSIZE") == b"$-1\r\n:0\r\n:1\r\n"
    assert guest.say("CLIENT UNPAUSE", "GET k", "DBSIZE") == b"+OK\r\n$-1\r\n:0\r\n"
