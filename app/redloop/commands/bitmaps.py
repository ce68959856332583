"""Bitmap commands (https://redis.io/docs/latest/commands/?group=bitmap): strings as arrays of bits, see `values.bits`.

A command that may write first makes the key an editable string of the length that it writes to, even where nothing then changes: Redis
does, and it shows in OBJECT ENCODING and STRLEN. Only what changed or grew is signalled and replayed.
"""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import Options
from redloop.errors import (
    BIT_NOT_0_OR_1,
    BIT_NOT_AN_INTEGER,
    BIT_OFFSET,
    BITFIELD_OVERFLOW,
    BITFIELD_RO,
    BITFIELD_TYPE,
    BITOP_NOT,
    SYNTAX,
    RedisError,
)
from redloop.events import GENERIC, STRING
from redloop.numbers import INT64_MAX, as_int, parse_int, parse_int_between
from redloop.resp.replies import Reply
from redloop.values import bits, strings

command = family("bitmap")


def _offset(client: Client, text: bytes, width: int = 0) -> int:
    """The number of a bit; with a `width` also `#n`, the n-th field of that width."""
    fields = width > 0 and text.startswith(b"#")
    at = parse_int(text[1:] if fields else text, BIT_OFFSET)
    if fields:
        # 64-bit arithmetic, as the real server's
        at = (at * width + (1 << 63)) % (1 << 64) - (1 << 63)
    if at < 0 or at >> 3 >= client.server.config.proto_max_bulk_len:
        raise RedisError(BIT_OFFSET)
    return at


class _Target:
    """The string at a key, being written to."""

    def __init__(self, client: Client, key: bytes, size: int) -> None:
        value = client.db.find_for_write(key)
        self.data: bytearray = strings.editable(value)
        self.grew = bits.grow(self.data, size)
        if self.data is not value:
            client.db.replace(key, self.data)


# --- single bits -----------------------------------------------------------------------------------------------------------------


@command(
    "SETBIT key offset value", "Sets or clears a bit of the string at a key, which grows as needed; gives the old one.",
    WRITE | DENYOOM, since="2.2.0", complexity="O(1)", keys="RW ACCESS UPDATE", types={"value": "integer"},
)
def setbit(client: Client, argv: list[bytes]) -> Reply:
    at = _offset(client, argv[2])
    bit = parse_int_between(argv[3], 0, 1, BIT_NOT_AN_INTEGER)
    key = argv[1]
    target = _Target(client, key, at + 1)
    old = bits.set_bit(target.data, at, bit)
    if target.grew or old != bit:
        client.db.changed(key, STRING, b"setbit")
    return old


@command("GETBIT key offset", "A bit of the string at a key.", READONLY | FAST, since="2.2.0", complexity="O(1)")
def getbit(client: Client, argv: list[bytes]) -> Reply:
    at = _offset(client, argv[2])
    return bits.get_bit(strings.view(client.db.find(argv[1])), at)


# --- ranges ----------------------------------------------------------------------------------------------------------------------


@command(
    "BITCOUNT key [start end [BYTE | BIT]]", "How many bits are set in the string at a key, or in a part of it.",
    READONLY, since="2.6.0", complexity="O(N)", added={"7.0.0": "unit"},
)
def bitcount(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) == 3 or len(argv) > 5:
        raise RedisError(SYNTAX)
    start, end, scale = 0, -1, 8
    if len(argv) > 3:
        start, end = parse_int(argv[2]), parse_int(argv[3])
        scale = _unit(argv, 4)
    string = strings.view(client.db.find(argv[1]))
    if start < 0 and end < 0 and start > end:
        return 0
    start, end = bits.clip(start, end, len(string) * 8 // scale)
    return bits.count(string, start * scale, end * scale + scale - 1)


@command(
    "BITPOS key bit [start [end [BYTE | BIT]]]", "The place of the first bit set, or clear, in the string at a key or a part of it.",
    READONLY, since="2.8.7", complexity="O(N)", added={"7.0.0": "unit"}, names={"end": "end-unit-block end"},
)
def bitpos(client: Client, argv: list[bytes]) -> Reply:
    bit = parse_int(argv[2])
    if bit not in (0, 1):
        raise RedisError(BIT_NOT_0_OR_1)
    if len(argv) > 6:
        raise RedisError(SYNTAX)
    start = parse_int(argv[3]) if len(argv) > 3 else 0
    scale = _unit(argv, 5)
    end = parse_int(argv[4]) if len(argv) > 4 else -1
    found = client.db.find(argv[1])
    if found is None:
        return -1 if bit else 0
    string = strings.view(found)
    start, end = bits.clip(start, end, len(string) * 8 // scale)
    if start > end:
        return -1
    place = bits.find(string, bit, start * scale, end * scale + scale - 1)
    # Behind a string of ones comes a zero, unless the caller said where to stop.
    return len(string) * 8 if place < 0 and bit == 0 and len(argv) < 5 else place


def _unit(argv: list[bytes], at: int) -> int:
    """Bits in a unit of the range: BYTE, which goes without saying, or BIT."""
    if len(argv) <= at:
        return 8
    match argv[at].upper():
        case b"BYTE":
            return 8
        case b"BIT":
            return 1
        case _:
            raise RedisError(SYNTAX)


@command(
    "BITOP <AND | OR | XOR | NOT> destkey key [key ...]", "Combines strings bit by bit and stores the result; gives its length.",
    WRITE | DENYOOM, since="2.6.0", complexity="O(N)", keys="OW UPDATE, RO ACCESS",
)
def bitop(client: Client, argv: list[bytes]) -> Reply:
    operation = argv[1].upper()
    if operation not in (b"AND", b"OR", b"XOR", b"NOT"):
        raise RedisError(SYNTAX)
    if operation == b"NOT" and len(argv) != 4:
        raise RedisError(BITOP_NOT)
    db = client.db
    result = bits.combine(operation, [strings.view(db.find(key)) for key in argv[3:]])
    destination = argv[2]
    if result:
        db.put(destination, result)
        db.changed(destination, STRING, b"set")
    else:
        db.for_write(destination)
        if db.remove(destination):
            db.changed(destination, GENERIC, b"del")
    return len(result)


# --- fields ----------------------------------------------------------------------------------------------------------------------


class _Step:
    """One operation on a field."""

    def __init__(self, operation: bytes, signed: bool, width: int, at: int, value: int, overflow: int) -> None:
        self.operation = operation
        self.signed = signed
        self.width = width
        self.at = at
        self.value = value
        self.overflow = overflow

    def to_set(self) -> int:
        """The value of a SET as the 64-bit arithmetic of the real server sees it: without a sign where the field has none, and where it
        saturates, far enough below the field's range is above.
        """
        if not self.signed:
            return self.value % (1 << 64)
        highest = (1 << (self.width - 1)) - 1
        if self.overflow == bits.SATURATE and self.width < 64 and self.value < highest - INT64_MAX:
            return INT64_MAX
        return self.value


@command(
    "BITFIELD key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> "
    "[GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> ...]]",
    "Reads, sets and counts integers of any width inside the string at a key.",
    WRITE | DENYOOM, since="3.2.0", complexity="O(1)", keys="RW ACCESS UPDATE VARIABLE_FLAGS", types={"value": "integer"},
    names={"GET": "operation get-block", "OVERFLOW": "write overflow-block", "SET": "write-operation set-block", "INCRBY": "incrby-block"},
)
def bitfield(client: Client, argv: list[bytes]) -> Reply:
    steps = _steps(client, argv)
    end = max([step.at + step.width for step in steps if step.operation != b"GET"], default=0)
    if not end:
        return _read(client, argv[1], steps)
    key = argv[1]
    target = _Target(client, key, end)
    replies: list[object] = []
    changes = 0
    for step in steps:
        old = bits.get_field(target.data, step.at, step.width, step.signed)
        if step.operation == b"GET":
            replies.append(old)
            continue
        wanted = step.value + old if step.operation == b"INCRBY" else step.to_set()
        new = bits.fit(wanted, step.width, step.signed, step.overflow)
        if new is None:
            replies.append(None)
            continue
        replies.append(new if step.operation == b"INCRBY" else old)
        bits.set_field(target.data, step.at, step.width, new)
        if target.grew or new != old:
            changes += 1
    if changes:
        client.db.changed(key, STRING, b"setbit", changes)
    elif target.grew:
        client.replay_as(argv)  # Redis forgets the zeros that a step which fails leaves, and has lost them after a restart
    return replies


@command(
    "BITFIELD_RO key [GET encoding offset [GET encoding offset ...]]",
    "Reads integers of any width inside the string at a key.",
    READONLY | FAST, since="6.0.0", complexity="O(1)", names={"GET": "get-block"},
)
def bitfield_ro(client: Client, argv: list[bytes]) -> Reply:
    steps = _steps(client, argv)
    for step in steps:
        if step.operation != b"GET":
            raise RedisError(BITFIELD_RO)
    return _read(client, argv[1], steps)


def _read(client: Client, key: bytes, steps: list[_Step]) -> list[object]:
    string = strings.view(client.db.find(key))
    return [bits.get_field(string, step.at, step.width, step.signed) for step in steps]


def _steps(client: Client, argv: list[bytes]) -> list[_Step]:
    steps: list[_Step] = []
    overflow = bits.WRAP
    options = Options(argv, 2)
    while options.more():
        operation = options.word()
        match operation:
            case b"OVERFLOW":
                overflow = _overflow(options)
            case b"GET" | b"SET" | b"INCRBY":
                if options.left() < (2 if operation == b"GET" else 3):
                    raise RedisError(SYNTAX)
                signed, width = _field_type(options.value())
                at = _offset(client, options.value(), width)
                value = 0 if operation == b"GET" else options.integer()
                steps.append(_Step(operation, signed, width, at, value, overflow))
            case _:
                raise RedisError(SYNTAX)
    return steps


def _overflow(options: Options) -> int:
    match options.value().upper():
        case b"WRAP":
            return bits.WRAP
        case b"SAT":
            return bits.SATURATE
        case b"FAIL":
            return bits.FAIL
        case _:
            raise RedisError(BITFIELD_OVERFLOW)


def _field_type(text: bytes) -> tuple[bool, int]:
    """`i` or `u` and a width: whether it is signed, and the width."""
    signed = text.startswith(b"i")
    width = as_int(text[1:]) if signed or text.startswith(b"u") else None
    if width is None or not 1 <= width <= (64 if signed else 63):
        raise RedisError(BITFIELD_TYPE)
    return signed, width
