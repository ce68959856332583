"""A server without a loop or sockets, on a clock that a test turns, and clients that note what they are sent."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from redloop import commands  # noqa: F401  # declares the commands
from redloop.clock import ManualClock
from redloop.config import Config
from redloop.engine.client import Client
from redloop.engine.features import install
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.resp.encode import encode_command


class Guest:
    """A client, and what it was sent since it last looked."""

    def __init__(self, house: House, address: str) -> None:
        peer = Peer()
        peer.address = address
        self.sent: list[bytes] = []
        peer.write = self.sent.append
        self.house = house
        self.client = Client(house.server, peer, house.server.new_client_id())
        house.server.access.admit(self.client)
        house.server.register(self.client)

    def say(self, *line: str) -> bytes:
        """Sends the commands, each a line of words, in one piece; returns what came back up to the end of the tick."""
        self.client.feed(b"".join([encode_command([word.encode() for word in one.split()]) for one in line]))
        self.house.end_tick()
        return self.look()

    def look(self) -> bytes:
        """What came since."""
        data = b"".join(self.sent)
        self.sent.clear()
        return data


class House:
    """The server. A command that is to take time is made by `slow`."""

    def __init__(self, **settings: str) -> None:
        self.clock = ManualClock()
        self.config = self.configuration()
        self.config.change([(name.replace("_", "-"), value) for name, value in settings.items()])
        self.server = Server(self.config, self.clock, Random(1))
        install(self.server)
        self._deferred: list[Callable[[], None]] = []
        self.server.defer = self._deferred.append

    def configuration(self) -> Config:
        """What a configuration file left, before the settings."""
        return Config()

    def visit(self, address: str = "10.0.0.1:5000") -> Guest:
        """A new client."""
        return Guest(self, address)

    def end_tick(self) -> None:
        """The loop's turn ends."""
        while self._deferred:
            self._deferred.pop(0)()

    def turn(self) -> bool:
        """One turn of the loop: what was put off before it; False if there was nothing."""
        waiting, self._deferred[:] = self._deferred[:], []
        for callback in waiting:
            callback()
        return bool(waiting)

    def slow(self, name: str, milliseconds: int) -> None:
        """From now on the command takes so long, each time."""
        command = self.server.find_command([word.encode() for word in name.split()])
        assert command is not None
        handler = command.handler

        def slowly(client: Client, argv: list[bytes]) -> object:
            self.clock.advance(milliseconds)
            return handler(client, argv)

        command.handler = slowly
