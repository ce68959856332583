"""The keys of requests, found as redis-server 8.0.2 finds them."""

from __future__ import annotations

import pytest

from redloop.engine.command import NO_MANDATORY_KEYS, READONLY, WRITE, Definition
from redloop.engine.keys import find_keys, takes_keys
from redloop.engine.syntax import parse

STORES = "[STORE key | STOREDIST key]"
LINES = [
    ("PING [message]", 0, ""),
    ("SPUBLISH shardchannel message", 0, "NOT_KEY"),
    ("GET key", READONLY, ""),
    ("LCS key1 key2", READONLY, ""),
    ("MSET key value [key value ...]", WRITE, "OW UPDATE"),
    ("EVAL script numkeys [key [key ...]] [arg [arg ...]]", NO_MANDATORY_KEYS, "RW ACCESS UPDATE"),
    ("ZUNION numkeys key [key ...] [WITHSCORES]", READONLY, ""),
    ("ZUNIONSTORE destination numkeys key [key ...]", WRITE, "OW UPDATE, RO ACCESS"),
    ("PFMERGE destkey [sourcekey [sourcekey ...]]", WRITE, "RW ACCESS INSERT, RO ACCESS"),
    ("XREAD [COUNT count] STREAMS key [key ...] id [id ...]", READONLY, ""),
    (f"GEORADIUS key longitude latitude radius unit {STORES}", WRITE, "RO ACCESS, OW UPDATE, OW UPDATE"),
    ("SET key value [GET]", WRITE, "RW ACCESS UPDATE VARIABLE_FLAGS"),
    ("BITFIELD key [GET encoding offset]", WRITE, "RW ACCESS UPDATE VARIABLE_FLAGS"),
    ("SORT key [BY pattern] [STORE destination]", WRITE, "RO ACCESS, RO ACCESS UNKNOWN, OW UPDATE UNKNOWN"),
    ("MIGRATE host port key destination-db timeout [KEYS key [key ...]]", WRITE, "RW ACCESS DELETE, RW ACCESS DELETE INCOMPLETE"),
]
NAMES = {"STORE": "store storekey", "STOREDIST": "storedistkey"}
DEFINITIONS = {
    line.split()[0].lower(): Definition("", parse(line, names=NAMES if STORES in line else None), "", flags, "1.0.0", keys)
    for line, flags, keys in LINES
}
READ, OVERWRITE, CHANGE, TAKE = "RO access", "OW update", "RW access update", "RW access delete"


def find(request: str) -> list[str]:
    argv = [word.replace("''", "").encode() for word in request.split(" ")]
    return [f"{argv[key.place].decode()}: {' '.join(key.flags)}" for key in find_keys(DEFINITIONS[argv[0].decode()], argv)]


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("get k", [f"k: {READ}"]),
        ("lcs a b", [f"a: {READ}", f"b: {READ}"]),
        ("mset a 1 b 2", [f"a: {OVERWRITE}", f"b: {OVERWRITE}"]),
        ("mset a 1 b", [f"a: {OVERWRITE}", f"b: {OVERWRITE}"]),
        ("eval x 1 a b", [f"a: {CHANGE}"]),
        ("eval x 0", []),
        ("eval x 5 a", []),
        ("eval x a", []),
        ("zunionstore d 2 a b", [f"d: {OVERWRITE}", f"a: {READ}", f"b: {READ}"]),
        ("xread streams streams a", [f"streams: {READ}"]),
        ("xread count streams streams a 0", [f"streams: {READ}"]),
        ("xread count 1 streams a b 1 2", [f"a: {READ}", f"b: {READ}"]),
        ("georadius k 1 2 3 m", [f"k: {READ}"]),
        ("georadius k 1 2 3 m store", [f"k: {READ}"]),
        ("georadius k 1 2 3 m count 1 store x", [f"k: {READ}", f"x: {OVERWRITE}"]),
        ("georadius k 1 2 3 m store a storedist b", [f"k: {READ}", f"a: {OVERWRITE}", f"b: {OVERWRITE}"]),
        ("set k v ex 10", [f"k: {OVERWRITE}"]),
        ("set k v ex 10 get", [f"k: {CHANGE}"]),
        ("bitfield k", [f"k: {READ}"]),
        ("bitfield k overflow wrap get u8 0", [f"k: {READ}"]),
        ("bitfield k get u8", [f"k: {CHANGE}"]),
        ("bitfield k get u8 0 incrby u8 0 1", [f"k: {CHANGE}"]),
        ("sort k", [f"k: {READ}"]),
        ("sort k store", [f"k: {READ}"]),
        ("sort k store a store b", [f"k: {READ}", f"b: {OVERWRITE}"]),
        ("sort k limit 0 store store d", [f"k: {READ}", f"d: {OVERWRITE}"]),
        ("sort k get store store d", [f"k: {READ}", f"d: {OVERWRITE}"]),
        ("migrate h 1 k 0 1 copy", [f"k: {TAKE}"]),
        ("migrate h 1 '' 0 1 copy", [f": {TAKE}"]),
        ("migrate h 1 '' 0 1 keys a b", [f"a: {TAKE}", f"b: {TAKE}"]),
        ("migrate h 1 '' 0 1 auth keys keys a b", [f"a: {TAKE}", f"b: {TAKE}"]),
        ("migrate h 1 '' 0 1 auth2 keys keys keys a b", [f"a: {TAKE}", f"b: {TAKE}"]),
        ("migrate h 1 '' 0 1 auth a keys", [f": {TAKE}"]),
    ],
)
def test_finds_keys_and_what_is_done_to_them(request_line: str, expected: list[str]) -> None:
    assert find(request_line) == expected


@pytest.mark.parametrize(
    "request_line",
    ["zunion x a", "zunion 0 a", "zunionstore d 3 a b", "pfmerge a", "xread count 1 foo bar", "migrate h 1 k 0 1 keys a b"],
)
def test_requests_that_do_not_say_their_keys(request_line: str) -> None:
    with pytest.raises(ValueError):
        find(request_line)


def test_channels_of_shards_are_no_keys() -> None:
    assert [name for name, definition in DEFINITIONS.items() if not takes_keys(definition)] == ["ping", "spublish"]
