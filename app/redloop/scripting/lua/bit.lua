-- The library `bit`: operations on 32 bits, with signed results.
--
-- A number becomes 32 bits by adding 2^52 + 2^51 to it and taking the low half of what then stands in the double: rounding is to even, and
-- what is too large gives whatever that half holds. Inside, bits are a number from 0 to 2^32 - 1. AND goes by four bits at a time through
-- a table, OR and XOR follow from it.

local arguments = ...
local public, argument_number, wrong_type = arguments.public, arguments.number, arguments.wrong_type
local tonumber, type, select, floor, frexp, format, sub = tonumber, type, select, math.floor, math.frexp, string.format, string.sub

local TWO_32, TWO_31 = 2 ^ 32, 2 ^ 31
local TWO_51 = 2 ^ 51
local MAGIC = 2 ^ 52 + 2 ^ 51

local AND = {}
for a = 0, 15 do
  for b = 0, 15 do
    local both, place, x, y = 0, 1, a, b
    while x > 0 and y > 0 do
      if x % 2 == 1 and y % 2 == 1 then
        both = both + place
      end
      x, y, place = floor(x / 2), floor(y / 2), place * 2
    end
    AND[a * 16 + b] = both
  end
end

local function bits(number, value, count)
  if type(value) ~= "number" then
    value = argument_number(number, value, count)
  end
  if value > -TWO_51 and value < TWO_51 then
    return ((value + MAGIC) - MAGIC) % TWO_32
  end
  local sum = value + MAGIC
  if sum ~= sum or sum == sum * 2 then
    return 0
  end
  local fraction = frexp(sum)
  return (fraction < 0 and -fraction or fraction) * 2 ^ 53 % TWO_32
end

local function signed(value)
  if value >= TWO_31 then
    return value - TWO_32
  end
  return value
end

local function both(a, b)
  local result, place = 0, 1
  while a > 0 and b > 0 do
    local x, y = a % 16, b % 16
    result = result + AND[x * 16 + y] * place
    a, b, place = (a - x) / 16, (b - y) / 16, place * 16
  end
  return result
end

local function either(a, b)
  return a + b - both(a, b)
end

local function one_of(a, b)
  return a + b - 2 * both(a, b)
end

-- Of several arguments the first is looked at first, then from the last to the second.
local function folding(combine)
  return public(function(...)
    local count = select("#", ...)
    local first, second = ...
    local result = bits(1, first, count)
    if count == 2 then
      result = combine(result, bits(2, second, count))
    elseif count > 2 then
      local values = {...}
      for at = count, 2, -1 do
        result = combine(result, bits(at, values[at], count))
      end
    end
    return (signed(result))
  end)
end

local function left(value, by)
  return value * 2 ^ by % TWO_32
end

local function right(value, by)
  return floor(value / 2 ^ by)
end

local function arithmetic_right(value, by)
  return floor(signed(value) / 2 ^ by) % TWO_32
end

local function roll(value, by)
  return left(value, by) + right(value, 32 - by)
end

local function roll_back(value, by)
  return roll(value, (32 - by) % 32)
end

local function shifting(shift)
  return public(function(...)
    local count = select("#", ...)
    local value, by = ...
    value = bits(1, value, count)
    return (signed(shift(value, bits(2, by, count) % 32)))
  end)
end

local M = {}

M.tobit = public(function(...)
  return (signed(bits(1, (...), select("#", ...))))
end)

M.bnot = public(function(...)
  return (signed(TWO_32 - 1 - bits(1, (...), select("#", ...))))
end)

M.band = folding(both)
M.bor = folding(either)
M.bxor = folding(one_of)

M.lshift = shifting(left)
M.rshift = shifting(right)
M.arshift = shifting(arithmetic_right)
M.rol = shifting(roll)
M.ror = shifting(roll_back)

M.bswap = public(function(...)
  local value = bits(1, (...), select("#", ...))
  local a, b, c = value % 256, floor(value / 256) % 256, floor(value / 65536) % 256
  return (signed(((a * 256 + b) * 256 + c) * 256 + floor(value / 16777216)))
end)

M.tohex = public(function(...)
  local count = select("#", ...)
  local value, digits = ...
  value = bits(1, value, count)
  digits = count < 2 and 8 or signed(bits(2, digits, count))
  local text = format(digits < 0 and "%08X" or "%08x", value)
  if digits < 0 then
    digits = -digits
  end
  if digits > 8 then
    digits = 8
  end
  return (sub(text, 9 - digits))
end)

return M
