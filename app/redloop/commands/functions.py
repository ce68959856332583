"""FUNCTION, FCALL and FCALL_RO (https://redis.io/docs/latest/develop/interact/programmability/functions-intro/).

What changes the libraries is replayed word for word, like a command that changes a key.
"""

from __future__ import annotations

from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import (
    ALLOW_BUSY,
    DENYOOM,
    NO_MANDATORY_KEYS,
    NOSCRIPT,
    READONLY,
    SKIP_MONITOR,
    STALE,
    WRITE,
    family,
)
from redloop.errors import (
    BUSY_SCRIPT,
    DUMP_PAYLOAD,
    FUNCTION_FLUSH_OPTION,
    FUNCTION_NUMKEYS,
    FUNCTION_POLICY,
    LIBRARY_NO_NAME,
    NUMKEYS_NEGATIVE,
    NUMKEYS_TOO_MANY,
    RedisError,
    function_argument,
    function_option,
    unknown_subcommand_or_arity,
)
from redloop.numbers import parse_int
from redloop.patterns import compile_pattern
from redloop.persistence.rdb.payload import intact
from redloop.resp.replies import OK, Members, Pairs, Reply, Simple
from redloop.scripting.functions import Functions, Library
from redloop.scripting.scripts import FLAGS

command = family("scripting")

CALLS: Final = NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS
KEYS_AND_ARGUMENTS: Final = "function numkeys [key [key ...]] [arg [arg ...]]"
DEPENDS: Final = "Depends on the function."
EVERY_SHARD: Final = "request_policy:all_shards response_policy:all_succeeded"


def _functions(client: Client) -> Functions:
    functions: Functions = client.server.functions
    return functions


def _call(client: Client, argv: list[bytes], read_only: bool) -> Reply:
    client.server.monitors.show(client, argv)
    functions = _functions(client)
    function = functions.find(argv[1])
    count = parse_int(argv[2], FUNCTION_NUMKEYS)
    if count > len(argv) - 3:
        raise RedisError(NUMKEYS_TOO_MANY)
    if count < 0:
        raise RedisError(NUMKEYS_NEGATIVE)
    return functions.run(client, argv, function, count, read_only)


@command(f"FCALL {KEYS_AND_ARGUMENTS}", "Calls a function.", CALLS, since="7.0.0", complexity=DEPENDS, keys="RW ACCESS UPDATE")
def fcall(client: Client, argv: list[bytes]) -> Reply:
    return _call(client, argv, False)


@command(f"FCALL_RO {KEYS_AND_ARGUMENTS}", "Calls a function that only reads.", CALLS | READONLY, since="7.0.0", complexity=DEPENDS,
         keys="RO ACCESS")
def fcall_ro(client: Client, argv: list[bytes]) -> Reply:
    return _call(client, argv, True)


@command("FUNCTION LOAD [REPLACE] function-code", "Loads a library; the name that it gives itself.", WRITE | DENYOOM | NOSCRIPT,
         since="7.0.0", complexity="O(1), beside what the library itself does.", tips=EVERY_SHARD)
def function_load(client: Client, argv: list[bytes]) -> Reply:
    for option in argv[2:-1]:
        if option.lower() != b"replace":
            raise RedisError(function_option(option))
    name = _functions(client).load(argv[-1], replace=len(argv) > 3, hurry=not client.obeyed)
    client.keyspace.dirty += 1
    return name


@command("FUNCTION DELETE library-name", "Takes a library and its functions away.", WRITE | NOSCRIPT, since="7.0.0", complexity="O(1)",
         tips=EVERY_SHARD)
def function_delete(client: Client, argv: list[bytes]) -> Reply:
    _functions(client).delete(argv[2])
    client.keyspace.dirty += 1
    return OK


@command("FUNCTION FLUSH [ASYNC | SYNC]", "Takes all libraries away.", WRITE | NOSCRIPT, since="7.0.0",
         complexity="O(N) in the number of functions.", tips=EVERY_SHARD)
def function_flush(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 3:
        raise RedisError(unknown_subcommand_or_arity("function", argv[1]))
    if len(argv) == 3 and argv[2].lower() not in (b"async", b"sync"):
        raise RedisError(FUNCTION_FLUSH_OPTION)
    _functions(client).flush()
    client.keyspace.dirty += 1
    return OK


@command("FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE]", "The libraries with their functions.", NOSCRIPT, since="7.0.0",
         complexity="O(N) in the number of functions.", tips="nondeterministic_output_order")
def function_list(client: Client, argv: list[bytes]) -> Reply:
    pattern = None
    with_code = False
    at = 2
    while at < len(argv):
        option = argv[at].lower()
        if option == b"withcode" and not with_code:
            with_code = True
        elif option == b"libraryname" and pattern is None:
            at += 1
            if at == len(argv):
                raise RedisError(LIBRARY_NO_NAME)
            pattern = compile_pattern(argv[at], nocase=True)
        else:
            raise RedisError(function_argument(argv[at]))
        at += 1
    libraries = _functions(client).libraries.values()
    return [_described(library, with_code) for library in libraries if pattern is None or pattern.matches(library.name)]


def _described(library: Library, with_code: bool) -> Pairs:
    functions: list[object] = []
    for function in library.functions.values():
        flags: list[object] = [Simple(flag) for flag, bit in FLAGS.items() if function.flags & bit]
        functions.append(Pairs([b"name", function.name, b"description", function.description, b"flags", Members(flags)]))
    flat: list[object] = [b"library_name", library.name, b"engine", b"LUA", b"functions", functions]
    if with_code:
        flat += [b"library_code", library.source]
    return Pairs(flat)


@command("FUNCTION STATS", "What runs, and how much there is.", NOSCRIPT | ALLOW_BUSY, since="7.0.0", complexity="O(1)",
         tips="nondeterministic_output request_policy:all_shards response_policy:special")
def function_stats(client: Client, argv: list[bytes]) -> Reply:
    functions = _functions(client)
    running: object = None
    busy = functions.busy
    if busy.caller is not None:
        if not busy.function:
            raise RedisError(BUSY_SCRIPT)
        running = Pairs([b"name", busy.function.encode(), b"command", list(functions.running), b"duration_ms", busy.running_ms()])
    counts = Pairs([b"libraries_count", len(functions.libraries), b"functions_count", functions.count()])
    return Pairs([b"running_script", running, b"engines", Pairs([b"LUA", counts])])


@command("FUNCTION KILL", "Ends the function that runs, if it has written nothing yet.", NOSCRIPT | ALLOW_BUSY, since="7.0.0",
         complexity="O(1)", tips="request_policy:all_shards response_policy:one_succeeded")
def function_kill(client: Client, argv: list[bytes]) -> Reply:
    _functions(client).busy.kill(function=True)
    return OK


@command("FUNCTION DUMP", "All libraries as a payload for FUNCTION RESTORE.", NOSCRIPT, since="7.0.0",
         complexity="O(N) in the number of functions.")
def function_dump(client: Client, argv: list[bytes]) -> Reply:
    return _functions(client).dump()


@command("FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]", "Loads the libraries that FUNCTION DUMP gave.",
         WRITE | DENYOOM | NOSCRIPT, since="7.0.0", complexity="O(N) in the number of functions.", tips=EVERY_SHARD,
         names={"FLUSH": "policy"})
def function_restore(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 4:
        raise RedisError(unknown_subcommand_or_arity("function", argv[1]))
    policy = argv[3].lower() if len(argv) == 4 else b"append"
    if policy not in (b"flush", b"append", b"replace"):
        raise RedisError(FUNCTION_POLICY)
    if not intact(argv[2]):
        raise RedisError(DUMP_PAYLOAD)
    _functions(client).restore(argv[2], policy == b"flush", policy == b"replace", hurry=not client.obeyed)
    client.keyspace.dirty += 1
    return OK
