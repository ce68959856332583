"""RESTORE and RDB files under atheris. What is refused must be refused with the error that says so; what is taken must be a sound value.

The first byte chooses: a payload (its kind and body follow, the footer is added), or a file (a version and what comes after it).
"""

from __future__ import annotations

import contextlib
import sys
from random import Random

from redloop.clock import ManualClock
from redloop.config import Config
from redloop.keyspace.database import Keyspace
from redloop.persistence.rdb.file import DONE, HUNGRY, FileLoader, RdbError
from redloop.persistence.rdb.packs import FormatError
from redloop.persistence.rdb.payload import FOOTER, dump, restore
from redloop.values.digest import mix_value
from redloop.values.footprint import footprint
from redloop.values.types import encoding, type_name

PIECE = 50
NO_DIGEST = bytes(20)


def settings() -> Config:
    config = Config()
    config.rdbchecksum = False
    return config


CONFIG = settings()


def fuzz_payload(data: bytes) -> None:
    """A value that is taken can be looked at, dumped, and is the same when that is restored."""
    try:
        value = restore(data + bytes(FOOTER), CONFIG)
    except FormatError:
        return
    type_name(value)
    encoding(value, CONFIG)
    assert footprint(value, 5) > 0
    again = restore(dump(value, CONFIG), CONFIG)
    assert mix_value(NO_DIGEST, again, expires=False) == mix_value(NO_DIGEST, value, expires=False)


def fuzz_file(data: bytes) -> None:
    """A file is loaded or refused, in whichever pieces it comes."""
    keyspace = Keyspace(ManualClock(1_700_000_000_000), 16, Random(1))
    loader = FileLoader(keyspace, CONFIG, False, _forget)
    raw = b"REDIS00%02d" % (data[0] % 13 if data else 12) + data[1:]
    at = 0
    with contextlib.suppress(RdbError):
        while (state := loader.advance(0)) != DONE:
            if state == HUNGRY:
                if at >= len(raw):
                    raise loader.ended_early()
                loader.feed(raw[at : at + PIECE])
                at += PIECE


def _forget(code: bytes) -> None:
    """Libraries of functions are not run."""


def fuzz(data: bytes) -> None:
    """One input."""
    if data[:1] < b"\x80":
        fuzz_payload(data[1:])
    else:
        fuzz_file(data[1:])


def main() -> None:
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
