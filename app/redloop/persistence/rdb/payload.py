"""A value by itself: what DUMP gives and RESTORE takes, and what moves keys between servers; or libraries of functions.

A payload is the kind of the value, the value, the version in two bytes and a CRC-64 of all before it. Of libraries there may be any number.
"""

from __future__ import annotations

from typing import Final

from redloop.config import Config
from redloop.persistence.rdb.codecs import Crc, crc64
from redloop.persistence.rdb.load import begin
from redloop.persistence.rdb.opcodes import FUNCTION, FUNCTION_UNRELEASED, STRING, VERSION
from redloop.persistence.rdb.packs import FormatError
from redloop.persistence.rdb.reader import Reader, ShortError
from redloop.persistence.rdb.save import LARGE, LARGE_STRING, Items, Writer, length_bytes

FOOTER: Final = 10
EVERYTHING: Final = 1 << 62
BLOCK: Final = 128 * 1024
"""Bytes of a payload that are gathered in one step."""


def dump(value: object, config: Config) -> bytes:
    """The payload of a value."""
    writer = Writer(config, config.rdb_version)
    writer.longest_compressed = EVERYTHING
    writer.payload(value)
    return _ended(writer)


class Dumping:
    """The payload of a value, made in steps, so that a large one holds up nobody; large strings are left as they are for that.

    It is `pieces`, in all `size` bytes, when `step` has returned False. Should the value be about to change before, call `detach`.
    """

    def __init__(self, value: object, config: Config) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self._value = value  # is held here, so that it is not taken apart should its key go
        self._writer = Writer(config, config.rdb_version)
        self._crc = Crc()
        self._buffer: bytearray | None = None  # a large string that may change; what of it is to come
        self._items: Items | None = None
        self._parts: list[bytes] = []  # still to be gathered, the next one last, of which this is done:
        self._at = 0
        self._ended = False
        if isinstance(value, bytearray) and len(value) > LARGE_STRING:
            self._buffer = value
            self._writer.raw(bytes([STRING]) + length_bytes(len(value)))
        else:
            self._items = self._writer.begin_payload(value)
        self._fetch()

    def step(self) -> bool:
        """Makes a part; False when that was the last."""
        if self._parts:
            self._gather()
            return True
        buffer = self._buffer
        if buffer is not None:
            self._keep(bytes(buffer[self._at : self._at + BLOCK]))
            self._at += BLOCK
            if self._at >= len(buffer):
                self._buffer = None
                self._at = 0
            return True
        if self._items is not None:
            if not self._items.step(self._writer, LARGE):
                self._items = None
            self._fetch()
            return True
        if not self._ended:
            self._ended = True
            self._keep(self._writer.version.to_bytes(2, "little"))
            self.pieces.append(self._crc.digest())
            self.size += FOOTER - 2
        return False

    def detach(self) -> None:
        """The value is about to change: makes what is left of it independent."""
        if self._buffer is not None:
            self._buffer = self._buffer[self._at :]
            self._at = 0
        if self._items is not None:
            self._items.detach()

    def _fetch(self) -> None:
        """Takes over what the writer has gathered."""
        self._parts = self._writer.parts
        self._parts.reverse()
        self._writer.parts = []
        self._writer.size = 0

    def _gather(self) -> None:
        """Joins and checks a block of what is there."""
        taken: list[bytes] = []
        room = BLOCK
        while self._parts and room > 0:
            part = self._parts.pop()
            left = len(part) - self._at
            if left <= room:
                taken.append(part[self._at :] if self._at else part)
                self._at = 0
            else:
                taken.append(part[self._at : self._at + room])
                self._at += room
                self._parts.append(part)
            room -= left
        self._keep(b"".join(taken))

    def _keep(self, data: bytes) -> None:
        self._crc.feed(data)
        self.pieces.append(data)
        self.size += len(data)


def dump_libraries(sources: list[bytes], config: Config) -> bytes:
    """The payload of libraries of functions."""
    writer = Writer(config, config.rdb_version)
    writer.longest_compressed = EVERYTHING
    for source in sources:
        writer.function(source)
    return _ended(writer)


def _ended(writer: Writer) -> bytes:
    writer.raw(writer.version.to_bytes(2, "little"))
    writer.raw(crc64(b"".join(writer.parts)))
    return writer.flush()


def intact(payload: bytes) -> bool:
    """Whether a payload arrived as it was made, by a version that can be read."""
    if len(payload) < FOOTER or int.from_bytes(payload[-10:-8], "little") > VERSION:
        return False
    return payload[-8:] == crc64(memoryview(payload)[:-8])


def restore(payload: bytes, config: Config) -> object:
    """The value of an intact payload. Raises FormatError."""
    reader = Reader(payload[:-FOOTER], checked=False)
    try:
        pending = begin(int(reader.byte()), reader, config, -1)
        reader.done()
        while not pending.step(reader, EVERYTHING):
            pass
    except ShortError:
        raise FormatError from None
    return pending.value


def restore_libraries(payload: bytes) -> tuple[list[bytes], str]:
    """The sources in an intact payload as far as it can be read, and why no further ("" if all of it can)."""
    reader = Reader(payload, checked=False)  # with its end: Redis too lets a source reach into that
    sources: list[bytes] = []
    while reader.pos < len(payload) - FOOTER:
        kind = int(reader.byte())
        if kind == FUNCTION_UNRELEASED:
            return sources, "Pre-GA function format not supported"
        if kind != FUNCTION:
            return sources, "given type is not a function"
        try:
            sources.append(reader.string())
        except (ShortError, FormatError):
            return sources, "Failed loading library payload"
    return sources, ""
