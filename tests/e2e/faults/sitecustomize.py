"""A slow disk: with this folder on PYTHONPATH, os.fsync and os.fdatasync wait as long as somebody else holds a lock on the file
`REDLOOP_TEST_GATE`, in whatever Python starts. Each writes `(` into that file before it waits, `)` after.

The fault is put in from outside, before the server's first import; the server knows nothing of it.
"""

from __future__ import annotations

import fcntl
import os
from typing import Protocol


class HasDescriptor(Protocol):
    def fileno(self) -> int: ...


class Sync(Protocol):
    def __call__(self, fd: int | HasDescriptor) -> None: ...


def gated(sync: Sync, path: str) -> Sync:
    def wait_and_sync(fd: int | HasDescriptor) -> None:
        with open(path, "ab", buffering=0) as gate:
            gate.write(b"(")
            fcntl.flock(gate, fcntl.LOCK_SH)
            gate.write(b")")
        sync(fd)

    return wait_and_sync


path = os.environ.get("REDLOOP_TEST_GATE")
if path:
    os.fsync = gated(os.fsync, path)
    if hasattr(os, "fdatasync"):
        os.fdatasync = gated(os.fdatasync, path)
