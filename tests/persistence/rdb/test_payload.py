"""DUMP and RESTORE: beside a real server in both directions, and against payloads that lie."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from redloop.persistence.rdb import opcodes
from redloop.persistence.rdb.packs import FormatError
from redloop.persistence.rdb.payload import Dumping, dump, intact, restore
from redloop.persistence.rdb.save import Writer
from redloop.values.hash import Hash
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream
from redloop.values.types import copy_value, encoding
from tests.compat.servers import start
from tests.persistence.rdb.samples import CONFIG, content, hash_of, list_of, payload, sorted_set_of, string, texts, values, ziplist, zipmap


@given(values)
def test_round_trip(value: object) -> None:
    raw = dump(value, CONFIG)
    assert intact(raw)
    back = restore(raw, CONFIG)
    assert content(back) == content(value)
    assert encoding(back, CONFIG) == encoding(value, CONFIG) or isinstance(value, bytearray)


def steps(value: object) -> list[bytes]:
    """The pieces of a payload made in steps."""
    dumping = Dumping(value, CONFIG)
    while dumping.step():
        pass
    assert dumping.size == sum(map(len, dumping.pieces))
    return dumping.pieces


@given(values)
def test_in_steps_it_is_the_same(value: object) -> None:
    assert b"".join(steps(value)) == dump(value, CONFIG)


LARGE_VALUES = [
    b"x" * 3_000_000,
    bytearray(b"y" * 3_000_000),
    list_of([b"%d" % number * 20 for number in range(5000)] + [b"z" * 2_000_000]),
    hash_of({b"f%d" % number: b"v" * 100 for number in range(5000)}),
    sorted_set_of({b"m%d" % number: number / 3 for number in range(5000)}),
]


@pytest.mark.parametrize("value", LARGE_VALUES, ids=lambda value: type(value).__name__)
def test_a_large_value_in_pieces_that_are_not(value: object) -> None:
    pieces = steps(value)
    assert max(map(len, pieces)) <= 128 * 1024
    raw = b"".join(pieces)
    assert intact(raw)
    assert content(restore(raw, CONFIG)) == content(value)


def change(value: object) -> None:
    if isinstance(value, bytearray):
        value[:] = b"changed"
    elif isinstance(value, Hash):
        for number in range(5000):
            value.set(b"f%d" % number, b"changed")
    elif isinstance(value, SortedSet):
        for number in range(5000):
            value.add(b"m%d" % number, 7.0)


@pytest.mark.parametrize("done", [0, 1, 2, 5])
@pytest.mark.parametrize("value", LARGE_VALUES[1:], ids=lambda value: type(value).__name__)
def test_what_changes_amid_the_steps_stays_as_it_was(value: object, done: int) -> None:
    copy = copy_value(value)
    before = content(copy)
    dumping = Dumping(copy, CONFIG)
    for _ in range(done):
        dumping.step()
    dumping.detach()
    change(copy)
    while dumping.step():
        pass
    assert content(restore(b"".join(dumping.pieces), CONFIG)) == before


class Real:
    """A real server to send payloads to and to get them from."""

    def __init__(self, port: int) -> None:
        self.client = redis.Redis(port=port)

    def dump(self, key: str) -> bytes:
        raw = self.client.dump(key)
        assert isinstance(raw, bytes)
        return raw

    def restore(self, key: str, raw: bytes) -> None:
        self.client.restore(key, 0, raw, replace=True)

    def same(self, *keys: str) -> bool:
        return len(set(self.client.execute_command("DEBUG", "DIGEST-VALUE", *keys))) == 1  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def server(oracle: str) -> Iterator[Real]:
    with start("oracle") as running:
        real = Real(running.port)
        yield real
        real.client.close()


@given(value=values)
@settings(max_examples=60)
def test_a_real_server_takes_ours_and_gives_the_same_back(server: Real, value: object) -> None:
    raw = dump(value, CONFIG)
    server.restore("key", raw)
    theirs = server.dump("key")
    assert content(restore(theirs, CONFIG)) == content(value)
    server.restore("copy", dump(restore(theirs, CONFIG), CONFIG))
    assert server.same("key", "copy")
    if encoding(value, CONFIG) != b"hashtable":  # its order is Redis's own
        assert theirs == raw


@given(text=texts)
def test_a_string_to_the_byte(server: Real, text: bytes) -> None:
    server.client.set("key", text)
    assert server.dump("key") == dump(text, CONFIG)


def stream_body(version: int) -> bytes:
    """A stream with a group, as servers of that version write it."""
    value = Stream()
    for number in range(1, 5):
        value.append(number << 64, [b"f", b"%d" % number], 4096, 2)
    group = value.create_group(b"g", 2 << 64, 2)
    assert group is not None
    group.deliver(1 << 64, group.create_consumer(b"c", 5), 7)
    group.create_consumer(b"d", 6)
    writer = Writer(CONFIG, version)
    writer.payload(value)
    return writer.flush()[1:]


NODE = string(bytes(16)) + string(b"\x13\0\0\0\x0a\0\x01\x01\0\x01\x01\x01\x81f\x02\0\x01" + b"\xff")
FACTS = b"\0\x05\0\0\0\0\0\0"
LONG = b"x" * 65
MANY = [part for number in range(600) for part in (b"k%d" % number, number)]
OLDER = [
    (opcodes.STREAM_LISTPACKS, stream_body(9)),
    (opcodes.STREAM_LISTPACKS_2, stream_body(10)),
    (opcodes.LIST_ZIPLIST, string(ziplist([b"a", 1, 12, 13, -1, 127, -32769, 1 << 23, 1 << 31, -(1 << 40), b"x" * 300, b"z" * 20000]))),
    (opcodes.LIST_ZIPLIST, string(ziplist([b"a" * 5000, b"b" * 5000]))),
    (opcodes.LIST_QUICKLIST, b"\x02" + string(ziplist([b"a", b"b"])) + string(ziplist([b"c"]))),
    (opcodes.LIST, b"\x02\x01a\x01b"),
    (opcodes.LIST, b"\x01" + string(b"q" * 10000)),
    (opcodes.LIST_QUICKLIST_2, b"\x01\x01\x01a"),
    (opcodes.SET, b"\x02\x01a\x01b"),
    (opcodes.ZSET, b"\x03\x01a\x012\x01b\x011\x01c\xfe"),
    (opcodes.ZSET_ZIPLIST, string(ziplist([b"a", 1, b"b", b"2.5"]))),
    (opcodes.ZSET_ZIPLIST, string(ziplist([LONG, 1]))),
    (opcodes.ZSET_ZIPLIST, string(ziplist(MANY))),
    (opcodes.HASH, b"\x02\x01a\x01b\x01c\x01d"),
    (opcodes.HASH_ZIPLIST, string(ziplist([b"f", LONG]))),
    (opcodes.HASH_ZIPLIST, string(ziplist(MANY))),
    (opcodes.HASH_ZIPMAP, string(zipmap([(b"f", b"v"), (b"g", b"1")]))),
    (opcodes.HASH_ZIPMAP, string(zipmap([(b"f", LONG)]))),
    (opcodes.HASH_ZIPMAP, string(zipmap([(b"f%d" % number, b"v" * 300) for number in range(600)]))),
    (opcodes.HASH_METADATA_UNRELEASED, b"\x01\x00\x01a\x01b"),
    (opcodes.HASH_METADATA_UNRELEASED, b"\x01\x81\x00\x00\x03\xbb\x2c\xc3\xd8\x00\x01a\x01b"),
    (opcodes.HASH_METADATA, b"\x00\xd8\xc3\x2c\xbb\x03\x00\x00\x02\x01\x01f\x01v\x00\x01g\x01w"),
]


@pytest.mark.parametrize(("kind", "body"), OLDER)
def test_what_older_servers_wrote(server: Real, kind: int, body: bytes) -> None:
    raw = payload(kind, body)
    server.restore("key", raw)
    value = restore(raw, CONFIG)
    assert encoding(value, CONFIG) == server.client.object("encoding", "key")
    server.restore("copy", dump(value, CONFIG))
    assert server.same("key", "copy")


@pytest.mark.parametrize("version", [8, 9, 10, 11])
@given(value=values)
@settings(max_examples=30)
def test_what_we_write_for_older_servers(server: Real, version: int, value: object) -> None:
    writer = Writer(CONFIG, version)
    writer.payload(value)
    raw = writer.flush()
    raw = payload(raw[0], raw[1:], version)
    server.restore("key", raw)
    server.restore("copy", dump(restore(raw, CONFIG), CONFIG))
    assert server.same("key", "copy")


REFUSED = [
    (opcodes.LIST, b"\x00"),
    (opcodes.SET, b"\x00"),
    (opcodes.SET, b"\x02\x01a\x01a"),
    (opcodes.HASH, b"\x00"),
    (opcodes.ZSET_2, b"\x00"),
    (opcodes.ZSET_2, b"\x01\x01a" + b"\0\0\0\0\0\0\xf8\x7f"),
    (opcodes.ZSET, b"\x01\x01a\x03abc"),
    (opcodes.ZSET, b"\x01\x01a\xfd"),
    (opcodes.LIST_QUICKLIST_2, b"\x00"),
    (opcodes.LIST_QUICKLIST_2, b"\x01\x03\x01a"),
    (opcodes.LIST_ZIPLIST, string(ziplist([]))),
    (opcodes.HASH_ZIPLIST, string(ziplist([b"f"]))),
    (opcodes.HASH_ZIPLIST, string(ziplist([b"f", 1, b"f", 2]))),
    (opcodes.ZSET_ZIPLIST, string(ziplist([b"f", 1, b"f", 2]))),
    (opcodes.HASH_ZIPMAP, string(zipmap([(b"f", b"1"), (b"f", b"2")]))),
    (opcodes.SET_INTSET, string(b"")),
    (8, b"\x01a"),
    (opcodes.STRING, b"\xc5"),
    (opcodes.STRING, b"\xc3\x02\x81\x00\x00\x00\xff\x00\x00\x00\x00ab"),
    (opcodes.MODULE_2, b"\x81\x01\x02\x03\x04\x05\x06\x07\x08\x00"),
    (opcodes.AUX, b"\x01a\x01b"),
    (opcodes.STREAM_LISTPACKS_3, b"\x01" + string(bytes(15)) + string(b"")),
    (opcodes.STREAM_LISTPACKS_3, b"\x01" + string(bytes(16)) + string(b"\x07\0\0\0\0\0\xff")),
    (opcodes.STREAM_LISTPACKS_3, b"\x02" + NODE + NODE),
    (opcodes.STREAM_LISTPACKS_3, b"\0" + FACTS + b"\x02" + 2 * (b"\x01g\0\0\0\0\0")),
    (opcodes.STREAM_LISTPACKS_3, b"\0" + FACTS + b"\x01\x01g\0\0\0\x02" + 2 * (bytes(24) + b"\x01")),
    (opcodes.STREAM_LISTPACKS_3, b"\0" + FACTS + b"\x01\x01g\0\0\0\0\x01\x01c" + bytes(16) + b"\x01" + bytes(16)),
]


@pytest.mark.parametrize(("kind", "body"), REFUSED)
def test_what_both_refuse(server: Real, kind: int, body: bytes) -> None:
    raw = payload(kind, body)
    with pytest.raises(redis.ResponseError, match="Bad data format"):
        server.restore("key", raw)
    with pytest.raises(FormatError):
        restore(raw, CONFIG)


def test_intact() -> None:
    raw = dump(b"abc", CONFIG)
    assert not intact(raw[:-1] + bytes([raw[-1] ^ 1]))
    assert not intact(raw[:9])
    assert not intact(b"")
    assert not intact(payload(0, b"\x01a", version=13))
    assert not intact(payload(0, b"\x01a", version=1)[:-8] + bytes(8))


@given(value=values, data=st.data())
@settings(max_examples=300)
def test_what_is_damaged_is_refused_or_read(value: object, data: st.DataObject) -> None:
    raw = bytearray(dump(value, CONFIG)[:-10])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FormatError):
        restore(bytes(raw) + bytes(10), CONFIG)


@given(kind=st.integers(0, 30), noise=st.binary(max_size=60))
@settings(max_examples=300)
def test_noise(kind: int, noise: bytes) -> None:
    with contextlib.suppress(FormatError):
        restore(payload(kind, noise), CONFIG)


HUGE_LENGTHS = [b"\x80\xff\xff\xff\xff", b"\x81\x00\x00\xff\xff\xff\xff\xff\xff", b"\x81" + b"\xff" * 8]


@pytest.mark.parametrize("length", HUGE_LENGTHS)
@pytest.mark.parametrize("kind", range(26))
def test_lengths_are_not_believed(kind: int, length: bytes) -> None:
    for before, after in ((b"", b""), (b"", b"\x01a"), (b"\x01", b""), (b"\x01\x02", b""), (bytes(8), b""), (b"\xc3", length)):
        try:
            value = restore(payload(kind, before + length + after), CONFIG)
        except FormatError:
            continue
        assert len(dump(value, CONFIG)) < 40  # it ended before the length
