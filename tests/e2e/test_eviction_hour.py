"""used_memory stays under maxmemory, whatever clients send: seconds of a load in the suite, an hour of it with REDLOOP_FULL=1."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.compat.servers import ROOT, environment

POLICIES = [
    "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
]  # fmt: skip
ERRORS = {
    "-ERR no such key", "-ERR source and destination objects are the same",
    "-EXECABORT Transaction discarded because of previous errors.",
}  # fmt: skip
STEP = 2.0  # megabytes: by such steps it is seen, as arenas and dicts grow
SHARE = 16  # of all the room one value takes such a part, for a moment four times: as it came, parsed, as the value, and the value before


def play(policy: str, seconds: int, room: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.e2e.eviction_hour", policy, str(seconds), str(room)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False, cwd=ROOT, env=environment())
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("policy", POLICIES)
def test_an_hour_at_the_limit(kind: str, full: bool, policy: str) -> None:
    if kind == "oracle":
        pytest.skip("runs within the process")
    room = 32 if full else 3
    found = play(policy, 3600 if full else 60, room)
    print(found)
    assert set(found["errors"]) <= ERRORS
    assert found["keys"] > 200 * room
    assert found["peak"] < 4 * room / SHARE + STEP
    if policy == "noeviction":
        assert found["evicted"] == 0
        assert found["refused"] > found["commands"] / 100
    else:
        assert found["over"] < room / SHARE + STEP / 4  # the last value that was evicted is on its way out
        assert found["left"] < STEP / 2
        assert found["evicted"] > found["commands"] / 100
        assert found["refused"] == 0
    assert found["most_resident"] < 2 * room + 10
    assert not full or found["residents"][-1] < 1.25 * max(found["residents"][:2])
