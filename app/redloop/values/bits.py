"""Strings as arrays of bits, the first bit being the highest of the first byte.

Single bits, counting, searching and combining, and fields: integers of 1 to 64 bits at any bit. A string goes on with zeros behind its
end for whoever reads it; who writes has it grown first (`grow`). Long strings are worked off by what is fast on bytes: comparing blocks,
and integers of any size.
"""

from __future__ import annotations

from typing import Final

Bytes = bytes | bytearray

_BLOCK: Final = 1 << 16
_BLANK: Final[list[bytes]] = [b"\xff" * _BLOCK, b"\x00" * _BLOCK]
"""By the bit that is looked for: a block without it."""


def grow(target: bytearray, bits: int) -> bool:
    """Gives `target` at least that many bits; False if it had them."""
    missing = (bits + 7) // 8 - len(target)
    if missing <= 0:
        return False
    target.extend(bytes(missing))
    return True


# --- single bits -----------------------------------------------------------------------------------------------------------------


def get_bit(string: Bytes, at: int) -> int:
    byte = at >> 3
    return (string[byte] >> (7 - (at & 7))) & 1 if byte < len(string) else 0


def set_bit(target: bytearray, at: int, bit: int) -> int:
    """Sets a bit that is there; gives the old one."""
    mask = 0x80 >> (at & 7)
    byte = target[at >> 3]
    target[at >> 3] = byte | mask if bit else byte & ~mask
    return 1 if byte & mask else 0


# --- ranges ----------------------------------------------------------------------------------------------------------------------


def clip(start: int, end: int, size: int) -> tuple[int, int]:
    """The range from `start` to `end`, both included and negative from the end, cut to what there is; empty if it then runs backwards."""
    if start < 0:
        start = max(start + size, 0)
    if end < 0:
        end = max(end + size, 0)
    return start, min(end, size - 1)


def count(string: Bytes, first: int, last: int) -> int:
    """How many bits are set from bit `first` to bit `last`, which are inside."""
    if first > last:
        return 0
    head, tail = first >> 3, last >> 3
    total = 0
    for start in range(head, tail + 1, _BLOCK):
        total += int.from_bytes(string[start : min(start + _BLOCK, tail + 1)], "little").bit_count()
    total -= (string[head] >> (8 - (first & 7))).bit_count()
    return total - (string[tail] & (0x7F >> (last & 7))).bit_count()


def find(string: Bytes, bit: int, first: int, last: int) -> int:
    """The first place of `bit` from bit `first` to bit `last`, which are inside; -1 if there is none."""
    at = first
    while at <= last and at & 7:
        if get_bit(string, at) == bit:
            return at
        at += 1
    byte, tail = at >> 3, (last + 1) >> 3
    blank = _BLANK[bit]
    while byte < tail:
        block = string[byte : min(byte + _BLOCK, tail)]
        if block != blank[: len(block)]:
            byte += len(block) - len(block.lstrip(blank[:1]))
            tail = byte + 1
            break
        byte += len(block)
    at = max(at, byte << 3)
    while at <= last:
        if get_bit(string, at) == bit:
            return at
        at += 1
    return -1


# --- combining -------------------------------------------------------------------------------------------------------------------


def combine(operation: bytes, sources: list[Bytes]) -> bytearray:
    """AND, OR or XOR of all the strings, or NOT of the one; as long as the longest, the others go on with zeros."""
    size = max([len(source) for source in sources])
    result = int.from_bytes(sources[0], "little")
    if operation == b"NOT":
        result ^= (1 << 8 * size) - 1
    for source in sources[1:]:
        other = int.from_bytes(source, "little")
        if operation == b"AND":
            result &= other
        elif operation == b"OR":
            result |= other
        else:
            result ^= other
    return bytearray(result.to_bytes(size, "little"))


# --- fields ----------------------------------------------------------------------------------------------------------------------

WRAP: Final = 0
SATURATE: Final = 1
FAIL: Final = 2


def get_field(string: Bytes, at: int, width: int, signed: bool) -> int:
    """The integer of `width` bits at bit `at`."""
    end = at + width
    head, tail = at >> 3, (end + 7) >> 3
    window = int.from_bytes(string[head:tail], "big") << 8 * (tail - max(head, min(tail, len(string))))
    value = (window >> (-end & 7)) & ((1 << width) - 1)
    return value - (1 << width) if signed and value >> (width - 1) else value


def set_field(target: bytearray, at: int, width: int, value: int) -> None:
    """Writes the lowest `width` bits of `value` at bit `at`; they must be there."""
    end = at + width
    head, tail = at >> 3, (end + 7) >> 3
    shift = -end & 7
    mask = ((1 << width) - 1) << shift
    window = int.from_bytes(target[head:tail], "big") & ~mask | (value << shift) & mask
    target[head:tail] = window.to_bytes(tail - head, "big")


def fit(value: int, width: int, signed: bool, overflow: int) -> int | None:
    """`value` as a field can hold it: wrapped around, or at the nearest bound; None if it does not fit and shall not be made to."""
    low = -(1 << (width - 1)) if signed else 0
    high = low + (1 << width) - 1
    if low <= value <= high:
        return value
    if overflow == FAIL:
        return None
    if overflow == SATURATE:
        return low if value < low else high
    return (value - low) % (1 << width) + low
