"""What RQ's workers are given to do; they import it by name."""

from __future__ import annotations


def square(number: int) -> int:
    return number * number


def fail(number: int) -> int:
    raise ValueError(number)
