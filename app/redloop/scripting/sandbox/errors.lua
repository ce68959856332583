-- Errors: where one belongs and how it reads, as if what we have written in Lua were functions in C.
--
-- The sources of our own chunks are in `OURS`; a frame of one of them is no place that a script is told.

local OURS = ...

local type, tostring, getinfo, byte, match = type, tostring, debug.getinfo, string.byte, string.match

-- What is known of a frame, whose `level` is as the caller counts; of the coroutine `co` if there is one.
local function info_at(level, co, what)
  if co then
    return getinfo(co, level, what)
  end
  return getinfo(level + 1, what)
end

-- The first frame from `level` on that is not ours, and its level.
local function frame(level, co)
  level = co and level or level + 1
  local skipped = false
  while true do
    local info = info_at(level, co, "Sl")
    if not info or not (OURS[info.source] or skipped and info.what == "tail") then
      return info, co and level or level - 1
    end
    level, skipped = level + 1, true
  end
end

-- The first frame from `level` on of a function that scripts call in place of one of Lua's own, and its level.
local function stand_in(level, co)
  level = co and level or level + 1
  while true do
    local info = info_at(level, co, "Sn")
    if not info or info.source == "=\1" then
      return info, co and level or level - 1
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
  local place, name, is_method = "", "?", false
  if mark == 1 then
    local info
    info, level = stand_in(co and level or level + 1, co)
    if info then
      name, is_method = info.name or "?", info.namewhat == "method"
    end
    place = position((frame(level, co)))
  end
  local number, rest = match(text, "^bad argument #(%d+) to '.-'(.*)$")
  if number then
    if is_method then
      number = number - 1
    end
    if number == 0 then
      text = "calling '" .. name .. "' on bad self" .. rest
    else
      text = "bad argument #" .. number .. " to '" .. name .. "'" .. rest
    end
  end
  return place .. text
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

return { seen = seen, trace = trace, on_error = on_error }
