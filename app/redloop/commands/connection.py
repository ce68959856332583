"""Connection commands (https://redis.io/docs/latest/commands/?group=connection)."""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import FAST, family
from redloop.errors import RedisError, wrong_arity
from redloop.resp.replies import PONG, Reply

command = family("connection")


@command("PING [message]", "Answers PONG, or the message.", FAST, since="1.0.0")
def ping(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 2:
        raise RedisError(wrong_arity("ping"))
    return argv[1] if len(argv) == 2 else PONG
