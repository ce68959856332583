"""Values of every type, and packs as only older servers wrote them, for the tests of RDB."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from redloop.config import Config
from redloop.persistence.rdb.codecs import crc64
from redloop.persistence.rdb.save import length_bytes
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream
from redloop.values.stream_ids import MAX_ID, MAX_PART

CONFIG = Config()
LATER = 4_102_444_800_000

integers = st.integers(-(1 << 63), (1 << 63) - 1).map(lambda number: b"%d" % number)
nearly_integers = st.sampled_from([b"-0", b"007", b"+1", b"", b" 1", b"-", b"9223372036854775808", b"-9223372036854775809", b"1e3"])
small_integers = st.integers(-70000, 70000).map(lambda number: b"%d" % number)
repetitive = st.builds(lambda part, times: part * times, st.binary(min_size=1, max_size=6), st.integers(4, 1500))
texts = st.one_of(st.binary(max_size=80), integers, small_integers, nearly_integers, repetitive)
scores = st.one_of(st.floats(allow_nan=False), st.integers(-1000, 1000).map(float))


def list_of(items: Sequence[bytes]) -> List:
    value = List()
    value.push_tail(list(items), CONFIG.list_max_listpack_size)
    return value


def set_of(members: Sequence[bytes]) -> Set:
    value = Set()
    for member in members:
        value.add(member)
        value.settle(CONFIG.set_max_intset_entries, CONFIG.set_max_listpack_entries, CONFIG.set_max_listpack_value)
    return value


def hash_of(fields: dict[bytes, bytes], expiring: dict[bytes, int] | None = None) -> Hash:
    value = Hash()
    for field, text in fields.items():
        value.set(field, text)
    for field, due in (expiring or {}).items():
        value.set_due(field, due)
    value.settle(CONFIG.hash_max_listpack_entries, CONFIG.hash_max_listpack_value)
    return value


def sorted_set_of(entries: dict[bytes, float]) -> SortedSet:
    value = SortedSet()
    for member, score in entries.items():
        value.add(member, score)
        value.settle(CONFIG.zset_max_listpack_entries, CONFIG.zset_max_listpack_value)
    return value


@st.composite
def hashes(draw: st.DrawFn) -> Hash:
    fields = draw(st.dictionaries(texts, texts, min_size=1, max_size=200))
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=5))
    return hash_of(fields, {field: LATER + draw(st.integers(0, 1 << 40)) for field in chosen})


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    value = Stream()
    names = draw(st.lists(texts, min_size=1, max_size=3))
    parts = st.one_of(st.integers(0, 300), st.integers(0, MAX_PART // 400))
    for _ in range(draw(st.integers(0, 40))):
        ident = (value.last_id >> 64) + draw(parts) << 64 | draw(parts)
        if ident > value.last_id:
            fields = names if draw(st.booleans()) else [draw(texts)]
            pairs = [part for name in fields for part in (name, draw(texts))]
            value.append(ident, pairs, CONFIG.stream_node_max_bytes, draw(st.sampled_from([3, 100])))
    ids = [entry[0] for entry in value.range(0, MAX_ID, 0)]
    for ident in draw(st.lists(st.sampled_from(ids), max_size=5)) if ids else []:
        value.delete(ident)
    value.deleted()
    for number in range(draw(st.integers(0, 2))):
        group = value.create_group(b"group %d" % number, draw(st.sampled_from([0, value.last_id])), draw(st.integers(-1, 99)))
        assert group is not None
        for who in draw(st.lists(texts, unique=True, max_size=3)):
            consumer = group.create_consumer(who, draw(st.integers(0, LATER)))
            consumer.active_ms = draw(st.integers(-1, LATER))
            for ident in draw(st.lists(st.sampled_from(ids), unique=True, max_size=8)) if ids else []:
                if group.pending.get(ident) is None:
                    group.deliver(ident, consumer, draw(st.integers(0, LATER))).deliveries = draw(st.integers(0, 1 << 40))
    return value


strings = st.one_of(texts, texts.map(bytearray), st.integers(-(1 << 63), (1 << 63) - 1))
values = st.one_of(
    strings,
    st.lists(texts, min_size=1, max_size=300).map(list_of),
    st.lists(texts, min_size=1, max_size=300).map(set_of),
    st.lists(small_integers, min_size=1, max_size=700).map(set_of),
    hashes(),
    st.dictionaries(texts, scores, min_size=1, max_size=300).map(sorted_set_of),
    streams(),
)


def content(value: object) -> object:
    """What a value comes to, whichever way it is held."""
    if isinstance(value, List):
        return value.items()
    if isinstance(value, Set):
        return sorted(value.members())
    if isinstance(value, Hash):
        flat = value.flat()
        return sorted((field, text, value.due(field)) for field, text in zip(flat[::2], flat[1::2], strict=True))
    if isinstance(value, SortedSet):
        return list(zip(value.members(0, len(value)), map(str, value.scores(0, len(value))), strict=True))
    if isinstance(value, Stream):
        return stream_content(value)
    return b"%d" % value if isinstance(value, int) else bytes(value)  # type: ignore[call-overload]


def stream_content(value: Stream) -> object:
    groups = [
        (
            name, group.last_id, group.entries_read, [ident for ident, _ in group.pending.entries()],
            [
                (
                    consumer.name, consumer.seen_ms, consumer.active_ms,
                    [(ident, pending.delivered_ms, pending.deliveries) for ident, pending in consumer.pending.entries()],
                )
                for consumer in group.sorted_consumers()
            ],
        )
        for name, group in sorted(value.groups.items())
    ]  # fmt: skip
    nodes = [(node.master, node.count, node.live, node.listpack_size()) for node in value.nodes]
    facts = (value.length, value.last_id, value.first_id, value.max_deleted_id, value.entries_added)
    return nodes, value.range(0, MAX_ID, 0), facts, groups


# --- payloads by hand --------------------------------------------------------------------------------------------------------------


def payload(kind: int, body: bytes, version: int = 6) -> bytes:
    raw = bytes([kind]) + body + version.to_bytes(2, "little")
    return raw + crc64(raw)


def string(text: bytes) -> bytes:
    return length_bytes(len(text)) + text


def ziplist(entries: Sequence[bytes | int]) -> bytes:
    """As Redis before version 7 wrote lists, hashes and sorted sets; an int is written as one."""
    out = b""
    previous, tail = 0, 10
    for entry in entries:
        raw = bytes([previous]) if previous < 254 else b"\xfe" + previous.to_bytes(4, "little")
        if isinstance(entry, bytes):
            size = len(entry)
            if size < 64:
                raw += bytes([size])
            else:
                raw += bytes([0x40 | size >> 8, size & 255]) if size < 16384 else b"\x80" + size.to_bytes(4, "big")
            raw += entry
        elif 0 <= entry <= 12:
            raw += bytes([0xF1 + entry])
        else:
            for mark, width in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
                if -(1 << width * 8 - 1) <= entry < 1 << width * 8 - 1:
                    raw += bytes([mark]) + entry.to_bytes(width, "little", signed=True)
                    break
        tail, previous, out = 10 + len(out), len(raw), out + raw
    return (11 + len(out)).to_bytes(4, "little") + tail.to_bytes(4, "little") + len(entries).to_bytes(2, "little") + out + b"\xff"


def zipmap(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """As Redis before version 2.6 wrote small hashes."""
    out = bytes([min(len(entries), 254)])
    for field, text in entries:
        for part, free in ((field, b""), (text, b"\0")):
            out += bytes([len(part)]) if len(part) < 254 else b"\xfe" + len(part).to_bytes(4, "little")
            out += free + part
    return out + b"\xff"
