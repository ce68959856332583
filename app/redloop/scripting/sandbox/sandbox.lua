-- The sandbox: what a script finds, and what stands between it and us. Loaded once per runtime, before any script.
--
-- Plain Lua 5.1 has no read-only tables, so what Redis protects stands behind empty tables (`protect`) that read through and refuse to be
-- written; the functions that look past metatables (next, pairs, rawset, table.insert ...) know them. A script reaches nothing from
-- here but what is put into `globals`.
--
-- Python never raises an error into Lua, and no Python object comes here but the functions given to this chunk, which stay inside
-- closures: a call of Python answers with plain values, or with `true`, a kind and what belongs to it (`finish`).
--
-- Chunk names tell our frames from a script's: in "=\1" are the functions scripts call in place of Lua's own, whose errors belong to the line
-- of their caller; in "=\2" is what only stands in between. The libraries name themselves (`OURS`).

local tick, mend, call_redis, call_host, make_errors, make_stand_ins, make_results = ...

local debug, string, table, math, coroutine = debug, string, table, math, coroutine
local xpcall, error, type, select, unpack, next, tostring, loadstring, setmetatable, setfenv, collectgarbage =
  xpcall, error, type, select, unpack, next, tostring, loadstring, setmetatable, setfenv, collectgarbage
local getinfo, sethook = debug.getinfo, debug.sethook
local byte, find, dump = string.byte, string.find, string.dump

local READONLY = "Attempt to modify a readonly table"
local NO_MEMORY = "not enough memory"
local COUNT = 100000 -- instructions between two looks at the clock
local OURS = { ["=\1"] = true, ["=\2"] = true, ["=arguments"] = true, ["=binary"] = true, ["=bit"] = true, ["=cjson"] = true,
  ["=cmsgpack"] = true, ["=struct"] = true }

local errors, results = make_errors(OURS), make_results()
local seen, trace, on_error, given, failed = errors.seen, errors.trace, errors.on_error, results.given, results.failed

-- A Python object that should ever get into a script's hands can do nothing and tells nothing.
local meta = debug.getmetatable(tick)
local invoke = meta.__call
meta.__index, meta.__newindex, meta.__call, meta.__tostring = nil, nil, nil, nil
meta.__metatable = false

-- --- read-only tables -----------------------------------------------------------------------------------------------------------

local real = {} -- what stands behind each protected table
local shown = {} -- the metatable a script is shown for one

local function refuse()
  error(READONLY, 2)
end

local function protect(t, visible)
  local front = setmetatable({}, { __index = t, __newindex = refuse })
  real[front] = t
  shown[front] = visible
  return front
end

local function missing(_, name)
  if type(name) ~= "string" and type(name) ~= "number" then
    error("Second argument to luaProtectedTableError must be a string or number", 2)
  end
  error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
end

-- --- compiling ------------------------------------------------------------------------------------------------------------------

local function refuse_memory()
  error(NO_MEMORY, 0)
end

-- Only text is taken. The collector rests: the parser holds names where it does not see them. `mend` makes of the compiled code what is
-- safe, and keeps the frames that errors are told by.
local function compile(code, name, environment)
  name = name or code
  if OURS[name] then
    name = "=?"
  end
  if byte(code) == 27 then
    code = " " .. code
  end
  collectgarbage("stop")
  local f, e = loadstring(code, name)
  collectgarbage("restart")
  if not f then
    return nil, e
  end
  local mended = invoke(mend, dump(f))
  if mended == false then
    refuse_memory()
  elseif mended == true then
    return nil, "too many parameters before '...'"
  end
  f = loadstring(mended, name)
  return setfenv(f, environment)
end

-- --- calls of Python ------------------------------------------------------------------------------------------------------------

local ERROR, STATUS, ITEMS, VALUE, WRONG = 0, 1, 2, 3, 4 -- and anything else: there is no memory for it

-- An answer of Python's: a value, or `true`, the kind and the rest.
local function made(kind, value, ...)
  if kind == STATUS then
    return { ok = value }
  elseif kind == ITEMS then
    return { value, ... }
  elseif kind == VALUE then
    return value
  elseif kind == ERROR then
    return { err = value, ignore_error_stats_update = true }
  elseif kind == WRONG then
    return { err = value }
  end
  refuse_memory()
end

local function finish(first, kind, ...)
  if first ~= true then
    return first
  elseif kind == ERROR or kind == WRONG then
    error(made(kind, ...))
  end
  return made(kind, ...)
end

local function finish_protected(first, ...)
  if first ~= true then
    return first
  end
  return made(...)
end

-- A function of Python's for scripts, by its number.
local function host(number)
  return function(...)
    return finish(invoke(call_host, number, ...))
  end
end

-- --- the hook -------------------------------------------------------------------------------------------------------------------

local dying = false

local function die()
  if not OURS[getinfo(2, "S").source] then
    error(finish_protected(invoke(tick, true)), 0)
  end
end

-- Called every so many instructions. A script that is to die is told so at every line from then on, so that it cannot catch it for good.
local function look()
  if invoke(tick) then
    dying = true
    sethook(die, "l")
    error(finish_protected(invoke(tick, true)), 0)
  end
end

local function watch()
  sethook(look, "", COUNT)
end

-- --- what scripts call in place of Lua's own ------------------------------------------------------------------------------------

local tampered = false

local function tampering()
  tampered = true
end

-- Calls `f` with these arguments, leaving no frame that an error would be told by.
local bind = assert(loadstring([[
local unpack = ...
return function(f, count, ...)
  local arguments = { ... }
  return function()
    return f(unpack(arguments, 1, count))
  end
end
]], "=\2"))(unpack)

local globals = {}
local environment = protect(globals)
local front = debug.getmetatable(environment)
local stand_ins = make_stand_ins(real, shown, compile, environment, tampering, watch, seen, trace, bind, OURS)

-- --- the globals ----------------------------------------------------------------------------------------------------------------

local function choose(from, names)
  local chosen = {}
  for name in string.gmatch(names, "%w+") do
    chosen[name] = stand_ins[name] or from[name]
  end
  return chosen
end

globals._G = environment
globals._VERSION = _VERSION
globals.__redis__err__handler = on_error
for name, f in next, choose(_G, "assert collectgarbage error gcinfo getmetatable ipairs load loadstring next pairs pcall rawequal rawget "
  .. "rawset select setmetatable tonumber tostring type unpack xpcall") do
  globals[name] = f
end

local methods = choose(string, "byte char dump find format gfind gmatch gsub len lower match rep reverse sub upper")
methods.gfind = methods.gmatch
globals.string = protect(methods)
globals.table = protect(choose(table, "concat foreach foreachi getn insert maxn remove setn sort"))
globals.math = protect(choose(math, "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min mod modf "
  .. "pi pow rad random randomseed sin sinh sqrt tan tanh"))
globals.coroutine = protect(choose(coroutine, "create resume running status wrap yield"))
globals.os = protect({ clock = os.clock })

debug.getmetatable("").__index = methods
shown.string = protect({ __index = globals.string })
setmetatable(globals, { __index = missing })
shown[environment] = protect({ __index = missing })

-- --- running --------------------------------------------------------------------------------------------------------------------

local function ended(ok, value)
  if dying then
    dying = false
    watch()
  end
  if tampered then
    tampered = false
    collectgarbage("restart")
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 200)
  end
  if ok then
    return given(value)
  end
  return failed(value)
end

local function split(count, ...)
  local total = select("#", ...)
  if count == total then
    return { ... }, {}
  elseif count == 0 then
    return {}, { ... }
  elseif count == 1 then
    return { (...) }, { select(2, ...) }
  end
  local all = { ... }
  return { unpack(all, 1, count) }, { unpack(all, count + 1, total) }
end

-- The keys and arguments are globals, or what the function is called with.
local function run_with(f, called, keys, arguments)
  if called then
    f = bind(f, 2, keys, arguments)
  else
    globals.KEYS, globals.ARGV = keys, arguments
  end
  return ended(xpcall(f, on_error))
end

local function run(f, called, count, ...)
  return run_with(f, called, split(count, ...))
end

-- What Python puts among the globals: values, functions of its own by their numbers, and a table made here.
local function library(name, values, functions, also)
  local t = also or {}
  for key, value in next, values do
    t[key] = value
  end
  for key, number in next, functions do
    t[key] = host(number)
  end
  globals[name] = protect(t)
end

local function one_text(...)
  if select("#", ...) == 1 and type((...)) == "string" then
    return (...)
  end
end

-- What a library of functions sees while it is loaded stands in place of the globals.
local staged

local function set_stage(values, functions)
  local t = setmetatable({}, { __index = missing })
  for key, value in next, values do
    t[key] = value
  end
  for key, number in next, functions do
    t[key] = host(number)
  end
  staged = setmetatable({ redis = protect(t) }, { __index = missing })
end

local function stage(on)
  front.__index = on and staged or globals
  real[environment] = front.__index
end

local function redis_calls()
  return {
    error_reply = function(...)
      local text = one_text(...)
      if not text then
        return { err = "ERR wrong number or type of arguments" }
      end
      if byte(text) == 45 then
        text = string.sub(text, 2)
      end
      if not find(text, " ", 1, true) then
        text = "ERR " .. text
      end
      return { err = text }
    end,
    status_reply = function(...)
      local text = one_text(...)
      if not text then
        return { err = "ERR wrong number or type of arguments" }
      end
      return { ok = text }
    end,
    call = function(...)
      return finish(invoke(call_redis, ...))
    end,
    pcall = function(...)
      return finish_protected(invoke(call_redis, ...))
    end,
  }
end

for _, name in ipairs({ "bit", "cjson", "cmsgpack", "struct" }) do
  local t = rawget(_G, name)
  if t then
    globals[name] = protect(t)
  end
end

-- What lupa looks up outside of any protection: `debug` must be no table, and the names must exist by then.
local kept = { "debug", "POBJECT", "Py_None", "PYREFST" }
_G.debug, _G.python, _G.io, _G.package, _G.require = false, nil, nil, nil, nil
watch()

return {
  compile = function(code, name)
    return compile(code, name, environment)
  end,
  run = run, run_with = run_with, fetch = results.fetch, library = library, redis_calls = redis_calls,
  stage = stage, set_stage = set_stage, protect = protect, globals = globals, kept = kept,
}
