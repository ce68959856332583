"""What the tests of persistence put in the place of the disk and of the loop.

`FakeDisk` is a file in memory that remembers what a sync has covered, and fails, writes short, or loses unsynced bytes when told to.
`HandLoop` runs nothing by itself: a test runs ticks, jobs and timers, in the order it chooses.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Any, cast

from redloop.clock import ManualClock
from redloop.persistence.aof import AppendOnlyFile
from redloop.persistence.files import GrowingFile


class FakeDisk(GrowingFile):
    """A file in memory. `room`: bytes it may grow to. `step`: most bytes of one write. `fail_...`: the errno to raise."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)
        self.durable = bytes(content)
        self.room = 1 << 40
        self.step = 1 << 40
        self.fail_write = 0
        self.fail_sync = 0
        self.fail_truncate = 0
        self.forget = False  # a sync that fails drops what it should have kept, as some systems do
        self.closed = False
        self.writes = 0
        self.syncs = 0

    def size(self) -> int:
        return len(self.content)

    def write_at(self, position: int, data: memoryview) -> int:
        if self.fail_write:
            raise OSError(self.fail_write, os.strerror(self.fail_write))
        taken = min(len(data), self.step, self.room - position)
        if taken <= 0 and len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert position <= len(self.content), "a hole"
        self.content[position : position + taken] = data[:taken]
        self.writes += 1
        return taken

    def truncate(self, size: int) -> None:
        if self.fail_truncate:
            raise OSError(self.fail_truncate, os.strerror(self.fail_truncate))
        del self.content[size:]

    def sync(self) -> None:
        if self.fail_sync:
            if self.forget:
                self.content[len(self.durable) :] = b"?" * (len(self.content) - len(self.durable))
            raise OSError(self.fail_sync, os.strerror(self.fail_sync))
        self.syncs += 1
        self.durable = bytes(self.content)

    def close(self) -> None:
        self.closed = True


class HandFuture:
    """What run_in_executor returns here."""

    def __init__(self, job: Callable[[], None]) -> None:
        self.job = job
        self.ran = False
        self.callbacks: list[Callable[[Any], None]] = []

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self.callbacks.append(callback)

    def result(self) -> None:
        pass


class HandTimer:
    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class HandLoop:
    """A loop turned by hand."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.soon: list[Callable[[], None]] = []
        self.timers: list[HandTimer] = []
        self.jobs: list[HandFuture] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> HandTimer:
        timer = HandTimer(self.clock.monotonic_ns() / 1e9 + delay, callback)
        self.timers.append(timer)
        return timer

    def run_in_executor(self, _executor: object, job: Callable[[], None]) -> HandFuture:
        self.jobs.append(HandFuture(job))
        return self.jobs[-1]

    def tick(self) -> None:
        """Runs what was put off to the end of the tick."""
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()

    def run(self, number: int = 0) -> None:
        """Has the executor do a job, whose end is not told yet."""
        future = self.jobs[number]
        if not future.ran:
            future.ran = True
            future.job()

    def job(self, number: int = 0) -> None:
        """Has the executor do a job, if it has not yet, and tells its end."""
        self.run(number)
        future = self.jobs.pop(number)
        for callback in future.callbacks:
            callback(future)

    def advance(self, seconds: float) -> None:
        """Lets time pass, and the timers fire that are due."""
        end = self.clock.monotonic_ns() / 1e9 + seconds
        while due := [timer for timer in self.timers if not timer.cancelled and timer.due <= end + 1e-9]:
            timer = min(due, key=lambda timer: timer.due)
            self.timers.remove(timer)
            self.clock.advance(max(0, round((timer.due - self.clock.monotonic_ns() / 1e9) * 1000)))
            timer.callback()
        self.clock.advance(max(0, round((end - self.clock.monotonic_ns() / 1e9) * 1000)))

    def settle(self) -> None:
        """Runs ticks and jobs until none is left; timers wait."""
        while self.soon or self.jobs:
            self.tick()
            if self.jobs:
                self.job()


class Bench:
    """An append-only file on a disk in memory, on a loop turned by hand."""

    def __init__(self, policy: str, content: bytes = b"") -> None:
        self.clock = ManualClock()
        self.loop = HandLoop(self.clock)
        self.disk = FakeDisk(content)
        self.aof = AppendOnlyFile(cast(asyncio.AbstractEventLoop, self.loop), self.clock, cast(Any, None), policy)
        self.aof.open(self.disk, "appendonly.aof.1.incr.aof", len(content))
        self.done: list[int] = []

    def feed(self, data: bytes, database: int = -1) -> int:
        """Feeds, and notes in `done` when it is durable."""
        self.aof.feed(database, data)
        end = self.aof.end_offset()
        self.aof.when_durable(end, lambda: self.done.append(end))
        return end
