"""The manifest: which files make up the append-only file, in the words of Redis's `appendonly.aof.manifest`.

    file appendonly.aof.1.base.aof seq 1 type b
    file appendonly.aof.1.incr.aof seq 1 type i startoffset 0

At most one base (type b), the state at some moment; any number of increments (i), the commands since, in the order of their sequence
numbers; history (h), files that a rewrite has made superfluous and that are to be deleted. A name that holds blanks, quotes or anything
unprintable is quoted as in redis.conf. `startoffset` and `endoffset` are replication offsets and only increments have them. Keys that are
not known are passed over.

A manifest is a value: it is changed, then formatted and written whole (see `AofDirectory`); what is on disk is what was written last.
"""

from __future__ import annotations

import os
from typing import Final

from redloop.config.quoting import split

LONGEST_LINE: Final = 1024

BASE: Final = "b"
HISTORY: Final = "h"
INCREMENTAL: Final = "i"

_ESCAPED: Final = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"}


class ManifestError(Exception):
    """The manifest cannot be understood. `lines` is what the log says, as Redis says it."""

    def __init__(self, text: str, number: int = 0, line: str = "") -> None:
        super().__init__(text)
        self.lines: list[str] = ["\n*** FATAL AOF MANIFEST FILE ERROR ***\n"]
        if number:
            self.lines += [f"Reading the manifest file, at line {number}\n", f">>> '{line}'\n"]
        self.lines.append(f"{text}\n")


class Entry:
    """One file of the append-only file."""

    def __init__(self, name: str, sequence: int, kind: str, start_offset: int = -1, end_offset: int = -1) -> None:
        self.name = name
        self.sequence = sequence
        self.kind = kind
        self.start_offset = start_offset
        self.end_offset = end_offset

    def format(self) -> str:
        """The entry's line."""
        line = f"file {quote_name(self.name)} seq {self.sequence} type {self.kind}"
        if self.start_offset >= 0:
            line += f" startoffset {self.start_offset}"
            if self.end_offset >= 0:
                line += f" endoffset {self.end_offset}"
        return line + "\n"


class Manifest:
    """The files of one append-only file, and the last sequence numbers given out."""

    def __init__(self) -> None:
        self.base: Entry | None = None
        self.history: list[Entry] = []
        self.increments: list[Entry] = []
        self.base_sequence = 0
        self.increment_sequence = 0

    def files(self) -> list[Entry]:
        """What is to be loaded, in order."""
        return ([] if self.base is None else [self.base]) + self.increments

    def empty(self) -> bool:
        """Whether there is nothing to load."""
        return self.base is None and not self.increments

    def format(self) -> bytes:
        """The manifest's text."""
        entries = ([] if self.base is None else [self.base]) + self.history + self.increments
        return "".join(entry.format() for entry in entries).encode()

    def copy(self) -> Manifest:
        """One that can be changed without this one knowing."""
        other = Manifest() if self.empty() and not self.history else parse(self.format())
        other.base_sequence = self.base_sequence
        other.increment_sequence = self.increment_sequence
        return other

    # --- new files ---------------------------------------------------------------------------------------------------------------

    def new_base(self, filename: str, rdb: bool) -> Entry:
        """Makes the next base the base; the one before becomes history."""
        if self.base is not None:
            self.base.kind = HISTORY
            self.history.insert(0, self.base)
        self.base_sequence += 1
        self.base = Entry(f"{filename}.{self.base_sequence}.base.{'rdb' if rdb else 'aof'}", self.base_sequence, BASE)
        return self.base

    def new_increment(self, filename: str, start_offset: int) -> Entry:
        """Adds the next increment."""
        self.increment_sequence += 1
        entry = Entry(f"{filename}.{self.increment_sequence}.incr.aof", self.increment_sequence, INCREMENTAL, start_offset)
        self.increments.append(entry)
        return entry

    def retire_increments(self, keep: int) -> None:
        """Turns all increments but the last `keep` into history."""
        split = len(self.increments) - keep
        for entry in self.increments[:split]:
            entry.kind = HISTORY
            self.history.insert(0, entry)
        self.increments = self.increments[split:]


def parse(text: bytes) -> Manifest:
    """Reads a manifest. Raises ManifestError."""
    if not text:
        raise ManifestError("Found an empty AOF manifest")
    manifest = Manifest()
    greatest = 0
    for number, raw in enumerate(text.splitlines(keepends=True) if b"\r" not in text else _lines(text), 1):
        if raw.startswith(b"#"):
            continue
        if not raw.endswith(b"\n") or len(raw) > LONGEST_LINE:
            raise ManifestError("The AOF manifest file contains too long line")
        line = raw.strip(b" \t\r\n").decode("utf-8", "surrogateescape")
        entry = _parse_line(line, number)
        if entry.kind == BASE:
            if manifest.base is not None:
                raise ManifestError("Found duplicate base file information", number, line)
            manifest.base = entry
            manifest.base_sequence = max(manifest.base_sequence, entry.sequence)
        elif entry.kind == HISTORY:
            manifest.history.append(entry)
            # A new file must not get the name of one that is to be deleted.
            manifest.base_sequence = max(manifest.base_sequence, entry.sequence)
            manifest.increment_sequence = max(manifest.increment_sequence, entry.sequence)
        elif entry.kind == INCREMENTAL:
            if entry.sequence <= greatest:
                raise ManifestError("Found a non-monotonic sequence number", number, line)
            greatest = entry.sequence
            manifest.increments.append(entry)
            manifest.increment_sequence = max(manifest.increment_sequence, entry.sequence)
        else:
            raise ManifestError("Unknown AOF file type", number, line)
    return manifest


def _lines(text: bytes) -> list[bytes]:
    """Lines end with \\n alone; a \\r before it is a blank like another."""
    parts = text.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _parse_line(line: str, number: int) -> Entry:
    words = split(line.encode("utf-8", "surrogateescape"))
    if not words or len(words) < 6 or len(words) % 2:
        raise ManifestError("Invalid AOF manifest file format", number, line)
    entry = Entry("", 0, "")
    for key, value in zip(words[::2], words[1::2], strict=True):
        name = key.lower()
        if name == b"file":
            entry.name = os.fsdecode(value)
            if "/" in entry.name or "\\" in entry.name:
                raise ManifestError("File can't be a path, just a filename", number, line)
        elif name == b"seq":
            entry.sequence = _leading_number(value)
        elif name == b"type":
            entry.kind = value[:1].decode("latin-1")
        elif name == b"startoffset":
            entry.start_offset = _leading_number(value)
        elif name == b"endoffset":
            entry.end_offset = _leading_number(value)
    if not entry.name or not entry.sequence or not entry.kind:
        raise ManifestError("Invalid AOF manifest file format", number, line)
    return entry


def _leading_number(word: bytes) -> int:
    """The number that `word` starts with, 0 if it starts with none."""
    digits = word[: len(word) - len(word.lstrip(b"0123456789"))]
    return int(digits) if digits else 0


def quote_name(name: str) -> str:
    """`name` as it stands in a manifest: bare where that is safe, else in double quotes with everything unprintable escaped."""
    raw = os.fsencode(name)
    if not any(byte <= 32 or byte >= 127 or byte in b"\"'\\" for byte in raw):
        return name
    return '"' + "".join(_ESCAPED.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in raw) + '"'
