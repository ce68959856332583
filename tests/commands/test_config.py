"""CONFIG without a real server: what depends on who asks, what is written to disk, and what must not be told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from redloop.clock import ManualClock
from redloop.commands import config as commands
from redloop.config import Config, load
from redloop.engine.client import Client
from redloop.engine.features import install
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.errors import CONFIG_NO_FILE, RedisError
from redloop.resp.replies import OK, Pairs


def client_of(*arguments: str) -> Client:
    config = Config()
    load(config, list(arguments), bytes)
    server = Server(config, ManualClock())
    install(server)
    server.access.start()
    return Client(server, Peer(), 1)


def words(line: str) -> list[bytes]:
    return [word.encode() for word in line.split(" ")]


def error_of(client: Client, line: str) -> str:
    argv = words(line)
    handler = {b"set": commands.config_set, b"rewrite": commands.config_rewrite}[argv[1]]
    with pytest.raises(RedisError) as caught:
        handler(client, argv)
    return caught.value.text


def test_a_name_is_told_in_the_case_it_was_asked_in() -> None:
    reply = commands.config_get(client_of(), words("config get TimeOut timeout t?meout"))
    assert isinstance(reply, Pairs)
    assert reply.flat == [b"TimeOut", b"0"]


def test_secrets_do_not_stay_in_the_request_also_when_it_fails() -> None:
    client = client_of()
    argv = words("config set requirepass secret maxmemory 5 masterauth x")
    assert commands.config_set(client, argv) is OK
    assert argv == words("config set requirepass (redacted) maxmemory 5 masterauth (redacted)")
    assert client.server.config.requirepass == "secret"
    argv = words("config set requirepass other maxmemory x")
    with pytest.raises(RedisError):
        commands.config_set(client, argv)
    assert argv == words("config set requirepass (redacted) maxmemory x")


@pytest.mark.parametrize(
    ("allowed", "local", "may"), [("no", True, False), ("yes", False, True), ("local", True, True), ("local", False, False)]
)
def test_protected_directives_ask_who_is_there(allowed: str, local: bool, may: bool) -> None:
    client = client_of("--enable-protected-configs", allowed)
    client.peer.local = local
    if may:
        assert commands.config_set(client, words("config set dbfilename x.rdb")) is OK
    else:
        assert error_of(client, "config set dbfilename x.rdb").endswith("- can't set protected config")


def test_a_setting_without_effect_is_mentioned_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        commands.config_set(client_of(), words("config set activerehashing no"))
    assert "activerehashing is accepted but has no effect" in caplog.text


def test_without_a_file_there_is_nothing_to_rewrite() -> None:
    assert error_of(client_of(), "config rewrite") == CONFIG_NO_FILE


def test_the_file_is_rewritten_with_its_users(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text("# mine\nuser bob on\nport 1\n")
    client = client_of(str(path))
    commands.config_set(client, words("config set requirepass foo"))
    assert commands.config_rewrite(client, words("config rewrite")) is OK
    lines = path.read_text().splitlines()
    assert lines[:3] == ["# mine", "user bob on sanitize-payload resetchannels -@all", "port 1"]
    assert 'requirepass "foo"' in lines
    hashed = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    assert f"user default on sanitize-payload #{hashed} ~* &* +@all" in lines


def test_users_of_an_aclfile_stay_there(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    (tmp_path / "users.acl").write_text("user bob on\n")
    path.write_text(f"dir {tmp_path}\naclfile users.acl\n")
    client = client_of(str(path))
    commands.config_rewrite(client, words("config rewrite"))
    assert "user " not in path.read_text()


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    client = client_of()
    client.server.config.path = str(tmp_path / "gone" / "x.conf")
    assert error_of(client, "config rewrite") == "ERR Rewriting config file: No such file or directory"
