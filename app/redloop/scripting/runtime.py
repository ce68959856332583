"""A Lua runtime: the sandbox of `sandbox/`, with what Python adds to it.

Lua and Python meet in few places. `compile` makes a function of a text, `run` runs one with keys and arguments and gives its
reply, `library` puts functions of Python's into the globals, and `redis.call` comes to `Calls.call`. What passes are plain values and
tuples that begin with True and a kind (`sandbox/` has the other half).

Lupa pushes values for Lua where a failing allocation would end the process. So what Python hands over is measured first (`fits`), and never
passes the mark that lies `ROOM` below the limit; and names and references it needs there exist before.

A library in Lua is a file whose name `libraries` knows; one in Python is a dict of functions given to `library`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from lupa.lua51 import LuaError, LuaRuntime
from mypy_extensions import i64

from redloop.errors import RedisError
from redloop.resp.replies import BigNumber, Members, Pairs, Reply, Simple, Verbatim
from redloop.scripting.tail_calls import TooManyParametersError, without_tail_calls

log = logging.getLogger("redloop.scripting")

MEMORY: Final = 512 * 1024 * 1024
"""What scripts may hold while they run, in bytes; an allocation beyond is an error in the script: "not enough memory"."""
ROOM: Final = 4 * 1024 * 1024
REFERENCES: Final = 8000
"""Lua values that Python may hold at one time without an allocation."""
DIRECT: Final = 200
"""Keys and arguments that are handed over one by one; more come as two tables."""
CHUNK: Final = 4000
NO_MEMORY: Final = "not enough memory"
OUT_OF_MEMORY: Final = (True, 5)
"""The answer to Lua when a value does not fit."""

_FOLDER: Final = Path(__file__).parent / "sandbox"
_SANDBOX: Final = (_FOLDER / "sandbox.lua").read_bytes()
_PARTS: Final = (("errors", b"=\2"), ("stand_ins", b"=\1"), ("results", b"=\2"))
"""Its files, and the names that their frames have."""


class ScriptError(Exception):
    """A script ended with an error. `source` and `line` say where, if that is known."""

    def __init__(self, text: str, source: str = "", line: str = "", counted: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.source = source
        self.line = line
        self.counted = counted  # in INFO errorstats, by the command that failed in it


class CompileError(Exception):
    """What Lua says of a text that is no program."""


class Wrong(Exception):  # noqa: N818  # scripts are told, nobody else
    """Raised by a function of Python's for scripts: the error that the script gets, code first."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


def _no_call(*args: object) -> object:
    return (True, 4, b"ERR no commands can be run here")


def _never_tick(asked: object = None) -> object:
    return None


class Runtime:
    """One Lua state. `redis_call(*args)` answers redis.call; `tick(asked)` is asked now and then whether the script is to die."""

    def __init__(
        self,
        redis_call: Callable[..., object] = _no_call,
        tick: Callable[..., object] = _never_tick,
        libraries: Sequence[Callable[[LuaRuntime], None]] = (),
        memory: int = MEMORY,
    ) -> None:
        self._memory = memory
        self._mark = 0  # bytes: what Python hands over must end below
        self._crowded = 0  # bytes: from there on a collection comes first
        self._full = False  # the script that runs holds nearly all it may, and a collection did not change that
        self.lua = LuaRuntime(
            encoding=None,
            source_encoding="latin-1",
            attribute_handlers=(_no_attribute, _no_attribute),
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            max_memory=memory,
        )
        self.memory_used: Callable[[], int] = self.lua.get_memory_used
        self.table_from: Callable[[object], object] = self.lua.table_from
        self.resp3: Callable[[], bool] = _no  # whether the script that runs has asked for it
        self._hosts: list[Callable[..., object]] = []
        for install in libraries:
            install(self.lua)
        parts = [self.lua.compile((_FOLDER / f"{name}.lua").read_bytes(), name=chunk) for name, chunk in _PARTS]
        inside = self.lua.execute(_SANDBOX, tick, self._mend, redis_call, self._call_host, *parts, name="=\2")
        self._compile = inside[b"compile"]
        self._run = inside[b"run"]
        self._run_with = inside[b"run_with"]
        self._fetch = inside[b"fetch"]
        self._library = inside[b"library"]
        self.globals = inside[b"globals"]
        self.redis_calls = inside[b"redis_calls"]
        self._kept = inside[b"kept"]
        self._stage = inside[b"stage"]
        self._set_stage = inside[b"set_stage"]
        self._reserve()
        self.lua.gccollect()
        self._limit(self.memory_used())

    # --- what scripts find ---------------------------------------------------------------------------------------------------------

    def library(self, name: bytes, functions: dict[bytes, Callable[..., object]], values: dict[bytes, object], also: object = None) -> None:
        """Puts a table into the globals: values, functions of Python's (they get and give plain values and raise Wrong), and `also`."""
        numbers: dict[bytes, int] = {}
        for key, function in functions.items():
            numbers[key] = len(self._hosts)
            self._hosts.append(function)
        self._library(name, self.table_from(values), self.table_from(numbers), also)

    def set_stage(self, functions: dict[bytes, Callable[..., object]], values: dict[bytes, object]) -> None:
        """What a library of functions sees in place of the globals while it is loaded: a table `redis`."""
        numbers: dict[bytes, int] = {}
        for key, function in functions.items():
            numbers[key] = len(self._hosts)
            self._hosts.append(function)
        self._set_stage(self.table_from(values), self.table_from(numbers))

    def stage(self, on: bool) -> None:
        """Puts that in their place, or them back."""
        self._stage(on)

    def _call_host(self, number: int, *args: object) -> object:
        try:
            answer = self._hosts[number](*args)
        except Wrong as error:
            return (True, 4, error.text) if self.fits(len(error.text)) else OUT_OF_MEMORY
        except Exception:
            log.exception("A function for scripts failed on a bug in redloop; please report it")
            return (True, 4, b"ERR internal error, see the server's log") if self.fits(100) else OUT_OF_MEMORY
        if answer is True:
            return (True, 3, True)
        if isinstance(answer, bytes) and not self.fits(len(answer)):
            return OUT_OF_MEMORY
        return answer

    # --- running -------------------------------------------------------------------------------------------------------------------

    def compile(self, code: bytes, name: bytes) -> object:
        """A text as a function. Raises CompileError."""
        self.make_room(2 * len(code))
        try:
            answer = self._compile(code, name)
        except LuaError as error:
            raise CompileError(str(error) or NO_MEMORY) from None
        if isinstance(answer, tuple):
            raise CompileError(answer[1].decode("utf-8", "surrogateescape"))
        return answer

    def run(self, function: object, count: int, rest: list[bytes], called: bool = False) -> Reply:
        """Runs a script; the first `count` of `rest` are its keys. `called`: they are its arguments, no globals. Raises ScriptError."""
        number = len(rest)
        size: i64 = 0
        for word in rest:
            size += len(word)
        if size > ROOM // 2 or number > DIRECT or self.memory_used() > self._crowded:
            self.make_room(size + 100 * number)
        run = self._run
        answer: Any
        try:
            if number == 1:
                answer = run(function, called, count, rest[0])
            elif number == 2:
                answer = run(function, called, count, rest[0], rest[1])
            elif number <= DIRECT:
                answer = run(function, called, count, *rest)
            else:
                answer = self._run_with(function, called, self.table_from(rest[:count]), self.table_from(rest[count:]))
        except LuaError as error:  # where it could not be told to the script: there is no memory for it
            raise ScriptError(f"ERR {str(error) or NO_MEMORY}") from None
        except RecursionError:
            raise ScriptError("ERR reached lua stack limit") from None
        if not isinstance(answer, tuple):
            return _whole(answer) if isinstance(answer, float) else answer
        if answer[1] == b"plain":
            return [_whole(item) if isinstance(item, float) else item for item in answer[2:]]
        if answer[1] == b"items":
            return _Builder(answer, 2, self.resp3()).value()
        if answer[1] == b"many":
            return self._fetched(answer[2])
        _, _, text, source, line, counted = (*answer, None, None, None, None)[:6]
        raise ScriptError(_text(text) if text is not None else "ERR unknown error", _text(source), _text(line), bool(counted))

    def _fetched(self, count: int) -> Reply:
        tokens: list[Any] = []
        try:
            for first in range(1, count + 1, CHUNK):
                got = self._fetch(first, min(count, first + CHUNK - 1))
                tokens += got if isinstance(got, tuple) else (got,)
        except LuaError as error:
            raise ScriptError(f"ERR {str(error) or NO_MEMORY}") from None
        return _Builder(tokens, 0, self.resp3()).value()

    # --- memory --------------------------------------------------------------------------------------------------------------------

    def fits(self, size: int) -> bool:
        """Whether that many bytes can be handed to the script that runs; asked before each value that is."""
        if self.memory_used() + size < self._mark:
            return True
        if self._full:
            return False
        self.lua.gccollect()
        used = self.memory_used()
        self._full = used > self._mark - self._memory // 8  # it would soon be asked again, and a collection takes its time
        return used + size < self._mark

    def make_room(self, size: int) -> None:
        """Before a script runs: the limit counts from what is held by then, scripts and all."""
        used = self.memory_used()
        if used > self._crowded or size > ROOM // 2:
            self.lua.gccollect()
            self._limit(self.memory_used() + size)

    def _limit(self, held: int) -> None:
        self._full = False
        self.lua.set_max_memory(held + self._memory)
        self._mark = held + self._memory - ROOM
        self._crowded = held + self._memory // 2

    def _reserve(self) -> None:
        references = [self.table_from(()) for _ in range(REFERENCES)]
        references.clear()

    def _mend(self, dump: bytes) -> object:
        if not self.fits(2 * len(dump)):
            return False
        try:
            return without_tail_calls(dump)
        except TooManyParametersError:
            return True


def _no() -> bool:
    return False


def _no_attribute(*args: object) -> object:
    raise AttributeError("not for scripts")


def _text(raw: bytes | None) -> str:
    return raw.decode("utf-8", "surrogateescape") if raw is not None else ""


def _one_line(text: bytes) -> bytes:
    return text.replace(b"\r", b" ").replace(b"\n", b" ")


def _whole(number: float) -> int:
    """A number as an integer reply: the fraction is cut off, what is too large is the smallest integer there is."""
    if -9.223372036854775808e18 <= number < 9.223372036854775808e18:
        return int(number)
    return -(1 << 63)




class _Builder:
    """Makes a reply of the row of letters and values that `sandbox/results.lua` flattens one to."""

    def __init__(self, tokens: Sequence[Any], at: int, resp3: bool) -> None:
        self.tokens = tokens
        self.resp3 = resp3  # whether the script has asked for it
        self.at = at

    def _next(self) -> Any:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def value(self) -> Reply:
        """The next value and all in it."""
        kind = self._next()
        if kind == b"s":
            return self._next()
        if kind == b"i":
            number = self._next()
            return _whole(number) if isinstance(number, float) else number
        if kind == b"*":
            return [self.value() for _ in range(self._next())]
        if kind == b"n":
            return None
        if kind == b"t":
            return True if self.resp3 else 1
        if kind == b"f":
            return False if self.resp3 else None
        if kind == b"e":
            return RedisError(_text(self._next()))
        if kind == b"+":
            return Simple(_one_line(self._next()))
        if kind == b"d":
            return float(self._next())
        if kind == b"%":
            return Pairs([self.value() for _ in range(2 * self._next())])
        if kind == b"~":
            return Members([self.value() for _ in range(self._next())])
        if kind == b"(":
            return BigNumber(_one_line(self._next()))
        form = self._next()
        return Verbatim(self._next(), form[:3].ljust(3))
