"""ACL commands (https://redis.io/docs/latest/commands/?name=acl): the protocol's side of `redloop.engine.acl`."""

from __future__ import annotations

import logging
import os
from typing import Final

from redloop.engine.acl.decisions import decide
from redloop.engine.acl.file import AclFileError
from redloop.engine.acl.selector import Selector
from redloop.engine.acl.user import UnmatchedError, joined
from redloop.engine.acl.users import DEFAULT, RefusedRuleError
from redloop.engine.client import Client
from redloop.engine.command import ADMIN, CATEGORIES, LOADING, NOSCRIPT, STALE, family
from redloop.engine.options import parse_int_in_range
from redloop.engine.slowlog import REDACTED
from redloop.errors import (
    ACL_DEFAULT_STAYS,
    ACL_GENPASS,
    ACL_NO_FILE,
    ACL_NOT_SAVED,
    ACL_USER_NAME,
    RedisError,
    acl_command_not_found,
    acl_rule_refused,
    acl_unknown_category,
    acl_unmatched,
    acl_user_not_found,
    unknown_subcommand_or_arity,
    wrong_arity,
)
from redloop.numbers import parse_int
from redloop.resp.replies import OK, Members, Pairs, Reply

log = logging.getLogger("redloop.acl")

command = family("server")

ANYBODY: Final = NOSCRIPT | LOADING | STALE
OPERATOR: Final = ADMIN | ANYBODY
EVERY_NODE: Final = "request_policy:all_nodes response_policy:all_succeeded"

SHOWN: Final = 10
"""Entries of the log told of where no number is asked for."""
BITS: Final = 256
MOST_BITS: Final = 4096


@command("ACL CAT [category]", "The categories, or the commands of one.", ANYBODY, since="6.0.0", complexity="O(1)")
def acl_cat(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 3:
        raise RedisError(unknown_subcommand_or_arity("acl", argv[1]))
    if len(argv) == 2:
        return [name.encode() for name in CATEGORIES]
    name = argv[2].decode("utf-8", "surrogateescape").lower()
    if name not in CATEGORIES:
        raise RedisError(acl_unknown_category(argv[2]))
    commands = client.server.users.catalog.commands
    return [title.encode() for title, known in commands.items() if name in known.definition.categories]


@command(
    "ACL DELUSER username [username ...]",
    "Deletes users, and closes their connections.",
    OPERATOR, since="6.0.0", complexity="O(1)", tips=EVERY_NODE,
)
def acl_deluser(client: Client, argv: list[bytes]) -> Reply:
    names = argv[2:]
    argv[2:] = [REDACTED] * len(names)
    if DEFAULT in names:
        raise RedisError(ACL_DEFAULT_STAYS)
    return sum([client.server.access.delete_user(name, client) for name in names])


@command(
    "ACL DRYRUN username command [arg [arg ...]]",
    "Whether a user may run a command, without running it.",
    OPERATOR, since="7.0.0", complexity="O(1)", types={"command": "string"},
)
def acl_dryrun(client: Client, argv: list[bytes]) -> Reply:
    user = client.server.users.by_name.get(argv[2])
    if user is None:
        raise RedisError(acl_user_not_found(argv[2]))
    request = argv[3:]
    found = client.server.find_command(request)
    if found is None:
        raise RedisError(acl_command_not_found(argv[3]))
    if not found.min_args <= len(request) <= found.max_args:
        raise RedisError(wrong_arity(found.name))
    denial = decide(user, found, request)
    return OK if denial is None else denial.details(user, found, request).encode("utf-8", "surrogateescape")


@command("ACL GENPASS [bits]", "Makes a password nobody can guess.", ANYBODY, since="6.0.0", complexity="O(1)", types={"bits": "integer"})
def acl_genpass(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 3:
        raise RedisError(unknown_subcommand_or_arity("acl", argv[1]))
    bits = BITS
    if len(argv) == 3:
        bits = parse_int(argv[2])
        if not 0 < bits <= MOST_BITS:
            raise RedisError(ACL_GENPASS)
    digits = (bits + 3) // 4
    return os.urandom(digits).hex()[:digits].encode()


@command("ACL GETUSER username", "The rules of a user.", OPERATOR, since="6.0.0", complexity="O(N)")
def acl_getuser(client: Client, argv: list[bytes]) -> Reply:
    user = client.server.users.by_name.get(argv[2])
    argv[2] = REDACTED
    if user is None:
        return None
    root, *further = user.selectors
    return Pairs(
        [
            b"flags", Members(list(user.flags())),
            b"passwords", list(user.passwords),
            *_selector(root),
            b"selectors", [Pairs(_selector(selector)) for selector in further],
        ]
    )  # fmt: skip


def _selector(selector: Selector) -> list[object]:
    return [b"commands", selector.describe_commands(), b"keys", selector.describe_keys(), b"channels", selector.describe_channels()]


@command("ACL LIST", "All users, as an ACL file has them.", OPERATOR, since="6.0.0", complexity="O(N)")
def acl_list(client: Client, argv: list[bytes]) -> Reply:
    return [b"user " + user.describe() for user in client.server.users.all()]


@command("ACL LOAD", "Takes up the users of the ACL file, and no others.", OPERATOR, since="6.0.0", complexity="O(N)")
def acl_load(client: Client, argv: list[bytes]) -> Reply:
    if not client.server.config.aclfile:
        raise RedisError(ACL_NO_FILE)
    try:
        client.server.access.load(client)
    except AclFileError as error:
        raise RedisError(f"ERR {error}") from None
    return OK


@command(
    "ACL LOG [count | RESET]",
    "What was refused, the newest first; or forgets it.",
    OPERATOR, since="6.0.0", complexity="O(N)", names={"count": "operation count"},
)
def acl_log(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 3:
        raise RedisError(unknown_subcommand_or_arity("acl", argv[1]))
    kept = client.server.access.log
    count = SHOWN
    if len(argv) == 3:
        if argv[2].lower() == b"reset":
            kept.reset()
            return OK
        count = max(parse_int_in_range(argv[2], -(1 << 63), (1 << 63) - 1), 0)
    now = client.clock.now_ms()
    return [entry.reply(now) for entry in kept.entries[:count]]


@command("ACL SAVE", "Writes the users into the ACL file.", OPERATOR, since="6.0.0", complexity="O(N)", tips=EVERY_NODE)
def acl_save(client: Client, argv: list[bytes]) -> Reply:
    if not client.server.config.aclfile:
        raise RedisError(ACL_NO_FILE)
    try:
        client.server.access.save()
    except OSError as error:
        log.warning("Error writing ACL file '%s': %s", client.server.config.aclfile, error.strerror)
        raise RedisError(ACL_NOT_SAVED) from None
    return OK


@command(
    "ACL SETUSER username [rule [rule ...]]",
    "Changes or makes a user: all rules or none.",
    OPERATOR, since="6.0.0", complexity="O(N)", tips=EVERY_NODE,
)
def acl_setuser(client: Client, argv: list[bytes]) -> Reply:
    name, *words = argv[2:]
    argv[2:] = [REDACTED] * (len(argv) - 2)
    if any(byte in b" \t\n\v\f\r\0" for byte in name):
        raise RedisError(ACL_USER_NAME)
    try:
        client.server.access.set_user(name, joined(words), client)
    except UnmatchedError as open_end:
        raise RedisError(acl_unmatched(words[open_end.at])) from None
    except RefusedRuleError as refused:
        raise RedisError(acl_rule_refused(refused.rule, refused.reason)) from None
    return OK


@command("ACL USERS", "The names of the users.", OPERATOR, since="6.0.0", complexity="O(N)")
def acl_users(client: Client, argv: list[bytes]) -> Reply:
    return [user.name for user in client.server.users.all()]


@command("ACL WHOAMI", "The name of the user that this connection is.", ANYBODY, since="6.0.0", complexity="O(1)")
def acl_whoami(client: Client, argv: list[bytes]) -> Reply:
    return client.user.name
