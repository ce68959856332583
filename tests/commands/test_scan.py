"""KEYS over many keys is worked off in slices; a small keyspace, a transaction and slice-long-commands no are Redis's."""

from __future__ import annotations

from tests.engine.house import Guest, House

MANY = 25_000


def crowded() -> tuple[House, Guest, Guest]:
    house = House()
    database = house.server.keyspace.databases[0]
    for number in range(MANY):
        database.put(b"key:%d" % number, b"x")
    return house, house.visit(), house.visit()


def keys_in(reply: bytes) -> list[bytes]:
    head, *lines = reply.split(b"\r\n")
    found = lines[1::2]
    assert head == b"*%d" % len(found)
    return found


def ask(guest: Guest, *words: bytes) -> None:
    guest.client.feed(b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words]))


def test_others_are_served_between_the_slices() -> None:
    house, asker, other = crowded()
    ask(asker, b"KEYS", b"*")
    turns = 0
    while house.turn():
        turns += 1
        ask(other, b"PING")
        assert other.look() == b"+PONG\r\n"
    assert turns >= 4
    assert sorted(keys_in(asker.look())) == sorted([b"key:%d" % number for number in range(MANY)])


def test_what_follows_waits_its_turn() -> None:
    house, asker, _ = crowded()
    asker.client.feed(b"SET first 1\r\nKEYS key:1234*\r\nGET first\r\n")
    asker.client.feed(b"PING\r\n")
    assert asker.look() == b"+OK\r\n"
    while house.turn():
        pass
    reply = asker.look()
    assert reply.startswith(b"*11\r\n")
    assert reply.endswith(b"\r\n$1\r\n1\r\n+PONG\r\n")


def test_keys_that_stay_are_told_once_whatever_comes_and_goes() -> None:
    """While the directory doubles, and while it halves."""
    house, asker, other = crowded()
    database = house.server.keyspace.databases[0]
    ask(asker, b"KEYS", b"key:*")
    house.turn()
    for number in range(60_000):
        database.put(b"new:%d" % number, b"x")
    house.turn()
    for number in range(60_000):
        database.remove(b"new:%d" % number)
    for number in range(1000, MANY):
        database.remove(b"key:%d" % number)
    other.say("PING")
    found = keys_in(asker.look())
    assert len(found) == len(set(found))
    assert {b"key:%d" % number for number in range(1000)} <= set(found)


def test_who_hangs_up_ends_it() -> None:
    house, asker, _ = crowded()
    ask(asker, b"KEYS", b"*")
    assert house.turn()
    asker.client.lost()
    assert house.turn()
    assert not house.turn()


def test_at_once_in_a_transaction_and_when_told_to() -> None:
    house, asker, _ = crowded()
    asker.client.feed(b"MULTI\r\nKEYS *\r\nPING\r\nEXEC\r\n")
    assert asker.look().startswith(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n*25000\r\n")
    asker.client.feed(b"CONFIG SET slice-long-commands no\r\nKEYS *\r\n")
    assert asker.look().startswith(b"+OK\r\n*25000\r\n")
    assert not house.turn()


def test_all_slices_count_as_one_call() -> None:
    house, asker, _ = crowded()
    asker.say("CONFIG SET slowlog-log-slower-than 0", "SLOWLOG RESET")
    command = house.server.commands[b"keys"]
    ask(asker, b"KEYS", b"nothing*")
    while house.turn():
        house.clock.advance(1)
    assert command.calls == 1
    assert asker.look() == b"*0\r\n"


def test_without_replies_there_is_none() -> None:
    house, asker, _ = crowded()
    asker.client.feed(b"CLIENT REPLY OFF\r\nKEYS *\r\nCLIENT REPLY ON\r\n")
    while house.turn():
        pass
    assert asker.look() == b"+OK\r\n"
