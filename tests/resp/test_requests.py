"""The quick ways to read a request agree with the strict one, or leave it to that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.resp.encode import encode_command
from redloop.resp.requests import Framer, ProtocolError, arguments, cut, word_end

BITS = [b"", b"0", b"1", b"-", b"+", b"\r", b"\n", b"\r\n", b"$", b"*", b"\0", b":"]
COMMANDS = st.lists(st.binary(max_size=30) | st.binary(min_size=95, max_size=120), min_size=1, max_size=12)


@given(COMMANDS, st.binary(max_size=20), st.binary(max_size=20))
def test_a_whole_command_is_cut_wherever_it_stands(argv: list[bytes], before: bytes, behind: bytes) -> None:
    wire = encode_command(argv)
    found: list[bytes] = []
    assert cut(before + wire + behind, len(before), found) == len(before) + len(wire)
    assert found == argv
    for size in range(len(wire)):
        assert cut(wire[:size], 0, []) == -1


@given(COMMANDS, st.integers(0), st.integers(0, 3), st.sampled_from(BITS))
def test_what_is_cut_is_what_the_framer_reads(argv: list[bytes], place: int, length: int, other: bytes) -> None:
    """A sound command with a few bytes replaced: what is still taken is taken as Redis takes it."""
    wire = encode_command(argv)
    place %= len(wire)
    wire = wire[:place] + other + wire[place + length :]
    found: list[bytes] = []
    end = cut(wire, 0, found)
    if end < 0 or not wire.startswith(b"*"):
        return
    framer = Framer()
    framer.begin(True, 1 << 29)
    try:
        assert framer.feed(wire, 0) == end
    except ProtocolError:
        pytest.fail(f"the framer refuses {wire!r}")
    assert arguments(wire, 0) == found


@pytest.mark.parametrize(
    "wire",
    [
        b"", b"*", b"*1", b"*1\r\n", b"*0\r\n", b"*-1\r\n", b"*01\r\n$1\r\na\r\n", b"*1\r\n$01\r\na\r\n", b"*1\n$1\r\na\r\n",
        b"*1\r\n:1\r\n", b"*99999999999999999999\r\n", b"*1\r\n$99999999999999999999\r\n",
    ],
)
def test_what_is_not_canonical_is_left_to_the_framer(wire: bytes) -> None:
    assert cut(wire, 0, []) == -1


@pytest.mark.parametrize(
    ("data", "start", "end"),
    [
        (b"PING\r\n", 0, 4),
        (b"ping\nGET", 0, 4),
        (b"xx PING\r\n", 3, 7),
        (b"PING\r", 0, -1),
        (b"PING", 0, -1),
        (b"", 0, -1),
        (b"\r\n", 0, -1),
        (b"PING \r\n", 0, -1),
        (b"PING\rX\n", 0, -1),
        (b"PING\0\r\n", 0, -1),
        (b"'PING'\r\n", 0, -1),
        (b"P\xc3\xa9\r\n", 0, -1),
        (b"@PING\r\n", 0, -1),
        (b"[PING\r\n", 0, -1),
        (b"A" * 64 + b"\n", 0, 64),
        (b"A" * 65 + b"\n", 0, -1),
    ],
)
def test_one_word(data: bytes, start: int, end: int) -> None:
    assert word_end(data, start) == end
