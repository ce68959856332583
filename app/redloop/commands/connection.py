"""Connection commands (https://redis.io/docs/latest/commands/?group=connection); CLIENT has a file of its own, `clients`."""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import ALLOW_BUSY, FAST, LOADING, NO_AUTH, NOSCRIPT, STALE, family
from redloop.engine.options import Options, parse_int_in_range
from redloop.engine.server import REDIS_VERSION
from redloop.engine.slowlog import REDACTED
from redloop.errors import DB_OUT_OF_RANGE, HELLO_NOAUTH, NO_PASSWORD_SET, SYNTAX, WRONGPASS, RedisError, wrong_arity
from redloop.numbers import parse_int
from redloop.resp.replies import OK, PONG, Reply, Simple

command = family("connection")

RESET_DONE = Simple(b"RESET")
ALWAYS = NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY


@command(
    "PING [message]",
    "Answers PONG, or the message.",
    FAST, since="1.0.0", complexity="O(1)", tips="request_policy:all_shards response_policy:all_succeeded",
)
def ping(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 2:
        raise RedisError(wrong_arity("ping"))
    if client.subscriptions and not client.resp3:
        return [b"pong", argv[1] if len(argv) == 2 else b""]
    return argv[1] if len(argv) == 2 else PONG


@command("ECHO message", "Answers the message.", LOADING | STALE | FAST, since="1.0.0", complexity="O(1)")
def echo(client: Client, argv: list[bytes]) -> Reply:
    return argv[1]


@command("SELECT index", "Changes the database of this connection.", LOADING | STALE | FAST, since="1.0.0", complexity="O(1)")
def select(client: Client, argv: list[bytes]) -> Reply:
    index = parse_int_in_range(argv[1], -2147483648, 2147483647)
    if not 0 <= index < len(client.keyspace.databases):
        raise RedisError(DB_OUT_OF_RANGE)
    client.db = client.keyspace.databases[index]
    return OK


@command("AUTH [username] password", "Says who this connection is.", ALWAYS, since="1.0.0", complexity="O(N)", added={"6.0.0": "username"})
def auth(client: Client, argv: list[bytes]) -> Reply:
    user = argv[1] if len(argv) == 3 else b"default"
    password = argv[-1]
    argv[1:] = [REDACTED] * (len(argv) - 1)  # first of all: a mistaken request may hold a password too
    if len(argv) > 3:
        raise RedisError(SYNTAX)
    if len(argv) == 2 and client.server.users.default.no_password:
        raise RedisError(NO_PASSWORD_SET)
    if not client.server.access.login(client, user, password, argv[0]):
        raise RedisError(WRONGPASS)
    return OK


@command(
    "HELLO [protover [AUTH username password] [SETNAME clientname]]",
    "Chooses the protocol's version, and tells about the server.",
    ALWAYS, since="6.0.0", complexity="O(1)", names={"protover": "arguments"},
)
def hello(client: Client, argv: list[bytes]) -> Reply:
    version = 3 if client.resp3 else 2
    name: bytes | None = None
    login: list[bytes] = []  # user and password
    options = Options(list(argv), 1)
    for place in range(1, len(argv) - 2):
        if argv[place].upper() == b"AUTH":
            argv[place + 1] = argv[place + 2] = REDACTED  # first of all: a mistaken request may hold a password too
    if options.more():
        version = parse_int(options.value(), "ERR Protocol version is not an integer or out of range")
        if version not in (2, 3):
            raise RedisError("NOPROTO unsupported protocol version")
    while options.more():
        word = options.value()
        match word.upper():
            case b"AUTH" if options.left() >= 2:
                login = [options.value(), options.value()]
            case b"SETNAME" if options.left() >= 1:
                name = options.value()
                check_name(name)
            case _:
                raise RedisError("ERR Syntax error in HELLO option '" + word.split(b"\0")[0].decode("utf-8", "surrogateescape") + "'")
    if login and not client.server.access.login(client, login[0], login[1], argv[0]):
        raise RedisError(WRONGPASS)
    if not client.authenticated:
        raise RedisError(HELLO_NOAUTH)
    if name is not None:
        client.name = name
    client.resp3 = version == 3
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": version,
        b"id": client.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def check_name(name: bytes) -> None:
    """Raises the error for a name of a connection that CLIENT LIST could not show."""
    if not all(33 <= char <= 126 for char in name.split(b"\0")[0]):  # to Redis a name ends there
        raise RedisError("ERR Client names cannot contain spaces, newlines or special characters.")


@command(
    "QUIT",
    "Closes the connection.",
    ALWAYS, since="1.0.0", complexity="O(1)", arity=-1, deprecated="7.2.0", replaced_by="just closing the connection",
)
def quit_(client: Client, argv: list[bytes]) -> Reply:
    client.close_after_reply()
    return OK


@command("RESET", "Sets the connection back to what it was when it was new.", ALWAYS, since="6.2.0", complexity="O(1)")
def reset(client: Client, argv: list[bytes]) -> Reply:
    client.reset()
    client.server.access.admit(client)
    return RESET_DONE
