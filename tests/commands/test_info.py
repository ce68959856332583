"""INFO without a real server: what the figures say of what has happened."""

from __future__ import annotations

from redloop.commands.info import SECTIONS, Report, percentiles
from redloop.engine.command import Histogram
from tests.engine.house import House


def told(house: House, section: str) -> dict[str, str]:
    """The fields of a section."""
    for one in SECTIONS:
        if one.title.lower() == section:
            return {name: str(value) for name, value in one.fields(Report(house.server))}
    raise AssertionError(section)


def test_what_came_in_and_went_out_is_told() -> None:
    house = House()
    guest = house.visit()
    for _ in range(20):
        guest.say("SET k v", "GET k", "GET nosuch")
        house.clock.advance(100)
        house.server.cron.run()
    stats = told(house, "stats")
    assert (stats["total_commands_processed"], stats["instantaneous_ops_per_sec"]) == ("60", "30")
    assert (stats["keyspace_hits"], stats["keyspace_misses"]) == ("20", "20")
    assert stats["total_reads_processed"] == stats["total_writes_processed"] == "20"
    assert told(house, "threads") == {"io_thread_0": "clients=1,reads=20,writes=20"}


def test_uptime_follows_the_clock() -> None:
    house = House()
    house.clock.advance(2 * 86_400_000 + 5000)
    server = told(house, "server")
    assert (server["uptime_in_seconds"], server["uptime_in_days"]) == ("172805", "2")
    assert server["server_time_usec"] == str(house.clock.now_ms() * 1000)


def test_listeners_are_told_as_configured() -> None:
    house = House(port="0")
    assert "listener0" not in told(house, "server")
    house.config.unixsocket = "/run/redis.sock"
    assert told(house, "server")["listener0"] == "name=unix,bind=/run/redis.sock"


def test_waiting_and_subscribed_clients_are_told_of() -> None:
    house = House()
    for line in ("BLPOP a b 5", "BLPOP a 0", "SUBSCRIBE x", "WATCH a b"):
        house.visit().say(line)
    clients = told(house, "clients")
    assert (clients["connected_clients"], clients["blocked_clients"], clients["clients_in_timeout_table"]) == ("4", "2", "1")
    assert (clients["total_blocking_keys"], clients["pubsub_clients"]) == ("2", "1")
    assert (clients["watching_clients"], clients["total_watched_keys"]) == ("1", "2")


def test_memory_adds_up() -> None:
    memory = told(House(), "memory")
    assert int(memory["used_memory_overhead"]) + int(memory["used_memory_dataset"]) == int(memory["used_memory"])
    assert int(memory["used_memory"]) <= int(memory["used_memory_peak"])


def test_dropped_keys_are_freed_in_slices() -> None:
    house = House()
    house.visit().say("MSET a 1 b 2 c 3", "FLUSHALL")
    memory = told(house, "memory")
    assert (memory["lazyfree_pending_objects"], memory["lazyfreed_objects"]) == ("3", "0")
    house.server.keyspace.trash.sweep(1 << 30)
    memory = told(house, "memory")
    assert (memory["lazyfree_pending_objects"], memory["lazyfreed_objects"]) == ("0", "3")


def test_expired_keys_and_fields_are_counted() -> None:
    house = House()
    guest = house.visit()
    guest.say("SET a 1 PX 5", "SET b 1 PX 5", "HSET h f v g w", "HPEXPIRE h 5 FIELDS 1 f")
    house.clock.advance(10)
    assert told(house, "stats")["expired_stale_perc"] == "100.00"
    house.server.expire_some(1_000_000)
    guest.say("HGETALL h")
    stats = told(house, "stats")
    assert (stats["expired_keys"], stats["expired_subkeys"], stats["expired_stale_perc"]) == ("2", "1", "0.00")


def test_a_wrong_password_is_counted() -> None:
    house = House(requirepass="secret")
    house.visit().say("AUTH wrong")
    assert told(house, "stats")["acl_access_denied_auth"] == "1"


def test_codes_that_would_break_a_line_do_not() -> None:
    house = House()
    house.server.statistics.count_error("a:b")
    assert told(house, "errorstats") == {"errorstat_a_b": "count=1"}


def test_percentiles_are_the_ends_of_buckets() -> None:
    histogram = Histogram()
    for ns in [2000] * 50 + [10_000] * 49 + [100_000]:
        histogram.add(ns)
    assert percentiles(histogram, [50.0, 50.1, 99.0, 99.9, 100.0]) == [2.047, 10.239, 10.239, 106.495, 106.495]
    assert percentiles(histogram, [0.0]) == [2.047]
    assert percentiles(Histogram(), [50.0]) == []
    assert percentiles(histogram, []) == []
