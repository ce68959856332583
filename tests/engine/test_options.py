"""The cursor over options and the notations commands share. What is refused, and how, is as redis-server 8.0.2 does it."""

from __future__ import annotations

import math

import pytest

from redloop.engine.options import (
    LEX_HIGHEST,
    LEX_LOWEST,
    LEX_MEMBER,
    Options,
    keys_after_count,
    lex_bound,
    parse_int_in_range,
    range_end,
    range_start,
    score_bound,
    stream_id,
    timeout_milliseconds,
    timeout_seconds,
)
from redloop.errors import RedisError
from redloop.values.stream_ids import MAX_ID

NOW = 1_700_000_000_000
FEW = "ERR numkeys should be greater than 0"


def options(text: str) -> Options:
    return Options(text.encode().split(), 0)


def test_the_cursor_gives_word_after_word() -> None:
    cursor = options("nx Count 3 rest more")
    assert cursor.word() == b"NX"
    assert not cursor.next_is(b"LIMIT")
    assert cursor.next_is(b"COUNT")
    assert cursor.integer() == 3
    assert cursor.left() == 2
    assert cursor.values(2) == [b"rest", b"more"]
    assert not cursor.more()


@pytest.mark.parametrize("text", ["", "1"])
def test_a_missing_value_is_a_syntax_error(text: str) -> None:
    with pytest.raises(RedisError, match="ERR syntax error"):
        options(text).limit()
    with pytest.raises(RedisError, match="ERR syntax error"):
        options(text).values(2)


def test_limit_reads_two_integers() -> None:
    assert options("2 -1").limit() == (2, -1)
    with pytest.raises(RedisError, match="not an integer"):
        options("a 1").limit()


def moment(text: str) -> int:
    cursor = options(text)
    while cursor.more():
        cursor.expiry(cursor.word())
    return cursor.moment(NOW, "set")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", -1),
        ("keepttl", -1),
        ("persist persist", -1),
        ("ex 10", NOW + 10_000),
        ("px 10", NOW + 10),
        ("exat 10", 10_000),
        ("pxat 10", 10),
        ("ex 10 ex 20", NOW + 20_000),
        ("pxat 9223372036854775807", 9223372036854775807),
    ],
)
def test_expiry_in_all_its_units(text: str, expected: int) -> None:
    assert moment(text) == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("ex", "syntax error"),
        ("ex 10 px 10", "syntax error"),
        ("keepttl ex 10", "syntax error"),
        ("ex a keepttl", "syntax error"),
        ("ex a", "not an integer or out of range"),
        ("ex 99999999999999999999", "not an integer or out of range"),
        ("ex 0", "invalid expire time in 'set' command"),
        ("pxat -1", "invalid expire time in 'set' command"),
        ("ex 9223372036854775", "invalid expire time in 'set' command"),
        ("exat 9223372036854775807", "invalid expire time in 'set' command"),
        ("px 9223372036854775807", "invalid expire time in 'set' command"),
    ],
)
def test_expiry_that_is_refused(text: str, error: str) -> None:
    with pytest.raises(RedisError, match=error):
        moment(text)


def test_keys_behind_their_count() -> None:
    assert keys_after_count([b"zunion", b"2", b"a", b"b", b"weights"], 1, FEW) == [b"a", b"b"]


@pytest.mark.parametrize(("count", "error"), [(b"0", FEW), (b"a", FEW), (b"-1", FEW), (b"3", "ERR syntax error")])
def test_a_wrong_count_of_keys(count: bytes, error: str) -> None:
    with pytest.raises(RedisError, match=error):
        keys_after_count([b"lmpop", count, b"a", b"b"], 1, FEW)


def test_a_count_that_is_no_number_may_have_an_error_of_its_own() -> None:
    with pytest.raises(RedisError, match="other"):
        keys_after_count([b"zunion", b"a", b"k"], 1, FEW, "other")


def test_a_range_of_integers_is_named_in_its_error() -> None:
    assert parse_int_in_range(b"5", 0, 5) == 5
    with pytest.raises(RedisError, match="must between 0 and 5"):
        parse_int_in_range(b"6", 0, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1.5", (1.5, False)),
        (b"(1.5", (1.5, True)),
        (b"-inf", (-math.inf, False)),
        (b"(+INF", (math.inf, True)),
        (b"infinity", (math.inf, False)),
        (b"1e400", (math.inf, False)),
        (b"5.", (5.0, False)),
        (b"", (0.0, False)),
        (b"(", (0.0, True)),
    ],
)
def test_bounds_of_scores(text: bytes, expected: tuple[float, bool]) -> None:
    assert score_bound(text) == expected


@pytest.mark.parametrize("text", [b"a", b"nan", b"(nan", b"1_0", b" 1", b"1 ", b"1e", b"((1", b"0x10", b"1\x00"])
def test_bounds_of_scores_that_are_refused(text: bytes) -> None:
    with pytest.raises(RedisError, match="ERR min or max is not a float"):
        score_bound(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"-", (LEX_LOWEST, b"", False)),
        (b"+", (LEX_HIGHEST, b"", False)),
        (b"[", (LEX_MEMBER, b"", False)),
        (b"[a", (LEX_MEMBER, b"a", False)),
        (b"(a", (LEX_MEMBER, b"a", True)),
    ],
)
def test_bounds_of_members(text: bytes, expected: tuple[int, bytes, bool]) -> None:
    assert lex_bound(text) == expected


@pytest.mark.parametrize("text", [b"a", b"", b"+a", b"-a"])
def test_bounds_of_members_that_are_refused(text: bytes) -> None:
    with pytest.raises(RedisError, match="ERR min or max not valid string range item"):
        lex_bound(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1-2", (1, 2)),
        (b"1", (1, 7)),
        (b"01-02", (1, 2)),
        (b"+1-+2", (1, 2)),
        (b" 1", (1, 7)),
        (b"18446744073709551615-0", (18446744073709551615, 0)),
        (b"1- -1", (1, 18446744073709551615)),
        (b"1-2\0x", (1, 2)),
    ],
)
def test_ids_of_streams(text: bytes, expected: tuple[int, int]) -> None:
    assert stream_id(text, 7) == expected[0] << 64 | expected[1]


def test_ranges_of_streams() -> None:
    assert (range_start(b"-"), range_start(b"+"), range_end(b"-"), range_end(b"+")) == (0, MAX_ID, 0, MAX_ID)
    assert (range_start(b"2"), range_end(b"2")) == (2 << 64, (3 << 64) - 1)
    assert (range_start(b"(2"), range_end(b"(2")) == ((2 << 64) + 1, (3 << 64) - 2)
    with pytest.raises(RedisError, match="ERR invalid start ID for the interval"):
        range_start(b"(18446744073709551615-18446744073709551615")
    with pytest.raises(RedisError, match="ERR invalid end ID for the interval"):
        range_end(b"(0-0")


@pytest.mark.parametrize("text", [b"", b"1" * 128, b"a", b"1-", b"-1", b"1-2-3", b"1--1", b"1-1 ", b"18446744073709551616", b"1-*", b"("])
def test_ids_of_streams_that_are_refused(text: bytes) -> None:
    with pytest.raises(RedisError, match="ERR Invalid stream ID"):
        stream_id(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"0", 0), (b"1.5", NOW + 1500), (b"0.0001", NOW + 1), (b"-0.0001", 0), (b"0x1p1", NOW + 2000)],
)
def test_timeouts_in_seconds(text: bytes, expected: int) -> None:
    assert timeout_seconds(text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"a", "timeout is not a float or out of range"),
        (b"nan", "timeout is not a float or out of range"),
        (b"", "timeout is not a float or out of range"),
        (b"-1", "timeout is negative"),
        (b"-inf", "timeout is negative"),
        (b"inf", "timeout is out of range"),
        (b"1e300", "timeout is out of range"),
        (b"9223372036854775", "timeout is out of range"),
    ],
)
def test_timeouts_in_seconds_that_are_refused(text: bytes, error: str) -> None:
    with pytest.raises(RedisError, match=error):
        timeout_seconds(text, NOW)


def test_timeouts_in_milliseconds() -> None:
    assert timeout_milliseconds(b"0", NOW) == 0
    assert timeout_milliseconds(b"250", NOW) == NOW + 250
    for text, error in ((b"a", "not an integer"), (b"-1", "negative"), (b"9223372036854775807", "timeout is out of range")):
        with pytest.raises(RedisError, match=error):
            timeout_milliseconds(text, NOW)
