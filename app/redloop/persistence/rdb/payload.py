"""A value by itself: what DUMP gives and RESTORE takes, and what moves keys between servers; or libraries of functions.

A payload is the kind of the value, the value, the version in two bytes and a CRC-64 of all before it. Of libraries there may be any number.
"""

from __future__ import annotations

from typing import Final

from redloop.config import Config
from redloop.persistence.rdb.codecs import crc64
from redloop.persistence.rdb.load import begin
from redloop.persistence.rdb.opcodes import FUNCTION, FUNCTION_UNRELEASED, VERSION
from redloop.persistence.rdb.packs import FormatError
from redloop.persistence.rdb.reader import Reader, ShortError
from redloop.persistence.rdb.save import Writer

FOOTER: Final = 10
EVERYTHING: Final = 1 << 62


def dump(value: object, config: Config) -> bytes:
    """The payload of a value."""
    writer = Writer(config, config.rdb_version)
    writer.longest_compressed = EVERYTHING
    writer.payload(value)
    return _ended(writer)


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
