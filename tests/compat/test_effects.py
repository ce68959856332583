"""What a command leaves behind is what it leaves on a real redis-server: commands in the AOF, keyspace events, count of changes.

A case is a line of effects/*.txt, its steps parted by ` | ` and quoted as in cases/*.txt. Redloop runs in this process, with its clock
standing still; the real server writes an AOF and publishes its events. Replies are not compared (that is test_cases.py), times near now
count as the same. A step `+ 1500` turns both clocks on; lines with one are left out where the real server's cannot be hand-set.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

import redloop.commands  # noqa: F401  declares the commands
from redloop.clock import Clock, ManualClock
from redloop.config import Config
from redloop.engine.client import Client
from redloop.engine.features import install
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.events import KEY_MISS, NEW, SILENT
from redloop.keyspace.database import Database
from redloop.scripting.functions import Functions
from redloop.scripting.scripts import Scripts
from tests.compat.hand_clock import HandClock, available
from tests.compat.harness import pack, split_steps, words
from tests.compat.replies import Stream, parse
from tests.compat.servers import Server as Process
from tests.compat.servers import start

EFFECTS = pathlib.Path(__file__).parent / "effects"
NEAR_MS = 3_600_000


class Effects:
    """What one side showed for a line."""

    def __init__(self, log: bytes, events: list[bytes], changes: int, now_ms: int) -> None:
        self.shown = [*[b" ".join(argv) for argv in commands(log, now_ms)], b"--", *events, b"--", b"%d" % changes]


def commands(log: bytes, now_ms: int) -> list[list[bytes]]:
    """The commands of an AOF but SELECT, with moments near now blurred and names in capitals."""
    found: list[list[bytes]] = []
    at = 0
    while at < len(log):
        (_, items), at = parse(log, at)
        assert isinstance(items, list)
        argv = [text for _, text in items if isinstance(text, bytes)]
        argv[0] = argv[0].upper()
        if argv[0] != b"SELECT":
            found.append([b"<soon>" if is_near(word.removesuffix(b"-0"), now_ms) else word for word in argv])
    return found


def is_near(word: bytes, now_ms: int) -> bool:
    return word.isdigit() and abs(int(word) - now_ms) < NEAR_MS


class Ours:
    """Redloop in this process."""

    def __init__(self) -> None:
        self.clock = ManualClock(Clock().now_ms())
        self.server = Server(Config(), self.clock)
        install(self.server)
        self.server.scripts = Scripts(self.server)
        self.server.functions = Functions(self.server, self.server.scripts)
        self.client = Client(self.server, Peer(), 1)
        self.log = bytearray()
        self.events: list[bytes] = []
        self.server.add_sink(self._keep)
        self.server.add_listener(self._note)

    def _keep(self, database: int, data: bytes) -> None:
        self.log += data

    def _note(self, database: Database, key: bytes, event_class: int, event: bytes) -> None:
        if event_class not in (KEY_MISS, NEW, SILENT):
            self.events.append(event + b" " + key)

    def run(self, steps: list[list[bytes]]) -> Effects:
        for database in self.server.keyspace.databases:
            database.clear()
        self.log.clear()
        self.events.clear()
        self.server.keyspace.dirty = 0
        for argv in steps:
            if argv[0] == b"+":
                self.clock.advance(int(argv[1]))
            else:
                self.client.feed(pack(argv))
        return Effects(bytes(self.log), list(self.events), int(self.server.keyspace.dirty), self.clock.now_ms())


class Theirs:
    """A real server that keeps an AOF and tells of its events."""

    def __init__(self, process: Process) -> None:
        self.hand = process.clock
        self.asker = Stream(process.connect())
        self.watcher = Stream(process.connect())
        self.ask(self.watcher, [b"PSUBSCRIBE", b"__keyevent@*"])
        self.ask(self.asker, [b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"])  # what is due goes when a step touches it, not at some moment between
        self.aof = next(pathlib.Path(process.folder, "appendonlydir").glob("*.incr.aof"))
        self.system = Clock()

    def ask(self, stream: Stream, argv: list[bytes]) -> bytes:
        stream.peer.sendall(pack(argv))
        return stream.reply()

    def changes(self) -> int:
        for line in self.ask(self.asker, [b"INFO", b"persistence"]).split(b"\r\n"):
            if line.startswith(b"rdb_changes_since_last_save:"):
                return int(line.partition(b":")[2])
        raise AssertionError("no count of changes")

    def run(self, steps: list[list[bytes]]) -> Effects:
        self.ask(self.asker, [b"FLUSHALL"])
        position, changes = self.aof.stat().st_size, self.changes()
        for argv in steps:
            if argv[0] != b"+":
                self.ask(self.asker, argv)
            elif self.hand is not None:
                self.hand.advance(int(argv[1]))
        self.system.refresh()
        # the watcher gets its messages in order, so that what comes before the PONG is all
        events: list[bytes] = []
        message = self.ask(self.watcher, [b"PING"])
        while b"pong" not in message:
            items = parse(message)[0][1]
            assert isinstance(items, list)
            channel, key = items[2][1], items[3][1]
            assert isinstance(channel, bytes)
            assert isinstance(key, bytes)
            events.append(channel.partition(b":")[2] + b" " + key)
            message = self.watcher.reply()
        now_ms = self.hand.ms if self.hand else self.system.now_ms()
        return Effects(self.aof.read_bytes()[position:], events, self.changes() - changes, now_ms)


@pytest.fixture(scope="module")
def theirs(oracle: str) -> Iterator[Theirs]:
    arguments = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--appendfsync", "no", "--notify-keyspace-events", "KEA"]
    with start("oracle", *arguments, clock=HandClock() if available() else None) as process:
        side = Theirs(process)
        yield side
        side.asker.peer.close()
        side.watcher.peer.close()


@pytest.mark.parametrize("path", sorted(EFFECTS.glob("*.txt")), ids=lambda path: path.stem)
def test_same_effects(path: pathlib.Path, theirs: Theirs) -> None:
    ours = Ours()
    wrong: list[str] = []
    lines = [line.strip() for line in path.read_text().splitlines()]
    for line in lines:
        if not line or line.startswith("#") or ("| +" in line and theirs.hand is None):
            continue
        steps = [words(step) for step in split_steps(line)]
        got, wanted = ours.run(steps).shown, theirs.run(steps).shown
        if got != wanted:
            wrong.append(f"{line}\n   redis   {wanted}\n   redloop {got}")
    if wrong:
        pytest.fail(f"{len(wrong)} of {len(lines)} lines differ\n" + "\n".join(wrong[:25]), pytrace=False)
