"""ACL LOG: what was refused, the newest first (https://redis.io/docs/latest/commands/acl-log/).

The same refusal within a minute of the last only counts up, and comes to the front again; it is looked for among the newest few. Only what
was asked for is kept (a command, a key, a channel, a user's name), never arguments.
"""

from __future__ import annotations

from typing import Final

from redloop.clock import Clock
from redloop.config import Config
from redloop.engine.acl.decisions import CHANNEL, COMMAND, KEY, LOGIN
from redloop.resp.replies import Pairs

TOPLEVEL: Final = b"toplevel"
MULTI: Final = b"multi"
SCRIPT: Final = b"lua"

SAME_WITHIN_MS: Final = 60_000
LOOKED_AT: Final = 10
_REASONS: Final = {COMMAND: b"command", KEY: b"key", LOGIN: b"auth", CHANNEL: b"channel"}


class Entry:
    """A refusal, and how often it happened."""

    def __init__(self, ident: int, kind: int, context: bytes, object_: bytes, username: bytes, client: str, now_ms: int) -> None:
        self.id = ident
        self.kind = kind
        self.context = context
        self.object = object_
        self.username = username
        self.client = client
        self.created_ms = now_ms
        self.last_ms = now_ms
        self.count = 1

    def same(self, other: Entry) -> bool:
        """Whether `other`, a later one, is the same again."""
        return (
            self.kind == other.kind
            and self.context == other.context
            and other.created_ms - self.last_ms <= SAME_WITHIN_MS
            and self.object == other.object
            and self.username == other.username
        )

    def reply(self, now_ms: int) -> Pairs:
        """As ACL LOG tells it."""
        return Pairs(
            [
                b"count", self.count,
                b"reason", _REASONS[self.kind],
                b"context", self.context,
                b"object", self.object,
                b"username", self.username,
                b"age-seconds", (now_ms - self.last_ms) / 1000,
                b"client-info", self.client.encode("utf-8", "surrogateescape"),
                b"entry-id", self.id,
                b"timestamp-created", self.created_ms,
                b"timestamp-last-updated", self.last_ms,
            ]
        )  # fmt: skip


class Log:
    """The refusals of one server."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.entries: list[Entry] = []  # the newest first
        self._next_id = 0

    def add(self, kind: int, context: bytes, object_: bytes, username: bytes, client: str) -> None:
        """Notes a refusal of `client`, as CLIENT LIST shows it."""
        entry = Entry(self._next_id, kind, context, object_, username, client, self.clock.now_ms())
        for place, known in enumerate(self.entries[:LOOKED_AT]):
            if known.same(entry):
                known.count += 1
                known.last_ms = entry.created_ms
                known.client = client
                self.entries.insert(0, self.entries.pop(place))
                break
        else:
            self._next_id += 1
            self.entries.insert(0, entry)
        del self.entries[self.config.acllog_max_len :]

    def reset(self) -> None:
        """Forgets everything but the count of entries."""
        self.entries.clear()
