"""Replies to bytes: one function for RESP2 and RESP3, appending to a list of pieces that is joined once per batch.

The client writes the commonest replies (OK, integers, bulk strings) itself, from the tables here; everything else comes through `encode`.
Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from typing import Final

from redloop.errors import RedisError
from redloop.numbers import format_double
from redloop.resp.replies import NOTHING, NULL_ARRAY, BigNumber, Mark, Members, Pairs, Push, Several, Simple, Verbatim

CRLF: Final = b"\r\n"
NULL2: Final = b"$-1\r\n"
NULL3: Final = b"_\r\n"
NULL_ARRAY2: Final = b"*-1\r\n"

_TABLE: Final = 1024
BULK_HEADERS: Final = [b"$%d\r\n" % n for n in range(_TABLE)]
ARRAY_HEADERS: Final = [b"*%d\r\n" % n for n in range(_TABLE)]
INTEGERS: Final = [b":%d\r\n" % n for n in range(_TABLE)]


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
        if 0 <= reply < _TABLE:
            out.append(INTEGERS[reply])
        else:
            out.append(b":")
            out.append(str(reply).encode("ascii"))
            out.append(CRLF)
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
    size = len(items)
    out.append(array_header(size))
    for item in items:
        if isinstance(item, bytes):
            out.append(bulk_header(len(item)))
            out.append(item)
            out.append(CRLF)
        else:
            encode(item, out, resp3)


def encode_bulks(items: list[bytes], out: list[bytes]) -> None:
    """Appends an array of bulk strings: the quick way for long replies.

    Items of one length (ids, counters) share one header, so the whole array is a single join.
    """
    size = len(items)
    out.append(array_header(size))
    if size == 0:
        return
    lengths = set(map(len, items))
    if len(lengths) == 1:
        header = bulk_header(lengths.pop())
        out.append(header)
        out.append((CRLF + header).join(items))
        out.append(CRLF)
        return
    for item in items:
        out.append(bulk_header(len(item)))
        out.append(item)
        out.append(CRLF)


def _encode_mark(mark: Mark, out: list[bytes], resp3: bool) -> None:
    if mark is NULL_ARRAY:
        out.append(NULL3 if resp3 else NULL_ARRAY2)
    elif mark is not NOTHING:
        raise TypeError(f"no encoding for {mark!r}")


def _encode_rare(reply: object, out: list[bytes], resp3: bool) -> None:
    if isinstance(reply, Pairs):
        size = len(reply.flat)
        out.append(b"%%%d\r\n" % (size // 2) if resp3 else array_header(size))
        for item in reply.flat:
            encode(item, out, resp3)
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
        for item in reply.items:
            encode(item, out, resp3)
    elif isinstance(reply, Push):
        out.append(b">%d\r\n" % len(reply.items) if resp3 else array_header(len(reply.items)))
        for item in reply.items:
            encode(item, out, resp3)
    elif isinstance(reply, Several):
        for one in reply.replies:
            encode(one, out, resp3)
    elif isinstance(reply, Verbatim):
        if resp3:
            out.append(b"=%d\r\n%b:%b\r\n" % (len(reply.text) + 4, reply.kind, reply.text))
        else:
            out.append(b"$%d\r\n%b\r\n" % (len(reply.text), reply.text))
    elif isinstance(reply, BigNumber):
        text = b"%d" % reply.value
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
