"""A snapshot file holds the state at its beginning, for every type of value and whatever commands run meanwhile."""

from __future__ import annotations

from random import Random

import pytest

import redloop.commands  # noqa: F401  # declares them
from redloop.clock import ManualClock
from redloop.config import Config
from redloop.engine.blocking import BlockedClients
from redloop.engine.client import Client
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.keyspace.database import Keyspace
from redloop.persistence.rdb.file import DONE, FileLoader
from redloop.persistence.rdb.form import RdbForm
from redloop.persistence.snapshot import Snapshot
from redloop.resp.encode import encode_command
from tests.persistence.rdb.samples import content

KEYS = 60
State = dict[tuple[int, bytes], tuple[object, int]]


def state_of(keyspace: Keyspace) -> State:
    return {
        (database.index, key): (content(value), segment.expires.get(key, -1))
        for database in keyspace.databases
        for segment in database.segments()
        for key, value in segment.values.items()
    }


class Actor:
    """A client that does at random whatever clients do, a few keys of each type; a tenth of them is large."""

    def __init__(self, server: Server, random: Random) -> None:
        self.random = random
        self.client = Client(server, Peer(), server.new_client_id())
        server.register(self.client)

    def do(self, *words: object) -> None:
        self.client.feed(encode_command([word if isinstance(word, bytes) else str(word).encode() for word in words]))

    def key(self, kind: str) -> str:
        return f"{kind}:{self.random.randrange(KEYS)}"

    def some(self) -> int:
        return self.random.choice([1, 3, 30, 1500 if self.random.random() < 0.2 else 200])

    def act(self) -> None:
        """One command."""
        random = self.random
        match random.randrange(24):
            case 0:
                self.do("SET", self.key("string"), random.randbytes(20))
            case 1:
                self.do("APPEND", self.key("string"), "more")
            case 2:
                self.do("SETRANGE", self.key("string"), random.randrange(50), "patch")
            case 3:
                self.do("INCR", self.key("counter"))
            case 4:
                self.do(random.choice(["RPUSH", "LPUSH"]), self.key("list"), *[random.randrange(99) for _ in range(self.some())])
            case 5:
                self.do(random.choice(["RPOP", "LPOP"]), self.key("list"), self.some())
            case 6:
                self.do("LSET", self.key("list"), 0, "changed")
            case 7:
                self.do("LINSERT", self.key("list"), "BEFORE", random.randrange(99), "between")
            case 8:
                self.do("SADD", self.key("set"), *[f"m{random.randrange(3000)}" for _ in range(self.some())])
            case 9:
                self.do("SREM", self.key("set"), *[f"m{random.randrange(3000)}" for _ in range(self.some())])
            case 10:
                self.do("HSET", self.key("hash"), *[part for _ in range(self.some()) for part in (f"f{random.randrange(3000)}", "v")])
            case 11:
                self.do("HDEL", self.key("hash"), *[f"f{random.randrange(3000)}" for _ in range(self.some())])
            case 12:
                self.do("HPEXPIRE", self.key("hash"), random.randrange(1, 90_000), "FIELDS", 1, f"f{random.randrange(3000)}")
            case 13:
                scored = [part for _ in range(self.some()) for part in (random.random(), f"m{random.randrange(3000)}")]
                self.do("ZADD", self.key("zset"), *scored)
            case 14:
                self.do("ZPOPMIN", self.key("zset"), self.some())
            case 15:
                for _ in range(self.some() // 10 + 1):
                    self.do("XADD", self.key("stream"), "*", "f", random.randrange(99))
            case 16:
                self.do("XTRIM", self.key("stream"), "MAXLEN", random.randrange(100))
            case 17:
                self.do("XGROUP", "CREATE", self.key("stream"), "g", "0", "MKSTREAM")
            case 18:
                self.do("XREADGROUP", "GROUP", "g", f"c{random.randrange(3)}", "COUNT", 50, "STREAMS", self.key("stream"), ">")
            case 19:
                kind = random.choice(["string", "list", "set", "hash", "zset", "stream"])
                self.do(random.choice(["RENAME", "COPY"]), self.key(kind), self.key(kind))
            case 20:
                kind = random.choice(["string", "list", "set", "hash", "zset", "stream"])
                self.do("PEXPIRE", self.key(kind), random.randrange(1, 90_000))
            case 21:
                kind = random.choice(["string", "list", "set", "hash", "zset", "stream"])
                self.do(random.choice(["DEL", "PERSIST"]), self.key(kind))
            case 22:
                self.do("SELECT", random.randrange(2))
            case 23:
                kind = random.choice(["string", "list", "set", "hash", "zset", "stream"])
                self.do("MOVE", self.key(kind), random.randrange(2))


@pytest.mark.parametrize("seed", range(12))
def test_the_file_holds_the_beginning(seed: int) -> None:
    random = Random(seed)
    config, clock = Config(), ManualClock()
    server = Server(config, clock)
    server.blocked = BlockedClients(server)
    keyspace = server.keyspace
    actor = Actor(server, random)
    for _ in range(1500):
        actor.act()
    before = state_of(keyspace)

    form = RdbForm(config, keyspace, [(b"redis-ver", b"8.0.2")], [])
    snapshot = Snapshot(keyspace, form)
    snapshot.begin()
    moment = clock.now_ms()
    pieces: list[bytes] = []
    while snapshot.advance(0):  # time is up at once
        for _ in range(random.choice([0, 1, 20])):
            actor.act()
        luck = random.random()
        if luck < 0.002:
            actor.do("FLUSHALL")
        elif luck < 0.004:
            actor.do("FLUSHDB")
        elif luck < 0.02:
            actor.do("SWAPDB", 0, 1)
        elif luck < 0.05:
            clock.advance(random.randrange(500))
            server.expire_some(10**9)
        keyspace.trash.sweep(1000)
        if random.random() < 0.3:
            pieces.append(form.flush())
    form.end()
    pieces.append(form.flush())
    assert keyspace.savers == ()

    loaded = Keyspace(ManualClock(moment), 16, Random(1))
    loader = FileLoader(loaded, config, True, pieces.append)
    loader.feed(b"".join(pieces))
    while loader.advance(0) != DONE:
        pass
    assert state_of(loaded) == before
