"""Bits and fields are those of a string of zeros and ones, however long the string and whatever the range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.values import bits

LONG = [b"\x00" * 9, b"\xff" * 9, b"\x00" * 70000 + b"\x10", b"\xff" * 70000 + b"\xfb"]
STRINGS = st.one_of(st.binary(max_size=12), st.sampled_from(LONG))
PLACES = st.integers(-(1 << 65), 1 << 65) | st.integers(-120, 120)


def digits(string: bytes | bytearray) -> str:
    return "".join(f"{byte:08b}" for byte in string)


@given(st.binary(max_size=6), st.integers(0, 60))
def test_get_bit(string: bytes, at: int) -> None:
    assert bits.get_bit(string, at) == int((digits(string) + "0" * 80)[at])


@given(st.binary(max_size=6), st.integers(0, 60), st.integers(0, 1))
def test_set_bit(string: bytes, at: int, bit: int) -> None:
    target = bytearray(string)
    assert bits.grow(target, at + 1) == (len(string) * 8 <= at)
    before = digits(target)
    assert bits.set_bit(target, at, bit) == int(before[at])
    assert digits(target) == before[:at] + str(bit) + before[at + 1 :]


@given(STRINGS, PLACES, PLACES)
def test_count_and_find_in_a_range(string: bytes, start: int, end: int) -> None:
    first, last = bits.clip(start, end, len(string) * 8)
    text = digits(string)[first : last + 1] if first <= last else ""
    assert bits.count(string, first, last) == text.count("1")
    for bit in (0, 1):
        place = text.find(str(bit))
        assert bits.find(string, bit, first, last) == (place if place < 0 else first + place)


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=4))
def test_combine(sources: list[bytes]) -> None:
    size = max(len(source) for source in sources)
    padded = [source.ljust(size, b"\0") for source in sources]
    columns = list(zip(*padded, strict=True))

    def fold(step: str) -> bytes:
        out = []
        for column in columns:
            value = column[0]
            for byte in column[1:]:
                value = value & byte if step == "AND" else value | byte if step == "OR" else value ^ byte
            out.append(value)
        return bytes(out)

    for step in ("AND", "OR", "XOR"):
        assert bits.combine(step.encode(), list(sources)) == fold(step)
    assert bits.combine(b"NOT", [sources[0]]) == bytes(255 - byte for byte in sources[0])


@given(st.binary(max_size=12), st.integers(0, 100), st.integers(1, 64), st.booleans(), st.integers(-(1 << 64), 1 << 64))
def test_fields(string: bytes, at: int, width: int, signed: bool, value: int) -> None:
    text = (digits(string) + "0" * 200)[at : at + width]
    number = int(text, 2) - (1 << width if signed and text[0] == "1" else 0)
    assert bits.get_field(string, at, width, signed) == number
    target = bytearray(string)
    bits.grow(target, at + width)
    before = digits(target)
    bits.set_field(target, at, width, value)
    assert digits(target) == before[:at] + f"{value % (1 << width):0{width}b}" + before[at + width :]


@pytest.mark.parametrize(
    ("value", "width", "signed", "wrapped", "saturated"),
    [(255, 8, False, 255, 255), (256, 8, False, 0, 255), (-1, 8, False, 255, 0), (128, 8, True, -128, 127), (-129, 8, True, 127, -128)],
)
def test_fit(value: int, width: int, signed: bool, wrapped: int, saturated: int) -> None:
    assert bits.fit(value, width, signed, bits.WRAP) == wrapped
    assert bits.fit(value, width, signed, bits.SATURATE) == saturated
    assert bits.fit(value, width, signed, bits.FAIL) == (value if value == wrapped else None)
