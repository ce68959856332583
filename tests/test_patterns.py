"""Patterns match what the real server's KEYS and COMMAND LIST match, however odd they are, in time that grows with the text only."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.patterns import compile_pattern, matches
from tests.compat.replies import parse
from tests.conftest import Real

PATTERNS = st.text("aab-]^[\\*?c*", max_size=9).map(str.encode)
SUBJECTS = st.lists(st.text("aabbc-]^\\[", max_size=7).map(str.encode), min_size=1, max_size=40, unique=True)


def names(reply: bytes) -> set[bytes]:
    items = parse(reply)[0][1]
    assert isinstance(items, list)
    return {text for _, text in items if isinstance(text, bytes)}


@given(patterns=st.lists(PATTERNS, min_size=1, max_size=30), subjects=SUBJECTS)
def test_matches_what_keys_matches(patterns: list[bytes], subjects: list[bytes], real: Real) -> None:
    real("FLUSHALL")
    real("MSET", *[word for subject in subjects for word in (subject, b"")])
    for source, reply in zip(patterns, real.many([["KEYS", source] for source in patterns]), strict=True):
        pattern = compile_pattern(source)
        ours = {subject for subject in subjects if pattern.everything or pattern.matches(subject)}
        assert ours == names(reply), source
        if not pattern.everything:
            assert pattern.select(subjects) == [subject for subject in subjects if subject in ours]


@given(st.lists(st.text("geGEtT*?[]-^\\azZ|", max_size=8).map(str.encode), min_size=1, max_size=20))
def test_nocase_matches_what_command_list_matches(real: Real, sources: list[bytes]) -> None:
    known = names(real("COMMAND", "LIST"))
    replies = real.many([["COMMAND", "LIST", "FILTERBY", "PATTERN", source] for source in sources])
    for source, reply in zip(sources, replies, strict=True):
        assert {name for name in known if matches(source, name, nocase=True)} == names(reply), source


@pytest.mark.parametrize(
    ("source", "subject", "answer"),
    [
        (b"user:*", b"user:1", True),
        (b"user:*", b"user", False),
        (b"*:id", b"a:id", True),
        (b"*mid*", b"amidst", True),
        (b"*", b"", False),
        (b"**", b"", False),
        (b"", b"", True),
        (b"?\xff[\xf0-\xff]", b"a\xff\xf5", True),
        (b"a*", b"a\nb", True),
        (b"[a", b"a", True),
        (b"[^", b"x", True),
        (b"[", b"[", False),
        (b"\\", b"\\", True),
    ],
)
def test_corners(source: bytes, subject: bytes, answer: bool) -> None:
    assert matches(source, subject) is answer


def test_everything_is_exactly_one_star() -> None:
    assert compile_pattern(b"*").everything
    assert not compile_pattern(b"**").everything


@pytest.mark.parametrize("stars", [1000, 1001, 1002])
def test_too_many_stars_never_match(stars: int, real: Real) -> None:
    subject = b"a" * stars + b"b"
    real("FLUSHALL")
    real("SET", subject, "")
    for source in (b"a*" * stars, b"a*" * stars + b"b"):
        assert matches(source, subject) == bool(names(real("KEYS", source)))


@pytest.mark.parametrize("source", [b"a*a*a*a*b", b"*a*a*a*a*a*[bc]", b"*?a*?a*?a*?b", b"*" * 5000 + b"b", b"*aaaaaaaaaaaaaaab*"])
def test_hostile_patterns_are_quick(source: bytes) -> None:
    start = time.thread_time()
    assert not matches(source, b"a" * 100_000)
    assert time.thread_time() - start < 1
