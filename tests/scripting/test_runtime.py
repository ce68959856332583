"""A Lua runtime without a server: what scripts may hold, how deep they may go, what passes between them and Python."""

from __future__ import annotations

import pytest

from redloop.resp.replies import BigNumber, Members, Pairs, Simple, Verbatim
from redloop.scripting.libraries import install
from redloop.scripting.runtime import CompileError, Runtime, ScriptError, Wrong

MB = 1024 * 1024


class Lua:
    """A runtime, and scripts by their text."""

    def __init__(self, memory: int = 32 * MB) -> None:
        self.called: list[tuple[object, ...]] = []
        self.answer: object = b"value"
        self.runtime = Runtime(self.call, libraries=(install,), memory=memory)
        functions = {b"echo": self.echo, b"fail": self.fail, b"break_": self.break_}
        self.runtime.library(b"redis", functions, {b"NUMBER": 7}, self.runtime.redis_calls())

    def call(self, *args: object) -> object:
        self.called.append(args)
        return self.answer

    def echo(self, *args: object) -> object:
        return args[0] if args else None

    def fail(self, *args: object) -> object:
        raise Wrong(b"ERR no")

    def break_(self, *args: object) -> object:
        raise ZeroDivisionError

    def run(self, script: str, *rest: bytes, keys: int = 0) -> object:
        return self.runtime.run(self.runtime.compile(script.encode(), b"@user_script"), keys, list(rest))

    def error(self, script: str) -> str:
        with pytest.raises(ScriptError) as caught:
            self.run(script)
        return caught.value.text


@pytest.fixture(scope="module")
def lua() -> Lua:
    return Lua()


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        ("return 1", 1),
        ("return 3.99", 3),
        ("return -3.99", -3),
        ("return 0/0", -(1 << 63)),
        ("return 1e300", -(1 << 63)),
        ("return 'x'", b"x"),
        ("return nil", None),
        ("return true", 1),
        ("return false", None),
        ("return {}", []),
        ("return {1, 2.5, 'x'}", [1, 2, b"x"]),
        ("return {1, {2, {true}}, false, 'x'}", [1, [2, [1]], None, b"x"]),
        ("return function() end", None),
    ],
)
def test_what_scripts_return(lua: Lua, script: str, reply: object) -> None:
    assert lua.run(script) == reply


def test_replies_that_python_has_no_type_for(lua: Lua) -> None:
    replies = lua.run(
        "return {{ok='a'}, {double=1.5}, {map={k='v'}}, {set={m=true}}, {big_number='12'}, {verbatim_string={string='s', format='md '}}}"
    )
    assert isinstance(replies, list)
    status, double, mapping, members, number, text = replies
    assert isinstance(status, Simple)
    assert status.text == b"a"
    assert double == 1.5
    assert isinstance(mapping, Pairs)
    assert mapping.flat == [b"k", b"v"]
    assert isinstance(members, Members)
    assert members.items == [b"m"]
    assert isinstance(number, BigNumber)
    assert number.text == b"12"
    assert isinstance(text, Verbatim)
    assert (text.text, text.kind) == (b"s", b"md ")


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 5000, 20000])
def test_any_number_of_keys_and_arguments(lua: Lua, count: int) -> None:
    rest = [b"%d" % number for number in range(count)]
    keys = count // 3
    assert lua.run("return {#KEYS, #ARGV, KEYS[#KEYS] or '', ARGV[#ARGV] or ''}", *rest, keys=keys) == [
        keys,
        count - keys,
        rest[keys - 1] if keys else b"",
        rest[-1] if count else b"",
    ]


@pytest.mark.parametrize("count", [1, 3999, 4000, 4001, 12345])
@pytest.mark.parametrize("item", ["i", "{i}"])
def test_arrays_of_any_length(lua: Lua, count: int, item: str) -> None:
    reply = lua.run(f"local t = {{}} for i = 1, {count} do t[i] = {item} end return t")
    assert reply == [number if item == "i" else [number] for number in range(1, count + 1)]


def test_what_python_gives(lua: Lua) -> None:
    lua.called.clear()
    assert lua.run("return redis.call('GET', 'k', 1, 1.5, -2)") == b"value"
    assert lua.called == [(b"GET", b"k", 1, 1.5, -2)]
    lua.answer = (True, 1, b"OK")
    assert lua.run("return redis.call('SET').ok") == b"OK"
    lua.answer = (True, 2, b"a", 1, b"c")
    assert lua.run("local t = redis.call('LRANGE') return {#t, t[3]}") == [3, b"c"]
    lua.answer = (True, 0, b"WRONGTYPE no")
    assert lua.error("redis.call('GET')") == "WRONGTYPE no"
    assert lua.run("return type(redis.pcall('GET'))") == b"table"
    lua.answer = b"value"


def test_functions_of_pythons(lua: Lua) -> None:
    assert lua.run("return {redis.echo('x'), redis.echo(5), redis.NUMBER, tostring(redis.echo(true)), tostring(redis.echo())}") == [
        b"x", 5, 7, b"true", b"nil",
    ]  # fmt: skip
    assert lua.error("redis.fail()") == "ERR no"
    assert lua.run("return {pcall(redis.fail)}") == [None, b"ERR no"]


def test_a_bug_in_python_is_told_of_in_the_log_only(lua: Lua, caplog: pytest.LogCaptureFixture) -> None:
    assert lua.error("redis.break_()") == "ERR internal error, see the server's log"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("script", "line", "text"),
    [
        ("error('x')", "1", "ERR user_script:1: x"),
        ("\n\nlocal a = nil + 1", "3", "ERR user_script:3: attempt to perform arithmetic on a nil value"),
        ("local function f()\n  return redis.fail()\nend\nlocal x = f()", "2", "ERR no"),
        ("\nreturn string.rep()", "2", "ERR user_script:2: bad argument #1 to 'rep' (string expected, got no value)"),
        ("\nreturn ('x'):find({})", "2", "ERR user_script:2: bad argument #1 to 'find' (string expected, got table)"),
        ("\nlocal insert = table.insert\ninsert(nil, 1)", "3", "ERR user_script:3: bad argument #1 to 'insert' (table expected, got nil)"),
    ],
)
def test_errors_name_the_line(lua: Lua, script: str, line: str, text: str) -> None:
    with pytest.raises(ScriptError) as caught:
        lua.run(script)
    assert (caught.value.text, caught.value.source, caught.value.line) == (text, "@user_script", line)


def test_a_table_in_itself_ends_somewhere(lua: Lua) -> None:
    reply = lua.run("local t = {} t[1] = t return t")
    for _ in range(150):
        assert isinstance(reply, list)
        reply = reply[0]


def test_what_is_no_program(lua: Lua) -> None:
    with pytest.raises(CompileError, match="user_script:1: unexpected symbol near '<eof>'"):
        lua.run("if")


@pytest.mark.parametrize("parameters", [6, 50, 190])
def test_no_function_may_have_what_5_1_puts_beyond_its_stack(lua: Lua, parameters: int) -> None:
    names = ", ".join([f"a{number}" for number in range(parameters)])
    with pytest.raises(CompileError, match="too many parameters"):
        lua.run(f"local function f({names}, ...) return a1 end return f()")
    assert lua.run(f"local function f({names}) return a1 end return f(1, 2)") == 2


# --- limits ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        "local t = {} while true do t[#t + 1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "return string.rep('x', 1e9)",
        "local t = {} for i = 1, 1e9 do t[i] = 'x' .. i end",
        "local t = {} while true do t = {t, redis.call('GET')} end",
        "local t = {} while true do t[#t + 1] = redis.sha or loadstring('return ' .. #t) end",
        "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
        "local s = string.rep('x', 1000) while true do s = table.concat({s, s, s}) end",
    ],
)
def test_no_script_takes_more_than_its_memory(script: str) -> None:
    lua = Lua(memory=8 * MB)
    before = lua.runtime.memory_used()
    assert "not enough memory" in lua.error(script)
    assert lua.runtime.memory_used() <= before + 9 * MB
    assert lua.run("return #string.rep('x', 1e6)") == 1000000


def test_a_reply_that_does_not_fit_is_refused_before_lua_is_given_it() -> None:
    lua = Lua(memory=16 * MB)
    big = b"x" * (2 * MB)
    lua.runtime.library(b"big", {b"get": lambda *args: big}, {})
    script = "local t, n = {}, 0 while true do local ok, e = pcall(big.get) if not ok then return {n, e} end n = n + 1 t[n] = e .. n end"
    reply = lua.run(script)
    assert isinstance(reply, list)
    assert 0 < reply[0] < 8
    assert reply[1] == b"not enough memory"


def test_at_the_brim_calls_still_come_back() -> None:
    """Lua's memory is full to the last bytes when Python is called, with all kinds of arguments."""
    lua = Lua(memory=8 * MB)
    script = """
        local t = {}
        local empty, call, echo, fail, pcall = {}, redis.call, redis.echo, redis.fail, pcall
        pcall(function() while true do t[#t + 1] = 'x' .. #t end end)
        for i = 1, 300 do
          pcall(call, empty, t, pcall, i)
          pcall(echo, 'x', t)
          pcall(fail)
        end
    """
    for _ in range(5):
        assert lua.error(script + "error('end')").endswith(("end", "not enough memory"))
    assert lua.run("return redis.call('GET')") == b"value"


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("local function f() return 1 + f() end return f()", "stack overflow"),
        ("local function f() return pcall(f) end f() return error('C')", "C"),
        ("local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x", "loop in gettable"),
        ("return loadstring(string.rep('(', 100000))()", "attempt to call a nil value"),
        ("local function f(n) return coroutine.wrap(f)(n + 1) end return f(1)", "C stack overflow"),
        ("return string.find(string.rep('x', 50000), string.rep('x?', 50000))", "pattern too complex"),
    ],
)
def test_depth_is_survived(lua: Lua, script: str, text: str) -> None:
    assert text in lua.error(script)
    assert lua.run("return 1") == 1


def test_the_collector_runs_again_after_a_script_that_stopped_it(lua: Lua) -> None:
    lua.run("collectgarbage('stop')")
    assert lua.run("local n = 0 for i = 1, 2e6 do local t = {i} n = n + 1 end return n") == 2000000


# --- the clock ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() end) end",
        "local co = coroutine.wrap(function() while true do end end) co()",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "while true do redis.pcall('GET') end",
        "while true do load(function() while true do end end) end",
        "local f = loadstring('while true do end', '=\\1') f()",
        "while true do pcall(loadstring('while true do end', '=cjson')) end",
        "table.sort({3, 2, 1, 5}, function(a, b) while true do end end)",
        "string.gsub('xxx', 'x', function() while true do end end)",
    ],
)
def test_whatever_a_script_does_it_can_be_killed(script: str) -> None:
    ticks: list[object] = []

    def tick(asked: object = None) -> object:
        ticks.append(asked)
        if asked:
            return (True, 4, b"ERR killed")
        return True if len(ticks) > 3 else None

    runtime = Runtime(tick=tick, libraries=(install,))
    runtime.library(b"redis", {}, {}, runtime.redis_calls())
    with pytest.raises(ScriptError, match="killed"):
        runtime.run(runtime.compile(script.encode(), b"@user_script"), 0, [])
    ticks.clear()
    assert runtime.run(runtime.compile(b"return 1", b"@user_script"), 0, []) == 1
