"""Numbers are read and printed as the real server reads and prints them."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from redloop.errors import NAN_OR_INFINITY, NOT_AN_INTEGER, RedisError
from redloop.numbers import (
    INT64_MAX,
    INT64_MIN,
    add_long_doubles,
    as_cursor,
    as_float,
    as_int,
    as_long_double,
    as_memory,
    format_double,
    format_long_double,
    human_bytes,
    parse_float,
    parse_int,
    parse_long_double,
    parse_positive,
    percent,
)
from tests.conftest import Real

DIGITS = st.text("0123456789", max_size=25)
DECIMALS = st.builds(
    lambda sign, whole, point, fraction, power: f"{sign}{whole}{point}{fraction}{power}",
    st.sampled_from(["", "-", "+"]),
    DIGITS,
    st.sampled_from(["", "."]),
    DIGITS,
    st.one_of(st.just(""), st.integers(-40, 40).map("e{}".format), st.integers(-5100, 5100).map("E{}".format)),
)
HEXADECIMALS = st.builds(
    lambda sign, whole, fraction, power: f"{sign}0x{whole:x}.{fraction:x}p{power}",
    st.sampled_from(["", "-"]),
    st.integers(0, 1 << 80),
    st.integers(0, 1 << 60),
    st.one_of(st.integers(-100, 100), st.integers(-17000, 17000)),
)
TEXTS = st.one_of(DECIMALS, HEXADECIMALS, st.text("0123456789.eE+-xpinfaINF_ ", max_size=8))
DOUBLES = st.one_of(
    st.floats(allow_nan=False),
    st.binary(min_size=8, max_size=8).map(lambda raw: float(struct.unpack("<d", raw)[0])).filter(lambda value: not math.isnan(value)),
    st.floats(-1e6, 1e6).map(lambda value: round(value, 6)),
    st.integers(-(1 << 64), 1 << 64).map(float),
    st.integers(-1074, 1023).map(lambda power: math.ldexp(1.0, power)),
)


def bulk(text: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text)


def told(answer: Callable[[], bytes]) -> bytes:
    """The reply, be it an error."""
    try:
        return answer()
    except RedisError as error:
        return error.line()


@given(st.one_of(st.integers(-(1 << 66), 1 << 66).map(str), st.text("0123456789-+ _x", max_size=21)))
@example("")
@example("-0")
@example(str(INT64_MAX))
@example(str(INT64_MIN))
@example(str(INT64_MAX + 1))
@example(str(INT64_MIN - 1))
@example("\u0661")
def test_integers_read_as_incrby_reads_them(real: Real, text: str) -> None:
    real("SET", "i", text)
    value = as_int(text.encode())
    assert real("INCRBY", "i", 0) == (b":%d\r\n" % value if value is not None else RedisError(NOT_AN_INTEGER).line())


def test_parse_int_says_what_the_caller_wants_said() -> None:
    assert parse_int(b"-12") == -12
    with pytest.raises(RedisError, match=NOT_AN_INTEGER):
        parse_int(b"1.0")
    with pytest.raises(RedisError, match="ERR other"):
        parse_int(b"", "ERR other")
    with pytest.raises(RedisError, match="must be positive"):
        parse_positive(b"-1")


@given(st.one_of(st.text(" \t+-0123456789", max_size=5), st.integers(0, 1 << 65).map(str)))
@example("-17")
@example("-0")
@example("18446744073709551615")
def test_cursors_read_as_scan_reads_them(real: Real, text: str) -> None:
    assert (as_cursor(text.encode()) is None) == real("SCAN", text).startswith(b"-")


@given(TEXTS)
@example("1e309")
@example("2e-324")
@example("4.9e-324")
@example("0e400")
@example("0x0p9999")
@example("nan")
@example("-Infinity")
@example("1" * 400)
@example("0." + "0" * 400 + "1e390")
def test_floats_read_as_zadd_reads_them(real: Real, text: str) -> None:
    if text.lower() in ("nx", "xx", "gt", "lt", "ch", "incr"):
        return
    real.many([["CONFIG", "SET", "zset-max-listpack-entries", 0], ["DEL", "z"]])
    said = real("ZADD", "z", text, "a")
    if said.startswith(b":"):
        said = real("ZSCORE", "z", "a")

    def answer() -> bytes:
        return bulk(format_double(parse_float(text.encode())))

    assert said == told(answer)


@given(st.lists(DOUBLES, min_size=1, max_size=50))
@example([5e-324, 1e-5, 1e-6, 1e-7, 1.234e-5, 0.000123, 1e15, 1e16, 1e21, 1e22, 2.0**62, -(2.0**63), 1.7976931348623157e308])
def test_doubles_print_as_zscore_prints_them(real: Real, values: list[float]) -> None:
    # a negative zero is kept only where scores are not packed into a listpack
    commands: list[Sequence[str]] = [["CONFIG", "SET", "zset-max-listpack-entries", "0"], ["DEL", "z"], ["ZADD", "z", "0", "a"]]
    for value in values:
        commands += [["ZADD", "z", repr(value), "a"], ["ZSCORE", "z", "a"]]
    for value, said in zip(values, real.many(commands)[4::2], strict=True):
        if value:
            assert bulk(format_double(value)) == said
            assert as_float(format_double(value)) == value


def test_doubles_that_are_no_scores() -> None:
    assert format_double(-0.0) == b"-0"
    assert format_double(0.0) == b"0"
    assert format_double(math.nan) == b"nan"
    assert format_double(-math.inf) == b"-inf"


@given(TEXTS, TEXTS)
@example("1e4932", "1e4932")
@example("1.1897314953572317650857593266280070162e4932", "0")
@example("1.1897314953572317651e4932", "0")
@example("3.6e-4951", "1.8e-4951")
@example("0x1p-16445", "0x1p-16446")
@example("0x1.8p-16446", "0")
@example("0xffffffffffffffff8p16316", "0")
@example("0xffffffffffffffff7fp16312", "0")
@example("18446744073709551617", "1e-17")
@example("0.000000000000000005", "0.000000000000000015")
@example("inf", "-inf")
@example("nan", "1")
@example("1" * 4900, "0." + "1" * 4900)
@example("0" * 5118 + "1", "0" * 5119 + "1")
def test_long_doubles_add_as_incrbyfloat_adds(real: Real, current: str, increment: str) -> None:
    real("SET", "f", current)
    said = real("INCRBYFLOAT", "f", increment)

    def answer() -> bytes:
        total = add_long_doubles(parse_long_double(current.encode()), parse_long_double(increment.encode()))
        return bulk(format_long_double(total)) if total is not None else RedisError(NAN_OR_INFINITY).line()

    assert said == told(answer)


def test_long_double_infinities_are_known() -> None:
    value = as_long_double(b"-Infinity")
    assert value is not None
    assert value.infinite


@pytest.mark.parametrize(
    "text",
    ["", "1", "1b", "1k", "1KB", "1m", "1mb", "1g", "1gB", "1t", "1.5gb", "-1", " 1", "1 kb", "kb",
     "18446744073709551616", "20000000000gb"],
)
def test_memory_sizes_read_as_maxmemory_reads_them(real: Real, text: str) -> None:
    real("CONFIG", "SET", "maxmemory", "0")
    size = as_memory(text.encode())
    refused = real("CONFIG", "SET", "maxmemory", text).startswith(b"-")
    assert refused == (size is None)
    if size is not None:
        assert b"\r\n%d\r\n" % size in real("CONFIG", "GET", "maxmemory")
    real("CONFIG", "SET", "maxmemory", "0")


@pytest.mark.parametrize("size", [0, 1023, 1024, 1536, 1_500_000, 1 << 20, 1 << 30, 1 << 40, (1 << 50) + 1, 1 << 60, INT64_MAX])
def test_sizes_print_as_info_prints_them(size: int, real: Real) -> None:
    real("CONFIG", "SET", "maxmemory", size)
    assert f"maxmemory_human:{human_bytes(size)}\r\n".encode() in real("INFO", "memory")
    real("CONFIG", "SET", "maxmemory", "0")


def test_percent() -> None:
    assert percent(1, 8) == "12.50%"
    assert percent(1, 0) == "0.00%"
