"""Numbers: the one home of parsing and formatting them."""

from __future__ import annotations


def as_int(raw: bytes) -> int | None:
    try:
        return int(raw)
    except ValueError:
        return None
def format_double(value: float) -> bytes:
    return repr(value).encode()
