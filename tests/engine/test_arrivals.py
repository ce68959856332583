"""Arrivals: who comes to a door, is met by hand before the loop has the socket, and goes to the loop after that."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable

import pytest

from redloop import commands  # noqa: F401  # declares PING
from redloop.clock import Clock
from redloop.config import Config
from redloop.engine.arrivals import Arrival, Arrivals, Door
from redloop.engine.client import Client
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from tests.compat.servers import PATIENCE


class House:
    """A door on a free port, and the clients that came in."""

    def __init__(self) -> None:
        self.server = Server(Config(), Clock())
        self.clients: list[Client] = []
        self.full = False
        self.arrivals = Arrivals(self.server.config, self.admit)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.door = Door(self.arrivals, self.sock)

    def admit(self, peer: Peer) -> Client | None:
        if self.full:
            peer.write(b"-full\r\n")
            peer.close()
            return None
        client = Client(self.server, peer, len(self.clients) + 1)
        self.clients.append(client)
        return client

    async def come(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.sock.getsockname())

    async def accept(self) -> Arrival:
        """Who has come, as soon as the kernel has brought the last word of it: a busy one may do that after `come`."""
        while (arrival := self.door.accept()) is None:  # noqa: ASYNC110  # the kernel tells nobody
            await asyncio.sleep(0)
        return arrival


def play(scene: Callable[[House], Awaitable[None]]) -> None:
    async def run() -> None:
        house = House()
        try:
            await asyncio.wait_for(scene(house), PATIENCE)
        finally:
            house.arrivals.close()
            house.door.close()

    asyncio.run(run())


def test_who_comes_becomes_a_client() -> None:
    async def scene(house: House) -> None:
        house.door.serve()
        reader, writer = await house.come()
        writer.write(b"PING\r\n")
        assert await reader.readline() == b"+PONG\r\n"
        assert not house.arrivals.coming
        writer.close()

    play(scene)


def test_who_was_met_by_hand_stays_the_same_client_on_the_loop() -> None:
    async def scene(house: House) -> None:
        reader, writer = await house.come()
        arrival = await house.accept()
        assert house.door.accept() is None
        by_hand = Peer()
        client = arrival.meet(by_hand)
        assert client is not None
        assert house.arrivals.coming == {arrival}
        arrival.rest = b"+from before\r\n"
        arrival.start()
        arrival.start()
        assert await reader.readline() == b"+from before\r\n"
        writer.write(b"PING\r\n")
        assert await reader.readline() == b"+PONG\r\n"
        assert house.clients == [client]
        assert house.clients[0].peer is not by_hand
        assert not house.arrivals.coming
        writer.close()

    play(scene)


def test_who_may_not_come_in_is_told_so() -> None:
    async def scene(house: House) -> None:
        house.full = True
        reader, writer = await house.come()
        arrival = await house.accept()
        said: list[bytes] = []
        by_hand = Peer()
        by_hand.write = said.append
        assert arrival.meet(by_hand) is None
        arrival.rest = b"".join(said)
        arrival.start()
        assert await reader.read() == b"-full\r\n"
        writer.close()

    play(scene)


def test_what_is_broken_off_is_closed() -> None:
    async def scene(house: House) -> None:
        reader, writer = await house.come()
        await house.accept()
        house.arrivals.close()
        assert await reader.read() == b""
        writer.close()

    play(scene)


def test_where_the_system_lets_nobody_in_it_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    class Full:
        """A socket that lets in nobody the first time."""

        def __init__(self, sock: socket.socket) -> None:
            self.sock = sock
            self.asked = 0

        def accept(self) -> tuple[socket.socket, object]:
            self.asked += 1
            if self.asked == 1:
                raise OSError(errno.EMFILE, "Too many open files")
            return self.sock.accept()

        def fileno(self) -> int:
            return self.sock.fileno()

        def close(self) -> None:
            self.sock.close()

    async def scene(house: House) -> None:
        house.door.sock = Full(house.sock)  # type: ignore[assignment]
        house.door.serve()
        reader, writer = await house.come()
        writer.write(b"PING\r\n")
        assert await reader.readline() == b"+PONG\r\n"
        assert "Accepting client connection: Too many open files" in caplog.text
        writer.close()

    with caplog.at_level(logging.WARNING):
        play(scene)
