"""The other end of a connection, as the engine sees it: bytes out, an address, a way to hang up.

`engine.connection` fills it with an asyncio transport, an embedding program or a test with what it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _no_one(data: bytes) -> object:
    return None


def _nothing() -> object:
    return None


def _empty() -> int:
    return 0


class Peer:
    """`write(data)` sends, `close()` hangs up after what was written, `abort()` at once; `pending()` is the count of bytes not yet taken
    by the system.
    """

    def __init__(self) -> None:
        self.write: Callable[[bytes], object] = _no_one
        self.close: Callable[[], object] = _nothing
        self.abort: Callable[[], object] = _nothing
        self.pause_reading: Callable[[], object] = _nothing
        self.resume_reading: Callable[[], object] = _nothing
        self.pending: Callable[[], int] = _empty
        self.address = ""
        self.local_address = ""
        self.fd = -1
        self.unix = False
        self.local = True
        self.session: Any = None  # engine.session's that stands between the socket and the client, where there is TLS

    def take_place(self, other: Peer) -> None:
        """It is where `other` is."""
        self.address = other.address
        self.local_address = other.local_address
        self.fd = other.fd
        self.unix = other.unix
        self.local = other.local
