"""Who monitors sees every command, in Redis's notation, and nothing that is secret."""

from __future__ import annotations

from redloop.engine.client import MAX_PENDING_OUTPUT
from tests.engine.house import Guest, House

STAMP = b"+1700000000.000000 "


def watched() -> tuple[House, Guest, Guest]:
    """A house, one who looks on, and another."""
    house = House()
    watcher, guest = house.visit("10.0.0.9:9"), house.visit()
    assert watcher.say("MONITOR") == b"+OK\r\n"
    return house, watcher, guest


def seen(watcher: Guest) -> list[bytes]:
    return [line.removeprefix(STAMP) for line in watcher.look().split(b"\r\n")[:-1]]


def test_a_command_is_shown_with_time_database_address_and_words() -> None:
    _, watcher, guest = watched()
    guest.say("SELECT 3", "SeT key value")
    assert watcher.look() == STAMP + b'[3 10.0.0.1:5000] "SELECT" "3"\r\n' + STAMP + b'[3 10.0.0.1:5000] "SeT" "key" "value"\r\n'


def test_words_are_escaped() -> None:
    _, watcher, guest = watched()
    word = b'\x00\a\b\t\n\r\x1b "\\~\x7f\xff'
    guest.client.feed(b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (len(word), word))
    guest.house.end_tick()
    assert watcher.look() == STAMP + rb'[0 10.0.0.1:5000] "ECHO" "\x00\a\b\t\n\r\x1b \"\\~\x7f\xff"' + b"\r\n"


def test_failed_commands_are_shown_refused_and_administrative_ones_are_not() -> None:
    _, watcher, guest = watched()
    guest.say("INCR k x", "NOSUCH", "CONFIG GET port", "SLOWLOG LEN", "SET k x", "INCR k")
    assert [line.split(b" ", 2)[2] for line in seen(watcher)] == [b'"SET" "k" "x"', b'"INCR" "k"']


def test_secrets_are_left_out() -> None:
    _, watcher, guest = watched()
    guest.say("AUTH secret", "AUTH default secret", "HELLO 2 AUTH default secret SETNAME x")
    told = seen(watcher)
    assert len(told) == 3
    assert not any(b"secret" in line for line in told)


def test_its_own_commands_come_behind_their_replies() -> None:
    _, watcher, _ = watched()
    lines = watcher.say("ECHO a", "ECHO b")
    where = STAMP + b"[0 10.0.0.9:9] "
    assert lines == b"$1\r\na\r\n" + where + b'"ECHO" "a"\r\n$1\r\nb\r\n' + where + b'"ECHO" "b"\r\n'


def test_it_may_not_touch_keys() -> None:
    _, watcher, _ = watched()
    assert watcher.say("GET a") == b"-ERR Replica can't interact with the keyspace\r\n"


def test_once_is_enough() -> None:
    house, watcher, guest = watched()
    assert watcher.say("MONITOR") == b""
    guest.say("PING")
    assert len(seen(watcher)) == 1
    assert len(house.server.observers) == 1


def test_reset_and_leaving_end_it() -> None:
    house, watcher, guest = watched()
    assert "O" in watcher.client.flags()
    assert watcher.say("RESET") == b"+RESET\r\n"
    assert not house.server.observers
    assert "O" not in watcher.client.flags()
    assert watcher.say("GET a") == b"$-1\r\n"
    watcher.say("MONITOR")
    watcher.client.lost()
    assert not house.server.observers
    guest.say("PING")
    assert not watcher.look()


def test_who_wants_no_replies_gets_no_lines() -> None:
    _, watcher, guest = watched()
    watcher.say("CLIENT REPLY OFF")
    guest.say("PING")
    assert not watcher.look()


def test_a_blocked_command_is_shown_once_and_counts_once() -> None:
    house, watcher, guest = watched()
    guest.say("BLPOP q 0")
    other = house.visit("10.0.0.2:2")
    other.say("SADD q x", "DEL q", "RPUSH q x")
    assert guest.look() == b"*2\r\n$1\r\nq\r\n$1\r\nx\r\n"
    assert [line.split(b'"')[1] for line in seen(watcher)] == [b"BLPOP", b"SADD", b"DEL", b"RPUSH"]
    blpop = house.server.find_command([b"BLPOP"])
    assert blpop is not None
    assert blpop.calls == 1
    assert sum(count for _, count in blpop.histogram.buckets()) == 1


def test_who_does_not_read_is_hung_up_on() -> None:
    house, watcher, _ = watched()
    watcher.client.peer.pending = lambda: MAX_PENDING_OUTPUT + 1
    watcher.client.congest()
    assert watcher.client.closing
    assert house.server.statistics.output_limit_disconnections == 1


def test_a_script_has_no_address() -> None:
    house, watcher, _ = watched()
    house.visit("").say("PING")
    assert seen(watcher) == [b'[0 lua] "PING"']


def test_a_unix_socket_is_told_by_its_path() -> None:
    house, watcher, guest = watched()
    house.config.unixsocket = "/run/redis.sock"
    guest.client.peer.unix = True
    guest.say("PING")
    assert seen(watcher) == [b'[0 unix:/run/redis.sock] "PING"']
