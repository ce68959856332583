"""COMMAND INFO and COMMAND DOCS beside a real server: every command that both have is described alike, and in the same shape of reply.

Texts in our own words (summary, complexity, history, notes on key specs) are left out of the comparison.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import redloop.commands
from redloop.engine.command import DEFINITIONS, complete
from tests.compat.harness import Pair, pack
from tests.compat.replies import Node, Stream, parse

assert redloop.commands  # importing it declares them all
NAMES = sorted(definition.name for definition in complete(DEFINITIONS))
OWN_WORDS = (b"summary", b"complexity", b"history", b"notes", b"replaced_by", b"subcommands")
FIRST_FIELDS = (b"summary", b"notes", b"flags", b"type", b"name", b"index", b"keyword", b"lastkey", b"keynumidx")


@pytest.fixture(scope="module", params=[2, 3])
def both(request: pytest.FixtureRequest, pair: Pair) -> Iterator[list[Stream]]:
    """A connection to each server."""
    streams = [Stream(side.server.connect()) for side in (pair.ours, pair.theirs)]
    for stream in streams:
        stream.peer.sendall(pack([b"HELLO", b"%d" % request.param]))
        assert not stream.reply().startswith(b"-")
    yield streams
    for stream in streams:
        stream.peer.close()


def ask(stream: Stream, *argv: str) -> Node:
    stream.peer.sendall(pack([word.encode() for word in argv]))
    return parse(stream.reply())[0]


def elements(node: Node) -> list[Node]:
    assert isinstance(node[1], list)
    return node[1]


def comparable(node: Node) -> object:
    """The reply without our own words; the fields of a map, which is a flat array under RESP2, in the order of their names."""
    kind, value = node
    if not isinstance(value, list):
        return node
    if value and value[0][0] == "$" and value[0][1] in FIRST_FIELDS:
        pairs = zip(value[::2], value[1::2], strict=True)
        return kind, sorted([(field[1], comparable(inner)) for field, inner in pairs if field[1] not in OWN_WORDS], key=repr)
    return kind, [comparable(item) for item in value]


@pytest.mark.parametrize("name", NAMES)
def test_info_is_the_same(both: list[Stream], name: str) -> None:
    """Arity, flags, key positions, categories, tips, key specs; the subcommands are compared by name, each has a test of its own."""
    one, other = (elements(elements(ask(stream, "COMMAND", "INFO", name))[0]) for stream in both)
    assert [comparable(item) for item in one[:9]] == [comparable(item) for item in other[:9]]
    nested, theirs = ({str(elements(item)[0]) for item in elements(answer[9])} for answer in (one, other))
    assert nested <= theirs


@pytest.mark.parametrize("name", NAMES)
def test_docs_are_the_same(both: list[Stream], name: str) -> None:
    """Group, versions, and the tree of arguments."""
    one, other = (comparable(ask(stream, "COMMAND", "DOCS", name)) for stream in both)
    assert one == other


def test_no_command_is_of_our_own_making(both: list[Stream]) -> None:
    ours, theirs = ({str(item) for item in elements(ask(stream, "COMMAND", "LIST"))} for stream in both)
    assert ours <= theirs


def test_without_names_every_command_is_told_of(both: list[Stream]) -> None:
    ours = both[0]
    top_level = [name for name in NAMES if "|" not in name]
    by_name = ask(ours, "COMMAND", "INFO", *top_level)
    assert sorted(elements(ask(ours, "COMMAND")), key=repr) == sorted(elements(by_name), key=repr)
    assert ask(ours, "COMMAND") == ask(ours, "COMMAND", "INFO")
    assert len(elements(ask(ours, "COMMAND", "DOCS"))) == 2 * len(top_level)
