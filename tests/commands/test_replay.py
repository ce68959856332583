"""What commands leave for the append-only file and the replicas makes the same data again, whatever was random, timed or blocked."""

from __future__ import annotations

import re
from random import Random

import pytest

from redloop.keyspace.digest import digest_of_all
from redloop.resp.encode import encode_command
from tests.compat.harness import read_cases, words
from tests.compat.test_sequences import FAMILIES, HERE, POOLS
from tests.engine.house import House

COMMANDS = 2000
DRAWN = [
    "spop {key}",
    "spop {key} {small}",
    "hgetex {key} px 20 fields 1 {field}",
    "hsetex {key} px 10 fields 2 {field} {value} {field} {value}",
    "hpexpire {key} 15 fields 2 {field} {field}",
    "pexpire {key} 30",
    "set {key} {value} px 25",
    "blpop {key} {key} 0.001",
    "bzpopmax {key} {key} 0.001",
]


def draw(random: Random, templates: list[str]) -> list[bytes]:
    """A command with its gaps filled from the pools."""
    template = re.sub(r"^(\[[^\]]*\] )+", "", random.choice(templates))
    return words(re.sub(r"\{([a-z]+)\}", lambda gap: random.choice(POOLS[gap[1]]), template))


@pytest.mark.parametrize("seed", range(6))
def test_replaying_the_effects_gives_the_same_data(seed: int) -> None:
    """A session over all families, time passing, and its effects run on a server that has not seen it: equal digests."""
    random = Random(seed)
    templates = DRAWN * 3 + [line.text for family in FAMILIES for line in read_cases(HERE / f"{family}.txt") if "debug" not in line.text]
    first, second = House(), House()
    second.server.keyspace.expiring = False  # as while loading
    effects: list[tuple[int, bytes]] = []
    first.server.add_sink(lambda database, data: effects.append((database, data)))
    client, replayer = first.visit(), second.visit()
    replayer.client.obeyed = True
    answered = 0
    for step in range(COMMANDS):
        client.client.feed(encode_command(draw(random, templates)))
        first.server.blocked.unblock(client.client, with_error=False)
        answered += bool(client.look())
        if step % 10 == 0:
            first.clock.advance(random.randrange(8))
            first.server.expire_some(1_000_000_000)
        for database, data in effects:
            replayer.client.feed(encode_command([b"SELECT", b"%d" % max(database, 0)]) + data)
            assert b"-ERR" not in replayer.look()
        effects.clear()
    assert answered == COMMANDS
    first.server.expire_some(1_000_000_000)
    for _, data in effects:
        replayer.client.feed(data)
    assert digest_of_all(first.server.keyspace) == digest_of_all(second.server.keyspace)


@pytest.mark.parametrize("line", ["BITFIELD k OVERFLOW FAIL INCRBY u2 0 5", "BITFIELD k OVERFLOW FAIL INCRBY u2 1000 5"])
@pytest.mark.parametrize("before", ["PING", "SET k abc"])
def test_a_string_that_only_grew_is_not_forgotten(before: str, line: str) -> None:
    """A real server forgets it: it passes on nothing, and after a restart the zeros are gone."""
    first, second = House(), House()
    effects: list[bytes] = []
    first.server.add_sink(lambda _, data: effects.append(data))
    client, replayer = first.visit(), second.visit()
    client.say(before, line)
    replayer.client.feed(b"".join(effects))
    assert client.say("STRLEN k") != b":0\r\n"
    assert digest_of_all(second.server.keyspace) == digest_of_all(first.server.keyspace)
