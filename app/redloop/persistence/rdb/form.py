"""A snapshot as an RDB file, to be saved or to begin an append-only file."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from redloop.config import Config
from redloop.keyspace.database import Keyspace
from redloop.persistence.rdb.codecs import Crc
from redloop.persistence.rdb.opcodes import CHECKSUM_SIZE
from redloop.persistence.rdb.save import LARGE, Items, Writer
from redloop.persistence.snapshot import Form

USES_NOTHING: Final = 0
USES_TIME: Final = 1
USES_COUNTER: Final = 2

BLOCK: Final = 16 * 1024
"""Bytes that are joined and checked at a time: a slice of time ends soon after, and they are still in the processor's cache."""


class RdbForm(Form):
    """One file. `facts` are its AUX fields, `libraries` the sources of functions."""

    def __init__(self, config: Config, keyspace: Keyspace, facts: list[tuple[bytes, bytes]], libraries: list[bytes]) -> None:
        self.size = 0
        self.writer = Writer(config, config.rdb_version)
        self._keyspace = keyspace
        self._clock = keyspace.clock
        self.facts = facts
        self._libraries = libraries
        self._crc = Crc()
        self._checked: bool = config.rdbchecksum
        self._uses = USES_COUNTER if "lfu" in config.maxmemory_policy else USES_TIME if "lru" in config.maxmemory_policy else USES_NOTHING
        self._database = -1
        self._sizes: dict[int, tuple[int, int]] = {}  # what is still to be told of databases
        self._items: Items | None = None
        self._blocks: list[bytes] = []
        self._joined: i64 = 0  # bytes in them
        self._ended = False

    def begin(self, keyspace: Keyspace) -> None:
        self.writer.begin_file(self.facts)
        for code in self._libraries:
            self.writer.function(code)
        for database in keyspace.databases:
            self._sizes[database.index] = (len(database), int(database.volatile))
        self._gather()

    def take(self, number: int, key: bytes, value: object, due: int, used: int) -> bool:
        writer = self.writer
        if number != self._database:
            self._database = number
            writer.select(number)
            sizes = self._sizes.pop(number, None)
            if sizes is not None:
                writer.resize(sizes[0], sizes[1])
        if used < 0 or self._uses == USES_NOTHING:
            self._items = writer.key(key, value, due)
        elif self._uses == USES_TIME:
            self._items = writer.key(key, value, due, idle=max(self._clock.seconds - used, 0))
        else:
            self._items = writer.key(key, value, due, frequency=self._keyspace.decayed(used))
        self._gather()
        return self._items is not None

    def more(self) -> bool:
        items = self._items
        if items is not None and not items.step(self.writer, LARGE):
            self._items = None
        self._gather()
        return self._items is not None

    def detach(self) -> None:
        if self._items is not None:
            self._items.detach()

    def end(self) -> None:
        """Closes the file, with a checksum of all of it."""
        self.writer.end_file()
        self._join()
        self._ended = True
        self.writer.raw(self._crc.digest() if self._checked else bytes(CHECKSUM_SIZE))

    def flush(self) -> bytes:
        self._join()
        data = b"".join(self._blocks)
        self._blocks = []
        self._joined = 0
        self.size = 0
        return data

    def _gather(self) -> None:
        if self.writer.size >= BLOCK:
            self._join()
        self.size = self._joined + self.writer.size

    def _join(self) -> None:
        block = self.writer.flush()
        if self._checked and not self._ended:
            self._crc.feed(block)
        self._blocks.append(block)
        self._joined += len(block)
