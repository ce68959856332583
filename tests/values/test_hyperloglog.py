"""HyperLogLogs: both encodings hold the same registers, and the estimate is near."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.errors import RedisError
from redloop.values import hyperloglog

LIMIT = 3000
changes = st.lists(st.tuples(st.integers(0, hyperloglog.REGISTERS - 1), st.integers(1, 51)), max_size=60)


@given(changes, st.sampled_from([0, 40, 200, LIMIT]))
def test_both_encodings_hold_the_same(raised: list[tuple[int, int]], limit: int) -> None:
    wanted = bytearray(hyperloglog.REGISTERS)
    string, dense = hyperloglog.create(), hyperloglog.create()
    hyperloglog.to_dense(dense)
    for index, value in raised:
        more = value > wanted[index]
        assert hyperloglog.raise_register(string, index, value, limit) == more
        assert hyperloglog.raise_register(dense, index, value, limit) == more
        wanted[index] = max(wanted[index], value)
    assert hyperloglog.registers(string) == hyperloglog.registers(dense) == wanted
    assert hyperloglog.is_valid(string)
    assert string[4] == hyperloglog.DENSE or len(string) <= max(limit, 18)


@given(changes, changes)
def test_merging_is_adding_both(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    together, left, right = hyperloglog.create(), hyperloglog.create(), hyperloglog.create()
    for target, raised in ((left, one), (right, other), (together, one + other)):
        for index, value in raised:
            hyperloglog.raise_register(target, index, value, LIMIT)
    hyperloglog.raise_all(left, hyperloglog.registers(right), LIMIT)
    assert hyperloglog.registers(left) == hyperloglog.registers(together)


@pytest.mark.parametrize("count", [0, 1, 10, 100, 1000, 10000])
def test_the_estimate_is_near(count: int) -> None:
    string = hyperloglog.create()
    for number in range(count):
        hyperloglog.add(string, b"element %d" % number, LIMIT)
    assert abs(hyperloglog.estimate(hyperloglog.registers(string)) - count) <= count * 0.03


def test_runs_of_the_same_value_join() -> None:
    string = hyperloglog.create()
    for index in (1, 0, 2, 3, 4):
        hyperloglog.raise_register(string, index, 7, LIMIT)
    assert hyperloglog.runs(string) == b"v:7,4 v:7,1 Z:16379"


@pytest.mark.parametrize("registers", [b"", b"\x00", b"\x7f", b"\x7f\xfe", b"\x7f\xff\x00"])
def test_registers_that_are_too_few_or_too_many(registers: bytes) -> None:
    with pytest.raises(RedisError):
        hyperloglog.registers(hyperloglog.create()[: hyperloglog.HEADER] + registers)


def test_the_kept_count() -> None:
    string = hyperloglog.create()
    assert hyperloglog.last_count(string) == -1
    hyperloglog.keep_count(string, 1234567)
    assert hyperloglog.last_count(string) == 1234567
    hyperloglog.outdate(string)
    assert hyperloglog.last_count(string) == -1
