-- The library `cmsgpack`: MessagePack, in the dialect of the C library of that name.
--
-- A whole number is packed as the shortest integer, another as four bytes if they hold it, else as eight. A table is an array if its keys
-- are 1 to n without a gap. What lies deeper than 16 tables, and what is no data, becomes nil. There are no binary or extension types.

local arguments, binary = ...
local float_bytes, read_float, is_single = binary.float_bytes, binary.read_float, binary.is_single
local public, argument, fail, to_number, to_string = arguments.public, arguments.argument, arguments.fail, arguments.number, arguments.string
local error, next, select, type, unpack = error, next, select, type, unpack
local byte, char, concat, reverse, sub = string.byte, string.char, table.concat, string.reverse, string.sub
local floor, ceil = math.floor, math.ceil

local DEEPEST = 16  -- tables packed within one another
local STACK = 7999  -- what a C function may keep on its stack: results, and two for each table that is open
local TWO_63 = 2 ^ 63

local CODES = {}  -- what is one byte
for code = 0, 255 do
  CODES[code] = char(code)
end

-- A head and two or four bytes of a whole number that they hold; of eight if it is one of 64 bits.
local function two_bytes(head, value)
  value = value % 65536
  local low = value % 256
  return char(head, (value - low) / 256, low)
end

local function four_bytes(head, value)
  value = value % 4294967296
  return char(head, floor(value / 16777216), floor(value / 65536) % 256, floor(value / 256) % 256, value % 256)
end

local function eight_bytes(head, value)
  local low = value % 4294967296
  return four_bytes(head, (value - low) / 4294967296) .. sub(four_bytes(0, low), 2)
end

local function pack_number(value)
  if value % 1 ~= 0 or value < -TWO_63 or value >= TWO_63 then
    if is_single(value) then
      return "\202" .. reverse(float_bytes(value, 4))
    end
    return "\203" .. reverse(float_bytes(value, 8))
  elseif value >= 0 then
    if value <= 127 then
      return CODES[value]
    elseif value <= 255 then
      return char(204, value)
    elseif value <= 65535 then
      local low = value % 256
      return char(205, (value - low) / 256, low)
    elseif value <= 4294967295 then
      return four_bytes(206, value)
    end
    return eight_bytes(207, value)
  elseif value >= -32 then
    return CODES[256 + value]
  elseif value >= -128 then
    return char(208, 256 + value)
  elseif value >= -32768 then
    return two_bytes(209, value)
  elseif value >= -2147483648 then
    return four_bytes(210, value)
  end
  return eight_bytes(211, value)
end

local function string_header(length)
  if length < 32 then
    return CODES[160 + length]
  elseif length <= 255 then
    return char(217, length)
  elseif length <= 65535 then
    return two_bytes(218, length)
  end
  return four_bytes(219, length)
end

-- The head of an array or a map; `short`, `two` and `four` are its three kinds.
local function table_header(count, short, two, four)
  if count <= 15 then
    return CODES[short + count]
  elseif count <= 65535 then
    return two_bytes(two, count)
  end
  return four_bytes(four, count)
end

-- How many pairs a table has, and whether they are an array.
local function measure(value)
  local count = 0
  for key in next, value do
    if key ~= count + 1 then
      count = nil
      break
    end
    count = key
  end
  if count then
    return count, true
  end
  local most, is_array = 0, true
  count = 0
  for key in next, value do
    count = count + 1
    if type(key) ~= "number" or key <= 0 or key ~= floor(key) then
      is_array = false
    elseif key > most then
      most = key
    end
  end
  return count, is_array and most == count
end

-- The value is written behind the `n` pieces of `out`; how many there are then.
local function pack_value(out, n, value, depth)
  local kind = type(value)
  if kind == "string" then
    out[n + 1], out[n + 2] = string_header(#value), value
    return n + 2
  elseif kind == "number" then
    out[n + 1] = pack_number(value)
  elseif kind == "boolean" then
    out[n + 1] = value and "\195" or "\194"
  elseif kind == "table" and depth < DEEPEST then
    local count, is_array = measure(value)
    n = n + 1
    if is_array then
      out[n] = table_header(count, 144, 220, 221)
      for at = 1, count do
        n = pack_value(out, n, value[at], depth + 1)
      end
    else
      out[n] = table_header(count, 128, 222, 223)
      for key, item in next, value do
        n = pack_value(out, pack_value(out, n, key, depth + 1), item, depth + 1)
      end
    end
    return n
  else
    out[n + 1] = "\192"
  end
  return n + 1
end

local function missing()
  fail("Missing bytes in input.")
end

local function unsigned(data, at, size)
  if at + size - 1 > #data then
    missing()
  end
  local first, second, third, fourth = byte(data, at, at + size - 1)
  if size == 1 then
    return first
  elseif size == 2 then
    return first * 256 + second
  end
  return ((first * 256 + second) * 256 + third) * 256 + fourth
end

-- Eight bytes are signed either way.
local function integer(data, at, size, is_signed)
  if size == 8 then
    local high, low = unsigned(data, at, 4), unsigned(data, at + 4, 4)
    return (high >= 2147483648 and high - 4294967296 or high) * 4294967296 + low
  end
  local value = unsigned(data, at, size)
  local beyond = 256 ^ size
  return is_signed and value >= beyond / 2 and value - beyond or value
end

local function text(data, at, length)
  if at + length - 1 > #data then
    missing()
  end
  return sub(data, at, at + length - 1), at + length
end

local INTEGERS = {[204] = 1, [205] = 2, [206] = 4, [207] = 8, [208] = 1, [209] = 2, [210] = 4, [211] = 8}
local FLOATS = {[202] = 4, [203] = 8}
local STRINGS = {[217] = 1, [218] = 2, [219] = 4}
local ARRAYS = {[220] = 2, [221] = 4}
local MAPS = {[222] = 2, [223] = 4}

local unpack_value

local function unpack_array(data, at, count, used)
  if used >= STACK - 1 then
    fail("stack overflow (in function mp_decode_to_lua_array)")
  end
  local result = {}
  for place = 1, count do
    result[place], at = unpack_value(data, at, used + 2)
  end
  return result, at
end

local function unpack_map(data, at, count, used)
  local result, key, value = {}
  for _ = 1, count do
    key, at = unpack_value(data, at, used + 1)
    value, at = unpack_value(data, at, used + 2)
    if key == nil then
      error("table index is nil", 0)
    elseif key ~= key then
      error("table index is NaN", 0)
    end
    result[key] = value
  end
  return result, at
end

-- The value that starts at this byte, and where the next one does.
function unpack_value(data, at, used)
  if used >= STACK then
    fail("stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)")
  end
  local head = byte(data, at)
  if not head then
    missing()
  end
  at = at + 1
  if head < 128 then
    return head, at
  elseif head >= 224 then
    return head - 256, at
  elseif head < 144 then
    return unpack_map(data, at, head - 128, used)
  elseif head < 160 then
    return unpack_array(data, at, head - 144, used)
  elseif head < 192 then
    local stop = at + head - 160
    if stop > #data + 1 then
      missing()
    end
    return sub(data, at, stop - 1), stop
  elseif head == 192 then
    return nil, at
  elseif head == 194 or head == 195 then
    return head == 195, at
  end
  local size = INTEGERS[head]
  if size then
    return integer(data, at, size, head >= 208), at + size
  end
  size = FLOATS[head]
  if size then
    return read_float(reverse((text(data, at, size))), size), at + size
  end
  size = STRINGS[head]
  if size then
    return text(data, at + size, unsigned(data, at, size))
  end
  size = ARRAYS[head]
  if size then
    return unpack_array(data, at + size, unsigned(data, at, size), used)
  end
  size = MAPS[head]
  if size then
    return unpack_map(data, at + size, unsigned(data, at, size), used)
  end
  fail("Bad data format in input.")
end

-- Up to `limit` values from `offset` on, all if both are 0, and before them where to go on: -1 at the end, nothing if all were asked for.
local function unpack_from(data, limit, offset)
  local length = #data
  if offset < 0 or limit < 0 then
    fail("Invalid request to unpack with offset of %d and limit of %d.", offset, length)
  elseif offset > length then
    fail("Start offset %d greater than input length %d.", offset, length)
  end
  local all = limit == 0 and offset == 0
  local results, found, at = {}, 0, offset + 1
  while at <= length and (all or found < limit) do
    results[found + 1], at = unpack_value(data, at, found)
    found = found + 1
  end
  if all then
    return unpack(results, 1, found)
  end
  return at > length and -1 or at - 1, unpack(results, 1, found)
end

-- A C int of a number.
local function to_int(value)
  value = (value < 0 and ceil(value) or floor(value)) % 4294967296
  return value >= 2147483648 and value - 4294967296 or value
end

local M = {
  _NAME = "cmsgpack",
  _VERSION = "lua-cmsgpack 0.4.0",
  _COPYRIGHT = "Copyright (C) 2012, Salvatore Sanfilippo",
  _DESCRIPTION = "MessagePack C implementation for Lua",
}

M.pack = public(function(...)
  local count = select("#", ...)
  if count == 0 then
    argument(0, "MessagePack pack needs input.")
  end
  local out, n = {}, 0
  for at = 1, count do
    n = pack_value(out, n, (select(at, ...)), 0)
  end
  return (concat(out))
end)

M.unpack = public(function(...)
  local data = to_string(1, (...), select("#", ...))
  return unpack_from(data, 0, 0)
end)

M.unpack_one = public(function(...)
  local data, offset = ...
  local count = select("#", ...)
  offset = offset == nil and 0 or to_int(to_number(2, offset, count))
  return unpack_from(to_string(1, data, count), 1, offset)
end)

M.unpack_limit = public(function(...)
  local data, limit, offset = ...
  local count = select("#", ...)
  limit = to_int(to_number(2, limit, count))
  offset = offset == nil and 0 or to_int(to_number(3, offset, count))
  return unpack_from(to_string(1, data, count), limit, offset)
end)

return M
