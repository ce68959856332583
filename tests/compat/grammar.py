"""Random commands straight from their syntax: the argument trees of a real server's COMMAND DOCS, turned into hypothesis strategies.

Every option of every command comes up, alone and with others, in its place; now and then a word is lost, doubled or replaced, so that
errors are compared too. Values come from small pools, so that commands meet each other's keys. To steer an argument, name it in POOLS.
"""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from tests.compat.harness import Pair
from tests.compat.replies import Node, parse

Words = list[str]

GROUPS: Final = ("string", "list", "hash", "set", "sorted-set", "stream", "bitmap", "hyperloglog", "geo", "generic")

# What cannot be compared in a random sequence: chance decides, replies are internal, or another server is needed.
LEFT_OUT: Final = {
    "spop", "migrate", "restore", "restore-asking", "wait", "waitaof", "pfdebug", "pfselftest", "object|freq", "object|idletime", "dump",
    "object|help", "xgroup|help", "xinfo|help", "scan", "randomkey", "sort", "sort_ro",
}  # fmt: skip

# Arguments never used: ids made of the time; a COUNT for the SCAN family, whose cursors are each server's own.
ARGUMENTS_LEFT_OUT: Final = {("xadd", "auto-id"), ("hscan", "count"), ("sscan", "count"), ("zscan", "count")}
OTHER_POOLS: Final = {("xread", "milliseconds"): "block", ("xreadgroup", "milliseconds"): "block"}

# How replies are compared, where not to the byte.
MARKS: Final = {
    **dict.fromkeys(("smembers", "sinter", "sunion", "sdiff", "keys", "hkeys", "hvals", "sscan", "hscan", "zscan"), "[sorted]"),
    **dict.fromkeys(("srandmember", "hrandfield", "zrandmember"), "[shape]"),
    **dict.fromkeys(("ttl", "httl", "expiretime", "hexpiretime"), "[near 1]"),
    **dict.fromkeys(("pttl", "hpttl", "pexpiretime", "hpexpiretime"), "[near 1000]"),
    **dict.fromkeys(("xpending", "xinfo|consumers", "xinfo|stream", "xinfo|groups"), "[near 5000]"),
    "hgetall": "[pairs]",
    "object|refcount": "[shape]",  # a small number that was copied is an object of its own over there
}

KEYS: Final = ["a", "b", "c"]
INTEGERS: Final = ["0", "1", "2", "3", "-1", "-2", "10", "-100", "9223372036854775807", "x"]
POOLS: Final[dict[str, list[str]]] = {
    # by the name of the argument
    "value": ["x", "12", "-7", "3.5", '""', '"\\x00\\xff"', '"y"*50'],
    "element": ["a", "b", "1", "2", '""', '"long"*20'],
    "member": ["a", "b", "1", "2", "3", '"long"*20', "Palermo"],
    "field": ["f", "g", "1", '"field"*15'],
    "id": ["1-1", "2-2", "3-0", "5-*", "0", "$", ">", "+", "x", "9-9"],
    "start": ["-", "0", "1", "-1", "-2", "1-1", "(1-1", "[a", "(1", "x"],
    "end": ["+", "-1", "3", "1", "5-5", "(2", "[b", "x"],
    "stop": ["-1", "3", "0", "(2", "+", "[b", "+inf", "x"],
    "min": ["-", "0", "-inf", "(1", "[a", "x"],
    "max": ["+", "3", "+inf", "(2", "[b", "x"],
    "group": ["g", "h"],
    "consumer": ["alice", "bob"],
    "cursor": ["0"],
    "timeout": ["0.001", "-1", "x"],
    "milliseconds": ["100000~7000", "1000000~7000", "-1", "0", "x"],
    "seconds": ["100~7", "1000~7", "-1", "0", "x"],
    "offset": ["0", "1", "7", "100", "#1", "-1"],
    "encoding": ["u8", "i8", "u4", "i64", "u63", "u64", "i65"],
    "count": ["1", "2", "0", "3", "-1", "-2", "x"],
    "threshold": ["0", "1", "2", "1-1", "3-0"],
    "increment": ["1", "-1", "0.5", "10", "x", "3.0e3"],
    "longitude": ["13.361389", "15.087269", "0", "-122.4", "181"],
    "latitude": ["38.115556", "37.502669", "0", "37.7", "86"],
    "radius": ["200", "1000", "0", "-1", "x"],
    "width": ["400", "0", "-1"],
    "height": ["400", "10"],
    "destination-db": ["0", "1", "99", "x"],
    "db": ["0", "1", "99", "x"],
    "index": ["0", "1", "-1", "5", "x"],
    "type": ["string", "list", "stream", "x"],
    "min-idle-time": ["0", "1000000", "x"],
    "ms": ["0", "100000", "x"],
    "unix-time-milliseconds": ["1700000000000", "x"],
    "block": ["1", "-1", "x"],
    "entries-read": ["0", "3", "-1", "x"],
    "entriesread": ["0", "3", "-1", "x"],
    "entries-added": ["0", "5", "x"],
    "lastid": ["1-1", "0", "x"],
    "lastseen": ["0", "1-1"],
    "bit": ["0", "1", "2"],
    "score": ["1", "2.5", "-inf", "inf", "nan", "0", "(1", "x"],
    "weight": ["1", "2", "0", "-1", "inf", "x"],
    "rank": ["1", "-1", "2", "0"],
    "len": ["0", "2", "-1"],
    "limit": ["0", "1", "2", "-1"],
    # by its type
    "key": KEYS,
    "integer": INTEGERS,
    "double": ["0", "1", "-1.5", "0.1", "1e10", "inf", "x"],
    "unix-time": ["9999999999", "1", "x"],
    "pattern": ["*", "a*", "[ab]", "?"],
    "string": ["a", "b", "1", '""', "x"],
}
JUNK: Final = [*KEYS, "0", "1", "-1", "x", '""', "nx", "limit", "count", "withscores", "9223372036854775808"]


def _plain(node: Node) -> Any:
    value = node[1]
    return [_plain(item) for item in value] if isinstance(value, list) else (value or b"").decode("latin-1")


def _pairs(flat: list[Any]) -> dict[str, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def documented(pair: Pair) -> dict[str, dict[str, Any]]:
    """What the real server documents of the commands that exist on both sides, and their flags, by full name; GROUPS only."""
    ours = _flags(_plain(parse(pair.ours.ask(b"COMMAND"))[0]))
    found: dict[str, dict[str, Any]] = {}
    for name, fields in _pairs(_plain(parse(pair.theirs.ask(b"COMMAND", b"DOCS"))[0])).items():
        command = _pairs(fields)
        entries = _pairs(command["subcommands"]) if "subcommands" in command else {name: fields}
        for full, flat in entries.items():
            entry = _pairs(flat)
            if entry["group"] in GROUPS and full in ours and full not in LEFT_OUT:
                entry["flags"] = ours[full]
                entry["arguments"] = _kept(full, entry.get("arguments", []))
                found[full] = entry
    return found


def _kept(name: str, arguments: list[Any]) -> list[dict[str, Any]]:
    """The arguments of a command as dicts, at every depth, without those left out."""
    kept = [argument for argument in map(_pairs, arguments) if (name, argument["name"]) not in ARGUMENTS_LEFT_OUT]
    for argument in kept:
        argument["name"] = OTHER_POOLS.get((name, argument["name"]), argument["name"])
        if "arguments" in argument:
            argument["arguments"] = _kept(name, argument["arguments"])
    return kept


def _flags(rows: list[Any]) -> dict[str, list[str]]:
    """The flags of all commands and subcommands by full name."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found[row[0]] = row[2]
        found |= _flags(row[9])
    return found


def _pool(argument: dict[str, Any]) -> st.SearchStrategy[Words]:
    words = POOLS.get(argument["name"]) or POOLS[argument["type"]]
    return st.sampled_from(words).map(lambda word: [word])


def _one(argument: dict[str, Any]) -> st.SearchStrategy[Words]:
    """One occurrence, with its token."""
    kind = argument["type"]
    children = argument.get("arguments", [])
    token = [argument["token"]] if "token" in argument else []
    if kind == "pure-token":
        return st.just(token)
    if kind == "oneof":
        inner = st.one_of([_argument(child) for child in children])
    else:
        inner = _sequence(children) if kind == "block" else _pool(argument)
    return inner.map(lambda words: [word or '""' for word in token] + words)


def _argument(argument: dict[str, Any]) -> st.SearchStrategy[Words]:
    """An argument as often as its flags allow."""
    flags = argument.get("flags", [])
    one = _one(argument)
    if "multiple" in flags:
        if "token" in argument and "multiple_token" not in flags:
            bare = _one({name: value for name, value in argument.items() if name != "token"})
            one = st.lists(bare, min_size=1, max_size=3).map(lambda many: [argument["token"], *(word for words in many for word in words)])
        else:
            one = st.lists(one, min_size=1, max_size=3).map(lambda many: [word for words in many for word in words])
    return st.one_of(st.just([]), one) if "optional" in flags else one


def _counted(many: Words) -> st.SearchStrategy[Words]:
    """`numkeys key [key ...]`: the number mostly right."""
    return st.sampled_from([len(many)] * 12 + [0, -1, len(many) + 1]).map(lambda count: [str(count), *many])


def _sequence(arguments: list[dict[str, Any]]) -> st.SearchStrategy[Words]:
    parts: list[st.SearchStrategy[Words]] = []
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        if argument["name"] in ("numkeys", "numfields") and at + 1 < len(arguments):
            parts.append(_argument(arguments[at + 1]).flatmap(_counted))
            at += 1
        else:
            parts.append(_argument(argument))
        at += 1
    return st.tuples(*parts).map(lambda words: [word for part in words for word in part])


@st.composite
def _spoilt(draw: st.DrawFn, words: Words) -> Words:
    """Sometimes a word is lost, doubled, replaced or added."""
    if words and draw(st.integers(0, 9)) == 9:
        at = draw(st.integers(0, len(words) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                return words[:at] + words[at + 1 :]
            case 1:
                return words[:at] + words[at : at + 1] + words[at:]
            case 2:
                return [*words[:at], draw(st.sampled_from(JUNK)), *words[at + 1 :]]
            case _:
                return [*words, draw(st.sampled_from(JUNK))]
    return words


def commands(pair: Pair) -> dict[str, st.SearchStrategy[str]]:
    """For every command a strategy of lines in the language of harness.py."""
    found: dict[str, st.SearchStrategy[str]] = {}
    for name, entry in documented(pair).items():
        head = " ".join([word for word in (MARKS.get(name, ""), name.replace("|", " ")) if word])
        tail = _sequence(entry["arguments"])
        if "blocking" not in entry["flags"]:  # a word in the wrong place could make it wait for ever
            tail = tail.flatmap(_spoilt)
        found[name] = tail.map(lambda words, head=head: " ".join([head, *words]))  # type: ignore[misc]
    return found
