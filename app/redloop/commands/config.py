"""Configuration commands (https://redis.io/docs/latest/commands/?group=server): the protocol's side of `redloop.config`."""

from __future__ import annotations

import logging
import os

from redloop.config import Config, ConfigError, rewrite, to_bytes, to_text
from redloop.engine.client import Client
from redloop.engine.command import ADMIN, LOADING, NOSCRIPT, STALE, family
from redloop.engine.slowlog import REDACTED
from redloop.errors import CONFIG_NO_FILE, SYNTAX, RedisError, config_refused, config_rewrite_failed
from redloop.logs import NOTICE
from redloop.patterns import compile_pattern
from redloop.resp.replies import OK, Pairs, Reply

log = logging.getLogger("redloop.commands.config")

command = family("server")


@command(
    "CONFIG GET parameter [parameter ...]",
    "The directives that match any of the patterns, with their values.",
    ADMIN | NOSCRIPT | LOADING | STALE,
    since="2.0.0",
    complexity="O(N) when N is the number of configuration parameters provided",
)
def config_get(client: Client, argv: list[bytes]) -> Reply:
    config = client.server.config
    flat: list[object] = []
    told: set[str] = set()
    for source in argv[2:]:
        for name in _named(config, source):
            if name.lower() not in told:
                told.add(name.lower())
                flat += [to_bytes(name), to_bytes(config.show(name))]
    return Pairs(flat)


@command(
    "CONFIG SET parameter value [parameter value ...]",
    "Change directives while the server runs: all of them or none.",
    ADMIN | NOSCRIPT | LOADING | STALE,
    since="2.0.0",
    complexity="O(N) when N is the number of configuration parameters provided",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def config_set(client: Client, argv: list[bytes]) -> Reply:
    config = client.server.config
    pairs: list[tuple[str, str]] = []
    for at in range(2, len(argv) - 1, 2):
        name = to_text(argv[at])
        pairs.append((name, to_text(argv[at + 1])))
        if config.is_sensitive(name):
            argv[at + 1] = REDACTED
    if len(argv) % 2:
        raise RedisError(SYNTAX)
    try:
        config.change(pairs, protected=_may_change_protected(client, config))
    except ConfigError as error:
        raise RedisError(config_refused(str(error))) from None
    for remark in config.remarks:
        log.warning("%s", remark)
    config.remarks.clear()
    return OK


@command(
    "CONFIG REWRITE",
    "Write the directives in force into the configuration file the server was started with.",
    ADMIN | NOSCRIPT | LOADING | STALE,
    since="2.8.0",
    complexity="O(1)",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def config_rewrite(client: Client, argv: list[bytes]) -> Reply:
    config = client.server.config
    if not config.path:
        raise RedisError(CONFIG_NO_FILE)
    try:
        rewrite(config, _user_lines(client))
    except OSError as error:
        log.warning("CONFIG REWRITE failed: %s", error.strerror)
        raise RedisError(config_rewrite_failed(os.strerror(error.errno or 0))) from None
    log.log(NOTICE, "CONFIG REWRITE executed with success.")
    return OK


@command(
    "CONFIG RESETSTAT",
    "Set the statistics of INFO back to zero.",
    ADMIN | NOSCRIPT | LOADING | STALE,
    since="2.0.0",
    complexity="O(1)",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def config_resetstat(client: Client, argv: list[bytes]) -> Reply:
    client.server.reset_statistics()
    return OK


def _named(config: Config, source: bytes) -> list[str]:
    """What a parameter of CONFIG GET names: one directive, told in the case it was asked in, or those that match."""
    if any(sign in source for sign in b"*?["):
        pattern = compile_pattern(source, nocase=True)
        return [name for name in config.names() if pattern.matches(to_bytes(name))]
    name = to_text(source)
    return [name] if config.knows(name) else []


def _may_change_protected(client: Client, config: Config) -> bool:
    if config.enable_protected_configs == "local":
        return client.peer.local
    return config.enable_protected_configs == "yes"


def _user_lines(client: Client) -> list[str]:
    """The users, unless an aclfile holds them."""
    if client.server.config.aclfile:
        return []
    return [to_text(user.describe()) for user in client.server.users.all()]
