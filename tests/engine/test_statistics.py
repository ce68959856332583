"""What INFO counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from redloop.engine.command import Histogram
from redloop.engine.statistics import MOST_ERROR_CODES, TOO_MANY_CODES, Rate, Statistics
from tests.engine.house import House


def test_a_rate_is_the_growth_of_a_second_over_the_last_readings() -> None:
    rate = Rate()
    assert rate.per_second() == 0.0
    for tick in range(100):
        rate.read(tick * 5 if tick < 50 else 245 + (tick - 49) * 20, tick * 100_000_000)
    assert rate.per_second() == 200.0


def test_errors_are_counted_by_code_until_there_are_too_many() -> None:
    statistics = Statistics()
    for number in range(MOST_ERROR_CODES):
        statistics.count_error(f"CODE{number}")
    statistics.count_error("CODE1")
    assert (len(statistics.errors), statistics.errors["CODE1"]) == (MOST_ERROR_CODES, 2)
    statistics.count_error("ANOTHER")
    statistics.count_error("CODE1")
    assert statistics.errors == {TOO_MANY_CODES: 1}
    assert statistics.error_replies == MOST_ERROR_CODES + 3


def test_the_server_counts_what_comes_and_goes() -> None:
    house = House()
    guest = house.visit()
    got = guest.say("SET k v", "GET k") + guest.say("NOSUCH")
    statistics = house.server.statistics
    assert statistics.bytes_in == len(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$6\r\nNOSUCH\r\n")
    assert statistics.bytes_out == len(got)
    assert (statistics.reads, statistics.writes) == (2, 2)
    assert house.server.commands_run() == 2
    assert statistics.errors == {"ERR": 1}


def test_a_timer_takes_the_readings() -> None:
    house = House()
    guest = house.visit()
    for _ in range(20):
        guest.say("PING", "PING", "PING")
        house.clock.advance(100)
        house.server.cron.run()
    assert round(house.server.statistics.command_rate.per_second()) == 30


def test_resetting_starts_afresh() -> None:
    house = House()
    guest = house.visit()
    guest.say("SET k v", "GET", "GET k", "GET nosuch", "CONFIG RESETSTAT")
    server = house.server
    assert (server.statistics.error_replies, server.keyspace.hits, server.keyspace.misses) == (0, 0, 0)
    assert {command.name: command.calls for command in server.all_commands() if command.calls} == {"config|resetstat": 1}


@given(st.lists(st.integers(0, 1 << 40)))
def test_a_histogram_counts_every_call_in_the_bucket_it_belongs_to(spans: list[int]) -> None:
    histogram = Histogram()
    for ns in spans:
        histogram.add(ns)
    buckets = [(low, high, count) for (low, count), (high, _) in zip(histogram.buckets(), histogram.ranges(), strict=True)]
    assert [count for _, _, count in buckets] == [sum(low <= ns < high for ns in spans) for low, high, _ in buckets]
    assert sum(count for _, _, count in buckets) == len(spans)
    assert all(low == 0 or high * 8 <= low * 9 for low, high, _ in buckets)


def test_without_latency_tracking_calls_are_not_told_of_but_what_was_is_kept() -> None:
    house = House()
    guest = house.visit()
    ping = house.server.find_command([b"PING"])
    assert ping is not None
    guest.say("PING", "CONFIG SET latency-tracking no", "PING", "PING")
    assert sum(count for _, count in ping.tracked.buckets()) == 1
    guest.say("CONFIG RESETSTAT", "PING")
    assert not ping.tracked.buckets()
    guest.say("CONFIG SET latency-tracking yes", "PING")
    assert sum(count for _, count in ping.tracked.buckets()) == 1
    assert ping.calls == 2
