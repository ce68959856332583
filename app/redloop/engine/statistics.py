"""Statistics: what INFO counts, beside what each command (`engine.command`) and the keyspace count of their own.

Counters grow where things happen: the field in question is plain, whoever sees the thing adds to it. What INFO calls "instantaneous" comes
from readings of a counter that a timer takes (`Rate`). CONFIG RESETSTAT starts all of it afresh.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

MOST_ERROR_CODES: Final = 128
TOO_MANY_CODES: Final = "ERRORSTATS_DISABLED"
"""Stands for all codes once there were more than that."""
SAMPLE_MS: Final = 100
READINGS: Final = 17
"""A rate is that of the last 1.6 seconds."""


class Rate:
    """How fast a counter grows, from readings of it."""

    def __init__(self) -> None:
        self._readings: list[tuple[int, int]] = []

    def read(self, count: int, ns: int) -> None:
        """The counter stands at `count` at monotonic time `ns`."""
        self._readings.append((count, ns))
        if len(self._readings) > READINGS:
            del self._readings[0]

    def per_second(self) -> float:
        """The growth of a second, on average over the readings kept."""
        if len(self._readings) < 2:
            return 0.0
        count, ns = self._readings[0]
        last_count, last_ns = self._readings[-1]
        return (last_count - count) * 1e9 / (last_ns - ns) if last_ns > ns else 0.0


class Statistics:
    """The counters of one server. CONFIG RESETSTAT puts a new instance in the place of the old one."""

    def __init__(self) -> None:
        # The network.
        self.bytes_in: i64 = 0
        self.bytes_out: i64 = 0
        self.reads: i64 = 0
        self.writes: i64 = 0

        # Clients.
        self.connections_received: i64 = 0
        self.connections_rejected: i64 = 0
        self.query_limit_disconnections: i64 = 0
        self.output_limit_disconnections: i64 = 0
        self.clients_evicted: i64 = 0

        # Errors: replies by code, replies, and those that clients the server itself leads should never have got.
        self.errors: dict[str, int] = {}
        self.error_replies: i64 = 0
        self.unexpected_errors: i64 = 0

        # Active expiry: time spent, and how often there was too little of it.
        self.expiry_ns: i64 = 0
        self.expiry_cut_short: i64 = 0

        # Rates.
        self.command_rate = Rate()
        self.input_rate = Rate()
        self.output_rate = Rate()

    def count_error(self, code: str) -> None:
        """Counts an error reply by its code, unless there are too many codes to be anything but garbage."""
        self.error_replies += 1
        errors = self.errors
        if code in errors:
            errors[code] += 1
        elif TOO_MANY_CODES in errors:
            return
        elif len(errors) < MOST_ERROR_CODES:
            errors[code] = 1
        else:
            self.errors = {TOO_MANY_CODES: 1}

    def sample(self, commands_run: int, ns: int) -> None:
        """Takes the readings, at monotonic time `ns`; a timer calls this."""
        self.command_rate.read(commands_run, ns)
        self.input_rate.read(self.bytes_in, ns)
        self.output_rate.read(self.bytes_out, ns)
