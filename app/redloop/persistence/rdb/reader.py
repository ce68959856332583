"""Reading the elements of RDB - bytes, numbers, lengths, strings - from bytes that may not all be there yet.

Whoever reads sets `mark` where something whole begins. What lacks bytes raises ShortError, and can be read again from the mark once `feed`
has brought more. No length is believed before that many bytes are there, so a lie costs nothing.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Final

from mypy_extensions import i64

from redloop.persistence.rdb.codecs import Crc, decompress
from redloop.persistence.rdb.opcodes import AS_INT8, AS_INT16, AS_INT32, AS_LZF, LENGTH_32, LENGTH_64
from redloop.persistence.rdb.packs import FormatError

LONGEST_LENGTH: Final = 1 << 48


class ShortError(Exception):
    """More bytes are needed."""


class Reader:
    """A place in bytes. `needed`: how many bytes behind `mark` would have helped, after ShortError."""

    def __init__(self, data: bytes, checked: bool) -> None:
        self.data = data
        self.pos: i64 = 0
        self.end: i64 = len(data)
        self.mark: i64 = 0
        self.needed: i64 = 0
        self.starved = False  # `needed` bytes are waited for
        self.consumed: i64 = 0  # bytes before `data`
        self.crc: Crc | None = Crc() if checked else None

    def feed(self, more: bytes) -> None:
        """Goes back to the mark, with more behind what there was."""
        self.forget()
        self.starved = False
        self.data += more
        self.end = len(self.data)

    def forget(self) -> None:
        """Drops what lies before the mark, to be read no more, and goes back to it."""
        mark = self.mark
        if mark:
            if self.crc is not None:
                self.crc.feed(memoryview(self.data)[:mark])
            self.data = self.data[mark:]
            self.end -= mark
            self.consumed += mark
            self.mark = 0
        self.pos = 0

    def done(self) -> None:
        """What was read up to here is whole."""
        self.mark = self.pos

    def offset(self) -> int:
        """How far the reading has come, from the first byte of all."""
        return self.consumed + self.pos

    # --- elements ----------------------------------------------------------------------------------------------------------------

    def need(self, count: i64) -> None:
        """Raises ShortError unless `count` bytes lie ahead."""
        if self.end - self.pos < count:
            self.needed = self.pos - self.mark + count
            self.starved = True
            raise ShortError

    def byte(self) -> i64:
        pos = self.pos
        if pos >= self.end:
            self.need(1)
        self.pos = pos + 1
        return self.data[pos]

    def take(self, count: i64) -> bytes:
        """The next `count` bytes."""
        pos = self.pos
        if self.end - pos < count:
            self.need(count)
        self.pos = pos + count
        return self.data[pos : pos + count]

    def little(self, count: i64, signed: bool = False) -> int:
        """An integer of `count` bytes, the lowest first."""
        return int.from_bytes(self.take(count), "little", signed=signed)

    def double(self) -> float:
        """A binary float of eight bytes."""
        raw = self.take(8)
        number: float = unpack_from("<d", raw)[0]
        return number

    def length(self) -> i64:
        """A length or another natural number."""
        first: i64 = self.byte()
        if first < 64:
            return first
        if first < 128:
            return ((first & 63) << 8) | self.byte()
        if first == LENGTH_32:
            return int.from_bytes(self.take(4), "big")
        if first == LENGTH_64:
            number = int.from_bytes(self.take(8), "big")
            if number < LONGEST_LENGTH:
                return number
        raise FormatError

    def natural(self) -> int:
        """A natural number of up to 64 bits."""
        if self.pos < self.end and self.data[self.pos] == LENGTH_64:
            self.pos += 1
            return int.from_bytes(self.take(8), "big")
        return self.length()

    def string(self) -> bytes:
        """A string, whichever way it is written."""
        first: i64 = self.byte()
        if first < 64:
            return self.take(first)
        if first < 128:
            return self.take(((first & 63) << 8) | self.byte())
        if first < 0xC0:
            self.pos -= 1
            return self.take(self.length())
        kind = first & 63
        if kind == AS_INT8:
            return b"%d" % self.little(1, True)
        if kind == AS_INT16:
            return b"%d" % self.little(2, True)
        if kind == AS_INT32:
            return b"%d" % self.little(4, True)
        if kind != AS_LZF:
            raise FormatError
        packed_size = self.length()
        size = self.length()
        text = decompress(self.take(packed_size), size)
        if text is None:
            raise FormatError
        return text
