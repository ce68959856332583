"""Strings in their three shapes are one string; the longest common subsequence is the one that the plain table gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.errors import WRONGTYPE, RedisError
from redloop.values import strings

FEW_LETTERS = st.text("abc", max_size=14).map(str.encode)


@pytest.mark.parametrize("value", [b"12345", 12345, bytearray(b"12345")])
def test_shapes(value: object) -> None:
    assert strings.text(value) == b"12345"
    assert strings.view(value) == b"12345"
    assert strings.size(value) == 5
    assert strings.part(value, -3, -2) == b"34"
    assert strings.editable(value) == bytearray(b"12345")


def test_nothing_is_empty_and_other_types_are_wrong() -> None:
    assert strings.text(None) == b""
    assert strings.size(None) == 0
    assert strings.editable(None) == bytearray()
    for function in (strings.text, strings.view, strings.size, strings.editable):
        with pytest.raises(RedisError, match=WRONGTYPE):
            function([])


def test_only_an_edited_string_is_edited_in_place() -> None:
    edited = bytearray(b"ab")
    assert strings.editable(edited) is edited
    strings.overwrite(edited, 4, b"xy")
    assert edited == b"ab\0\0xy"
    strings.overwrite(edited, 1, b"ZZ")
    assert edited == b"aZZ\0xy"


def table_walk(left: bytes, right: bytes) -> tuple[int, list[strings.Run]]:
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            table[i][j] = table[i - 1][j - 1] + 1 if left[i - 1] == right[j - 1] else max(table[i - 1][j], table[i][j - 1])
    i, j, run = len(left), len(right), 0
    runs: list[strings.Run] = []
    while i and j:
        if left[i - 1] == right[j - 1]:
            i, j, run = i - 1, j - 1, run + 1
            continue
        if run:
            runs.append((i, j, run))
            run = 0
        if table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return table[len(left)][len(right)], runs + ([(i, j, run)] if run else [])


@given(FEW_LETTERS, FEW_LETTERS)
def test_longest_common_subsequence(left: bytes, right: bytes) -> None:
    assert (strings.common_size(left, right), strings.common_runs(left, right)) == table_walk(left, right)
