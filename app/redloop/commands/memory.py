"""MEMORY: where the memory goes (https://redis.io/docs/latest/commands/memory/).

What is allocated is an estimate (engine/memory.py); what is resident beyond it is what the allocators keep of what was freed, and is
reported as their fragmentation.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import READONLY, family
from redloop.engine.options import Options
from redloop.errors import SYNTAX, RedisError
from redloop.numbers import parse_int
from redloop.resp.replies import OK, Pairs, Reply, Verbatim
from redloop.values.footprint import footprint

command = family("server")

SAMPLES: Final = 5
SMALL: Final = 5 * 1024 * 1024
"""Below this there is nothing to diagnose, in bytes."""
SEGMENT_BYTES: Final = 600
"""About what a segment takes beside its keys: itself and three dicts."""
DICT_ENTRY: Final = 40
"""About what a key takes in the dicts of its segment: half-full tables of hash, key and value."""
NONDETERMINISTIC: Final = "nondeterministic_output request_policy:all_shards response_policy:special"

EMPTY_REPORT: Final = (
    "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these conditions. Please, leave "
    "for your mission on Earth and fill it with some data. The new Sam and I will be back to our programming as soon as I finished "
    "rebooting.\n"
)
NO_ISSUES: Final = "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
ISSUES: Final = "Sam, I detected a few issues in this Redis instance memory implants:\n\n"
CLOSING: Final = "I'm here to keep you safe, Sam. I want to help you.\n"
BIG_PEAK: Final = (
    " * Peak memory: In the past this instance used more than 150% the memory that is currently using. The allocator may not give all of "
    "it back to the system, so it is normal that it seems to use more than its data need.\n\n"
)
BIG_BUFFERS: Final = (
    " * Big client buffers: The clients' output buffers in this instance are greater than 200K per client (on average). This may result "
    "from clients that do not read what they are sent: look for omem in CLIENT LIST.\n\n"
)


@command(
    "MEMORY USAGE key [SAMPLES count]", "How many bytes a key and its value take.",
    READONLY, since="4.0.0", complexity="O(N)", keys="RO",
)
def memory_usage(client: Client, argv: list[bytes]) -> Reply:
    samples = SAMPLES
    options = Options(argv, 3)
    while options.more():
        if options.word() != b"SAMPLES" or not options.more():
            raise RedisError(SYNTAX)
        samples = parse_int(options.value())
        if samples < 0:
            raise RedisError(SYNTAX)
    value = client.db.held(argv[2])
    return None if value is None else footprint(argv[2], 0) + DICT_ENTRY + footprint(value, samples)


@command(
    "MEMORY STATS", "Where the memory goes, in figures.", 0, since="4.0.0", complexity="O(1)", tips=NONDETERMINISTIC,
)
def memory_stats(client: Client, argv: list[bytes]) -> Reply:
    server = client.server
    memory = server.memory
    used = memory.now()
    rss = max(memory.resident, used)
    buffers = _buffers(client)
    scripts, functions = server.scripts, server.functions
    flat: list[object] = [
        b"peak.allocated", memory.peak,
        b"total.allocated", used,
        b"startup.allocated", memory.at_start,
        b"replication.backlog", 0,
        b"replica.fullsync.buffer", 0,
        b"clients.slaves", 0,
        b"clients.normal", buffers,
        b"cluster.links", 0,
        b"aof.buffer", server.durability.aof.buffered() if server.durability is not None else 0,
        b"lua.caches", scripts.memory_of_scripts() if scripts is not None else 0,
        b"functions.caches", functions.memory_of_sources() if functions is not None else 0,
        b"script.VMs", (scripts.memory() if scripts is not None else 0) + (functions.memory() if functions is not None else 0),
    ]  # fmt: skip
    keys = 0
    directories = 0
    for database in client.keyspace.databases:
        if len(database):
            keys += len(database)
            main = len(database.segments()) * SEGMENT_BYTES
            table = sys.getsizeof(database.directory)
            directories += main + table
            flat += [
                b"db.%d" % database.index,
                Pairs([b"overhead.hashtable.main", main + table, b"overhead.hashtable.expires", 0]),
            ]
    overhead = memory.at_start + buffers + directories
    data = max(0, used - overhead)
    grown = max(1, used - memory.at_start)
    flat += [
        b"overhead.db.hashtable.lut", directories,
        b"overhead.db.hashtable.rehashing", 0,
        b"overhead.total", overhead,
        b"db.dict.rehashing.count", 0,
        b"keys.count", keys,
        b"keys.bytes-per-key", (used - memory.at_start) // keys if keys else 0,
        b"dataset.bytes", data,
        b"dataset.percentage", min(100.0, 100 * data / grown),
        b"peak.percentage", 100 * used / max(1, memory.peak),
        b"allocator.allocated", used,
        b"allocator.active", rss,
        b"allocator.resident", rss,
        b"allocator.muzzy", 0,
        b"allocator-fragmentation.ratio", rss / max(1, used),
        b"allocator-fragmentation.bytes", rss - used,
        b"allocator-rss.ratio", 1.0,
        b"allocator-rss.bytes", 0,
        b"rss-overhead.ratio", 1.0,
        b"rss-overhead.bytes", 0,
        b"fragmentation", rss / max(1, used),
        b"fragmentation.bytes", rss - used,
    ]  # fmt: skip
    return Pairs(flat)


def _buffers(client: Client) -> int:
    """Bytes that all clients take, with what they have sent and are owed."""
    return sum([other.memory_size() for other in client.server.clients.values()])


@command("MEMORY DOCTOR", "Where the memory goes, in words.", 0, since="4.0.0", complexity="O(1)", tips=NONDETERMINISTIC)
def memory_doctor(client: Client, argv: list[bytes]) -> Reply:
    memory = client.server.memory
    used = memory.now()
    if used - memory.at_start < SMALL:
        return _report(EMPTY_REPORT)
    found = ""
    if memory.peak > used * 1.5:
        found += BIG_PEAK
    if _buffers(client) > 200 * 1024 * max(1, len(client.server.clients)):
        found += BIG_BUFFERS
    return _report(ISSUES + found + CLOSING if found else NO_ISSUES)


def _report(text: str) -> Verbatim:
    return Verbatim(text.encode())


@command("MEMORY PURGE", "Gives memory that is free back to the system.", 0, since="4.0.0",
         tips="request_policy:all_shards response_policy:all_succeeded")
def memory_purge(client: Client, argv: list[bytes]) -> Reply:
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others have none
        if trim is not None:
            trim(0)
    return OK


@command("MEMORY MALLOC-STATS", "What the allocator tells of itself.", 0, since="4.0.0", tips=NONDETERMINISTIC)
def memory_malloc_stats(client: Client, argv: list[bytes]) -> Reply:
    return _report("Stats not supported for the current allocator")
