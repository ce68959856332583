"""This process as the system sees it: its memory and the time it has computed.

What a system does not tell is 0. Memory is what is resident: Python keeps no account of the bytes its objects take, the kernel does.
"""

from __future__ import annotations

import os
import sys
from typing import Final

PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

if sys.platform != "win32":
    import resource


def _open_statm() -> int:
    try:
        return os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return -1


_statm: Final = _open_statm()


def resident_bytes() -> int:
    """Memory this process has; where the system tells only the most it ever had, that."""
    if _statm >= 0:
        return int(os.pread(_statm, 128, 0).split()[1]) * PAGE
    if sys.platform == "win32":
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def machine_bytes() -> int:
    """Memory of the machine."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * PAGE
    except (AttributeError, ValueError, OSError):
        return 0


class CpuTime:
    """Seconds computed, in the kernel and outside of it."""

    def __init__(self, kernel: float, user: float) -> None:
        self.kernel = kernel
        self.user = user


def cpu_time() -> CpuTime:
    """Of all threads."""
    if sys.platform == "win32":
        times = os.times()
        return CpuTime(times.system, times.user)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return CpuTime(usage.ru_stime, usage.ru_utime)


def cpu_time_of_children() -> CpuTime:
    """Of the processes this one has started and waited for."""
    times = os.times()
    return CpuTime(times.children_system, times.children_user)


def cpu_time_of_thread() -> CpuTime:
    """Of the thread that asks; only Linux tells."""
    if sys.platform == "linux":
        usage = resource.getrusage(resource.RUSAGE_THREAD)
        return CpuTime(usage.ru_stime, usage.ru_utime)
    else:  # noqa: RET505  # mypy checks a branch only on its platform
        return CpuTime(0.0, 0.0)
