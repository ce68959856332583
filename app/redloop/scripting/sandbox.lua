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

local tick, mend, call_redis, call_host = ...

local python, debug, string, table, math, coroutine = python, debug, string, table, math, coroutine
local xpcall, error, type, select, unpack, next, tostring, loadstring, setmetatable, setfenv, collectgarbage =
  xpcall, error, type, select, unpack, next, tostring, loadstring, setmetatable, setfenv, collectgarbage
local getinfo, sethook, has_metatable = debug.getinfo, debug.sethook, debug.getmetatable
local byte, find, match, dump, concat = string.byte, string.find, string.match, string.dump, table.concat

local READONLY = "Attempt to modify a readonly table"
local NO_MEMORY = "not enough memory"
local COUNT = 100000 -- instructions between two looks at the clock
local OURS = { ["=\1"] = true, ["=\2"] = true, ["=arguments"] = true, ["=binary"] = true, ["=bit"] = true, ["=cjson"] = true,
  ["=cmsgpack"] = true, ["=struct"] = true }

-- A Python object that should ever get into a script's hands can do nothing and tells nothing.
local meta = debug.getmetatable(tick)
local invoke = meta.__call
meta.__index, meta.__newindex, meta.__call, meta.__tostring = nil, nil, nil, nil
meta.__metatable = false

-- --- errors ---------------------------------------------------------------------------------------------------------------------

-- The first frame that is not ours, from `level` on as the caller counts; of the coroutine `co` if there is one.
local function frame(level, co)
  level = co and level or level + 1
  local skipped = false
  while true do
    local info
    if co then
      info = getinfo(co, level, "Sl")
    else
      info = getinfo(level, "Sl")
    end
    if not info or not (OURS[info.source] or skipped and info.what == "tail") then
      return info, co and level or level - 1
    end
    level, skipped = level + 1, true
  end
end

-- How the script called the function of ours that stands at `level` or above.
local function called(level, co)
  level = co and level or level + 1
  while true do
    local info
    if co then
      info = getinfo(co, level, "Sn")
    else
      info = getinfo(level, "Sn")
    end
    if not info then
      return "?"
    elseif info.source == "=\1" then
      return info.name or "?", info.namewhat == "method"
    end
    level = level + 1
  end
end

local function position(info)
  if info and info.currentline > 0 then
    return info.short_src .. ":" .. info.currentline .. ": "
  end
  return ""
end

-- An error as those see it who catch it: what a C function of ours says below one of our functions is said of that one.
local function seen(e, level, co)
  if type(e) ~= "string" then
    return e
  end
  local mark = byte(e)
  if mark ~= 1 and mark ~= 2 then
    return e
  end
  local text = match(e, "^[\1\2]:%d+: (.*)$")
  if not text then
    return e
  end
  level = co and level or level + 1
  local number, rest = match(text, "^bad argument #(%d+) to '.-'(.*)$")
  if number then
    local name, is_method = "?", false
    if mark == 1 then
      name, is_method = called(level, co)
    end
    if is_method then
      number = number - 1
    end
    if number == 0 then
      text = "calling '" .. name .. "' on bad self" .. rest
    else
      text = "bad argument #" .. number .. " to '" .. name .. "'" .. rest
    end
  end
  if mark == 2 then
    return text
  end
  while true do
    local info
    if co then
      info = getinfo(co, level, "S")
    else
      info = getinfo(level, "S")
    end
    if not info or info.source == "=\1" then
      return position((frame(level, co))) .. text
    end
    level = level + 1
  end
end

local function trace(e)
  return seen(e, 2)
end

-- The last to catch: a table with the text, and where it was. Scripts know it as __redis__err__handler.
local function on_error(e)
  local info, level = frame(2)
  if info and info.what == "C" then
    info = frame(level + 1)
  end
  e = seen(e, 2)
  if type(e) ~= "table" then
    e = { err = "ERR " .. tostring(e) }
  end
  if info then
    e.source, e.line = info.source, info.currentline
  end
  return e
end

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

local ERROR, STATUS, ITEMS, VALUE, WRONG, NOTHING_LEFT, PLAIN = 0, 1, 2, 3, 4, 5, 6

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

local wrapper_source = [==[
local real, shown, compile, environment, tampering, watch, seen, trace, bind, OURS = ...
local MOST_RESULTS, LONGEST_PATTERN, LONGEST_TEXT = 7998, 10000, 8 * 1024 * 1024
local insert, remove, sort, concat, find, match, gmatch, gsub, dump = table.insert, table.remove, table.sort, table.concat,
  string.find, string.match, string.gmatch, string.gsub, string.dump
local create, wrap, resume, getinfo = coroutine.create, coroutine.wrap, coroutine.resume, debug.getinfo
local floor, lua_random, lua_randomseed = math.floor, math.random, math.randomseed
local loadstring, load, next, pairs, rawget, rawset, getmetatable, setmetatable, unpack, collectgarbage, xpcall, select, tonumber, type, error =
  loadstring, load, next, pairs, rawget, rawset, getmetatable, setmetatable, unpack, collectgarbage, xpcall, select, tonumber, type, error

local function refuse()
  error("Attempt to modify a readonly table", 0)
end

local function next_behind(t, k)
  return next(real[t], k)
end

-- The matcher calls itself for each item of a pattern, and knows no end to it.
local function check_pattern(p)
  if type(p) == "string" and #p > LONGEST_PATTERN then
    error("pattern too complex", 3)
  end
end

-- A coroutine has a hook of its own.
local function body(f)
  return function(...)
    watch()
    return f(...)
  end
end

local function is_lua(f)
  return type(f) == "function" and getinfo(f, "S").what ~= "C"
end

local function resumed(co, ok, e, ...)
  if not ok then
    return ok, seen(e, 0, co)
  end
  return ok, e, ...
end

local W = {}

function W.next(t, ...)
  if t ~= nil and real[t] then
    return next(real[t], ...)
  end
  return next(t, ...)
end

function W.pairs(t, ...)
  if t ~= nil and real[t] then
    return next_behind, t, nil
  end
  return pairs(t, ...)
end

function W.rawget(t, ...)
  if t ~= nil and real[t] then
    t = real[t]
  end
  return rawget(t, ...)
end

function W.rawset(t, ...)
  if t ~= nil and real[t] then
    refuse()
  end
  return rawset(t, ...)
end

function W.getmetatable(t, ...)
  if t ~= nil and real[t] then
    return shown[t]
  elseif type(t) == "string" then
    return shown.string
  end
  return getmetatable(t, ...)
end

function W.setmetatable(t, ...)
  if t ~= nil and real[t] then
    refuse()
  end
  return setmetatable(t, ...)
end

function W.unpack(t, i, j, ...)
  if j ~= nil or i ~= nil then
    local first, last = tonumber(i or 1), tonumber(j or (type(t) == "table" and #t))
    if first and last and last - first >= MOST_RESULTS then
      error("too many results to unpack", 2)
    end
  end
  return unpack(t, i, j, ...)
end

function W.collectgarbage(option, ...)
  if option ~= nil and option ~= "count" and option ~= "collect" then
    tampering()
  end
  return collectgarbage(option, ...)
end

function W.insert(t, ...)
  if t ~= nil and real[t] then
    refuse()
  end
  return insert(t, ...)
end

function W.remove(t, ...)
  if t ~= nil and real[t] then
    refuse()
  end
  return remove(t, ...)
end

function W.sort(t, ...)
  if t ~= nil and real[t] then
    refuse()
  end
  return sort(t, ...)
end

function W.find(s, p, ...)
  check_pattern(p)
  return find(s, p, ...)
end

function W.match(s, p, ...)
  check_pattern(p)
  return match(s, p, ...)
end

function W.gmatch(s, p, ...)
  check_pattern(p)
  return gmatch(s, p, ...)
end

function W.gsub(s, p, ...)
  check_pattern(p)
  return gsub(s, p, ...)
end

-- Of ours as little is shown as of C functions.
function W.dump(f, ...)
  if type(f) == "function" and OURS[getinfo(f, "S").source] then
    f = dump
  end
  return dump(f, ...)
end

function W.create(f, ...)
  if is_lua(f) then
    f = body(f)
  end
  return create(f, ...)
end

function W.wrap(f, ...)
  if is_lua(f) then
    f = body(f)
  end
  return wrap(f, ...)
end

function W.resume(co, ...)
  return resumed(co, resume(co, ...))
end

function W.loadstring(code, name, ...)
  if type(code) == "number" then
    code = code .. ""
  end
  if type(code) ~= "string" or (name ~= nil and type(name) ~= "string") then
    return loadstring(code, name, ...)
  end
  return compile(code, name, environment)
end

-- All pieces are taken first, so that nothing of the script runs while the parser does.
function W.load(f, name, ...)
  if type(f) ~= "function" or (name ~= nil and type(name) ~= "string") then
    return load(f, name, ...)
  end
  local pieces, size = {}, 0
  while size < LONGEST_TEXT and #pieces < LONGEST_TEXT / 16 do
    local ok, piece = xpcall(f, trace)
    if not ok then
      return nil, piece
    elseif piece == nil or piece == "" then
      break
    elseif type(piece) ~= "string" and type(piece) ~= "number" then
      return nil, "reader function must return a string"
    end
    pieces[#pieces + 1], size = piece, size + #(piece .. "")
  end
  return compile(concat(pieces), name or "=(load)", environment)
end

function W.xpcall(...)
  if select("#", ...) < 2 then
    return xpcall(...)
  end
  local f, handler = ...
  return xpcall(f, function(e)
    return handler(seen(e, 2))
  end)
end

-- Redis's pcall gives the text of an error in place of the table that holds it.
local function settled(ok, e, ...)
  if not ok and type(e) == "table" then
    local text = rawget(e, "err")
    if type(text) == "string" or type(text) == "number" then
      return ok, text
    end
  end
  return ok, e, ...
end

function W.pcall(...)
  local count = select("#", ...)
  if count == 0 then
    return false, "attempt to call a boolean value"
  elseif count == 1 then
    return settled(xpcall((...), trace))
  end
  return settled(xpcall(bind((...), count - 1, select(2, ...)), trace))
end

-- The numbers of drand48(3), from where it starts by itself.
local high, low = 0x1234AB, 0xCD330E

local function step()
  local product = low * 0xECE66D + 11
  local carry = floor(product / 16777216)
  high, low = (high * 0xECE66D + low * 0x5DE + carry) % 16777216, product % 16777216
  return (high * 128 + floor(low / 131072)) % 2147483647 / 2147483647
end

function W.randomseed(...)
  lua_randomseed(...)
  local seed = floor(tonumber((...))) % 4294967296
  high, low = floor(seed / 256), seed % 256 * 65536 + 0x330E
end

function W.random(...)
  local part, count = step(), select("#", ...)
  if count == 0 then
    return part
  end
  lua_random(...)
  local first, last = ...
  first = floor(tonumber(first))
  if count == 1 then
    return floor(part * first) + 1
  end
  return floor(part * (floor(tonumber(last)) - first + 1)) + first
end

return W
]==]

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
local wrappers = assert(loadstring(wrapper_source, "=\1"))(real, shown, compile, environment, tampering, watch, seen, trace, bind, OURS)

-- --- the globals ----------------------------------------------------------------------------------------------------------------

local function choose(from, names)
  local chosen = {}
  for name in string.gmatch(names, "%w+") do
    chosen[name] = wrappers[name] or from[name]
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

local CHUNK = 4000
local DEEPEST = 200
local pending -- what of a reply is still to be fetched

-- The fields that make a table something else than an array; what a metatable says is not asked.
local function fields(t)
  if has_metatable(t) then
    return rawget(t, "err"), rawget(t, "ok"), rawget(t, "double"), rawget(t, "map"), rawget(t, "set"), rawget(t, "big_number"),
      rawget(t, "verbatim_string")
  end
  return t.err, t.ok, t.double, t.map, t.set, t.big_number, t.verbatim_string
end

-- A reply as a row of plain values: each is a letter and what belongs to it; behind the count of a collection come its items.
local function flatten(value, out, n, depth)
  local kind = type(value)
  if kind == "string" then
    out[n + 1], out[n + 2] = "s", value
    return n + 2
  elseif kind == "number" then
    out[n + 1], out[n + 2] = "i", value
    return n + 2
  elseif kind == "boolean" then
    out[n + 1] = value and "t" or "f"
    return n + 1
  elseif kind ~= "table" then
    out[n + 1] = "n"
    return n + 1
  end
  if depth > DEEPEST then
    out[n + 1], out[n + 2] = "e", "ERR reached lua stack limit"
    return n + 2
  end
  local err, ok, double, map, set, big_number, verbatim = fields(value)
  if type(err) == "string" then
    out[n + 1], out[n + 2] = "e", err
    return n + 2
  elseif type(ok) == "string" then
    out[n + 1], out[n + 2] = "+", ok
    return n + 2
  elseif type(double) == "number" then
    out[n + 1], out[n + 2] = "d", double
    return n + 2
  elseif type(map) == "table" then
    local at, count = n + 2, 0
    n = at
    for k, v in next, map do
      n = flatten(v, out, flatten(k, out, n, depth + 1), depth + 1)
      count = count + 1
    end
    out[at - 1], out[at] = "%", count
    return n
  elseif type(set) == "table" then
    local at, count = n + 2, 0
    n = at
    for k in next, set do
      n = flatten(k, out, n, depth + 1)
      count = count + 1
    end
    out[at - 1], out[at] = "~", count
    return n
  elseif type(big_number) == "string" then
    out[n + 1], out[n + 2] = "(", big_number
    return n + 2
  elseif type(verbatim) == "table" then
    local text, form = rawget(verbatim, "string"), rawget(verbatim, "format")
    if type(text) == "string" and type(form) == "string" then
      out[n + 1], out[n + 2], out[n + 3] = "=", form, text
      return n + 3
    end
  end
  local at, count = n + 2, 0
  n = at
  while true do
    local item = rawget(value, count + 1)
    if item == nil then
      break
    end
    count = count + 1
    n = flatten(item, out, n, depth + 1)
  end
  out[at - 1], out[at] = "*", count
  return n
end

-- How many items an array of nothing but strings and numbers has; nil if it is something else.
local function plain_items(t)
  if has_metatable(t) or t.ok or t.err or t.double or t.map or t.set or t.big_number or t.verbatim_string then
    return nil
  end
  local count = 0
  while count < CHUNK do
    local kind = type(t[count + 1])
    if kind ~= "string" and kind ~= "number" then
      return kind == "nil" and count or nil
    end
    count = count + 1
  end
end

-- What Python gets of a result: a plain value as it is; else `true`, a kind and what belongs to it.
local function given(value)
  local kind = type(value)
  if kind == "boolean" then
    return true, "items", value and "t" or "f"
  elseif kind ~= "table" then
    if kind == "function" or kind == "thread" or kind == "userdata" then
      return nil
    end
    return value
  end
  local n = plain_items(value)
  if n then
    return true, "plain", unpack(value, 1, n)
  end
  if type(rawget(value, "err")) == "string" then
    return true, "error", rawget(value, "err"), nil, nil, rawget(value, "ignore_error_stats_update") and true or false
  end
  local out = {}
  n = flatten(value, out, 0, 0)
  if n <= CHUNK then
    return true, "items", unpack(out, 1, n)
  end
  pending = out
  return true, "many", n
end

local function fetch(first, last)
  return unpack(pending, first, last)
end

local function text_of(value)
  local kind = type(value)
  return (kind == "string" or kind == "number") and value .. "" or nil
end

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
  pending = nil
  if ok then
    return given(value)
  elseif type(value) ~= "table" then
    return true, "error", "ERR " .. tostring(value)
  end
  local line = rawget(value, "line")
  return true, "error", text_of(rawget(value, "err")), text_of(rawget(value, "source")), line and tostring(line),
    rawget(value, "ignore_error_stats_update") and true or false
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
  run = run, run_with = run_with, fetch = fetch, library = library, redis_calls = redis_calls,
  stage = stage, set_stage = set_stage, protect = protect, globals = globals, kept = kept,
}
