"""Declaring commands: what follows from a line, its flags and its group."""

from __future__ import annotations

import pytest

from redloop.engine.command import (
    ADMIN,
    BLOCKING,
    DENYOOM,
    FAST,
    READONLY,
    WRITE,
    Definition,
    build_table,
    complete,
    derive_categories,
    family,
)
from redloop.engine.syntax import SyntaxLineError, parse
from redloop.resp.replies import Simple


def definition(line: str, flags: int = 0, keys: str = "", group: str = "server") -> Definition:
    return Definition(group, parse(line), "Does something.", flags, "1.0.0", keys)


@pytest.mark.parametrize(
    ("group", "flags", "acl", "categories"),
    [
        ("string", READONLY | FAST, "", "read string fast"),
        ("sorted-set", WRITE, "", "write sortedset slow"),
        ("list", WRITE | BLOCKING, "", "write list slow blocking"),
        ("server", ADMIN, "", "admin slow dangerous"),
        ("scripting", READONLY, "", "slow scripting"),
        ("generic", READONLY, "dangerous", "keyspace read slow dangerous"),
        ("generic", WRITE, "set list", "write set list slow"),
    ],
)
def test_categories_follow_from_group_and_flags(group: str, flags: int, acl: str, categories: str) -> None:
    assert derive_categories(group, flags, acl) == categories.split()


def test_a_reading_command_reads_and_accesses_its_keys() -> None:
    assert [spec.flags for spec in definition("GET key", READONLY).key_specs] == [["RO", "access"]]


def test_what_a_writing_command_does_to_its_keys_must_be_told() -> None:
    with pytest.raises(SyntaxLineError):
        definition("APPEND key value", WRITE)


def test_flags_are_named_in_the_order_of_command_info() -> None:
    assert definition("ZUNIONSTORE destination numkeys key [key ...]", DENYOOM | WRITE, "OW, RO").flag_names() == [
        "write",
        "denyoom",
        "movablekeys",
    ]


def test_versions_mark_the_arguments_they_name() -> None:
    marked = definition("HOLD [NX | XX] [ip:port]")
    marked.note_versions({"2.0.0": "condition", "3.0.0": "xx -ip:port"})
    condition, address = marked.syntax.arguments
    assert (condition.since, condition.arguments[1].since, address.deprecated) == ("2.0.0", "3.0.0", "3.0.0")
    with pytest.raises(SyntaxLineError):
        marked.note_versions({"4.0.0": "missing"})


def test_containers_and_their_help_come_by_themselves() -> None:
    parts = [definition("MIX STIR [count]", FAST), definition("MIX ADD key value", WRITE, "RW UPDATE")]
    everything = {d.name: d for d in complete(parts)}
    assert sorted(everything) == ["mix", "mix|add", "mix|help", "mix|stir"]
    assert everything["mix"].arity == -2
    assert everything["mix|help"].flag_names() == ["loading", "stale"]
    reply = everything["mix|help"].handler(None, [])
    assert isinstance(reply, list)
    assert [line.text for line in reply if isinstance(line, Simple)] == [
        b"MIX <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        b"STIR [count]",
        b"    Does something.",
        b"ADD key value",
        b"    Does something.",
        b"HELP",
        b"    Print this help.",
    ]


def test_the_table_knows_lower_and_upper_case() -> None:
    table = build_table([definition("MIX STIR [count]"), definition("POUR")])
    assert table[b"POUR"] is table[b"pour"]
    nested = table[b"mix"].subcommands
    assert nested is not None
    assert nested[b"STIR"] is nested[b"stir"]
    assert nested[b"STIR"].name == "mix|stir"


def test_the_decorator_notes_the_handler_and_gives_it_back() -> None:
    declared = family("server")("POUR", "Pours.", since="1.0.0", complexity="O(1)", tips="a b", arity=-1)
    assert (declared.arity, declared.tips, declared.complexity) == (-1, ["a", "b"], "O(1)")
