"""redis-cli and redis-benchmark from a real Redis."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.compat.servers import Server
from tests.e2e.wire import Wire, encode

SECONDS = 300


def cli(oracle: str, server: Server, *words: str, given: bytes = b"") -> str:
    command = [os.path.join(oracle, "redis-cli"), "-p", str(server.port), *words]
    done = subprocess.run(command, input=given, capture_output=True, timeout=SECONDS, check=False)
    return (done.stdout + done.stderr).decode()


def test_cli_session(oracle: str, server: Server) -> None:
    """Commands from the command line and from standard input, RESP2 and RESP3, and the error shown as redis-cli shows it."""
    assert cli(oracle, server, "SET", "name", "value") == "OK\n"
    assert cli(oracle, server, "-3", "GET", "name") == "value\n"
    assert cli(oracle, server, given=b"INCR counter\nINCR counter\nNOSUCH a\n").startswith("1\n2\nERR unknown command 'NOSUCH'")
    assert "name" in cli(oracle, server, "--scan", "--pattern", "na*")
    assert "Sampled 2 keys" in cli(oracle, server, "--bigkeys")


def test_cli_pipe(oracle: str, server: Server, full: bool) -> None:
    """Mass insertion: every command of a file is answered, none with an error, all keys are there."""
    count = 1_000_000 if full else 50_000
    text = b"".join(encode("SET", f"key:{number:012}", number) for number in range(count))
    assert f"errors: 0, replies: {count}" in cli(oracle, server, "--pipe", given=text)
    with Wire(server) as wire:
        assert wire.call("DBSIZE") == count
        assert wire.call("GET", f"key:{count - 1:012}") == str(count - 1).encode()


@pytest.mark.parametrize("depth", [1, 16, 64])
def test_benchmark(oracle: str, server: Server, depth: int) -> None:
    """The tests of redis-benchmark that a server of strings must pass, at each pipeline depth."""
    command = [os.path.join(oracle, "redis-benchmark"), "-p", str(server.port), "-P", str(depth), "-n", "10000", "--csv"]
    done = subprocess.run([*command, "-t", "ping,set,get,incr,mset"], capture_output=True, text=True, timeout=SECONDS, check=False)
    names = [line.split(",")[0] for line in done.stdout.splitlines()[1:]]
    assert (done.returncode, done.stderr) == (0, "")
    assert names == ['"PING_INLINE"', '"PING_MBULK"', '"SET"', '"GET"', '"INCR"', '"MSET (10 keys)"']
