"""That a failing library function finds the line it was called from, and that scripts may still loop by tail calls."""

from __future__ import annotations

from typing import Any

import pytest
from lupa.lua51 import LuaRuntime

from redloop.scripting.tail_calls import without_tail_calls

LIBRARY = b"lib = {}; function lib.fail() error('no', 2) end; function lib.one() return 1 end"


def run(source: bytes) -> Any:
    runtime = LuaRuntime(encoding=None)
    runtime.execute(LIBRARY)
    function = runtime.compile(source, name=b"@script")
    changed = without_tail_calls(runtime.eval(b"string.dump")(function))
    _, result = runtime.eval(b"pcall")(runtime.compile(changed))
    return result


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (b"return lib.fail()", 1),
        (b"local f = lib.fail\nreturn f()", 2),
        (b"local f = lib.fail\nlocal function g()\n return f()\nend\nlocal x = g()", 3),
        (b"local function g()\n return lib.fail()\nend\nreturn g()", 2),
        (b"local f = lib.fail\nlocal function g() local function h()\n return f()\n end return h() end return g()", 3),
        (b"local function g() local f = lib.fail\n return f(1, {2, lib.one()}, lib.one()) end return g()", 2),
        (b"local f = lib.fail\nlocal t = {}\nfunction t:go()\n return f()\nend\nlocal function g() return t:go() end return g()", 4),
    ],
)
def test_the_line_is_found(source: bytes, line: int) -> None:
    assert run(source) == b"script:%d: no" % line


@pytest.mark.parametrize(
    "source",
    [
        b"local function f(n) if n == 0 then return 7 end return f(n - 1) end return f(100000)",
        b"local f; f = function(n) if n == 0 then return 7 end return f(n - 1) end return f(100000)",
        b"local f, g; function f(n) if n == 0 then return 7 end return g(n) end function g(n) return f(n - 1) end return f(100000)",
        b"local function f(n, g) if n == 0 then return 7 end return g(n - 1, g) end return f(100000, f)",
        b"local function f(n) local function g() return f(n - 1) end if n == 0 then return 7 end return g() end return f(100000)",
    ],
)
def test_recursion_by_tail_calls_takes_no_stack(source: bytes) -> None:
    assert run(source) == 7


def test_all_results_pass() -> None:
    assert run(b"local f = unpack return (function() local t = {f({1, nil, 3}, 1, 3)} return #t end)()") == 3


def test_every_kind_of_constant_is_read_over() -> None:
    source = b"local t = {nil, true, 1.5, 'x'} local function f(...) return select('#', ...) end return f(nil, false, 2, [[y]], t[5])"
    assert run(source) == 5
