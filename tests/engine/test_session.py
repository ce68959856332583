"""TLS sessions against a client's side in memory: handshake, both directions, and each way to end."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from redloop import commands  # noqa: F401  # declares PING
from redloop.clock import Clock
from redloop.config import Config
from redloop.engine.client import Client
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.engine.session import Session
from tests.certificates import make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("certificates"))


class Ends:
    """Both ends of an encrypted connection, the socket between them as a list of what was done there."""

    def __init__(self, folder: Path) -> None:
        server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_side.load_cert_chain(folder / "server.crt", folder / "server.key")
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client_side = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        self.tls = client_side.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.done: list[str] = []
        self.settled: list[BaseException | None] = []
        self.admitted = 0
        self.server = Server(Config(), Clock())
        self.session = Session(server_side, self.admit, self.settled.append)
        self.session.attach(self.socket("first"))

    def socket(self, name: str) -> Peer:
        peer = Peer()
        peer.write = self.incoming.write
        peer.close = lambda: self.done.append(f"{name} closed")
        peer.abort = lambda: self.done.append(f"{name} aborted")
        peer.address = name
        return peer

    def admit(self, peer: Peer) -> Client:
        self.admitted += 1
        return Client(self.server, peer, 1)

    def deliver(self) -> None:
        """What the client's side has written reaches the session, in pieces."""
        data = self.outgoing.read()
        for at in range(0, len(data), 700):
            self.session.feed(data[at : at + 700])

    def shake(self) -> None:
        while not self.settled:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.deliver()
            else:
                self.deliver()

    def say(self, data: bytes) -> None:
        self.tls.write(data)
        self.deliver()

    def hear(self, size: int) -> bytes:
        heard = b""
        while len(heard) < size:
            heard += self.tls.read(size - len(heard))
        return heard


def test_commands_pass_both_ways_and_the_socket_may_change(folder: Path) -> None:
    ends = Ends(folder)
    ends.shake()
    assert (ends.settled, ends.admitted) == ([None], 1)
    ends.say(b"PING\r\n")
    assert ends.hear(7) == b"+PONG\r\n"
    ends.session.attach(ends.socket("second"))
    assert ends.session.peer.address == "second"
    big = b"x" * 5_000_000
    ends.say(b"*2\r\n$4\r\nECHO\r\n$5000000\r\n" + big + b"\r\n")
    assert ends.hear(5_000_012) == b"$5000000\r\n" + big + b"\r\n"
    ends.say(b"QUIT\r\n")
    assert ends.hear(5) == b"+OK\r\n"
    assert ends.tls.read(1) == b""  # told so
    assert ends.done == ["second closed"]


def test_who_says_farewell_is_hung_up_on(folder: Path) -> None:
    ends = Ends(folder)
    ends.shake()
    with pytest.raises(ssl.SSLWantReadError):
        ends.tls.unwrap()
    ends.deliver()
    assert ends.done == ["first closed"]
    ends.session.lost()
    assert ends.session.client is None


def test_a_broken_record_ends_it_at_once(folder: Path) -> None:
    ends = Ends(folder)
    ends.shake()
    ends.tls.write(b"PING\r\n")
    record = bytearray(ends.outgoing.read())
    record[-1] ^= 1
    ends.session.feed(bytes(record))
    assert ends.done == ["first aborted"]
    ends.session.feed(b"more")
    ends.session.write(b"more")


@pytest.mark.parametrize("how", ["no TLS", "closed", "lost"])
def test_a_handshake_that_comes_to_nothing_makes_no_client(folder: Path, how: str) -> None:
    ends = Ends(folder)
    if how == "no TLS":
        ends.session.feed(b"PING\r\n" * 10)
    elif how == "closed":
        ends.session.close()
    else:
        ends.session.lost()
    assert (len(ends.settled), ends.admitted) == (1, 0)
    assert ends.settled[0] is not None
    assert ends.done == ["first closed"]
