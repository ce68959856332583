"""Transactions (https://redis.io/docs/latest/develop/interact/transactions/): commands are queued by a guard, and run by EXEC as one
unit.
"""

from __future__ import annotations

from typing import Final

from redloop.engine.acl.log import MULTI
from redloop.engine.client import Client
from redloop.engine.command import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_ASYNC_LOADING,
    NO_MULTI,
    NOSCRIPT,
    SKIP_SLOWLOG,
    STALE,
    Command,
    family,
)
from redloop.engine.guards import check_enabled
from redloop.errors import (
    DISCARD_WITHOUT_MULTI,
    EXEC_WITHOUT_MULTI,
    EXECABORT,
    NESTED_MULTI,
    NOT_IN_MULTI,
    WATCH_INSIDE_MULTI,
    RedisError,
    acl_rules_changed,
)
from redloop.resp.replies import NOTHING, NULL_ARRAY, OK, QUEUED, Reply

command = family("transactions")

ALWAYS: Final = NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY
AT_ONCE: Final = frozenset({"exec", "discard", "multi", "watch", "quit", "reset"})
"""What is not queued."""


def queue(client: Client, command: Command, argv: list[bytes]) -> object:
    """The guard of a client between MULTI and EXEC."""
    if command.name in AT_ONCE:
        return None
    if command.flags & NO_MULTI:
        raise RedisError(NOT_IN_MULTI)
    if command.flags & ADMIN:
        container = command.name.partition("|")[0]
        if container == "debug" or (container == "module" and command.flags & NO_ASYNC_LOADING):
            check_enabled(client, container)  # not when it is run: it would not have been allowed in
    transaction = client.transaction
    assert transaction is not None
    transaction.size += sum([len(arg) for arg in argv])
    if transaction.size > client.server.config.client_query_buffer_limit:
        client.exceed_query_limit()
        return NOTHING
    transaction.queued.append((command, argv))
    return QUEUED


@command("MULTI", "Begins a transaction.", ALWAYS, since="1.2.0", complexity="O(1)")
def multi(client: Client, argv: list[bytes]) -> Reply:
    if client.transaction is not None:
        raise RedisError(NESTED_MULTI)
    client.begin_transaction(queue)
    return OK


@command("DISCARD", "Ends a transaction and runs nothing.", ALWAYS, since="2.0.0", complexity="O(N)")
def discard(client: Client, argv: list[bytes]) -> Reply:
    if client.transaction is None:
        raise RedisError(DISCARD_WITHOUT_MULTI)
    client.end_transaction()
    client.server.watched.unwatch(client)
    return OK


@command("EXEC", "Runs the commands of a transaction.", NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG, since="1.2.0")
def exec_(client: Client, argv: list[bytes]) -> Reply:
    transaction = client.transaction
    if transaction is None:
        raise RedisError(EXEC_WITHOUT_MULTI)
    server = client.server
    changed = server.watched.changed(client)
    server.watched.unwatch(client)
    if transaction.broken or changed:
        client.end_transaction()
        if transaction.broken:
            raise RedisError(EXECABORT)
        return NULL_ARRAY
    effects = server.effects
    effects.depth += 1
    client.may_not_block = True
    transaction.running = client.last_command
    try:
        replies = [_run(client, queued, arguments) for queued, arguments in transaction.queued]
    finally:
        client.last_command = transaction.running
        client.end_transaction()  # until now the client is in it, for those who look
        client.may_not_block = False
        effects.depth -= 1
    effects.replay_nothing()  # EXEC itself: its commands have said what is to be replayed
    return replies


def _run(client: Client, queued: Command, arguments: list[bytes]) -> object:
    """Runs a queued command, unless what its user may do has changed since. Once it has killed its own client there are no replies."""
    silent = client.closing
    reply = _run_allowed(client, queued, arguments)
    return NOTHING if silent else reply


def _run_allowed(client: Client, queued: Command, arguments: list[bytes]) -> object:
    if client.access_guards:
        denial = client.server.access.refuse(client, queued, arguments, MULTI)
        if denial is not None:
            return client.server.reject(queued, RedisError(acl_rules_changed(denial.reason())))
    return client.call(queued, arguments)


@command("WATCH key [key ...]", "Lets the next transaction fail if a key changes before it.", ALWAYS, since="2.2.0", complexity="O(1)",
         keys="RO")
def watch(client: Client, argv: list[bytes]) -> Reply:
    if client.transaction is not None:
        raise RedisError(WATCH_INSIDE_MULTI)
    for key in argv[1:]:
        client.server.watched.watch(client, client.db, key)
    return OK


@command("UNWATCH", "Forgets the keys being watched.", ALWAYS, since="2.2.0", complexity="O(1)")
def unwatch(client: Client, argv: list[bytes]) -> Reply:
    client.server.watched.unwatch(client)
    return OK
