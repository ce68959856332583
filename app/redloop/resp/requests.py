"""Requests: what hiredis cannot know when it is used for the server's side.

hiredis.Reader parses *replies*, so it takes integers, nulls and nested arrays where Redis takes only an array of bulk strings, and believes
any length. The client therefore accounts for every byte: a command that hiredis returned must be as long as its canonical form
(`wire_size`), else, and whenever a command is incomplete or refused, the `Framer` reads the same bytes as strictly as Redis does.
It holds the limits and gives Redis's own error texts. Nothing here is on the path of a whole, well-formed command but `wire_size`.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from redloop.numbers import as_int

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
    size: i64 = 4 if count < 10 else 3 + _digits(count)
    for arg in argv:
        if not isinstance(arg, bytes):
            return -1
        length: i64 = len(arg)
        size += length + (6 if length < 10 else 5 + _digits(length))
    return size


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

    def begin(self, authenticated: bool, max_bulk: int) -> None:
        """Starts on a new command, under the limits given."""
        self.authenticated = authenticated
        self.max_bulk = max_bulk
        self.active = True
        self.received = 0
        self._elements = -1
        self._payload = 0
        self._line = b""

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
            if self._line.endswith(b"\r"):  # only the line feed was missing
                line = self._line[:-1]
                pos += 1
            else:
                end = data.find(b"\r", pos)
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
            raise ProtocolError(b"expected '$', got '%b'" % (line[:1] or b"\r"))
        length = as_int(line[1:])
        if length is None or length < 0 or length > self.max_bulk:
            raise ProtocolError(b"invalid bulk length")
        if length > UNAUTHENTICATED_BULK and not self.authenticated:
            raise ProtocolError(b"unauthenticated bulk length")
        self._payload = length + 2
