"""What a request does to which keys: for each the permissions it needs.

Most commands have their keys at fixed places, which are worked out once for each command (`Span`). The rest, and requests that do not fit,
are asked of `engine.keys`.
"""

from __future__ import annotations

from typing import Final

from redloop.engine.command import Command, Definition
from redloop.engine.keys import NOT_KEY, find_keys, takes_keys, untold_keys

READ: Final = 1
WRITE: Final = 2
READ_WRITE: Final = READ | WRITE

_NEEDED: Final = {"access": READ, "insert": WRITE, "update": WRITE, "delete": WRITE}
_BY_OPTIONS: Final = frozenset({"bitfield", "sort", "sort_ro", "migrate"})  # found by their options


class Span:
    """Keys from `first` to `last` (negative: counted from the end), every `step`th argument, and what is needed for them."""

    def __init__(self, first: int, last: int, step: int, needed: int) -> None:
        self.first = first
        self.last = last
        self.step = step
        self.needed = needed


class Touch:
    """A key at some place of a request, and what is needed for it."""

    def __init__(self, place: int, needed: int) -> None:
        self.place = place
        self.needed = needed


def spans_of(definition: Definition) -> list[Span] | None:
    """Where the keys of a command are, or None if that depends on more than the length of the request."""
    if definition.name in _BY_OPTIONS:
        return None
    if definition.name == "set":
        return [Span(1, 1, 1, WRITE)]  # that is SET without options
    spans: list[Span] = []
    for spec in definition.key_specs:
        if NOT_KEY in spec.flags:
            continue
        if spec.movable():
            return None
        spans.append(Span(spec.index, spec.index + spec.last if spec.last >= 0 else spec.last, spec.step, _needed(spec.flags)))
    return spans


def touches(command: Command, argv: list[bytes]) -> list[Touch]:
    """The keys of a request; none where it does not say which they are, for then the command will refuse it."""
    definition = command.definition
    if not takes_keys(definition):
        return []
    try:
        found = find_keys(definition, argv) + untold_keys(definition, argv)
    except ValueError:
        return []
    return [Touch(key.place, _needed(key.flags)) for key in found]


def _needed(flags: list[str]) -> int:
    needed = 0
    for word in flags:
        needed |= _NEEDED.get(word, 0)
    return needed
