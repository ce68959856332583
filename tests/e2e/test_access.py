"""Users as people have them: redis-py's ACL calls, redis-cli --user, and that a password is nowhere to be read."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.compat.servers import PATIENCE, Server, start
from tests.e2e.wire import ReplyError, Wire

REFUSED = re.compile("NOAUTH|wrong number of arguments|unknown subcommand|MODULE command not allowed")
ONCE = Retry(NoBackoff(), 0)
SECRETS = [f"Xsecret{number}X" for number in range(19)]


def said(wire: Wire, *words: str) -> str:
    """The answer, also if it is an error, or that there is nobody left to give one."""
    try:
        return str(wire.call(*words))
    except (ReplyError, ConnectionError) as error:
        return str(error)


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def admin(server: Server, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port, decode_responses=True, protocol=request.param) as client:
        client.acl_deluser("bob", "eve")
        client.acl_log_reset()
        yield client
        client.acl_deluser("bob", "eve")


def test_redis_py_acl(admin: redis.Redis, server: Server) -> None:
    assert admin.acl_whoami() == "default"
    assert "string" in admin.acl_cat()
    assert "append" in admin.acl_cat("string")
    assert len(admin.acl_genpass(128)) == 32
    made = admin.acl_setuser(
        "bob",
        enabled=True,
        passwords=["+first", "+second"],
        commands=["+get", "+set", "+mget"],
        categories=["+@hash", "-@dangerous"],
        keys=["cache:*", "objects:*"],
        channels=["message:*"],
        selectors=[("+lpop", "~list:*")],
    )
    assert made is True
    user: Any = admin.acl_getuser("bob")
    assert set(user["flags"]) == {"on", "sanitize-payload"}
    assert user["enabled"] is True
    assert {"+get", "+set", "+mget"} <= set(user["commands"])
    assert len(user["passwords"]) == 2
    assert admin.acl_users() == ["bob", "default"]
    assert str(admin.acl_list()[0]).startswith("user bob on sanitize-payload #")
    assert admin.acl_dryrun("bob", "get", "cache:1") == "OK"
    assert "no permissions to access the 'x' key" in admin.acl_dryrun("bob", "get", "x")
    with redis.Redis(port=server.port, username="bob", password="second", decode_responses=True, retry=ONCE) as bob:
        assert bob.set("cache:1", "v") is True
        assert bob.get("cache:1") == "v"
        assert bob.lpop("list:1") is None
        for refused in (lambda: bob.get("other"), lambda: bob.lpop("cache:1"), lambda: bob.publish("x", "y"), bob.flushall):
            with pytest.raises(redis.exceptions.NoPermissionError):
                refused()
    with pytest.raises(redis.AuthenticationError), redis.Redis(port=server.port, username="bob", password="third", retry=ONCE) as wrong:
        wrong.ping()
    reasons = [(entry["reason"], entry["username"]) for entry in admin.acl_log()]
    assert reasons[0] == ("auth", "bob")
    assert {reason for reason, _ in reasons} == {"auth", "command", "key"}
    assert admin.acl_deluser("bob") == 1
    assert admin.acl_getuser("bob") is None


def test_a_deleted_user_is_hung_up_on(admin: redis.Redis, server: Server) -> None:
    admin.acl_setuser("eve", enabled=True, nopass=True, commands=["+@all"], keys=["*"], channels=["news*"])
    with redis.Redis(port=server.port, username="eve", password="x", retry=ONCE) as eve:
        listening = eve.pubsub()
        listening.subscribe("news")
        first = listening.get_message(timeout=PATIENCE)
        assert first is not None
        assert first["type"] == "subscribe"
        assert any(entry["user"] == "eve" for entry in admin.client_list())
        admin.acl_deluser("eve")
        with pytest.raises(redis.exceptions.RedisError):
            listening.get_message(timeout=PATIENCE)
        assert not any(entry["user"] == "eve" for entry in admin.client_list())


def test_cli_as_a_user(oracle: str, admin: redis.Redis, server: Server) -> None:
    admin.acl_setuser("bob", enabled=True, passwords=["+pw"], commands=["+get", "+acl|whoami"], keys=["a*"])

    def cli(*words: str, password: str = "pw") -> str:
        command = [os.path.join(oracle, "redis-cli"), "-p", str(server.port), "--user", "bob", "--pass", password, "--no-auth-warning"]
        done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=PATIENCE, check=False)
        return (done.stderr + done.stdout).strip()

    assert cli("ACL", "WHOAMI") == "bob"
    assert cli("-3", "GET", "a1") == ""
    assert cli("GET", "b1") == "NOPERM No permissions to access a key"
    assert cli("SET", "a1", "v") == "NOPERM User bob has no permissions to run the 'set' command"
    assert cli("GET", "a1", password="no") == "AUTH failed: WRONGPASS invalid username-password pair or user is disabled."


def test_before_a_login(kind: str) -> None:
    """Nothing but what says who one is, and nothing long: neither is a request kept that could fill the memory."""
    with start(kind, "--requirepass", "pw") as server:
        with Wire(server) as known:
            known.call("AUTH", "pw")
            names = [item.decode() for item in known.items("COMMAND", "LIST") if isinstance(item, bytes)]
        allowed = set()
        for name in names:
            with Wire(server) as wire:
                answers = [said(wire, *name.split("|"), *["1"] * count) for count in (0, 1, 2, 3)]
            if not all(REFUSED.search(answer) for answer in answers):
                allowed.add(name)
        assert allowed == {"auth", "hello", "quit", "reset"}
        for request in (b"*11\r\n", b"*1\r\n$16385\r\n", b"*2\r\n$3\r\nGET\r\n$20000\r\n"):
            with server.connect() as peer:
                peer.sendall(request)
                assert b"unauthenticated" in peer.recv(1000)
                assert peer.recv(1000) == b""


def test_passwords_are_nowhere_to_be_read(tmp_path: pathlib.Path) -> None:
    """Not in the log, MONITOR, SLOWLOG, ACL LOG, CLIENT LIST, a file of any kind; whether it was sent well or badly."""
    (tmp_path / "users.acl").write_text("user default on nopass ~* &* +@all\n")
    options = ["--appendonly", "yes", "--loglevel", "debug", "--slowlog-log-slower-than", "0", "--slowlog-max-len", "1000"]
    with start("redloop", *options, "--aclfile", str(tmp_path / "users.acl"), folder=str(tmp_path)) as server:
        monitor = server.connect()
        monitor.sendall(b"MONITOR\r\n")
        assert monitor.recv(100) == b"+OK\r\n"
        secret = iter(SECRETS)
        with Wire(server) as wire, Wire(server) as admin:
            admin.call("ACL", "SETUSER", "bob", "on", f">{SECRETS[0]}", "+@all", "~*")
            for words in (
                ["AUTH", "bob", next(secret)],
                ["AUTH", "bob", next(secret)],
                ["AUTH", next(secret)],
                ["HELLO", "2", "AUTH", "bob", next(secret)],
                ["HELLO", "2", "AUTH", "bob", SECRETS[0], "SETNAME", "n"],
                ["ACL", "SETUSER", "eve", "on", f">{next(secret)}", "+nosuch"],
                ["ACL", "SETUSER", "eve", "on", f">{next(secret)}", f"<{next(secret)}"],
                ["ACL", "SETUSER", "eve", f"(>{next(secret)}"],
                ["CONFIG", "SET", "masterauth", next(secret)],
                ["CONFIG", "SET", "requirepass", next(secret), "masterauth", next(secret)],
                ["CONFIG", "SET", "requirepass", next(secret), "nosuch", "x"],
                ["CONFIG", "SET", "requirepass", ""],
                ["MIGRATE", "127.0.0.1", "1", "none", "0", "10", "AUTH", next(secret)],
                ["SET", "k", "v"],
                ["MIGRATE", "127.0.0.1", "1", "k", "0", "10", "AUTH", next(secret)],
                ["MIGRATE", "127.0.0.1", "1", "", "0", "10", "AUTH2", "bob", next(secret), "KEYS", "k"],
                ["MIGRATE", "127.0.0.1", "1", "k", "0", "10", "AUTH", next(secret), "NONSENSE"],
                ["MIGRATE", "127.0.0.1", "1", "k", "0", "10", "NONSENSE", "AUTH", next(secret)],
                ["MULTI"],
                ["AUTH", "bob", next(secret)],
                ["ACL", "SETUSER", "eve", f">{next(secret)}"],
                ["SET", "k", "v"],
                ["EXEC"],
                ["ACL", "SAVE"],
                ["SAVE"],
            ):
                said(wire, *words)
            assert next(secret, None) is None
            questions = (["SLOWLOG", "GET", "-1"], ["ACL", "LOG", "100"], ["CLIENT", "LIST"], ["INFO", "everything"])
            told = [admin.call(*words) for words in questions]
        shown = b""
        while b'"SAVE"' not in shown and b'"EXEC"' not in shown:
            piece = monitor.recv(65536)
            assert piece
            shown += piece
        monitor.close()
    kept = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(name.endswith(".aof") for name in kept)
    assert b"AUTH" in shown
    kept.update({"MONITOR": shown, "commands": repr(told).encode()})
    found = [(name, secret) for name, data in kept.items() for secret in SECRETS if secret.encode() in data]
    assert not found
    assert len(re.findall(rb"\(redacted\)", shown)) >= 8
