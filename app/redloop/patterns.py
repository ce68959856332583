"""Glob patterns on bytes, as KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET and ACL rules use them.

``*`` any run, ``?`` any byte, ``[a-c]`` ``[^a]`` a class, ``\\`` takes the next byte as it is. Redis's odd corners are kept: an
unterminated class ends with the pattern, a range may run backwards or swallow the closing bracket, a backslash at the very end
stands for itself, and the empty string is matched by the empty pattern only. (KEYS, SCAN and HSCAN say yes to everything when
the pattern is exactly ``*``; that shortcut is theirs, see ``Pattern.everything``.)

A pattern becomes runs of one-byte tokens between stars. The first run is anchored at the start and the last at the end, and
each run between is taken where it first fits, never to be moved again: a matched prefix as short as possible leaves the most for
the rest. So ``a*a*a*a*b`` costs no more than the text is long. Plain shapes (``user:*``, ``*:id``, no star at all) need no ``re``.
"""

from __future__ import annotations

import re
from typing import Final

_SPECIAL: Final = re.compile(rb"[*?\[\\]")
_STAR: Final = 42
_CACHED: Final = 512
_CACHED_SIZE: Final = 1024
# Redis gives up on patterns that nest deeper than this; a star at the end does not count.
_MOST_STARS: Final = 1000

_LITERAL: Final = 0
_PREFIX: Final = 1
_SUFFIX: Final = 2
_INSIDE: Final = 3
_REGEX: Final = 4
_NEVER: Final = 5


class Pattern:
    """A compiled glob. Get one from ``compile_pattern``."""

    def __init__(self, source: bytes, nocase: bool) -> None:
        self.source: bytes = source
        # What scanning commands test first: then there is nothing to match.
        self.everything: bool = source == b"*"
        self._kind: int = _LITERAL
        self._text: bytes = source
        self._regex: re.Pattern[bytes] = _SPECIAL
        if nocase or _SPECIAL.search(source) is not None:
            self._compile(nocase)

    def matches(self, subject: bytes) -> bool:
        kind = self._kind
        if kind == _REGEX:
            return self._regex.fullmatch(subject) is not None
        if kind == _PREFIX:
            return subject.startswith(self._text) and len(subject) > 0
        if kind == _LITERAL:
            return subject == self._text
        if kind == _SUFFIX:
            return subject.endswith(self._text)
        return kind == _INSIDE and self._text in subject

    def select(self, subjects: list[bytes]) -> list[bytes]:
        """Those that match, in their order; for whole batches of keys."""
        if self._kind == _REGEX:
            fullmatch = self._regex.fullmatch
            return [subject for subject in subjects if fullmatch(subject) is not None]
        if self._kind == _PREFIX and self._text:
            text = self._text
            return [subject for subject in subjects if subject.startswith(text)]
        return [subject for subject in subjects if self.matches(subject)]

    def _compile(self, nocase: bool) -> None:
        runs = _tokens(self.source, nocase)
        stars = len(runs) - 1
        if stars - (not runs[-1]) > _MOST_STARS or any(b"" in run for run in runs):
            self._kind = _NEVER
        elif all(len(token) == 1 for run in runs for token in run):
            self._plain([b"".join(run) for run in runs])
        else:
            self._kind = _REGEX
        if self._kind == _REGEX:
            self._regex = re.compile(_regex(runs), re.DOTALL)

    def _plain(self, texts: list[bytes]) -> None:
        """No token but single bytes: mostly a job for the methods of bytes."""
        if len(texts) == 1:
            self._kind, self._text = _LITERAL, texts[0]
        elif len(texts) == 2 and not texts[1]:
            self._kind, self._text = _PREFIX, texts[0]
        elif len(texts) == 2 and not texts[0]:
            self._kind, self._text = _SUFFIX, texts[1]
        elif len(texts) == 3 and not texts[0] and not texts[2]:
            self._kind, self._text = _INSIDE, texts[1]
        else:
            self._kind = _REGEX


_cache: Final[dict[tuple[bytes, bool], Pattern]] = {}


def compile_pattern(source: bytes, nocase: bool = False) -> Pattern:
    pattern = _cache.get((source, nocase))
    if pattern is None:
        pattern = Pattern(source, nocase)
        if len(source) <= _CACHED_SIZE:
            if len(_cache) >= _CACHED:
                _cache.clear()
            _cache[source, nocase] = pattern
    return pattern


def matches(source: bytes, subject: bytes, nocase: bool = False) -> bool:
    return compile_pattern(source, nocase).matches(subject)


# -- translation -----------------------------------------------------------------------------------------------------

_ANY: Final = bytes(range(256))


def _tokens(source: bytes, nocase: bool) -> list[list[bytes]]:
    """The runs between stars; a token is the set of bytes that it accepts, in order. Adjacent stars count as one."""
    runs: list[list[bytes]] = [[]]
    at = 0
    size = len(source)
    while at < size:
        byte = source[at]
        if byte == _STAR:
            if runs[-1] or len(runs) == 1:
                runs.append([])
        elif byte == 63:
            runs[-1].append(_ANY)
        elif byte == 91:
            token, at = _class(source, at + 1, nocase)
            runs[-1].append(token)
            continue
        else:
            if byte == 92 and at + 1 < size:
                at += 1
            text = source[at : at + 1]
            runs[-1].append(_both_cases(text) if nocase else text)
        at += 1
    return runs


def _class(source: bytes, at: int, nocase: bool) -> tuple[bytes, int]:
    """The bytes that the class from `at` on accepts, and where the pattern goes on."""
    size = len(source)
    negated = source[at : at + 1] == b"^"
    at += negated
    accepted = [False] * 256
    while at < size:
        byte = source[at]
        if byte == 92 and at + 1 < size:
            at += 1
            accepted[source[at]] = True
        elif byte == 93:
            at += 1
            break
        elif at + 2 < size and source[at + 1] == 45:
            low, high = min(byte, source[at + 2]), max(byte, source[at + 2])
            if nocase:
                low, high = _lower(low), _lower(high)
            for other in range(256):
                if low <= (_lower(other) if nocase else other) <= high:
                    accepted[other] = True
            at += 2
        elif nocase:
            for other in _both_cases(source[at : at + 1]):
                accepted[other] = True
        else:
            accepted[byte] = True
        at += 1
    return bytes([other for other in range(256) if accepted[other] != negated]), at


def _lower(byte: int) -> int:
    return byte + 32 if 65 <= byte <= 90 else byte


def _both_cases(text: bytes) -> bytes:
    return bytes(sorted({text.upper()[0], text.lower()[0]}))


def _regex(runs: list[list[bytes]]) -> bytes:
    parts = [_run_regex(runs[0]), *[b"(?>.*?" + _run_regex(run) + b")" for run in runs[1:-1]]]
    last = runs[-1]
    if len(runs) > 1:
        # Only the end can fit the last run: take all there is, at least its length, and look back.
        parts.append(b".{%d,}+(?<=%b)" % (len(last), _run_regex(last)) if last else b".*")
    return b"".join(parts)


def _run_regex(run: list[bytes]) -> bytes:
    parts: list[bytes] = []
    at = 0
    while at < len(run):
        token = run[at]
        end = at + 1
        while end < len(run) and run[end] == token:
            end += 1
        one = _token_regex(token)
        parts.append(one if end - at == 1 else b"%b{%d}" % (one, end - at))
        at = end
    return b"".join(parts)


def _token_regex(token: bytes) -> bytes:
    if len(token) == 1:
        return b"\\x%02x" % token[0]
    if len(token) == 256:
        return b"."
    ranges: list[bytes] = []
    at = 0
    while at < len(token):
        end = at
        while end + 1 < len(token) and token[end + 1] == token[end] + 1:
            end += 1
        ranges.append(b"\\x%02x-\\x%02x" % (token[at], token[end]))
        at = end + 1
    return b"[" + b"".join(ranges) + b"]"
