"""Who may do what by where he comes from and how the server was started: beside a real server, over TCP and over the unix socket."""

from __future__ import annotations

import os
import re
import socket
import stat

import pytest

from tests.compat.harness import Line, Pair, start_pair, words
from tests.compat.replies import Stream
from tests.compat.servers import PATIENCE, Server, start

DEBUG = ["debug jmap", "debug", "debug sleep 0", "multi | debug sleep 0 | exec"]
PROTECTED = ["config set dir .", "config set dbfilename x.rdb", "config set hz 10 dir .", "config get enable-protected-configs"]
MODULE = ["module load x", "module help x", "module unload x", "module", "module foo", "module loadex x",
          "multi | module load x | exec", "multi | module unload x | exec"]  # fmt: skip
RENAMED = [
    "get k", "fetch k", "FETCH k", "fetch", "set k v", "conf-x get hz", "config get hz", "cli foo", "client id", "[kind] cli id",
    "command info get", "command getkeys fetch k", "multi | fetch k | exec", "watch k | multi | fetch k | exec",
    "multi | cli getname | exec",
    "acl setuser bob on nopass +get ~* | acl dryrun bob fetch k | acl dryrun bob get k", "acl setuser al +fetch",
    "b: monitor | fetch k | b< [skip]",
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["--rename-command", "get", "FETCH", "--rename-command", "set", "", "--rename-command", "config", "conf-x",
          "--rename-command", "client", "cli"], RENAMED),
        (["--enable-debug-command", "no"], DEBUG),
        (["--enable-debug-command", "local"], DEBUG),
        (["--enable-protected-configs", "no"], PROTECTED),
        (["--enable-protected-configs", "local"], PROTECTED),
        (["--enable-protected-configs", "yes"], PROTECTED),
        (["--enable-module-command", "no"], MODULE),
        (["--enable-module-command", "yes"], MODULE),
    ],
)  # fmt: skip
def test_what_the_start_allows(oracle: str, arguments: list[str], lines: list[str]) -> None:
    ours, theirs = start_pair(*arguments)
    with ours, theirs:
        pair = Pair(ours, theirs)
        differences = pair.run_all([Line(line) for line in lines], (2, 3))
        pair.close()
    assert not differences, "\n".join(str(difference) for difference in differences)


@pytest.mark.parametrize("lines", [["--rename-command", *pair.split(",")] for pair in ("nope,x", "get,set", "get,SET")])
def test_a_bad_start_is_refused_alike(oracle: str, lines: list[str]) -> None:
    said = []
    for kind in ("oracle", "redloop"):
        with pytest.raises(RuntimeError) as caught:
            start(kind, *lines)
        said.append(re.sub(r".*?\*\*\* FATAL", "*** FATAL", str(caught.value), flags=re.DOTALL).replace("redloop", "redis"))
    assert said[0] == said[1]


@pytest.mark.parametrize("mode", ["700", "755", "770"])
def test_the_socket_has_the_mode_asked_for(oracle: str, mode: str) -> None:
    for kind in ("oracle", "redloop"):
        with start(kind, "--unixsocketperm", mode) as server:
            assert stat.S_IMODE(os.stat(server.path).st_mode) == int(mode, 8)
        assert not os.path.exists(server.path)


def outside() -> str | None:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


def ask(server: Server, address: str, *lines: str) -> list[bytes]:
    """What a connection to that address is told: at once, or for each line."""
    with socket.create_connection((address, server.port), PATIENCE) as peer:
        stream = Stream(peer)
        if not lines:
            return [stream.rest()]
        answers = []
        for line in lines:
            argv = words(line)
            peer.sendall(b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv))
            answers.append(stream.reply())
        return answers


def test_protected_mode_and_local_commands_from_outside(oracle: str) -> None:
    """Whoever comes from elsewhere is told what protected mode is; once it is off, what is `local` is still not for him."""
    address = outside()
    if address is None:
        pytest.skip("no address but loopback")
    arguments = ["--bind", "0.0.0.0", "--enable-debug-command", "local", "--enable-protected-configs", "local"]
    ours, theirs = start_pair(*arguments)
    asked = ["ping", "debug sleep 0", "config set dir .", "config set hz 10"]
    with ours, theirs:
        assert ask(ours, address) == ask(theirs, address)
        for server in (ours, theirs):
            assert ask(server, "127.0.0.1", "config set protected-mode no") == [b"+OK\r\n"]
        assert ask(ours, address, *asked) == ask(theirs, address, *asked)
        assert ask(ours, "127.0.0.1", *asked) == ask(theirs, "127.0.0.1", *asked)
