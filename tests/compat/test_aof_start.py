"""Starting on a directory as it may be found: redloop and a real redis-server say the same, hold the same keys and leave the same files.

A case is the files of a directory. Both servers are started on a copy; what counts is whether they start, what their logs say about the
append-only file, the keys they hold, and the files they leave when they are stopped.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time

import pytest

from tests.compat.servers import PATIENCE, environment, oracle_folder, redloop_command

FOLDER = "appendonlydir"
BASE = f"{FOLDER}/appendonly.aof.1.base.aof"
INCR = f"{FOLDER}/appendonly.aof.1.incr.aof"
SECOND = f"{FOLDER}/appendonly.aof.2.incr.aof"
MANIFEST = f"{FOLDER}/appendonly.aof.manifest"

Found = dict[str, bytes | str]
"""Files of a directory."""


def line(text: str) -> bytes:
    words = text.encode().split()
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def lines(*texts: str) -> bytes:
    return b"".join([line(text) for text in texts])


B1 = "file appendonly.aof.1.base.aof seq 1 type b\n"
I1 = "file appendonly.aof.1.incr.aof seq 1 type i\n"
I2 = "file appendonly.aof.2.incr.aof seq 2 type i\n"
A = lines("SELECT 0", "SET a 1")
B = lines("SELECT 0", "SET b 2")
C = lines("SELECT 0", "SET c 3", "SET d 4")
WHOLE: Found = {BASE: A, INCR: B, SECOND: C, MANIFEST: B1 + I1 + I2}


def _with(changes: Found) -> Found:
    return {**WHOLE, **changes}


CASES: dict[str, Found] = {
    "nothing": {},
    "whole": WHOLE,
    "torn at the end": _with({SECOND: C[:-3]}),
    "torn header": _with({SECOND: C + b"*3\r\n$"}),
    "open transaction": _with({SECOND: C + lines("MULTI", "SET e 5")}),
    "torn in the middle": _with({INCR: B + b"*3\r\n$3\r\nSET\r\n$x\r\nb\r\n$1\r\n2\r\n" + C}),
    "torn file that is not the last": _with({INCR: B + C[:-3]}),
    "zeros at the end": _with({SECOND: C + b"\0" * 20}),
    "unknown command": _with({SECOND: C + line("FOO 1")}),
    "commands that fail": _with({SECOND: C + lines("SET x text", "INCR x", "LPUSH x 1", "SET e 5")}),
    "annotations": _with({SECOND: b"#TS:1500000000\r\n" + C + b"# word\r\n"}),
    "other cases of letters": _with({SECOND: lines("select 3", "mUlTi", "set e 5", "incr e", "exec")}),
    "no increment": {BASE: A, MANIFEST: B1},
    "no base": {INCR: B, MANIFEST: I1},
    "all empty": {BASE: b"", INCR: b"", MANIFEST: B1 + I1},
    "a file is missing": {BASE: A, MANIFEST: B1 + I1},
    "history": _with({MANIFEST: B1 + I2 + I1.replace("type i", "type h")}),
    "comment and unknown key": _with({MANIFEST: "# hello\n" + B1.replace("\n", " novelty 1\n") + I1}),
    "empty manifest": _with({MANIFEST: ""}),
    "blank line": _with({MANIFEST: B1 + "\n" + I1}),
    "no line end": _with({MANIFEST: B1 + I1.rstrip()}),
    "two bases": _with({MANIFEST: B1 + B1}),
    "wrong order": _with({MANIFEST: B1 + I2 + I1}),
    "unknown type": _with({MANIFEST: B1.replace("type b", "type x")}),
    "path": _with({MANIFEST: B1.replace("file ", "file ../")}),
    "quotes": _with({MANIFEST: B1.replace("appendonly.aof.1.base.aof", '"appendonly.aof.1.base.aof') + I1}),
    "file of old": {"appendonly.aof": A + B},
    "file of old, move begun": {"appendonly.aof": A + B, MANIFEST: "file appendonly.aof seq 1 type b\n"},
    "file of old beside data": _with({"appendonly.aof": C}),
}
REFUSING = {"torn at the end", "open transaction"}
"""Those tried with aof-load-truncated no as well."""


class Start:
    """One server's start on a directory."""

    def __init__(self, command: list[str], files: Found, *arguments: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="redloop-")
        self.home = pathlib.Path(self.folder.name)
        (self.home / "data").mkdir()
        for name, content in files.items():
            path = self.home / "data" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        command += ["--port", "0", "--unixsocket", str(self.home / "socket"), "--dir", str(self.home / "data"), "--save", ""]
        command += ["--appendonly", "yes", "--aof-use-rdb-preamble", "no", *arguments]
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment())

    def result(self) -> dict[str, object]:
        """What is to be compared."""
        with self.folder:
            keys = self._keys()
            self.process.terminate()
            status = self.process.wait(PATIENCE)
            return {"keys": keys, "status": status, "log": self._log(), "files": self._files()}

    def _keys(self) -> list[bytes]:
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(PATIENCE)
                peer.connect(str(self.home / "socket"))
                peer.sendall(b"PING\r\nMGET a b c d e\r\nSELECT 3\r\nMGET e\r\nQUIT\r\n")
                with peer.makefile("rb") as replies:
                    found = replies.read()
                if found.startswith(b"+PONG"):
                    return found.split(b"\r\n")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.01)
        return []

    def _log(self) -> list[str]:
        """The lines that tell of files, without process, time and durations."""
        told: list[str] = []
        for text in (self.home / "log").read_text().splitlines():
            match = re.match(r"\d+:\w \d+ \w+ \d+ [\d:.]+ (.*)", text)
            said = match[1] if match else text
            if re.search(r"AOF|append[- ]only|runcat|>>>|manifest|Found|transaction|CRITICAL", said, re.IGNORECASE):
                told.append(re.sub(r"\d+\.\d{3} seconds", "? seconds", said))
        return [text for text in told if "are dropped" not in text]  # redloop says how much it cuts off, redis-server does not

    def _files(self) -> dict[str, bytes]:
        data = self.home / "data"
        return {str(path.relative_to(data)): path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", CASES)
def test_a_start_is_a_real_server_s(oracle: str, name: str) -> None:
    for arguments in ([], ["--aof-load-truncated", "no"]) if name in REFUSING else ([],):
        ours = Start(redloop_command(), CASES[name], *arguments)
        theirs = Start([os.path.join(oracle_folder(), "redis-server")], CASES[name], *arguments)
        expected = theirs.result()
        if name == "torn file that is not the last":  # redis-server cuts it all the same, then refuses
            expected["files"] = {path: text if isinstance(text, bytes) else text.encode() for path, text in CASES[name].items()}
            assert isinstance(expected["log"], list)
            expected["log"] = [text for text in expected["log"] if "Truncating" not in text and "loaded anyway" not in text]
        assert ours.result() == expected
