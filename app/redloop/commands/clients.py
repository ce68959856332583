"""CLIENT: connections looked at, named, paused and closed (https://redis.io/docs/latest/commands/client/)."""

from __future__ import annotations

from typing import Final

from redloop.commands.connection import check_name
from redloop.engine.acl.user import User
from redloop.engine.client import Client
from redloop.engine.client_line import describe
from redloop.engine.command import ADMIN, LOADING, NOSCRIPT, STALE, family
from redloop.engine.options import Options
from redloop.errors import (
    CLIENT_ID,
    CLIENT_ID_NOT_POSITIVE,
    MAXAGE_NOT_POSITIVE,
    NO_SUCH_CLIENT,
    PAUSE_MODE,
    SYNTAX,
    TIMEOUT_NEGATIVE,
    TIMEOUT_NOT_INTEGER,
    UNBLOCK_REASON,
    RedisError,
    client_type,
    no_such_user,
    not_an_integer,
    unknown_subcommand_or_arity,
    unrecognized_option,
)
from redloop.keyspace.database import TOUCH_NOTHING
from redloop.numbers import parse_int
from redloop.resp.replies import NOTHING, OK, Reply, Verbatim

command = family("connection")

ANYBODY: Final = NOSCRIPT | LOADING | STALE
OPERATOR: Final = ADMIN | ANYBODY

TYPES: Final = {b"normal": "normal", b"master": "master", b"slave": "replica", b"replica": "replica", b"pubsub": "pubsub"}
OUTPUT_KINDS: Final = ["normal", "replica", "pubsub"]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _switch(word: bytes) -> bool:
    match word.upper():
        case b"ON":
            return True
        case b"OFF":
            return False
    raise RedisError(SYNTAX)


def _type(word: bytes) -> str:
    kind = TYPES.get(word.lower())
    if kind is None:
        raise RedisError(client_type(word))
    return kind


@command("CLIENT ID", "The number of this connection.", ANYBODY, since="5.0.0", complexity="O(1)")
def client_id(client: Client, argv: list[bytes]) -> Reply:
    return client.id


@command("CLIENT GETNAME", "The name of this connection.", ANYBODY, since="2.6.9", complexity="O(1)")
def client_getname(client: Client, argv: list[bytes]) -> Reply:
    return client.name or None


@command(
    "CLIENT SETNAME connection-name",
    "Names this connection.",
    ANYBODY, since="2.6.9", complexity="O(1)", tips="request_policy:all_nodes response_policy:all_succeeded",
)
def client_setname(client: Client, argv: list[bytes]) -> Reply:
    check_name(argv[2])
    client.name = argv[2]
    return OK


@command(
    "CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>",
    "Notes which client library this is.",
    ANYBODY, since="7.2.0", complexity="O(1)", tips="request_policy:all_nodes response_policy:all_succeeded", names={"LIB-NAME": "attr"},
)
def client_setinfo(client: Client, argv: list[bytes]) -> Reply:
    attribute = argv[2].lower()
    if attribute not in (b"lib-name", b"lib-ver"):
        raise RedisError(unrecognized_option(argv[2]))
    if not all(33 <= char <= 126 for char in argv[3]):
        raise RedisError(f"ERR {_text(attribute)} cannot contain spaces, newlines or special characters.")
    if attribute == b"lib-name":
        client.library_name = argv[3]
    else:
        client.library_version = argv[3]
    return OK


@command("CLIENT INFO", "Tells about this connection.", ANYBODY, since="6.2.0", complexity="O(1)", tips="nondeterministic_output")
def client_info(client: Client, argv: list[bytes]) -> Reply:
    return Verbatim((describe(client) + "\n").encode("utf-8", "surrogateescape"))


@command(
    "CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
    "Tells about the connections.",
    OPERATOR, since="2.4.0", complexity="O(N)", tips="nondeterministic_output", added={"5.0.0": "client-type", "6.2.0": "client-id"},
)
def client_list(client: Client, argv: list[bytes]) -> Reply:
    clients: list[Client] = list(client.server.clients.values())
    if len(argv) == 4 and argv[2].upper() == b"TYPE":
        kind = _type(argv[3])
        clients = [other for other in clients if _kind(other) == kind]
    elif len(argv) > 3 and argv[2].upper() == b"ID":
        wanted: list[Client] = []
        for word in argv[3:]:
            found = client.server.clients.get(parse_int(word, CLIENT_ID))
            if found is not None:
                wanted.append(found)
        clients = wanted
    elif len(argv) != 2:
        raise RedisError(SYNTAX)
    lines = [describe(other) + "\n" for other in clients]
    return Verbatim("".join(lines).encode("utf-8", "surrogateescape"))


def _kind(client: Client) -> str:
    return OUTPUT_KINDS[client.output_kind]


class Filters:
    """What CLIENT KILL looks for; None where it was not asked."""

    def __init__(self) -> None:
        self.ident: int | None = None
        self.kind: str | None = None
        self.user: User | None = None
        self.address: str | None = None
        self.local_address: str | None = None
        self.max_age: int | None = None
        self.skip_me = True

    def match(self, other: Client) -> bool:
        """Whether `other` is meant; skipping oneself is for the caller."""
        return (
            (self.ident is None or other.id == self.ident)
            and (self.kind is None or _kind(other) == self.kind)
            and (self.user is None or other.user is self.user)
            and (self.address is None or other.peer.address == self.address)
            and (self.local_address is None or other.peer.local_address == self.local_address)
            and (self.max_age is None or (other.clock.now_ms() - other.created_ms) // 1000 >= self.max_age)
        )


@command(
    "CLIENT KILL <ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | [ADDR "
    "ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>] | [MAXAGE maxage]> [<[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | "
    "REPLICA | PUBSUB>] | [USER username] | [ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>] | [MAXAGE maxage]> ...]>",
    "Closes connections.",
    OPERATOR, since="2.4.0", complexity="O(N)", arity=-3,
    names={"ip:port": "filter old-format", "ID": "new-format", "ADDR": "addr", "LADDR": "laddr", "SKIPME": "skipme"},
    added={"2.8.12": "-old-format client-id client-type", "3.2.0": "master", "5.0.0": "replica", "6.2.0": "laddr", "7.4.0": "maxage"},
)
def client_kill(client: Client, argv: list[bytes]) -> Reply:
    old_form = len(argv) == 3
    filters = Filters()
    if old_form:
        filters.address = _text(argv[2])
        filters.skip_me = False
    else:
        _read_filters(client, argv, filters)
    killed = 0
    for other in list(client.server.clients.values()):
        if other.closing or not filters.match(other) or (other is client and filters.skip_me):
            continue
        killed += 1
        if other is client:
            client.close_after_reply()
        else:
            other.abort()
    if not old_form:
        return killed
    if not killed:
        raise RedisError(NO_SUCH_CLIENT)
    return OK


def _read_filters(client: Client, argv: list[bytes], filters: Filters) -> None:
    options = Options(argv, 2)
    while options.left() >= 2:
        match options.word():
            case b"ID":
                ident = parse_int(options.value(), CLIENT_ID_NOT_POSITIVE)
                if ident < 1:
                    raise RedisError(CLIENT_ID_NOT_POSITIVE)
                filters.ident = ident
            case b"TYPE":
                filters.kind = _type(options.value())
            case b"USER":
                name = options.value()
                filters.user = client.server.users.by_name.get(name)
                if filters.user is None:
                    raise RedisError(no_such_user(name))
            case b"ADDR":
                filters.address = _text(options.value())
            case b"LADDR":
                filters.local_address = _text(options.value())
            case b"MAXAGE":
                age = options.integer(not_an_integer("maxage"))
                if age <= 0:
                    raise RedisError(MAXAGE_NOT_POSITIVE)
                filters.max_age = age
            case b"SKIPME":
                match options.word():
                    case b"YES":
                        filters.skip_me = True
                    case b"NO":
                        filters.skip_me = False
                    case _:
                        raise RedisError(SYNTAX)
            case _:
                raise RedisError(SYNTAX)
    if options.more():
        raise RedisError(SYNTAX)


@command(
    "CLIENT PAUSE timeout [WRITE | ALL]",
    "Lets commands wait for some milliseconds.",
    OPERATOR, since="3.0.0", complexity="O(1)", types={"timeout": "integer"}, names={"WRITE": "mode"}, added={"6.2.0": "mode"},
)
def client_pause(client: Client, argv: list[bytes]) -> Reply:
    writes_only = False
    if len(argv) == 4:
        match argv[3].upper():
            case b"WRITE":
                writes_only = True
            case b"ALL":
                pass
            case _:
                raise RedisError(PAUSE_MODE)
    elif len(argv) > 4:
        raise RedisError(unknown_subcommand_or_arity("client", argv[1]))
    milliseconds = parse_int(argv[2], TIMEOUT_NOT_INTEGER)
    if milliseconds < 0:
        raise RedisError(TIMEOUT_NEGATIVE)
    client.server.pause.start(client.clock.now_ms() + milliseconds, writes_only)
    return OK


@command("CLIENT UNPAUSE", "Ends CLIENT PAUSE.", OPERATOR, since="6.2.0", complexity="O(N)")
def client_unpause(client: Client, argv: list[bytes]) -> Reply:
    client.server.pause.end()
    return OK


@command(
    "CLIENT UNBLOCK client-id [TIMEOUT | ERROR]",
    "Ends the wait of a blocked client.",
    OPERATOR, since="5.0.0", complexity="O(log N)", names={"TIMEOUT": "unblock-type"},
)
def client_unblock(client: Client, argv: list[bytes]) -> Reply:
    with_error = False
    if len(argv) == 4:
        match argv[3].upper():
            case b"TIMEOUT":
                pass
            case b"ERROR":
                with_error = True
            case _:
                raise RedisError(UNBLOCK_REASON)
    other = client.server.clients.get(parse_int(argv[2]))
    return 1 if other is not None and client.server.blocked.unblock(other, with_error) else 0


@command(
    "CLIENT REPLY <ON | OFF | SKIP>", "Switches replies to this connection.", ANYBODY, since="3.2.0", complexity="O(1)",
    names={"ON": "action"},
)
def client_reply(client: Client, argv: list[bytes]) -> Reply:
    match argv[2].upper():
        case b"ON":
            client.set_replies(False, 0)
            return OK
        case b"OFF":
            client.set_replies(True, client.skipping)
            return NOTHING
        case b"SKIP":
            if not client.muted:
                client.set_replies(False, 2)  # this command's own reply, which is none, and the next one's
            return NOTHING
    raise RedisError(SYNTAX)


@command("CLIENT NO-EVICT <ON | OFF>", "Keeps this connection when memory runs out.", OPERATOR, since="7.0.0", complexity="O(1)")
def client_no_evict(client: Client, argv: list[bytes]) -> Reply:
    client.no_evict = _switch(argv[2])
    return OK


@command(
    "CLIENT NO-TOUCH <ON | OFF>", "Lets this connection read keys without that counting as use.",
    ANYBODY, since="7.2.0", complexity="O(1)",
)
def client_no_touch(client: Client, argv: list[bytes]) -> Reply:
    client.no_touch = _switch(argv[2])
    client.keyspace.touching = TOUCH_NOTHING if client.no_touch else client.keyspace.touch_mode  # for the rest of the batch
    return OK
