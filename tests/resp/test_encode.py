"""Replies as bytes, where the way there is not the plain one."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from redloop.resp.encode import encode_integer


@given(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 3_000_000) | st.integers(0, 3_000_000).map(lambda n: n * 1000))
@example(0)
@example(1023)
@example(1024)
@example(1_023_999)
@example(1_024_000)
@example(999_999_999)
@example(1_000_000_000)
def test_an_integer_is_the_same_in_pieces(number: int) -> None:
    out: list[bytes] = []
    encode_integer(number, out)
    assert b"".join(out) == b":%d\r\n" % number
