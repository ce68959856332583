"""The latency monitor keeps the worst of each second, for each event."""

from __future__ import annotations

from redloop.clock import ManualClock
from redloop.config import Config
from redloop.engine.latency import LatencyMonitor
from tests.engine.house import House


def samples(latency: LatencyMonitor, event: str) -> list[tuple[int, int]]:
    return [(sample.second, sample.milliseconds) for sample in latency.events[event].samples]


def monitor(threshold: str) -> tuple[LatencyMonitor, ManualClock]:
    config, clock = Config(), ManualClock()
    config.change([("latency-monitor-threshold", threshold)])
    return LatencyMonitor(config, clock), clock


def test_of_each_second_the_worst_is_kept() -> None:
    latency, clock = monitor("5")
    start = clock.seconds
    for milliseconds in (4, 7, 9, 6):
        latency.add("fork", milliseconds)
    clock.advance(2000)
    latency.add("fork", 5)
    assert samples(latency, "fork") == [(start, 9), (start + 2, 5)]
    assert latency.events["fork"].worst == 9


def test_no_more_than_160_seconds_are_kept_but_the_worst_of_all_is_known() -> None:
    latency, clock = monitor("1")
    latency.add("fork", 99)
    for _ in range(200):
        clock.advance(1000)
        latency.add("fork", 2)
    assert len(samples(latency, "fork")) == 160
    assert latency.events["fork"].worst == 99


def test_without_a_threshold_nothing_is_noted() -> None:
    latency, _ = monitor("0")
    latency.add("fork", 1000)
    assert not latency.events
    assert latency.threshold_ns() == 1 << 62


def test_commands_are_told_apart_from_fast_ones() -> None:
    house = House(latency_monitor_threshold="3")
    guest = house.visit()
    for name, milliseconds in (("get", 3), ("set", 4), ("echo", 2)):
        house.slow(name, milliseconds)
    guest.say("GET a", "SET a b", "ECHO x")
    latency = house.server.latency
    assert {event: [sample[1] for sample in samples(latency, event)] for event in latency.events} == {"fast-command": [3], "command": [4]}


def test_the_threshold_follows_the_configuration() -> None:
    house = House(slowlog_log_slower_than="-1")
    guest = house.visit()
    house.slow("get", 3)
    guest.say("GET a", "CONFIG SET latency-monitor-threshold 3", "GET a", "CONFIG SET latency-monitor-threshold 4", "GET a")
    house.clock.advance(1000)
    guest.say("GET a")
    assert len(samples(house.server.latency, "fast-command")) == 1


def test_active_expiry_is_watched() -> None:
    house = House(latency_monitor_threshold="2")
    guest = house.visit()
    guest.say(*[f"SET key:{number} x PX 1" for number in range(10)])
    house.clock.advance(5)
    house.server.keyspace.on_expired = lambda database, key: house.clock.advance(1)
    house.server.expire_some(1_000_000)
    assert [sample[1] for sample in samples(house.server.latency, "expire-cycle")] == [10]
    assert house.server.statistics.expiry_ns == 10_000_000


def test_reset_forgets_what_is_named_or_all() -> None:
    latency, _ = monitor("1")
    for event in ("a", "b", "c"):
        latency.add(event, 1)
    assert latency.reset(["a", "a", "x"]) == 1
    assert list(latency.events) == ["b", "c"]
    assert latency.reset([]) == 2
    assert not latency.events
