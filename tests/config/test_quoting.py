"""Words and quotes: every line was given to a real server, which said how many words it saw and which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.config.quoting import quote, split


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b" \t ", []),
        (b"a b  c", [b"a", b"b", b"c"]),
        (b"\ta\tb\r\n", [b"a", b"b"]),
        (b'"a b" c', [b"a b", b"c"]),
        (b'"" x', [b"", b"x"]),
        (b"'' x", [b"", b"x"]),
        (b'"a\\x41\\n\\t\\r\\b\\a\\"\\\\\\q"', [b'aA\n\t\r\x08\x07"\\q']),
        (b"'a\\'b\\n\"'", [b"a'b\\n\""]),
        (b'ab"cd"', [b"abcd"]),
        (b'"\\x4"', [b"x4"]),
        (b'"\\xzz"', [b"xzz"]),
        (b'"\\xff"', [b"\xff"]),
        (b"\xff\xfe", [b"\xff\xfe"]),
        (b"a#b #c", [b"a#b", b"#c"]),
        (b"a\0b c", [b"a"]),
        (b'"ab"c', None),
        (b'"ab""cd"', None),
        (b'"ab', None),
        (b"'ab", None),
        (b'ab"cd', None),
        (b'"ab\\"', None),
        (b'"a\0b"', None),
    ],
)
def test_a_line_is_cut_into_words(line: bytes, words: list[bytes] | None) -> None:
    assert split(line) == words


def test_what_is_quoted_is_printable() -> None:
    assert quote(b'a"b\\c\n\r\t\b\a\0\xe9 ') == '"a\\"b\\\\c\\n\\r\\t\\b\\a\\x00\\xe9 "'


@given(st.lists(st.binary()))
def test_quoted_words_are_read_back(words: list[bytes]) -> None:
    assert split(" ".join(quote(word) for word in words).encode()) == words
