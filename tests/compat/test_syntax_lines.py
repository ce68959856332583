"""The syntax line is enough: written from a real server's argument trees and read again, it gives the same trees, arities and keys.

This covers every command of the real server, whether we have it or not. All names and types are handed to the parser here; that most of
them follow from the words of the line shows in the registrations, which test_command_table compares.
"""

from __future__ import annotations

from typing import Any

import hiredis

from redloop.engine.command import Definition
from redloop.engine.key_specs import KeySpec
from redloop.engine.syntax import Argument, parse
from tests.compat.harness import Pair, pack

# Arities the server does not say by its arguments.
ODD_ARITIES = {"client|kill", "command", "debug", "psync", "quit", "replconf"}


def ask(pair: Pair, *argv: str) -> Any:
    """A reply of the real server under RESP3, as Python values."""
    peer = pair.theirs.server.connect()
    reader = hiredis.Reader(encoding="utf-8")
    peer.sendall(pack([b"HELLO", b"3"]) + pack([word.encode() for word in argv]))
    replies: list[Any] = []
    while len(replies) < 2:
        reader.feed(peer.recv(1 << 20))
        while (reply := reader.gets()) is not False:
            replies.append(reply)
    peer.close()
    return replies[1]


def write(argument: dict[str, Any]) -> str:
    """An argument as redis.io prints it."""
    kind, flags, token = argument["type"], argument.get("flags", []), argument.get("token")
    if kind == "pure-token":
        text, token = token or '""', None
    elif kind == "oneof":
        text = " | ".join([write(inner) for inner in argument["arguments"]])
    elif kind == "block":
        text = " ".join([write(inner) for inner in argument["arguments"]])
    else:
        text = argument["display_text"]
    alternatives = text
    if kind == "oneof" and (token or "optional" not in flags):
        text = f"<{text}>"
    whole = f"{token} {text}" if token else text
    if "multiple" in flags:
        repeated = whole if "multiple_token" in flags or not token else text
        if kind == "oneof" and not token and "optional" in flags:
            repeated = alternatives
        whole = f"{whole} [{repeated} ...]"
    return f"[{whole}]" if "optional" in flags else whole


def write_line(name: str, arguments: list[dict[str, Any]]) -> str:
    words = [name.upper().replace("|", " ")]
    for argument in arguments:
        loose = argument["type"] == "block" and not argument.get("token") and not argument.get("flags")
        words.append(f"<{write(argument)}>" if loose else write(argument))
    return " ".join(words)


def collect(argument: dict[str, Any], types: dict[str, str], names: dict[str, str]) -> None:
    opening = write(argument).strip("[]<>").split()[0].strip("[]<>")
    names[opening] = f"{names.get(opening, '')} {argument['name']}"
    if "arguments" not in argument and argument["type"] != "pure-token":
        types[argument["display_text"]] = argument["type"]
    for inner in argument.get("arguments", []):
        collect(inner, types, names)


def shown(argument: Argument) -> dict[str, Any]:
    """An argument as COMMAND DOCS shows it, but for versions."""
    tree: dict[str, Any] = {"name": argument.name, "type": argument.kind}
    if not argument.arguments:
        tree["display_text"] = argument.text
    if argument.key_spec >= 0:
        tree["key_spec_index"] = argument.key_spec
    if argument.token is not None:
        tree["token"] = argument.token.strip('"')
    if argument.flag_names():
        tree["flags"] = argument.flag_names()
    if argument.arguments:
        tree["arguments"] = [shown(inner) for inner in argument.arguments]
    return tree


def without_versions(argument: dict[str, Any]) -> dict[str, Any]:
    kept = {field: value for field, value in argument.items() if field not in ("since", "deprecated_since")}
    if "arguments" in kept:
        kept["arguments"] = [without_versions(inner) for inner in kept["arguments"]]
    return kept


def said_of_keys(spec: dict[str, Any]) -> str:
    """What `keys` of a registration says for this spec."""
    unknown = ["UNKNOWN"] if spec["begin_search"]["type"] == "unknown" else []
    return " ".join([*(flag.upper() for flag in spec["flags"]), *unknown])


def shown_spec(spec: KeySpec) -> list[Any]:
    if spec.unknown:
        return [spec.flags, "unknown", {}, "unknown", {}]
    begin = ["keyword", {"keyword": spec.keyword, "startfrom": spec.index}] if spec.keyword else ["index", {"index": spec.index}]
    if spec.counted:
        return [spec.flags, *begin, "keynum", {"keynumidx": 0, "firstkey": 1, "keystep": spec.step}]
    return [spec.flags, *begin, "range", {"lastkey": spec.last, "keystep": spec.step, "limit": spec.limit}]


def flat_spec(spec: dict[str, Any]) -> list[Any]:
    begin, find = spec["begin_search"], spec["find_keys"]
    return [spec["flags"], begin["type"], begin["spec"], find["type"], find["spec"]]


def test_every_line_gives_the_tree_it_was_written_from(pair: Pair) -> None:
    documented: dict[str, Any] = {}
    for name, document in ask(pair, "COMMAND", "DOCS").items():
        documented[name] = document
        documented.update(document.get("subcommands", {}))
    known: dict[str, Any] = {}
    for item in ask(pair, "COMMAND"):
        known[item[0]] = item
        known.update({nested[0]: nested for nested in item[9]})
    assert len(documented) > 380
    for name, document in documented.items():
        arguments = document.get("arguments", [])
        if "subcommands" in document or "module" in document:
            continue
        types: dict[str, str] = {}
        names: dict[str, str] = {}
        for argument in arguments:
            collect(argument, types, names)
        line = write_line(name, arguments)
        syntax = parse(line, types, names)
        _, arity, flags, first, last, step, _, _, specs, _ = known[name]
        definition = Definition("", syntax, "", 0, "", ", ".join([said_of_keys(spec) for spec in specs]))
        assert definition.name == name
        assert [shown(argument) for argument in syntax.arguments] == [without_versions(argument) for argument in arguments], line
        assert definition.arity == arity or name in ODD_ARITIES, line
        assert [definition.first_key, definition.last_key, definition.key_step] == [first, last, step], line
        assert definition.movable_keys == ("movablekeys" in flags), line
        assert [shown_spec(spec) for spec in definition.key_specs] == [flat_spec(spec) for spec in specs], line
