"""The manifest: what a redis-server 8.0.2 said to each of these texts is what we say."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.persistence.manifest import Manifest, ManifestError, parse, quote_name

BASE = "file appendonly.aof.1.base.aof seq 1 type b\n"
INCR_1 = "file appendonly.aof.1.incr.aof seq 1 type i\n"
INCR_2 = "file appendonly.aof.2.incr.aof seq 2 type i\n"
FORMAT = "Invalid AOF manifest file format"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (BASE + INCR_1, BASE + INCR_1),
        (INCR_1 + BASE, BASE + INCR_1),
        (BASE, BASE),
        (INCR_1 + INCR_2, INCR_1 + INCR_2),
        ("#hello\n" + BASE + "# between\n" + INCR_1, BASE + INCR_1),
        ("# nothing else\n", ""),
        ("seq 1 type b file appendonly.aof.1.base.aof\n", BASE),
        ("FILE appendonly.aof.1.base.aof SEQ 1 TYPE b\n", BASE),
        ("  file   appendonly.aof.1.base.aof   seq 1 type b  \n", BASE),
        (BASE.replace("\n", "\r\n") + INCR_1.replace("\n", "\r\n"), BASE + INCR_1),
        ('file "appendonly.aof.1.base.aof" seq 1 type b\n', BASE),
        (BASE.replace("\n", " novelty 7\n"), BASE),
        ("file appendonly.aof.1.base.aof seq 1 type base\n", BASE),
        (INCR_1.replace("\n", " startoffset 12 endoffset 18\n"), INCR_1.replace("\n", " startoffset 12 endoffset 18\n")),
        (BASE + "file x seq 1 type h startoffset 1\n" + INCR_2, BASE + "file x seq 1 type h startoffset 1\n" + INCR_2),
        ('file "my file\\"\\x41\\n.aof" seq 1 type b\n', 'file "my file\\"A\\n.aof" seq 1 type b\n'),
    ],
)
def test_what_is_understood(text: str, canonical: str) -> None:
    manifest = parse(text.encode())
    assert manifest.format().decode() == canonical
    assert manifest.copy().format() == manifest.format()


@pytest.mark.parametrize(
    ("text", "complaint", "number"),
    [
        ("", "Found an empty AOF manifest", 0),
        (BASE + INCR_1.rstrip("\n"), "The AOF manifest file contains too long line", 0),
        (BASE.rstrip("\n") + " " + "x" * 1100 + "\n", "The AOF manifest file contains too long line", 0),
        (BASE + "\n" + INCR_1, FORMAT, 2),
        (BASE + BASE, "Found duplicate base file information", 2),
        (BASE + INCR_2 + INCR_1, "Found a non-monotonic sequence number", 3),
        (BASE + INCR_1 + INCR_1, "Found a non-monotonic sequence number", 3),
        (BASE.replace("\n", " foo\n"), FORMAT, 1),
        ("file x type b\n", FORMAT, 1),
        ("file x seq 0 type b\n", FORMAT, 1),
        ("file x seq x type b\n", FORMAT, 1),
        ("file x seq 1 type x\n", "Unknown AOF file type", 1),
        ("file ../x seq 1 type b\n", "File can't be a path, just a filename", 1),
        ('file "x seq 1 type b\n', FORMAT, 1),
    ],
)
def test_what_is_refused_and_with_which_words(text: str, complaint: str, number: int) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(text.encode())
    lines = caught.value.lines
    assert lines[0] == "\n*** FATAL AOF MANIFEST FILE ERROR ***\n"
    assert lines[-1] == f"{complaint}\n"
    assert (f"Reading the manifest file, at line {number}\n" in lines) == bool(number)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("appendonly.aof", "appendonly.aof"),
        ('my file"x.aof', '"my file\\"x.aof"'),
        ("é'.aof", "\"\\xc3\\xa9'.aof\""),
        ("tab\there", '"tab\\there"'),
        ("back\\slash", '"back\\\\slash"'),
    ],
)
def test_names_are_quoted_as_the_real_server_quotes_them(name: str, quoted: str) -> None:
    assert quote_name(name) == quoted


@given(st.binary(min_size=1, max_size=100).filter(lambda raw: not {0, 47, 92} & set(raw)))
def test_any_name_survives(raw: bytes) -> None:
    manifest = Manifest()
    manifest.new_base(raw.decode("utf-8", "surrogateescape"), rdb=False)
    manifest.new_increment(raw.decode("utf-8", "surrogateescape"), 0)
    assert [entry.name for entry in parse(manifest.format()).files()] == [entry.name for entry in manifest.files()]


@given(st.binary(max_size=200))
def test_nothing_else_than_a_complaint_is_raised(raw: bytes) -> None:
    with contextlib.suppress(ManifestError):
        parse(raw)


def test_a_rewrite_turns_what_was_into_history_in_redis_s_order() -> None:
    """The lines are those of a redis-server that rewrote twice with aof-disable-auto-gc yes."""
    manifest = Manifest()
    manifest.new_base("a", rdb=False)
    manifest.new_increment("a", 0)
    for offset in (1, 2):
        manifest.new_increment("a", offset)
        manifest.new_base("a", rdb=False)
        manifest.retire_increments(keep=1)
    assert manifest.format().decode().splitlines() == [
        "file a.3.base.aof seq 3 type b",
        "file a.2.incr.aof seq 2 type h startoffset 1",
        "file a.2.base.aof seq 2 type h",
        "file a.1.incr.aof seq 1 type h startoffset 0",
        "file a.1.base.aof seq 1 type h",
        "file a.3.incr.aof seq 3 type i startoffset 2",
    ]
