"""What the system tells about this process."""

from __future__ import annotations

import sys

import pytest

from redloop import process


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not tell")
def test_memory_is_that_of_a_python() -> None:
    assert 4 << 20 < process.resident_bytes() < process.machine_bytes()


def test_time_grows() -> None:
    before = process.cpu_time()
    sum(range(3_000_000))
    after = process.cpu_time()
    assert after.user + after.kernel > before.user + before.kernel
    thread, children = process.cpu_time_of_thread(), process.cpu_time_of_children()
    assert thread.user + thread.kernel <= after.user + after.kernel + 0.1
    assert children.user >= 0.0
