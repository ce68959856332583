"""Strings, as the keyspace holds them, and what is done to them besides storing.

A string is `bytes` as it was given, `int` as INCR left it, or `bytearray` once APPEND, SETRANGE or a bit command edited it in place.
Commands need not care: `text`, `view` and `size` take any of the three, `editable` gives the one that can be edited, and all of them say
WRONGTYPE to what is no string. No string at all is None, which counts as empty.
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from redloop.errors import WRONGTYPE, RedisError


@mypyc_attr(native_class=False)
class Written(bytes):
    """A number as INCRBYFLOAT wrote it: text to OBJECT ENCODING, even where it reads as an integer. Bytes in all else."""

    __slots__ = ()


def text(value: object) -> bytes:
    """The bytes of a string."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, bytearray):
        return bytes(value)
    if value is None:
        return b""
    raise RedisError(WRONGTYPE)


def view(value: object) -> bytes | bytearray:
    """The bytes of a string to look at, and not to keep: without a copy where it can be long."""
    if isinstance(value, bytearray):
        return value
    return text(value)


def size(value: object) -> int:
    """How many bytes a string has."""
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, bytearray):
        return len(value)
    return len(text(value))


def editable(value: object) -> bytearray:
    """The string as a bytearray: itself if it is one, else a copy, which the caller puts in its place."""
    if isinstance(value, bytearray):
        return value
    return bytearray(text(value))


def part(value: object, start: int, end: int) -> bytes:
    """The bytes from `start` to `end`, both included; negative ones count from the end (GETRANGE)."""
    length = size(value)
    if start < 0 and end < 0 and start > end:
        return b""
    if start < 0:
        start = max(start + length, 0)
    end = max(end + length, 0) if end < 0 else min(end, length - 1)
    if start > end or length == 0:
        return b""
    if isinstance(value, bytearray):
        return bytes(memoryview(value)[start : end + 1])
    return text(value)[start : end + 1]


def overwrite(target: bytearray, offset: int, data: bytes) -> None:
    """Puts `data` at `offset`, with zeros between where the string was shorter."""
    gap = offset - len(target)
    if gap > 0:
        target.extend(bytes(gap))
    target[offset : offset + len(data)] = data


# --- the longest common subsequence ----------------------------------------------------------------------------------------------

# A common run: where it starts in the first and in the second string, and its length.
Run = tuple[int, int, int]


def common_size(left: bytes, right: bytes) -> int:
    """The length of the longest common subsequence."""
    if len(left) > len(right):
        left, right = right, left
    return _rows(left, right)[-1].bit_count()


def common_runs(left: bytes, right: bytes) -> list[Run]:
    """The longest common subsequence as runs that stand together in both strings, the last run first.

    Of several equally long, the one that a walk from the ends gives which, where it has the choice, drops a byte of `right`.
    """
    if len(left) <= len(right):
        return _walk_by_left(left, right)
    return _walk_by_right(left, right)


def _rows(short: bytes, long: bytes) -> list[int]:
    """The table of lengths, as differences: bit `j` of row `i` says that the first `i` bytes of `short` have one more byte in common with
    the first `j + 1` of `long` than with the first `j`. A row is one integer, and a row follows from the last by one addition that
    carries over all of it (Hyyrö 2004).
    """
    full = (1 << len(long)) - 1
    places: dict[int, int] = {}
    unmatched = full
    rows = [0]
    for byte in short:
        match = places.get(byte)
        if match is None:
            match = _places(long, byte)
            places[byte] = match
        common = unmatched & match
        unmatched = ((unmatched + common) | (unmatched - common)) & full
        rows.append(unmatched ^ full)
    return rows


def _places(string: bytes, byte: int) -> int:
    """An integer with bit `j` set where `string[j]` is `byte`."""
    marks = bytearray(b"0") * 256
    marks[byte] = 49
    return int(string[::-1].translate(bytes(marks)) or b"0", 2)


def _bit(row: bytes, at: int) -> int:
    return (row[at >> 3] >> (at & 7)) & 1


def _walk_by_left(left: bytes, right: bytes) -> list[Run]:
    rows = _rows(left, right)
    width = len(right) // 8 + 1
    runs: list[Run] = []
    i, j = len(left), len(right)
    row = rows[i].to_bytes(width, "little")
    run = 0
    while i > 0 and j > 0:
        if left[i - 1] == right[j - 1]:
            i -= 1
            j -= 1
            run += 1
            row = rows[i].to_bytes(width, "little")
            continue
        if run:
            runs.append((i, j, run))
            run = 0
        if _bit(row, j - 1):
            i -= 1
            row = rows[i].to_bytes(width, "little")
        else:
            j -= 1
    if run:
        runs.append((i, j, run))
    return runs


def _walk_by_right(left: bytes, right: bytes) -> list[Run]:
    """The same walk over the table turned by its diagonal: a row for each byte of `right`, which is the shorter here."""
    rows = _rows(right, left)
    width = len(left) // 8 + 1
    runs: list[Run] = []
    i, j = len(left), len(right)
    row, above = _pair(rows, j, width)
    gain = _gain(rows, i, j)
    run = 0
    while i > 0 and j > 0:
        if left[i - 1] == right[j - 1]:
            i -= 1
            j -= 1
            run += 1
            row, above = _pair(rows, j, width)
            gain = _gain(rows, i, j)
            continue
        if run:
            runs.append((i, j, run))
            run = 0
        if gain and not _bit(row, i - 1):
            i -= 1
            gain += _bit(above, i)
        else:
            j -= 1
            row, above = _pair(rows, j, width)
            gain = _gain(rows, i, j)
    if run:
        runs.append((i, j, run))
    return runs


def _pair(rows: list[int], j: int, width: int) -> tuple[bytes, bytes]:
    return rows[j].to_bytes(width, "little"), rows[max(j - 1, 0)].to_bytes(width, "little")


def _gain(rows: list[int], i: int, j: int) -> int:
    """By how much the last of `j` bytes of the short string lengthens what it has in common with the first `i` of the long one: 0 or 1."""
    if j == 0:
        return 0
    mask = (1 << i) - 1
    return (rows[j] & mask).bit_count() - (rows[j - 1] & mask).bit_count()
