"""Quoting: how a line is cut into words, and how a word is written so that it is read back.

The same rules serve redis.conf, the command line and inline commands. A word may hold quotes: in "double" ones `\\n \\r \\t \\b \\a \\xHH`
are escapes and any other escaped byte is itself; in 'single' ones only `\\'` is. A closing quote ends its word, so what follows it must be
white space. All of it is about bytes: a password need not be UTF-8.
"""

from __future__ import annotations

from typing import Final

SPACES: Final = b" \t\n\v\f\r"
ENDS: Final = b" \t\n\r\0"
"""What ends a word outside quotes."""
PLAIN: Final = bytes([byte for byte in range(0x20, 0x100) if byte not in b"\"'\x7f"]) + b"\t"
"""A line of these only is cut at its white space; most inline commands are."""
DIGITS: Final = b"0123456789abcdefABCDEF"

QUOTE: Final = 0x22
APOSTROPHE: Final = 0x27
BACKSLASH: Final = 0x5C

_ESCAPES: Final = {0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x62: 0x08, 0x61: 0x07}  # after a backslash: n r t b a
_WRITTEN: Final = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x08: "\\b", 0x07: "\\a", QUOTE: '\\"', BACKSLASH: "\\\\"}


def split(line: bytes) -> list[bytes] | None:
    """The words of a line; None when its quotes do not balance."""
    if not line.translate(None, PLAIN):
        return line.split()
    words: list[bytes] = []
    at = 0
    end = len(line)
    while True:
        while at < end and line[at] in SPACES:
            at += 1
        if at == end or line[at] == 0:
            return words
        word = bytearray()
        while at < end and line[at] not in ENDS:
            byte = line[at]
            if byte in (QUOTE, APOSTROPHE):
                at = _quoted(line, at + 1, byte, word)
                if at < 0 or (at < end and line[at] not in SPACES and line[at] != 0):
                    return None
                break
            word.append(byte)
            at += 1
        words.append(bytes(word))


def _quoted(line: bytes, at: int, quote: int, word: bytearray) -> int:
    """Read up to the closing quote into `word`; where it ends, or -1 when it never does."""
    end = len(line)
    while at < end and line[at] != 0:
        byte = line[at]
        if byte == quote:
            return at + 1
        if byte == BACKSLASH and at + 1 < end:
            following = line[at + 1]
            if quote == APOSTROPHE:
                if following == APOSTROPHE:
                    at += 1
                    byte = following
            elif following == 0x78 and at + 3 < end and line[at + 2] in DIGITS and line[at + 3] in DIGITS:
                byte = int(line[at + 2 : at + 4], 16)
                at += 3
            else:
                byte = _ESCAPES.get(following, following)
                at += 1
        word.append(byte)
        at += 1
    return -1


def quote(word: bytes) -> str:
    """A word in double quotes, in printable ASCII, that `split` reads back."""
    written = ""
    for byte in word:
        if byte in _WRITTEN:
            written += _WRITTEN[byte]
        elif 0x20 <= byte < 0x7F:
            written += chr(byte)
        else:
            written += f"\\x{byte:02x}"
    return f'"{written}"'
