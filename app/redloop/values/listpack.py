"""How many bytes a listpack would take: the measure that Redis's thresholds and node boundaries go by.

redloop stores no listpacks; it only has to know when Redis's would be full, so that OBJECT ENCODING, `~` trimming and dumps agree.
Format: https://github.com/antirez/listpack (an entry is its encoded content, then its length written backwards).
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

HEADER: Final = 7
"""Bytes of an empty listpack."""

MINUS: Final = 45
NINE: Final = 57


def entry_size(item: bytes) -> i64:
    """The bytes `item` takes in a listpack."""
    length: i64 = len(item)
    if 0 < length <= 20:
        first: i64 = item[0]
        if first <= NINE and first >= MINUS:
            digits = item[1:] if first == MINUS else item
            # Digits only and without leading zero: what would print the same again.
            if digits.isdigit() and (digits[0] != 48 or item == b"0"):
                return integer_size(int(item))
        return length + 2
    if length < 64:
        return length + 2
    body: i64 = length + 2 if length < 4096 else length + 5
    return body + backlength(body)


def integer_size(number: int) -> i64:
    """The bytes the integer `number` takes in a listpack."""
    if 0 <= number < 128:
        return 2
    if -4096 <= number < 4096:
        return 3
    if -32768 <= number < 32768:
        return 4
    if -8388608 <= number < 8388608:
        return 5
    if -2147483648 <= number < 2147483648:
        return 6
    if -9223372036854775808 <= number < 9223372036854775808:
        return 10
    return len(str(number)) + 2


def backlength(body: i64) -> i64:
    """The bytes that a length of `body` takes written backwards, seven bits a byte."""
    if body < 128:
        return 1
    if body < 16384:
        return 2
    if body < 2097152:
        return 3
    return 4 if body < 268435456 else 5
