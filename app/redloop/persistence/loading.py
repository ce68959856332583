"""Loading: the files of the append-only file, read back as commands.

`CommandReader` cuts bytes into commands and knows exactly how far the whole ones reach; `Loader` reads the files, in slices so that the
loop goes on answering -LOADING, and hands every command to `apply`. A MULTI ... EXEC unit is applied when its EXEC has come, or not at all.

The end of the last file may be torn: a crash left half a command, half a unit, half an annotation. With aof-load-truncated such a tail is
cut off, so that what is appended next can be read again; else, and anywhere else, it is refused. What is not torn but wrong is refused
always: only redis-check-aof, and whoever runs it, may decide to drop what comes behind it. (Where Redis, after a unit torn inside a
command, leaves its MULTI in the file, and later commands vanish into it, we cut at the MULTI.) The last file is the last that holds
anything: a crash just when a rewrite began a new one tears the one before.

A file may begin with an RDB snapshot, as a base does when it was rewritten with aof-use-rdb-preamble; nothing in that may be torn.

Lines that start with # between commands are annotations (`#TS:` and a unix time). Headers are as every Redis writes them, with \\r\\n and
no leading zeros.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from io import BufferedReader, FileIO
from typing import Final

import hiredis

from redloop.clock import Clock
from redloop.logs import NOTICE
from redloop.persistence.directory import AofDirectory
from redloop.persistence.files import Chunks
from redloop.persistence.manifest import BASE, Entry
from redloop.persistence.rdb.file import FileLoader, RdbError
from redloop.persistence.rdb_file import feed
from redloop.resp.requests import wire_size

log = logging.getLogger("redloop.aof")

CHUNK: Final = 1024 * 1024
SLICE_NS: Final = 2_000_000
CHECK_EVERY: Final = 64
"""Commands between two looks at the clock."""
REPORT_NS: Final = 5_000_000_000
NO_END: Final = 1 << 62
HASH: Final = 35
LONGEST_HEADER: Final = 64
RDB_MAGIC: Final = b"REDIS"

_COUNT: Final = re.compile(rb"\*[1-9]\d*\r\n")
_LENGTH: Final = re.compile(rb"\$\d+\r\n")
_COUNT_BEGUN: Final = re.compile(rb"\*(?:[1-9]\d*\r?)?\Z")
_STAMP: Final = re.compile(rb"#TS:(\d{1,18})\r?\n")
_LENGTH_BEGUN: Final = re.compile(rb"\$(?:\d+\r?)?\Z")


class LoadError(Exception):
    """The data cannot be loaded; the text is Redis's, or says what to do."""


class UnknownCommandError(Exception):
    """Raised by `apply`: there is no such command."""


class FormatError(Exception):
    """Bytes that are not commands."""


class CommandReader:
    """Cuts a stream of bytes, in any pieces, into commands. `whole`: how many bytes the commands and annotations given out so far take.

    At an annotation of a time behind `until` it stops: no more commands come, and `beyond` is that time.
    """

    def __init__(self, until: int = NO_END) -> None:
        self.whole = 0
        self.stamped = False  # there was an annotation of a time up to `until`
        self.beyond = 0
        self._until = until
        self._reader = hiredis.Reader()
        self._fed = 0  # bytes given to hiredis, or passed over
        self._data = b""
        self._pos = 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes; call when `next` has returned None."""
        self._data = self._data[self._pos :] + data if self._pos < len(self._data) else data
        self._pos = 0

    def next(self) -> list[bytes] | None:
        """The next whole command, None if more bytes are needed. Raises FormatError."""
        while True:
            try:
                request: object = self._reader.gets()
            except (hiredis.ProtocolError, MemoryError) as error:
                raise FormatError from error
            if isinstance(request, list) and request:
                size = wire_size(request)
                if size < 0:
                    raise FormatError
                self.whole += size
                return request
            if request is not False:
                raise FormatError
            if self._pos >= len(self._data) or not self._advance():
                return None

    def begin_at(self, offset: int) -> None:
        """The first command stands at `offset`; what was before it was none."""
        self.whole = offset
        self._fed = offset

    def unfinished(self) -> bool:
        """Whether anything has come behind the last whole command."""
        return self._fed != self.whole or self._pos < len(self._data)

    def _advance(self) -> bool:
        """Gives hiredis the bytes up to the next place where an annotation may stand, or passes over one; False if its end has not come."""
        data, pos = self._data, self._pos
        if data[pos] == HASH and self._fed == self.whole:
            end = data.find(b"\n", pos) + 1
            if not end or self._is_beyond(data[pos:end]):
                return False
            self.whole += end - pos
        else:
            end = data.find(b"\n#", pos) + 1 or len(data)
            self._reader.feed(data, pos, end - pos)
        self._fed += end - pos
        self._pos = end
        return True

    def _is_beyond(self, annotation: bytes) -> bool:
        match = _STAMP.match(annotation)
        if match is None:
            return False
        second = int(match[1])
        if second > self._until:
            self.beyond = second
            return True
        self.stamped = True
        return False


def is_torn(file: BufferedReader[FileIO]) -> bool:
    """Whether the command at the file's position lacks nothing but its end; False if it is wrong before that."""
    head = file.readline(LONGEST_HEADER)
    if head.startswith(b"#"):
        return not head.endswith(b"\n")
    if not _COUNT.fullmatch(head):
        return bool(_COUNT_BEGUN.match(head))
    size = os.fstat(file.fileno()).st_size
    for _ in range(int(head[1:])):
        head = file.readline(LONGEST_HEADER)
        if not _LENGTH.fullmatch(head):
            return not head or bool(_LENGTH_BEGUN.match(head))
        end = file.tell() + int(head[1:])
        if end + 2 > size:
            return True
        file.seek(end + 2)
    return False


class Loader:
    """Replays the files that a directory's manifest names, once.

    `apply` runs a command and may raise UnknownCommandError; what else can be wrong with a command is its own affair.
    """

    def __init__(
        self,
        directory: AofDirectory,
        apply: Callable[[list[bytes]], None],
        clock: Clock,
        executor: Executor,
        truncated: bool,
        new_rdb: Callable[[], FileLoader],
    ) -> None:
        self.directory = directory
        self.truncated = truncated  # aof-load-truncated
        self.check: Callable[[list[bytes]], object] = _accept  # may raise UnknownCommandError too, when a unit is not whole yet
        self.until = NO_END  # the unix time to stop behind (aof-load-until); files are then left as they are
        self.total_bytes = 0
        self.loaded_bytes = 0
        self.commands = 0
        self.started_ns = clock.monotonic_ns()
        self._apply = apply
        self._new_rdb = new_rdb
        self._clock = clock
        self._executor = executor
        self._cancelled = False
        self._stamped = False
        self._beyond = 0
        self._rdb: FileLoader | None = None  # that a file begins with
        self._unit: list[list[bytes]] | None = None
        self._unit_start = 0
        self._reported_ns = self.started_ns

    async def run(self) -> bool:
        """Loads everything; False if there is nothing to load. Raises LoadError."""
        directory = self.directory
        entries = directory.manifest.files()
        if not entries:
            return False
        sizes = [self._size(entry) for entry in entries]
        self.total_bytes = sum(sizes)
        for number, (entry, size) in enumerate(zip(entries, sizes, strict=True), 1):
            self._unit = None
            if size and not self._beyond:
                begun = self._clock.monotonic_ns()
                await self._load(entry, last=not any(sizes[number:]))
                kind = "base" if entry.kind == BASE else "incr"
                log.log(NOTICE, "DB loaded from %s file %s: %.3f seconds", kind, entry.name, (self._clock.monotonic_ns() - begun) / 1e9)
        if self.until != NO_END and self.commands and not self._stamped:
            raise LoadError(
                "aof-load-until needs the annotations that aof-timestamp-enabled writes, and the files have none up to that time"
            )
        log.log(NOTICE, "DB loaded from append only file: %.3f seconds", (self._clock.monotonic_ns() - self.started_ns) / 1e9)
        return True

    def cancel(self) -> None:
        """Has `run` raise LoadError soon."""
        self._cancelled = True
        if self._rdb is not None:
            self._rdb.cancelled = True

    def seconds_left(self) -> int:
        """How long the rest will take at the pace so far."""
        elapsed = (self._clock.monotonic_ns() - self.started_ns) / 1e9
        return int(elapsed * (self.total_bytes - self.loaded_bytes) / self.loaded_bytes) if self.loaded_bytes else 1

    def _size(self, entry: Entry) -> int:
        try:
            return self.directory.files.size(self.directory.path(entry.name))
        except OSError as error:
            raise LoadError(f"Unable to obtain the AOF file {entry.name} length. stat: {error.strerror}") from error

    # --- one file ----------------------------------------------------------------------------------------------------------------

    async def _load(self, entry: Entry, last: bool) -> None:
        reader = CommandReader(self.until)
        begun = False
        try:
            file = self.directory.files.open_reading(self.directory.path(entry.name))
        except OSError as error:
            raise LoadError(f"Fatal error: can't open the append log file {entry.name} for reading: {error.strerror}") from error
        chunks = Chunks(file, self._executor, CHUNK)
        try:
            while chunk := await chunks.next():
                self.loaded_bytes += len(chunk)
                if not begun and chunk.startswith(RDB_MAGIC):
                    self._rdb = self._begin_rdb(entry)
                begun = True
                if self._rdb is not None:
                    chunk = await self._load_rdb(self._rdb, reader, chunk)
                reader.feed(chunk)
                more = bool(chunk)
                while more:
                    more = self._replay(reader)
                    await asyncio.sleep(0)
                    if self._cancelled:
                        raise LoadError("Received shutdown signal during loading, exiting now.")
                self._report()
                if reader.beyond:
                    break
            if self._rdb is not None:
                raise self._rdb.ended_early()
        except OSError as error:
            raise LoadError(f"Unrecoverable error reading the append only file {entry.name}: {error.strerror}") from error
        except RdbError as error:
            log.warning("Error reading the RDB preamble of the AOF file %s, AOF loading aborted", entry.name)
            raise LoadError(str(error)) from None
        except FormatError:
            raise LoadError(_bad_format(entry.name)) from None
        except UnknownCommandError as error:
            raise LoadError(f"Unknown command '{error}' reading the append only file {entry.name}") from None
        finally:
            chunks.close()  # no `await` in a `finally` here: mypyc 2.4 would raise an earlier exception again
        self._stamped = self._stamped or reader.stamped
        self._beyond = reader.beyond
        if reader.beyond:
            self._stop_at(entry, reader)
        elif reader.unfinished() or self._unit is not None:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._cut, entry, reader, last)

    def _begin_rdb(self, entry: Entry) -> FileLoader:
        if entry.name.endswith(".rdb"):
            log.log(NOTICE, "Reading RDB base file on AOF loading...")
        else:
            log.log(NOTICE, "Reading RDB preamble from AOF file...")
        return self._new_rdb()

    async def _load_rdb(self, rdb: FileLoader, reader: CommandReader, chunk: bytes) -> bytes:
        """Loads the snapshot that a file begins with; what of `chunk` lies behind it."""
        if not await feed(rdb, chunk, self._clock):
            return b""
        self._rdb = None
        if rdb.created > self.until:
            raise RdbError(f"The base file is of {_iso(rdb.created)}: what was before that is not in the files any more")
        rest = rdb.rest()
        reader.begin_at(rdb.reader.offset())
        if rest:
            log.log(NOTICE, "Reading the remaining AOF tail...")
        return rest

    def _replay(self, reader: CommandReader) -> bool:
        """Applies commands for one slice of time; False when the reader has no more."""
        clock = self._clock
        deadline = clock.monotonic_ns() + SLICE_NS
        while True:
            for _ in range(CHECK_EVERY):
                start = reader.whole
                argv = reader.next()
                if argv is None:
                    return False
                self.commands += 1
                if self._unit is not None or (len(argv[0]) <= 5 and argv[0].upper() in (b"MULTI", b"EXEC")):
                    self._queue(argv, start)
                else:
                    self._apply(argv)
            if clock.monotonic_ns() >= deadline:
                return True

    def _queue(self, argv: list[bytes], start: int) -> None:
        name = argv[0].upper()
        if name == b"MULTI":
            if self._unit is not None:
                log.warning("A MULTI inside a MULTI in the append-only file was passed over")
            else:
                self._unit = []
                self._unit_start = start
        elif name != b"EXEC":
            assert self._unit is not None
            self.check(argv)  # lest a damaged EXEC, and all behind it, pass for a unit that was torn
            self._unit.append(argv)
        elif self._unit is None:
            log.warning("An EXEC without MULTI in the append-only file was passed over")
        else:
            unit, self._unit = self._unit, None
            for queued in unit:
                self._apply(queued)

    def _report(self) -> None:
        now = self._clock.monotonic_ns()
        if now - self._reported_ns >= REPORT_NS:
            self._reported_ns = now
            percent = 100 * self.loaded_bytes / self.total_bytes
            left = self.seconds_left()
            log.log(NOTICE, "Loading the append only file: %.0f%%, %d commands, about %d seconds left", percent, self.commands, left)

    def _stop_at(self, entry: Entry, reader: CommandReader) -> None:
        if entry.kind == BASE and reader.whole == 0:
            raise LoadError(f"The base file is of {_iso(reader.beyond)}: what was before that is not in the files any more")
        log.log(NOTICE, "Stopped in %s at offset %d: what comes there is of %s", entry.name, reader.whole, _iso(reader.beyond))

    # --- the tail ----------------------------------------------------------------------------------------------------------------

    def _cut(self, entry: Entry, reader: CommandReader, last: bool) -> None:
        """The file ends amid something: cuts it off, or refuses to."""
        path = self.directory.path(entry.name)
        end = reader.whole
        if reader.unfinished():
            with BufferedReader(self.directory.files.open_reading(path)) as file:
                file.seek(end)
                if not is_torn(file):
                    raise LoadError(_bad_format(entry.name))
        if self._unit is not None:
            end = self._unit_start
            log.warning("Revert incomplete MULTI/EXEC transaction in AOF file %s", entry.name)
        if not self.truncated:
            raise LoadError(
                f"Unexpected end of file reading the append only file {entry.name}. You can: 1) Make a backup of your AOF file, then use "
                "./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option "
                "to yes and restart the server."
            )
        log.warning("!!! Warning: short read while loading the AOF file %s!!!", entry.name)
        if not last:
            raise LoadError("Fatal error: the truncated file is not the last file")
        if self.until != NO_END:
            log.warning("The end of %s is torn and was passed over", entry.name)
            return
        try:
            self._truncate(path, end, entry.name)
        except OSError as error:
            raise LoadError(f"Error truncating the AOF file {entry.name}: {error.strerror}") from error
        log.warning("AOF %s loaded anyway because aof-load-truncated is enabled", entry.name)

    def _truncate(self, path: str, size: int, name: str) -> None:
        file = self.directory.files.open_growing(path)
        try:
            dropped = file.size() - size
            log.warning("!!! Truncating the AOF %s at offset %d !!!", name, size)
            log.warning("%d bytes of %s behind the last whole command are dropped", dropped, name)
            file.truncate(size)
            file.sync()
        finally:
            file.close()


def _accept(argv: list[bytes]) -> None:
    """Any command will do."""


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


def parse_moment(text: str) -> int:
    """A unix time, or a time as ISO 8601 writes it: local time if it does not say otherwise. Raises ValueError."""
    if text.isdigit():
        return int(text)
    return int(datetime.fromisoformat(text).timestamp())


def _bad_format(name: str) -> str:
    return (
        f"Bad file format reading the append only file {name}: make a backup of your AOF file, then use ./redis-check-aof --fix "
        "<filename.manifest>"
    )
