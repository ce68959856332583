"""redis-py, synchronous and asyncio, with the protocol it picks by itself (RESP3) and with RESP2."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import redis
import redis.asyncio

from tests.compat.servers import Server


@pytest.fixture(params=[None, 2, 3], ids=["default", "RESP2", "RESP3"])
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    options = {} if request.param is None else {"protocol": request.param}
    with redis.Redis(port=server.port, decode_responses=True, **options) as connection:
        yield connection


def test_strings_and_keys(client: redis.Redis) -> None:
    """What a program does with strings every day."""
    assert client.ping() is True
    assert client.set("name", "value") is True
    assert client.set("name", "other", nx=True) is None
    assert client.set("name", "third", get=True) == "value"
    assert client.get("missing") is None
    assert client.mset({"one": 1, "two": 2}) is True
    assert client.mget("one", "missing", "two") == ["1", None, "2"]
    assert (client.incr("one", 41), client.decr("one")) == (42, 41)
    assert client.incrbyfloat("float", 0.1) == pytest.approx(0.1)
    assert client.append("name", "!") == 6
    assert client.getrange("name", 1, -1) == "hird!"
    assert client.expire("name", 60) is True
    assert 0 < client.pttl("name") <= 60_000
    assert client.persist("name") is True
    assert client.ttl("name") == -1
    assert client.rename("name", "renamed") is True
    assert client.copy("renamed", "copied") is True
    assert client.type("copied") == "string"
    assert client.delete("renamed", "copied", "missing") == 2
    assert client.exists("one", "one", "missing") == 2
    with pytest.raises(redis.ResponseError, match="value is not an integer or out of range"):
        client.incr("float")


def test_pipeline(client: redis.Redis) -> None:
    """Commands sent in one go are answered in order, an error among them stays at its place."""
    with client.pipeline(transaction=False) as pipe:
        for number in range(500):
            pipe.set(f"key:{number}", number)
        pipe.incr("key:41")
        pipe.set("text", "x")
        pipe.incr("text")
        pipe.get("key:41")
        replies = pipe.execute(raise_on_error=False)
    assert replies[:500] == [True] * 500
    assert (replies[500], replies[501], replies[503]) == (42, True, "42")
    assert isinstance(replies[502], redis.ResponseError)


def test_scan(client: redis.Redis) -> None:
    """Every key is found, and only those that match."""
    client.mset({f"scan:{number}": number for number in range(2000)})
    client.set("other", 1)
    assert set(client.scan_iter("scan:*", count=50)) == {f"scan:{number}" for number in range(2000)}


def test_introspection(client: redis.Redis) -> None:
    """The parsed replies that tools build on."""
    assert client.set("key", 1) is True
    assert str(client.info("server")["redis_version"]).startswith("8.")
    assert client.client_setname("smoke") is True
    assert client.client_getname() == "smoke"
    assert any(entry["name"] == "smoke" and entry["lib-name"] == "redis-py" for entry in client.client_list())
    assert client.config_get("maxmemory") == {"maxmemory": "0"}
    assert client.config_set("slowlog-log-slower-than", 10_000) is True
    assert client.command_count() > 50
    assert client.object("encoding", "key") == "int"
    assert client.info()["db0"]["keys"] == client.dbsize() == 1
    assert client.select(1) is True
    assert client.dbsize() == 0


def test_binary(server: Server) -> None:
    """Bytes of every value, and a value far larger than any buffer, come back as they went."""
    with redis.Redis(port=server.port) as client:
        noise = bytes(range(256)) * 4
        big = noise * 20_000
        assert client.set(noise, big) is True
        assert client.get(noise) == big


def test_asyncio(server: Server) -> None:
    """redis-py's asyncio client with fifty tasks on a shared pool."""

    async def session() -> list[int]:
        async with redis.asyncio.Redis(port=server.port) as client:
            return await asyncio.gather(*(client.incr("counter") for _ in range(50)))

    assert sorted(asyncio.run(session())) == list(range(1, 51))
