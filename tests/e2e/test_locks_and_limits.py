"""Locks and rate limits that people build on scripts: redis-py's Lock, pottery's Redlock, limits."""

from __future__ import annotations

import threading
import time
import uuid
import warnings
from collections.abc import Iterator

import limits
import pytest
import redis
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter, SlidingWindowCounterRateLimiter
from redis.exceptions import LockError, LockNotOwnedError

from tests.compat.servers import Server

SECONDS = 60.0


@pytest.fixture
def connection(server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port) as connection:
        yield connection


@pytest.fixture
def storage(server: Server) -> RedisStorage:
    return RedisStorage(f"redis://127.0.0.1:{server.port}/0")


def test_a_lock_of_redis_py(connection: redis.Redis) -> None:
    """Taken, refused to others, extended, set back, released; only by who holds it."""
    lock = connection.lock("lock", timeout=60)
    other = connection.lock("lock", timeout=60, blocking=False)
    assert lock.acquire()
    assert not other.acquire()
    assert 30000 < connection.pttl("lock") <= 60000
    assert lock.extend(60)
    assert 60000 < connection.pttl("lock") <= 120000
    assert lock.reacquire()
    assert 30000 < connection.pttl("lock") <= 60000
    with pytest.raises(LockError):
        other.release()
    connection.set("lock", "somebody else's", px=60000)
    for use in (lock.extend, lock.release):
        with pytest.raises(LockNotOwnedError):
            use(10) if use == lock.extend else use()
    connection.delete("lock")
    assert other.acquire()
    other.release()
    assert not connection.exists("lock")


def test_what_a_lock_protects_is_never_entered_twice_at_a_time(server: Server) -> None:
    counter = inside = 0

    def work() -> None:
        nonlocal counter, inside
        with redis.Redis(port=server.port) as connection:
            for _ in range(10):
                with connection.lock("counter", timeout=60, sleep=0.001, blocking_timeout=SECONDS):
                    inside += 1
                    assert inside == 1
                    read = counter
                    connection.ping()
                    counter = read + 1
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert counter == 40


def test_redlock_of_pottery(connection: redis.Redis) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pottery import NextID, Redlock
    name = uuid.uuid4().hex
    lock = Redlock(key=name, masters={connection}, auto_release_time=60)
    other = Redlock(key=name, masters={connection}, auto_release_time=60)
    assert lock.acquire()
    assert not other.acquire(blocking=False)
    assert 0 < lock.locked() <= 60
    lock.extend()
    lock.release()
    assert not lock.locked()
    with other:
        assert other.locked()
    ids = NextID(key=name, masters={connection})
    assert [next(ids) for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("strategy", [FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter])
def test_limits(storage: RedisStorage, strategy: type[RateLimiter]) -> None:
    """So many in an hour, each caller alone; looking costs nothing, clearing gives all back."""
    limiter = strategy(storage)
    limit = limits.parse("10/hour")
    assert [limiter.hit(limit, "one") for _ in range(12)] == [True] * 10 + [False] * 2
    assert not limiter.test(limit, "one")
    assert limiter.hit(limit, "other", cost=10)
    assert not limiter.hit(limit, "other")
    stats = limiter.get_window_stats(limit, "one")
    assert stats.remaining == 0
    assert 0 < stats.reset_time - time.time() <= 3700  # noqa: TID251  # the library's own clock
    limiter.clear(limit, "one")
    assert limiter.test(limit, "one")
    assert limiter.hit(limit, "one")


def test_a_window_that_moves_lets_in_again_what_left_it(storage: RedisStorage) -> None:
    limiter = MovingWindowRateLimiter(storage)
    limit = limits.parse("5/second")
    ends = time.monotonic() + SECONDS
    hits = 0
    while hits < 12:
        hits += limiter.hit(limit, "caller")
        assert time.monotonic() < ends
    assert storage.reset() is not None
