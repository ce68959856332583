"""Job queues people run on Redis, with redloop as their broker: RQ, Celery, huey and dramatiq, each with workers of its own.

`REDLOOP_FULL=1` takes a thousand jobs each.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import dramatiq
import huey
import pytest
import redis
import rq
from dramatiq.brokers.redis import RedisBroker

from tests.compat.servers import ROOT, Server
from tests.e2e.jobs import work

PATIENCE = 120  # seconds


@pytest.fixture
def jobs(full: bool) -> range:
    return range(1000 if full else 100)


@contextmanager
def running_program(server: Server, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program that finds the server at $REDLOOP_TEST_URL; it is ended if it has not ended by itself."""
    environment = {**os.environ, "REDLOOP_TEST_URL": url(server), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen([sys.executable, "-m", *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def url(server: Server) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


@contextmanager
def connected(server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port) as connection:
        yield connection


def test_rq(server: Server, jobs: range) -> None:
    """Two workers in burst mode: every job is done once, one that fails is in the registry of failures and can be put back."""
    with connected(server) as connection:
        queue = rq.Queue("numbers", connection=connection)
        queued = [queue.enqueue("tests.e2e.jobs.work.square", number) for number in jobs]
        failing = queue.enqueue("tests.e2e.jobs.work.fail", 7)
        worker = ("rq.cli", "worker", "--burst", "--quiet", "--url", url(server), "--worker-class", "rq.worker.SimpleWorker", "numbers")
        with running_program(server, *worker) as one, running_program(server, *worker) as other:
            assert (one.wait(PATIENCE), other.wait(PATIENCE)) == (0, 0)
        assert [job.return_value(refresh=True) for job in queued] == [number * number for number in jobs]
        assert queue.failed_job_registry.get_job_ids() == [failing.id]
        assert queue.finished_job_registry.count == len(jobs)
        queue.failed_job_registry.requeue(failing.id)
        assert queue.job_ids == [failing.id]


def test_celery(server: Server, jobs: range, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with threads: results come back through the result backend, a task that asks for another try gets it."""
    monkeypatch.setenv("REDLOOP_TEST_URL", url(server))
    from tests.e2e.jobs.celery_app import app, square, succeed_at_second_try

    app.conf.update(broker_url=url(server), result_backend=url(server))
    worker = ("celery", "-A", "tests.e2e.jobs.celery_app", "worker", "--pool", "threads", "--concurrency", "4", "--loglevel", "ERROR")
    with running_program(server, *worker):
        results = [square.delay(number) for number in jobs]
        again = [succeed_at_second_try.delay(number) for number in range(5)]
        assert [result.get(timeout=PATIENCE) for result in results] == [number * number for number in jobs]
        assert [result.get(timeout=PATIENCE) for result in again] == list(range(5))
    app.close()


def test_huey(server: Server, jobs: range) -> None:
    """A consumer with four threads; one task is scheduled for a moment that has come, one is revoked."""
    queue = huey.RedisHuey("numbers", url=url(server))

    square = queue.task()(work.square)
    revoked = square.schedule((3,), delay=3600)
    revoked.revoke()
    results = [square(number) for number in jobs]
    later = square.schedule((12,), delay=0)
    consumer = queue.create_consumer(workers=4, scheduler_interval=1, check_worker_health=False)
    consumer.start()
    try:
        assert [result.get(blocking=True, timeout=PATIENCE) for result in results] == [number * number for number in jobs]
        assert later.get(blocking=True, timeout=PATIENCE) == 144
    finally:
        consumer.stop(graceful=True)
    assert revoked.is_revoked()
    assert queue.pending_count() == 0


def test_dramatiq(server: Server, jobs: range) -> None:
    """Four worker threads; messages that fail are tried again."""
    broker = RedisBroker(url=url(server))  # type: ignore[no-untyped-call]  # dramatiq leaves it untyped
    dramatiq.set_broker(broker)
    done: list[int] = []
    tries: list[int] = []

    @dramatiq.actor(queue_name="numbers")
    def note(number: int) -> None:
        done.append(number)

    @dramatiq.actor(queue_name="numbers", min_backoff=1, max_backoff=1, max_retries=3)
    def fail_once(number: int) -> None:
        tries.append(number)
        if len(tries) == 1:
            raise ValueError(number)

    worker = dramatiq.Worker(broker, worker_threads=4, worker_timeout=100)
    worker.start()
    try:
        for number in jobs:
            note.send(number)
        fail_once.send(1)
        broker.join("numbers", timeout=PATIENCE * 1000)
        worker.join()
    finally:
        worker.stop()
        broker.close()
    assert sorted(done) == list(jobs)
    assert tries == [1, 1]
