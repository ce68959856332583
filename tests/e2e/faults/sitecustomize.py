"""A slow disk: with this folder on PYTHONPATH, os.fsync and os.fdatasync take `REDLOOP_TEST_FSYNC_MS` longer, in whatever Python starts.

The fault is put in from outside, before the server's first import; the server knows nothing of it.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol


class HasDescriptor(Protocol):
    def fileno(self) -> int: ...


class Sync(Protocol):
    def __call__(self, fd: int | HasDescriptor) -> None: ...


def slowed(sync: Sync, seconds: float) -> Sync:
    def wait_and_sync(fd: int | HasDescriptor) -> None:
        threading.Event().wait(seconds)
        sync(fd)

    return wait_and_sync


delay = int(os.environ.get("REDLOOP_TEST_FSYNC_MS", "0")) / 1000
if delay:
    os.fsync = slowed(os.fsync, delay)
    if hasattr(os, "fdatasync"):
        os.fdatasync = slowed(os.fdatasync, delay)
