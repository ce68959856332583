"""The functions of `redis` that are no calls of commands (https://redis.io/docs/latest/develop/interact/programmability/lua-api/)."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Final

from redloop.engine.acl.decisions import decide
from redloop.engine.server import REDIS_VERSION, Server
from redloop.errors import (
    SCRIPT_ACL_COMMAND,
    SCRIPT_ARGUMENT_TYPE,
    SCRIPT_LOG_ARGUMENTS,
    SCRIPT_LOG_LEVEL,
    SCRIPT_LOG_NUMBER,
    SCRIPT_NO_ARGUMENTS,
    SCRIPT_REPL_ARGUMENTS,
    SCRIPT_REPL_FLAGS,
    SCRIPT_RESP_ARGUMENTS,
    SCRIPT_RESP_VERSION,
    SCRIPT_SHA_ARGUMENTS,
)
from redloop.logs import NOTICE
from redloop.scripting.calls import KEPT, REPLICATED, Calls, number_text
from redloop.scripting.runtime import Wrong

log = logging.getLogger("redloop.scripting")

LEVELS: Final = (logging.DEBUG, logging.INFO, NOTICE, logging.WARNING)

Functions = dict[bytes, Callable[..., object]]


def redis_library(server: Server, calls: Calls) -> tuple[Functions, dict[bytes, object]]:
    """The functions and the constants of `redis`."""
    host = Host(server, calls)
    functions: Functions = {
        b"log": host.log,
        b"sha1hex": host.sha1hex,
        b"setresp": host.setresp,
        b"set_repl": host.set_repl,
        b"replicate_commands": host.replicate_commands,
        b"acl_check_cmd": host.acl_check_cmd,
        b"breakpoint": host.breakpoint,
        b"debug": host.debug,
    }
    return functions, constants()


def constants() -> dict[bytes, object]:
    """Those that both scripts and functions find."""
    major, minor, patch = [int(part) for part in REDIS_VERSION.split(".")]
    return {
        b"LOG_DEBUG": 0,
        b"LOG_VERBOSE": 1,
        b"LOG_NOTICE": 2,
        b"LOG_WARNING": 3,
        b"REPL_NONE": 0,
        b"REPL_AOF": KEPT,
        b"REPL_REPLICA": REPLICATED,
        b"REPL_SLAVE": REPLICATED,
        b"REPL_ALL": KEPT | REPLICATED,
        b"REDIS_VERSION": REDIS_VERSION.encode(),
        b"REDIS_VERSION_NUM": major << 16 | minor << 8 | patch,
    }


class Host:
    """They get Lua's values; strings are bytes, nil is None."""

    def __init__(self, server: Server, calls: Calls) -> None:
        self.server = server
        self.calls = calls

    def log(self, *args: object) -> None:
        if len(args) < 2:
            raise Wrong(SCRIPT_LOG_ARGUMENTS)
        if as_number(args[0]) is None:
            raise Wrong(SCRIPT_LOG_NUMBER)
        level = as_int(args[0])
        if not 0 <= level < len(LEVELS):
            raise Wrong(SCRIPT_LOG_LEVEL)
        words = [as_text(arg) for arg in args[1:]]
        log.log(LEVELS[level], "%s", b" ".join([word for word in words if word is not None]).decode("utf-8", "replace"))

    def sha1hex(self, *args: object) -> bytes:
        if len(args) != 1:
            raise Wrong(SCRIPT_SHA_ARGUMENTS)
        return hashlib.sha1(as_text(args[0]) or b"", usedforsecurity=False).hexdigest().encode()

    def setresp(self, *args: object) -> None:
        if len(args) != 1:
            raise Wrong(SCRIPT_RESP_ARGUMENTS)
        version = as_int(args[0])
        if version not in (2, 3):
            raise Wrong(SCRIPT_RESP_VERSION)
        self.calls.client.resp3 = version == 3

    def set_repl(self, *args: object) -> None:
        if len(args) != 1:
            raise Wrong(SCRIPT_REPL_ARGUMENTS)
        flags = as_int(args[0])
        if flags & ~(KEPT | REPLICATED):
            raise Wrong(SCRIPT_REPL_FLAGS)
        self.calls.effects_to = flags

    def replicate_commands(self, *args: object) -> bool:
        return True

    def breakpoint(self, *args: object) -> bool:
        return False

    def debug(self, *args: object) -> None:
        return None

    def acl_check_cmd(self, *args: object) -> bool:
        if not args:
            raise Wrong(SCRIPT_NO_ARGUMENTS.encode())
        argv: list[bytes] = []
        for arg in args:
            word = as_text(arg)
            if word is None:
                raise Wrong(SCRIPT_ARGUMENT_TYPE.encode())
            argv.append(word)
        command = self.server.find_command(argv)
        if command is None:
            raise Wrong(SCRIPT_ACL_COMMAND)
        return decide(self.calls.client.user, command, argv) is None


def as_text(value: object) -> bytes | None:
    """A string, or a number as text; None for anything else."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return b"%d" % value if isinstance(value, int) else number_text(value)


def as_int(value: object) -> int:
    """A number without its fraction, as C converts it; 0 for what is no number."""
    number = as_number(value)
    if number is None or not -2147483648 <= number <= 2147483647:
        return 0 if number is None else -2147483648
    return int(number)


def as_number(value: object) -> float | None:
    """A number, or a string that is one; None for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, bytes):
        try:
            return float(value)
        except ValueError:
            return None
    return None
