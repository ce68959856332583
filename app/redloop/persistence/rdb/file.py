"""Loading a file: its opcodes, and its keys into the keyspace.

`FileLoader` is fed bytes in any pieces and works for a slice of time at a call, so that a server goes on answering -LOADING meanwhile.
Keys that are due are left out unless the file begins an append-only file, whose commands come after it. Nobody is told of the keys that
come: loading is not a change.

What modules left in a file is passed over where it stands by itself (AUX); a key that only a module can read cannot be loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from mypy_extensions import i64

from redloop.config import Config
from redloop.keyspace.database import TOUCH_COUNTER, Keyspace
from redloop.logs import DEBUG, NOTICE
from redloop.persistence.rdb import opcodes
from redloop.persistence.rdb.load import EmptyError, Pending, begin
from redloop.persistence.rdb.packs import FormatError
from redloop.persistence.rdb.reader import Reader, ShortError

log = logging.getLogger("redloop.rdb")

HUNGRY: Final = 0
"""More bytes are needed."""
BUSY: Final = 1
"""Time was up."""
DONE: Final = 2

CHECK_EVERY: Final = 32
"""Opcodes between two looks at the clock."""
ITEMS: Final = 512
MODULE_NAME: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
MEGABYTE: Final = 1048576


class RdbError(Exception):
    """A file cannot be loaded; the text is Redis's."""


class FileLoader:
    """One file on its way into the keyspace. `take_library(code)` is given the libraries of functions."""

    def __init__(self, keyspace: Keyspace, config: Config, preamble: bool, take_library: Callable[[bytes], None]) -> None:
        self.keyspace = keyspace
        self.config = config
        self.preamble = preamble
        self.merge = False  # a key that is there already is replaced, in place of being an error
        self.version = 0
        self.cancelled = False  # by whoever calls `advance`
        self.created = 0  # the unix time the file says it is of
        self.loaded = 0
        self.expired = 0
        self.empty = 0
        self.reader = Reader(b"", config.rdbchecksum)
        self._take_library = take_library
        self._clock = keyspace.clock
        self._pending: Pending | None = None
        self._key = b""
        self._ended = False
        self._wanted: i64 = 0  # bytes in `_waiting` before there is a point in going on
        self._waiting: list[bytes] = []
        self._gathered: i64 = 0
        self._database = keyspace.databases[0]

        # What was said of the next key.
        self._due = -1
        self._idle = -1
        self._frequency = -1

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the file; call when `advance` has answered HUNGRY."""
        self._waiting.append(data)
        self._gathered += len(data)
        if self._gathered >= self._wanted:
            self.reader.feed(b"".join(self._waiting))
            self._waiting = []
            self._gathered = 0
            self._wanted = 0

    def rest(self) -> bytes:
        """What came behind the end of the file."""
        return self.reader.data[self.reader.pos :]

    def ended_early(self) -> RdbError:
        """What to raise when there are no more bytes before DONE."""
        return self._error("Unexpected EOF reading RDB file")

    def advance(self, deadline_ns: int) -> int:
        """Loads until `deadline_ns` of the monotonic clock: HUNGRY, BUSY or DONE. Raises RdbError."""
        if self._wanted:
            return HUNGRY
        reader = self.reader
        try:
            while True:
                for _ in range(CHECK_EVERY):
                    if self._pending is not None:
                        if not self._go_on(self._pending):
                            break
                    elif self._ended:
                        self._check()
                        return DONE
                    elif self.version:
                        self._opcode(reader)
                    else:
                        self._header(reader)
                if self._clock.monotonic_ns() >= deadline_ns:
                    return BUSY
        except ShortError:
            self._wanted = reader.needed - (reader.end - reader.mark)
            return HUNGRY
        except EmptyError:
            self._skip_empty()
            return BUSY
        except FormatError as error:
            raise self._error(str(error) or "Data that are not in order") from None

    # --- what stands around the keys ---------------------------------------------------------------------------------------------

    def _header(self, reader: Reader) -> None:
        head = reader.take(opcodes.HEADER_SIZE)
        if not head.startswith(opcodes.MAGIC):
            raise RdbError("Wrong signature trying to load DB from file")
        digits = head[5:]
        if not digits.isdigit() or not 1 <= int(digits) <= opcodes.VERSION:
            version = digits.lstrip(b"0").decode("latin-1") or "0"
            raise RdbError(f"Can't handle RDB format version {version}")
        self.version = int(digits)
        reader.done()

    def _opcode(self, reader: Reader) -> None:
        kind: i64 = reader.byte()
        if kind < opcodes.SLOT_INFO:
            self._begin_key(int(kind), reader)
        elif kind == opcodes.EXPIRE_TIME_MS:
            self._due = reader.little(8, True)
        elif kind == opcodes.EXPIRE_TIME:
            self._due = reader.little(4, True) * 1000
        elif kind == opcodes.FREQ:
            self._frequency = int(reader.byte())
        elif kind == opcodes.IDLE:
            self._idle = reader.natural()
        elif kind == opcodes.EOF:
            self._ended = True
        elif kind == opcodes.SELECT_DB:
            self._select(reader.natural())
        elif kind == opcodes.RESIZE_DB:
            reader.natural()
            reader.natural()
        elif kind == opcodes.AUX:
            name = reader.string()
            self._fact(name, reader.string())
        elif kind == opcodes.FUNCTION:
            self._take_library(reader.string())
        elif kind == opcodes.MODULE_AUX:
            self._pass_over_module(reader)
        elif kind == opcodes.SLOT_INFO:
            for _ in range(3):
                reader.natural()
        else:
            raise FormatError("Pre-release function format not supported.")
        reader.done()

    def _select(self, index: int) -> None:
        databases = self.keyspace.databases
        if index >= len(databases):
            raise RdbError(
                f"FATAL: Data file was created with a Redis server configured to handle more than {len(databases)} databases. Exiting"
            )
        self._database = databases[index]

    def _fact(self, name: bytes, text: bytes) -> None:
        if name == b"redis-ver":
            log.log(NOTICE, "Loading RDB produced by version %s", text.decode("latin-1"))
        elif name == b"ctime" and text.isdigit():
            self.created = int(text)
            log.log(NOTICE, "RDB age %d seconds", max(self._clock.now_ms() // 1000 - int(text), 0))
        elif name == b"used-mem" and text.isdigit():
            log.log(NOTICE, "RDB memory usage when created %.2f Mb", int(text) / MEGABYTE)
        elif name == b"aof-base" and text == b"1":
            log.log(NOTICE, "RDB is base AOF")
        else:
            log.log(DEBUG, "RDB field %s = %s", name.decode("latin-1"), text.decode("latin-1"))

    def _pass_over_module(self, reader: Reader) -> None:
        name = module_name(reader.natural())
        while True:
            kind = reader.natural()
            if kind == opcodes.MODULE_END:
                break
            if kind in (opcodes.MODULE_SIGNED, opcodes.MODULE_UNSIGNED):
                reader.natural()
            elif kind == opcodes.MODULE_FLOAT:
                reader.take(4)
            elif kind == opcodes.MODULE_DOUBLE:
                reader.take(8)
            elif kind == opcodes.MODULE_STRING:
                reader.string()
            else:
                raise FormatError("Error reading module data")
        log.warning("The RDB file contains AUX module data of '%s', which are passed over", name)

    def _check(self) -> None:
        """Compares the checksum behind the end with what was read."""
        reader = self.reader
        reader.forget()
        if self.version >= opcodes.CHECKSUM_SINCE:
            told = reader.take(opcodes.CHECKSUM_SIZE)
            if reader.crc is not None:
                if told == bytes(opcodes.CHECKSUM_SIZE):
                    log.log(NOTICE, "RDB file was saved with checksum disabled: no check performed.")
                elif told != reader.crc.digest():
                    expected = int.from_bytes(reader.crc.digest(), "little")
                    found = int.from_bytes(told, "little")
                    log.warning("Wrong RDB checksum expected: (%x) but got (%x). Aborting now.", found, expected)
                    raise self._error("RDB CRC error")
        skipped = f", empty keys skipped: {self.empty}" if self.empty else ""
        log.log(NOTICE, "Done loading RDB, keys loaded: %d, keys expired: %d%s.", self.loaded, self.expired, skipped)

    def _error(self, text: str) -> RdbError:
        return RdbError(f"Internal error in RDB reading offset {self.reader.offset()} -> {text}")

    # --- keys --------------------------------------------------------------------------------------------------------------------

    def _begin_key(self, kind: int, reader: Reader) -> None:
        self._key = reader.string()
        if kind in (opcodes.MODULE, opcodes.MODULE_2):
            name = module_name(reader.natural())
            raise FormatError(f"The RDB file contains module data I can't load: no matching module type '{name}'")
        if kind == opcodes.STRING:
            self._store(reader.string())
            return
        self._pending = begin(kind, reader, self.config, -1 if self.preamble else self._clock.now_ms())

    def _go_on(self, pending: Pending) -> bool:
        """Reads more of a value; False if it is not whole then."""
        if not pending.step(self.reader, ITEMS):
            return False
        self._pending = None
        self._store(pending.value)
        self.reader.done()
        return True

    def _store(self, value: object) -> None:
        due = self._due
        if 0 <= due < self._clock.now_ms() and not self.preamble:
            self.expired += 1
        else:
            if self.merge:
                self._database.remove(self._key)
            if not self._database.load(self._key, value, due, self._stamp()):
                name = self._key.decode("utf-8", "replace")
                raise FormatError(f"RDB has duplicated key '{name}' in DB {self._database.index}")
            self.loaded += 1
        self._forget_key()

    def _stamp(self) -> object:
        """What the keyspace is to note of the last use, None for nothing."""
        if self.keyspace.touch_mode == TOUCH_COUNTER:
            return self._clock.seconds // 60 << 8 | self._frequency if self._frequency >= 0 else None
        return max(self._clock.seconds - self._idle, 0) if self._idle > 0 else None

    def _skip_empty(self) -> None:
        """A collection without anything in it, as old bugs of servers left it in files."""
        if self.empty < ITEMS:
            log.log(NOTICE, "rdbLoadObject skipping empty key: %s", self._key.decode("utf-8", "replace"))
        self.empty += 1
        self._pending = None
        self._forget_key()
        self.reader.done()

    def _forget_key(self) -> None:
        self._key = b""
        self._due = -1
        self._idle = -1
        self._frequency = -1


def module_name(number: int) -> str:
    """The nine characters of a module's type, from its number."""
    return "".join([MODULE_NAME[number >> shift & 63] for shift in range(58, 9, -6)])
