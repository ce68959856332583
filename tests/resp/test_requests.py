"""Where the line of one word ends that needs no more reading than that."""

from __future__ import annotations

import pytest

from redloop.resp.requests import word_end


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
