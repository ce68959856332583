"""Scripts in Lua (https://redis.io/docs/latest/develop/interact/programmability/eval-intro/): EVAL and its kin, and their cache."""

from __future__ import annotations

from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import ALLOW_BUSY, MAY_REPLICATE, NO_MANDATORY_KEYS, NOSCRIPT, READONLY, SKIP_MONITOR, STALE, family
from redloop.errors import NUMKEYS_NEGATIVE, NUMKEYS_TOO_MANY, SCRIPT_DEBUG_OPTION, SCRIPT_FLUSH_OPTION, RedisError
from redloop.numbers import parse_int
from redloop.resp.replies import OK, Reply
from redloop.scripting.scripts import Scripts

command = family("scripting")

RUNS: Final = NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS
DEPENDS: Final = "Depends on the script."
KEYS_AND_ARGUMENTS: Final = "numkeys [key [key ...]] [arg [arg ...]]"


def _scripts(client: Client) -> Scripts:
    scripts: Scripts = client.server.scripts
    return scripts


def _show(client: Client, argv: list[bytes]) -> None:
    if client.server.observers:  # who monitors is one of them
        client.server.monitors.show(client, argv)


def _count(argv: list[bytes]) -> int:
    """numkeys, checked."""
    count = parse_int(argv[2])
    if count > len(argv) - 3:
        raise RedisError(NUMKEYS_TOO_MANY)
    if count < 0:
        raise RedisError(NUMKEYS_NEGATIVE)
    return count


@command(f"EVAL script {KEYS_AND_ARGUMENTS}", "Runs a script in Lua.", RUNS | MAY_REPLICATE, since="2.6.0", complexity=DEPENDS,
         keys="RW ACCESS UPDATE", acl="scripting")
def eval_(client: Client, argv: list[bytes]) -> Reply:
    _show(client, argv)
    count = _count(argv)
    scripts = _scripts(client)
    return scripts.run(client, argv, scripts.for_eval(argv[1]), count, False)


@command(f"EVALSHA sha1 {KEYS_AND_ARGUMENTS}", "Runs a script that is known by its SHA-1.", RUNS | MAY_REPLICATE, since="2.6.0",
         complexity=DEPENDS, keys="RW ACCESS UPDATE", acl="scripting")
def evalsha(client: Client, argv: list[bytes]) -> Reply:
    _show(client, argv)
    count = _count(argv)
    scripts = _scripts(client)
    return scripts.run(client, argv, scripts.find(argv[1]), count, False)


@command(f"EVAL_RO script {KEYS_AND_ARGUMENTS}", "Runs a script that may only read.", RUNS | READONLY, since="7.0.0", complexity=DEPENDS,
         keys="RO ACCESS", acl="scripting")
def eval_ro(client: Client, argv: list[bytes]) -> Reply:
    _show(client, argv)
    count = _count(argv)
    scripts = _scripts(client)
    return scripts.run(client, argv, scripts.for_eval(argv[1]), count, True)


@command(f"EVALSHA_RO sha1 {KEYS_AND_ARGUMENTS}", "Runs a script that is known by its SHA-1 and may only read.", RUNS | READONLY,
         since="7.0.0", complexity=DEPENDS, keys="RO ACCESS", acl="scripting")
def evalsha_ro(client: Client, argv: list[bytes]) -> Reply:
    _show(client, argv)
    count = _count(argv)
    scripts = _scripts(client)
    return scripts.run(client, argv, scripts.find(argv[1]), count, True)


@command("SCRIPT LOAD script", "Keeps a script, to be run by its SHA-1.", NOSCRIPT | STALE, since="2.6.0",
         complexity="O(N) in the length of the script.", acl="scripting", tips="request_policy:all_nodes response_policy:all_succeeded")
def script_load(client: Client, argv: list[bytes]) -> Reply:
    return _scripts(client).load(argv[2]).sha


@command("SCRIPT KILL", "Ends the script that runs, if it has written nothing.", NOSCRIPT | ALLOW_BUSY, since="2.6.0", complexity="O(1)",
         acl="scripting", tips="request_policy:all_shards response_policy:one_succeeded")
def script_kill(client: Client, argv: list[bytes]) -> Reply:
    _scripts(client).busy.kill(False)
    return OK


@command("SCRIPT EXISTS sha1 [sha1 ...]", "Whether scripts are known.", NOSCRIPT, since="2.6.0", complexity="O(N)",
         acl="scripting", tips="request_policy:all_shards response_policy:agg_logical_and")
def script_exists(client: Client, argv: list[bytes]) -> Reply:
    scripts = _scripts(client)
    return [1 if scripts.knows(sha) else 0 for sha in argv[2:]]


@command("SCRIPT DEBUG <YES | SYNC | NO>", "Accepted, and changes nothing: there is no debugger.", NOSCRIPT, since="3.2.0",
         complexity="O(1)", acl="scripting")
def script_debug(client: Client, argv: list[bytes]) -> Reply:
    if argv[2].lower() not in (b"yes", b"sync", b"no"):
        raise RedisError(SCRIPT_DEBUG_OPTION)
    return OK


@command("SCRIPT FLUSH [ASYNC | SYNC]", "Forgets all scripts.", NOSCRIPT, since="2.6.0", complexity="O(N) in the number of scripts.",
         acl="scripting", tips="request_policy:all_nodes response_policy:all_succeeded",
         added={"6.2.0": "flush-type"})
def script_flush(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 3 or (len(argv) == 3 and argv[2].lower() not in (b"async", b"sync")):
        raise RedisError(SCRIPT_FLUSH_OPTION)
    _scripts(client).flush()
    return OK
