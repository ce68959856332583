"""One server under measurement: started on a free loopback port in a directory of its own, pinned to a core, stopped by its pid."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from benchmark.wire import HOST, ServerError, Wire

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "app"
REDIS: Final = "redis"
START_SECONDS: Final = 120.0
LINUX: Final[bool] = sys.platform.startswith("linux")
NATIVE_SUFFIXES: Final = (".so", ".pyd")


class Cpu(NamedTuple):
    """Seconds of processor time: `total` is exact, the split is what the kernel's ticks sampled."""

    total: float
    user: float
    system: float

    def since(self, earlier: Cpu) -> Cpu:
        total = self.total - earlier.total
        user, system = self.user - earlier.user, self.system - earlier.system
        share = user / (user + system) if user + system > 0 else 0.5
        return Cpu(total, total * share, total * (1.0 - share))


class Launch(NamedTuple):
    """How one kind of server is started; `label` is what the tables call it."""

    label: str
    argv: tuple[str, ...]
    source: Path | None = None


class Server:
    def __init__(self, launch: Launch, directory: Path, core: int | None, *options: str) -> None:
        self.launch = launch
        self.label = launch.label
        self.directory = directory
        self.core = core
        self.options = options
        self.port = 0
        self.pid = 0
        self.start_seconds = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        """Start and wait for the first PONG; `start_seconds` is what that took."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        words = [*self.launch.argv, "--port", str(self.port), "--bind", HOST, "--dir", str(self.directory), "--save", "", *self.options]
        environment = dict(os.environ)
        if self.launch.source is not None:
            environment["PYTHONPATH"] = str(self.launch.source)
        with (self.directory / "log").open("ab") as log:
            begin = time.perf_counter()
            self.process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, cwd=self.directory)
        self.pid = self.process.pid
        pin(self.pid, self.core)
        self._wait(begin)
        return self

    def _wait(self, begin: float) -> None:
        assert self.process is not None
        while (gone := time.perf_counter() - begin) < START_SECONDS:
            if self.process.poll() is not None:
                break
            try:
                with Wire(self.port) as wire:
                    wire.call("PING")
                self.start_seconds = time.perf_counter() - begin
                return
            except (OSError, ServerError):
                time.sleep(max(0.001, gone / 200))  # who loads for long is not to be asked all the time
        log = (self.directory / "log").read_text(errors="replace")
        raise SystemExit(f"{self.label} did not start: {' '.join(self.launch.argv)}\n{log[-2000:]}")

    def cpu(self) -> Cpu:
        return cpu_of(self.pid, self.port)

    def resident(self) -> int:
        """Resident bytes."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        except FileNotFoundError:
            return int(self.info("memory")["used_memory_rss"])

    def info(self, section: str) -> dict[str, str]:
        with Wire(self.port) as wire:
            text = wire.call("INFO", section)
        assert isinstance(text, bytes)
        return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def cpu_of(pid: int, port: int) -> Cpu:
    """On Linux the process's own CPU clock (nanoseconds) with the tick counters for the split; elsewhere what INFO cpu says."""
    if LINUX:
        total = time.clock_gettime((~pid << 3) | 2)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        tick = os.sysconf("SC_CLK_TCK")
        return Cpu(total, int(fields[11]) / tick, int(fields[12]) / tick)
    with Wire(port) as wire:
        text = wire.call("INFO", "cpu")
    assert isinstance(text, bytes)
    numbers = dict(line.split(":", 1) for line in text.decode().splitlines() if line.startswith("used_cpu_"))
    user, system = float(numbers["used_cpu_user"]), float(numbers["used_cpu_sys"])
    return Cpu(user + system, user, system)


def pin(pid: int, core: int | None) -> None:
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {core})


@contextlib.contextmanager
def unpinned(core: int | None) -> Iterator[None]:
    """What is started meanwhile may use all cores; then this process goes back to its own."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    yield
    pin(0, core)


def cores() -> tuple[int | None, int | None]:
    """The core of the servers and the core of the load; (None, None) where there is no choice."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    ours = sorted(os.sched_getaffinity(0))
    return (ours[0], ours[1]) if len(ours) > 1 else (None, None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@functools.cache
def tool(name: str) -> str:
    """One of Redis's programs, from where scripts/oracle finds them."""
    answer = subprocess.run([str(ROOT / "scripts" / "oracle")], stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        raise SystemExit("bench: there is nothing to compare with")
    return str(Path(answer.stdout.strip()) / name)


def redis() -> Launch:
    return Launch(REDIS, (tool("redis-server"), "--enable-debug-command", "yes"))


def redloop(label: str, python: str, source: Path) -> Launch:
    return Launch(label, (python, "-m", "redloop", "--enable-debug-command", "yes"), source)


def default_python() -> str:
    own = ROOT / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def is_compiled(source: Path) -> bool:
    return any(path.suffix in NATIVE_SUFFIXES for path in source.rglob("*"))


def copy_source(target: Path) -> Path:
    """The same source in another place, without anything compiled."""
    shutil.copytree(SOURCE, target, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "*.egg-info"))
    return target


def compiled_copy(python: str) -> Path:
    """A copy compiled as an installation would be, apart from the source that people edit; kept until the source changes."""
    recipe = [ROOT / "pyproject.toml", ROOT / "setup.py"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in [*recipe, *sorted(SOURCE.rglob("*.py"))])).hexdigest()[:16]
    home = ROOT / "build" / "bench"
    place = home / digest
    if not is_compiled(place):
        shutil.rmtree(home, ignore_errors=True)
        copy_source(place / "app")
        for path in recipe:
            shutil.copy(path, place)
        with (place / "log").open("w") as log:
            command = [python, "setup.py", "-q", "build_ext", "--inplace"]
            done = subprocess.run(command, cwd=place, env=os.environ | {"REDLOOP_COMPILE": "1"}, stdout=log, stderr=log, check=False)
        if done.returncode:
            raise SystemExit(f"bench: compiling failed\n{(place / 'log').read_text()[-2000:]}")
    return place / "app"


def scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="redloop-bench-")
