"""What HSCAN, SSCAN and ZSCAN share: reading their arguments and matching a pattern."""

from __future__ import annotations

from typing import Final

from redloop.engine.options import Options
from redloop.errors import INVALID_CURSOR, NOVALUES_ONLY_HSCAN, SYNTAX, RedisError
from redloop.numbers import as_cursor
from redloop.patterns import Pattern, compile_pattern

DEFAULT_COUNT: Final = 10


class ScanRequest:
    """The cursor and options of a scan over one value; the options are read only when the value is known to be there."""

    def __init__(self, argv: list[bytes]) -> None:
        cursor = as_cursor(argv[2])
        if cursor is None:
            raise RedisError(INVALID_CURSOR)
        self.cursor: int = cursor
        self.argv = argv
        self.count = DEFAULT_COUNT
        self.pattern: Pattern | None = None
        self.novalues = False

    def read_options(self, with_novalues: bool) -> None:
        options = Options(self.argv, 3)
        while options.more():
            word = options.word()
            if word == b"COUNT" and options.more():
                self.count = options.integer()
                if self.count < 1:
                    raise RedisError(SYNTAX)
            elif word == b"MATCH" and options.more():
                pattern = compile_pattern(options.value())
                self.pattern = None if pattern.everything else pattern
            elif word == b"NOVALUES":
                if not with_novalues:
                    raise RedisError(NOVALUES_ONLY_HSCAN)
                self.novalues = True
            else:
                raise RedisError(SYNTAX)

    def selected(self, members: list[bytes]) -> list[bytes]:
        """Those of `members` that match."""
        pattern = self.pattern
        return members if pattern is None else pattern.select(members)


def no_elements() -> list[object]:
    """The reply of a scan over nothing."""
    return [b"0", []]
