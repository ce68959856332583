"""Every error text is a whole line with its code first, and what quotes a client quotes as the real server does."""

from __future__ import annotations

import re

import pytest

from redloop import errors
from redloop.errors import RedisError
from tests.conftest import Real


def test_every_text_starts_with_its_code() -> None:
    texts = [text for name, text in vars(errors).items() if name.isupper() and isinstance(text, str)]
    assert len(texts) > 50
    for text in texts:
        assert text == errors.SAVE_FAILED or re.match(r"[A-Z]+ \S", text), text
        assert "\n" not in text


def test_line_holds_one_line() -> None:
    assert RedisError("ERR a\r\nb").line() == b"-ERR a  b\r\n"
    assert RedisError("ERR '\udcff'").line() == b"-ERR '\xff'\r\n"
    assert RedisError("WRONGTYPE x y").code == "WRONGTYPE"


@pytest.mark.parametrize(
    "argv",
    [
        [b"nope"],
        [b"nope", b""],
        [b"nope", b"a", b"b\n\r\0c"],
        [b"f" * 200, b"a" * 200, b"b"],
        [b"nope"] + [b"abcdefghijkl"] * 30,
        [b"nope", b"a" * 124],
        [b"nope", b"a" * 125, b"x", b"y"],
        [b"nope", b"a" * 128],
        [b"nope", b"a" * 129],
        [b"no\r\np\xff", b"x"],
        [b"nope", "é".encode() * 70],
        [b"nope", b"a" * 120, b"b" * 50],
    ],
)
def test_unknown_command(argv: list[bytes], real: Real) -> None:
    assert RedisError(errors.unknown_command(argv)).line() == real(*argv)


@pytest.mark.parametrize("word", [b"nope", b"no\r\npe", b"n\0pe", b"x" * 200])
def test_unknown_subcommand(word: bytes, real: Real) -> None:
    assert RedisError(errors.unknown_subcommand(b"client", word)).line() == real("CLIENT", word)
