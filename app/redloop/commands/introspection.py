"""COMMAND: what the server says about its own commands (https://redis.io/docs/latest/commands/command/).

Everything told here comes from the definitions (`engine.command`); this module only gives it the shape of replies.
"""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import LOADING, STALE, Command, Definition, family
from redloop.engine.key_specs import KeySpec
from redloop.engine.keys import find_keys, takes_keys
from redloop.engine.options import Options
from redloop.engine.syntax import Argument
from redloop.errors import COMMAND_ARGUMENTS, COMMAND_ARITY, COMMAND_HAS_NO_KEYS, INVALID_COMMAND, SYNTAX, RedisError
from redloop.patterns import compile_pattern
from redloop.resp.replies import Members, Reply, Simple

command = family("server")


@command(
    "COMMAND",
    "Describes every command.",
    LOADING | STALE, since="2.8.13", complexity="O(N)", tips="nondeterministic_output_order", acl="connection", arity=-1,
)
def command_(client: Client, argv: list[bytes]) -> Reply:
    return [_info(known) for known in _top_level(client)]


@command("COMMAND COUNT", "Counts the commands.", LOADING | STALE, since="2.8.13", complexity="O(1)", acl="connection")
def count(client: Client, argv: list[bytes]) -> Reply:
    return len(_top_level(client))


@command(
    "COMMAND INFO [command-name [command-name ...]]",
    "Describes the named commands, or all: arity, flags, keys, categories.",
    LOADING | STALE, since="2.8.13", complexity="O(N)", tips="nondeterministic_output_order", acl="connection",
)
def info(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) == 2:
        return command_(client, argv)
    described: list[object] = []
    for name in argv[2:]:
        known = _by_name(client, name)
        described.append(_info(known) if known is not None else None)
    return described


@command(
    "COMMAND DOCS [command-name [command-name ...]]",
    "Documents the named commands, or all: a summary, the history, the tree of arguments.",
    LOADING | STALE, since="7.0.0", complexity="O(N)", tips="nondeterministic_output_order", acl="connection",
)
def docs(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) == 2:
        return {known.name.encode(): _docs(known) for known in _top_level(client)}
    found = [known for known in [_by_name(client, name) for name in argv[2:]] if known is not None]
    return {known.name.encode(): _docs(known) for known in found}


@command(
    "COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    "Names the commands: all, or those of a module, of an ACL category, or that match a pattern.",
    LOADING | STALE, since="7.0.0", complexity="O(N)", tips="nondeterministic_output_order", acl="connection",
)
def list_(client: Client, argv: list[bytes]) -> Reply:
    every = client.server.all_commands()
    options = Options(argv, 2)
    if not options.more():
        return [known.name.encode() for known in every]
    if len(argv) != 5 or not options.next_is(b"FILTERBY"):
        raise RedisError(SYNTAX)
    by = options.word()
    wanted = options.value()
    match by:
        case b"MODULE":
            return []
        case b"ACLCAT":
            category = wanted.lower().decode("latin-1")
            return [known.name.encode() for known in every if category in known.definition.categories]
        case b"PATTERN":
            return compile_pattern(wanted, nocase=True).select([known.name.encode() for known in every])
        case _:
            raise RedisError(SYNTAX)


@command(
    "COMMAND GETKEYS command [arg [arg ...]]",
    "Finds the keys in a whole command.",
    LOADING | STALE, since="2.8.13", complexity="O(N)", acl="connection",
)
def getkeys(client: Client, argv: list[bytes]) -> Reply:
    return [key for key, _ in _keys(client, argv[2:])]


@command(
    "COMMAND GETKEYSANDFLAGS command [arg [arg ...]]",
    "Finds the keys in a whole command, and what it does to each.",
    LOADING | STALE, since="7.0.0", complexity="O(N)", acl="connection",
)
def getkeysandflags(client: Client, argv: list[bytes]) -> Reply:
    return [[key, _simple_set(flags)] for key, flags in _keys(client, argv[2:])]


def _keys(client: Client, request: list[bytes]) -> list[tuple[bytes, list[str]]]:
    known = client.server.find_command(request)
    if known is None:
        raise RedisError(INVALID_COMMAND)
    if not takes_keys(known.definition):
        raise RedisError(COMMAND_HAS_NO_KEYS)
    if not known.min_args <= len(request) <= known.max_args:
        raise RedisError(COMMAND_ARITY)
    try:
        return [(request[found.place], found.flags) for found in find_keys(known.definition, request)]
    except ValueError:
        raise RedisError(COMMAND_ARGUMENTS) from None


def _top_level(client: Client) -> list[Command]:
    return [known for known in client.server.all_commands() if "|" not in known.name]


def _by_name(client: Client, name: bytes) -> Command | None:
    """By the full name, `config|get` for a subcommand, and as it is called here (rename-command)."""
    known = client.server.find_command(name.split(b"|"))
    return known if known is not None and known.name.count("|") == name.count(b"|") else None


def _simple_set(names: list[str]) -> Members:
    return Members([Simple(name.encode()) for name in names])


# -- COMMAND INFO ----------------------------------------------------------------------------------------------------


def _info(known: Command) -> list[object]:
    definition = known.definition
    return [
        definition.name.encode(),
        definition.arity,
        _simple_set(definition.flag_names()),
        definition.first_key,
        definition.last_key,
        definition.key_step,
        _simple_set([f"@{category}" for category in definition.categories]),
        Members([tip.encode() for tip in definition.tips]),
        Members([_key_spec(spec) for spec in definition.key_specs]),
        Members([_info(nested) for nested in _nested(known)]),
    ]


def _nested(known: Command) -> list[Command]:
    found = known.subcommands
    return list({nested.name: nested for nested in found.values()}.values()) if found is not None else []


def _key_spec(spec: KeySpec) -> dict[bytes, object]:
    begin: object
    find: object
    if spec.unknown:
        begin = _typed(b"unknown", {})
        find = begin
    else:
        if spec.keyword:
            begin = _typed(b"keyword", {b"keyword": spec.keyword.encode(), b"startfrom": spec.index})
        else:
            begin = _typed(b"index", {b"index": spec.index})
        if spec.counted:
            find = _typed(b"keynum", {b"keynumidx": 0, b"firstkey": 1, b"keystep": spec.step})
        else:
            find = _typed(b"range", {b"lastkey": spec.last, b"keystep": spec.step, b"limit": spec.limit})
    return {b"flags": _simple_set(spec.flags), b"begin_search": begin, b"find_keys": find}


def _typed(kind: bytes, spec: dict[bytes, object]) -> dict[bytes, object]:
    return {b"type": kind, b"spec": spec}


# -- COMMAND DOCS ----------------------------------------------------------------------------------------------------


def _docs(known: Command) -> dict[bytes, object]:
    definition = known.definition
    documented: dict[bytes, object] = {
        b"summary": definition.summary.encode(),
        b"since": definition.since.encode(),
        b"group": definition.group.encode(),
    }
    if definition.complexity:
        documented[b"complexity"] = definition.complexity.encode()
    if definition.doc_flags:
        documented[b"doc_flags"] = _simple_set(definition.doc_flags)
    if definition.deprecated:
        documented[b"deprecated_since"] = definition.deprecated.encode()
        documented[b"replaced_by"] = definition.replaced_by.encode()
    if definition.added:
        documented[b"history"] = Members([[version.encode(), text.encode()] for version, text in _history(definition).items()])
    if definition.syntax.arguments:
        documented[b"arguments"] = [_argument(argument) for argument in definition.syntax.arguments]
    nested = _nested(known)
    if nested:
        documented[b"subcommands"] = {inner.name.encode(): _docs(inner) for inner in nested}
    return documented


def _argument(argument: Argument) -> dict[bytes, object]:
    shown: dict[bytes, object] = {b"name": argument.name.encode(), b"type": argument.kind.encode()}
    if not argument.arguments:
        shown[b"display_text"] = argument.text.encode()
    if argument.key_spec >= 0:
        shown[b"key_spec_index"] = argument.key_spec
    if argument.token is not None:
        shown[b"token"] = argument.token.strip('"').encode()
    if argument.since:
        shown[b"since"] = argument.since.encode()
    if argument.deprecated:
        shown[b"deprecated_since"] = argument.deprecated.encode()
    flags = argument.flag_names()
    if flags:
        shown[b"flags"] = _simple_set(flags)
    if argument.arguments:
        shown[b"arguments"] = [_argument(inner) for inner in argument.arguments]
    return shown


def _history(definition: Definition) -> dict[str, str]:
    """Which arguments came, or are deprecated, with which version."""
    came: dict[str, list[str]] = {}
    went: dict[str, list[str]] = {}
    _collect(definition.syntax.arguments, came, went)
    told: dict[str, str] = {}
    for version in definition.added:
        added = f"Added {', '.join(came[version])}." if version in came else ""
        deprecated = f"Deprecated {', '.join(went[version])}." if version in went else ""
        told[version] = f"{added} {deprecated}".strip() or "Takes more."
    return told


def _collect(arguments: list[Argument], came: dict[str, list[str]], went: dict[str, list[str]]) -> None:
    for argument in arguments:
        if argument.since:
            came.setdefault(argument.since, []).append(f"`{argument.label()}`")
        if argument.deprecated:
            went.setdefault(argument.deprecated, []).append(f"`{argument.label()}`")
        _collect(argument.arguments, came, went)
