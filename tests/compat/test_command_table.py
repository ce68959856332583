"""COMMAND and COMMAND DOCS tell of every command that exists on both sides what a real redis-server tells.

Arity, flags, keys, ACL categories, tips, key specifications and subcommands must be equal. Of the documentation the arguments, the
group and the versions must be; summaries and complexities are in our own words.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.compat.harness import Pair
from tests.compat.replies import Node, parse

FIELDS = ("name", "arity", "flags", "first key", "last key", "step", "categories", "tips", "key specifications", "subcommands")
OWN_WORDS = ("summary", "complexity", "history")


def _value(node: Node) -> Any:
    """A RESP2 reply as plain data; sets and statuses lose their type."""
    _, value = node
    return [_value(item) for item in value] if isinstance(value, list) else value


def _ask(pair: Pair, *argv: bytes) -> tuple[Any, Any]:
    return _value(parse(pair.ours.ask(*argv))[0]), _value(parse(pair.theirs.ask(*argv))[0])


def _table(rows: list[Any]) -> dict[bytes, list[Any]]:
    """Rows of COMMAND by full name, subcommands among them, what has no order sorted."""
    table: dict[bytes, list[Any]] = {}
    for row in rows:
        table |= _table(row[9])
        table[row[0]] = [*row[:2], sorted(row[2]), *row[3:6], sorted(row[6]), sorted(row[7]), row[8], None]
    return table


def _pairs(flat: list[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def test_command_info(pair: Pair) -> None:
    """Every command of both servers has the same row; no command of ours is unknown there."""
    ours, theirs = (_table(rows) for rows in _ask(pair, b"COMMAND"))
    assert not ours.keys() - theirs.keys()
    differences = [
        f"{name.decode()}: {FIELDS[at]}: redis {theirs[name][at]}, redloop {row[at]}"
        for name, row in sorted(ours.items())
        for at in range(len(FIELDS))
        if row[at] != theirs[name][at]
    ]
    assert not differences, "\n".join(differences)


def _docs(flat: list[Any]) -> dict[bytes, dict[bytes, Any]]:
    """Documentation by full name, subcommands among them, without what is in our own words."""
    table: dict[bytes, dict[bytes, Any]] = {}
    for name, fields in _pairs(flat).items():
        named = _pairs(fields)
        table |= _docs(named.pop(b"subcommands", []))
        table[name] = {field: value for field, value in named.items() if field.decode() not in OWN_WORDS}
    return table


def test_command_docs(pair: Pair) -> None:
    ours, theirs = (_docs(flat) for flat in _ask(pair, b"COMMAND", b"DOCS"))
    differences = [
        f"{name.decode()}: {field.decode()}: redis {theirs.get(name, {}).get(field)}, redloop {fields.get(field)}"
        for name, fields in sorted(ours.items())
        for field in sorted(fields.keys() | theirs.get(name, {}).keys())
        if fields.get(field) != theirs.get(name, {}).get(field)
    ]
    assert not differences, "\n".join(differences)


@pytest.mark.parametrize("name", [b"set", b"client", b"object|encoding", b"xgroup", b"zunionstore", b"migrate", b"sort", b"eval"])
def test_one_by_one(pair: Pair, name: bytes) -> None:
    """COMMAND INFO of one name gives the row COMMAND gives of it."""
    ours, theirs = _ask(pair, b"COMMAND", b"INFO", name)
    assert ours == [None] or _table(ours) == _table(theirs)
