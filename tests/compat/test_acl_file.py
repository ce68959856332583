"""The aclfile and the `user` lines of a configuration beside a real server: what is taken up, what is refused, who is hung up on."""

from __future__ import annotations

import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest

from redloop import commands  # noqa: F401  # declares the commands
from redloop.clock import ManualClock
from redloop.config import Config, FatalConfigError, load
from redloop.engine.acl.access import AccessError, Declarations
from redloop.engine.client import Client
from redloop.engine.features import install
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from tests.compat.harness import Line, Pair
from tests.compat.servers import PATIENCE, start

USERS = "user bob on >secret +@all ~a* &c*\nuser eve on nopass +get ~*\n"


class Inside:
    """Ours without a process: raises what a server says that does not start."""

    def __init__(self, *arguments: str) -> None:
        config = Config()
        config.on_declaration("user", Declarations().check)
        load(config, list(arguments), bytes)
        server = Server(config, ManualClock())
        install(server)
        server.access.start()
        self.sent: list[bytes] = []
        peer = Peer()
        peer.write = self.sent.append
        self.client = Client(server, peer, server.new_client_id())
        server.access.admit(self.client)
        server.register(self.client)

    def say(self, line: str) -> bytes:
        self.sent.clear()
        self.client.feed(line.encode() + b"\r\n")
        return b"".join(self.sent)


class Both:
    """A server of each kind with an aclfile of its own."""

    def __init__(self, folder: pathlib.Path, *arguments: str) -> None:
        self.files = [folder / "ours.acl", folder / "theirs.acl"]
        self.write(USERS)
        self.ours = start("redloop", "--aclfile", str(self.files[0]), *arguments)
        self.theirs = start("oracle", "--aclfile", str(self.files[1]), *arguments)
        self.pair = Pair(self.ours, self.theirs)

    def begin(self, text: str) -> None:
        """Both have the users of `text`."""
        self.write(text)
        for side in (self.pair.ours, self.pair.theirs):
            assert side.ask(b"ACL", b"LOAD") == b"+OK\r\n"

    def write(self, text: str) -> None:
        for file in self.files:
            file.write_text(text)

    def play(self, line: str) -> None:
        for protocol in (2, 3):
            found = self.pair.run(Line(line, where="aclfile"), protocol)
            assert not found, f"\n{found[0]}"

    def saved(self) -> list[str]:
        return [file.read_text() for file in self.files]

    def close(self) -> None:
        self.pair.close()
        self.ours.stop()
        self.theirs.stop()


@pytest.fixture(scope="module")
def servers(oracle: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    both = Both(tmp_path_factory.mktemp("aclfile"))
    yield both
    both.close()


@pytest.fixture
def both(servers: Both) -> Both:
    servers.begin(USERS)
    return servers


def test_the_file_is_taken_up(both: Both) -> None:
    both.play("acl list | b: auth bob secret | b: get a | b: get b | c: auth eve x | c: get k | c: set k v")


@pytest.mark.parametrize(
    "text",
    [
        "user bob on >secret +@all ~a* &c*\n",
        "user bob on >other +@all ~a* &c*\n",
        "user bob on >secret +@all ~a* &c* &d\n",
        "user bob on >secret +@all ~a* &d\n",
        "user bob on >secret +@all -get ~a* &c*\n",
        "user bob on >secret -get +@all ~a* &c*\n",
        "user bob off >secret +@all ~a* &c*\n",
        "user bob on >secret +@all ~a* &c* (+get ~*)\n",
        "user eve on nopass +get ~*\n",
        "user default on >x +@all ~* &*\nuser bob on >secret +@all ~a* &c*\n",
        "user default on nopass +@all ~* &c*\nuser bob on >secret +@all ~a*  &c*\r\n\n\n",
        "user default off +@all ~* &*\nuser bob on >secret +@all ~a* &c*\n",
        "",
    ],
)
def test_who_is_still_there_after_a_load(both: Both, text: str) -> None:
    """One who may do what it could goes on; whose user is gone, or may listen to less, is hung up on."""
    for line in (
        "b: auth bob secret | c: ping | acl load | ping | c: ping | b: acl whoami | b: get a",
        "b: auth bob secret | b: subscribe c1 | c: subscribe x | acl load | publish c1 hi | c: ping | b<",
        "b: auth bob secret | b: subscribe c1 | c: ssubscribe x | b: acl load | b: ping | c: ping",
        "b: auth bob secret | acl load | acl list | b: ping",
    ):
        for protocol in (2, 3):
            both.begin(USERS)
            both.write(text)
            found = both.pair.run(Line(line, where="aclfile"), protocol)
            assert not found, f"\n{found[0]}"


@pytest.mark.parametrize(
    "text",
    [
        "foo\n",
        "user\n",
        "user b +foo\n",
        "user a on\nuser a off\n",
        "user d >secret +config|get|x\n",
        'user "q r" on\n',
        "USER e on\n",
        "user a on +get\nfoo\nuser b +foo -bar\nuser a on\n",
        "# a remark\nuser a on\n",
        "user x (+get ~a) (foo) (bar)\n",
        "user x foo +nosuch bar +other\n",
        "user  x  on\n",
        "user x #bad !bad <bad\n",
        "user x ~a allkeys ~b\n",
        "user default >x foo\n",
    ],
)
def test_what_is_said_of_mistakes(both: Both, text: str) -> None:
    both.write(text)
    answers = []
    for side, file in zip((both.pair.ours, both.pair.theirs), both.files, strict=True):
        answers.append((side.ask(b"ACL", b"LOAD").replace(str(file).encode(), b"FILE"), side.ask(b"ACL", b"LIST")))
    assert answers[0] == answers[1]
    assert answers[0][0].startswith(b"-ERR")


def test_a_file_that_is_not_there(both: Both) -> None:
    for file in both.files:
        file.unlink()
    answers = []
    for side, file in zip((both.pair.ours, both.pair.theirs), both.files, strict=True):
        answers.append(side.ask(b"ACL", b"LOAD").replace(str(file).encode(), b"FILE"))
    assert answers[0] == answers[1]
    both.play("acl save | acl list | acl load | acl list")
    assert both.saved()[0] == both.saved()[1]


def test_what_is_saved_is_read_back(both: Both) -> None:
    both.play("acl setuser x on >a >b +@all -get +config|get ~k %R~r &c (+set ~s) (%W~w) | acl setuser y skip-sanitize-payload | acl save")
    ours, theirs = both.saved()
    assert ours == theirs
    both.play("acl deluser x y | acl load | acl list | acl getuser x")


def test_the_file_cannot_be_written(both: Both) -> None:
    for file in both.files:
        file.unlink()
        file.mkdir()
    both.play("acl save | acl list")
    for file in both.files:
        file.rmdir()


def _refused(oracle: str, path: pathlib.Path) -> str:
    """The last line that the real server prints, or all of an error in the file."""
    command = [os.path.join(oracle, "redis-server"), str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=path.parent, timeout=PATIENCE, check=False)
    assert ended.returncode == 1
    text = ended.stderr.strip() or ended.stdout.strip()
    return text.splitlines()[-1].partition(" # ")[2] or text


@pytest.mark.parametrize(
    "lines",
    [
        "user",
        "user a on\nuser a off",
        "user x on (+get",
        "user x (+get ~a) (foo)",
        "user x on >sec blah",
        "user x +config|get|x",
        "user a +foo",
        'user "q r" on',
        "user x on\naclfile FOLDER/users.acl",
        "aclfile FOLDER/users.acl",
        "aclfile FOLDER/nosuch.acl",
    ],
)
def test_a_configuration_that_cannot_be(oracle: str, tmp_path: pathlib.Path, lines: str) -> None:
    path = tmp_path / "x.conf"
    path.write_text(f"port 0\nunixsocket {tmp_path}/s\nsave \"\"\ndir {tmp_path}\n{lines.replace('FOLDER', str(tmp_path))}\n")
    (tmp_path / "users.acl").write_text("user a on +nosuch\n")
    with pytest.raises((AccessError, FatalConfigError)) as caught:
        Inside(str(path))
    assert str(caught.value).strip() == _refused(oracle, path)


@pytest.mark.parametrize(
    "lines",
    [
        "user bob on >secret +get ~a (+set ~b)\nuser eve",
        "requirepass foo\nuser default on nopass ~* &* +@all",
        "user default on nopass ~* &* +@all\nrequirepass foo",
        "user default on >a ~* &* +@all\nrequirepass foo",
        "requirepass foo",
        "user default off nopass +@all\nuser bob on nopass +@all",
        "acl-pubsub-default allchannels\nuser bob on nopass +@all",
        "user bob on nopass +@all\nacl-pubsub-default allchannels",
        "user Bob on\nuser bob off",
    ],
)
def test_users_of_a_configuration(oracle: str, lines: str) -> None:
    arguments = [f"--{line}" for line in lines.splitlines()]
    ours = Inside(*arguments)
    with start("oracle", *arguments) as server, server.connect() as peer:
        for request in ("ACL LIST", "AUTH foo", "AUTH a", "AUTH bob x", "ACL LIST", "CONFIG GET requirepass", "ACL WHOAMI"):
            peer.sendall(request.encode() + b"\r\n")
            assert ours.say(request) == peer.recv(65536), request


@pytest.mark.parametrize(
    ("lines", "requests"),
    [
        ("maxclients 100", ["ACL SETUSER bob on >x +@all ~a", "CONFIG SET requirepass foo"]),
        ("requirepass foo\nuser bob on\nuser alice off", ["AUTH foo", "ACL DELUSER bob", "ACL SETUSER z (+get ~a)"]),
        ("requirepass foo", ["AUTH foo", "ACL SETUSER default nopass"]),
        ("requirepass foo\naclfile users.acl", ["ACL LIST", "ACL SETUSER bob on", "CONFIG SET requirepass x", "ACL SAVE"]),
    ],
)
def test_what_a_rewrite_keeps(oracle: str, tmp_path: pathlib.Path, lines: str, requests: list[str]) -> None:
    """Users stand in the configuration file unless there is an aclfile."""
    kept = []
    for kind in ("ours", "theirs"):
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "users.acl").write_text("user eve on\n")
        path = folder / "x.conf"
        path.write_text(lines.replace("users.acl", str(folder / "users.acl")) + "\n")
        if kind == "ours":
            inside = Inside(str(path))
            for request in [*requests, "CONFIG REWRITE"]:
                assert not inside.say(request).startswith(b"-"), request
        else:
            with start("oracle", folder=str(folder), config=str(path)) as server, server.connect() as peer:
                for request in [*requests, "CONFIG REWRITE"]:
                    peer.sendall(request.encode() + b"\r\n")
                    assert not peer.recv(65536).startswith(b"-"), request
        told = [line for line in path.read_text().splitlines() if line.startswith(("user ", "requirepass"))]
        kept.append([*told, *(folder / "users.acl").read_text().splitlines()])
    assert kept[0] == kept[1]


def test_rules_name_commands_as_they_were_before_they_were_renamed(oracle: str) -> None:
    arguments = ["--rename-command", "GET", "zget", "--rename-command", "SORT", ""]
    ours = Inside(*arguments)
    with start("oracle", *arguments) as server:
        for request in (
            "ACL SETUSER u on nopass +get +sort +@geo ~*",
            "ACL SETUSER u +zget",
            "ACL SETUSER u -sort",
            "ACL LIST",
            "ACL DRYRUN u zget k",
            "ACL DRYRUN u get k",
            "ACL DRYRUN u sort k",
            "COMMAND GETKEYS zget k",
            "COMMAND GETKEYS get k",
            "SORT k",
            "ZGET k",
        ):
            with server.connect() as peer:
                peer.sendall(request.encode() + b"\r\n")
                assert ours.say(request) == peer.recv(65536), request
