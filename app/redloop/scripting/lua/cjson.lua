-- The library `cjson`.
--
-- Bytes pass as they are: no UTF-8 is checked on either way. A table with the keys 1 to n is an array, an empty one an object. Numbers are
-- written with 14 digits. `null` is a userdata that nothing can be done with. `cjson.new()` is the same library with settings of its own.
--
-- The decoder goes from token to token: `token` is called where one is expected and returns its name, its value, its place and the
-- place after it; what is no token has an error's text for a name.

local arguments = ...
local public, argument, fail, to_number, to_string = arguments.public, arguments.argument, arguments.fail, arguments.number, arguments.string
local next, rawget, select, tonumber, type = next, rawget, select, tonumber, type
local byte, char, concat, find, format, gsub, lower, match, sub =
  string.byte, string.char, table.concat, string.find, string.format, string.gsub, string.lower, string.match, string.sub
local floor, ceil = math.floor, math.ceil

local STACK = 7998  -- what a C function may keep on its stack: one for each open array, two for each object
local MOST = 2147483647
local INFINITY = 1 / 0

local NULL = newproxy(true)
getmetatable(NULL).__tostring = function()
  return "userdata: (nil)"
end
getmetatable(NULL).__metatable = false

-- Encoding

local ESCAPES = {['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\t"] = "\\t", ["\n"] = "\\n", ["\f"] = "\\f", ["\r"] = "\\r"}
for code = 0, 127 do
  local letter = char(code)
  if (code < 32 or code == 127) and not ESCAPES[letter] then
    ESCAPES[letter] = format("\\u%04x", code)
  end
end

-- As much of a string as needs no escapes: a class matches quickest what stands in it first.
local CLEAN = "^[]-~0-[ #-.!\128-\255]*"

local function escaped(value)
  local _, clean = find(value, CLEAN)
  if clean == #value then
    return value
  end
  return (gsub(value, '[%c"\\/]', ESCAPES))
end

-- The same keys come again and again: how short ones are written, behind a comma, is kept for a while.
local MOST_KEPT, LONGEST_KEPT = 1000, 64
local kept, kept_count = {}, 0

local function encode_key(key)
  local text = kept[key]
  if not text then
    text = ',"' .. escaped(key) .. '":'
    if #key <= LONGEST_KEPT then
      if kept_count == MOST_KEPT then
        kept, kept_count = {}, 0
      end
      kept[key], kept_count = text, kept_count + 1
    end
  end
  return text
end

local function cannot(value, why)
  fail("Cannot serialise %s: %s", type(value), why)
end

local MOST_DIGITS = 1e14  -- from there on "%.14g" is no longer "%d"
local small = {}  -- how small numbers are written

local function encode_number(settings, value)
  if value - value ~= 0 then
    local invalid = settings.encode_invalid_numbers
    if not invalid then
      cannot(value, "must not be NaN or Inf")
    elseif invalid == "null" then
      return "null"
    elseif value ~= value then
      return "nan"
    end
    return value > 0 and "inf" or "-inf"
  end
  local written = settings.number_format
  if written then
    return format(written, value)
  end
  if value % 1 ~= 0 or value == 0 or value >= MOST_DIGITS or value <= -MOST_DIGITS then
    return value .. ""
  end
  local text = small[value]
  if not text then
    text = format("%d", value)
    if value > 0 and value < 1000 then
      small[value] = text
    end
  end
  return text
end

-- How long an array is; 0 for what is written as an object. The second result: whether there may be gaps.
local function array_length(settings, value)
  local most, items = 0, 0
  for key in next, value do
    if key ~= items + 1 then
      items = nil
      break
    end
    items = key
  end
  if items then
    return items, false
  end
  items = 0
  for key in next, value do
    if type(key) ~= "number" or key < 1 or key > MOST or key ~= floor(key) then
      return 0
    end
    items = items + 1
    if key > most then
      most = key
    end
  end
  local ratio = settings.sparse_ratio
  if ratio > 0 and most > items * ratio and most > settings.sparse_safe then
    if not settings.sparse_convert then
      cannot(value, "excessively sparse array")
    end
    return 0
  end
  return most, true
end

local encode_value

-- The table is written behind the `n` pieces of `out`; how many there are then.
local function encode_table(settings, out, n, value, depth, used)
  if depth > settings.encode_max_depth or used >= STACK - 1 then
    fail("Cannot serialise, excessive nesting (%d)", depth)
  end
  local length, gaps = array_length(settings, value)
  if length > 0 then
    local before = "["
    for at = 1, length do
      local item
      if gaps then
        item = rawget(value, at)
      else
        item = value[at]
      end
      out[n + 1] = before
      n = encode_value(settings, out, n + 1, item, depth, used + 1)
      before = ","
    end
    out[n + 1] = "]"
    return n + 1
  end
  local is_first = true
  for key, item in next, value do
    local kind = type(key)
    local text
    if kind == "string" then
      text = kept[key] or encode_key(key)
    elseif kind == "number" then
      text = ',"' .. encode_number(settings, key) .. '":'
    else
      cannot(key, "table key must be a number or string")
    end
    n = n + 1
    if is_first then
      out[n], is_first = "{" .. sub(text, 2), false
    else
      out[n] = text
    end
    n = encode_value(settings, out, n, item, depth, used + 2)
  end
  out[n + 1] = is_first and "{}" or "}"
  return n + 1
end

function encode_value(settings, out, n, value, depth, used)
  local kind = type(value)
  if kind == "string" then
    local _, clean = find(value, CLEAN)
    out[n + 1], out[n + 2], out[n + 3] = '"', clean == #value and value or escaped(value), '"'
    return n + 3
  elseif kind == "number" then
    out[n + 1] = encode_number(settings, value)
  elseif kind == "table" then
    return encode_table(settings, out, n, value, depth + 1, used)
  elseif kind == "boolean" then
    out[n + 1] = value and "true" or "false"
  elseif value == nil or value == NULL then
    out[n + 1] = "null"
  else
    cannot(value, "type not supported")
  end
  return n + 1
end

-- Decoding

local PUNCTUATION = {
  [byte("{")] = "T_OBJ_BEGIN", [byte("}")] = "T_OBJ_END", [byte("[")] = "T_ARR_BEGIN", [byte("]")] = "T_ARR_END",
  [byte(",")] = "T_COMMA", [byte(":")] = "T_COLON", [0] = "T_END",
}
local UNESCAPED = {['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}
local QUOTE, MINUS, DIGIT_0, DIGIT_1, DIGIT_9, COMMA, COLON, ARRAY_END, OBJECT_END = byte('"-019,:]}', 1, 9)
local SPACES = {[byte(" ")] = true, [byte("\t")] = true, [byte("\r")] = true, [byte("\n")] = true}
local POWER = {[byte("e")] = true, [byte("E")] = true}
local GOES_ON = {[byte(".")] = true, [byte("e")] = true, [byte("E")] = true}

local function utf8(code)
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xC0 + floor(code / 0x40), 0x80 + code % 0x40)
  elseif code < 0x10000 then
    return char(0xE0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return char(0xF0 + floor(code / 0x40000), 0x80 + floor(code / 0x1000) % 0x40, 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
end

-- The character of `\uXXXX`, or of two that belong together, and the place after it.
local function unicode_escape(text, at)
  local code = match(text, "^%x%x%x%x", at + 2)
  code = code and tonumber(code, 16)
  if code and code >= 0xD800 and code <= 0xDFFF then
    local second = code < 0xDC00 and match(text, "^\\u(%x%x%x%x)", at + 6)
    second = second and tonumber(second, 16)
    if not second or second < 0xDC00 or second > 0xDFFF then
      return nil
    end
    return utf8((code - 0xD800) * 0x400 + second - 0xDC00 + 0x10000), at + 12
  end
  return code and utf8(code), at + 6
end

local function string_token(text, start)
  local at = start + 1
  local out
  while true do
    local stop = find(text, '["\\%z]', at) or #text + 1
    local ends = byte(text, stop)
    if ends == QUOTE then
      local last = sub(text, at, stop - 1)
      if out then
        out[#out + 1] = last
        last = concat(out)
      end
      return "T_STRING", last, start, stop + 1
    elseif ends == nil or ends == 0 then
      return "unexpected end of string", nil, stop
    end
    out = out or {}
    out[#out + 1] = sub(text, at, stop - 1)
    local letter = sub(text, stop + 1, stop + 1)
    if letter == "u" then
      local character, after = unicode_escape(text, stop)
      if not character then
        return "invalid unicode escape code", nil, stop
      end
      out[#out + 1], at = character, after
    else
      local character = UNESCAPED[letter]
      if not character then
        return "invalid escape code", nil, stop
      end
      out[#out + 1], at = character, stop + 2
    end
  end
end

-- What C's strtod takes from here, and the place after it.
local function number_prefix(text, at)
  local _, after = find(text, "^[+-]?0[xX]%x+%.?%x*", at)
  if not after then
    _, after = find(text, "^[+-]?0[xX]%.%x+", at)
  end
  if after then
    local _, power = find(text, "^[pP][+-]?%d+", after + 1)
    return tonumber(sub(text, at, power or after)), (power or after) + 1
  end
  _, after = find(text, "^[+-]?%d+%.?%d*", at)
  if not after then
    _, after = find(text, "^[+-]?%.%d+", at)
  end
  if after then
    local _, power = find(text, "^[eE][+-]?%d+", after + 1)
    return tonumber(sub(text, at, power or after)), (power or after) + 1
  end
  local sign, word = match(text, "^([+-]?)(%a+)", at)
  word = word and lower(word)
  at = at + #(sign or "")
  if word and (sub(word, 1, 3) == "inf" or sub(word, 1, 3) == "nan") then
    local value, length = INFINITY, sub(word, 1, 8) == "infinity" and 8 or 3
    if sub(word, 1, 3) == "nan" then
      local _, more = find(text, "^%([%w_]*%)", at + 3)
      length = more and more - at + 1 or 3
      value = -(0 / 0)
      if sub(format("%g", value), 1, 1) == "-" then
        value = -value
      end
    end
    return sign == "-" and -value or value, at + length
  end
end

-- What strtod takes for a number and JSON does not.
local function is_odd_number(text, at)
  if byte(text, at) == MINUS then
    at = at + 1
  elseif sub(text, at, at) == "+" then
    return true
  end
  if find(text, "^0[xX0-9]", at) then
    return true
  end
  local word = lower(sub(text, at, at + 2))
  return word == "inf" or word == "nan"
end

local function number_token(text, start)
  local value, after = number_prefix(text, start)
  if not value then
    return "invalid number", nil, start
  end
  return "T_NUMBER", value, start, after
end

-- The token from here on: its name, its value, its place, the place after it.
local function token(settings, text, at)
  local letter = byte(text, at)
  if letter and SPACES[letter] then
    at = find(text, "[^ \t\r\n]", at) or #text + 1
    letter = byte(text, at)
  end
  if letter == QUOTE then
    local stop = find(text, '["\\%z]', at + 1)
    if stop and byte(text, stop) == QUOTE then
      return "T_STRING", sub(text, at + 1, stop - 1), at, stop + 1
    end
    return string_token(text, at)
  elseif not letter then
    return "T_END", nil, at
  end
  local name = PUNCTUATION[letter]
  if name then
    return name, nil, at, at + 1
  elseif letter == MINUS or letter >= DIGIT_0 and letter <= DIGIT_9 then
    local _, last = find(text, "^-?[1-9]%d*", at)
    if last and not GOES_ON[byte(text, last + 1) or 0] then
      return "T_NUMBER", tonumber(sub(text, at, last)), at, last + 1
    elseif not settings.decode_invalid_numbers and is_odd_number(text, at) then
      return "invalid number", nil, at
    end
    return number_token(text, at)
  end
  local word = sub(text, at, at + 3)
  if word == "true" then
    return "T_BOOLEAN", true, at, at + 4
  elseif word == "null" then
    return "T_NULL", NULL, at, at + 4
  elseif sub(text, at, at + 4) == "false" then
    return "T_BOOLEAN", false, at, at + 5
  elseif settings.decode_invalid_numbers and is_odd_number(text, at) then
    return number_token(text, at)
  end
  return "invalid token", nil, at
end

local function unexpected(expected, name, at)
  fail("Expected %s but found %s at character %d", expected, name, at)
end

local VALUES = {T_STRING = true, T_NUMBER = true, T_BOOLEAN = true, T_NULL = true}
local decode_array, decode_object

-- What the text that is decoded has somewhere: a NUL, a backslash.
local has_nul, has_escapes

-- The string that opens here and the place after it, if it can be read at a glance.
local function simple_string(text, at)
  local stop = not has_nul and find(text, '"', at + 1, true)
  if stop then
    local value = sub(text, at + 1, stop - 1)
    if not has_escapes or not find(value, "\\", 1, true) then
      return value, stop + 1
    end
  end
end

local function skip_spaces(text, at)
  at = find(text, "[^ \t\r\n]", at) or #text + 1
  return at, byte(text, at)
end

-- The value that begins with this letter, and the place after it.
local function read_value(settings, text, at, letter, depth, used)
  if SPACES[letter] then
    at, letter = skip_spaces(text, at)
  end
  if letter == QUOTE then
    local value, after = simple_string(text, at)
    if value then
      return value, after
    end
  elseif letter and letter >= DIGIT_1 and letter <= DIGIT_9 then
    local digits = match(text, "^%d+%.?%d*", at)
    local after = at + #digits
    if not POWER[byte(text, after)] then
      return digits + 0, after
    end
  end
  local name, value, start, after = token(settings, text, at)
  if VALUES[name] then
    return value, after
  end
  local decode = name == "T_OBJ_BEGIN" and decode_object or name == "T_ARR_BEGIN" and decode_array
  if not decode then
    unexpected("value", name, start)
  end
  depth = depth + 1
  if depth > settings.decode_max_depth or used >= STACK then
    fail("Found too many nested data structures (%d) at character %d", depth, start)
  end
  return decode(settings, text, after, depth, used)
end

-- What stands here is no comma, or not at once: the place after it, the letter there, and whether it was the end.
local function separator(settings, text, at, closing, expected)
  local name, _, start, after = token(settings, text, at)
  if name ~= closing and name ~= "T_COMMA" then
    unexpected(expected, name, start)
  end
  return after, byte(text, after), name == closing
end

function decode_array(settings, text, after, depth, used)
  local result, length = {}, 0
  local letter, following = byte(text, after)
  if SPACES[letter] then
    after, letter = skip_spaces(text, after)
  end
  if letter == ARRAY_END then
    return result, after + 1
  end
  while true do
    length = length + 1
    result[length], after = read_value(settings, text, after, letter, depth, used + 1)
    letter, following = byte(text, after, after + 1)
    if letter == COMMA then
      after, letter = after + 1, following
    elseif letter == ARRAY_END then
      return result, after + 1
    else
      local over
      after, letter, over = separator(settings, text, after, "T_ARR_END", "comma or array end")
      if over then
        return result, after
      end
    end
  end
end

function decode_object(settings, text, after, depth, used)
  local result = {}
  local letter, following = byte(text, after)
  if SPACES[letter] then
    after, letter = skip_spaces(text, after)
  end
  if letter == OBJECT_END then
    return result, after + 1
  end
  while true do
    local key, stop
    if SPACES[letter] then
      after, letter = skip_spaces(text, after)
    end
    if letter == QUOTE then
      key, stop = simple_string(text, after)
    end
    if key then
      after = stop
    else
      local name, value, at, behind = token(settings, text, after)
      key, after = value, behind
      if name ~= "T_STRING" then
        unexpected("object key string", name, at)
      end
    end
    letter, following = byte(text, after, after + 1)
    if letter == COLON then
      after, letter = after + 1, following
    else
      local name, _, at, behind = token(settings, text, after)
      if name ~= "T_COLON" then
        unexpected("colon", name, at)
      end
      after, letter = behind, byte(text, behind)
    end
    result[key], after = read_value(settings, text, after, letter, depth, used + 2)
    letter, following = byte(text, after, after + 1)
    if letter == COMMA then
      after, letter = after + 1, following
    elseif letter == OBJECT_END then
      return result, after + 1
    else
      local over
      after, letter, over = separator(settings, text, after, "T_OBJ_END", "comma or object end")
      if over then
        return result, after
      end
    end
  end
end

-- Settings

local function check_count(most, ...)
  if select("#", ...) > most then
    argument(most + 1, "found too many arguments")
  end
end

-- A number between bounds: nil keeps what is set. Whichever argument it is, the error names the first.
local function integer_setting(settings, name, number, value, least, most)
  if value ~= nil then
    value = to_number(number, value, number)
    value = (value < 0 and ceil(value) or floor(value)) % 4294967296
    value = value > MOST and value - 4294967296 or value
    if value < least or value > most then
      argument(1, format("expected integer between %d and %d", least, most))
    end
    settings[name] = value
  end
  return settings[name]
end

-- A switch, as a boolean or by its name; `third` is what it may be besides.
local function switch_setting(settings, name, value, third)
  if type(value) == "boolean" then
    settings[name] = value
  elseif value ~= nil then
    value = to_string(1, value, 1)
    if value == "on" or value == "off" then
      settings[name] = value == "on"
    elseif value == third then
      settings[name] = value
    else
      argument(1, "invalid option '" .. value .. "'")
    end
  end
  return settings[name]
end

local function new_library()
  local settings = {
    sparse_convert = false, sparse_ratio = 2, sparse_safe = 10, encode_max_depth = 1000, decode_max_depth = 1000,
    encode_keep_buffer = true, encode_invalid_numbers = false, decode_invalid_numbers = true, precision = 14, number_format = false,
  }
  local M = {_NAME = "cjson", _VERSION = "2.1.0", null = NULL}

  M.encode = public(function(...)
    if select("#", ...) ~= 1 then
      argument(1, "expected 1 argument")
    end
    local out = {}
    encode_value(settings, out, 0, (...), 0, 0)
    return concat(out)
  end)

  M.decode = public(function(...)
    if select("#", ...) ~= 1 then
      argument(1, "expected 1 argument")
    end
    local text = to_string(1, (...), 1)
    local first, second = byte(text, 1, 2)
    if second and (first == 0 or second == 0) then
      fail("JSON parser does not support UTF-16 or UTF-32")
    end
    has_nul, has_escapes = find(text, "\0", 1, true), find(text, "\\", 1, true)
    local result, after = read_value(settings, text, 1, first, 0, 0)
    local name, _, at = token(settings, text, after)
    if name ~= "T_END" then
      unexpected("the end", name, at)
    end
    return result
  end)

  M.encode_sparse_array = public(function(...)
    check_count(3, ...)
    local convert, ratio, safe = ...
    return switch_setting(settings, "sparse_convert", convert), integer_setting(settings, "sparse_ratio", 2, ratio, 0, MOST),
      integer_setting(settings, "sparse_safe", 3, safe, 0, MOST)
  end)

  M.encode_max_depth = public(function(...)
    check_count(1, ...)
    return integer_setting(settings, "encode_max_depth", 1, (...), 1, MOST)
  end)

  M.decode_max_depth = public(function(...)
    check_count(1, ...)
    return integer_setting(settings, "decode_max_depth", 1, (...), 1, MOST)
  end)

  M.encode_number_precision = public(function(...)
    check_count(1, ...)
    local precision = integer_setting(settings, "precision", 1, (...), 1, 14)
    settings.number_format = precision < 14 and format("%%.%dg", precision)  -- with 14 digits Lua writes them by itself
    return precision
  end)

  M.encode_keep_buffer = public(function(...)
    check_count(1, ...)
    return switch_setting(settings, "encode_keep_buffer", (...))
  end)

  M.encode_invalid_numbers = public(function(...)
    check_count(1, ...)
    return switch_setting(settings, "encode_invalid_numbers", (...), "null")
  end)

  M.decode_invalid_numbers = public(function(...)
    check_count(1, ...)
    return switch_setting(settings, "decode_invalid_numbers", (...))
  end)

  M.new = public(function()
    return new_library()
  end)

  return M
end

return new_library()
