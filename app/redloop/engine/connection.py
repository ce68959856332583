"""A connection: the asyncio skin of a client, or of the TLS session before one.

It decides nothing: bytes in, bytes out, hang-ups and back-pressure are passed on.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from redloop.engine.client import Client
from redloop.engine.peer import Peer
from redloop.engine.session import Session


class Connection(asyncio.Protocol):
    """One accepted socket. `meet(peer)` gives what takes its bytes, or None if it may not come in (the peer is closed then)."""

    def __init__(self, meet: Callable[[Peer], Client | Session | None]) -> None:
        self.meet = meet
        self.client: Client | Session | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Meets the client, and hands it what the socket receives without a step in between."""
        wire = cast(asyncio.Transport, transport)
        client = self.meet(_peer(wire))
        if client is not None:
            self.client = client
            self.data_received = client.feed  # type: ignore[method-assign]  # one call less for every batch
            wire.set_protocol(self)  # the loop looks data_received up here

    def eof_received(self) -> bool:
        """The peer will send no more: hang up once it has its replies."""
        if self.client is not None:
            self.client.close()
        return False

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        if self.client is not None:
            self.client.congest()

    def resume_writing(self) -> None:
        """The socket takes bytes again."""
        if self.client is not None:
            self.client.relieve()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        if self.client is not None:
            self.client.lost()


def _peer(wire: asyncio.Transport) -> Peer:
    peer = Peer()
    peer.write = wire.write
    peer.close = wire.close
    peer.abort = wire.abort
    peer.pause_reading = wire.pause_reading
    peer.resume_reading = wire.resume_reading
    peer.pending = wire.get_write_buffer_size
    describe(peer, wire.get_extra_info("socket"))
    return peer


def describe(peer: Peer, sock: Any) -> None:
    """What the socket tells."""
    peer.fd = sock.fileno()
    own_name = sock.getsockname()
    if sock.family == getattr(socket, "AF_UNIX", None):
        peer.unix = True
        peer.local_address = f"{own_name}:0"
        peer.address = peer.local_address
    else:
        try:
            peer.address = _address(sock.getpeername())
        except OSError:  # it is gone again
            peer.address = "?:0"
        peer.local = peer.address.startswith(("127.", "[::1]"))
        peer.local_address = _address(own_name)


def _address(name: tuple[str, int]) -> str:
    host, port = name[0], name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
