"""Packs: the compact forms that stand in RDB as one string - listpack, intset, and the ziplist and zipmap of older versions.

Reading checks everything a pack says of itself, since it may come from anybody: RESTORE takes what a client sends. Formats:
https://github.com/antirez/listpack (listpack.md), and the pages named in `opcodes`. `FormatError` is all that can be raised.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from redloop.values.listpack import HEADER, backlength

END: Final = 255
UNKNOWN_COUNT: Final = 65535
"""Stands where a pack has too many entries to say how many."""
INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1

ZIPLIST_HEADER: Final = 10
ZIPLIST_SMALLEST: Final = 11
LONG_PREVIOUS: Final = 254

INTSET_HEADER: Final = 8


class FormatError(Exception):
    """The bytes are not what they should be."""


# --- listpack --------------------------------------------------------------------------------------------------------------------


def read_listpack(data: bytes) -> list[bytes]:
    """The entries of a listpack."""
    size: i64 = len(data)
    if size < HEADER or int.from_bytes(data[:4], "little") != size or data[size - 1] != END:
        raise FormatError
    last: i64 = size - 1
    at: i64 = 6
    entries: list[bytes] = []
    while at < last:
        first: i64 = data[at]
        body: i64
        if first < 0x80:
            body = 1
            entry = b"%d" % first
        elif first < 0xC0:
            body = 1 + (first & 63)
            entry = data[at + 1 : at + body]
        elif at + 1 >= last:
            raise FormatError
        elif first < 0xE0:
            body = 2
            number: i64 = ((first & 31) << 8) | data[at + 1]
            entry = b"%d" % (number - 8192 if number >= 4096 else number)
        elif first < 0xF0:
            body = 2 + (((first & 15) << 8) | data[at + 1])
            entry = data[at + 2 : at + body]
        elif first == 0xF0:
            body = 5 + int.from_bytes(data[at + 1 : at + 5], "little")
            entry = data[at + 5 : at + body]
        elif first < 0xF5:
            width: i64 = first - 0xEF if first < 0xF4 else 8
            body = 1 + width
            entry = b"%d" % int.from_bytes(data[at + 1 : at + body], "little", signed=True)
        else:
            raise FormatError
        back: i64 = backlength(body)
        at += body + back
        if at > last:
            raise FormatError
        # The length written backwards: seven bits a byte, the lowest ones last, all but the first byte marked.
        told: i64 = 0
        shift: i64 = 0
        place: i64 = at - 1
        while place >= at - back:
            byte: i64 = data[place]
            if (byte >= 128) == (place == at - back):
                raise FormatError
            told |= (byte & 127) << shift
            shift += 7
            place -= 1
        if told != body:
            raise FormatError
        entries.append(entry)
    count = int.from_bytes(data[4:6], "little")
    if count not in (len(entries), UNKNOWN_COUNT):
        raise FormatError
    return entries


def write_listpack(items: list[bytes]) -> bytes:
    """A listpack of `items`, integers as such."""
    parts: list[bytes] = [b""]
    size: i64 = HEADER
    for item in items:
        length: i64 = len(item)
        if length < 64:
            if 0 < length <= 20:
                number = _canonical(item)
                if number is not None:
                    entry = _integer_entry(number)
                    size += len(entry)
                    parts.append(entry)
                    continue
            parts.append(b"%c%b%c" % (0x80 | length, item, length + 1))
            size += length + 2
            continue
        if length < 4096:
            head = b"%c%c" % (0xE0 | (length >> 8), length & 255)
        else:
            head = b"\xf0" + int(length).to_bytes(4, "little")
        tail = _backwards(len(head) + length)
        parts.append(head)
        parts.append(item)
        parts.append(tail)
        size += len(head) + length + len(tail)
    parts.append(b"\xff")
    count = len(items)
    parts[0] = int(size).to_bytes(4, "little") + min(count, UNKNOWN_COUNT).to_bytes(2, "little")
    return b"".join(parts)


def _canonical(item: bytes) -> int | None:
    """The integer of 64 bits that prints as `item`."""
    first: i64 = item[0]
    if first > 57 or first < 45:
        return None
    digits = item[1:] if first == 45 else item
    if not digits.isdigit() or (digits[0] == 48 and item != b"0"):
        return None
    number = int(item)
    return number if INT64_MIN <= number <= INT64_MAX else None


def _integer_entry(number: int) -> bytes:
    if 0 <= number < 128:
        return b"%c\x01" % number
    if -4096 <= number < 4096:
        low = number & 8191
        return b"%c%c\x02" % (0xC0 | (low >> 8), low & 255)
    if -32768 <= number < 32768:
        return b"\xf1%b\x03" % number.to_bytes(2, "little", signed=True)
    if -8388608 <= number < 8388608:
        return b"\xf2%b\x04" % number.to_bytes(3, "little", signed=True)
    if -2147483648 <= number < 2147483648:
        return b"\xf3%b\x05" % number.to_bytes(4, "little", signed=True)
    return b"\xf4%b\x09" % number.to_bytes(8, "little", signed=True)


def _backwards(length: i64) -> bytes:
    """A length as it stands behind an entry."""
    left: i64 = length
    out = bytearray()
    out.append(int(left & 127))
    left >>= 7
    while left:
        out[-1] |= 128
        out.append(int(left & 127))
        left >>= 7
    out.reverse()
    return bytes(out)


# --- intset ----------------------------------------------------------------------------------------------------------------------


def read_intset(data: bytes) -> list[int]:
    """The members of an intset, in their order."""
    if len(data) < INTSET_HEADER:
        raise FormatError
    width = int.from_bytes(data[:4], "little")
    count = int.from_bytes(data[4:8], "little")
    if width not in (2, 4, 8) or count == 0 or len(data) != INTSET_HEADER + width * count:
        raise FormatError
    members = [int.from_bytes(data[at : at + width], "little", signed=True) for at in range(INTSET_HEADER, len(data), width)]
    for at in range(1, count):
        if members[at - 1] >= members[at]:
            raise FormatError
    return members


def write_intset(members: list[int]) -> bytes:
    """An intset of `members`, which are sorted."""
    width = 2
    for member in (members[0], members[-1]):
        if not -32768 <= member < 32768:
            width = max(width, 4 if -2147483648 <= member < 2147483648 else 8)
    parts = [width.to_bytes(4, "little"), len(members).to_bytes(4, "little")]
    parts.extend([member.to_bytes(width, "little", signed=True) for member in members])
    return b"".join(parts)


# --- of older versions -----------------------------------------------------------------------------------------------------------


def read_ziplist(data: bytes) -> list[bytes]:
    """The entries of a ziplist (lists, hashes and sorted sets before Redis 7)."""
    size: i64 = len(data)
    if size < ZIPLIST_SMALLEST or int.from_bytes(data[:4], "little") != size or data[size - 1] != END:
        raise FormatError
    last: i64 = size - 1
    tail: i64 = int.from_bytes(data[4:8], "little")
    at: i64 = ZIPLIST_HEADER
    previous: i64 = 0
    final: i64 = ZIPLIST_HEADER  # where the last entry stands
    entries: list[bytes] = []
    while at < last:
        start: i64 = at
        told: i64 = data[at]
        at += 1
        if told == LONG_PREVIOUS:
            told = int.from_bytes(data[at : at + 4], "little")
            at += 4
        elif told == END:
            raise FormatError
        if told != previous or at >= last:
            raise FormatError
        first: i64 = data[at]
        at += 1
        length: i64
        if first < 0xC0:
            if first < 0x40:
                length = first
            elif first < 0x80:
                if at >= last:
                    raise FormatError
                length = ((first & 63) << 8) | data[at]
                at += 1
            elif first == 0x80:
                length = int.from_bytes(data[at : at + 4], "big")
                at += 4
            else:
                raise FormatError
            entry = data[at : at + length]
        elif 0xF1 <= first <= 0xFD:
            length = 0
            entry = b"%d" % (first - 0xF1)
        else:
            length = _ziplist_width(first)
            entry = b"%d" % int.from_bytes(data[at : at + length], "little", signed=True)
        at += length
        if at > last:
            raise FormatError
        final = start
        previous = at - start
        entries.append(entry)
    count = int.from_bytes(data[8:10], "little")
    if count not in (len(entries), UNKNOWN_COUNT) or tail != final:
        raise FormatError
    return entries


def _ziplist_width(first: i64) -> i64:
    """How many bytes an integer has, by the byte before it."""
    if first == 0xC0:
        return 2
    if first == 0xD0:
        return 4
    if first == 0xE0:
        return 8
    if first == 0xF0:
        return 3
    if first == 0xFE:
        return 1
    raise FormatError


def read_zipmap(data: bytes) -> list[bytes]:
    """Fields and values in turn of a zipmap (small hashes before Redis 2.6)."""
    if len(data) < 2 or data[-1] != END:
        raise FormatError
    last: i64 = len(data) - 1
    at: i64 = 1
    found: list[bytes] = []
    while at < last:
        length: i64 = data[at]
        at += 1
        if length == LONG_PREVIOUS:
            length = int.from_bytes(data[at : at + 4], "little")
            at += 4
        elif length == END:
            raise FormatError
        free: i64 = 0
        if len(found) & 1:
            if at >= last:
                raise FormatError
            free = data[at]
            at += 1
        if at + length + free > last:
            raise FormatError
        found.append(data[at : at + length])
        at += length + free
    count = data[0]
    if len(found) & 1 or (count < LONG_PREVIOUS and count != len(found) // 2):
        raise FormatError
    return found
