"""The process as an operator's tools see it: pid files, the background, systemd, signals, start-up that fails."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.servers import PATIENCE, free_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")


class Running:
    """A redloop started as from a shell; `lines` are those it has logged so far."""

    def __init__(self, folder: Path, *arguments: str, notify: str = "") -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "redloop", "--port", str(self.port), "--dir", str(folder), "--save", "", *arguments]
        environment = {**os.environ, "NOTIFY_SOCKET": notify} if notify else dict(os.environ)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        self.lines: list[str] = []

    def read_until(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return
        raise AssertionError(f"{text!r} never came:\n" + "\n".join(self.lines))

    def finish(self) -> int:
        output, _ = self.process.communicate(timeout=PATIENCE)
        self.lines += output.splitlines()
        return self.process.returncode

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Running]]:
    running: list[Running] = []
    yield running
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def start(started: list[Running], folder: Path, *arguments: str, notify: str = "") -> Running:
    running = Running(folder, *arguments, notify=notify)
    started.append(running)
    running.read_until("Ready to accept connections tcp")
    return running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_zero(started: list[Running], tmp_path: Path, number: signal.Signals) -> None:
    running = start(started, tmp_path)
    running.process.send_signal(number)
    assert running.finish() == 0
    assert running.said(f"Received {number.name} scheduling shutdown...")
    assert running.lines[-1].endswith("# Redis is now ready to exit, bye bye...")


def test_hang_up_is_harmless(started: list[Running], tmp_path: Path) -> None:
    running = start(started, tmp_path)
    running.process.send_signal(signal.SIGHUP)
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.sendall(b"PING\r\n")
        assert client.recv(64) == b"+PONG\r\n"


def test_every_line_of_the_log_has_the_same_pid(started: list[Running], tmp_path: Path) -> None:
    running = start(started, tmp_path)
    running.process.terminate()
    running.finish()
    assert {line.split(":")[0] for line in running.lines} == {str(running.process.pid)}


def test_the_pid_file_comes_and_goes(started: list[Running], tmp_path: Path) -> None:
    running = start(started, tmp_path, "--pidfile", str(tmp_path / "redloop.pid"))
    assert (tmp_path / "redloop.pid").read_text() == f"{running.process.pid}\n"
    running.process.terminate()
    running.finish()
    assert running.said("Removing the pid file.")
    assert not (tmp_path / "redloop.pid").exists()


def test_shutdown_ends_it_with_status_zero(started: list[Running], tmp_path: Path) -> None:
    running = start(started, tmp_path)
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.sendall(b"SHUTDOWN NOSAVE\r\n")
        assert client.recv(64) == b""
    assert running.finish() == 0
    assert running.said("User requested shutdown...")


def test_systemd_is_told(started: list[Running], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        running = start(started, tmp_path, "--supervised", "systemd", notify=str(tmp_path / "notify"))
        assert [manager.recv(256) for _ in range(3)] == [
            b"STATUS=Redis is loading...\n",
            b"STATUS=Ready to accept connections\n",
            b"READY=1\n",
        ]
        running.process.terminate()
        assert manager.recv(256) == b"STOPPING=1\n"
        assert running.finish() == 0


def test_the_background(tmp_path: Path) -> None:
    pidfile, logfile, port = tmp_path / "pid", tmp_path / "log", free_port()
    command = [sys.executable, "-m", "redloop", "--port", str(port), "--dir", str(tmp_path), "--save", "", "--daemonize", "yes"]
    subprocess.run([*command, "--pidfile", str(pidfile), "--logfile", str(logfile)], check=True, timeout=PATIENCE)
    tail = subprocess.Popen(["tail", "-n", "+1", "-F", str(logfile)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert tail.stdout is not None
    watchdog = threading.Timer(PATIENCE, tail.kill)  # then a line that never comes is a failure, not a wait
    watchdog.start()
    try:
        assert any("Ready to accept connections tcp" in line for line in tail.stdout)
        pid = int(pidfile.read_text())
        os.kill(pid, signal.SIGTERM)
        assert any("bye bye" in line for line in tail.stdout)
    finally:
        watchdog.cancel()
        tail.kill()
        tail.communicate()
    assert {line.split(":")[0] for line in logfile.read_text().splitlines()} == {str(pid)}
    assert not pidfile.exists()


def test_a_port_in_use_is_one_clear_line_and_status_one(started: list[Running], tmp_path: Path) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        port = owner.getsockname()[1]
        running = Running(tmp_path, "--port", str(port), "--bind", "127.0.0.1")
        started.append(running)
        assert running.finish() == 1
    assert running.lines[-1].endswith(f"# Failed listening on port {port} (tcp), aborting.")


def test_an_unreadable_configuration_is_one_clear_line_and_status_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "redloop", str(tmp_path / "absent.conf")], check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert "can't open config file" in done.stdout + done.stderr
