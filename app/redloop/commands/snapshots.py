"""Snapshots: the RDB file (https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/)."""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, STALE, family
from redloop.engine.options import Options
from redloop.engine.saving import Saving
from redloop.errors import BGSAVE_IN_PROGRESS, SAVE_FAILED, SYNTAX, RedisError
from redloop.resp.replies import OK, Reply, Simple

command = family("server")

SAVE_STARTED = Simple(b"Background saving started")
SAVE_SCHEDULED = Simple(b"Background saving scheduled")


def _saving(client: Client) -> Saving:
    saving: Saving = client.server.durability.saving
    return saving


@command("LASTSAVE", "The unix time of the last snapshot that succeeded.", LOADING | STALE | FAST, since="1.0.0", complexity="O(1)",
         tips="nondeterministic_output", acl="admin dangerous")
def lastsave(client: Client, argv: list[bytes]) -> Reply:
    return _saving(client).last_save_seconds


@command("SAVE", "Writes a snapshot to disk while everybody waits.", ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI, since="1.0.0",
         complexity="O(N)")
def save(client: Client, argv: list[bytes]) -> Reply:
    saving = _saving(client)
    if saving.recording is not None:
        raise RedisError(BGSAVE_IN_PROGRESS)
    if not saving.save():
        raise RedisError(SAVE_FAILED)
    return OK


@command("BGSAVE [SCHEDULE]", "Writes a snapshot to disk while the server goes on.", ADMIN | NOSCRIPT | NO_ASYNC_LOADING, since="1.0.0",
         complexity="O(1)", added={"3.2.2": "schedule"})
def bgsave(client: Client, argv: list[bytes]) -> Reply:
    schedule = False
    if len(argv) > 1:
        options = Options(argv, 1)
        if len(argv) > 2 or options.word() != b"SCHEDULE":
            raise RedisError(SYNTAX)
        schedule = True
    return SAVE_STARTED if _saving(client).save_in_background(schedule) else SAVE_SCHEDULED
