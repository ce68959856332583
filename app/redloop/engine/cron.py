"""Timers: everything that happens by itself, `hz` times a second or less often.

A timer is (interval in milliseconds, callback). `run` calls those that are due by the server's clock; whoever owns the loop calls it, so
a test turns the clock and calls it by hand.
"""

from __future__ import annotations

from collections.abc import Callable

from redloop.clock import Clock


class Timer:
    """A callback and when it is next due, in monotonic nanoseconds."""

    def __init__(self, interval_ms: int, callback: Callable[[], None], due: int) -> None:
        self.interval_ms = interval_ms
        self.callback = callback
        self.due = due


class Cron:
    """The timers of one server."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.timers: list[Timer] = []

    def every(self, interval_ms: int, callback: Callable[[], None]) -> Timer:
        """Calls `callback` every `interval_ms` milliseconds from now on."""
        timer = Timer(interval_ms, callback, self.clock.monotonic_ns() + interval_ms * 1_000_000)
        self.timers.append(timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        """Takes a timer out."""
        self.timers = [other for other in self.timers if other is not timer]

    def run(self) -> None:
        """Calls what is due."""
        self.clock.refresh()
        now = self.clock.monotonic_ns()
        for timer in self.timers:
            if timer.due <= now:
                timer.due = now + timer.interval_ms * 1_000_000
                timer.callback()
