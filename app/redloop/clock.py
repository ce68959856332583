"""The one clock: all time in redloop comes from here.

`now_ms()` is wall time in milliseconds, cached: it moves when `tick()` or `refresh()` is called (at the start of every batch of
commands, after every command, on every timer), never in the middle of a command. `monotonic_ns()` only ever grows and
measures durations. Tests and embedding programs hand in a `ManualClock` and turn it themselves; TTLs, stream ids, idle times,
blocking time-outs and the slow log all follow. Nothing else in redloop reads the system's time.
"""

from __future__ import annotations

from time import perf_counter, perf_counter_ns, sleep, time_ns
from typing import Final

from mypy_extensions import i64

# Constants are found quicker than globals by compiled code.
_monotonic: Final = perf_counter_ns
_seconds: Final = perf_counter  # the same clock as a float, which costs half; its 53 bits tell nanoseconds apart for a hundred days


_NEVER: Final = 1 << 62


class Clock:
    """The system's clock.

    `ms`: cached wall time, milliseconds since the epoch; `seconds`: the same, in seconds; `second`: that as one object, to be stored many
    times.
    """

    def __init__(self) -> None:
        self.ms: int = 0
        self.seconds: int = 0
        self.second: object = 0
        self._read_at: i64 = 0
        self._frozen_at: i64 = 0  # monotonic nanoseconds
        self._frozen_us: int = 0  # of wall time; 0: not asked for yet
        self._was_read_at: i64 = 0
        self.refresh()

    def now_ms(self) -> int:
        """Wall time in milliseconds, as of the last tick."""
        return self.ms

    def now_us(self) -> int:
        """Wall time in microseconds, read afresh (TIME, and nothing that must agree within a command)."""
        if self._read_at != _NEVER:
            return time_ns() // 1000
        if not self._frozen_us:
            self._frozen_us = (time_ns() - int(_monotonic() - self._frozen_at)) // 1000
        return self._frozen_us

    def monotonic_ns(self) -> int:
        """A steadily growing count of nanoseconds, read afresh."""
        return _monotonic()

    def tick(self) -> i64:
        """Reads the monotonic clock, and the wall clock too when a millisecond has passed; returns monotonic nanoseconds."""
        now: i64 = int(_seconds() * 1e9)
        if now - self._read_at >= 1_000_000:
            self._read_at = now
            self._set_wall(time_ns() // 1_000_000)
        return now

    def freeze(self, now: i64) -> None:
        """The wall clock stands still at the monotonic time `now`, until `thaw`: all of a script happens at one moment."""
        self._frozen_at = now
        self._frozen_us = 0
        self._was_read_at = self._read_at
        self._read_at = _NEVER

    def thaw(self) -> None:
        """The wall clock goes on with the next tick."""
        self._read_at = self._was_read_at

    def sleep(self, seconds: float) -> None:
        """Stops everything for a while (DEBUG SLEEP, and nothing else)."""
        if seconds > 0:
            sleep(seconds)
        self.refresh()

    def refresh(self) -> None:
        """Brings `now_ms()` up to date."""
        self._read_at = _monotonic()
        self._set_wall(time_ns() // 1_000_000)

    def _set_wall(self, ms: int) -> None:
        self.ms = ms
        seconds = ms // 1000
        if seconds != self.seconds:
            self.seconds = seconds
            self.second = seconds


class ManualClock(Clock):
    """A clock that stands still until `advance` or `set` is called."""

    def __init__(self, ms: int = 1_700_000_000_000) -> None:
        self._now_ms = ms
        self._now_ns: int = 0
        super().__init__()

    def advance(self, ms: int) -> None:
        """Moves both wall and monotonic time on by `ms` milliseconds."""
        self._now_ms += ms
        self._now_ns += ms * 1_000_000
        self.refresh()

    def advance_ns(self, ns: int) -> None:
        """Moves monotonic time alone on by so little that the wall clock need not know."""
        self._now_ns += ns

    def set(self, ms: int) -> None:
        """Sets the wall time alone, as an operator might; monotonic time stays."""
        self._now_ms = ms
        self.refresh()

    def now_us(self) -> int:
        return self._now_ms * 1000

    def monotonic_ns(self) -> int:
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        self.advance(max(0, int(seconds * 1000)))

    def tick(self) -> i64:
        return self._now_ns

    def refresh(self) -> None:
        self._set_wall(self._now_ms)
