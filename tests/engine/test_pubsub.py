"""Messages: encoded once, one write a tick, in order, and what a client brings upon itself behind its reply."""

from __future__ import annotations

from redloop.resp.encode import encode_command
from tests.engine.house import House


def message(text: bytes, kind: bytes = b"*") -> bytes:
    return kind + b"3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$%d\r\n%b\r\n" % (len(text), text)


def test_what_is_published_in_one_tick_leaves_in_one_write() -> None:
    house = House()
    subscriber, other, publisher = house.visit(), house.visit(), house.visit()
    subscriber.say("SUBSCRIBE ch")
    other.say("HELLO 3", "SUBSCRIBE ch")
    publisher.client.feed(encode_command([b"PUBLISH", b"ch", b"one"]) + encode_command([b"PUBLISH", b"ch", b"two"]))
    publisher.client.feed(encode_command([b"PUBLISH", b"ch", b"three"]))
    assert (subscriber.sent, other.sent) == ([], [])
    house.end_tick()
    assert subscriber.sent == [message(b"one") + message(b"two") + message(b"three")]
    assert other.sent == [message(b"one", b">") + message(b"two", b">") + message(b"three", b">")]


def test_subscribers_share_the_bytes_of_a_message() -> None:
    house = House()
    subscribers = [house.visit() for _ in range(3)]
    for subscriber in subscribers:
        subscriber.say("SUBSCRIBE ch")
    house.visit().client.feed(encode_command([b"PUBLISH", b"ch", b"text"]))
    assert len({id(subscriber.client.out[-1]) for subscriber in subscribers}) == 1


def test_a_message_to_oneself_comes_behind_the_reply() -> None:
    house = House()
    guest = house.visit()
    guest.say("HELLO 3", "SUBSCRIBE ch")
    guest.look()
    assert guest.say("PUBLISH ch a", "PING") == b":1\r\n" + message(b"a", b">") + b"+PONG\r\n"
    assert guest.say("MULTI", "PUBLISH ch b", "PING", "EXEC").endswith(b"*2\r\n:1\r\n+PONG\r\n" + message(b"b", b">"))
