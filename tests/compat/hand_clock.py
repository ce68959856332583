"""A wall clock for server processes that stands still until a test turns it: `with start("oracle", clock=HandClock()) as server:`.

The process reads its time from a file that is mapped into its memory (hand_clock.c, loaded before the C library), so a turn costs nothing,
takes effect at once, and is the same for a real redis-server and for Python, interpreted or compiled. Monotonic clocks go on as ever:
timers run, and what is measured in them is real. On machines where that cannot be built (no C compiler, no Linux) `available` says no.
"""

from __future__ import annotations

import atexit
import functools
import mmap
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).with_name("hand_clock.c")
START_MS = 1_711_300_000_000  # soon after a turn of the 24 bits in which Redis keeps seconds of use: it reckons badly across one

FINE_TIME = ["--hz", "500", "--maxmemory", "1000gb", "--maxmemory-policy", "allkeys-lru"]
"""Settings under which a real server knows for each key when it was used: it looks at the time so often, and has no number as one object
for many keys.
"""


@functools.cache
def _folder() -> str:
    """Lives as long as this process."""
    folder = tempfile.mkdtemp(prefix="redloop-clock-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def library() -> str | None:
    """The path of hand_clock.c, built; None where it cannot be."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or sys.platform != "linux":
        return None
    built = os.path.join(_folder(), "hand_clock.so")
    done = subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", built, str(SOURCE)], capture_output=True, text=True, check=False)
    return None if done.returncode else built


def available() -> bool:
    return library() is not None


class HandClock:
    """The time of one process."""

    def __init__(self, ms: int = START_MS) -> None:
        self.ms = ms
        descriptor, self.path = tempfile.mkstemp(dir=_folder())
        os.truncate(descriptor, 8)
        self._place = mmap.mmap(descriptor, 8)
        os.close(descriptor)
        self.advance(0)

    def advance(self, ms: int) -> None:
        self.ms += ms
        self._place[:8] = (self.ms * 1000).to_bytes(8, sys.byteorder)

    def environment(self) -> dict[str, str]:
        """What the process needs to be started with."""
        return {"LD_PRELOAD": str(library()), "HAND_CLOCK": self.path}
