"""MIGRATE: keys go to a real Redis and come back the same; a slow target stops nobody but who touches what is on its way."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.compat.servers import PATIENCE, Server, start
from tests.e2e.test_rdb import commands
from tests.e2e.wire import Reply, ReplyError, Wire


@pytest.fixture(scope="module")
def other() -> Iterator[Server]:
    with start("oracle", "--requirepass", "secret") as server:
        yield server


def migrate(wire: Wire, target: Server | int, *words: bytes | str | int, timeout_ms: int = 20_000) -> Reply:
    """Moves keys of the selected database to database 0."""
    port = target if isinstance(target, int) else target.port
    return wire.call("MIGRATE", "127.0.0.1", port, "", 0, timeout_ms, *words)


def test_keys_go_to_a_real_redis_and_come_back(server: Server, other: Server) -> None:
    with Wire(server) as here, Wire(other) as there:
        there.call("AUTH", "secret")
        there.call("FLUSHALL")
        for line in commands(1, 200):
            if line[0] != "SELECT":
                with contextlib.suppress(ReplyError):
                    here.call(*line)
        digest = here.call("DEBUG", "DIGEST")
        keys = here.items("KEYS", "*")
        assert len(keys) > 150
        names = [key for key in keys if isinstance(key, bytes)]
        assert migrate(here, other, "AUTH", "secret", "KEYS", *names) == b"OK"
        assert here.call("DBSIZE") == 0
        assert there.call("DEBUG", "DIGEST") == digest
        assert there.call("MIGRATE", "127.0.0.1", server.port, "", 0, 20_000, "KEYS", *names) == b"OK"
        assert there.call("DBSIZE") == 0
        assert here.call("DEBUG", "DIGEST") == digest


def test_what_the_target_says(server: Server, other: Server) -> None:
    with Wire(server) as here, Wire(other) as there:
        there.call("AUTH", "secret")
        there.call("FLUSHALL")
        there.call("SET", "b", "theirs")
        here.call("MSET", "a", "1", "b", "2", "c", "3")
        with pytest.raises(ReplyError, match=r"^ERR Target instance replied with error: NOAUTH Authentication required\.$"):
            here.call("MIGRATE", "localhost", other.port, "a", 0, 20_000)  # a connection of its own: nobody said AUTH on it
        with pytest.raises(ReplyError, match=r"^ERR Target instance replied with error: WRONGPASS invalid username-password pair"):
            migrate(here, other, "AUTH2", "default", "wrong", "KEYS", "a")
        with pytest.raises(ReplyError, match=r"^ERR Target instance replied with error: ERR DB index is out of range$"):
            here.call("MIGRATE", "127.0.0.1", other.port, "a", 99, 20_000, "AUTH", "secret")
        assert here.call("DBSIZE") == 3
        there.call("DEL", "a")  # it came on a connection that was logged in, and counts as refused all the same
        with pytest.raises(ReplyError, match=r"^ERR Target instance replied with error: BUSYKEY Target key name already exists\.$"):
            migrate(here, other, "AUTH", "secret", "KEYS", "a", "b", "c")
        assert here.items("KEYS", "*") == [b"b"]  # the others have arrived
        assert migrate(here, other, "COPY", "REPLACE", "AUTH2", "default", "secret", "KEYS", "b", "nokey") == b"OK"
        assert here.call("GET", "b") == there.call("GET", "b") == b"2"
        assert migrate(here, other, "AUTH", "secret", "KEYS", "nokey") == b"NOKEY"
        assert b"migrate_cached_sockets:2\r\n" in here.data("INFO", "stats")


def test_expiry_goes_along(server: Server, other: Server) -> None:
    with Wire(server) as here, Wire(other) as there:
        there.call("AUTH", "secret")
        there.call("FLUSHALL")
        here.call("SET", "a", "1", "PX", 1_000_000)
        assert here.call("MIGRATE", "127.0.0.1", other.port, "a", 5, 20_000, "AUTH", "secret") == b"OK"
        there.call("SELECT", 5)
        left = there.call("PTTL", "a")
        assert isinstance(left, int)
        assert 900_000 < left <= 1_000_000


def fill_large(wire: Wire) -> list[str]:
    """Large values of every type that can be large; their keys."""
    wire.call("SETRANGE", "buffer", 3_000_000, "end")
    wire.call("SET", "text", "x" * 2_000_000)
    for first in range(0, 40_000, 4000):
        numbers = range(first, first + 4000)
        wire.call("RPUSH", "list", *[f"item:{number}" for number in numbers])
        wire.call("SADD", "set", *[f"member:{number}" for number in numbers])
        wire.call("HSET", "hash", *[word for number in numbers for word in (f"field:{number}", number)])
        wire.call("ZADD", "zset", *[word for number in numbers for word in (str(number / 7), f"member:{number}")])
    wire.call("HEXPIRE", "hash", 10_000, "FIELDS", 2, "field:1", "field:39999")
    wire.call("EXPIRE", "set", 10_000)
    return ["buffer", "text", "list", "set", "hash", "zset"]


@pytest.mark.parametrize("how", ["", "COPY"])
def test_large_values_in_slices(server: Server, other: Server, how: str) -> None:
    """Commands that wait for the keys find them gone, or as they were; others do not wait for the payloads."""
    with Wire(server) as mover, Wire(server) as writer, Wire(server) as reader, Wire(other) as there:
        there.call("AUTH", "secret")
        there.call("FLUSHALL")
        names = fill_large(mover)
        digest = mover.call("DEBUG", "DIGEST")
        options = [*([how] if how else []), "AUTH", "secret", "KEYS", *names]
        mover.send("MIGRATE", "127.0.0.1", other.port, "", 0, int(PATIENCE * 1000), *options)
        writer.send("APPEND", "buffer", "more")
        writer.send("ZADD", "zset", 1, "new")
        writer.send("DEL", "list")
        assert reader.call("PING") == b"PONG"
        assert mover.read() == b"OK"
        assert [writer.read() for _ in range(3)] == ([3_000_007, 1, 1] if how else [4, 1, 0])
        assert there.call("DEBUG", "DIGEST") == digest
        assert 9000 < int(str(there.call("TTL", "set"))) <= 10_000


class Sluggish:
    """A target that takes what it is sent and answers when told to."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.port: int = self.listener.getsockname()[1]

    def __enter__(self) -> Sluggish:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def take(self) -> socket.socket:
        """A connection on which something has come."""
        peer, _ = self.listener.accept()
        peer.settimeout(PATIENCE)
        assert peer.recv(1 << 16)
        return peer


def test_a_slow_target_stops_only_who_would_change_the_key(server: Server) -> None:
    with Wire(server) as mover, Wire(server) as writer, Wire(server) as flusher, Wire(server) as reader, Sluggish() as target:
        mover.call("MSET", "k", "1", "other", "1")
        mover.send("MIGRATE", "127.0.0.1", target.port, "k", 0, 60_000)
        mover.send("PING")
        peer = target.take()
        writer.send("APPEND", "k", "x")
        flusher.call("MULTI")
        flusher.call("SET", "k", "flushed")
        flusher.send("EXEC")
        for _ in range(3):
            assert reader.call("GET", "k") == b"1"
            assert reader.call("APPEND", "other", "x") in range(2, 5)
        peer.sendall(b"+OK\r\n+OK\r\n")  # of SELECT and of RESTORE
        assert mover.read() == b"OK"
        assert mover.read() == b"PONG"
        assert writer.read() == 1  # the key was gone
        assert flusher.read() == [b"OK"]
        assert reader.call("GET", "k") == b"flushed"
        peer.close()


def test_a_target_that_answers_not_in_time(server: Server) -> None:
    with Wire(server) as mover, Sluggish() as target:
        mover.call("SET", "k", "1")
        mover.send("MIGRATE", "127.0.0.1", target.port, "k", 0, 20)
        peer = target.take()
        with pytest.raises(ReplyError, match=r"^IOERR error or timeout reading from target instance$"):
            mover.read()
        assert mover.call("GET", "k") == b"1"
        peer.close()


def test_a_connection_that_was_kept_and_closed_is_opened_again(server: Server) -> None:
    with Wire(server) as mover, Sluggish() as target:
        mover.call("MSET", "a", "1", "b", "2")
        mover.send("MIGRATE", "127.0.0.1", target.port, "a", 0, 60_000)
        peer = target.take()
        peer.sendall(b"+OK\r\n+OK\r\n")
        assert mover.read() == b"OK"
        peer.close()
        mover.send("MIGRATE", "127.0.0.1", target.port, "b", 0, 60_000)
        peer = target.take()
        peer.sendall(b"+OK\r\n+OK\r\n")
        assert mover.read() == b"OK"
        assert mover.call("DBSIZE") == 0
        peer.close()


def test_in_a_transaction_it_is_waited_for(server: Server, other: Server) -> None:
    with Wire(server) as here, Wire(other) as there:
        there.call("AUTH", "secret")
        there.call("FLUSHALL")
        here.call("SET", "a", "1")
        for line in (("MULTI",), ("MIGRATE", "127.0.0.1", str(other.port), "a", "0", "20000", "AUTH", "secret"), ("EXISTS", "a")):
            here.call(*line)
        assert here.call("EXEC") == [b"OK", 0]
        assert there.call("GET", "a") == b"1"


def test_what_has_gone_is_gone_after_a_restart(other: Server) -> None:
    with start("redloop", "--appendonly", "yes") as server, Wire(server) as here, Wire(other) as there:
        there.call("AUTH", "secret")
        there.call("FLUSHALL")
        here.call("MSET", "a", "1", "b", "2")
        assert migrate(here, other, "AUTH", "secret", "KEYS", "a") == b"OK"
        here.call("DEBUG", "LOADAOF")
        assert here.items("KEYS", "*") == [b"b"]
