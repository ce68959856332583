"""A plain connection to a server under test: commands as words, replies as bytes, ints and lists. RESP2."""

from __future__ import annotations

import socket
import time
from typing import Self

from tests.compat.servers import PATIENCE, Server

Reply = bytes | int | list["Reply"] | None


class ReplyError(Exception):
    """The server answered with an error."""


def encode(*words: bytes | str | int) -> bytes:
    datas = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(datas) + b"".join([b"$%d\r\n%b\r\n" % (len(data), data) for data in datas])


class Wire:
    def __init__(self, server: Server, timeout: float = PATIENCE, peer: socket.socket | None = None) -> None:
        self.socket = peer if peer is not None else server.connect(timeout)
        self.incoming = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.incoming.close()
        self.socket.close()

    def send(self, *words: bytes | str | int) -> None:
        self.socket.sendall(encode(*words))

    def call(self, *words: bytes | str | int) -> Reply:
        self.send(*words)
        return self.read()

    def data(self, *words: bytes | str | int) -> bytes:
        """A call whose answer is a string."""
        reply = self.call(*words)
        assert isinstance(reply, bytes)
        return reply

    def items(self, *words: bytes | str | int) -> list[Reply]:
        """A call whose answer is an array."""
        reply = self.call(*words)
        assert isinstance(reply, list)
        return reply

    def read(self) -> Reply:
        line = self.incoming.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the server is gone")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.incoming.read(size + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        return rest


def wait_while(wire: Wire, section: str, line: bytes) -> None:
    """Until the line is no longer in that section of INFO."""
    ends = time.monotonic() + PATIENCE
    while line in wire.data("INFO", section):
        assert time.monotonic() < ends
