"""What fuzzing found stays found: each file of tests/fuzz/found is an input that once broke something."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.rdb import fuzz

FOUND = Path(__file__).parent.parent.parent / "fuzz" / "found"
PLAIN = [b"", b"\x00\x00\x01a", b"\x00\x01\x01\x01a", b"\xff\x0c\xfe\x00\x00\x01k\x01v\xff" + bytes(8), b"\xff\x02\xff", b"\xff"]
"""A string, a list, a file with a key, an empty one of version 2, nothing at all."""


@pytest.mark.parametrize("data", [*PLAIN, *[path.read_bytes() for path in sorted(FOUND.glob("*.bin"))]])
def test_found(data: bytes) -> None:
    fuzz(data)
