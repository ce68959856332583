"""One long session: commands of every family at random, on keys that live on, get the same replies as from a real server to the end.

The short sequences of test_sequences.py each begin with nothing. Here values grow, change type and encoding, are renamed, expire and come
back for as long as the run lasts. At its end both servers hold the same data (DEBUG DIGEST), and so does redloop after a restart from its
append-only file. `REDLOOP_FULL=1` takes the length the project promises; `REDLOOP_SEED=7` another run than the usual one.

Time is hand-set: between two batches both clocks may jump by a millisecond or by days, and nothing that tells of time is left out: TTLs,
idle times, ids of streams. In turns of some thousand commands active expiry is off, so that what is due lies until a command meets it, and
on: then all that is due is gone before the next batch. Where clocks cannot be set by hand (hand_clock.py; the head of the report says so)
the run is without all of that.
"""

from __future__ import annotations

import os
import random
import re
import time

from tests.compat.hand_clock import FINE_TIME, available
from tests.compat.harness import Pair, Side, Step, show, split_steps, start_pair
from tests.compat.replies import Stream, compare, parse, scalar
from tests.compat.servers import PATIENCE, start
from tests.compat.test_sequences import FAMILIES, POOLS, family_templates

COMMANDS = 200_000 if os.environ.get("REDLOOP_FULL") else 4_000
SEED = int(os.environ.get("REDLOOP_SEED", "1"))
PIPELINE = 50
SETTINGS_EVERY = 2_000

EXTRA = ["del {key}", "unlink {key} {key} {key}"]
WAITED_FOR = ["pexpire {key} 1 | debug sleep 0.003", "set {key} {value} px 1 | debug sleep 0.003"]
TIMED = [
    "set {key} {value} px {ms}", "set {key} {value} nx ex {seconds}", "set {key} {value} get exat {soon}", "psetex {key} {ms} {value}",
    "pexpire {key} {ms}", "pexpire {key} {ms} {flag}", "getex {key} px {ms}", "getex {key} exat {moment}", "pttl {key}",
    "pexpiretime {key}", "object idletime {key}", "time",
    "hset {key} f {value} g {value} h {value}", "hpexpire {key} {ms} fields 2 {field} {field}",
    "hpexpire {key} {ms} {flag} fields 1 {field}", "hpttl {key} fields 2 {field} {field}",
    "hpexpiretime {key} fields 1 {field}", "hgetex {key} px {ms} fields 1 {field}",
    "hsetex {key} px {ms} fields 1 {field} {value}", "hsetex {key} fnx px {ms} fields 2 {field} {value} {field} {value}",
    "[sorted] hrandfield {key} 100",
    "xadd {key} * f {value}", "xadd {key} maxlen ~ {small} * f {value}", "xpending {key} {group} idle {ms} - + 10",
    "xclaim {key} {group} {consumer} {ms} {id}", "xclaim {key} {group} {consumer} 0 {id} time {moment}000",
    "xclaim {key} {group} {consumer} 0 {id} idle {ms}",
    "xautoclaim {key} {group} {consumer} {ms} - count 5", "xreadgroup group {group} {consumer} count 2 streams {key} >",
]  # fmt: skip
# What would end the run's data, and what nobody can foretell: the order of a set, a range by name where scores differ, a torn HyperLogLog.
UNFIT = re.compile(r"flushdb|sort .* by |z.*lex|pfdebug decode")
BLOCKING = re.compile(r"blpop|blmove")  # whose end would have to be waited for, on a clock that stands
KEYS = [*POOLS["key"], *(f"key:{number}" for number in range(40))]
LEAPS_MS = [1, 2, 10, 500, 999, 1_000, 5_000, 60_000, 600_000, 3_600_000, 20_000_000]
SPANS_MS = [0, 1, 5, 100, 1_500, 10_000, 300_000, 4_000_000, 90_000_000]


class Player:
    """Draws commands, plays them on both servers, and remembers what was sent."""

    def __init__(self, pair: Pair, protocol: int) -> None:
        self.pair = pair
        self.clock = pair.ours.server.clock
        self.reclaiming = False
        self.dice = random.Random(SEED)
        lines = [line.text for family in FAMILIES for line in family_templates(family) if not UNFIT.match(line.text)]
        if self.clock:
            lines = [line for line in lines if not BLOCKING.match(line)]
        self.lines = lines + EXTRA * 3 + (TIMED * 2 if self.clock else WAITED_FOR * 3)
        self.settings = sorted({line.before_text for family in FAMILIES for line in family_templates(family)} - {""})
        self.sent: list[str] = []
        self.lag = 0.0  # by the system's clock, the longest time between a command on one side and on the other: so much do moments differ
        self.streams = self._connect()
        self.watchers = self._connect()
        if protocol == 3:
            self.play(["hello 3"], {"skip": ""})
        if self.clock:
            self.turn(1)
            self.ask(["client no-touch on"])

    def _connect(self) -> list[Stream]:
        return [Stream(side.server.connect()) for side in (self.pair.ours, self.pair.theirs)]

    def draw(self) -> list[str]:
        """One template with its gaps filled."""
        text = re.sub(r"\{([a-z]+)\}", self.value, self.dice.choice(self.lines))
        return split_steps(text)

    def value(self, gap: re.Match[str]) -> str:
        if gap[1] == "key":
            return self.dice.choice(KEYS)
        if gap[1] == "ms":
            return str(self.dice.choice(SPANS_MS) + self.dice.randrange(3))
        if gap[1] == "seconds":
            # By the system's clock no two spans are the same: which ends later would be a matter of milliseconds.
            span = self.dice.choice(SPANS_MS) // 1000 if self.clock else self.dice.randrange(10_000, 10_000_000)
            return str(self.dice.choice([0, -1, span, span]))
        if gap[1] == "soon":  # never past: such a key would lie there until active expiry comes, whenever that is
            return str(self.clock.ms // 1000 + self.dice.randrange(1, 5000) if self.clock else 0)
        if gap[1] == "moment" and self.clock and self.dice.random() < 0.8:
            return str((self.clock.ms + self.dice.choice(SPANS_MS)) // 1000)
        return self.dice.choice(POOLS[gap[1]])

    def play(self, texts: list[str], marks: dict[str, str] | None = None) -> None:
        """Sends the commands in one piece to both, and compares reply by reply."""
        steps = [Step(text) for text in texts]
        data = b"".join(step.data({}) for step in steps)
        begun = time.monotonic()
        for stream in self.streams:
            stream.peer.sendall(data)
        replies = [[stream.reply() for _ in steps] for stream in self.streams]
        if not self.clock:
            self.lag = max(self.lag, time.monotonic() - begun)
        for step, ours, theirs in zip(steps, *replies, strict=True):
            self.sent.append(step.text)
            if self.clock:
                step.marks.pop("near", None)
            if not compare(ours, theirs, step.marks if marks is None else marks, 2 * self.lag):
                said = f"\n   redis   {show(theirs)}\n   redloop {show(ours)}\n{self.history(step)}"
                raise AssertionError(f"command {len(self.sent)}, {step.text}:{said}")

    def ask(self, texts: list[str]) -> list[bytes]:
        """Replies of the real server on a connection that leaves no trace; redloop's are the same."""
        data = b"".join(Step(text).data({}) for text in texts)
        for stream in self.watchers:
            stream.peer.sendall(data)
        ours, theirs = ([stream.reply() for _ in texts] for stream in self.watchers)
        assert ours == theirs, [(text, *both) for text, *both in zip(texts, theirs, ours, strict=True) if both[0] != both[1]]
        return theirs

    def leap(self) -> None:
        """Turns both clocks on, by anything between a millisecond and days; every other time not at all."""
        ms = self.dice.choice(LEAPS_MS) * self.dice.randrange(1, 4)
        if self.dice.random() < 0.5:
            self.turn(ms)

    def turn(self, ms: int) -> None:
        assert self.clock is not None
        left = self.foresee(self.clock.ms + ms) if self.reclaiming else []
        self.sent.append(f"+ {ms}")
        for side in (self.pair.ours, self.pair.theirs):
            side.turn(ms)
            if self.reclaiming:
                await_sizes(side, left)

    def reclaim(self, wanted: bool) -> None:
        """Turns active expiry on or off."""
        left = self.foresee(self.clock.ms) if self.clock and wanted else []
        self.reclaiming = wanted
        self.sent.append(f"debug set-active-expire {int(wanted)}")
        for side in (self.pair.ours, self.pair.theirs):
            side.ask(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"%d" % wanted)
            await_sizes(side, left)

    def foresee(self, moment: int) -> list[tuple[bytes, bytes, int]]:
        """How large databases and hashes are to be when all that is due at `moment` is gone: (database, key or b"", size)."""
        sizes: list[tuple[bytes, bytes, int]] = []
        fields = f"fields {len(POOLS['field'])} {' '.join(POOLS['field'])}"
        for database in POOLS["db"]:
            questions = [part for key in KEYS for part in (f"pexpiretime {key}", f"hpexpiretime {key} {fields}")]
            replies = self.ask([f"select {database}", *questions, "dbsize"])
            keys = int(replies[-1][1:])
            for key, due, moments in zip(KEYS, replies[1:-1:2], replies[2:-1:2], strict=True):
                alive = is_left(int(due[1:]), moment)
                if int(due[1:]) > -2 and moments.startswith(b"*"):
                    items = parse(moments)[0][1]
                    assert isinstance(items, list)
                    count = sum(is_left(int(scalar(item)), moment) for item in items) if alive else 0
                    sizes.append((database.encode(), Step(key).argv[0], count))
                    alive = count > 0
                keys -= int(due[1:]) > -2 and not alive
            sizes.append((database.encode(), b"", keys))
        return sizes

    def history(self, step: Step) -> str:
        """The last commands before this one that name one of its keys."""
        keys = {word.decode() for word in step.argv} & set(KEYS)
        whole = ("swapdb", "select", "move", "config", "+", "debug")
        about = [text for text in self.sent[:-1] if keys & set(text.split()) or text.startswith(whole)]
        return "\n".join(about[-40:])

    def close(self) -> None:
        for stream in [*self.streams, *self.watchers]:
            stream.peer.close()


def is_left(due: int, moment: int) -> bool:
    """Whether what is due then (-1: never, -2: not there at all) is there at a moment, where all that is due is gone."""
    return due == -1 or due > moment


def await_sizes(side: Side, sizes: list[tuple[bytes, bytes, int]]) -> None:
    """Waits until active expiry has come round to everything."""
    stream = Stream(side.server.connect())
    stream.peer.sendall(b"CLIENT NO-TOUCH ON\r\n")
    stream.reply()
    data = b"".join(b"SELECT %b\r\n%b\r\n" % (database, b'HLEN "%b"' % key if key else b"DBSIZE") for database, key, _ in sizes)
    deadline = time.monotonic() + PATIENCE
    wrong = sizes
    while wrong:
        stream.peer.sendall(data)
        replies = [stream.reply() for _ in range(2 * len(sizes))][1::2]
        wrong = [entry for entry, reply in zip(sizes, replies, strict=True) if reply != b":%d\r\n" % entry[2]]
        assert time.monotonic() < deadline, f"{side.server.kind} does not come to {wrong}"
    stream.peer.close()


def test_one_long_session(oracle: str) -> None:
    """To the last reply, to the last byte of the data, and again after a restart."""
    ours, theirs = start_pair("--appendonly", "yes", *FINE_TIME, clocks=available())
    with ours, theirs:
        pair = Pair(ours, theirs)
        player = Player(pair, 2 + SEED % 2)
        player.reclaim(False)
        while len(player.sent) < COMMANDS:
            batch: list[str] = []
            if len(player.sent) % SETTINGS_EVERY < PIPELINE:
                batch.append(player.dice.choice(player.settings))
            while len(batch) < PIPELINE:
                batch += player.draw()
            player.play(batch)
            if player.clock:
                player.leap()
                if player.dice.random() < PIPELINE / SETTINGS_EVERY:
                    player.reclaim(not player.reclaiming)
        # What is due goes: a restart would not bring it back.
        if player.clock:
            player.reclaim(True)
        else:
            for database in POOLS["db"]:
                player.play([f"select {database}", "[sorted] scan 0 count 1000"])
        digest = pair.theirs.ask(b"DEBUG", b"DIGEST")
        assert pair.ours.ask(b"DEBUG", b"DIGEST") == digest
        player.close()
        pair.close()
        ours.end()
        with start("redloop", "--appendonly", "yes", folder=ours.folder, clock=ours.clock) as again:
            peer = Stream(again.connect())
            peer.peer.sendall(b"DEBUG DIGEST\r\n")
            assert peer.reply() == digest
            peer.peer.close()
