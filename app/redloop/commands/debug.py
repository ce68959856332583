"""DEBUG: what tools and test suites lean on (DEBUG HELP of Redis 8.0). Off unless enable-debug-command allows it.

One command with a table of its own, as in Redis: COMMAND does not list what it takes. A line in `TABLE` is the fewest and the most words of
a subcommand, itself included, its function and its help.
"""

from __future__ import annotations

import logging
import os
from typing import Final

from redloop.commands.objects import reference_count
from redloop.engine.client import PARKED_BLOCKED, Client
from redloop.engine.command import ADMIN, LOADING, NOSCRIPT, STALE, Handler, family
from redloop.engine.durability import Durability
from redloop.engine.guards import check_enabled
from redloop.errors import (
    DEBUG_LOADAOF_FAILED,
    DEBUG_LOADAOF_NOT_NOW,
    DEBUG_PROTOCOL_TYPES,
    DEBUG_RELOAD_FAILED,
    DEBUG_RELOAD_OPTIONS,
    NO_SUCH_KEY,
    PUSH_NEEDS_RESP3,
    RedisError,
    unknown_subcommand_or_arity,
)
from redloop.keyspace.digest import digest_of_all, digest_of_value
from redloop.logs import WARNING
from redloop.numbers import as_float, parse_positive
from redloop.persistence.rdb import payload
from redloop.resp.replies import NOTHING, OK, Attributed, BigNumber, Members, Pairs, Push, Reply, Several, Simple, Verbatim
from redloop.values.list import List
from redloop.values.types import encoding

command = family("server")
log = logging.getLogger("redloop.debug")

ENVELOPE: Final = 11
"""Bytes of a DUMP payload that are not the value: its type, version and checksum."""
LRU_CLOCK_MASK: Final = (1 << 24) - 1


@command("DEBUG", "Looks inside, and simulates faults.", ADMIN | NOSCRIPT | LOADING | STALE, since="1.0.0", arity=-2, doc_flags="syscmd")
def debug(client: Client, argv: list[bytes]) -> Reply:
    check_enabled(client, "debug")
    entry = TABLE.get(argv[1].upper())
    if entry is None or not entry[0] <= len(argv) - 1 <= entry[1]:
        raise RedisError(unknown_subcommand_or_arity("debug", argv[1]))
    return entry[2](client, argv)


def _help(client: Client, argv: list[bytes]) -> Reply:
    lines = ["DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for name, entry in sorted(TABLE.items()):
        usage, _, summary = entry[3].partition(" | ")
        lines += [f"{name.decode()} {usage}".rstrip(), f"    {summary}"]
    replies: list[object] = [Simple(line.encode()) for line in lines]
    return replies


def _sleep(client: Client, argv: list[bytes]) -> Reply:
    client.clock.sleep(as_float(argv[2]) or 0.0)
    return OK


def _object(client: Client, argv: list[bytes]) -> Reply:
    key = argv[2]
    value = client.db.held(key)
    if value is None:
        raise RedisError(NO_SUCH_KEY)
    config = client.server.config
    second = client.db.accessed(key)
    fields = [
        f"Value at:{id(value):#x}",
        f"refcount:{reference_count(value, config)}",
        f"encoding:{encoding(value, config).decode()}",
        f"serializedlength:{len(payload.dump(value, config)) - ENVELOPE}",
        f"lru:{second & LRU_CLOCK_MASK}",
        f"lru_seconds_idle:{max(0, client.clock.seconds - second)}",
    ]
    if isinstance(value, List) and not value.compact:
        sizes = value.node_sizes()
        fields += [
            f"ql_nodes:{len(sizes)}",
            f"ql_avg_node:{len(value) / len(sizes):.2f}",
            f"ql_listpack_max:{config.list_max_listpack_size}",
            "ql_compressed:0",
            f"ql_uncompressed_size:{sum(sizes)}",
        ]
    return Simple(" ".join(fields).encode())


def _set_active_expire(client: Client, argv: list[bytes]) -> Reply:
    client.server.active_expiry = argv[2] == b"1"
    return OK


def _populate(client: Client, argv: list[bytes]) -> Reply:
    count = parse_positive(argv[2])
    prefix = argv[3] if len(argv) > 3 else b"key"
    size = parse_positive(argv[4]) if len(argv) > 4 else 0
    db = client.db
    for number in range(count):
        key = b"%b:%d" % (prefix, number)
        if not db.exists(key):
            value = b"value:%d" % number
            db.put(key, value[:size].ljust(size, b"\0") if size else value)
    return OK


def _error(client: Client, argv: list[bytes]) -> Reply:
    return RedisError(argv[2].decode("utf-8", "surrogateescape"))  # an answer, not an error: it is not counted


def _log(client: Client, argv: list[bytes]) -> Reply:
    log.log(WARNING, "DEBUG LOG: %s", argv[2].decode("utf-8", "surrogateescape"))
    return OK


def _change_repl_id(client: Client, argv: list[bytes]) -> Reply:
    client.server.replication_id = os.urandom(20).hex()
    return OK


def _digest(client: Client, argv: list[bytes]) -> Reply:
    return Simple(digest_of_all(client.keyspace).hex().encode())


def _digest_value(client: Client, argv: list[bytes]) -> Reply:
    digests: list[object] = [Simple(digest_of_value(client.db, key).hex().encode()) for key in argv[2:]]
    return digests


def _protocol(client: Client, argv: list[bytes]) -> Reply:
    match argv[2].lower():
        case b"string":
            return b"Hello World"
        case b"integer":
            return 12345
        case b"double":
            return 3.141
        case b"bignum":
            return BigNumber(1234567999999999999999999999999999999)
        case b"null":
            return None
        case b"array":
            return [0, 1, 2]
        case b"set":
            return Members([0, 1, 2])
        case b"map":
            return Pairs([0, False, 1, True, 2, False])
        case b"attrib":
            return Attributed(Pairs([b"key-popularity", [b"key:123", 90]]), b"Some real reply following the attribute")
        case b"push":
            if not client.resp3:
                raise RedisError(PUSH_NEEDS_RESP3)
            return Several([b"Some real reply following the push reply", Push([b"server-cpu-usage", 42])])
        case b"verbatim":
            return Verbatim(b"This is a verbatim\nstring")
        case b"true":
            return True
        case b"false":
            return False
    raise RedisError(DEBUG_PROTOCOL_TYPES)


def _reload(client: Client, argv: list[bytes]) -> Reply:
    options = {word.upper() for word in argv[2:]}
    if not options <= {b"MERGE", b"NOFLUSH", b"NOSAVE"}:
        raise RedisError(DEBUG_RELOAD_OPTIONS)
    durability: Durability = client.server.durability
    if not durability.saving.reload(b"NOSAVE" not in options, b"NOFLUSH" not in options, b"MERGE" in options):
        raise RedisError(DEBUG_RELOAD_FAILED)
    log.warning("DB reloaded by DEBUG RELOAD")
    return OK


def _load_aof(client: Client, argv: list[bytes]) -> Reply:
    durability: Durability = client.server.durability
    if client.may_not_block or not durability.load_again(AofLoaded(client).tell):
        raise RedisError(DEBUG_LOADAOF_NOT_NOW)
    client.park(PARKED_BLOCKED)
    return NOTHING


class AofLoaded:
    """Whoever asked for DEBUG LOADAOF, until it is told."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def tell(self, success: bool) -> None:
        """It has ended."""
        if not self.client.closed:
            self.client.answer(OK if success else RedisError(DEBUG_LOADAOF_FAILED))
            self.client.resume(PARKED_BLOCKED)


TABLE: Final[dict[bytes, tuple[int, int, Handler, str]]] = {
    b"CHANGE-REPL-ID": (1, 1, _change_repl_id, "| Takes a new replication id."),
    b"DIGEST": (1, 1, _digest, "| A hash of the whole data set."),
    b"DIGEST-VALUE": (1, 1 << 31, _digest_value, "<key> [<key> ...] | Hashes of values."),
    b"ERROR": (2, 2, _error, "<string> | Answers an error."),
    b"HELP": (1, 1, _help, "| Print this help."),
    b"LOADAOF": (1, 1, _load_aof, "| Empties the keyspace and loads the append-only file."),
    b"LOG": (2, 2, _log, "<message> | Writes to the log."),
    b"OBJECT": (2, 2, _object, "<key> | How a value is kept."),
    b"POPULATE": (2, 4, _populate, "<count> [<prefix>] [<size>] | Creates keys key:0, key:1, ... where there are none."),
    b"PROTOCOL": (2, 2, _protocol, "<type> | A reply of that type: string, integer, double, bignum, null, array, set, map, attrib, ..."),
    b"RELOAD": (1, 1 << 31, _reload, "[MERGE] [NOFLUSH] [NOSAVE] | Saves, empties the keyspace and loads the RDB file."),
    b"SET-ACTIVE-EXPIRE": (2, 2, _set_active_expire, "<0|1> | Whether keys that are due vanish though nobody asks for them."),
    b"SLEEP": (2, 2, _sleep, "<seconds> | Stops the whole server for a while."),
}  # fmt: skip
