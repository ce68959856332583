"""What scripts try in order to get out of the sandbox, into Python, at each other's tables, past the ends of Lua's memory: all in vain.

Beside each script stands what it gets: an error, or something harmless. None of it may raise, and none may end the process.
"""

from __future__ import annotations

import re

import pytest

from redloop.errors import RedisError
from redloop.scripting.scripts import Scripts
from tests.engine.house import House

READONLY = "Attempt to modify a readonly table"
PLACE = re.compile(r" script: [0-9a-f]{40}, on .*$")


def missing(name: str) -> str:
    return f"ERR user_script:1: Script attempted to access nonexistent global variable '{name}'"


ATTEMPTS: list[tuple[str, object]] = [
    ("return debug", missing("debug")),
    ("return python", missing("python")),
    ("return io", missing("io")),
    ("return package", missing("package")),
    ("return require", missing("require")),
    ("return module", missing("module")),
    ("return dofile", missing("dofile")),
    ("return loadfile", missing("loadfile")),
    ("return print", missing("print")),
    ("return getfenv", missing("getfenv")),
    ("return setfenv", missing("setfenv")),
    ("return newproxy", missing("newproxy")),
    ("return os.execute", None),
    ("return os.exit", None),
    ("return os.getenv", None),
    ("return io.open", missing("io")),
    ("return rawget(_G,'debug')", None),
    ("return rawget(_G,'python')", None),
    ("return rawget(_G,'_LOADED')", None),
    ("return _G._G._G.python", missing("python")),
    ("return getmetatable('').__index.python", None),
    ("return getmetatable(redis.call)", None),
    ("return getmetatable(_G).__index == nil", None),
    ("getmetatable(_G).__index = nil return python", f"ERR user_script:1: {READONLY}"),
    ("getmetatable('').__index = function() end", f"ERR user_script:1: {READONLY}"),
    ("getmetatable('').__add = function() return 1 end", f"ERR user_script:1: {READONLY}"),
    ("rawset(getmetatable(''),'__index',nil)", f"ERR {READONLY}"),
    ("setmetatable(_G,nil)", f"ERR {READONLY}"),
    ("setmetatable(_G,{__index=function() return 1 end}) return x", f"ERR {READONLY}"),
    ("setmetatable(string,{})", f"ERR {READONLY}"),
    ("rawset(_G,'x',1)", f"ERR {READONLY}"),
    ("rawset(string,'format',nil)", f"ERR {READONLY}"),
    ("string.format = nil", f"ERR user_script:1: {READONLY}"),
    ("redis.call = function() return 'evil' end", f"ERR user_script:1: {READONLY}"),
    ("redis = {}", f"ERR user_script:1: {READONLY}"),
    ("KEYS = nil", f"ERR user_script:1: {READONLY}"),
    ("_G = {}", f"ERR user_script:1: {READONLY}"),
    ("_G.x = 1", f"ERR user_script:1: {READONLY}"),
    ("for k in pairs(_G) do _G[k] = nil end", f"ERR user_script:1: {READONLY}"),
    ("table.insert(redis,1,'x')", f"ERR {READONLY}"),
    ("table.insert(_G,'x')", f"ERR {READONLY}"),
    ("table.remove(redis)", f"ERR {READONLY}"),
    ("table.sort(string)", f"ERR {READONLY}"),
    ("string.sub = nil", f"ERR user_script:1: {READONLY}"),
    ("math.pi = 3", f"ERR user_script:1: {READONLY}"),
    ("cjson.decode = nil", f"ERR user_script:1: {READONLY}"),
    ("bit.band = nil", f"ERR user_script:1: {READONLY}"),
    ("local t = {} for k,v in pairs(string) do t[k]=v end t.format = 5 return string.format('%d',1)", b"1"),
    ("local f,t,k = pairs(string) rawset(t,'format',nil)", f"ERR {READONLY}"),
    ("local f,t,k = pairs(_G) return f(t,nil) ~= nil and rawset(t,'x',1)", f"ERR {READONLY}"),
    ("return load(string.dump(function() return 1 end))", "ERR user_script:1: bad argument #1 to 'load' (function expected, got string)"),
    ("return loadstring(string.dump(function() return 1 end))", None),
    (r"return loadstring('\27Lua')", None),
    (r"return load(function() return '\27Lua' end)", None),
    ("return loadstring(string.dump(loadstring('return 1')))", None),
    ("return string.dump(redis.call)", "ERR user_script:1: unable to dump given function"),
    ("return string.dump(pcall)", "ERR user_script:1: unable to dump given function"),
    (
        "return loadstring('return python')()",
        'ERR [string "return python"]:1: Script attempted to access nonexistent global variable \'python\'',
    ),
    ("return load(function() return nil end)", None),
    (
        "return loadstring('debug.sethook()')()",
        'ERR [string "debug.sethook()"]:1: Script attempted to access nonexistent global variable \'debug\'',
    ),
    ("return redis.call(redis.call)", "ERR Lua redis lib command arguments must be strings or integers"),
    ("return redis.call({})", "ERR Lua redis lib command arguments must be strings or integers"),
    ("return redis.call(coroutine.create(function() end))", "ERR Lua redis lib command arguments must be strings or integers"),
    ("return redis.call(function() end)", "ERR Lua redis lib command arguments must be strings or integers"),
    (
        "return redis.pcall(setmetatable({},{__tostring=function() return 'ping' end}))",
        "ERR Lua redis lib command arguments must be strings or integers",
    ),
    ("return redis.sha1hex(redis.call)", b"da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("return redis.sha1hex({__class__=1})", b"da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("return redis.log(redis.LOG_WARNING, redis.call)", None),
    ("return redis.call.__class__", "ERR user_script:1: attempt to index field 'call' (a function value)"),
    ("return redis.call.__self__", "ERR user_script:1: attempt to index field 'call' (a function value)"),
    ("return redis.sha1hex.__globals__", "ERR user_script:1: attempt to index field 'sha1hex' (a function value)"),
    ("return pcall(function() return redis.call.__class__ end)", None),
    ("return tostring(redis.call):match('^function:') ~= nil", 1),
    ("return tostring(redis.sha1hex):match('^function:') ~= nil", 1),
    ("return type(redis.call)", b"function"),
    ("local ok,e = pcall(redis.call) return type(e)", b"string"),
    ("local ok,e = pcall(redis.call,'nosuch') return type(e)", b"string"),
    ("local ok,e = xpcall(function() redis.call('nosuch') end, function(e) return e end) return type(e.err)", b"string"),
    ("local ok,e = pcall(redis.sha1hex) return type(e)", b"string"),
    ("local ok,e = pcall(redis.log) return type(e)", b"string"),
    ("local e = select(2, coroutine.resume(coroutine.create(function() redis.call('nosuch') end))) return type(e)", b"table"),
    ("local e = select(2, coroutine.resume(coroutine.create(function() redis.setresp(9) end))) return type(e)", b"table"),
    ("local ok,e = pcall(coroutine.wrap(function() redis.call('nosuch') end)) return type(e)", b"string"),
    ("local _,e = load(function() redis.call('nosuch') end) return type(e)", b"table"),
    ("local _,e = load(function() return {} end) return e", b"reader function must return a string"),
    ("local ok,e = pcall(__redis__err__handler, redis.call) return type(e)", b"table"),
    ("return __redis__err__handler(5).err", b"ERR 5"),
    ("local s = 0 for k,v in pairs(redis) do if type(v)=='userdata' then s=s+1 end end return s", 0),
    (
        ("local seen = {} local found = 0 local function walk(t) if seen[t] then return end seen[t]=true for k,v in "
        "pairs(t) do if type(v)=='userdata' and tostring(v)~='userdata: (nil)' then found=found+1 elseif "
        "type(v)=='table' then walk(v) end local m = getmetatable(v) if type(m)=='table' then walk(m) end end end "
        "walk(_G) return found"),
        0,
    ),
    ("return getmetatable(cjson.null)", None),
    ("return cjson.null.x", "ERR user_script:1: attempt to index field 'null' (a userdata value)"),
    ("cjson.null.x = 1", "ERR user_script:1: attempt to index field 'null' (a userdata value)"),
    ("return pcall(unpack,{},1,2^31-1)", None),
    ("return pcall(unpack,{},-2147483648,2147483647)", None),
    ("return pcall(unpack,{},-1e9,1e9)", None),
    ("return pcall(unpack,{},0,2^31)", None),
    ("return pcall(string.rep,'x',2^40)", 1),
    ("return pcall(string.rep,'x',-2^40)", 1),
    ("return pcall(string.format,'%9999999999d',1)", None),
    ("return pcall(string.find,('x'):rep(30000),('x?'):rep(30000))", None),
    ("return pcall(string.gsub,'x',('('):rep(40000),'')", None),
    ("return pcall(string.match,'x',('.-'):rep(100000))", None),
    ("return pcall(string.gmatch,'x',('.-'):rep(100000))", None),
    ("return pcall(loadstring,('('):rep(100000))", 1),
    ("return loadstring('return '..('('):rep(250)..'1'..(')'):rep(250))", None),
    ("return loadstring('local a='..('{'):rep(300)..('}'):rep(300))", None),
    ("return pcall(loadstring('local '..('a,'):rep(250)..'b'))", None),
    ("local function f(...) return select('#',...) end return pcall(f,unpack({},1,7990))", 1),
    (
        ("local function f(a1,a2,a3,a4,a5,a6,a7,a8,a9,b1,b2,b3,b4,b5,b6,b7,b8,b9,...) return ... end local function "
        "g(n) if n==0 then return f() end return (g(n-1)) end g(5000) return 'fine'"),
        "ERR Error compiling script (new function): too many parameters before '...'",
    ),
    ("local co co = coroutine.wrap(function() return co() end) return pcall(co)", None),
    ("local function f() return coroutine.wrap(f)() end return pcall(f)", None),
    ("local co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co) return coroutine.resume(co, co)", 1),
    ("coroutine.yield(1)", "ERR attempt to yield across metamethod/C-call boundary"),
    ("return pcall(coroutine.yield,1)", None),
    ("local t = setmetatable({},{__index=function(t,k) return t[k] end}) return pcall(function() return t.x end)", None),
    (
        ("local t = setmetatable({},{__gc=function() redis.call('set','gc','1') end}) t=nil collectgarbage() return "
        "redis.call('get','gc')"),
        None,
    ),
    ("local t = setmetatable({},{__mode='k'}) t[redis]=1 collectgarbage() return redis.REDIS_VERSION", b"8.0.2"),
    ("collectgarbage('stop') collectgarbage('setpause',1e6) return 'fine'", b"fine"),
    ("return math.randomseed({})", "ERR user_script:1: bad argument #1 to 'randomseed' (number expected, got table)"),
    ("return pcall(table.concat,{},'x',1,2^30)", None),
    ("return pcall(table.concat,setmetatable({},{__index=function() return 'x' end}),'',1,10)", None),
    ("return pcall(next,{},'nosuch')", None),
    ("return pcall(next,redis,'nosuch')", None),
    ("return pcall(ipairs)", None),
    ("return pcall(setmetatable,{},redis)", 1),
    ("return getmetatable(setmetatable({},{__metatable='locked'}))", b"locked"),
    ("return pcall(setmetatable,setmetatable({},{__metatable=1}),{})", None),
    ("return {pcall(error,setmetatable({},{__tostring=function() return 'x' end}))}", [None, []]),
    ("error(setmetatable({},{__index=function() error('again') end}))", "ERR unknown error"),
    ("error(setmetatable({},{__tostring=function() error('again') end}))", "ERR unknown error"),
    ("error({err={}})", "ERR unknown error"),
    ("error({})", "ERR unknown error"),
    ("error()", "ERR nil"),
    ("error({err=5,line={},source={}})", "5"),
    ("return setmetatable({},{__index=function() error('reading') end})", []),
    ("return {err=setmetatable({},{})}", []),
    ("xpcall(error, error)", None),
    ("return xpcall(function() error('a') end, function() error('b') end)", None),
    ("return select(-1,1,2,3)", 3),
    ("return pcall(select,-5,1)", None),
    ("local a = {} a[a]=a a.a=a return #a", 0),
    ("return tostring(coroutine.running())", b"nil"),
    ("return ('x'):rep(10, 'y')", b"xxxxxxxxxx"),
    (r"return loadstring('while true do end','=\1') ~= nil", 1),
    ("return tostring(loadstring('return 1','=cjson'))~=nil", 1),
    ("return #string.format('%s',('x'):rep(100000))", 100000),
    (r'''return string.format('%q','\0\r\n"')''', b'"\\000\\r\\\n\\""'),
    ("return redis.acl_check_cmd(setmetatable({},{}))", "ERR Lua redis lib command arguments must be strings or integers"),
    ("return redis.set_repl(2^40)", "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."),
    ("return redis.setresp(0/0)", "ERR RESP version must be 2 or 3."),
    ("return redis.log(0/0,'x')", "ERR Invalid log level."),
    ("return redis.set_repl(1/0)", "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."),
    ("return redis.log(1e300,'x')", "ERR Invalid log level."),
    ("return redis.breakpoint(redis)", None),
]


@pytest.fixture(scope="module")
def house() -> House:
    house = House()
    house.server.scripts = Scripts(house.server)
    return house


@pytest.mark.parametrize(("script", "outcome"), ATTEMPTS)
def test_nothing_gets_out(house: House, script: str, outcome: object) -> None:
    client = house.visit().client
    command = house.server.find_command([b"eval"])
    assert command is not None
    reply = client.call(command, [b"eval", script.encode("latin-1"), b"0"])
    assert (PLACE.sub("", reply.text) if isinstance(reply, RedisError) else reply) == outcome


def test_one_script_leaves_nothing_for_the_next(house: House) -> None:
    """Whatever the attempts above did, the tables of the sandbox are as they were."""
    client = house.visit().client
    command = house.server.find_command([b"eval"])
    assert command is not None
    script = b"return {string.format('%d', 7), redis.REDIS_VERSION, math.floor(math.pi), #redis, rawget(_G, 'x') == nil and 1 or 0}"
    assert client.call(command, [b"eval", script, b"0"]) == [b"7", b"8.0.2", 3, 0, 1]
