"""COMMAND without a real server: what is ours alone, and what must hold for every command there is."""

from __future__ import annotations

import pytest

from redloop.commands import introspection
from redloop.engine.command import DEFINITIONS, Command, Definition, complete
from redloop.engine.syntax import parse
from redloop.resp.encode import encode
from redloop.resp.replies import Members

ALL = complete(DEFINITIONS)


@pytest.mark.parametrize("definition", ALL, ids=[definition.name for definition in ALL])
def test_every_command_says_what_it_does(definition: Definition) -> None:
    """One or more sentences of our own, fit for a line of HELP."""
    assert definition.summary[0].isupper()
    assert definition.summary.endswith(".")
    assert "\n" not in definition.summary
    assert definition.since.count(".") == 2


def test_no_two_commands_have_one_name() -> None:
    names = [definition.name for definition in ALL]
    assert len(names) == len(set(names))


def test_history_is_told_from_the_versions_of_the_arguments() -> None:
    definition = Definition("server", parse("POUR [NX | XX] [EX seconds] [ip:port]"), "Pours.", 0, "1.0.0")
    definition.note_versions({"2.0.0": "condition seconds", "3.0.0": "-ip:port"})
    told = introspection._docs(Command(definition))[b"history"]
    assert isinstance(told, Members)
    assert told.items == [[b"2.0.0", b"Added `NX | XX`, `EX`."], [b"3.0.0", b"Deprecated `ip:port`."]]


def test_a_set_that_keeps_its_order_is_a_set_in_resp3_and_an_array_in_resp2() -> None:
    for resp3, wire in ((True, b"~2\r\n:1\r\n%0\r\n"), (False, b"*2\r\n:1\r\n*0\r\n")):
        out: list[bytes] = []
        encode(Members([1, {}]), out, resp3)
        assert b"".join(out) == wire
