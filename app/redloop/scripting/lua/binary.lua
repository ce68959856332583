-- Numbers as bytes, the lowest first: for `struct` and `cmsgpack`.
--
-- A double holds 53 bits, so bytes are made and read by division and never stand together as one number that must be exact. Nothing depends
-- on the machine, except how it prints a NaN, which is the only way to see the sign of one.

local unpack, byte, char, format, sub = unpack, string.byte, string.char, string.format, string.sub
local floor, ceil, frexp, ldexp = math.floor, math.ceil, math.frexp, math.ldexp

local TWO_63, TWO_64 = 2 ^ 63, 2 ^ 64
local INFINITY = 1 / 0

local NEGATIVE_NAN, NAN = 0 / 0, -(0 / 0)
if sub(format("%g", NAN), 1, 1) == "-" then
  NEGATIVE_NAN, NAN = NAN, NEGATIVE_NAN
end

local M = {}

-- The low 64 bits of a number as a processor converts it, in `size` bytes, the lowest first.
function M.integer_bytes(value, size)
  local bytes, negate = {}, nil  -- the carry of a negation
  if value ~= value or value < -TWO_63 then
    value = TWO_63
  elseif value >= TWO_64 then
    value = 0
  elseif value < 0 then
    value, negate = -ceil(value), 1
  else
    value = floor(value)
  end
  for at = 1, size do
    if at > 8 then
      bytes[at] = 0
    else
      local low = value % 256
      value = (value - low) / 256
      if negate then
        low = 255 - low + negate
        negate = low == 256 and 1 or 0
        low = low % 256
      end
      bytes[at] = low
    end
  end
  return char(unpack(bytes))
end

local function half_to_even(value)
  local below = floor(value)
  local rest = value - below
  if rest > 0.5 or rest == 0.5 and below % 2 == 1 then
    return below + 1
  end
  return below
end

-- Sign, exponent and fraction as IEEE 754 has them, from `digits` of fraction (with the leading one) and a largest exponent.
local function float_fields(value, digits, largest)
  local negative
  if value ~= value then
    return sub(format("%g", value), 1, 1) == "-", largest, 2 ^ (digits - 2)
  elseif value == 0 then
    return 1 / value < 0, 0, 0
  elseif value < 0 then
    negative, value = true, -value
  end
  if value == INFINITY then
    return negative, largest, 0
  end
  local fraction, exponent = frexp(value)
  exponent = exponent - 1 + (largest - 1) / 2
  if exponent < 1 then
    fraction = half_to_even(ldexp(fraction, digits + exponent - 1))
    exponent = 0
  else
    fraction = half_to_even(ldexp(fraction, digits)) - 2 ^ (digits - 1)
  end
  if fraction >= 2 ^ (digits - 1) then
    fraction, exponent = fraction - 2 ^ (digits - 1), exponent + 1
  end
  if exponent >= largest then
    return negative, largest, 0
  end
  return negative, exponent, fraction
end

function M.float_bytes(value, size)
  local digits, largest = 24, 255
  if size == 8 then
    digits, largest = 53, 2047
  end
  local negative, exponent, fraction = float_fields(value, digits, largest)
  local bytes = {}
  for at = 1, size - 2 do
    bytes[at] = fraction % 256
    fraction = floor(fraction / 256)
  end
  local high = (exponent + (negative and largest + 1 or 0)) * (2 ^ (digits - 1) / 256 ^ (size - 2)) + fraction
  bytes[size - 1], bytes[size] = high % 256, floor(high / 256)
  return char(unpack(bytes))
end

function M.read_float(text, size)
  local digits, largest = 24, 255
  if size == 8 then
    digits, largest = 53, 2047
  end
  local unit = 2 ^ (digits - 1) / 256 ^ (size - 2)
  local high = byte(text, size) * 256 + byte(text, size - 1)
  local negative = high >= 32768
  local exponent = floor(high % 32768 / unit)
  local fraction = high % unit
  for at = size - 2, 1, -1 do
    fraction = fraction * 256 + byte(text, at)
  end
  local value
  if exponent == largest then
    if fraction ~= 0 then
      return negative and NEGATIVE_NAN or NAN
    end
    value = INFINITY
  else
    local bias = (largest - 1) / 2
    if exponent == 0 then
      value = ldexp(fraction, 2 - bias - digits)
    else
      value = ldexp(fraction + 2 ^ (digits - 1), exponent - bias - digits + 1)
    end
  end
  return negative and -value or value
end

-- The low 64 bits of what stands there, the lowest byte first. The sign is the bit that shifting by the whole size finds: a processor
-- counts shifts modulo 64, so beyond 8 bytes it stands lower, and all above it decides.
function M.read_integer(text, size, is_signed)
  local low, high = 0, 0
  for at = size < 4 and size or 4, 1, -1 do
    low = low * 256 + byte(text, at)
  end
  for at = size < 8 and size or 8, 5, -1 do
    high = high * 256 + byte(text, at)
  end
  if is_signed then
    local sign = (size * 8 - 1) % 64
    if sign >= 32 then
      local unit = 2 ^ (sign - 32)
      if high >= unit then
        high = high % unit - unit
      end
    elseif high > 0 or low >= 2 ^ sign then
      high, low = 0, low % 2 ^ sign - 2 ^ sign
    end
  end
  return high * 2 ^ 32 + low
end

-- Whether a number is one that four bytes hold.
function M.is_single(value)
  if value ~= value then
    return false
  elseif value == INFINITY or value == -INFINITY then
    return true
  end
  local fraction, exponent = frexp(value)
  if exponent > 128 then
    return false
  end
  local scaled = ldexp(fraction, exponent < -125 and 149 + exponent or 24)
  return scaled == floor(scaled)
end

return M
