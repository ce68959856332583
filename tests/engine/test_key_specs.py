"""Key positions from syntax lines, and the keys of requests."""

from __future__ import annotations

import pytest

from redloop.engine.key_specs import derive, legacy_range
from redloop.engine.syntax import SyntaxLineError, parse

NAMES = {"STORE": "store storekey", "STOREDIST": "storedistkey", "GROUP": "group-block"}
STORE = "GEORADIUS key longitude latitude radius unit [STORE key | STOREDIST key]"
READS = "RO ACCESS"


@pytest.mark.parametrize(
    ("line", "keys", "expected"),
    [
        ("PING [message]", "", (0, 0, 0)),
        ("GET key", READS, (1, 1, 1)),
        ("OBJECT ENCODING key", "RO", (2, 2, 1)),
        ("DEL key [key ...]", "RM DELETE", (1, -1, 1)),
        ("BLPOP key [key ...] timeout", "RW ACCESS DELETE", (1, -2, 1)),
        ("MSET key value [key value ...]", "OW UPDATE", (1, -1, 2)),
        ("RENAME key newkey", "RW ACCESS DELETE, OW UPDATE", (1, 2, 1)),
        ("LCS key1 key2", READS, (1, 2, 1)),
        ("ZUNION numkeys key [key ...]", READS, (0, 0, 0)),
        ("ZUNIONSTORE destination numkeys key [key ...]", "OW UPDATE, RO ACCESS", (1, 1, 1)),
        ("SSUBSCRIBE shardchannel [shardchannel ...]", "NOT_KEY", (1, -1, 1)),
    ],
)
def test_first_last_and_step(line: str, keys: str, expected: tuple[int, int, int]) -> None:
    assert legacy_range(derive(parse(line), keys)) == expected


@pytest.mark.parametrize(
    ("line", "keys", "request_line", "found"),
    [
        ("ZUNIONSTORE destination numkeys key [key ...]", "OW UPDATE, RO ACCESS", "zunionstore d 2 a b weights 1 2", "d a b"),
        ("EVAL script numkeys [key [key ...]] [arg [arg ...]]", READS, "eval x 0 a", ""),
        ("BLPOP key [key ...] timeout", "RW", "blpop a b 0", "a b"),
        ("MSET key value [key value ...]", "OW", "mset a 1 b 2", "a b"),
        ("XREAD [COUNT count] STREAMS key [key ...] id [id ...]", READS, "xread count 1 streams a b 0 0", "a b"),
        (STORE, "RO ACCESS, OW UPDATE, OW UPDATE", "georadius k 1 2 3 m storedist d", "k d"),
        ("MIGRATE host [KEYS key [key ...]]", "RW", "migrate h keys a b", "a b"),
    ],
)
def test_finds_the_keys_of_a_request(line: str, keys: str, request_line: str, found: str) -> None:
    argv = request_line.encode().split()
    places = [at for spec in derive(parse(line, names=NAMES), keys) for at in spec.places(argv)]
    assert [argv[at] for at in places] == found.encode().split()


@pytest.mark.parametrize("request_line", ["zunion x a", "zunion 3 a b", "zunion -1 a", "zunion"])
def test_a_wrong_count_of_keys_is_refused(request_line: str) -> None:
    spec = derive(parse("ZUNION numkeys key [key ...]"), READS)[0]
    with pytest.raises(ValueError):
        spec.places(request_line.encode().split())


def test_every_spec_must_be_told() -> None:
    with pytest.raises(SyntaxLineError):
        derive(parse("RENAME key newkey"), "RW, OW, RO")
