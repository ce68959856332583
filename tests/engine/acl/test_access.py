"""Access control of connections: guards only where there is something to check, and made anew when a user changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from redloop.config import ConfigError
from redloop.engine.acl.access import AccessError, Declarations, require_login, require_permission
from redloop.engine.client import Guard
from tests.engine.house import Guest, House


def guards(guest: Guest) -> list[Guard]:
    return list(guest.client.guards)


def test_who_may_do_everything_has_no_guard() -> None:
    house = House()
    guest = house.visit()
    assert guards(guest) == []
    guest.say("ACL SETUSER bob on nopass +@all -flushall ~*")
    other = house.visit()
    assert guards(other) == []
    other.say("AUTH bob x")
    assert guards(other) == [require_permission]
    guest.say("ACL SETUSER bob +flushall")
    assert guards(other) == [require_permission], "channels are still missing"
    guest.say("ACL SETUSER bob allchannels")
    assert guards(other) == []
    guest.say("ACL SETUSER bob -@all (+@all ~* &*)")
    assert guards(other) == []
    guest.say("ACL SETUSER bob clearselectors")
    assert guards(other) == [require_permission]
    other.say("RESET")
    assert guards(other) == []


def test_a_password_asks_newcomers_and_its_end_lets_everybody_in() -> None:
    house = House()
    old = house.visit()
    house.config.change([("requirepass", "x")])
    new = house.visit()
    assert [old.client.authenticated, new.client.authenticated] == [True, False]
    assert guards(new) == [require_login]
    assert new.say("PING") == b"-NOAUTH Authentication required.\r\n"
    house.config.change([("requirepass", "")])
    assert new.client.authenticated
    assert guards(new) == []
    house.config.change([("requirepass", "y")])
    assert guards(new) == [require_login], "it has never said a password"
    assert new.say("AUTH y", "PING") == b"+OK\r\n+PONG\r\n"
    house.config.change([("requirepass", "z")])
    assert new.say("PING") == b"+PONG\r\n"


def test_access_is_checked_before_anything_else() -> None:
    house = House(requirepass="x")
    guest = house.visit()
    house.server.pause.start(house.clock.now_ms() + 1000, False)
    assert guest.say("GET k") == b"-NOAUTH Authentication required.\r\n"


def test_the_log_counts_up_within_a_minute_only() -> None:
    house = House()
    admin, guest = house.visit(), house.visit()
    admin.say("ACL SETUSER bob on nopass +get ~a")
    guest.say("AUTH bob x", "GET b", "GET b", "SET a b")
    entries = house.server.access.log.entries
    assert [(entry.object, entry.count) for entry in entries] == [(b"set", 1), (b"b", 2)]
    house.clock.advance(60_000)
    guest.say("GET b")
    assert [(entry.object, entry.count, entry.id) for entry in entries] == [(b"b", 3, 0), (b"set", 1, 1)]
    house.clock.advance(60_001)
    guest.say("GET b")
    assert [(entry.object, entry.count, entry.id) for entry in entries] == [(b"b", 1, 2), (b"b", 3, 0), (b"set", 1, 1)]


def test_the_same_is_looked_for_among_the_newest_ten() -> None:
    house = House()
    guest = house.visit()
    guest.say("ACL SETUSER bob on nopass +get", "AUTH bob x")
    guest.say(*[f"GET k{n}" for n in range(11)], "GET k0", "GET k5")
    entries = house.server.access.log.entries
    assert [entry.object for entry in entries[:3]] == [b"k5", b"k0", b"k10"]
    assert [entry.count for entry in entries] == [2] + [1] * 11


def test_the_acl_file_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.write_text("user bob on >secret +get ~a\n")
    house = House()
    house.config.aclfile = str(path)
    house.server.access.start()
    guest, admin = house.visit(), house.visit()
    assert guest.say("AUTH bob secret", "GET a") == b"+OK\r\n$-1\r\n"
    assert admin.say("ACL SETUSER eve on", "ACL SAVE") == b"+OK\r\n+OK\r\n"
    known = "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    assert path.read_text().splitlines() == [
        f"user bob on sanitize-payload {known} ~a resetchannels -@all +get",
        "user default on nopass sanitize-payload ~* &* +@all",
        "user eve on sanitize-payload resetchannels -@all",
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["users.acl"]


def test_an_acl_file_is_taken_up_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.write_text("user bob on >secret +nosuch ~a\nuser eve >secret #bad (\nfoo\nuser bob on\nuser x (+get ~a\n")
    house = House()
    house.config.aclfile = str(path)
    reply = house.visit().say("ACL LOAD").decode()
    assert reply == (
        f"-ERR {path}:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. "
        f"{path}:2: Unmatched parenthesis in selector definition. {path}:3 should start with user keyword followed by the username. "
        f"WARNING: Duplicate user 'bob' found on line 4. {path}:5: Unmatched parenthesis in selector definition. "
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed\r\n"
    )
    assert sorted(house.server.users.by_name) == [b"default"]
    with pytest.raises(AccessError, match="Aborting Redis startup because of ACL errors"):
        house.server.access.start()


def test_users_of_the_configuration() -> None:
    house = House()
    house.config.users = [["bob", "on", ">secret", "+get", "(+set", "~b)"], ["default", "off"]]
    house.server.access.start()
    assert house.server.users.by_name[b"default"].describe() == b"default off sanitize-payload resetchannels -@all"
    assert house.visit().say("AUTH bob secret", "SET b 1", "SET a 1").startswith(b"+OK\r\n+OK\r\n-NOPERM")
    house.config.aclfile = "x"
    with pytest.raises(AccessError, match="but not both"):
        house.server.access.start()


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (["bob on", "bob off"], "Error in user declaration 'bob': Duplicate user found. A user can only be defined once in config files"),
        (["x on (+get"], "Error in user declaration 'x': Wrong format"),
        (["x (+get ~a) (foo)"], "Error in user declaration 'x': Syntax error"),
        (["x on >sec blah"], "Error in user declaration 'on': Syntax error"),
        (["x +nosuch"], ""),
    ],
)
def test_user_lines_are_checked_as_they_are_read(lines: list[str], error: str) -> None:
    """Whether a command exists is found out at the start."""
    declarations = Declarations()
    said = ""
    try:
        for line in lines:
            declarations.check(line.split(" "))
    except ConfigError as refusal:
        said = str(refusal)
    assert said == error


def test_sort_may_store_only_where_its_user_may_write() -> None:
    """Also where the destination is not found by the rule that COMMAND GETKEYS follows."""
    house = House()
    guest = house.visit()
    guest.say("ACL SETUSER bob on nopass +@all ~a ~get", "AUTH bob x")
    assert guest.say("SORT a STORE get") == b":0\r\n"
    assert guest.say("SORT a STORE get STORE b") == b"-NOPERM No permissions to access a key\r\n"
