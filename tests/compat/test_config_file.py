"""Configuration beside a real redis-server: the report on a bad file, and the file CONFIG REWRITE leaves."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from pathlib import Path

import pytest

from redloop.config import Config, FatalConfigError, load
from redloop.config.quoting import quote
from redloop.config.rewriting import SIGNATURE, rewritten
from tests.compat.servers import PATIENCE

DEFAULT_USER = "default on nopass sanitize-payload ~* &* +@all"

BAD_FILES = [
    'masterauth "ab"c', 'masterauth "ab', "masterauth 'ab", 'masterauth "a\\', "masterauth", "masterauth a b", "port 1 # c",
    "port 1\rhz 1", "maxmemory 1 gb", '""', ";x", "foo.bar", "include", "user", "rename-command", "dbfilename a/b", 'appendfilename ""',
    "appendfilename a/b", "appenddirname a/b", 'appenddirname ""', "dir /nosuch", 'dir ""', "dir x.conf", 'save 1 2 ""', "save 60 1 5",
    "save a b", "replicaof a b", "replicaof a 70000", 'replicaof ""', "unixsocketperm 888", "unixsocketperm 1000", "unixsocketperm -1",
    'client-output-buffer-limit ""', "client-output-buffer-limit normal 1 2", "client-output-buffer-limit x 1 2 3",
    "client-output-buffer-limit normal 1 2 x",
    "sentinel monitor a b c d", "logfile /nosuch/x", "port -1", "port 65536", "port 1x", "databases 0", "io-threads 129", "hz -1",
    "maxmemory -1", "maxmemory 1t", "proto-max-bulk-len 1", "maxmemory-clients 101%", "maxmemory-clients %", "appendfsync maybe",
    "appendonly maybe", "loglevel loud", "supervised maybe", "syslog-facility local8", "oom-score-adj-values 1 2", "shutdown-on-sigterm",
    "oom-score-adj-values 1 2 2001", "latency-tracking-info-percentiles a", "latency-tracking-info-percentiles 101", "activedefrag yes",
    "notify-keyspace-events KEq", "proc-title-template {x}", "cluster-announce-hostname a_b", "bind " + "::1 " * 17, "timeout",
    "\nport 1\n\n# c\n  timeout  x  ", "port\0 1", "a\x01b", "include x.inc", "slave-priority x",
]  # fmt: skip

BAD_ARGUMENTS = [
    ["--port", "x"], ["--port", "--1"], ["--port", "1", "--port"], ["--port", "1", "-v"], ["--port", "3", "-", "--x", "1"], ["-x"],
    ["--unixsocket", "--x", "1"], ["--shutdown-on-sigterm"], ["--notify-keyspace-events"], ["--save", "1", "--port", "1"], ["--zzz"],
    ["--", "x"], ["--save", "--port", "x"], ["--port 1", "--hz x"], ["--masterauth", 'a"\\\x01\xe9\n', "x"], ["-", "--hz", "x", "-"],
]  # fmt: skip

REWRITES: list[tuple[str, list[tuple[str, str]]]] = [
    ("", []),
    ("# c\n\n# d\n", []),
    ("maxmemory 100mb\n# x\nmaxmemory 200mb\ntimeout 0\nslave-read-only no\nhash-max-ziplist-entries 5\n", [("timeout", "7")]),
    ("save 60 1\n# a\nsave 30 2\nsave 20 3\nhz 11", [("save", "10 1")]),
    ('save ""\nhz 11', [("save", "3600 1 300 100 60 10000")]),
    ("rename-command GET G\nlist-max-ziplist-entries 3\n\n\n\nbind 127.0.0.1\n  # in\n", []),
    ("timeout 5\n\n\ntimeout 6\n\n\ntimeout 7\n\nhz 10\n", []),
    ("client-output-buffer-limit slave 1 2 3\nclient-output-buffer-limit pubsub 33554432 8388608 60\n", []),
    ("masterauth x\nmasterauth y\nlogfile \"\"\nreplicaof no one\nslave-priority 3\nreplica-priority 4\n", [("masterauth", "")]),
    (f"{SIGNATURE}\ntimeout 3\n# z\n", [("timeout", "0"), ("maxmemory", "9")]),
    ("aclfile \"\"\npidfile \"\"\nsyslog-ident \"\"\nunixsocketperm 0\nbind * -::*\nbusy-reply-threshold 5\nlua-time-limit 9\n", []),
    ("include x.inc\n", [("maxmemory-clients", "5%"), ("notify-keyspace-events", "KEA"), ("masterauth", 'a"b c\n\x01'),
                         ("client-output-buffer-limit", "normal 1mb 1kb 3"), ("latency-tracking-info-percentiles", "50 99.9"),
                         ("appendfsync", "always"), ("shutdown-on-sigterm", "now save"), ("slowlog-log-slower-than", "-1"),
                         ("repl-backlog-size", "1500kb"), ("cluster-announce-ip", "1.2.3.4"), ("key-load-delay", "5")]),
]  # fmt: skip


def ours(arguments: list[str]) -> str:
    try:
        load(Config(), arguments, bytes)
    except FatalConfigError as error:
        return str(error)
    return ""


def theirs(oracle: str, arguments: list[str]) -> str:
    command = [os.path.join(oracle, "redis-server"), *arguments]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
    return result.stderr.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_bad_file_gets_the_same_report(oracle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.conf").write_text(text)
    Path("x.inc").write_text("\nhz x\n")
    assert ours(["x.conf"]) == theirs(oracle, ["x.conf"])


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS, ids=" ".join)
def test_bad_arguments_get_the_same_report(oracle: str, arguments: list[str]) -> None:
    assert ours(arguments) == theirs(oracle, arguments)


@pytest.mark.parametrize(("text", "changes"), REWRITES)
def test_the_rewritten_file_is_the_same(
    oracle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, changes: list[tuple[str, str]]
) -> None:
    """The order below the signature is that of a hash table over there, so those lines are compared as a set."""
    monkeypatch.chdir(tmp_path)
    arguments = ["x.conf", "--port", "0", "--unixsocket", "s"]
    Path("x.conf").write_text(text)
    Path("x.inc").write_text("maxmemory 5mb\n")
    config = Config()
    load(config, arguments, bytes)
    config.change(changes)
    mine = rewritten(config, [DEFAULT_USER], text)

    command = [os.path.join(oracle, "redis-server"), *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            requests = ["config set " + " ".join(quote(word.encode()) for pair in changes for word in pair)] if changes else []
            for line in [*requests, "config rewrite"]:
                assert ask(process, "s", line) == b"+OK\r\n"
        finally:
            process.kill()
    its = Path("x.conf").read_text()
    assert mine.partition(SIGNATURE)[0] == its.partition(SIGNATURE)[0]
    assert sorted(mine.splitlines()) == sorted(its.splitlines())


def ask(process: subprocess.Popen[bytes], path: str, line: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        while process.poll() is None:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                peer.connect(path)
                peer.sendall(f"{line}\n".encode())
                return peer.recv(4096)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.005)
    raise AssertionError("the real server ended")
