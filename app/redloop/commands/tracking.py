"""Client-side caching: the commands of `engine.tracking` (https://redis.io/docs/latest/develop/reference/client-side-caching/)."""

from __future__ import annotations

from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import LOADING, NOSCRIPT, STALE, family
from redloop.engine.options import Options
from redloop.engine.tracking import Mode, Tracking
from redloop.errors import CACHING_NOT_OPTIN, CACHING_NOT_OPTOUT, CACHING_WITHOUT_OPT, REDIRECT_TWICE, REDIRECT_UNKNOWN, SYNTAX, RedisError
from redloop.resp.replies import OK, Members, Pairs, Reply

command = family("connection")

ANYBODY: Final = NOSCRIPT | LOADING | STALE


@command(
    "CLIENT TRACKING <ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    "Lets this connection be told when keys it caches change.",
    ANYBODY, since="6.0.0", complexity="O(1). Some options may introduce additional complexity.",
    types={"client-id": "integer"}, names={"ON": "status"},
)
def client_tracking(client: Client, argv: list[bytes]) -> Reply:
    mode = _read_mode(client, argv)
    tracking: Tracking = client.server.tracking
    match argv[2].upper():
        case b"ON":
            tracking.start(client, mode)
        case b"OFF":
            tracking.stop(client)
        case _:
            raise RedisError(SYNTAX)
    return OK


def _read_mode(client: Client, argv: list[bytes]) -> Mode:
    mode = Mode()
    options = Options(argv, 3)
    while options.more():
        match options.word():
            case b"REDIRECT" if options.more():
                if mode.redirect:
                    raise RedisError(REDIRECT_TWICE)
                mode.redirect = options.integer()
                if mode.redirect not in client.server.clients:
                    raise RedisError(REDIRECT_UNKNOWN)
            case b"PREFIX" if options.more():
                mode.prefixes.append(options.value())
            case b"BCAST":
                mode.bcast = True
            case b"OPTIN":
                mode.optin = True
            case b"OPTOUT":
                mode.optout = True
            case b"NOLOOP":
                mode.noloop = True
            case _:
                raise RedisError(SYNTAX)
    return mode


@command(
    "CLIENT CACHING <YES | NO>", "Says whether this connection caches what its next command reads.", ANYBODY, since="6.0.0",
    complexity="O(1)", names={"YES": "mode"},
)
def client_caching(client: Client, argv: list[bytes]) -> Reply:
    tracking: Tracking = client.server.tracking
    tracker = tracking.of(client)
    if tracker is None:
        raise RedisError(CACHING_WITHOUT_OPT)
    match argv[2].upper():
        case b"YES" if not tracker.mode.optin:
            raise RedisError(CACHING_NOT_OPTIN)
        case b"NO" if not tracker.mode.optout:
            raise RedisError(CACHING_NOT_OPTOUT)
        case b"YES" | b"NO":
            client.begin_caching()
        case _:
            raise RedisError(SYNTAX)
    return OK


@command("CLIENT GETREDIR", "Which connection is told instead of this one.", ANYBODY, since="6.0.0", complexity="O(1)")
def client_getredir(client: Client, argv: list[bytes]) -> Reply:
    return client.server.tracking.redirection(client)


@command("CLIENT TRACKINGINFO", "How this connection's cache is kept up to date.", ANYBODY, since="6.2.0", complexity="O(1)")
def client_trackinginfo(client: Client, argv: list[bytes]) -> Reply:
    tracking: Tracking = client.server.tracking
    tracker = tracking.of(client)
    prefixes: list[object] = [] if tracker is None else [*tracker.mode.prefixes]
    return Pairs([b"flags", Members(tracking.words(client)), b"redirect", tracking.redirection(client), b"prefixes", prefixes])
