"""A TLS session: stands between a socket and a client, in `ssl` with two buffers.

What the socket receives goes into `feed`, what is to be sent there comes out at `raw.write`; the client sees only `peer`. The loop's own
TLS could not be driven by hand, and that is needed: while a script takes long its server must still hear who wants to end it
(`scripting/busy.py`), so `raw` may be another one for a while. A session shakes hands first; only then it asks `admit` for a client.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from typing import Final

from redloop.engine.client import Client
from redloop.engine.peer import Peer

RECORD: Final = 16384
"""The most that one record holds."""
PORTION: Final = 1024 * 1024
"""Bytes of a reply that are encrypted at one time."""


class Session:
    """The server's side. `admit(peer)` makes the client or gives None, `settled(error)` tells that hands are shaken, or why not."""

    def __init__(
        self, context: ssl.SSLContext, admit: Callable[[Peer], Client | None], settled: Callable[[BaseException | None], object]
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._admit = admit
        self._settled = settled
        self._shaking = True
        self.closing = False
        self.client: Client | None = None
        self.raw = Peer()
        peer = self.peer = Peer()
        peer.session = self
        peer.write = self.write
        peer.close = self.hang_up
        peer.abort = self.abort
        self.attach(self.raw)

    def attach(self, raw: Peer) -> None:
        """From now on `raw` is the socket's side."""
        self.raw = raw
        peer = self.peer
        peer.pause_reading = raw.pause_reading
        peer.resume_reading = raw.resume_reading
        peer.pending = raw.pending
        peer.take_place(raw)

    # --- from the socket -------------------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Takes what the socket received."""
        if self.closing:
            return
        self._incoming.write(data)
        if self._shaking:
            self._shake()
        if not self._shaking and not self.closing:
            self._read()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self.fail(error)
        else:
            self._flush()
            self._shaking = False
            self._settled(None)
            self.client = self._admit(self.peer)

    def _read(self) -> None:
        pieces: list[bytes] = []
        over = False
        broken = False
        tls = self._tls
        incoming = self._incoming
        try:
            while incoming.pending or tls.pending():
                piece = tls.read(RECORD)
                if not piece:
                    over = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            broken = True
        if self._outgoing.pending:
            self._flush()
        client = self.client
        if client is None:
            return
        if pieces:
            client.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if broken:
            client.abort()
        elif over:
            client.close()

    def close(self) -> None:
        """The other end sends no more."""
        if self.client is not None:
            self.client.close()
        elif self._shaking and not self.closing:
            self.fail(ConnectionResetError("unexpected eof while reading"))

    def congest(self) -> None:
        """The socket takes no more for now."""
        if self.client is not None:
            self.client.congest()

    def relieve(self) -> None:
        """The socket takes bytes again."""
        if self.client is not None:
            self.client.relieve()

    def lost(self) -> None:
        """The socket is closed."""
        client = self.client
        if client is not None:
            client.lost()
        else:
            self.close()
        self.closing = True
        self.client = None
        self.peer = Peer()  # the old one refers to this session

    # --- to the socket ---------------------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Sends what the client says."""
        if self.closing:
            return
        try:
            if len(data) <= RECORD:
                self._tls.write(data)
                self.raw.write(self._outgoing.read())
                return
            view = memoryview(data)
            at = 0
            while at < len(data):
                at += self._tls.write(view[at : at + PORTION])
                self.raw.write(self._outgoing.read())
        except ssl.SSLError:
            self.abort()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.raw.write(self._outgoing.read())

    def hang_up(self) -> None:
        """Says that nothing more comes, and closes the socket after it; the other end's answer is not waited for."""
        if self.closing:
            return
        self.closing = True
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self.raw.close()

    def abort(self) -> None:
        """Closes the socket at once."""
        self.closing = True
        self.raw.abort()

    def fail(self, error: BaseException) -> None:
        """The handshake came to nothing."""
        self.closing = True
        self._flush()  # the alert that says why
        self.raw.close()
        self._settled(error)


def reason(error: BaseException) -> str:
    """What went wrong, without the place in Python's sources."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    why: object = getattr(error, "reason", None)  # either may be None, which the declarations do not say
    if isinstance(error, ssl.SSLError) and why:
        return str(why).replace("_", " ").lower()
    text: object = getattr(error, "strerror", None)
    return str(text or error) or type(error).__name__
