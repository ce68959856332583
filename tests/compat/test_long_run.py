"""One long session: commands of every family at random, on keys that live on, get the same replies as from a real server to the end.

The short sequences of test_sequences.py each begin with nothing. Here values grow, change type and encoding, are renamed, expire and come
back for as long as the run lasts. At its end both servers hold the same data (DEBUG DIGEST), and so does redloop after a restart from its
append-only file. `REDLOOP_FULL=1` takes the length the project promises; `REDLOOP_SEED=7` another run than the usual one.
"""

from __future__ import annotations

import os
import random
import re
import time

from tests.compat.harness import Pair, Step, show, split_steps, start_pair
from tests.compat.replies import Stream, compare
from tests.compat.servers import start
from tests.compat.test_sequences import FAMILIES, POOLS, family_templates

COMMANDS = 200_000 if os.environ.get("REDLOOP_FULL") else 4_000
SEED = int(os.environ.get("REDLOOP_SEED", "1"))
PIPELINE = 50
SETTINGS_EVERY = 2_000

EXTRA = [
    "pexpire {key} 1 | debug sleep 0.003",
    "set {key} {value} px 1 | debug sleep 0.003",
    "del {key}",
    "unlink {key} {key} {key}",
]
# What would end the run's data, and what nobody can foretell: the order of a set, a range by name where scores differ, a torn HyperLogLog.
UNFIT = re.compile(r"flushdb|sort .* by |z.*lex|pfdebug decode")
KEYS = [*POOLS["key"], *(f"key:{number}" for number in range(40))]


class Player:
    """Draws commands, plays them on both servers, and remembers what was sent."""

    def __init__(self, pair: Pair, protocol: int) -> None:
        self.dice = random.Random(SEED)
        self.lines = [line.text for family in FAMILIES for line in family_templates(family) if not UNFIT.match(line.text)] + EXTRA * 3
        self.settings = sorted({line.before_text for family in FAMILIES for line in family_templates(family)} - {""})
        self.sent: list[str] = []
        self.lag = 0.0  # the longest time between a command on one side and on the other: by so much do moments differ from then on
        self.streams = [Stream(side.server.connect()) for side in (pair.ours, pair.theirs)]
        if protocol == 3:
            self.play(["hello 3"], {"skip": ""})

    def draw(self) -> list[str]:
        """One template with its gaps filled. No two spans of time are the same: which ends later would be a matter of milliseconds."""
        text = re.sub(r"\{([a-z]+)\}", self.value, self.dice.choice(self.lines))
        return split_steps(text)

    def value(self, gap: re.Match[str]) -> str:
        if gap[1] == "key":
            return self.dice.choice(KEYS)
        if gap[1] == "seconds":
            return str(self.dice.choice([0, -1, self.dice.randrange(10_000, 10_000_000)]))
        return self.dice.choice(POOLS[gap[1]])

    def play(self, texts: list[str], marks: dict[str, str] | None = None) -> None:
        """Sends the commands in one piece to both, and compares reply by reply."""
        steps = [Step(text) for text in texts]
        data = b"".join(step.data({}) for step in steps)
        begun = time.monotonic()
        for stream in self.streams:
            stream.peer.sendall(data)
        replies = [[stream.reply() for _ in steps] for stream in self.streams]
        self.lag = max(self.lag, time.monotonic() - begun)
        for step, ours, theirs in zip(steps, *replies, strict=True):
            self.sent.append(step.text)
            if not compare(ours, theirs, step.marks if marks is None else marks, 2 * self.lag):
                said = f"\n   redis   {show(theirs)}\n   redloop {show(ours)}\n{self.history(step)}"
                raise AssertionError(f"command {len(self.sent)}, {step.text}:{said}")

    def history(self, step: Step) -> str:
        """The last commands before this one that name one of its keys."""
        keys = {word.decode() for word in step.argv} & set(KEYS)
        about = [text for text in self.sent[:-1] if keys & set(text.split()) or text.startswith(("swapdb", "select", "move", "config"))]
        return "\n".join(about[-40:])

    def close(self) -> None:
        for stream in self.streams:
            stream.peer.close()


def test_one_long_session(oracle: str) -> None:
    """To the last reply, to the last byte of the data, and again after a restart."""
    ours, theirs = start_pair("--appendonly", "yes")
    with ours, theirs:
        pair = Pair(ours, theirs)
        for side in (pair.ours, pair.theirs):
            side.ask(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0")
        player = Player(pair, 2 + SEED % 2)
        while len(player.sent) < COMMANDS:
            batch: list[str] = []
            if len(player.sent) % SETTINGS_EVERY < PIPELINE:
                batch.append(player.dice.choice(player.settings))
            while len(batch) < PIPELINE:
                batch += player.draw()
            player.play(batch)
        for database in POOLS["db"]:  # what is due goes: a restart would not bring it back
            player.play([f"select {database}", "[sorted] scan 0 count 1000"])
        digest = pair.theirs.ask(b"DEBUG", b"DIGEST")
        assert pair.ours.ask(b"DEBUG", b"DIGEST") == digest
        player.close()
        pair.close()
        ours.end()
        with start("redloop", "--appendonly", "yes", folder=ours.folder) as again:
            peer = Stream(again.connect())
            peer.peer.sendall(b"DEBUG DIGEST\r\n")
            assert peer.reply() == digest
            peer.peer.close()
