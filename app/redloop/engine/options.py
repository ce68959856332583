"""Reading the options of a command, and the vocabulary commands share.

A handler reads what follows its fixed arguments with a cursor and `match`, so that its code reads like its syntax line:

    options = Options(argv, 3)
    while options.more():
        match options.word():
            case b"NX":
                nx = True
            case b"EX" | b"PX" | b"EXAT" | b"PXAT" as unit:
                options.expiry(unit)
            case b"COUNT":
                count = options.integer()
            case _:
                raise RedisError(SYNTAX)

Rules: `word` gives the next word upper-cased; what reads a value (`value`, `integer`, ...) says syntax error when none is left.
The functions below the cursor read single arguments in one of the shared notations; where commands differ in the error, they pass it.
To extend: an option of one command is read by that command; what a second command needs too moves here.
"""

from __future__ import annotations

import math
from typing import Final

from redloop.errors import (
    COUNT_NOT_POSITIVE,
    LEX_RANGE,
    LIMIT_NEGATIVE,
    NOT_A_FLOAT,
    NOT_AN_INTEGER,
    NUMKEYS_NOT_POSITIVE,
    NUMKEYS_TOO_MANY,
    RANGE_END_ID,
    RANGE_START_ID,
    SCORE_RANGE,
    STREAM_ID,
    SYNTAX,
    TIMEOUT_NEGATIVE,
    TIMEOUT_NOT_FLOAT,
    TIMEOUT_NOT_INTEGER,
    TIMEOUT_OUT_OF_RANGE,
    RedisError,
    invalid_expire,
    out_of_range,
)
from redloop.numbers import INT64_MAX, as_float, as_int, as_long_double, parse_float, parse_int, parse_int_between, small_natural
from redloop.values.stream_ids import MAX_ID, MAX_PART, SEQUENCE_BITS

_INFINITIES: Final = {b"-inf": -math.inf, b"+inf": math.inf, b"inf": math.inf}
_NUMERIC: Final = b"0123456789.-+eE"
LONGEST_ID: Final = 127
PARENTHESIS: Final = 40


class Options:
    """A cursor over the words of a request."""

    def __init__(self, argv: list[bytes], at: int) -> None:
        self.argv = argv
        self.at = at
        self.end = len(argv)
        self.unit = b""
        """EX, PX, EXAT, PXAT, KEEPTTL or PERSIST once `expiry` has read it."""
        self._amount = b""

    def more(self) -> bool:
        return self.at < self.end

    def left(self) -> int:
        return self.end - self.at

    def word(self) -> bytes:
        """The next word, in upper case."""
        at = self.at
        self.at = at + 1
        return self.argv[at].upper()

    def next_is(self, token: bytes) -> bool:
        """Whether `token` (in capitals) comes next; passes it if so."""
        if self.at < self.end and self.argv[self.at].upper() == token:
            self.at += 1
            return True
        return False

    def value(self) -> bytes:
        """The next word as it is."""
        at = self.at
        if at >= self.end:
            raise RedisError(SYNTAX)
        self.at = at + 1
        return self.argv[at]

    def values(self, count: int) -> list[bytes]:
        """The next `count` words as they are."""
        at = self.at
        if count < 0 or count > self.end - at:
            raise RedisError(SYNTAX)
        self.at = at + count
        return self.argv[at : at + count]

    def integer(self, error: str = NOT_AN_INTEGER) -> int:
        return parse_int(self.value(), error)

    def number(self, error: str = NOT_A_FLOAT) -> float:
        return parse_float(self.value(), error)

    def limit(self) -> tuple[int, int]:
        """`offset count`, behind LIMIT."""
        if self.end - self.at < 2:
            raise RedisError(SYNTAX)
        offset = self.integer()
        return offset, self.integer()

    def expiry(self, unit: bytes) -> None:
        """Takes note of EX, PX, EXAT or PXAT and its time, or of KEEPTTL or PERSIST. Two of them exclude each other.

        The time is looked at later, by `moment`: other options behind it may be wrong, and that is said first.
        """
        if self.unit and self.unit != unit:
            raise RedisError(SYNTAX)
        self.unit = unit
        if unit != b"KEEPTTL" and unit != b"PERSIST":
            self._amount = self.value()

    def moment(self, now_ms: int, command: str) -> int:
        """When the key shall expire, in milliseconds of the wall clock; -1 where no time was given."""
        if not self.unit or self.unit == b"KEEPTTL" or self.unit == b"PERSIST":
            return -1
        return expiry_moment(self._amount, self.unit, now_ms, command)


def parse_int_in_range(text: bytes, low: int, high: int) -> int:
    """An integer from `low` to `high`; the error names the two."""
    number = parse_int(text)
    if not low <= number <= high:
        raise RedisError(out_of_range(low, high))
    return number


def expiry_moment(text: bytes, unit: bytes, now_ms: int, command: str) -> int:
    """The moment that `text`, read in `unit` (EX, PX, EXAT or PXAT), means; times of zero and less are refused."""
    amount = parse_int(text)
    if amount <= 0:
        raise RedisError(invalid_expire(command))
    moment = moment_in(unit, amount, now_ms)
    if moment > INT64_MAX:
        raise RedisError(invalid_expire(command))
    return moment


def moment_in(unit: bytes, amount: int, now_ms: int) -> int:
    """What an amount of EX, PX, EXAT or PXAT means, in milliseconds of the wall clock."""
    if unit == b"EX":
        return now_ms + amount * 1000
    if unit == b"PX":
        return now_ms + amount
    return amount * 1000 if unit == b"EXAT" else amount


def keys_after_count(argv: list[bytes], at: int, too_few: str, not_a_number: str = "") -> list[bytes]:
    """The keys behind a `numkeys` at `at`. `too_few` answers a count below one, `not_a_number` (if different) no integer at all."""
    count = parse_int(argv[at], not_a_number or too_few)
    if count <= 0:
        raise RedisError(too_few)
    if count > len(argv) - at - 1:
        raise RedisError(SYNTAX)
    return argv[at + 1 : at + 1 + count]


def score_bound(text: bytes) -> tuple[float, bool]:
    """A bound of a range of scores, and whether it is exclusive (`(1.5`)."""
    small = small_natural(text)
    if small >= 0:
        return float(small), False
    exclusive = len(text) > 0 and text[0] == PARENTHESIS
    number = plain_double(text[1:] if exclusive else text)
    if number is None:
        raise RedisError(SCORE_RANGE)
    return number, exclusive


def plain_double(text: bytes) -> float | None:
    """A number as bounds and SORT read it: nothing is zero, what is too large is infinite, hexadecimal digits are not known."""
    infinite = _INFINITIES.get(text)
    if infinite is not None:
        return infinite
    if not text:
        return 0.0
    # float() also takes what C does not: blanks around and underscores between the digits.
    if text.strip(_NUMERIC) and (b"_" in text or text != text.strip()):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


LEX_LOWEST: Final = -1
LEX_MEMBER: Final = 0
LEX_HIGHEST: Final = 1


def lex_bound(text: bytes) -> tuple[int, bytes, bool]:
    """A bound of a range of members: below all (`-`), above all (`+`), or at a member, inclusive `[a` or exclusive `(a`."""
    if text == b"-":
        return LEX_LOWEST, b"", False
    if text == b"+":
        return LEX_HIGHEST, b"", False
    if text.startswith(b"["):
        return LEX_MEMBER, text[1:], False
    if text.startswith(b"("):
        return LEX_MEMBER, text[1:], True
    raise RedisError(LEX_RANGE)


def stream_id(text: bytes, missing_sequence: int = 0) -> int:
    """`milliseconds[-sequence]`, as one integer (see values.stream_ids)."""
    if len(text) > LONGEST_ID:
        raise RedisError(STREAM_ID)
    head, dash, tail = text.partition(b"\0")[0].partition(b"-")
    return _id_part(head) << SEQUENCE_BITS | (_id_part(tail) if dash else missing_sequence)


def _id_part(text: bytes) -> int:
    """As C reads it: blanks and a sign in front, any number of zeros; below zero it goes on at the greatest."""
    digits = text
    negative = False
    if not text.isdigit():
        digits = text.lstrip(b" \t\n\v\f\r")
        negative = digits.startswith(b"-")
        digits = digits[1:] if digits.startswith((b"+", b"-")) else digits
        if not digits.isdigit():
            raise RedisError(STREAM_ID)
    number = int(digits)
    if number > MAX_PART or (negative and as_int(text) is not None):
        raise RedisError(STREAM_ID)
    return -number & MAX_PART if negative else number


def range_start(text: bytes) -> int:
    """The first id of a range: `-`, `+`, an id, or one to begin behind (`(1-1`)."""
    if text == b"-":
        return 0
    if text == b"+":
        return MAX_ID
    if len(text) < 2 or not text.startswith(b"("):
        return stream_id(text)
    ident = stream_id(text[1:])
    if ident == MAX_ID:
        raise RedisError(RANGE_START_ID)
    return ident + 1


def range_end(text: bytes) -> int:
    """The last id of a range, likewise."""
    if text == b"-":
        return 0
    if text == b"+":
        return MAX_ID
    if len(text) < 2 or not text.startswith(b"("):
        return stream_id(text, MAX_PART)
    ident = stream_id(text[1:], MAX_PART)
    if ident == 0:
        raise RedisError(RANGE_END_ID)
    return ident - 1


def timeout_seconds(text: bytes, now_ms: int) -> int:
    """The timeout of a blocking command, given in seconds: when it ends in milliseconds of the wall clock, 0 for never."""
    seconds = as_float(text)
    if seconds is None:
        # A long double in Redis: what only that can hold is a number, but too large (or too small to count).
        raise RedisError(TIMEOUT_NOT_FLOAT if as_long_double(text) is None else TIMEOUT_OUT_OF_RANGE)
    milliseconds = seconds * 1000.0
    if milliseconds > INT64_MAX:
        raise RedisError(TIMEOUT_OUT_OF_RANGE)
    if milliseconds <= -1.0:
        raise RedisError(TIMEOUT_NEGATIVE)
    return _deadline(math.ceil(milliseconds), now_ms)


def timeout_milliseconds(text: bytes, now_ms: int) -> int:
    """The same for a timeout given in whole milliseconds."""
    milliseconds = parse_int(text, TIMEOUT_NOT_INTEGER)
    if milliseconds < 0:
        raise RedisError(TIMEOUT_NEGATIVE)
    return _deadline(milliseconds, now_ms)


def _deadline(milliseconds: int, now_ms: int) -> int:
    if milliseconds <= 0:
        return 0
    if milliseconds > INT64_MAX - now_ms:
        raise RedisError(TIMEOUT_OUT_OF_RANGE)
    return now_ms + milliseconds


def final_count(options: Options) -> int:
    """`[COUNT count]`, the last words of a request; 1 where it is not given (LMPOP, ZMPOP and their kin)."""
    if not options.more():
        return 1
    if not options.next_is(b"COUNT"):
        raise RedisError(SYNTAX)
    count = parse_int_between(options.value(), 1, INT64_MAX, COUNT_NOT_POSITIVE)
    if options.more():
        raise RedisError(SYNTAX)
    return count


def keys_and_limit(argv: list[bytes]) -> tuple[list[bytes], int]:
    """`numkeys key [key ...] [LIMIT limit]`, the whole request; limit 0 where none was given (SINTERCARD, ZINTERCARD)."""
    count = parse_int_between(argv[1], 1, INT64_MAX, NUMKEYS_NOT_POSITIVE)
    if count > len(argv) - 2:
        raise RedisError(NUMKEYS_TOO_MANY)
    limit = 0
    options = Options(argv, 2 + count)
    while options.more():
        if not options.next_is(b"LIMIT") or not options.more():
            raise RedisError(SYNTAX)
        limit = parse_int_between(options.value(), 0, INT64_MAX, LIMIT_NEGATIVE)
    return argv[2 : 2 + count], limit
