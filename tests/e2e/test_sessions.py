"""What a connection can be beyond a command and a reply, with the programs people use: messages, transactions, caches, looking on."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.cache import CacheConfig

from tests.compat.servers import Server
from tests.e2e.wire import Wire, encode

SECONDS = 60.0


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port, decode_responses=True, protocol=request.param, socket_timeout=SECONDS) as connection:
        yield connection


def test_redis_py_messages(client: Any) -> None:
    """Channels, patterns and shard channels, in the order they were published in."""
    with client.pubsub() as listener:
        listener.subscribe("news", "other")
        listener.psubscribe("n?ws")
        listener.ssubscribe("shard")
        said = [listener.get_message(timeout=SECONDS) for _ in range(4)]
        assert [message["type"] for message in said] == ["subscribe", "subscribe", "psubscribe", "ssubscribe"]
        assert client.publish("news", "hello") == 2
        assert client.spublish("shard", "there") == 1
        assert [listener.get_message(timeout=SECONDS)["data"] for _ in range(2)] == ["hello", "hello"]
        assert listener.get_sharded_message(timeout=SECONDS)["data"] == "there"
        listener.unsubscribe("other")
        assert listener.get_message(timeout=SECONDS)["type"] == "unsubscribe"
        assert client.pubsub_numsub("news", "other") == [("news", 1), ("other", 0)]


def test_redis_py_transactions(client: Any) -> None:
    """A pipeline is one MULTI; a watched key that changes is a WatchError; an error inside leaves the rest."""
    assert client.pipeline().set("a", 1).incr("a").lrange("l", 0, -1).execute() == [True, 2, []]
    with client.pipeline() as pipe:
        pipe.watch("a")
        client.set("a", "changed")
        pipe.multi()
        pipe.set("a", "mine")
        with pytest.raises(redis.WatchError):
            pipe.execute()
    replies = client.pipeline().set("a", "x").incr("a").get("a").execute(raise_on_error=False)
    assert isinstance(replies[1], redis.ResponseError)
    assert (replies[0], replies[2]) == (True, "x")

    def add_one(pipe: Any) -> None:
        value = int(pipe.get("n") or 0)
        pipe.multi()
        pipe.set("n", value + 1)

    assert client.transaction(add_one, "n") == [True]
    assert client.get("n") == "1"


def until(client: redis.Redis, value: str | None) -> None:
    """Asks until the news of a change has come."""
    deadline = time.monotonic() + SECONDS
    while client.get("k") != value:
        assert time.monotonic() < deadline


def test_redis_py_keeps_its_cache_true(server: Server) -> None:
    """A value is fetched once, and again after somebody changed it."""
    with (
        redis.Redis(port=server.port, protocol=3, decode_responses=True, cache_config=CacheConfig()) as caching,
        redis.Redis(port=server.port, protocol=3, decode_responses=True) as other,
    ):
        other.set("k", "one")
        calls = other.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"]
        assert [caching.get("k") for _ in range(5)] == ["one"] * 5
        assert other.info("commandstats")["cmdstat_get"]["calls"] == calls + 1
        other.set("k", "two")
        until(caching, "two")
        assert [caching.get("k") for _ in range(5)] == ["two"] * 5
        assert other.info("commandstats")["cmdstat_get"]["calls"] == calls + 2
        other.flushall()
        until(caching, None)


def test_redis_cli_looks_on(oracle: str, server: Server) -> None:
    """`monitor` and `subscribe`, each in a process of its own, and -s."""
    command = os.path.join(oracle, "redis-cli")
    done = subprocess.run([command, "-s", server.path, "PING"], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stdout == "PONG\n"
    for words, said, heard in (
        (["MONITOR"], encode("SET", "k", "a b"), b'"SET" "k" "a b"\n'),
        (["SUBSCRIBE", "ch"], encode("PUBLISH", "ch", "hello"), b"hello\n"),
        (["-3", "PSUBSCRIBE", "c*"], encode("PUBLISH", "ch", "hello"), b"hello\n"),
    ):
        with (
            subprocess.Popen([command, "-p", str(server.port), *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as looking,
            Wire(server) as wire,
        ):
            assert looking.stdout is not None
            lines: list[bytes] = [looking.stdout.readline()]
            if words != ["MONITOR"]:
                lines += [looking.stdout.readline() for _ in range(2)]  # kind, channel, count
            wire.socket.sendall(said)
            while not lines[-1].endswith(heard):
                lines.append(looking.stdout.readline())
                assert lines[-1], lines
            looking.terminate()


def test_one_that_never_reads_is_closed_and_the_others_hear_everything_in_order(server: Server, full: bool) -> None:
    """Slow subscribers have a limit; what they leave unread costs nobody else a message."""
    count, at_once = (1000, 10) if full else (20, 50)
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    with Wire(server) as wire:
        wire.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0")
    listeners: list[Wire] = []
    lazy = server.connect(SECONDS)
    try:
        for _ in range(count):
            listeners.append(Wire(server))
            listeners[-1].call("SUBSCRIBE", "ch")  # one after the other: more than wait to be accepted would be refused
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.sendall(encode("SUBSCRIBE", "ch"))
        with Wire(server) as publisher:
            while publisher.call("PUBSUB", "NUMSUB", "ch") != [b"ch", count + 1]:
                pass
            text = "x" * 5000
            receivers = []
            for first in range(0, 600, at_once):
                numbers = range(first, first + at_once)
                publisher.socket.sendall(b"".join(encode("PUBLISH", "ch", f"{number} {text}") for number in numbers))
                receivers += [publisher.read() for _ in numbers]
                for listener in listeners:
                    for number in numbers:
                        message = listener.read()
                        assert isinstance(message, list)
                        assert message[2] == f"{number} {text}".encode()
            assert (receivers[0], receivers[-1]) == (count + 1, count)
            assert publisher.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60") == b"OK"
    finally:
        for listener in listeners:
            listener.close()
        lazy.close()
