-- What scripts call in place of functions of Lua's own: some would look past the protection, some would break Lua, some are not as in Redis.
--
-- Each is known by the name of what it stands for. Its errors belong to the line of its caller.

local real, shown, compile, environment, tampering, watch, seen, trace, bind, OURS = ...
local MOST_RESULTS, LONGEST_PATTERN, LONGEST_TEXT = 7998, 10000, 8 * 1024 * 1024
local concat, dump = table.concat, string.dump
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

for _, name in next, { "insert", "remove", "sort" } do
  local f = table[name]
  W[name] = function(t, ...)
    if t ~= nil and real[t] then
      refuse()
    end
    return f(t, ...)
  end
end

for _, name in next, { "find", "match", "gmatch", "gsub" } do
  local f = string[name]
  W[name] = function(s, p, ...)
    check_pattern(p)
    return f(s, p, ...)
  end
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
