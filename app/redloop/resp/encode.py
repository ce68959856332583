"""Replies to bytes: one function for RESP2 and RESP3, appending to a list of pieces that is joined once per batch.

The client writes the commonest replies (OK, integers, bulk strings) itself, from the tables here; everything else comes through `encode`.
Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from typing import Final, cast

from mypy_extensions import i64

from redloop.errors import RedisError
from redloop.numbers import format_double
from redloop.resp.replies import NOTHING, NULL_ARRAY, Attributed, BigNumber, Mark, Members, Pairs, Push, Several, Simple, Verbatim

CRLF: Final = b"\r\n"
NULL2: Final = b"$-1\r\n"
NULL3: Final = b"_\r\n"
NULL_ARRAY2: Final = b"*-1\r\n"

_TABLE: Final = 1024
BULK_HEADERS: Final = [b"$%d\r\n" % n for n in range(_TABLE)]
ARRAY_HEADERS: Final = [b"*%d\r\n" % n for n in range(_TABLE)]
_INNER_HEADERS: Final = [b"\r\n$%d\r\n" % n for n in range(_TABLE)]
INTEGERS: Final = [b":%d\r\n" % n for n in range(_TABLE)]

# A larger integer is put together from groups of three digits.
_MOST_IN_PIECES: Final = 1_000_000_000
_HEADS: Final = [b":%d" % n for n in range(_TABLE)]
_MIDDLES: Final = [b"%03d" % n for n in range(1000)]
_TAILS: Final = [b"%03d\r\n" % n for n in range(1000)]


def bulk_header(size: int) -> bytes:
    """`$size` and CRLF."""
    if size < _TABLE:
        return BULK_HEADERS[size]
    return b"$%d\r\n" % size


def array_header(size: int) -> bytes:
    """`*size` and CRLF."""
    if size < _TABLE:
        return ARRAY_HEADERS[size]
    return b"*%d\r\n" % size


def integer(value: int) -> bytes:
    """`:value` and CRLF."""
    if 0 <= value < _TABLE:
        return INTEGERS[value]
    return b":" + str(value).encode("ascii") + CRLF


def encode_integer(value: int, out: list[bytes]) -> None:
    """Appends `:value` and CRLF: up to a thousand million as one to three pieces that are there already."""
    if not 0 <= value < _MOST_IN_PIECES:
        out.append(b":%d\r\n" % value)
        return
    number: i64 = value
    if number < _TABLE:
        out.append(INTEGERS[number])
        return
    thousands: i64 = number // 1000
    if thousands < _TABLE:
        out.append(_HEADS[thousands])
    else:
        millions: i64 = thousands // 1000
        out.append(_HEADS[millions])
        out.append(_MIDDLES[thousands - millions * 1000])
    out.append(_TAILS[number - thousands * 1000])


def encode(reply: object, out: list[bytes], resp3: bool) -> None:
    """Appends the bytes of `reply` to `out`."""
    if isinstance(reply, bytes):
        out.append(bulk_header(len(reply)))
        out.append(reply)
        out.append(CRLF)
    elif reply is None:
        out.append(NULL3 if resp3 else NULL2)
    elif isinstance(reply, bool):
        if resp3:
            out.append(b"#t\r\n" if reply else b"#f\r\n")
        else:
            out.append(INTEGERS[1 if reply else 0])
    elif isinstance(reply, int):
        encode_integer(reply, out)
    elif isinstance(reply, list):
        _encode_list(reply, out, resp3)
    elif isinstance(reply, Simple):
        out.append(reply.wire)
    elif isinstance(reply, RedisError):
        out.append(reply.line())
    elif isinstance(reply, float):
        text = format_double(reply)
        if resp3:
            out.append(b",%b\r\n" % text)
        else:
            out.append(b"$%d\r\n%b\r\n" % (len(text), text))
    elif isinstance(reply, tuple):
        out.append(array_header(len(reply)))
        for item in reply:
            encode(item, out, resp3)
    elif isinstance(reply, Mark):
        _encode_mark(reply, out, resp3)
    else:
        _encode_rare(reply, out, resp3)


def _encode_list(items: list[object], out: list[bytes], resp3: bool) -> None:
    out.append(array_header(len(items)))
    encode_items(items, out, resp3)


def encode_items(items: list[object], out: list[bytes], resp3: bool) -> None:
    """Appends the items of an array, a set or a map, whose header is written.

    Long rows of strings of one length (ids, counters) share one header, so that all are a single join. Otherwise the end of one string
    goes with the header of the next.
    """
    if len(items) > 4 and _one_length(items):
        first = items[0]
        assert isinstance(first, bytes)
        header = bulk_header(len(first))
        out.append(header)
        out.append((CRLF + header).join(cast(list[bytes], items)))
        out.append(CRLF)
        return
    open_end = False
    for item in items:
        if isinstance(item, bytes):
            size: i64 = len(item)
            if open_end:
                out.append(_INNER_HEADERS[size] if size < _TABLE else b"\r\n$%d\r\n" % size)
            else:
                out.append(BULK_HEADERS[size] if size < _TABLE else b"$%d\r\n" % size)
                open_end = True
            out.append(item)
        elif isinstance(item, float) and not resp3:
            text = format_double(item)
            out.append(_INNER_HEADERS[len(text)] if open_end else BULK_HEADERS[len(text)])
            out.append(text)
            open_end = True
        else:
            if open_end:
                out.append(CRLF)
                open_end = False
            encode(item, out, resp3)
    if open_end:
        out.append(CRLF)


def _one_length(items: list[object]) -> bool:
    """Whether all are strings of the same length."""
    size: i64 = -1
    for item in items:
        if not isinstance(item, bytes):
            return False
        length: i64 = len(item)
        if length != size:
            if size >= 0:
                return False
            size = length
    return True


def _encode_mark(mark: Mark, out: list[bytes], resp3: bool) -> None:
    if mark is NULL_ARRAY:
        out.append(NULL3 if resp3 else NULL_ARRAY2)
    elif mark is not NOTHING:
        raise TypeError(f"no encoding for {mark!r}")


def _encode_rare(reply: object, out: list[bytes], resp3: bool) -> None:
    if isinstance(reply, Pairs):
        size = len(reply.flat)
        out.append(b"%%%d\r\n" % (size // 2) if resp3 else array_header(size))
        encode_items(reply.flat, out, resp3)
    elif isinstance(reply, dict):
        out.append(b"%%%d\r\n" % len(reply) if resp3 else array_header(2 * len(reply)))
        for field, value in reply.items():
            encode(field, out, resp3)
            encode(value, out, resp3)
    elif isinstance(reply, (set, frozenset)):
        out.append(b"~%d\r\n" % len(reply) if resp3 else array_header(len(reply)))
        for item in reply:
            encode(item, out, resp3)
    elif isinstance(reply, Members):
        out.append(b"~%d\r\n" % len(reply.items) if resp3 else array_header(len(reply.items)))
        encode_items(reply.items, out, resp3)
    elif isinstance(reply, Push):
        out.append(b">%d\r\n" % len(reply.items) if resp3 else array_header(len(reply.items)))
        for item in reply.items:
            encode(item, out, resp3)
    elif isinstance(reply, Attributed):
        if resp3:
            out.append(b"|%d\r\n" % (len(reply.attributes.flat) // 2))
            for item in reply.attributes.flat:
                encode(item, out, resp3)
        encode(reply.reply, out, resp3)
    elif isinstance(reply, Several):
        for one in reply.replies:
            encode(one, out, resp3)
    elif isinstance(reply, Verbatim):
        if resp3:
            out.append(b"=%d\r\n%b:%b\r\n" % (len(reply.text) + 4, reply.kind, reply.text))
        else:
            out.append(b"$%d\r\n%b\r\n" % (len(reply.text), reply.text))
    elif isinstance(reply, BigNumber):
        text = reply.text
        out.append(b"(%b\r\n" % text if resp3 else b"$%d\r\n%b\r\n" % (len(text), text))
    elif isinstance(reply, bytearray):
        encode(bytes(reply), out, resp3)
    else:
        raise TypeError(f"no encoding for a reply of {type(reply).__name__}")


def encode_command(argv: list[bytes]) -> bytes:
    """A command as clients send it and the append-only file keeps it: an array of bulk strings."""
    out: list[bytes] = [array_header(len(argv))]
    for arg in argv:
        out.append(bulk_header(len(arg)))
        out.append(arg)
        out.append(CRLF)
    return b"".join(out)
