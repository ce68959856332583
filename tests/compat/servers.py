"""Real server processes for tests: the oracle (redis-server 8.0) and redloop, each in a temporary directory of its own.

Both listen on a unix socket (cheap connections) and on a free loopback port. A test that needs other settings starts its own:
`with start("redloop", "--requirepass", "x") as server:`. Which redloop runs (interpreted or compiled, uvloop or asyncio) is
decided by what `import redloop` finds here and by the environment, which is passed on. With `clock=HandClock()` its time is the test's.

The oracle is looked for in `$REDLOOP_ORACLE` (a folder with redis-server in it), else `scripts/oracle` says where it is. Where
none can be had the tests that need it skip; under CI they fail.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from tests.compat.hand_clock import HandClock

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 90.0
"""Seconds for what must happen: a start, an end, an answer. A machine may stand still for some; only a failure takes so long."""
FIRST_PORT, BLOCKS, BLOCK = 10_000, 100, 200


class OracleMissingError(Exception):
    """No real redis-server on this machine."""


@functools.cache
def oracle_folder() -> str:
    """The folder that holds redis-server, redis-cli and their kin."""
    named = os.environ.get("REDLOOP_ORACLE", "")
    if named:
        if os.access(os.path.join(named, "redis-server"), os.X_OK):
            return named
        raise OracleMissingError(f"REDLOOP_ORACLE={named} holds no redis-server")
    script = ROOT / "scripts" / "oracle"
    if not script.exists():
        raise OracleMissingError("set REDLOOP_ORACLE to a folder that holds redis-server 8.0")
    answer = subprocess.run([str(script)], capture_output=True, text=True, check=False)
    folder = answer.stdout.strip()
    if answer.returncode or not folder:
        raise OracleMissingError(answer.stderr.strip() or "scripts/oracle found no redis-server 8.0")
    return folder


@functools.cache
def _own_block() -> tuple[int, socket.socket]:
    """Ports for this process alone, while it holds the first for UDP: other test runs start servers at the same moment."""
    while True:
        first = FIRST_PORT + secrets.randbelow(BLOCKS) * BLOCK
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", first))
        except OSError:
            claim.close()
        else:
            return first, claim


_next_port = itertools.count(1)


def free_port() -> int:
    """A loopback port of this run's own that nobody listens on, below those the kernel gives to whoever connects: many do meanwhile."""
    first, _ = _own_block()
    while True:
        port = first + next(_next_port) % BLOCK
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def redloop_command() -> list[str]:
    return [sys.executable, "-m", "redloop"]


def environment() -> dict[str, str]:
    """This process's environment, with the redloop that is imported here first on the path of the child."""
    env = dict(os.environ)
    found = importlib.util.find_spec("redloop")
    if found is not None and found.submodule_search_locations:
        home = str(pathlib.Path(next(iter(found.submodule_search_locations))).parent)
    else:
        home = str(ROOT / "app")
    env["PYTHONPATH"] = os.pathsep.join(part for part in (home, env.get("PYTHONPATH", "")) if part)
    return env


class Server:
    """One running server: how to reach it, watch it and stop it. A context manager."""

    def __init__(self, kind: str, arguments: tuple[str, ...], folder: str | None, config: str, clock: HandClock | None) -> None:
        self.kind = kind
        self.clock = clock
        self.config = [config] if config else []  # the configuration file
        self.arguments = arguments
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="redloop-")
        self.port = free_port()
        self.path = os.path.join(self.folder, "socket")
        self.log = os.path.join(self.folder, "log")
        self.process = self._launch()

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [os.path.join(oracle_folder(), "redis-server")] if self.kind == "oracle" else redloop_command()
        command += [*self.config, "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.path, "--dir", self.folder]
        command += ["--save", "", "--enable-debug-command", "yes", *self.arguments]
        env = environment() | (self.clock.environment() if self.clock else {})
        with open(self.log, "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.folder)
        self._await_ready(process)
        return process

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(PATIENCE)
                probe.connect(self.path)
                probe.sendall(b"PING\r\n")
                if probe.recv(64).startswith((b"+PONG", b"-NOAUTH")):
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        process.kill()
        process.wait()
        raise RuntimeError(f"{self.kind} did not start:\n{self.tail()}")

    def tail(self, size: int = 3000) -> str:
        """The end of what the server printed."""
        return pathlib.Path(self.log).read_text(errors="replace")[-size:]

    def connect(self, timeout: float = PATIENCE, tcp: bool = False) -> socket.socket:
        peer = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        peer.settimeout(timeout)
        peer.connect(("127.0.0.1", self.port) if tcp else self.path)
        return peer

    def rss(self) -> int:
        """Resident memory in bytes, as the kernel counts it."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def cpu(self) -> float:
        """Seconds it has run so far, as the kernel counts them: what a busy machine makes it wait is not among them."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Ends the process and leaves its folder."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self) -> None:
        self.end()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def start(kind: str, *arguments: str, folder: str | None = None, config: str = "", clock: HandClock | None = None) -> Server:
    """Start `oracle` or `redloop` with further command-line arguments; a given folder is kept when the server stops."""
    return Server(kind, arguments, folder, config, clock)
