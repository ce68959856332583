"""Files: every key comes back, in whichever pieces the bytes arrive; what is wrong is named; a real server's files and ours are alike."""

from __future__ import annotations

import contextlib
import logging
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redloop.clock import ManualClock
from redloop.config import Config
from redloop.keyspace.database import TOUCH_COUNTER, Keyspace
from redloop.persistence.rdb.codecs import crc64
from redloop.persistence.rdb.file import BUSY, DONE, HUNGRY, FileLoader, RdbError
from redloop.persistence.rdb.save import Writer
from redloop.values.stream import Stream
from redloop.values.stream_ids import MAX_ID
from tests.persistence.rdb.samples import CONFIG, LATER, content, list_of, set_of, sorted_set_of, string, values

NOW = 1_700_000_000_000
Keys = dict[tuple[int, bytes], tuple[object, int]]


def write(keys: Keys, version: int = 12) -> bytes:
    writer = Writer(CONFIG, version)
    writer.begin_file([(b"redis-ver", b"8.0.2"), (b"ctime", b"1699999990"), (b"used-mem", b"2097152"), (b"aof-base", b"0")])
    writer.function(b"#!lua name=lib\n")
    for index in sorted({index for index, _ in keys}):
        writer.select(index)
        writer.resize(1, 1)
        for (database, key), (value, due) in keys.items():
            if database == index:
                items = writer.key(key, value, due)
                while items is not None and items.step(writer, 10):
                    pass
    writer.end_file()
    raw = writer.flush()
    return raw + crc64(raw)


class Load:
    """A loader, and the keyspace it fills."""

    def __init__(self, preamble: bool = False, config: Config = CONFIG) -> None:
        self.keyspace = Keyspace(ManualClock(NOW), 16, Random(1))
        self.libraries: list[bytes] = []
        self.loader = FileLoader(self.keyspace, config, preamble, self.libraries.append)

    def run(self, raw: bytes, piece: int = 1 << 20) -> bytes:
        """Feeds it everything; what came behind the end."""
        at = 0
        while True:
            state = self.loader.advance(0)
            if state == DONE:
                return self.loader.rest() + raw[at:]
            if state == HUNGRY:
                if at >= len(raw):
                    raise self.loader.ended_early()
                self.loader.feed(raw[at : at + piece])
                at += piece

    def keys(self) -> Keys:
        found: Keys = {}
        for database in self.keyspace.databases:
            for segment in database.segments():
                for key, value in segment.values.items():
                    found[database.index, key] = (content(value), database.expiry(key))
        return found


@given(
    keys=st.dictionaries(
        st.tuples(st.integers(0, 15), st.binary(max_size=30)), st.tuples(values, st.just(-1) | st.integers(NOW + 1, LATER)), max_size=6
    ),
    piece=st.sampled_from([1, 7, 100, 1 << 20]),
)
@settings(max_examples=60)
def test_round_trip(keys: dict[tuple[int, bytes], tuple[object, int]], piece: int) -> None:
    load = Load()
    raw = write(keys)
    assert load.run(raw + b"behind", piece) == b"behind"
    assert load.keys() == {key: (content(value), due) for key, (value, due) in keys.items()}
    assert sum(len(database) for database in load.keyspace.databases) == len(keys) == load.loader.loaded
    assert load.libraries == [b"#!lua name=lib\n"]


@pytest.mark.parametrize("version", [8, 9, 10, 11])
@given(value=values)
@settings(max_examples=30)
def test_older_versions(version: int, value: object) -> None:
    load = Load()
    load.run(write({(0, b"key"): (value, -1)}, version))
    loaded = load.keyspace.databases[0].peek(b"key")
    expected = content(value)
    if isinstance(value, Stream):  # nor what a stream has been, nor when its consumers were active
        assert isinstance(loaded, Stream)
        assert loaded.range(0, MAX_ID, 0) == value.range(0, MAX_ID, 0)
        assert [len(group.pending) for group in loaded.groups.values()] == [len(value.groups[name].pending) for name in loaded.groups]
        return
    if isinstance(expected, list) and expected and isinstance(expected[0], tuple) and len(expected[0]) == 3:
        expected = [(field, text, -1) for field, text, _ in expected]  # the expiry of fields is not known there
    assert content(loaded) == expected


def test_many_keys_split_segments() -> None:
    keys: Keys = {(0, b"key:%d" % number): (b"%d" % number, NOW + 5 + number if number % 3 == 0 else -1) for number in range(5000)}
    load = Load()
    load.run(write(keys), 10_000)
    assert load.keys() == keys
    assert load.keyspace.databases[0].volatile == 1667
    assert len(load.keyspace.databases[0].segments()) > 4


def test_a_large_value_is_read_in_slices() -> None:
    value = sorted_set_of({b"member:%d" % number: float(number) for number in range(5000)})
    load = Load()
    load.loader.feed(write({(0, b"key"): (value, -1)}))
    turns = 0
    while (state := load.loader.advance(0)) == BUSY:
        turns += 1
    assert state == DONE
    assert content(load.keyspace.databases[0].peek(b"key")) == content(value)
    assert turns > 3


def test_keys_that_are_due_stay_out_unless_commands_follow() -> None:
    raw = write({(0, b"gone"): (b"x", NOW - 1), (0, b"here"): (b"y", NOW)})
    load = Load()
    load.run(raw)
    assert load.keys() == {(0, b"here"): (b"y", NOW)}
    assert (load.loader.loaded, load.loader.expired) == (1, 1)
    load = Load(preamble=True)
    load.run(raw)
    assert load.keyspace.databases[0].segment(b"gone").values[b"gone"] == b"x"


def test_the_last_use_is_kept() -> None:
    writer = Writer(CONFIG)
    writer.begin_file([])
    writer.select(0)
    writer.key(b"idle", b"x", -1, idle=100)
    writer.key(b"often", b"x", -1, frequency=77)
    writer.end_file()
    raw = writer.flush()
    load = Load()
    load.run(raw + crc64(raw))
    database = load.keyspace.databases[0]
    assert database.accessed(b"idle") == NOW // 1000 - 100
    load = Load()
    load.keyspace.touch_mode = TOUCH_COUNTER
    load.run(raw + crc64(raw))
    assert load.keyspace.databases[0].frequency(b"often") == 77


HEAD = b"REDIS0012\xfe\x00"
END = b"\xff" + bytes(8)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "Unexpected EOF reading RDB file"),
        (b"REDIS", "Unexpected EOF"),
        (b"RODIS0012", "Wrong signature trying to load DB from file"),
        (b"REDIS0013" + END, "Can't handle RDB format version 13"),
        (b"REDIS0000" + END, "Can't handle RDB format version 0"),
        (b"REDIS00ab" + END, "Can't handle RDB format version"),
        (HEAD + b"\x00\x01a\x05ab", "Unexpected EOF"),
        (HEAD + b"\xff\x01\x02", "Unexpected EOF"),
        (HEAD + b"\xff" + b"12345678", "RDB CRC error"),
        (HEAD + b"\x08\x01a\x01b" + END, "Unknown RDB encoding type 8"),
        (HEAD + b"\x00\x01a\x01b\x00\x01a\x01b" + END, "RDB has duplicated key 'a' in DB 0"),
        (b"REDIS0012\xfe\x10" + END, "configured to handle more than 16 databases"),
        (HEAD + b"\x14\x01a\x05abcde" + END, "Internal error in RDB reading offset"),
        (HEAD + b"\x07\x01a\x81\x01\x02\x03\x04\x05\x06\x07\x08\x00" + END, "no matching module type 'AQIDBAUGB'"),
        (HEAD + b"\xf6\x01a" + END, "Pre-release function format not supported."),
        (HEAD + b"\xf7\x01\x09" + END, "Error reading module data"),
    ],
)
def test_what_is_wrong_is_named(raw: bytes, text: str) -> None:
    with pytest.raises(RdbError) as caught:
        Load().run(raw, 3)
    assert text in str(caught.value)


def test_what_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    module = b"\xf7\x81\x01\x02\x03\x04\x05\x06\x07\x08\x02\x01\x01\x05\x02\x07\x03abcd\x04abcdefgh\x05\x03xyz\x00"
    raw = HEAD + module + b"\xf4\x01\x02\x03" + b"\x02\x05empty\x00" + b"\xfd\xff\xff\xff\x7f\x00\x01a\x01b" + END
    load = Load()
    with caplog.at_level(logging.INFO, "redloop.rdb"):
        load.run(raw, 1)
    assert load.keys() == {(0, b"a"): (b"b", 0x7FFFFFFF * 1000)}
    assert "AUX module data of 'AQIDBAUGB'" in caplog.text
    assert "skipping empty key: empty" in caplog.text
    assert "empty keys skipped: 1" in caplog.text


def test_before_version_5_there_is_no_checksum() -> None:
    load = Load()
    assert load.run(b"REDIS0003\xfe\x00\x00\x01a\x01b\xff") == b""
    assert load.keys() == {(0, b"a"): (b"b", -1)}


def test_the_checksum_may_be_passed_over() -> None:
    config = Config()
    config.rdbchecksum = False
    load = Load(config=config)
    load.run(HEAD + b"\x00\x01a\x01b\xff" + b"12345678")
    assert load.loader.loaded == 1


@given(data=st.data())
@settings(max_examples=200)
def test_what_is_damaged_is_refused_or_read(data: st.DataObject) -> None:
    keys: Keys = {
        (0, b"string"): (b"abc" * 20, LATER),
        (0, b"list"): (list_of([b"a", b"b" * 9000]), -1),
        (3, b"set"): (set_of([b"m%d" % number for number in range(200)]), -1),
        (3, b"zset"): (sorted_set_of({b"a": 1.5}), -1),
    }
    raw = bytearray(write(keys)[:-8] + bytes(8))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RdbError):
        Load().run(bytes(raw), 200)


def test_no_flipped_bit_passes() -> None:
    """Of a file with a checksum; a version flipped to one from before checksums is what it says, and leaves its checksum over."""
    keys: Keys = {
        (0, b"string"): (b"abc" * 20, LATER),
        (0, b"list"): (list_of([b"a", b"b" * 30]), -1),
        (3, b"set"): (set_of([b"m%d" % number for number in range(5)]), -1),
        (3, b"zset"): (sorted_set_of({b"a": 1.5}), -1),
    }
    whole = write(keys)
    for spot in range(len(whole)):
        for bit in range(8):
            raw = bytearray(whole)
            raw[spot] ^= 1 << bit
            load = Load()
            with contextlib.suppress(RdbError):
                assert load.run(bytes(raw), 100)
                assert load.keys() == {key: (content(value), due) for key, (value, due) in keys.items()}


def test_strings_are_read_whichever_way_they_are_written() -> None:
    text = b"x" * 100
    for form in (string(text), b"\x80\x00\x00\x00\x64" + text, b"\x81" + (100).to_bytes(8, "big") + text):
        load = Load()
        load.run(HEAD + b"\x00\x01a" + form + END, 9)
        assert load.keys() == {(0, b"a"): (text, -1)}
