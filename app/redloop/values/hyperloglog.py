"""HyperLogLogs: counting different elements in 12 KB at most, as strings in Redis's own format.

An element is hashed to 64 bits. The lowest 14 choose one of 16384 registers; the place of the first one among the other 50 is kept there
if it is larger than what the register holds. From how often each number stands in the registers follows how many elements there were.

The string is a header and the registers:

    HYLL  encoding (0 dense, 1 sparse)  three bytes, unused  the last count, 8 bytes little endian; its highest bit says it is out of date

dense: six bits a register, the first register in the lowest bits. sparse: runs of equal registers,

    00nnnnnn            n + 1 zeros
    01nnnnnn nnnnnnnn   n + 1 zeros, up to all 16384
    1vvvvvnn            n + 1 times v + 1

which suits few elements: past a limit of bytes, or with a number over 32, it becomes dense. All strings here are bytearrays, changed in
place; a sparse one that does not cover the registers is told as corrupted when that is found.

The hash is MurmurHash64A (Austin Appleby, in the public domain), the estimate that of Otmar Ertl, "New cardinality estimation algorithms
for HyperLogLog sketches" (2017, arXiv:1702.01284), algorithms 5 and 6.
"""

from __future__ import annotations

import math
from binascii import a2b_base64, b2a_base64
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final

from mypy_extensions import i64

from redloop.errors import HYPERLOGLOG_CORRUPTED, RedisError

REGISTERS: Final = 16384
HEADER: Final = 16
DENSE: Final = 0
SPARSE: Final = 1

_REGISTER_BITS: Final = 14
_HASH_BITS: Final = 50
_DENSE_SIZE: Final = HEADER + REGISTERS * 6 // 8
_MAGIC: Final = b"HYLL"
_SEED: Final = 0xADC83B19
_MASK64: Final = (1 << 64) - 1
_MULTIPLIER: Final = 0xC6A4A7935BD1E995
_EIGHTH_BITS: Final = int.from_bytes(b"\x80" * REGISTERS, "little")
_BASE64: Final = (ascii_uppercase + ascii_lowercase + digits).encode() + b"+/"
_TO_BASE64: Final = _BASE64 + bytes(192)
_TO_NUMBERS: Final = bytes([max(_BASE64.find(byte), 0) for byte in range(256)])
_ALPHA: Final = 0.721347520444481703680  # 1 / (2 ln 2)

_MOST_ZEROS: Final = 64  # in an opcode of one byte
_MOST_VALUES: Final = 4
_HIGHEST_VALUE: Final = 32
_NEIGHBOURS: Final = 5
"""How many opcodes from the one before a change are looked at for values to join."""


def create() -> bytearray:
    """One that has seen nothing."""
    return bytearray(b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff")


def is_valid(string: bytes | bytearray) -> bool:
    """Whether a string can be a HyperLogLog, by its header and length."""
    if len(string) < HEADER or not string.startswith(_MAGIC) or string[4] > SPARSE:
        return False
    return string[4] == SPARSE or len(string) == _DENSE_SIZE


# --- hashing ---------------------------------------------------------------------------------------------------------------------


def murmur(data: bytes) -> int:
    """MurmurHash64A."""
    size = len(data)
    hashed = _SEED ^ (size * _MULTIPLIER & _MASK64)
    whole = size - (size & 7)
    for at in range(0, whole, 8):
        word = int.from_bytes(data[at : at + 8], "little") * _MULTIPLIER & _MASK64
        word = (word ^ word >> 47) * _MULTIPLIER & _MASK64
        hashed = (hashed ^ word) * _MULTIPLIER & _MASK64
    if whole != size:
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK64
    hashed = (hashed ^ hashed >> 47) * _MULTIPLIER & _MASK64
    return hashed ^ hashed >> 47


# --- adding ----------------------------------------------------------------------------------------------------------------------


def add(string: bytearray, element: bytes, limit: int) -> bool:
    """Adds an element; True if that changed a register. `limit` is hll-sparse-max-bytes."""
    hashed = murmur(element)
    rest = hashed >> _REGISTER_BITS | 1 << _HASH_BITS
    return raise_register(string, hashed & (REGISTERS - 1), (rest & -rest).bit_length(), limit)


def raise_register(string: bytearray, index: int, value: int, limit: int) -> bool:
    """Sets a register to `value` unless it holds as much already."""
    if string[4] == SPARSE:
        return _raise_sparse(string, index, value, limit)
    return _raise_dense(string, index, value)


def _raise_dense(string: bytearray, index: i64, value: i64) -> bool:
    at: i64 = HEADER + index * 6 // 8
    shift: i64 = index * 6 & 7
    pair: i64 = string[at]
    if shift > 2:
        pair |= string[at + 1] << 8
    if pair >> shift & 63 >= value:
        return False
    pair = (pair & ~(63 << shift)) | value << shift
    string[at] = pair & 255
    if shift > 2:
        string[at + 1] = pair >> 8
    return True


def _run(string: bytearray, at: i64) -> tuple[int, int, int]:
    """The opcode at `at`: its length in bytes, how many registers it covers, and their value."""
    opcode: i64 = string[at]
    if opcode & 0x80:
        return 1, (opcode & 3) + 1, (opcode >> 2 & 31) + 1
    if opcode & 0x40:
        if at + 1 >= len(string):
            raise RedisError(HYPERLOGLOG_CORRUPTED)
        return 2, ((opcode & 63) << 8 | string[at + 1]) + 1, 0
    return 1, opcode + 1, 0


def _zeros(count: int) -> bytes:
    if count > _MOST_ZEROS:
        return bytes((0x40 | (count - 1) >> 8, (count - 1) & 255))
    return bytes((count - 1,)) if count else b""


def _values(value: int, count: int) -> bytes:
    return bytes((0x80 | (value - 1) << 2 | (count - 1),)) if count else b""


def _raise_sparse(string: bytearray, index: int, value: int, limit: int) -> bool:
    if value > _HIGHEST_VALUE:
        to_dense(string)
        return _raise_dense(string, index, value)
    # The run that holds the register: found here without a call for each, since there may be thousands before it.
    data = bytes(string)
    end: i64 = len(data)
    wanted: i64 = index
    place: i64 = HEADER
    before: i64 = -1
    first: i64 = 0
    while True:
        if place >= end:
            raise RedisError(HYPERLOGLOG_CORRUPTED)
        opcode: i64 = data[place]
        long: i64 = 0
        if opcode & 0x80:
            covered: i64 = (opcode & 3) + 1
        elif opcode & 0x40:
            if place + 1 >= end:
                raise RedisError(HYPERLOGLOG_CORRUPTED)
            following: i64 = data[place + 1]
            covered = ((opcode & 63) << 8 | following) + 1
            long = 1
        else:
            covered = opcode + 1
        if wanted < first + covered:
            break
        before = place
        first += covered
        place += long + 1
    at = int(place)
    length, count, old = _run(string, at)
    if old >= value:
        return False
    # In its place up to three: the registers before, the one, those behind.
    left = index - int(first)
    right = count - 1 - left
    middle = _values(value, 1)
    replacement = _values(old, left) + middle + _values(old, right) if old else _zeros(left) + middle + _zeros(right)
    grown = len(replacement) - length
    if grown > 0 and len(string) + grown > limit:
        to_dense(string)
        return _raise_dense(string, index, value)
    string[at : at + length] = replacement
    _join(string, int(before) if before >= 0 else at)
    return True


def _join(string: bytearray, at: int) -> None:
    """Joins runs of the same value that stand side by side, in the neighbourhood from `at` on."""
    for _ in range(_NEIGHBOURS):
        if at + 1 >= len(string):  # nothing stands beside the last, be it whole or not
            return
        length, count, value = _run(string, at)
        if value and string[at + 1] & 0x80:
            _, more, other = _run(string, at + 1)
            if other == value and count + more <= _MOST_VALUES:
                string[at : at + 2] = _values(value, count + more)
                continue
        at += length


def to_dense(string: bytearray) -> None:
    """Makes a sparse string dense."""
    values = registers(string)
    string[HEADER:] = _packed(values)
    string[4] = DENSE


# --- registers -------------------------------------------------------------------------------------------------------------------


def registers(string: bytes | bytearray) -> bytearray:
    """All registers, a byte for each."""
    data = bytearray(string)
    return _sparse_registers(data) if data[4] == SPARSE else _dense_registers(data)


def _sparse_registers(data: bytearray) -> bytearray:
    found = bytearray()
    at = HEADER
    while at < len(data):
        length, count, value = _run(data, at)
        found += bytes((value,)) * count
        at += length
    if len(found) != REGISTERS:
        raise RedisError(HYPERLOGLOG_CORRUPTED)
    return found


def _dense_registers(data: bytearray) -> bytearray:
    # Base64 is six bits a character as well, only from the other end: so it can be done in C.
    return bytearray(b2a_base64(data[: HEADER - 1 : -1], newline=False).translate(_TO_NUMBERS)[::-1])


def _packed(values: bytearray) -> bytes:
    """The dense form of the registers."""
    return a2b_base64(values[::-1].translate(_TO_BASE64))[::-1]


def merged(one: bytearray, other: bytearray) -> bytearray:
    """Of each register the larger one. All are compared at once, as bytes of one integer whose eighth bits take the borrow."""
    left = int.from_bytes(one, "little")
    right = int.from_bytes(other, "little")
    not_less = ((left | _EIGHTH_BITS) - right & _EIGHTH_BITS) >> 7
    return bytearray((right ^ (left ^ right) & not_less * 255).to_bytes(REGISTERS, "little"))


def raise_all(string: bytearray, values: bytearray, limit: int) -> None:
    """Sets each register to the larger of what it holds and of `values`."""
    if string[4] == DENSE:
        string[HEADER:] = _packed(merged(registers(string), values))
        return
    for index in range(REGISTERS):
        if values[index]:
            raise_register(string, index, values[index], limit)


def runs(string: bytearray) -> bytes:
    """A sparse string as text: `z` and `Z` for zeros by opcode, `v` for values."""
    words: list[bytes] = []
    at = HEADER
    while at < len(string):
        length, count, value = _run(string, at)
        words.append(b"v:%d,%d" % (value, count) if value else b"%c:%d" % (b"zZ"[length - 1], count))
        at += length
    return b" ".join(words)


# --- counting --------------------------------------------------------------------------------------------------------------------


def last_count(string: bytes | bytearray) -> int:
    """The count as it stands in the header, -1 if it is out of date."""
    return -1 if string[15] & 0x80 else int.from_bytes(string[8:HEADER], "little")


def keep_count(string: bytearray, count: int) -> None:
    string[8:HEADER] = count.to_bytes(8, "little")


def outdate(string: bytearray) -> None:
    """Says that the count in the header no longer holds."""
    string[15] |= 0x80


def _histogram(values: bytearray) -> list[int]:
    """How often each number stands in the registers."""
    found = [0] * 64
    left = values
    while left:
        value = left[0]
        others = left.translate(None, bytes((value,)))
        found[value] = len(left) - len(others)
        left = others
    return found


def estimate(values: bytearray) -> int:
    """How many different elements make registers like these, about."""
    counts = _histogram(values)
    size = float(REGISTERS)
    total = size * _tau((size - counts[_HASH_BITS + 1]) / size)
    for value in range(_HASH_BITS, 0, -1):
        total = (total + counts[value]) * 0.5
    total += size * _sigma(counts[0] / size)
    return math.floor(_ALPHA * size * size / total + 0.5)


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    weight = 1.0
    total = x
    previous = -1.0
    while total != previous:
        x *= x
        previous = total
        total += x * weight
        weight += weight
    return total


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    weight = 1.0
    total = 1.0 - x
    previous = -1.0
    while total != previous:
        x = math.sqrt(x)
        previous = total
        weight *= 0.5
        total -= (1.0 - x) * (1.0 - x) * weight
    return total / 3.0
