"""The slow log takes up what was slow, cut to size, without secrets."""

from __future__ import annotations

from tests.engine.house import House


def test_only_what_takes_as_long_as_the_threshold_is_taken_up() -> None:
    house = House()
    guest = house.visit()
    house.slow("get", 9)
    guest.say("GET a")
    assert not house.server.slowlog.entries
    house.slow("get", 1)
    guest.say("GET b")
    entry = house.server.slowlog.entries[0]
    assert (entry.id, entry.second, entry.microseconds, entry.argv) == (0, house.clock.seconds, 10_000, [b"GET", b"b"])
    assert (entry.address, entry.name) == ("10.0.0.1:5000", b"")


def test_the_newest_comes_first_and_the_oldest_leaves() -> None:
    house = House(slowlog_log_slower_than="0", slowlog_max_len="2")
    house.visit().say("GET a", "GET b", "GET c")
    assert [(entry.id, entry.argv[1]) for entry in house.server.slowlog.entries] == [(2, b"c"), (1, b"b")]


def test_ids_are_not_used_again() -> None:
    house = House(slowlog_log_slower_than="0")
    guest = house.visit()
    guest.say("GET a", "SLOWLOG RESET", "GET b")
    assert [entry.id for entry in house.server.slowlog.entries] == [2, 1]


def test_a_shorter_length_shows_when_the_next_comes() -> None:
    house = House(slowlog_log_slower_than="0")
    guest = house.visit()
    guest.say("GET a", "GET b", "GET c")
    house.config.change([("slowlog-max-len", "1")])
    assert len(house.server.slowlog.entries) == 3
    guest.say("GET d")
    assert [entry.argv[1] for entry in house.server.slowlog.entries] == [b"d"]


def test_switched_off_nothing_is_shown_to_it() -> None:
    house = House(slowlog_log_slower_than="0")
    for setting in (("slowlog-log-slower-than", "-1"), ("slowlog-max-len", "0")):
        house.config.change([("slowlog-log-slower-than", "0"), ("slowlog-max-len", "128")])
        assert house.server.slow_ns == 0
        house.config.change([setting])
        assert house.server.slow_ns == 1 << 62


def test_long_arguments_and_long_lists_of_them_are_cut() -> None:
    house = House(slowlog_log_slower_than="0")
    house.visit().say(f"SET k {'x' * 130}", f"DEL {' '.join('a' * 40)}", f"DEL {' '.join('a' * 31)}")
    all_there, cut, long_word = house.server.slowlog.entries
    assert all_there.argv == [b"DEL", *[b"a"] * 31]
    assert cut.argv == [b"DEL", *[b"a"] * 30, b"... (10 more arguments)"]
    assert long_word.argv[2] == b"x" * 128 + b"... (2 more bytes)"


def test_secrets_are_left_out() -> None:
    house = House(slowlog_log_slower_than="0")
    house.visit().say("AUTH x", "AUTH default x", "HELLO 3 AUTH default x SETNAME n", "CONFIG SET requirepass x maxmemory 1", "HELLO 2")
    assert [entry.argv for entry in reversed(house.server.slowlog.entries)] == [
        [b"AUTH", b"(redacted)"],
        [b"AUTH", b"(redacted)", b"(redacted)"],
        [b"HELLO", b"3", b"AUTH", b"(redacted)", b"(redacted)", b"SETNAME", b"n"],
        [b"CONFIG", b"SET", b"requirepass", b"(redacted)", b"maxmemory", b"1"],
        [b"HELLO", b"2"],
    ]
