"""The Lua libraries against what Python knows of the same formats; tests/compat compares them with Redis."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lupa.lua51 import LuaRuntime, lua_type

from redloop.scripting.libraries import NAMES, install
from redloop.scripting.tail_calls import without_tail_calls


def runtime() -> Any:
    lua = LuaRuntime(encoding=None, register_eval=False, register_builtins=False)
    install(lua)
    return lua


LUA = runtime()
CJSON, CMSGPACK, STRUCT, BIT = (LUA.globals()[name] for name in (b"cjson", b"cmsgpack", b"struct", b"bit"))

numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
trees = st.recursive(
    st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(texts, inner, min_size=1, max_size=4),
    max_leaves=12,
)


def plain(value: Any) -> Any:
    """A Lua value as Python has it: strings as text, tables with the keys 1 to n as lists."""
    if lua_type(value) == "table":
        pairs = {key: plain(item) for key, item in value.items()}
        if set(pairs) == set(range(1, len(pairs) + 1)):
            return [pairs[at] for at in range(1, len(pairs) + 1)]
        return {key.decode(): item for key, item in pairs.items()}
    return value.decode() if isinstance(value, bytes) else value


def test_each_library_is_a_table() -> None:
    assert all(lua_type(LUA.globals()[name.encode()]) == "table" for name in NAMES)


def test_no_library_holds_a_python_object() -> None:
    python = [
        f"{name}.{key.decode()}"
        for name in NAMES
        for key, value in LUA.globals()[name.encode()].items()
        if lua_type(value) is None and not isinstance(value, (bytes, int, float))
    ]
    assert python == []


@given(trees)
def test_json_is_read_as_python_reads_it(tree: Any) -> None:
    assert plain(CJSON[b"decode"](json.dumps(tree).encode())) == tree
    assert plain(CJSON[b"decode"](json.dumps(tree, ensure_ascii=False, indent=1).encode())) == tree


@given(trees)
def test_python_reads_the_json_that_is_written(tree: Any) -> None:
    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rounded(item) for key, item in value.items()}
        if isinstance(value, list):
            return [rounded(item) for item in value]
        return float(format(value, ".14g")) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    written = CJSON[b"encode"](CJSON[b"decode"](json.dumps(tree).encode()))
    assert rounded(json.loads(written)) == rounded(tree)


@given(st.binary())
def test_any_bytes_are_a_json_string(text: bytes) -> None:
    assert CJSON[b"decode"](CJSON[b"encode"](text)) == text


@given(trees)
def test_what_is_packed_is_unpacked(tree: Any) -> None:
    value = CJSON[b"decode"](json.dumps(tree).encode())
    assert plain(CMSGPACK[b"unpack"](CMSGPACK[b"pack"](value))) == tree


@given(st.floats() | st.integers(-(2**63), 2**63 - 1).map(float))
def test_a_number_is_packed_and_unpacked(number: float) -> None:
    back = CMSGPACK[b"unpack"](CMSGPACK[b"pack"](number))
    assert back == number or (math.isnan(back) and math.isnan(number))


@given(st.binary(max_size=40))
def test_any_bytes_are_unpacked_or_refused(data: bytes) -> None:
    ok, *_ = LUA.eval(b"function(f, data) return (pcall(f, data)), 0 end")(CMSGPACK[b"unpack"], data)
    assert ok in (True, False)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("letter", "python"), [("d", "d"), ("f", "f")])
@given(number=st.floats(width=64))
def test_floats_have_the_bytes_of_c(order: str, letter: str, python: str, number: float) -> None:
    try:
        wanted = struct.pack(order + python, number)
    except OverflowError:  # C makes that infinite
        wanted = struct.pack(order + python, math.copysign(math.inf, number))
    packed = STRUCT[b"pack"](f"{order}{letter}".encode(), number)
    if not math.isnan(number):
        assert packed == wanted
        assert STRUCT[b"unpack"](f"{order}{letter}".encode(), packed)[0] == struct.unpack(order + python, packed)[0]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("letter", "python"), [*((same, same) for same in "bBhHiI"), ("l", "q"), ("L", "Q")])
@given(data=st.data())
def test_integers_have_the_bytes_of_c(order: str, letter: str, python: str, data: st.DataObject) -> None:
    bits = struct.calcsize("<" + python) * 8
    low, high = (0, 2**bits - 1) if python.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    number = data.draw(st.integers(max(low, -(2**53)), min(high, 2**53)))
    packed = STRUCT[b"pack"](f"{order}{letter}".encode(), number)
    assert packed == struct.pack(order + python, number)
    assert STRUCT[b"unpack"](f"{order}{letter}".encode(), packed)[0] == number


def signed(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


@given(st.integers(-(2**50), 2**50), st.integers(-(2**50), 2**50), st.integers(0, 31))
def test_bits_are_those_of_python(a: int, b: int, by: int) -> None:
    low = a % 2**32
    assert BIT[b"tobit"](a) == signed(a)
    assert BIT[b"band"](a, b) == signed(a & b)
    assert BIT[b"bor"](a, b) == signed(a | b)
    assert BIT[b"bxor"](a, b) == signed(a ^ b)
    assert BIT[b"bnot"](a) == signed(~a)
    assert BIT[b"lshift"](a, by) == signed(a << by)
    assert BIT[b"rshift"](a, by) == signed(low >> by)
    assert BIT[b"arshift"](a, by) == signed(a) >> by
    assert BIT[b"rol"](a, by) == signed(low << by | low >> (32 - by))
    assert BIT[b"ror"](a, by) == signed(low >> by | low << (32 - by))
    assert BIT[b"bswap"](a) == signed(int.from_bytes(low.to_bytes(4, "little"), "big"))
    assert BIT[b"tohex"](a) == b"%08x" % low


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (b"return cjson.decode('x')", b"s:1: Expected value but found invalid token at character 1"),
        (b"local t = {\ncjson.encode(1, 2)}", b"s:2: bad argument #1 to 'encode' (expected 1 argument)"),
        (b"local f = bit.band return (f({}))", b"s:1: bad argument #1 to 'f' (number expected, got table)"),
        (b"local t = {f = struct.size} t:f()", b"s:1: calling 'f' on bad self (string expected, got table)"),
        (b"error(select(2, pcall(cmsgpack.unpack)), 0)", b"bad argument #1 to '?' (string expected, got no value)"),
    ],
)
def test_an_error_names_the_line_and_the_function_of_the_script(script: bytes, text: bytes) -> None:
    chunk = LUA.compile(without_tail_calls(LUA.eval(b"string.dump")(LUA.compile(script, name=b"=s"))))
    assert LUA.eval(b"function(f) return select(2, pcall(f)) end")(chunk) == text
