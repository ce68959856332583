"""HyperLogLog commands (https://redis.io/docs/latest/commands/?group=hyperloglog): strings in the format of `values.hyperloglog`.

PFCOUNT of one key keeps its result in the string, which is a change to be replayed although the command only reads.
"""

from __future__ import annotations

from random import Random

from redloop.engine.client import Client
from redloop.engine.command import ADMIN, DENYOOM, FAST, READONLY, WRITE, family
from redloop.errors import (
    HYPERLOGLOG_NOT_SPARSE,
    NO_SUCH_HYPERLOGLOG,
    NOT_A_HYPERLOGLOG,
    ON_OR_OFF,
    RedisError,
    selftest_failed,
    unknown_pfdebug,
)
from redloop.events import SILENT, STRING
from redloop.resp.replies import OK, Reply, Simple
from redloop.values import hyperloglog, strings

command = family("hyperloglog")


def _checked(value: object) -> bytes | bytearray | None:
    """A value that must be a HyperLogLog if it is there."""
    if value is None:
        return None
    string = strings.view(value)
    if not hyperloglog.is_valid(string):
        raise RedisError(NOT_A_HYPERLOGLOG)
    return string


def _editable(client: Client, key: bytes) -> bytearray | None:
    """The HyperLogLog at `key`, to be changed in place."""
    value = client.db.find_for_write(key)
    if _checked(value) is None:
        return None
    string = strings.editable(value)
    if string is not value:
        client.db.replace(key, string)
    return string


def _create(client: Client, key: bytes) -> bytearray:
    string = hyperloglog.create()
    client.db.put(key, string)
    return string


@command(
    "PFADD key [element [element ...]]", "Adds elements to a HyperLogLog, which comes into being if there is none.",
    WRITE | DENYOOM | FAST, since="2.8.9", complexity="O(1)", keys="RW INSERT",
)
def pfadd(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    string = _editable(client, key)
    changes = 0
    if string is None:
        string = _create(client, key)
        changes = 1
    limit = client.server.config.hll_sparse_max_bytes
    for element in argv[2:]:
        if hyperloglog.add(string, element, limit):
            changes += 1
    if not changes:
        return 0
    hyperloglog.outdate(string)
    client.db.changed(key, STRING, b"pfadd", changes)
    return 1


@command(
    "PFCOUNT key [key ...]", "About how many different elements one HyperLogLog has seen, or several together.",
    READONLY, since="2.8.9", complexity="O(1)", keys="RW ACCESS",
)
def pfcount(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 2:
        return hyperloglog.estimate(_union(client, argv[1:]))
    key = argv[1]
    found = _checked(client.db.find(key))
    if found is None:
        return 0
    count = hyperloglog.last_count(found)
    if count < 0:
        count = hyperloglog.estimate(hyperloglog.registers(found))
        client.db.for_write(key)
        string = strings.editable(found)
        if string is not found:
            client.db.replace(key, string)
        hyperloglog.keep_count(string, count)
        client.db.changed(key, SILENT, b"")
    return count


def _union(client: Client, keys: list[bytes]) -> bytearray:
    """The registers of several HyperLogLogs together."""
    union = bytearray(hyperloglog.REGISTERS)
    for key in keys:
        found = _checked(client.db.find(key))
        if found is not None:
            union = hyperloglog.merged(union, hyperloglog.registers(found))
    return union


@command(
    "PFMERGE destkey [sourcekey [sourcekey ...]]", "Adds to a HyperLogLog what others have seen.",
    WRITE | DENYOOM, since="2.8.9", complexity="O(N)", keys="RW ACCESS INSERT, RO ACCESS",
)
def pfmerge(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    dense = False
    union = bytearray(hyperloglog.REGISTERS)
    for source in argv[1:]:
        found = _checked(client.db.find(source))
        if found is not None:
            dense = dense or found[4] == hyperloglog.DENSE
            union = hyperloglog.merged(union, hyperloglog.registers(found))
    string = _editable(client, key)
    if string is None:
        string = _create(client, key)
    if dense and string[4] == hyperloglog.SPARSE:
        hyperloglog.to_dense(string)
    hyperloglog.raise_all(string, union, client.server.config.hll_sparse_max_bytes)
    hyperloglog.outdate(string)
    client.db.changed(key, STRING, b"pfadd")
    return OK


# --- debugging -------------------------------------------------------------------------------------------------------------------


@command(
    "PFDEBUG subcommand key", "Shows or changes how a HyperLogLog is stored.",
    WRITE | DENYOOM | ADMIN, since="2.8.9", keys="RW ACCESS", doc_flags="syscmd",
)
def pfdebug(client: Client, argv: list[bytes]) -> Reply:
    subcommand = argv[1].upper()
    if subcommand == b"SIMD":
        switch = argv[2].upper()
        if switch not in (b"ON", b"OFF"):
            raise RedisError(ON_OR_OFF)
        return Simple(b"enabled" if switch == b"ON" else b"disabled")
    key = argv[2]
    string = _editable(client, key)
    if string is None:
        raise RedisError(NO_SUCH_HYPERLOGLOG)
    match subcommand:
        case b"GETREG":
            _make_dense(client, key, string)
            return list(hyperloglog.registers(string))
        case b"DECODE":
            if string[4] == hyperloglog.DENSE:
                raise RedisError(HYPERLOGLOG_NOT_SPARSE)
            return hyperloglog.runs(string)
        case b"ENCODING":
            return Simple(b"sparse" if string[4] == hyperloglog.SPARSE else b"dense")
        case b"TODENSE":
            return 1 if _make_dense(client, key, string) else 0
        case _:
            raise RedisError(unknown_pfdebug(argv[1]))


def _make_dense(client: Client, key: bytes, string: bytearray) -> bool:
    if string[4] == hyperloglog.DENSE:
        return False
    hyperloglog.to_dense(string)
    client.db.changed(key, SILENT, b"")
    return True


@command("PFSELFTEST", "Tries the HyperLogLogs out.", ADMIN, since="2.8.9", doc_flags="syscmd")
def pfselftest(client: Client, argv: list[bytes]) -> Reply:
    """Random registers must come back from both encodings, and the estimate must be within four standard errors (0.81 % each)."""
    random = Random(0)
    limit = client.server.config.hll_sparse_max_bytes
    wanted = bytearray(hyperloglog.REGISTERS)
    string = hyperloglog.create()
    dense = hyperloglog.create()
    hyperloglog.to_dense(dense)
    for _ in range(1000):
        index, value = random.randrange(hyperloglog.REGISTERS), random.randrange(1, 33)
        wanted[index] = max(wanted[index], value)
        hyperloglog.raise_register(string, index, value, limit)
        hyperloglog.raise_register(dense, index, value, limit)
        if hyperloglog.registers(string)[index] != wanted[index]:
            raise RedisError(selftest_failed(f"register {index} reads differently from what was written"))
    if hyperloglog.registers(string) != wanted or hyperloglog.registers(dense) != wanted:
        raise RedisError(selftest_failed("the registers read differently from what was written"))
    counted = hyperloglog.create()
    for number in range(10000):
        hyperloglog.add(counted, b"%d" % number, limit)
    if abs(hyperloglog.estimate(hyperloglog.registers(counted)) - 10000) > 10000 * 4 * 0.0081:
        raise RedisError(selftest_failed("the estimate is too far off"))
    return OK
