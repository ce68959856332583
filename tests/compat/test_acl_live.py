"""A connection that changes users, and is changed under way: every reply of a long random run is a real server's.

One connection administers, the other runs requests as whoever it is at the moment, transactions and subscriptions included. When it is hung
up on, on both sides, it comes back. `REDLOOP_FULL=1` makes the run long, `REDLOOP_SEED=7` another than usual.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from random import Random

import pytest

from tests.compat.harness import Pair, Side, pack, start_pair
from tests.compat.replies import CLOSED, SILENT, Stream
from tests.compat.servers import PATIENCE
from tests.compat.test_acl_matrix import BEGINNINGS, NAMES, SEED, TEMPLATES, Matrix

STEPS = 5_000 if os.environ.get("REDLOOP_FULL") else 300

# What a real server answers at its own time, in its own order, or by what it is.
LEFT_OUT = """
monitor shutdown time info randomkey client slowlog save bgsave bgrewriteaof wait debug migrate blmpop bzmpop blpop brpoplpush
bzpopmin memory role lastsave command scan latency dump sdiffstore sunion smembers keys hgetall object xadd xinfo xgroup xclaim
xautoclaim function acl pubsub hello config xreadgroup xread expire ttl hexpire set swapdb
"""
OWN = """
acl whoami|auth u x|auth default x|auth u y z|hello 3 auth u x foo|hello 9 auth u x|acl list|config get maxmemory|multi|exec|multi
exec|discard|subscribe C|ssubscribe C|get K|set K v|set K v get|client getname|client kill x|watch K|acl setuser v on
acl deluser v|reset|nosuch|get|select 1
"""
REQUESTS = [words for words in (template.split(" ") for template in TEMPLATES) if words[0] not in LEFT_OUT.split()]
REQUESTS += [request.split(" ") for request in OWN.strip().replace("\n", "|").split("|")]
OF_DEFAULT = ["off", "on", "nopass", "resetpass >x", "-get", "+get", "-@all +auth +reset +acl", "+@all", "resetchannels", "allchannels"]
OF_DEFAULT += ["resetkeys ~a*", "allkeys"]


class Play:
    """Both servers, the administrator on each, and the connection that is watched."""

    def __init__(self, pair: Pair, random: Random) -> None:
        self.sides: list[Side] = [pair.ours, pair.theirs]
        self.random = random
        self.admin = Matrix(pair, random)
        self.admin.ask([["acl", "setuser", "boss", "on", "nopass", "+@all", "~*", "&*"], ["auth", "boss", "x"]])
        for side in self.sides:
            side.ask(b"AUTH", b"boss", b"x")
        self.history: list[list[str]] = []
        self.streams = self._come()

    def _come(self) -> list[Stream]:
        return [Stream(side.server.connect()) for side in self.sides]

    def administer(self) -> None:
        if self.random.randrange(5):
            rules = [word for _ in range(self.random.randrange(5)) for word in self.admin.rule()]
            request = ["acl", "setuser", "u", "on", "nopass", "+auth", *self.random.choice(BEGINNINGS).split(), *rules]
        else:
            request = ["acl", "setuser", "default", *self.random.choice(OF_DEFAULT).split()]
        self.history.append(["(admin)", *request])
        ours, theirs = self.admin.ask([request])[0]
        assert ours == theirs, request

    def say(self, words: list[str]) -> None:
        request = [self.random.choice(NAMES) if word in ("K", "C") else word for word in words]
        self.history.append(request)
        data = pack([word.encode("latin-1") for word in request])
        replies = []
        for stream, side in zip(self.streams, self.sides, strict=True):
            try:
                stream.peer.sendall(data)
            except OSError:
                stream.closed = True
            replies.append([_plain(request[0], reply) for reply in self._replies(stream, side)])
        assert replies[0] == replies[1], f"{request}, after {self.history[-15:]}"
        if CLOSED in replies[0]:
            for stream in self.streams:
                stream.peer.close()
            self.streams = self._come()

    def _replies(self, stream: Stream, side: Side) -> list[bytes]:
        """All that comes until the server has nothing more to say: a message to itself, five confirmations."""
        replies = [stream.reply()]
        side.settle()
        stream.peer.setblocking(False)
        try:
            while not stream.closed:
                data = stream.peer.recv(1 << 16)
                stream.buffer += data
                stream.closed = not data
        except OSError:
            pass
        stream.peer.settimeout(PATIENCE)
        while stream.buffer and replies[-1] not in (CLOSED, SILENT):
            replies.append(stream.reply())
        if stream.closed:
            replies.append(CLOSED)
        return replies

    def close(self) -> None:
        for stream in [*self.streams, *self.admin.streams]:
            stream.peer.close()


def _plain(name: str, reply: bytes) -> bytes:
    """The order in which a client's channels are told is a hash table's."""
    return re.sub(rb"^.*:(\d+)\r\n$", b"", reply, flags=re.DOTALL) if "unsubscribe" in name else reply


@pytest.fixture
def play(oracle: str) -> Iterator[Play]:
    """On servers of their own: `default` is tampered with."""
    ours, theirs = start_pair()
    with ours, theirs:
        pair = Pair(ours, theirs)
        play = Play(pair, Random(SEED))
        yield play
        play.close()
        pair.close()


def test_a_connection_under_changing_rules(play: Play) -> None:
    random = play.random
    for _ in range(STEPS):
        if random.randrange(10) == 0:
            play.administer()
            if random.randrange(2):
                play.say(["auth", "u", "x"])
        else:
            play.say(random.choice(REQUESTS))
