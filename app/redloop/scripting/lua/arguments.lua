-- Arguments and errors of library functions, as those of C functions are checked and told.
--
-- `public(f)` marks a function that scripts call. Whatever fails below it, however deep, is told as of that function: with the line of its
-- caller, and with the name it was called by. So a public function never ends in a tail call.

local error, type, tonumber, tostring, getinfo, format = error, type, tonumber, tostring, debug.getinfo, string.format

local is_public = setmetatable({}, {__mode = "k"})

local M = {}

function M.public(f)
  is_public[f] = true
  return f
end

local function public_level()
  local level = 2
  while true do
    local info = getinfo(level, "f")
    if not info then
      return 2
    end
    if is_public[info.func] then
      return level - 1  -- as the caller of this function counts
    end
    level = level + 1
  end
end

-- An error without more: luaL_error.
function M.fail(text, ...)
  local level = public_level()
  error(select("#", ...) == 0 and text or format(text, ...), level + 1)
end

-- An argument that will not do: luaL_argerror.
local function argument(number, text)
  local level = public_level()
  local info = getinfo(level, "n")
  local name = info.name or "?"
  if info.namewhat == "method" then
    number = number - 1
    if number == 0 then
      error(format("calling '%s' on bad self (%s)", name, text), level + 1)
    end
  end
  error(format("bad argument #%d to '%s' (%s)", number, name, text), level + 1)
end
M.argument = argument

-- An argument of the wrong type: luaL_typerror. `count` is how many there were.
local function wrong_type(number, expected, value, count)
  argument(number, format("%s expected, got %s", expected, number > count and "no value" or type(value)))
end
M.wrong_type = wrong_type

function M.number(number, value, count)
  local found = type(value) == "number" and value or type(value) == "string" and tonumber(value)
  if not found then
    wrong_type(number, "number", value, count)
  end
  return found
end

function M.string(number, value, count)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif kind == "number" then
    return tostring(value)
  end
  wrong_type(number, "string", value, count)
end

return M
