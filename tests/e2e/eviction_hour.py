"""An hour at the limit, in a process of its own: what test_eviction_hour starts.

    PYTHONPATH=app python -m tests.e2e.eviction_hour POLICY SECONDS MEGABYTES

The server has no sockets, and a clock that is moved a second with each step; in a step clients send a mixture of everything in pipelines.
The memory is real. After each pipeline, and one command more, and another, what is in use is compared with the limit. Prints what was
seen, as JSON.
"""

from __future__ import annotations

import json
import math
import random
import sys
from time import perf_counter_ns, thread_time_ns
from typing import Final

from redloop.clock import ManualClock
from redloop.engine.memory import Readings
from redloop.process import Heap
from redloop.resp.encode import encode_command
from tests.engine.house import Guest, House

MB: Final = 1 << 20
STEP_MS: Final = 1000
PAUSE_MS: Final = 200
"""The longest that passes between two readings of memory."""
PIPELINES: Final = 8
LENGTHS: Final = (1, 5, 50)
KEYS: Final = 100_000
LASTING: Final = 300
"""Keys that never expire, where policies evict only what does."""
WAVE: Final = 600
"""Seconds in which values grow, and shrink again."""
READERS: Final = 4
"""Clients that take a while to read their replies."""


class Timed(Readings):
    """The real readings; the time they take passes on the server's clock."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.longest_ns = 0
        self.spent_ns = 0
        self.most_pieces = 0

    def resident(self) -> int:
        begun, computed = perf_counter_ns(), thread_time_ns()
        found = super().resident()
        self._pass(begun, computed)
        return found

    def blocks(self) -> int:
        begun, computed = perf_counter_ns(), thread_time_ns()
        found = super().blocks()
        self._pass(begun, computed)
        return found

    def heap(self) -> Heap | None:
        begun, computed = perf_counter_ns(), thread_time_ns()
        found = super().heap()
        if found is not None:
            self.most_pieces = max(self.most_pieces, found.pieces)
        self._pass(begun, computed)
        return found

    def _pass(self, begun: int, computed: int) -> None:
        self.longest_ns = max(self.longest_ns, thread_time_ns() - computed)
        took = perf_counter_ns() - begun
        self.spent_ns += took
        self.clock.advance_ns(took)


class Hour:
    """One policy's hour."""

    def __init__(self, policy: str, room: int) -> None:
        self.random = random.Random(policy)
        self.room = room  # megabytes
        self.house = House(maxmemory_policy=policy)
        self.server = self.house.server
        self.clock = self.house.clock
        self.volatile = policy.startswith("volatile")
        self.readings = Timed(self.clock)
        self.server.memory.readings = self.readings
        self.writer = self.house.visit()
        self.readers = [self.house.visit() for _ in range(READERS)]
        self.server.memory.started()
        self.limit = self.server.memory.at_start + room * MB
        self.second = 0
        self.commands = 0
        self.refused = 0
        self.errors: dict[str, int] = {}
        self.peak = 0
        self.most_over = 0
        self.most_left = 0
        self.most_resident = 0
        self.residents: list[float] = []  # megabytes, at the end of each wave
        self.say(self.writer, [[b"CONFIG", b"SET", b"maxmemory", b"%d" % self.limit]])

    # --- what clients send -------------------------------------------------------------------------------------------------------

    def key(self, kind: bytes, lasting: bool = False) -> bytes:
        return b"%b:%d" % (kind, self.random.randrange(LASTING if lasting else KEYS))

    def value(self) -> bytes:
        """Some bytes: few of them or a few thousand, more at the height of a wave."""
        wave = 1 + 7 * math.sin(math.pi * self.second / WAVE) ** 2
        return b"x" * int(wave * 10 ** self.random.uniform(1, 2.7))

    def command(self) -> list[list[bytes]]:
        """The next command; with it an expiry, where only what has one can be evicted."""
        rng = self.random
        ttl = b"%d" % rng.randrange(1, 2000)
        match rng.randrange(24):
            case 0 | 1 | 2 | 3 | 4:
                return [[b"SET", self.key(b"s"), self.value(), b"EX", ttl]]
            case 5 | 6:
                return [[b"SET", self.key(b"p", self.volatile), self.value()]]
            case 7:
                return self.expiring([b"APPEND", self.key(b"s"), self.value()])
            case 8:
                return self.expiring([b"SETRANGE", self.key(b"s"), b"%d" % rng.randrange(3000), b"y"])
            case 9:
                return [[b"DEL", *[self.key(b"s") for _ in range(20)]]]
            case 10:
                return self.expiring([b"HSET", self.key(b"h"), *[word for _ in range(10) for word in (self.key(b"f"), self.value()[:100])]])
            case 11:
                key = self.key(b"h")
                return [*self.expiring([b"HSET", key, b"f", b"v"]), [b"HEXPIRE", key, ttl, b"FIELDS", b"1", b"f"]]
            case 12:
                key = self.key(b"l")
                return [*self.expiring([b"RPUSH", key, *[self.value() for _ in range(10)]]), [b"LTRIM", key, b"-100", b"-1"]]
            case 13:
                return self.expiring([b"SADD", self.key(b"u"), *[self.key(b"m") for _ in range(20)]])
            case 14:
                return self.expiring([b"ZADD", self.key(b"z"), *[w for n in range(10) for w in (b"%d" % n, self.key(b"m"))]])
            case 15:
                return self.expiring([b"XADD", self.key(b"x"), b"MAXLEN", b"~", b"1000", b"*", b"field", self.value()])
            case 16:
                return self.expiring([b"PFADD", self.key(b"y"), self.key(b"m")])
            case 17:
                return self.expiring([b"INCR", self.key(b"n")])
            case 18:
                return [[b"EXPIRE", self.key(b"s"), ttl]]
            case 19:
                return [[b"MULTI"], *self.expiring([b"SET", self.key(b"t"), self.value()]), [b"EXEC"]]
            case 20:
                return [[b"COPY", self.key(b"s"), self.key(b"s"), b"REPLACE"], [b"RENAME", self.key(b"s"), self.key(b"s")]]
            case _:
                return [[b"GET", self.key(b"s")], [b"HGETALL", self.key(b"h")], [b"LRANGE", self.key(b"l"), b"0", b"-1"]]

    def expiring(self, argv: list[bytes]) -> list[list[bytes]]:
        if not self.volatile and self.random.random() < 0.5:
            return [argv]
        return [argv, [b"EXPIRE", argv[1], b"%d" % self.random.randrange(1, 4000)]]

    def huge(self) -> list[list[bytes]]:
        """Now and then: a value that is a sixteenth of all, or one of many elements."""
        key = b"huge:%d" % self.random.randrange(3)
        if self.second % 2:
            return [[b"SET", key, b"z" * self.random.randrange(self.room * MB // 16), b"EX", b"300"]]
        return [[b"DEL", key], [b"RPUSH", key, *[b"item:%d" % n for n in range(600 * self.room)]], [b"EXPIRE", key, b"300"]]

    # --- what happens ------------------------------------------------------------------------------------------------------------

    def say(self, guest: Guest, lines: list[list[bytes]]) -> None:
        """Sends a pipeline."""
        data = b"".join([encode_command(line) for line in lines])
        begun, readings = perf_counter_ns(), self.readings.spent_ns
        guest.client.feed(data)
        self.house.end_tick()
        self.clock.advance_ns(max(0, perf_counter_ns() - begun - (self.readings.spent_ns - readings)))
        self.commands += len(lines)

    def step(self) -> None:
        """A second."""
        self.second += 1
        self.clock.advance(STEP_MS)
        self.server.cron.run()
        while self.server.expire_some(1_500_000):
            self.clock.advance(2)
        while self.server.keyspace.trash.sweep(1024):
            self.clock.advance(1)
        for number in range(PIPELINES):
            length = LENGTHS[number % len(LENGTHS)]
            lines = [line for _ in range(length) for line in self.command()]
            if number == 0 and self.second % 20 == 0:
                lines = self.huge()
            self.say(self.writer, lines)
            self.count(self.writer.look())
            self.check()
        reader = self.readers[self.second % READERS]
        reader.look()  # has read what it was sent four seconds ago
        replies = [[b"LRANGE", b"huge:%d" % self.random.randrange(3), b"0", b"-1"], [b"MGET", *[self.key(b"s") for _ in range(100)]]]
        self.say(reader, replies)
        self.check()
        if self.second % WAVE == 0:
            self.residents.append(round((self.server.memory.resident - self.server.memory.at_start) / MB, 1))
        if self.second == WAVE * 4:
            self.say(self.writer, [[b"FLUSHALL"]])
            self.writer.look()

    def check(self) -> None:
        """How far above the limit it is: a command may have brought it there, the next one evicts, when the time for a reading has come.

        What that one evicts may be freed a little later.
        """
        memory = self.server.memory
        self.peak = max(self.peak, memory.now() - self.limit)
        self.most_over = max(self.most_over, self.over_after_ping())
        self.most_left = max(self.most_left, self.over_after_ping())
        self.most_resident = max(self.most_resident, memory.resident)

    def over_after_ping(self) -> int:
        """A command that changes nothing but what the server itself does before it."""
        self.clock.advance(PAUSE_MS)
        self.say(self.writer, [[b"PING"]])
        self.writer.look()
        return self.server.memory.now() - self.limit

    def count(self, replies: bytes) -> None:
        self.refused += replies.count(b"-OOM")
        for line in replies.split(b"\r\n"):
            if line.startswith((b"-ERR", b"-WRONG", b"-EXECABORT")):
                text = line.decode()[:60]
                self.errors[text] = self.errors.get(text, 0) + 1

    def result(self) -> dict[str, object]:
        memory = self.server.memory
        keyspace = self.server.keyspace
        return {
            "commands": self.commands,
            "refused": self.refused,
            "evicted": keyspace.evicted,
            "expired": keyspace.expired,
            "keys": sum(len(database) for database in keyspace.databases),
            "peak": self.peak / MB,
            "over": self.most_over / MB,
            "left": self.most_left / MB,
            "used": (memory.now() - memory.at_start) / MB,
            "resident": (memory.resident - memory.at_start) / MB,
            "most_resident": (self.most_resident - memory.at_start) / MB,
            "residents": self.residents,
            "errors": self.errors,
            "readings": memory.count,
            "pieces": self.readings.most_pieces,
            "reading_ms": self.readings.longest_ns / 1e6,
        }


def main(policy: str, seconds: int, room: int) -> None:
    hour = Hour(policy, room)
    for _ in range(seconds):
        hour.step()
    print(json.dumps(hour.result()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
