"""The aclfile and the `user` lines of a configuration beside a real server: what is taken up, what is refused, who is hung up on."""

from __future__ import annotations

import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest

from tests.compat.harness import Line, Pair, shorten
from tests.compat.servers import environment, free_port, oracle_folder, redloop_command, start

USERS = "user bob on >secret +@all ~a* &c*\nuser eve on nopass +get ~*\n"


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


def _refusal(kind: str, folder: pathlib.Path, lines: str) -> tuple[int, str]:
    """How the server ends that is started with these lines, and the last line that it prints."""
    folder.mkdir()
    path = folder / "x.conf"
    path.write_text(f"port {free_port()}\nbind 127.0.0.1\nsave \"\"\ndir {folder}\n{lines}\n")
    (folder / "users.acl").write_text("user a on +nosuch\n")
    command = [os.path.join(oracle_folder(), "redis-server")] if kind == "oracle" else redloop_command()
    ended = subprocess.run([*command, str(path)], capture_output=True, text=True, env=environment(), cwd=folder, timeout=20, check=False)
    text = (ended.stderr.strip() or ended.stdout.strip()).replace(str(folder), "FOLDER")
    last = text.splitlines()[-1]
    return ended.returncode, last.partition(" # ")[2] or text


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
    ended = [
        _refusal(kind, tmp_path / kind, lines.replace("FOLDER", str(tmp_path / kind))) for kind in ("redloop", "oracle")
    ]
    assert ended[0] == ended[1], shorten(ended[0][1], 500)


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
def test_users_of_a_configuration(oracle: str, tmp_path: pathlib.Path, lines: str) -> None:
    told = []
    for kind in ("redloop", "oracle"):
        folder = tmp_path / kind
        folder.mkdir()
        told.append(_answers(kind, folder, lines))
    assert told[0] == told[1]


def _answers(kind: str, folder: pathlib.Path, lines: str) -> list[bytes]:
    arguments = [word for line in lines.splitlines() for word in (f"--{line}",)]
    with start(kind, *arguments, folder=str(folder)) as server:
        peer = server.connect()
        answers = []
        for request in (b"ACL LIST", b"AUTH foo", b"AUTH a", b"AUTH bob x", b"ACL LIST", b"CONFIG GET requirepass", b"ACL WHOAMI"):
            peer.sendall(request + b"\r\n")
            answers.append(peer.recv(65536))
        peer.close()
        return answers


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
    for kind in ("redloop", "oracle"):
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "users.acl").write_text("user eve on\n")
        path = folder / "x.conf"
        path.write_text(lines.replace("users.acl", str(folder / "users.acl")) + "\n")
        with start(kind, folder=str(folder), config=str(path)) as server:
            peer = server.connect()
            for request in [*requests, "CONFIG REWRITE"]:
                peer.sendall(request.encode() + b"\r\n")
                assert not peer.recv(65536).startswith(b"-"), request
            peer.close()
        told = [line for line in path.read_text().splitlines() if line.startswith(("user ", "requirepass"))]
        kept.append([*told, *(folder / "users.acl").read_text().splitlines()])
    assert kept[0] == kept[1]
