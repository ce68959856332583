"""The slow log: the commands that took longest to run, the newest first (https://redis.io/docs/latest/commands/slowlog/).

It is an observer of slow commands: the server shows it those that took at least `threshold_ns()`. Long arguments are cut, and so are
long lists of them. Secrets never get here: a command that is given one puts REDACTED in its place in argv before it ends.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from redloop.clock import Clock
from redloop.config import Config
from redloop.engine.command import SKIP_SLOWLOG, Command

REDACTED: Final = b"(redacted)"
MOST_ARGUMENTS: Final = 32
MOST_BYTES: Final = 128
NEVER: Final = 1 << 62


class Entry:
    """A slow command."""

    def __init__(self, ident: int, second: int, microseconds: int, argv: list[bytes], address: str, name: bytes) -> None:
        self.id = ident
        self.second = second
        self.microseconds = microseconds
        self.argv = argv
        self.address = address
        self.name = name  # of the client


class SlowLog:
    """The slow log of one server."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.entries: deque[Entry] = deque()
        self._next_id = 0

    def threshold_ns(self) -> int:
        """The shortest time that counts as slow."""
        microseconds = self.config.slowlog_log_slower_than
        return NEVER if microseconds < 0 or not self.config.slowlog_max_len else microseconds * 1000

    def observe(self, client: Any, command: Command, argv: list[bytes], spent: int) -> None:
        """Takes up a command that took `spent` nanoseconds, if that is slow."""
        if spent < self.threshold_ns() or command.flags & SKIP_SLOWLOG:
            return
        kept = _shortened(argv)
        self.entries.appendleft(Entry(self._next_id, self.clock.seconds, spent // 1000, kept, client.peer.address, client.name))
        self._next_id += 1
        while len(self.entries) > self.config.slowlog_max_len:
            self.entries.pop()

    def reset(self) -> None:
        """Forgets everything but the count of entries."""
        self.entries.clear()


def _shortened(argv: list[bytes]) -> list[bytes]:
    kept = argv
    if len(argv) > MOST_ARGUMENTS:
        kept = argv[: MOST_ARGUMENTS - 1]
    words = [word if len(word) <= MOST_BYTES else b"%b... (%d more bytes)" % (word[:MOST_BYTES], len(word) - MOST_BYTES) for word in kept]
    if len(kept) < len(argv):
        words.append(b"... (%d more arguments)" % (len(argv) - len(kept)))
    return words
