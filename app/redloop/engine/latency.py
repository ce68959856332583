"""The latency monitor: what stopped the server for latency-monitor-threshold milliseconds or longer, by kind of event.

Whoever does something that may take long measures it and says `latency.add(event, milliseconds)`. Of every event the worst of each second
is kept, for the last 160 seconds in which there was any. Events that occur here:

    command, fast-command       a command took long (fast ones are those flagged FAST); the monitor sees them as an observer
    expire-cycle                a slice of active expiry
    aof-write                   the system took the bytes of the append-only file; commands do not wait for this
    aof-fsync-always            bytes were synced to disk under appendfsync always; writers wait for this

To add an event: a call of `add`, a line here, and advice in `engine.latency_report` if there is any to give.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from redloop.clock import Clock
from redloop.config import Config
from redloop.engine.command import FAST, Command

MOST_SAMPLES: Final = 160
NEVER: Final = 1 << 62


class Sample:
    """The worst of one second."""

    def __init__(self, second: int, milliseconds: int) -> None:
        self.second = second
        self.milliseconds = milliseconds


class Series:
    """The samples of one event, the oldest first; `worst` is the worst ever, in milliseconds."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self.worst = 0

    def add(self, second: int, milliseconds: int) -> None:
        """Takes up a spike."""
        self.worst = max(self.worst, milliseconds)
        if self.samples and self.samples[-1].second == second:
            self.samples[-1].milliseconds = max(self.samples[-1].milliseconds, milliseconds)
        else:
            self.samples.append(Sample(second, milliseconds))


class LatencyMonitor:
    """The latency monitor of one server."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.events: dict[str, Series] = {}

    def threshold_ns(self) -> int:
        """The shortest time that counts as a spike."""
        return self.config.latency_monitor_threshold * 1_000_000 or NEVER

    def add(self, event: str, milliseconds: int) -> None:
        """`event` took so long: notes it if that is a spike."""
        threshold = self.config.latency_monitor_threshold
        if not threshold or milliseconds < threshold:
            return
        series = self.events.get(event)
        if series is None:
            series = self.events[event] = Series()
        series.add(self.clock.seconds, milliseconds)

    def observe(self, client: Any, command: Command, argv: list[bytes], spent: int) -> None:
        """A command took `spent` nanoseconds."""
        self.add("fast-command" if command.flags & FAST else "command", spent // 1_000_000)

    def reset(self, events: list[str]) -> int:
        """Forgets these events, or all if none are named; returns how many there were."""
        found = [event for event in events or list(self.events) if event in self.events]
        for event in dict.fromkeys(found):
            del self.events[event]
        return len(dict.fromkeys(found))
