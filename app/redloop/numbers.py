"""Numbers in both directions, exactly as Redis reads and prints them.

* integers: signed 64 bit, canonical decimal only (no spaces, no plus, no leading zero, no "-0");
* floats: what strtod reads whole, without spaces or nan, with hexadecimal, refused where they overflow or vanish; printed with
  the digits of Grisu2 (nearly always the shortest that read back) and Redis's own choice between plain and scientific form;
* long doubles: the 80-bit format of x86-64 (64-bit mantissa), for INCRBYFLOAT and HINCRBYFLOAT, printed with at most 17 decimals;
* memory sizes: ``64mb`` read, ``1.50M`` printed.

``as_x(raw)`` answers None where `raw` is no such number; ``parse_x(raw)`` raises, with the caller's text if it has one.
Everything here is a pure function; the one cache only saves work.
"""

from __future__ import annotations

import re
from math import frexp
from typing import Final

from mypy_extensions import i64

from redloop.errors import MUST_BE_POSITIVE, NOT_A_FLOAT, NOT_AN_INTEGER, RedisError

INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1
INFINITY: Final = float("inf")

# -- integers --------------------------------------------------------------------------------------------------------


_MOST_IN_PIECES: Final = 1_000_000
_HEADS: Final = [b"%d" % n for n in range(1000)]
_TAILS: Final = [b"%03d" % n for n in range(1000)]


def decimal(number: int) -> bytes:
    """`b"%d" % number`; below a million put together from two groups of digits, in half the time."""
    if not 0 <= number < _MOST_IN_PIECES:
        return b"%d" % number
    small: i64 = number
    thousands: i64 = small // 1000
    return _HEADS[thousands] + _TAILS[small - thousands * 1000] if thousands else _HEADS[small]


def small_natural(raw: bytes) -> i64:
    """The number that up to nine digits without a leading zero spell, as most numbers in requests are; -1 for anything else."""
    size: i64 = len(raw)
    if size == 0 or size > 9:
        return -1
    number: i64 = 0
    at: i64 = 0
    while at < size:
        digit: i64 = raw[at]
        if digit < 48 or digit > 57 or (number == 0 and at > 0):
            return -1
        number = number * 10 + digit - 48
        at += 1
    return number


def as_int(raw: bytes) -> int | None:
    """The 64-bit integer that `raw` spells in its one canonical form."""
    small = small_natural(raw)
    if small >= 0:
        return small
    size = len(raw)
    if size < 19 and raw.isdigit():
        if raw[0] != 48 or size == 1:
            return int(raw)
        return None
    if size == 0 or size > 20:
        return None
    digits = raw[1:] if raw[0] == 45 else raw
    if not digits.isdigit() or digits[0] == 48:
        return None
    value = int(raw)
    if INT64_MIN <= value <= INT64_MAX:
        return value
    return None


def parse_int(raw: bytes, error: str = NOT_AN_INTEGER) -> int:
    small = small_natural(raw)
    if small >= 0:
        return small
    value = as_int(raw)
    if value is None:
        raise RedisError(error)
    return value


def parse_int_between(raw: bytes, low: int, high: int, error: str) -> int:
    """One text for both: not an integer, and not between `low` and `high` (both included)."""
    value = as_int(raw)
    if value is None or not low <= value <= high:
        raise RedisError(error)
    return value


def parse_positive(raw: bytes, error: str = MUST_BE_POSITIVE) -> int:
    """Zero or more, as LPOP and SPOP take their count."""
    return parse_int_between(raw, 0, INT64_MAX, error)


def fits_int64(value: int) -> bool:
    return INT64_MIN <= value <= INT64_MAX


def as_cursor(raw: bytes) -> int | None:
    """A SCAN cursor: unsigned 64 bit. What is no canonical integer is left to strtoull: leading spaces, a plus, zeros pass."""
    canonical = as_int(raw)
    if canonical is not None:
        return canonical if canonical >= 0 else None
    text = raw.lstrip(b" \t\n\v\f\r")
    digits = text[1:] if text[:1] in (b"+", b"-") else text
    if not digits.isdigit() or len(raw) > 4096:
        return None
    value = int(digits)
    if value >= 1 << 64:
        return None
    return value if text[0] != 45 else -value & 0xFFFFFFFFFFFFFFFF


# -- floats: reading -------------------------------------------------------------------------------------------------

_DECIMAL_CHARACTERS: Final = b"0123456789.eE+-"
_NON_ZERO: Final = re.compile(rb"[+-]?[0.]*[1-9]")
_HEXADECIMAL: Final = re.compile(rb"([+-]?)0x(?:([0-9a-f]+)(?:\.([0-9a-f]*))?|\.([0-9a-f]+))(?:p([+-]?[0-9]+))?", re.IGNORECASE)
_DECIMAL: Final = re.compile(rb"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?")
_INFINITE: Final[dict[bytes, float]] = {
    sign + word: -INFINITY if sign == b"-" else INFINITY for sign in (b"", b"+", b"-") for word in (b"inf", b"infinity")
}


def _whole(raw: bytes) -> i64:
    """The number that up to fifteen digits spell, as many as a double holds exactly; -1 for anything else."""
    size: i64 = len(raw)
    if size == 0 or size > 15:
        return -1
    number: i64 = 0
    at: i64 = 0
    while at < size:
        digit: i64 = raw[at]
        if digit < 48 or digit > 57:
            return -1
        number = number * 10 + digit - 48
        at += 1
    return number


def as_float(raw: bytes) -> float | None:
    """The double that `raw` spells; None also where it is too large, vanishes to zero, or is nan."""
    whole = _whole(raw)
    if whole >= 0:
        return float(whole)
    if raw.strip(_DECIMAL_CHARACTERS):
        infinite = _INFINITE.get(raw.lower()) if len(raw) <= 9 else None
        return infinite if infinite is not None else _hexadecimal_float(raw)
    try:
        value = float(raw)
    except ValueError:
        return None
    if value in (INFINITY, -INFINITY) or (value == 0.0 and _NON_ZERO.match(raw)):
        return None
    return value


def parse_float(raw: bytes, error: str = NOT_A_FLOAT) -> float:
    value = as_float(raw)
    if value is None:
        raise RedisError(error)
    return value


def _hexadecimal_float(raw: bytes) -> float | None:
    if not _HEXADECIMAL.fullmatch(raw):
        return None
    try:
        value = float.fromhex(raw.decode("ascii"))
    except OverflowError:
        return None
    if value == 0.0 and raw.lower().partition(b"p")[0].strip(b"+-0x."):
        return None
    return value


# -- floats: printing ------------------------------------------------------------------------------------------------

# Doubles that are whole numbers within these bounds print as integers, others by Grisu2.
_WHOLE: Final = float(1 << 62)
# Grisu2 takes microseconds, and the same scores are asked for again and again.
_MOST_FORMATTED: Final = 4096
_formatted: Final[dict[float, bytes]] = {}
_MASK64: Final = (1 << 64) - 1


def format_double(value: float) -> bytes:
    """A score or any double, as replies and propagated commands carry it."""
    if -_WHOLE <= value <= _WHOLE:
        whole = int(value)
        if whole == value:
            if whole == 0 and str(value)[0] == "-":
                return b"-0"
            return decimal(whole)
    elif value != value:
        return b"nan"
    elif value == INFINITY:
        return b"inf"
    elif value == -INFINITY:
        return b"-inf"
    text = _formatted.get(value)
    if text is None:
        if len(_formatted) >= _MOST_FORMATTED:
            _formatted.clear()
        text = b"-" + _format_positive(-value, True) if value < 0 else _format_positive(value, False)
        _formatted[value] = text
    return text


def format_shortest(value: float) -> bytes:
    """The same without whole numbers as integers: what DEBUG DIGEST takes of a score."""
    if value == 0.0 or value in (INFINITY, -INFINITY):
        return format_double(value)
    return b"-" + _format_positive(-value, True) if value < 0 else _format_positive(value, False)


def _format_positive(value: float, negative: bool) -> bytes:
    digits, exponent = _grisu2(value)
    size = len(digits)
    magnitude = exponent + size - 1
    if exponent >= 0 and magnitude < size + 7:
        return (digits + "0" * exponent).encode("ascii")
    if exponent < 0 and (exponent > -7 or abs(magnitude) < 4):
        point = size + exponent
        if point <= 0:
            return ("0." + "0" * -point + digits).encode("ascii")
        return f"{digits[:point]}.{digits[point:]}".encode("ascii")
    digits = digits[: 17 if negative else 18]
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{mantissa}e{'-' if magnitude < 0 else '+'}{abs(magnitude)}".encode("ascii")


def _power_of_ten(power: int) -> tuple[int, int]:
    """10**power as a 64-bit mantissa, rounded to nearest, and a binary exponent."""
    if power >= 0:
        exponent = (10**power).bit_length() - 64
        mantissa = 10**power << -exponent if exponent <= 0 else (10**power + (1 << (exponent - 1))) >> exponent
    else:
        divisor = 10**-power
        exponent = -(divisor.bit_length() + 63)
        mantissa = ((1 << -exponent + 1) // divisor + 1) >> 1
    return mantissa, exponent


_POWERS: Final[list[tuple[int, int]]] = [_power_of_ten(power) for power in range(-348, 341, 8)]


def _grisu2(value: float) -> tuple[str, int]:
    """Digits and decimal exponent of a positive double, by Loitsch's Grisu2 (Printing Floating-Point Numbers Quickly ..., 2010).

    It works with 64-bit approximations and so now and then gives a digit more than the shortest: as Redis does, hence this
    and not repr().
    """
    mantissa, exponent = _split(value)
    # The halfway points to the neighbours, all three on the exponent of the upper one, which is normalised to 64 bits.
    shift = 63 - mantissa.bit_length()
    lower_shift = 2 if mantissa == 1 << 52 else 1
    upper = ((mantissa << 1) + 1) << shift
    lower = ((mantissa << lower_shift) - 1) << (shift + 1 - lower_shift)
    exact = mantissa << (shift + 1)
    exponent -= shift + 1
    # A power of ten that brings the exponent between -60 and -32. Adjacent candidates can both do; the order of the search decides.
    index = (int(-(exponent + 87) * 0.30102999566398114) + 348) // 8
    while True:
        power, power_exponent = _POWERS[index]
        scaled = exponent + power_exponent + 64
        if scaled < -60:
            index += 1
        elif scaled > -32:
            index -= 1
        else:
            break
    half = 1 << 63
    exact = (exact * power + half) >> 64
    upper = ((upper * power + half) >> 64) - 1
    lower = ((lower * power + half) >> 64) + 1
    return _shortest_digits(exact, lower, upper, -scaled, 348 - 8 * index)


def _shortest_digits(exact: int, lower: int, upper: int, point: int, exponent: int) -> tuple[str, int]:
    """The fewest digits between `lower` and `upper`, then the last one moved towards `exact`; `point` bits are fraction."""
    distance = upper - exact
    delta = upper - lower
    whole = upper >> point
    fraction = upper & ((1 << point) - 1)
    written = str(whole)
    size = len(written)
    unit = 10 ** (size - 1)
    rest = upper
    for taken in range(1, size + 1):
        rest = ((whole % unit) << point) + fraction
        if rest <= delta:
            return _round(written[:taken], delta, rest, unit << point, distance), exponent + size - taken
        unit //= 10
    scale = 1
    while True:
        fraction *= 10
        delta *= 10
        scale *= 10
        exponent -= 1
        written += chr(48 + (fraction >> point))
        fraction &= (1 << point) - 1
        if fraction < delta:
            return _round(written.lstrip("0"), delta, fraction, 1 << point, distance * scale), exponent


def _round(digits: str, delta: int, rest: int, unit: int, distance: int) -> str:
    last = 0
    while rest < distance and delta - rest >= unit and (rest + unit < distance or distance - rest > rest + unit - distance):
        last += 1
        rest += unit
    return digits if last == 0 else digits[:-1] + chr(ord(digits[-1]) - last)


def _split(value: float) -> tuple[int, int]:
    """A positive double as its 53-bit mantissa (fewer bits for subnormals) and exponent."""
    fraction, exponent = frexp(value)
    mantissa = int(fraction * 9007199254740992.0)
    exponent -= 53
    if exponent < -1074:
        mantissa >>= -1074 - exponent
        exponent = -1074
    return mantissa, exponent


# -- long doubles ----------------------------------------------------------------------------------------------------

_LONGEST_TEXT: Final = 5119
_LEAST_EXPONENT: Final = -16445
_LONG_DOUBLE_LIMIT: Final = 16384
_DECIMALS: Final = 17
# CPython refuses to convert longer decimal strings in one go.
_CHUNK: Final = 4000


class LongDouble:
    """An x87 extended double: mantissa * 2**exponent, the mantissa at most 64 bits; or infinite."""

    def __init__(self, mantissa: int, exponent: int, infinite: bool = False) -> None:
        self.mantissa: int = mantissa
        self.exponent: int = exponent
        self.infinite: bool = infinite


def as_long_double(raw: bytes) -> LongDouble | None:
    """The long double that `raw` spells, as strtold reads it; None where it overflows, vanishes, or is nan."""
    if len(raw) > _LONGEST_TEXT:
        return None
    match = _DECIMAL.fullmatch(raw)
    if match is not None:
        sign, whole, fraction, bare, power = match.groups()
        digits = (whole or b"") + (fraction or bare or b"")
        mantissa = _big_int(digits)
        exponent = _clamp(power) - len(fraction or bare or b"")
        if mantissa == 0 or exponent + len(digits) > 5000 or exponent + len(digits) < -5100:
            return LongDouble(0, 0) if mantissa == 0 else None
        if exponent >= 0:
            value = _rounded(mantissa * 10**exponent, 1)
        else:
            value = _rounded(mantissa, 10**-exponent)
    else:
        match = _HEXADECIMAL.fullmatch(raw)
        if match is None:
            infinite = _INFINITE.get(raw.lower()) if len(raw) <= 9 else None
            return None if infinite is None else LongDouble(-1 if infinite < 0 else 1, 0, True)
        sign, whole, fraction, bare, power = match.groups()
        digits = (whole or b"") + (fraction or bare or b"")
        mantissa = int(digits, 16)
        exponent = _clamp(power) - 4 * len(fraction or bare or b"")
        if mantissa == 0:
            return LongDouble(0, 0)
        if not -40000 < exponent + mantissa.bit_length() < 40000:
            return None
        value = _rounded(mantissa << exponent, 1) if exponent >= 0 else _rounded(mantissa, 1 << -exponent)
    if value.infinite or value.mantissa == 0:
        return None
    if sign == b"-":
        value.mantissa = -value.mantissa
    return value


def parse_long_double(raw: bytes, error: str = NOT_A_FLOAT) -> LongDouble:
    value = as_long_double(raw)
    if value is None:
        raise RedisError(error)
    return value


def add_long_doubles(left: LongDouble, right: LongDouble) -> LongDouble | None:
    """The sum in long double arithmetic; None where it is not a finite number."""
    if left.infinite or right.infinite:
        return None
    exponent = min(left.exponent, right.exponent)
    total = (left.mantissa << (left.exponent - exponent)) + (right.mantissa << (right.exponent - exponent))
    if total == 0:
        return LongDouble(0, 0)
    size = abs(total)
    result = _rounded(size << exponent, 1) if exponent >= 0 else _rounded(size, 1 << -exponent)
    if result.infinite:
        return None
    if total < 0:
        result.mantissa = -result.mantissa
    return result


def format_long_double(value: LongDouble) -> bytes:
    """Plain notation, at most 17 decimals, no trailing zeros, no "-0"."""
    size = abs(value.mantissa)
    if value.exponent >= 0:
        text = _big_str(size << value.exponent)
    else:
        bits = -value.exponent
        scaled, rest = divmod(size * 10**_DECIMALS, 1 << bits)
        half = 1 << (bits - 1)
        if rest > half or (rest == half and scaled & 1):
            scaled += 1
        digits = _big_str(scaled).zfill(_DECIMALS + 1)
        text = (digits[:-_DECIMALS] + "." + digits[-_DECIMALS:]).rstrip("0").rstrip(".")
    if value.mantissa < 0 and text != "0":
        text = "-" + text
    return text.encode("ascii")


def _rounded(numerator: int, denominator: int) -> LongDouble:
    """A positive ratio to the nearest long double, ties to even; fewer bits below the normal range."""
    exponent = max(numerator.bit_length() - denominator.bit_length() - 64, _LEAST_EXPONENT)
    while True:
        if exponent >= 0:
            mantissa, rest = divmod(numerator, denominator << exponent)
            double, whole = rest << 1, denominator << exponent
        else:
            mantissa, rest = divmod(numerator << -exponent, denominator)
            double, whole = rest << 1, denominator
        if mantissa.bit_length() <= 64:
            break
        exponent += 1
    if double > whole or (double == whole and mantissa & 1):
        mantissa += 1
    return LongDouble(mantissa, exponent, mantissa.bit_length() + exponent > _LONG_DOUBLE_LIMIT)


def _clamp(power: bytes | None) -> int:
    """An exponent as written, held within what can matter."""
    if not power:
        return 0
    digits = power.lstrip(b"+-").lstrip(b"0")
    size = int(digits) if 0 < len(digits) < 7 else (1000000 if digits else 0)
    return -size if power[0] == 45 else size


def _big_int(digits: bytes) -> int:
    if len(digits) <= _CHUNK:
        return int(digits)
    power: int = 10**_CHUNK
    return int(digits[:-_CHUNK]) * power + int(digits[-_CHUNK:])


def _big_str(value: int) -> str:
    if value.bit_length() < 3 * _CHUNK:
        return str(value)
    high, low = divmod(value, 10**_CHUNK)
    return (str(high) + str(low).zfill(_CHUNK)) if high else str(low)


# -- memory sizes and shares -----------------------------------------------------------------------------------------

_UNITS: Final[dict[bytes, int]] = {
    b"": 1, b"b": 1, b"k": 1000, b"kb": 1 << 10, b"m": 10**6, b"mb": 1 << 20, b"g": 10**9, b"gb": 1 << 30,
}  # fmt: skip
_MEMORY: Final = re.compile(rb"([0-9]*)(b|k|kb|m|mb|g|gb|)", re.IGNORECASE)


def as_memory(raw: bytes) -> int | None:
    """A size as configuration takes it: ``100``, ``5k`` (thousands), ``64mb`` (powers of two), any case; nothing is zero."""
    match = _MEMORY.fullmatch(raw)
    if match is None or len(raw) > 128:
        return None
    return min(int(match[1] or b"0"), _MASK64) * _UNITS[match[2].lower()] & _MASK64


def human_bytes(count: int) -> str:
    """A size as INFO prints it for people: ``512B``, ``1.50K``, ``1.43M``."""
    scale = 1 << 10
    for suffix in "KMGTP":
        if count < scale:
            break
        if count < scale << 10:
            return f"{count / scale:.2f}{suffix}"
        scale <<= 10
    return f"{count}B"


def percent(part: float, whole: float) -> str:
    """A share as INFO prints it: ``12.50%``."""
    return f"{part / whole * 100 if whole else 0.0:.2f}%"
