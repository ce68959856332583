"""Packs come out as they went in, and what is not in order is refused without harm."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.persistence.rdb import codecs
from redloop.persistence.rdb.packs import (
    FormatError,
    read_intset,
    read_listpack,
    read_ziplist,
    read_zipmap,
    write_intset,
    write_listpack,
)
from redloop.values.listpack import HEADER, entry_size
from tests.persistence.rdb.samples import texts, ziplist, zipmap

EDGES = [b"x" * size for size in (0, 63, 64, 125, 126, 127, 128, 4095, 4096, 16380, 70000)]
INTEGERS = [sign * (1 << power) + step for power in range(64) for sign in (1, -1) for step in (-1, 0, 1)]
INT64 = sorted({number for number in INTEGERS if -(1 << 63) <= number < 1 << 63})


def test_listpack_edges() -> None:
    items = EDGES + [b"%d" % number for number in INT64] + [b"%d" % (1 << 63), b"-0", b"00"]
    packed = write_listpack(items)
    assert read_listpack(packed) == items
    assert len(packed) == HEADER + sum(entry_size(item) for item in items)


def test_listpack_with_more_entries_than_it_can_count() -> None:
    items = [b"a"] * 70000
    assert read_listpack(write_listpack(items)) == items


@given(st.lists(texts, max_size=50))
def test_listpack(items: list[bytes]) -> None:
    assert read_listpack(write_listpack(items)) == items


@given(st.sets(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-40000, 40000), min_size=1).map(sorted))
def test_intset(members: list[int]) -> None:
    assert read_intset(write_intset(members)) == members


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-200, 200) | texts, max_size=50))
def test_ziplist(entries: list[bytes | int]) -> None:
    assert read_ziplist(ziplist(entries)) == [entry if isinstance(entry, bytes) else b"%d" % entry for entry in entries]


@given(st.lists(st.tuples(texts, texts), max_size=30))
def test_zipmap(entries: list[tuple[bytes, bytes]]) -> None:
    assert read_zipmap(zipmap(entries)) == [part for entry in entries for part in entry]


SEEDS = [
    (read_listpack, write_listpack([b"abc", b"x" * 100, b"y" * 5000, b"1", b"-5", b"300", b"70000", b"%d" % (1 << 40)])),
    (read_intset, write_intset([-5, 1, 2, 70000])),
    (read_ziplist, ziplist([b"abc", 1, 200, -70000, b"x" * 100, b"y" * 20000, 1 << 40])),
    (read_zipmap, zipmap([(b"f", b"v"), (b"g", b"w" * 300)])),
]


@pytest.mark.parametrize(("read", "packed"), SEEDS)
@given(data=st.data())
def test_what_is_damaged_is_refused_or_read(read, packed, data) -> None:  # type: ignore[no-untyped-def]
    damaged = bytearray(packed)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(len(damaged) // 2, len(damaged))) :]
    with contextlib.suppress(FormatError):
        assert len(read(bytes(damaged))) <= len(damaged)


@pytest.mark.parametrize("read", [read_listpack, read_intset, read_ziplist, read_zipmap])
@given(noise=st.binary(max_size=40))
def test_noise(read, noise) -> None:  # type: ignore[no-untyped-def]
    with contextlib.suppress(FormatError):
        read(noise)


def test_crc() -> None:
    assert codecs.crc64(b"123456789") == 0xE9C6D914C4B8D9CA.to_bytes(8, "little")
    crc = codecs.Crc()
    crc.feed(b"1234")
    crc.feed(memoryview(b"56789"))
    assert crc.digest() == codecs.crc64(b"123456789")


@given(st.binary(min_size=21, max_size=2000) | st.builds(lambda part, n: part * n, st.binary(min_size=1, max_size=9), st.integers(30, 999)))
def test_lzf(text: bytes) -> None:
    packed = codecs.compress(text)
    if packed is not None:
        assert len(packed) < len(text) - 4
        assert codecs.decompress(packed, len(text)) == text
        assert codecs.decompress(packed, len(text) + 1) is None
        assert codecs.decompress(packed, len(text) - 1) is None


def test_lzf_cannot_promise_the_moon() -> None:
    assert codecs.decompress(b"\x00a", 1 << 40) is None


@given(st.binary(max_size=60), st.integers(0, 5000))
def test_lzf_noise(noise: bytes, size: int) -> None:
    text = codecs.decompress(noise, size)
    assert text is None or len(text) == size
