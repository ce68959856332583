"""ioredis, node-redis, and what is built on them (BullMQ, rate-limiter-flexible, redlock), as their own programs.

The sessions are node/*.cjs, the packages come from npm into a cache folder.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

from tests.compat.servers import Server

HERE = pathlib.Path(__file__).parent / "node"
INSTALL_SECONDS = 300
RUN_SECONDS = 300


@functools.cache
def modules() -> pathlib.Path:
    """node_modules of node/package.json, installed once for each version of that file."""
    digest = hashlib.sha256((HERE / "package.json").read_bytes()).hexdigest()[:12]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "redloop-node" / digest
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:  # another test run may come to it at the same moment
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(cache)
    return cache / "node_modules"


def _install(cache: pathlib.Path) -> None:
    if not (cache / "installed").exists():
        shutil.copy(HERE / "package.json", cache)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(cache)]
        done = subprocess.run(command, cwd=cache, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-500:] or done.stdout[-500:])
        (cache / "installed").touch()


def node_modules() -> pathlib.Path:
    """Skips without Node.js or its packages, and says so; under CI a Node.js that gets no packages is a failure."""
    if not shutil.which("node"):
        pytest.skip("no Node.js here")
    try:
        return modules()
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        if os.environ.get("CI"):
            pytest.fail(f"npm install failed: {error}")
        pytest.skip(f"npm install failed: {error}")


SESSIONS = [("ioredis.cjs",), ("node_redis.cjs", "2"), ("node_redis.cjs", "3"), ("bullmq.cjs",), ("rate_limiter.cjs",), ("redlock.cjs",)]


@pytest.mark.parametrize("words", SESSIONS, ids=" RESP".join)
def test_session(server: Server, words: tuple[str, ...]) -> None:
    """The client connects with its own greeting, and every answer is what its users expect."""
    environment = os.environ | {"NODE_PATH": str(node_modules())}
    command = ["node", str(HERE / words[0]), str(server.port), *words[1:]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    assert (done.stdout.strip(), done.returncode) == ("ok", 0), done.stderr
