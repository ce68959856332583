"""The keys of a request: for COMMAND GETKEYS, ACL rules, cluster slots and scripts.

Most commands tell by their key specs. A few are told apart here, by name: where keys stand behind options that only the command itself can
tell from values (SORT, MIGRATE), or where the options decide what is done to the key (SET, BITFIELD).
"""

from __future__ import annotations

from typing import Final

from redloop.engine.command import NO_MANDATORY_KEYS, Definition

NOT_KEY: Final = "not_key"
# Words about the spec, not about what is done to a key.
_ABOUT_THE_SPEC: Final = frozenset({"variable_flags", "incomplete"})

READ: Final = ["RO", "access"]
OVERWRITE: Final = ["OW", "update"]
READ_WRITE: Final = ["RW", "access", "update"]
TAKE: Final = ["RW", "access", "delete"]


class FoundKey:
    """A key's place in the request, and what is done to it, in the words of the key specs."""

    def __init__(self, place: int, flags: list[str]) -> None:
        self.place = place
        self.flags = flags


def takes_keys(definition: Definition) -> bool:
    return any(NOT_KEY not in spec.flags for spec in definition.key_specs)


def find_keys(definition: Definition, argv: list[bytes]) -> list[FoundKey]:
    """The keys of a request of the right arity; raises ValueError where the request does not say which words are its keys."""
    name = definition.name
    if name == "set":
        return [FoundKey(1, READ_WRITE if _has_get(argv) else OVERWRITE)]
    if name == "bitfield":
        return [FoundKey(1, READ if _only_reads(argv) else READ_WRITE)]
    if name == "sort_ro":
        return [FoundKey(1, READ)]
    if name == "sort":
        return _sort_keys(argv)
    if name == "migrate":
        return _migrate_keys(argv)
    found: list[FoundKey] = []
    try:
        for spec in definition.key_specs:
            if NOT_KEY not in spec.flags:
                flags = [word for word in spec.flags if word not in _ABOUT_THE_SPEC]
                found += [FoundKey(place, flags) for place in spec.places(argv)]
        if not found:
            raise ValueError
    except ValueError:
        if definition.flags & NO_MANDATORY_KEYS:
            return []
        raise
    return found


def _has_get(argv: list[bytes]) -> bool:
    return any(word.upper() == b"GET" for word in argv[3:])


def _only_reads(argv: list[bytes]) -> bool:
    at = 2
    while at < len(argv):
        word = argv[at].upper()
        left = len(argv) - at - 1
        if word == b"GET" and left >= 2:
            at += 3
        elif word == b"OVERFLOW" and left >= 1:
            at += 2
        else:
            return False
    return True


def _sort_keys(argv: list[bytes]) -> list[FoundKey]:
    """The key, and what the last STORE names; a STORE that is the value of another option does not count.

    As Redis finds it: what STORE names may itself be taken for an option.
    """
    store = _sort_store(argv, 0)
    return [FoundKey(1, READ), FoundKey(store, OVERWRITE)] if store else [FoundKey(1, READ)]


def untold_keys(definition: Definition, argv: list[bytes]) -> list[FoundKey]:
    """Keys that the command will touch though `find_keys`, and Redis, may not name them: `SORT a STORE get STORE b` writes b."""
    store = _sort_store(argv, 1) if definition.name == "sort" else 0
    return [FoundKey(store, OVERWRITE)] if store else []


def _sort_store(argv: list[bytes], taken: int) -> int:
    """The place of the key that the last STORE names, 0 if there is none; an earlier STORE takes `taken` words with it."""
    store = 0
    at = 2
    while at < len(argv):
        word = argv[at].upper()
        if word == b"LIMIT":
            at += 2
        elif word == b"GET" or word == b"BY":
            at += 1
        elif word == b"STORE" and at + 1 < len(argv):
            store = at + 1
            at += taken
        at += 1
    return store


def _migrate_keys(argv: list[bytes]) -> list[FoundKey]:
    """The one key, or all behind KEYS where the one is empty. As the last word KEYS is seen only if there is another before it."""
    at = 6
    while at < len(argv):
        word = argv[at].upper()
        if word == b"AUTH":
            at += 1
        elif word == b"AUTH2":
            at += 2
        elif word == b"KEYS" and (at + 1 < len(argv) or b"KEYS" in [word.upper() for word in argv[2:at]]):
            if argv[3] or at + 1 == len(argv):
                raise ValueError
            return [FoundKey(place, TAKE) for place in range(at + 1, len(argv))]
        at += 1
    return [FoundKey(3, TAKE)]
