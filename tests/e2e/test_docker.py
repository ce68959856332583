"""The Dockerfile, built and run for real on a Debian made on the spot: with buildah, so no Docker engine is needed.

It takes some minutes and root's rights, so it runs only where REDLOOP_DOCKER=1 asks for it; it installs buildah and debootstrap itself.
The container shares the network and the process ids of this machine (buildah's chroot isolation).
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
USER = 999  # of the server in the container

asked_for = os.environ.get("REDLOOP_DOCKER") == "1"
pytestmark = pytest.mark.skipif(not asked_for, reason="builds an image, which takes minutes: REDLOOP_DOCKER=1 asks for it")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-5000:]}"
    return done.stdout.strip()


class Image:
    """An image of the Dockerfile, in a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.buildah = ("buildah", "--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs")
        self.build()
        self.config: dict[str, Any] = json.loads(run(*self.buildah, "inspect", "--type", "image", "redloop"))["Docker"]["config"]

    def build(self) -> None:
        base = self.folder / "base"
        mirrors = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Created-By: Packages").splitlines()
        run("debootstrap", "--variant=minbase", "bookworm", base, *mirrors[:1])
        container = run(*self.buildah, "from", "scratch")
        run(*self.buildah, "add", "--quiet", container, base, "/")
        run(*self.buildah, "commit", "--quiet", "--rm", container, "base")
        settings = ("--isolation", "chroot", "--format", "docker", "--build-arg", "BASE=localhost/base", *self.pip_settings())
        run(*self.buildah, "bud", *settings, "--tag", "redloop", ROOT)

    def pip_settings(self) -> Iterator[str]:
        """pip asks the same index in the build as here: told by files that are mounted, and so are no part of the image."""
        lines = ["[global]"]
        for line in run(sys.executable, "-m", "pip", "config", "list").splitlines():
            name, _, value = line.partition("=")
            key, value = name.rpartition(".")[2], ast.literal_eval(value)
            if key == "cert":
                yield f"--volume={value}:/etc/pip-certificates:ro"
                lines.append("cert = /etc/pip-certificates")
            elif key in {"index-url", "trusted-host", "proxy"}:
                lines.append(f"{key} = {value}")
        conf = self.folder / "pip.conf"
        conf.write_text("\n".join(dict.fromkeys(lines)))
        yield f"--volume={conf}:/etc/pip.conf:ro"


class Container:
    """A container of the image with a volume, which can be started again."""

    def __init__(self, image: Image, port: int) -> None:
        self.image = image
        self.port = port
        self.pid = 0
        self.name = run(*image.buildah, "from", "localhost/redloop")
        self.data = image.folder / f"data-{port}"
        self.data.mkdir()
        os.chown(self.data, USER, USER)

    def command(self, *arguments: str) -> list[str]:
        return [*self.image.buildah, "run", "--isolation", "chroot", "--volume", f"{self.data}:/data", self.name, "--", *arguments]

    @contextlib.contextmanager
    def started(self) -> Iterator[subprocess.Popen[str]]:
        arguments = self.command(*self.image.config["Entrypoint"], "--port", str(self.port), "--save", "")
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "Ready to accept connections" in line:
                    self.pid = int(line.partition(":")[0])
                    break
            else:
                pytest.fail("".join(lines))
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.kill(self.pid, signal.SIGKILL)

    def ask(self, line: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(f"{line}\r\nQUIT\r\n".encode())
            with connection.makefile() as answer:
                return answer.read().removesuffix("+OK\n")

    def is_healthy(self) -> bool:
        kind, *command = self.image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return subprocess.run(self.command(*command), capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    if not (shutil.which("buildah") and shutil.which("debootstrap")):
        run("apt-get", "update", "-q")
        run("apt-get", "install", "-q", "-y", "--no-install-recommends", "buildah", "debootstrap")
    return Image(tmp_path_factory.mktemp("docker"))


@pytest.fixture
def container(image: Image) -> Container:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Container(image, probe.getsockname()[1])


def test_its_arguments_reach_the_server(container: Container) -> None:
    with container.started():
        assert container.ask("PING") == "+PONG\n"
        assert container.ask("CONFIG GET save") == "*2\n$4\nsave\n$0\n\n"
        assert container.ask("CONFIG GET appendonly") == "*2\n$10\nappendonly\n$3\nyes\n"


def test_the_server_runs_compiled_as_a_user_without_rights(container: Container) -> None:
    with container.started():
        assert f"\nUid:\t{USER}\t" in Path(f"/proc/{container.pid}/status").read_text()
        assert run(*container.command("python3", "-c", "import redloop; print(redloop.compiled())")) == "True"


def test_a_key_outlives_the_container_being_stopped_and_killed(container: Container) -> None:
    with container.started() as process:
        assert container.ask("SET kept 1") == "+OK\n"
        os.kill(container.pid, signal.SIGTERM)
        assert process.wait(30) == 0
    with container.started() as process:
        assert container.ask("INCR kept") == ":2\n"
        os.kill(container.pid, signal.SIGKILL)
        process.wait(30)
    with container.started():
        assert container.ask("GET kept") in {"$1\n2\n", "$1\n1\n"}  # the last second may be lost: appendfsync everysec


def test_it_is_healthy_while_the_server_answers(container: Container) -> None:
    with container.started() as process:
        assert container.is_healthy()
        os.kill(container.pid, signal.SIGTERM)
        process.wait(30)
    assert not container.is_healthy()
