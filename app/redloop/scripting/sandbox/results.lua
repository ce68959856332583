-- Results: how what a script returns is handed to Python, as plain values without a table among them.

local has_metatable, rawget, type, next, tostring, unpack = debug.getmetatable, rawget, type, next, tostring, unpack

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
  pending = nil
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

-- What a script failed with.
local function failed(value)
  if type(value) ~= "table" then
    return true, "error", "ERR " .. tostring(value)
  end
  local line = rawget(value, "line")
  return true, "error", text_of(rawget(value, "err")), text_of(rawget(value, "source")), line and tostring(line),
    rawget(value, "ignore_error_stats_update") and true or false
end

return { given = given, failed = failed, fetch = fetch }
