"""Requests: what hiredis cannot know when it is used for the server's side.

hiredis.Reader parses *replies*, so it takes integers, nulls and nested arrays where Redis takes only an array of bulk strings, and believes
any length. So a command that hiredis returned must stand in the bytes as its canonical form would (`wire_end`), and one that announces a
huge array it never sees (`is_huge`). Whatever fails this, or is not whole yet, the `Framer` reads as strictly as Redis does: it holds the
limits and gives Redis's own error texts; what passes it `arguments` cuts up. Only `wire_end` is on the path of a well-formed command.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from redloop.numbers import as_int

DOLLAR: Final = 36
LINE_FEED: Final = 10
RETURN: Final = 13
SMALL_A: Final = 97
SMALL_Z: Final = 122
LONGEST_WORD: Final = 64
MAX_ELEMENTS: Final = 2147483647
"""Most arguments a command may announce (Redis: INT_MAX)."""
UNAUTHENTICATED_ELEMENTS: Final = 10
UNAUTHENTICATED_BULK: Final = 16384
MAX_INLINE: Final = 65536
"""Longest inline command, and longest header line, in bytes."""


class ProtocolError(Exception):
    """The peer does not speak RESP: answer `text`, then close."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


def wire_size(argv: list[object]) -> i64:
    """The length in bytes of `argv` as an array of bulk strings; -1 where an element is not a bulk string."""
    count: i64 = len(argv)
    size: i64 = 3 + _digits(count)
    for arg in argv:
        if not isinstance(arg, bytes):
            return -1
        length: i64 = len(arg)
        size += length + 5 + _digits(length)
    return size


def wire_end(argv: list[object], data: bytes, start: i64) -> i64:
    """The position behind `argv`, which hiredis read at `start`, if Redis reads the same there; -1 if it reads something else.

    Every element must stand where it stands in the canonical form, and be a bulk string: hiredis takes a simple string for one.
    """
    count: i64 = len(argv)
    size: i64 = len(data)
    pos: i64 = start + 3 + _digits(count)
    for arg in argv:
        if not isinstance(arg, bytes) or pos >= size or data[pos] != DOLLAR:
            return -1
        length: i64 = len(arg)
        pos += length + 5 + _digits(length)
    if pos > size:  # not a conditional expression, which compiled code does with objects
        return -1
    return pos


def word_end(data: bytes, start: i64) -> i64:
    """Where the line at `start` ends if it is one word of letters and is whole, as a plain PING is; -1 if it is anything else."""
    size: i64 = len(data)
    pos: i64 = start
    while pos < size:
        letter: i64 = data[pos] | 32
        if letter < SMALL_A or letter > SMALL_Z:
            break
        pos += 1
    if pos == size or not 0 < pos - start <= LONGEST_WORD:
        return -1
    if data[pos] == LINE_FEED or (data[pos] == RETURN and pos + 1 < size and data[pos + 1] == LINE_FEED):
        return pos
    return -1


def is_huge(data: bytes, start: i64) -> bool:
    """Whether the array at `start` announces more elements than `data` can hold: hiredis reserves memory for all that is announced."""
    line = data[start + 1 : start + 12]
    end: i64 = line.find(b"\r")
    count = as_int(line[:end]) if end >= 0 else None
    return count is None or count > len(data)


def arguments(data: bytes | bytearray, start: i64) -> list[bytes]:
    """The arguments of the command at `start`, which `Framer` has found whole and sound, read as Redis reads them."""
    argv: list[bytes] = []
    view = memoryview(data)
    pos = data.find(b"\r", start)
    count = max(as_int(bytes(view[start + 1 : pos])) or 0, 0)
    pos += 2
    for _ in range(count):
        end = data.find(b"\r", pos)
        length = as_int(bytes(view[pos + 1 : end])) or 0
        pos = end + 2
        argv.append(bytes(view[pos : pos + length]))
        pos += length + 2
    return argv


def _digits(number: i64) -> i64:
    digits: i64 = 1
    while number >= 10:
        number //= 10
        digits += 1
    return digits


class Framer:
    """Reads one command's framing, in any pieces, without keeping its arguments.

    `feed` returns the position behind the command's last byte, or -1 when more bytes are needed; it raises ProtocolError where Redis would.
    """

    def __init__(self) -> None:
        self.max_bulk: i64 = 512 * 1024 * 1024
        self.authenticated = True
        self.active = False
        self.received: i64 = 0
        self._elements: i64 = -1  # still to come; -1: the array's header is
        self._payload: i64 = 0  # bytes of the current bulk string still to come, with its CRLF
        self._line = b""  # an unfinished header line
        self._stuck = False  # there is a NUL byte in it

    def begin(self, authenticated: bool, max_bulk: int) -> None:
        """Starts on a new command, under the limits given."""
        self.authenticated = authenticated
        self.max_bulk = max_bulk
        self.active = True
        self.received = 0
        self._elements = -1
        self._payload = 0
        self._line = b""
        self._stuck = False

    def feed(self, data: bytes, start: int) -> int:
        """Reads on from `data[start:]`."""
        pos = start
        size = len(data)
        while True:
            if self._payload > 0:
                step = min(self._payload, size - pos)
                self._payload -= step
                pos += step
                if self._payload > 0:
                    break
                self._elements -= 1
            if self._elements == 0:
                self.active = False
                return pos
            if pos >= size:
                break
            if self._line.endswith(b"\r") and not self._stuck:  # only the line feed was missing
                line = self._line[:-1]
                pos += 1
            else:
                end = data.find(b"\r", pos)
                # Redis looks for the end of a header line with strchr: behind a NUL byte it never finds it.
                if self._stuck or data.find(b"\0", pos, size if end < 0 else end) >= 0:
                    self._stuck = True
                    end = -1
                if end < 0 or end + 1 >= size:
                    self._line += data[pos:]
                    self._refuse_long_line()
                    pos = size
                    break
                line = self._line + data[pos:end]
                pos = end + 2
            self._line = b""
            self._header(line)
        self.received += pos - start
        return -1

    def _refuse_long_line(self) -> None:
        if len(self._line) > MAX_INLINE:
            raise ProtocolError(b"too big mbulk count string" if self._elements < 0 else b"too big bulk count string")

    def _header(self, line: bytes) -> None:
        if self._elements < 0:
            count = as_int(line[1:])
            if count is None or count > MAX_ELEMENTS:
                raise ProtocolError(b"invalid multibulk length")
            if count > UNAUTHENTICATED_ELEMENTS and not self.authenticated:
                raise ProtocolError(b"unauthenticated multibulk length")
            self._elements = max(count, 0)
            return
        if not line.startswith(b"$"):
            raise ProtocolError(b"expected '$', got '%b'" % (line[:1].strip(b"\n") or b" "))
        length = as_int(line[1:])
        if length is None or length < 0 or length > self.max_bulk:
            raise ProtocolError(b"invalid bulk length")
        if length > UNAUTHENTICATED_BULK and not self.authenticated:
            raise ProtocolError(b"unauthenticated bulk length")
        self._payload = length + 2
