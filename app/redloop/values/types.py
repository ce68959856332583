"""Types of values: what TYPE and OBJECT ENCODING say, and copying, for strings as for the classes of this package.

A string is bytes (as it was given), int (as INCR left it) or bytearray (grown in place by APPEND, SETRANGE, SETBIT: Redis's "raw"). Every
other type is a class with `type_name`, `encoding(config)` and `copy()`. The classes are declared acyclic, as they are: the garbage
collector then has nothing to do with values, and a pass does not take the longer the more there are. (Compiled, that is; and each takes
16 bytes less.)
"""

from __future__ import annotations

from typing import Final

from redloop.config import Config
from redloop.numbers import as_int
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream
from redloop.values.strings import Written

EMBSTR_LIMIT: Final = 44
"""Longest string, in bytes, that Redis allocates together with its object."""
INT_DIGITS: Final = 20


def type_name(value: object) -> bytes:
    """What TYPE answers."""
    if isinstance(value, (bytes, int, bytearray)):
        return b"string"
    if isinstance(value, (List, Hash, Set, SortedSet, Stream)):
        return value.type_name
    raise TypeError(f"not a value: {type(value).__name__}")


def encoding(value: object, config: Config) -> bytes:
    """What OBJECT ENCODING answers."""
    if isinstance(value, int):
        return b"int"
    if isinstance(value, bytes):
        if len(value) <= INT_DIGITS and as_int(value) is not None and not isinstance(value, Written):
            return b"int"
        return b"embstr" if len(value) <= EMBSTR_LIMIT else b"raw"
    if isinstance(value, bytearray):
        return b"raw"
    if isinstance(value, (List, Hash, Set, SortedSet, Stream)):
        return value.encoding(config)
    raise TypeError(f"not a value: {type(value).__name__}")


def copy_value(value: object) -> object:
    """A value that shares nothing with `value` that could change."""
    if isinstance(value, (bytes, int)):
        return value
    if isinstance(value, bytearray):
        return bytearray(value)
    if isinstance(value, (List, Hash, Set, SortedSet, Stream)):
        return value.copy()
    raise TypeError(f"not a value: {type(value).__name__}")
