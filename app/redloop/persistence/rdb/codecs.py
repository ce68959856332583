"""LZF and CRC-64, as RDB wants them, from the libraries that have them."""

from __future__ import annotations

from typing import Final

import anycrc
import lzf

LONGEST_UNCOMPRESSED: Final = 20
"""Strings up to here are never compressed."""
LONGEST_RUN: Final = 264
"""The most bytes that three compressed ones can stand for."""

_CRC: Final = anycrc.Model("CRC64-REDIS")


class Crc:
    """A running CRC-64 of what it was fed."""

    def __init__(self) -> None:
        self.value: int = 0

    def feed(self, data: bytes | memoryview) -> None:
        """Takes the next bytes."""
        self.value = _CRC.calc(data, self.value)

    def digest(self) -> bytes:
        """The checksum as it stands in a file."""
        return self.value.to_bytes(8, "little")


def crc64(data: bytes | memoryview) -> bytes:
    """The checksum of `data` as it stands in a file."""
    return int(_CRC.calc(data)).to_bytes(8, "little")


def compress(data: bytes) -> bytes | None:
    """`data` as LZF where Redis would have it so: where it saves more than four bytes, or nearly."""
    packed = lzf.compress(data, len(data) - 5)
    return packed if isinstance(packed, bytes) else None


def decompress(packed: bytes, size: int) -> bytes | None:
    """The `size` bytes that `packed` stands for; None if it does not stand for so many."""
    if size > len(packed) * LONGEST_RUN // 3 + LONGEST_RUN:
        return None
    try:
        data = lzf.decompress(packed, size)
    except ValueError:
        return None
    return data if isinstance(data, bytes) and len(data) == size else None
