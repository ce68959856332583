"""Usage: the texts of --help and --version."""

from __future__ import annotations

from typing import Final

from redloop.config.loading import COMPATIBLE_VERSION

HELP: Final = """\
redloop: a Redis-compatible server on one event loop

Usage:
  redloop [FILE] [--DIRECTIVE VALUE ...] [-]

  FILE                 a configuration file, as redis-server reads it
  --DIRECTIVE VALUE    any line such a file may hold; it wins over the file
  -                    as the last argument: read more of it from standard input
  -v, --version        say the version and leave
  -h, --help           say this and leave

Examples:
  redloop
  redloop --port 7000 --appendonly yes
  redloop redis.conf --loglevel verbose
  redloop --save "" --bind 127.0.0.1 -::1
  redloop --save 3600 1 300 10 --maxmemory 256mb --maxmemory-policy allkeys-lru
  redloop --unixsocket /run/redloop.sock --port 0
  echo "maxmemory 128mb" | redloop -

Environment:
  REDLOOP_LOOP=asyncio   run on asyncio's own event loop instead of uvloop
"""


def version(release: str) -> str:
    """In redis-server's form, which scripts take apart."""
    return f"Redis server v={COMPATIBLE_VERSION} sha=00000000:0 malloc=libc bits=64 build=redloop-{release}"


def question(arguments: list[str]) -> str:
    """`help` or `version` when that is what was asked for; these count as the first argument only."""
    first = arguments[0] if arguments else ""
    if first in ("-v", "--version"):
        return "version"
    if first in ("-h", "--help"):
        return "help"
    return ""
