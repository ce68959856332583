"""rename-command: what is called how afterwards."""

from __future__ import annotations

import pytest

from redloop.config import Config, ConfigError
from redloop.engine.renaming import Renaming
from tests.engine.house import House


def renamed(*pairs: tuple[str, str]) -> House:
    class Renamed(House):
        def configuration(self) -> Config:
            config = Config()
            config.renamed_commands.extend(pairs)
            return config

    return Renamed()


def test_a_command_is_found_under_its_new_name_only() -> None:
    guest = renamed(("get", "FETCH"), ("SET", ""), ("config", "con fig")).visit()
    assert guest.say("GET k").startswith(b"-ERR unknown command 'GET'")
    assert guest.say("fetch k", "FeTcH k") == b"$-1\r\n$-1\r\n"
    assert guest.say("set k v").startswith(b"-ERR unknown command 'set'")
    assert guest.say("FETCH") == b"-ERR wrong number of arguments for 'get' command\r\n"


def test_a_container_is_called_as_it_is_called() -> None:
    guest = renamed(("client", "cli")).visit()
    assert guest.say("cli ID").startswith(b":")
    assert guest.say("cli foo") == b"-ERR unknown subcommand 'foo'. Try CLI HELP.\r\n"


def test_a_name_may_move_on() -> None:
    guest = renamed(("get", "fetch"), ("set", "get"), ("fetch", "set")).visit()
    assert guest.say("GET k v", "SET k") == b"+OK\r\n$1\r\nv\r\n"


def test_one_server_only() -> None:
    renamed(("get", ""))
    assert House().visit().say("GET k") == b"$-1\r\n"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([("nope", "x")], "No such command in rename-command"),
        ([("get", "set")], "Target command name already exists"),
        ([("get", "a"), ("GET", "b")], "No such command in rename-command"),
        ([("get", "a"), ("set", "A")], "Target command name already exists"),
        ([("get", ""), ("get", "x")], "No such command in rename-command"),
        ([("client|id", "x")], "No such command in rename-command"),
    ],
)
def test_a_line_is_refused(lines: list[tuple[str, str]], reason: str) -> None:
    config = Config()
    config.on_declaration("rename-command", Renaming().check)
    for old, new in lines[:-1]:
        config.load_line(["rename-command", old, new])
    with pytest.raises(ConfigError, match=reason):
        config.load_line(["rename-command", *lines[-1]])
