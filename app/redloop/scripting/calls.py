"""Commands called by scripts: redis.call and redis.pcall, and what Lua is given for their replies.

`Calls.call` takes the arguments as Lua has them and answers with a plain value, or with True, a kind and what belongs to it (`finish` in
`sandbox/sandbox.lua`). It never raises. Commands run as a client of their own, which has the database and the user of whoever runs the
script. What a script may not run is said here; further rules plug into the server's inner guards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from redloop.engine.acl.log import SCRIPT
from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, NOSCRIPT, WRITE, Command
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.errors import (
    OOM,
    SCRIPT_ARGUMENT_TYPE,
    SCRIPT_NO_ARGUMENTS,
    SCRIPT_NOT_ALLOWED,
    SCRIPT_READ_ONLY,
    SCRIPT_UNKNOWN_COMMAND,
    SCRIPT_WRONG_ARITY,
    RedisError,
    acl_failure_in_script,
)
from redloop.numbers import format_double
from redloop.resp.replies import NULL_ARRAY, Attributed, BigNumber, Mark, Members, Pairs, Push, Simple, Verbatim
from redloop.scripting.runtime import OUT_OF_MEMORY, Runtime

ERROR: Final = 0
STATUS: Final = 1
ITEMS: Final = 2
VALUE: Final = 3
WRONG: Final = 4

MOST_ITEMS: Final = 200
"""Items that Lua makes a table of; a longer array is made here."""
ITEM_BYTES: Final = 48
"""What a value takes in Lua beside the bytes of a string."""

KEPT: Final = 1
REPLICATED: Final = 2


class Calls:
    """redis.call of one runtime."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = Client(server, Peer(), 0)
        self.client.may_not_block = True
        self.caller = self.client
        self.runtime: Runtime | None = None
        self.fits: Callable[[int], bool] = _never
        self.table_from: Callable[[object], object] = _no_table
        self.read_only = False
        self.allow_oom = False
        self.wrote = False  # something that cannot be taken back
        self.effects_to = KEPT | REPLICATED

    def attach(self, runtime: Runtime) -> None:
        """The runtime whose calls come here."""
        self.runtime = runtime
        self.fits = runtime.fits
        self.table_from = runtime.table_from
        runtime.resp3 = self._is_resp3

    def _is_resp3(self) -> bool:
        return self.client.resp3

    def begin(self, caller: Client, read_only: bool, allow_oom: bool) -> None:
        """A script starts, for `caller`."""
        client = self.client
        self.caller = caller
        client.db = caller.db
        client.user = caller.user
        client.obeyed = caller.obeyed
        client.no_touch = caller.no_touch
        client.resp3 = False
        self.read_only = read_only
        self.allow_oom = allow_oom
        self.wrote = False
        self.effects_to = KEPT | REPLICATED

    def call(self, *args: object) -> object:
        """redis.call(...)."""
        argv: list[bytes] = []
        for arg in args:
            if isinstance(arg, bytes):
                argv.append(arg)
            elif isinstance(arg, bool):
                return self.error(WRONG, SCRIPT_ARGUMENT_TYPE)
            elif isinstance(arg, int):
                argv.append(b"%d" % arg)
            elif isinstance(arg, float):
                argv.append(number_text(arg))
            else:
                return self.error(WRONG, SCRIPT_ARGUMENT_TYPE)
        if not argv:
            return self.error(WRONG, SCRIPT_NO_ARGUMENTS)
        client = self.client
        server = self.server
        command = client.commands.get(argv[0])
        if command is None or command.subcommands is not None:
            command = server.find_command(argv)
            if command is None:
                return self.refuse(SCRIPT_UNKNOWN_COMMAND)
        argc = len(argv)
        if argc < command.min_args or argc > command.max_args:
            return self.refuse(SCRIPT_WRONG_ARITY)
        flags = command.flags
        if flags & NOSCRIPT:
            return self.refuse(SCRIPT_NOT_ALLOWED)
        if not client.user.unrestricted:
            denial = server.access.refuse(self.caller, command, argv, SCRIPT)
            if denial is not None:
                return self.refuse(acl_failure_in_script(denial.text(client.user, command)))
        if flags & WRITE and self.read_only:
            return self.refuse(SCRIPT_READ_ONLY)
        if flags & DENYOOM and server.eviction.out_of_memory and not (self.wrote or self.allow_oom or client.obeyed):
            return self.refuse(OOM)
        if server.inner_guards and not client.obeyed:
            refusal = self._guard(command, argv)
            if refusal is not None:
                return refusal
        if flags & WRITE:
            self.wrote = True
        server.mark = client.clock.tick()
        if self.effects_to == KEPT | REPLICATED:
            reply = client.call(command, argv)
        else:
            reply = self._call_apart(command, argv)
        if isinstance(reply, bytes):
            runtime = self.runtime
            return reply if runtime is not None and runtime.fits(len(reply)) else OUT_OF_MEMORY
        if isinstance(reply, int) and not isinstance(reply, bool):
            return reply
        return self.to_lua(reply)

    def _guard(self, command: Command, argv: list[bytes]) -> object:
        try:
            for guard in self.server.inner_guards:
                guard(self.client, command, argv)
        except RedisError as error:
            self.server.reject(command, error)
            return self.error(ERROR, error.text)
        return None

    def _call_apart(self, command: Command, argv: list[bytes]) -> object:
        """Runs a command whose effects are not for everybody (redis.set_repl)."""
        effects = self.server.effects
        mark = effects.mark()
        reply = self.client.call(command, argv)
        if not self.effects_to & KEPT:
            effects.forget(mark)
        return reply

    def refuse(self, text: str) -> object:
        """The error of a command that was not run; it is counted here, and not again when it ends the script."""
        self.server.statistics.count_error(text.partition(" ")[0])
        return self.error(ERROR, text)

    def error(self, kind: int, text: str) -> object:
        """An error for Lua."""
        raw = text.encode("utf-8", "surrogateescape")
        return (True, kind, raw) if self.fits(len(raw)) else OUT_OF_MEMORY

    # --- replies -------------------------------------------------------------------------------------------------------------------

    def to_lua(self, reply: object) -> object:
        """A reply as Lua is given it."""
        if isinstance(reply, list):
            return self._array(reply)
        if not self.fits(1024):
            return OUT_OF_MEMORY
        if isinstance(reply, bool):
            if self.client.resp3:
                return (True, VALUE, reply)
            return 1 if reply else 0
        if isinstance(reply, int):
            return reply
        if reply is None:
            return None if self.client.resp3 else False
        if isinstance(reply, Simple):
            return (True, STATUS, reply.text)
        if isinstance(reply, RedisError):
            return self.error(ERROR, reply.text.replace("\r", " ").replace("\n", " "))
        if not self.fits(self._size(reply)):
            return OUT_OF_MEMORY
        value = self._inner(reply)
        return value if isinstance(value, (bytes, int)) and value is not True else (True, VALUE, value)

    def _array(self, items: list[object]) -> object:
        if not self.fits(self._size(items)):
            return OUT_OF_MEMORY
        if len(items) <= MOST_ITEMS:
            return (True, ITEMS, *[item if isinstance(item, bytes) else self._inner(item) for item in items])
        return (True, VALUE, self._table(items))

    def _size(self, reply: object) -> int:
        """At least what a reply takes in Lua."""
        if isinstance(reply, (bytes, bytearray)):
            return ITEM_BYTES + len(reply)
        if isinstance(reply, (list, tuple, set, frozenset)):
            size = 2 * ITEM_BYTES * (1 + len(reply))
            for item in reply:
                size += ITEM_BYTES + len(item) if isinstance(item, bytes) else self._size(item)
            return size
        if isinstance(reply, dict):
            return self._size(list(reply)) + self._size(list(reply.values()))
        if isinstance(reply, Pairs):
            return self._size(reply.flat)
        if isinstance(reply, (Members, Push)):
            return self._size(reply.items)
        if isinstance(reply, Verbatim):
            return 8 * ITEM_BYTES + len(reply.text)
        if isinstance(reply, Attributed):
            return self._size(reply.attributes) + self._size(reply.reply)
        return 8 * ITEM_BYTES

    def _inner(self, reply: object) -> object:
        """A reply as a value to stand in a table."""
        resp3 = self.client.resp3
        if isinstance(reply, bytes):
            return reply
        if isinstance(reply, bool):
            if resp3:
                return reply
            return 1 if reply else 0
        if isinstance(reply, int):
            return reply
        if reply is None:
            return None if resp3 else False
        if isinstance(reply, (list, tuple)):
            return self._table(reply)
        if isinstance(reply, float):
            if resp3:
                return self.table_from({b"double": reply})
            return format_double(reply)
        if isinstance(reply, Pairs):
            return self._pairs(reply.flat)
        if isinstance(reply, Members):
            return self._members(reply.items)
        if isinstance(reply, (set, frozenset)):
            return self._members(list(reply))
        if isinstance(reply, dict):
            flat: list[object] = []
            for key, value in reply.items():
                flat.append(key)
                flat.append(value)
            return self._pairs(flat)
        if isinstance(reply, Simple):
            return self.table_from({b"ok": reply.text})
        if isinstance(reply, RedisError):
            return self.table_from({b"err": reply.text.encode("utf-8", "surrogateescape")})
        if isinstance(reply, Mark):
            return None if resp3 and reply is NULL_ARRAY else False
        if isinstance(reply, Verbatim):
            if resp3:
                return self.table_from({b"verbatim_string": self.table_from({b"string": reply.text, b"format": reply.kind})})
            return reply.text
        if isinstance(reply, BigNumber):
            return self.table_from({b"big_number": reply.text}) if resp3 else reply.text
        if isinstance(reply, Attributed):
            return self._inner(reply.reply)
        if isinstance(reply, Push):
            return self._table(reply.items)
        if isinstance(reply, bytearray):
            return bytes(reply)
        return False

    def _table(self, items: list[object] | tuple[object, ...]) -> object:
        return self.table_from([item if isinstance(item, bytes) else self._inner(item) for item in items])

    def _pairs(self, flat: list[object]) -> object:
        if not self.client.resp3:
            return self._table(flat)
        pairs: dict[object, object] = {}
        for at in range(0, len(flat), 2):
            pairs[self._inner(flat[at])] = self._inner(flat[at + 1])
        return self.table_from({b"map": self.table_from(pairs)})

    def _members(self, items: list[object]) -> object:
        if not self.client.resp3:
            return self._table(items)
        return self.table_from({b"set": self.table_from({self._inner(item): True for item in items})})


def number_text(number: float) -> bytes:
    """A number that is no integer, as a command is given it."""
    if number != number:
        return b"-nan"
    return format_double(number)


def _never(_size: int) -> bool:
    return False


def _no_table(_items: object) -> object:
    return None
