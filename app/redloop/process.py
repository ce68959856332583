"""This process as the system sees it: its memory and the time it has computed.

What a system does not tell is 0. Python keeps no account of the bytes its objects take: the kernel says what is resident, Python how many
small blocks are in use, and the C library how much of what it holds is free.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

if sys.platform != "win32":
    import resource


class _Statm:
    """/proc/self/statm, kept open: INFO asks often. Opened when first asked for, since a process in the background was another before."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._absent = False

    def read(self) -> int:
        """Pages that are resident; -1 where the system has no such file."""
        if self._descriptor < 0 and not self._absent:
            try:
                self._descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                self._absent = True
        return -1 if self._absent else int(os.pread(self._descriptor, 128, 0).split()[1])


_statm: Final = _Statm()


def resident_bytes() -> int:
    """Memory this process has; where the system tells only the most it ever had, that."""
    pages = _statm.read()
    if pages >= 0:
        return pages * PAGE
    if sys.platform == "win32":
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def small_blocks() -> int:
    """Objects of up to 512 bytes there are; a microsecond for each megabyte of them."""
    return sys.getallocatedblocks()


class Heap:
    """What the C library has from the system for larger objects: bytes it holds, bytes of these that are free, and in how many pieces."""

    def __init__(self, held: int, free: int, pieces: int) -> None:
        self.held = held
        self.free = free
        self.pieces = pieces


class _MallInfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    ]


def _find_mallinfo() -> object:
    """glibc's mallinfo2 (2.33); others have none."""
    if sys.platform != "linux":
        return None
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is not None:
        function.restype = _MallInfo
    return function


_mallinfo: Final = _find_mallinfo()


def heap() -> Heap | None:
    """The heap of the C library; None if it does not tell. It looks at every free piece: 0.3 microseconds for each."""
    if not callable(_mallinfo):
        return None
    found = _mallinfo()
    assert isinstance(found, _MallInfo)
    return Heap(found.arena + found.hblkhd, found.fordblks, found.ordblks)


def _find_sbrk() -> object:
    """Where a heap that `heap` tells of ends."""
    if not callable(_mallinfo):
        return None
    function = ctypes.PyDLL(None).sbrk
    function.restype = ctypes.c_ssize_t
    function.argtypes = [ctypes.c_ssize_t]
    return function


_sbrk: Final = _find_sbrk()


def heap_end() -> int:
    """The address where the heap ends, which moves as it grows and shrinks; 0 if the C library does not tell. It costs nothing to ask."""
    return int(_sbrk(0)) if callable(_sbrk) else 0


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
