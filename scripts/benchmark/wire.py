"""A blocking connection with just enough RESP to prepare data and ask simple questions.

Standard library only: the benchmark must run with any Python 3.11, whatever is installed, and must not share code with what it measures.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Final, Self

HOST: Final = "127.0.0.1"
Argument = bytes | str | int


class ServerError(Exception):
    """An error reply: the server answered, and said no."""


def encode(*words: Argument) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class Wire:
    """One connection, RESP2."""

    def __init__(self, port: int, timeout: float = 60.0) -> None:
        self.socket = socket.create_connection((HOST, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.incoming.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def call(self, *words: Argument) -> object:
        self.send(encode(*words))
        return self.read()

    def read(self) -> object:
        line = self.incoming.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ServerError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.incoming.read(size + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        return rest

    def pour(self, chunks: Iterable[bytes]) -> None:
        """Send encoded commands without waiting for each reply; returns when the server has done them all."""
        self.call("PING")
        self.send(encode("CLIENT", "REPLY", "OFF"))
        for chunk in chunks:
            self.send(chunk)
        self.send(encode("CLIENT", "REPLY", "ON"))
        self.read()


def commands(template: tuple[str, ...], count: int, start: int = 0) -> Iterable[bytes]:
    """`count` commands in chunks, `{i}` in the template being the number of each (`{i:012}` pads it)."""
    batch = 500
    pattern = [word.partition("{") for word in template]
    fixed = all(not brace for _, brace, _ in pattern)
    if fixed:
        one = encode(*template)
        for done in range(0, count, batch):
            yield one * min(batch, count - done)
        return
    for done in range(start, start + count, batch):
        yield b"".join([encode(*[word.format(i=i) for word in template]) for i in range(done, min(done + batch, start + count))])
