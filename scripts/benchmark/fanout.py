"""Many connections: one message to all of them, and all of them there with a little to say.

`measure` has subscribers of one channel and publishes to it in bursts; a burst begins when the last has reached everybody. `crowd` opens
connections that each store and read a key of their own, several times, and looks at what they take.
"""

from __future__ import annotations

import resource
import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from benchmark.servers import Launch, Server
from benchmark.wire import HOST, Wire, encode

CHANNEL: Final = "bench:channel"
MESSAGE: Final = "x" * 32
BURST: Final = 20
ROUNDS: Final = 3
SPARE: Final = 200


class Fanout(NamedTuple):
    """Processor time of the server for each message that reached a subscriber, in nanoseconds."""

    server: str
    subscribers: int
    messages: int
    nanoseconds: float


class Crowd(NamedTuple):
    """Resident bytes of a connection that has done its part, and microseconds of processor time: to let it in, and for a command."""

    server: str
    connections: int
    resident: float
    entry: float
    command: float


def roomy(kind: Launch, count: int) -> Launch:
    """A server that lets so many in: redis-server takes more than it began with only where it may open more files."""
    return kind._replace(argv=(*kind.argv, "--maxclients", str(count + SPARE // 2)))


@contextmanager
def connected(server: Server, count: int) -> Iterator[list[socket.socket]]:
    """That many connections, all accepted."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + SPARE, hard), hard))
    peers: list[socket.socket] = []
    try:
        peers.extend(socket.create_connection((HOST, server.port), 60) for _ in range(count))
        yield peers
    finally:
        for peer in peers:
            peer.close()


def exchange(peers: list[socket.socket], sent: bytes, size: int) -> None:
    """Has every peer say `sent` and waits until each has `size` bytes of answer."""
    for peer in peers:
        peer.sendall(sent)
    for peer in peers:
        left = size
        while left:
            left -= len(peer.recv(left))


def measure(server: Server, subscribers: int, messages: int) -> Fanout:
    with connected(server, subscribers) as peers, Wire(server.port) as publisher, selectors.DefaultSelector() as ready:
        confirmation = b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:1\r\n" % (len(CHANNEL), CHANNEL.encode())
        exchange(peers, encode("SUBSCRIBE", CHANNEL), len(confirmation))
        for peer in peers:
            peer.setblocking(False)
            ready.register(peer, selectors.EVENT_READ)
        burst = encode("PUBLISH", CHANNEL, MESSAGE) * BURST
        size = len(encode("message", CHANNEL, MESSAGE)) * BURST * subscribers
        before = server.cpu()
        for _ in range(messages // BURST):
            publisher.send(burst)
            left = size
            while left:
                for key, _ in ready.select(60):
                    assert isinstance(key.fileobj, socket.socket)
                    left -= len(key.fileobj.recv(1 << 20))
            for _ in range(BURST):
                publisher.read()
        spent = server.cpu().since(before).total
    done = messages // BURST * BURST
    return Fanout(server.label, subscribers, done, spent * 1e9 / (done * subscribers))


def crowd(server: Server, count: int) -> Crowd:
    resident = server.resident()
    before = server.cpu()
    with connected(server, count) as peers:
        exchange(peers, encode("PING"), len(b"+PONG\r\n"))
        arrived = server.cpu()
        for _ in range(ROUNDS):
            for number, peer in enumerate(peers):
                peer.sendall(encode("SET", f"bench:{number:08}", MESSAGE) + encode("GET", f"bench:{number:08}"))
            for peer in peers:
                left = len(b"+OK\r\n") + len(b"$32\r\n\r\n") + len(MESSAGE)
                while left:
                    left -= len(peer.recv(left))
        spent = server.cpu().since(arrived).total
        grown = server.resident() - resident
    entry = arrived.since(before).total
    return Crowd(server.label, count, grown / count, entry * 1e6 / count, spent * 1e6 / (2 * ROUNDS * count))
