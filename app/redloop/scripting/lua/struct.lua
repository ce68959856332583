-- The library `struct`: numbers and strings in the layouts of C.
--
-- `read_option` reads a format one option at a time, for `pack`, `unpack` and `size` alike; `<`, `>` and `!` change the layout it is given.
-- Integers have 64 bits that count, however many bytes they take.

local arguments, binary = ...
local integer_bytes, read_integer, float_bytes, read_float = binary.integer_bytes, binary.read_integer, binary.float_bytes, binary.read_float
local public, argument, fail, to_number, to_string = arguments.public, arguments.argument, arguments.fail, arguments.number, arguments.string
local tonumber, select, unpack = tonumber, select, unpack
local concat, find, match, rep, reverse, sub = table.concat, string.find, string.match, string.rep, string.reverse, string.sub
local floor, ceil = math.floor, math.ceil

local LARGEST_INTEGER = 32  -- bytes
local WIDEST = 8  -- what `!` alone aligns to
local MOST = 2147483647
local MOST_RESULTS = 7995
local TWO_64 = 2 ^ 64

local SIZES = {b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1, s = 0}

-- The number that may follow an option, and where the next option is.
local function number_after(fmt, at, otherwise)
  local digits = match(fmt, "^[0-9]+", at)
  if not digits then
    return otherwise, at
  end
  if tonumber(digits) > MOST then
    fail("integral size overflow")
  end
  return tonumber(digits), at + #digits
end

-- One option: its letter (nil for what only changes the layout), its size, the padding before it, where the next is.
local function read_option(fmt, at, layout, position)
  local option = sub(fmt, at, at)
  local size = SIZES[option]
  at = at + 1
  if option == "c" then
    size, at = number_after(fmt, at, 1)
    return option, size, 0, at
  elseif option == "i" or option == "I" then
    size, at = number_after(fmt, at, 4)
    if size > LARGEST_INTEGER then
      fail("integral size %d is larger than limit of %d", size, LARGEST_INTEGER)
    end
  elseif option == ">" or option == "<" then
    layout.big = option == ">"
    return nil, 0, 0, at
  elseif option == "!" then
    size, at = number_after(fmt, at, WIDEST)
    local rest = size
    while rest > 1 and rest % 2 == 0 do
      rest = rest / 2
    end
    if rest ~= 1 then
      fail("alignment %d is not a power of 2", size)
    end
    layout.align = size
    return nil, 0, 0, at
  elseif option == " " then
    return nil, 0, 0, at
  elseif layout.measuring and not size and find(option, "%w") then
    return nil, 0, 0, at
  elseif not size then
    argument(1, "invalid format option '" .. option .. "'")
  end
  -- Sizes that are no power of 2 are aligned as a mask of their bits does it.
  local align = size < layout.align and size or layout.align
  local padding = 0
  if align > 1 then
    local place, from, wanted = 1, position, align - 1
    local taken = 0
    while place <= wanted do
      if wanted % (2 * place) >= place and from % (2 * place) >= place then
        taken = taken + place
      end
      place = place * 2
    end
    local short = align - taken
    place = 1
    while place <= wanted do
      if wanted % (2 * place) >= place and short % (2 * place) >= place then
        padding = padding + place
      end
      place = place * 2
    end
  end
  return option, size, padding, at
end

local function format_of(fmt, count)
  fmt = to_string(1, fmt, count)
  local ends = find(fmt, "%z")
  return ends and sub(fmt, 1, ends - 1) or fmt
end

local M = {}

M.pack = public(function(...)
  local values, count = {...}, select("#", ...)
  local fmt = format_of(values[1], count)
  local layout = {align = 1}
  local out, total, next_argument = {}, 0, 2
  -- The buffer is pushed behind the arguments: what is missing is nil, not nothing.
  count = MOST
  local at = 1
  while at <= #fmt do
    local option, size, padding
    option, size, padding, at = read_option(fmt, at, layout, total)
    if option then
      local piece
      if option == "x" then
        piece = "\0"
      else
        local value = values[next_argument]
        next_argument = next_argument + 1
        if option == "f" or option == "d" then
          piece = float_bytes(to_number(next_argument - 1, value, count), size)
          piece = layout.big and reverse(piece) or piece
        elseif option == "s" or option == "c" then
          piece = to_string(next_argument - 1, value, count)
          if option == "s" then
            piece = piece .. "\0"
          elseif size > 0 then
            if #piece < size then
              argument(next_argument, "string too short")
            end
            piece = sub(piece, 1, size)
          end
        else
          piece = integer_bytes(to_number(next_argument - 1, value, count), size)
          piece = layout.big and reverse(piece) or piece
        end
      end
      if padding > 0 then
        out[#out + 1] = rep("\0", padding)
      end
      out[#out + 1] = piece
      total = total + padding + #piece
    end
  end
  return (concat(out))
end)

M.unpack = public(function(...)
  local fmt, data, offset = ...
  local count = select("#", ...)
  fmt = format_of(fmt, count)
  data = to_string(2, data, count)
  local position = 0
  if offset ~= nil then
    offset = to_number(3, offset, count)
    position = (offset < 0 and ceil(offset) or floor(offset)) - 1
    if position == -1 then
      argument(3, "offset must be 1 or greater")
    end
  end
  local layout = {align = 1}
  local results, found = {}, 0
  local at, length = 1, #data
  while at <= #fmt do
    local option, size, padding
    option, size, padding, at = read_option(fmt, at, layout, position)
    position = position + padding
    if position < 0 or size > length or position > length - size then
      argument(2, "data string too short")
    end
    if found > MOST_RESULTS then
      fail("stack overflow (too many results)")
    end
    if option == "s" then
      local ends = find(data, "%z", position + 1)
      if not ends then
        fail("unfinished string in data")
      end
      found = found + 1
      results[found] = sub(data, position + 1, ends - 1)
      size = ends - position
    elseif option == "c" then
      if size == 0 then
        size = found > 0 and tonumber(results[found])
        if not size then
          fail("format 'c0' needs a previous size")
        end
        size = size >= TWO_64 and 0 or size < 0 and ceil(size) or floor(size)
        found = found - 1
        if not (size >= 0) or size > length or position > length - size then
          argument(2, "data string too short")
        end
      end
      found = found + 1
      results[found] = sub(data, position + 1, position + size)
    elseif option and option ~= "x" then
      local text = sub(data, position + 1, position + size)
      text = layout.big and reverse(text) or text
      found = found + 1
      if option == "f" or option == "d" then
        results[found] = read_float(text, size)
      else
        results[found] = read_integer(text, size, option ~= "I" and option ~= "T" and find(option, "%l") ~= nil)
      end
    end
    position = position + size
  end
  results[found + 1] = position + 1
  return unpack(results, 1, found + 1)
end)

M.size = public(function(...)
  local fmt = format_of((...), select("#", ...))
  local layout = {align = 1, measuring = true}  -- which passes over letters it does not know
  local total, at = 0, 1
  while at <= #fmt do
    local option, size, padding
    option, size, padding, at = read_option(fmt, at, layout, total)
    if option == "s" then
      argument(1, "option 's' has no fixed size")
    elseif option == "c" and size == 0 then
      argument(1, "option 'c0' has no fixed size")
    end
    total = total + padding + size
  end
  return total
end)

return M
