"""Functions: libraries in Lua that stay, are saved with the data, and are called by name.

A library (https://redis.io/docs/latest/develop/interact/programmability/functions-intro/) is a text whose first line names it. It runs
once, when it is loaded, to register its functions; it then sees no more than `redis.register_function`, `redis.log` and some constants, and
has half a second. A call runs one function, which sees what a script does but KEYS and ARGV: those are its arguments. Functions live in
a Lua runtime of their own, made when the first library comes.

Functions are found in any case of letters, libraries only as they are written. Nothing is changed unless all of it can be: where a library
does not load, or does not go with the others, those stay that were there.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lupa.lua51 import lua_type

from redloop.config.quoting import split
from redloop.engine.client import Client
from redloop.engine.server import Server
from redloop.errors import (
    FUNCTION_BAD_NAME,
    FUNCTION_LOAD_TIMEOUT,
    FUNCTION_NOT_FOUND,
    LIBRARY_EMPTY,
    LIBRARY_METADATA,
    LIBRARY_NAMED_TWICE,
    LIBRARY_NO_METADATA,
    LIBRARY_NOT_FOUND,
    LIBRARY_UNNAMED,
    REGISTER_ARGUMENT,
    REGISTER_ARGUMENTS,
    REGISTER_CALLBACK,
    REGISTER_DESCRIPTION,
    REGISTER_DUPLICATE,
    REGISTER_FLAG,
    REGISTER_FLAGS,
    REGISTER_FUNCTION_NAME,
    REGISTER_KEY,
    REGISTER_LATE,
    REGISTER_NAME,
    REGISTER_NO_CALLBACK,
    REGISTER_NO_NAME,
    REGISTER_SECOND,
    REGISTER_SINGLE,
    RedisError,
    function_exists,
    library_does_not_compile,
    library_does_not_register,
    library_engine,
    library_exists,
    library_option,
    library_stands_in_the_way,
)
from redloop.persistence.rdb.file import RdbError
from redloop.persistence.rdb.payload import dump_libraries, restore_libraries
from redloop.resp.replies import Reply
from redloop.scripting.calls import Calls
from redloop.scripting.host import as_text, redis_library
from redloop.scripting.libraries import install
from redloop.scripting.runtime import CompileError, Runtime, ScriptError, Wrong
from redloop.scripting.scripts import FLAGS, Runnable, Scripts

LOAD_NS: Final = 500_000_000
"""How long the code of a library may take when it is loaded."""

_NAME: Final = re.compile(rb"[A-Za-z0-9_]+")
_NOT_IN_FUNCTIONS: Final = (b"replicate_commands", b"breakpoint", b"debug")
_WHILE_LOADING: Final = (b"LOG_DEBUG", b"LOG_VERBOSE", b"LOG_NOTICE", b"LOG_WARNING", b"REDIS_VERSION", b"REDIS_VERSION_NUM")


class Function(Runnable):
    """What FCALL calls."""

    def __init__(self, name: bytes, function: object, flags: int, description: bytes | None) -> None:
        super().__init__(name, function, flags, name.decode())
        self.description = description


class Library:
    """A text and the functions that it registered."""

    def __init__(self, name: bytes, source: bytes) -> None:
        self.name = name
        self.source = source
        self.functions: dict[bytes, Function] = {}


def read_first_line(source: bytes) -> tuple[bytes, bytes, bytes]:
    """The engine and the name that the first line gives, and the code: with an empty line in that one's place."""
    if not source.startswith(b"#!"):
        raise RedisError(LIBRARY_NO_METADATA)
    end = source.find(b"\n")
    if end < 0 or b"\0" in source[:end]:
        raise RedisError(LIBRARY_METADATA)
    words = split(source[:end])
    if not words:
        raise RedisError(LIBRARY_METADATA)
    name = None
    for word in words[1:]:
        if not word.lower().startswith(b"name="):
            raise RedisError(library_option(word))
        if name is not None:
            raise RedisError(LIBRARY_NAMED_TWICE)
        name = word[5:]
    if name is None:
        raise RedisError(LIBRARY_UNNAMED)
    return words[0][2:], name, source[end:]


class Functions:
    """The functions of one server."""

    def __init__(self, server: Server, scripts: Scripts) -> None:
        self.server = server
        self.scripts = scripts
        self.busy = scripts.busy
        self.running: list[bytes] = []  # the call that runs, or was the last to
        self.calls = Calls(server)
        self.libraries: dict[bytes, Library] = {}
        self._functions: dict[bytes, Function] = {}  # by their names in lower case
        self._runtime: Runtime | None = None
        self._loading: Library | None = None
        self._deadline_ns = 0

    # --- what there is -------------------------------------------------------------------------------------------------------------

    def find(self, name: bytes) -> Function:
        """Raises RedisError."""
        function = self._functions.get(name.lower())
        if function is None:
            raise RedisError(FUNCTION_NOT_FOUND)
        return function

    def count(self) -> int:
        """How many functions there are."""
        return sum([len(library.functions) for library in self.libraries.values()])

    def sources(self) -> list[bytes]:
        """What is to be saved."""
        return [library.source for library in self.libraries.values()]

    def memory(self) -> int:
        """Bytes that the runtime holds."""
        return self._runtime.lua.get_memory_used(total=True) if self._runtime is not None else 0

    def memory_of_sources(self) -> int:
        """Bytes of what is kept beside the runtime, about."""
        return sum([len(library.source) + 200 * (1 + len(library.functions)) for library in self.libraries.values()])

    # --- running -------------------------------------------------------------------------------------------------------------------

    def run(self, client: Client, argv: list[bytes], function: Function, count: int, read_only: bool) -> Reply:
        """Runs a function for `client`; `argv[3:]` are `count` keys and the arguments. Errors are returned or raised."""
        runtime = self._runtime
        assert runtime is not None
        self.running = argv
        return self.scripts.execute(client, argv, function, count, read_only, runtime, self.calls)

    # --- changing it ---------------------------------------------------------------------------------------------------------------

    def load(self, source: bytes, replace: bool, hurry: bool = True) -> bytes:
        """FUNCTION LOAD; the name of the library. Without `hurry` it may take as long as it likes: it was loaded once before."""
        library = self._loaded(source, {} if replace else self.libraries, LOAD_NS if hurry else 0)
        self._join([library], replace)
        return library.name

    def take(self, replace: bool, source: bytes) -> None:
        """A library from a file. Raises RdbError."""
        try:
            self._join([self._loaded(source, {} if replace else self.libraries, 0)], replace)
        except RedisError as error:
            raise RdbError(f"Failed creating the library: {error.text}") from None

    def delete(self, name: bytes) -> None:
        """FUNCTION DELETE."""
        library = self.libraries.pop(name, None)
        if library is None:
            raise RedisError(LIBRARY_NOT_FOUND)
        self._index()

    def flush(self) -> None:
        """Forgets all, and the runtime with it."""
        self.libraries.clear()
        self._functions.clear()
        self._runtime = None

    def dump(self) -> bytes:
        """FUNCTION DUMP."""
        return dump_libraries(self.sources(), self.server.config)

    def restore(self, payload: bytes, flush: bool, replace: bool, hurry: bool = True) -> None:
        """FUNCTION RESTORE, of an intact payload."""
        sources, wrong = restore_libraries(payload)
        runtime, before = self._runtime, self.libraries
        loaded: dict[bytes, Library] = {}
        try:
            if flush:
                self._runtime = None
            for source in sources:
                library = self._loaded(source, loaded, LOAD_NS if hurry else 0)
                self._join_to(loaded, [library], replace=False)
            if wrong:
                raise RedisError(f"ERR {wrong}")
            if flush:
                self.libraries = {}
            self._join(list(loaded.values()), replace)
        except RedisError:
            self._runtime, self.libraries = runtime, before
            raise

    def _join(self, libraries: list[Library], replace: bool) -> None:
        joined = dict(self.libraries)
        self._join_to(joined, libraries, replace)
        self.libraries = joined
        self._index()

    def _join_to(self, joined: dict[bytes, Library], libraries: list[Library], replace: bool) -> None:
        for library in libraries:
            if joined.pop(library.name, None) is not None and not replace:
                raise RedisError(library_stands_in_the_way(library.name))
        names = {name.lower() for library in joined.values() for name in library.functions}
        for library in libraries:
            for name in library.functions:
                if name.lower() in names:
                    raise RedisError(function_exists(name))
            names.update([name.lower() for name in library.functions])
            joined[library.name] = library

    def _index(self) -> None:
        self._functions = {name.lower(): function for library in self.libraries.values() for name, function in library.functions.items()}

    # --- loading -------------------------------------------------------------------------------------------------------------------

    def _loaded(self, source: bytes, others: dict[bytes, Library], limit_ns: int) -> Library:
        """A library that joined nothing yet; it may not be called as one of the others."""
        engine, name, code = read_first_line(source)
        if not _NAME.fullmatch(name):
            raise RedisError(FUNCTION_BAD_NAME)
        if engine.lower() != b"lua":
            raise RedisError(library_engine(engine))
        if name in others:
            raise RedisError(library_exists(name))
        runtime = self._lua()
        library = Library(name, source)
        try:
            chunk = runtime.compile(code, b"@user_function")
        except CompileError as error:
            raise RedisError(library_does_not_compile(str(error))) from None
        self._loading = library
        self._deadline_ns = self.server.clock.monotonic_ns() + limit_ns if limit_ns else 0
        runtime.stage(True)
        try:
            runtime.run(chunk, 0, [], True)
        except ScriptError as failure:
            raise RedisError(library_does_not_register(failure.text)) from None
        finally:
            runtime.stage(False)
            self._loading = None
        if not library.functions:
            raise RedisError(LIBRARY_EMPTY)
        return library

    def _lua(self) -> Runtime:
        if self._runtime is None:
            runtime = Runtime(self.calls.call, self._tick, (install,))
            self.calls.attach(runtime)
            runtime.globals[b"__redis__err__handler"] = None
            functions, values = redis_library(self.server, self.calls)
            shown = {name: function for name, function in functions.items() if name not in _NOT_IN_FUNCTIONS}
            runtime.library(b"redis", shown, values, runtime.redis_calls())
            runtime.set_stage(
                {b"log": functions[b"log"], b"register_function": self._register}, {name: values[name] for name in _WHILE_LOADING}
            )
            self._runtime = runtime
        return self._runtime

    def _tick(self, asked: object = None) -> object:
        if self._loading is None:
            return self.busy.tick(asked)
        if asked:
            return (True, 4, FUNCTION_LOAD_TIMEOUT)
        return True if self._deadline_ns and self.server.clock.monotonic_ns() > self._deadline_ns else None

    def _register(self, *args: Any) -> None:
        """redis.register_function, with a name and a function or with one table that names its arguments."""
        library = self._loading
        if library is None:
            raise Wrong(REGISTER_LATE)
        if not 1 <= len(args) <= 2:
            raise Wrong(REGISTER_ARGUMENTS)
        if len(args) == 2:
            name = as_text(args[0])
            if name is None:
                raise Wrong(REGISTER_NAME)
            if lua_type(args[1]) != "function":
                raise Wrong(REGISTER_SECOND)
            function = Function(name, args[1], 0, None)
        elif lua_type(args[0]) == "table":
            function = _from_table(args[0])
        else:
            raise Wrong(REGISTER_SINGLE)
        if not _NAME.fullmatch(function.name):
            raise Wrong(FUNCTION_BAD_NAME.encode())
        if function.name in library.functions:
            raise Wrong(REGISTER_DUPLICATE)
        library.functions[function.name] = function


def _from_table(table: Any) -> Function:
    name: bytes | None = None
    description: bytes | None = None
    callback: object = None
    flags = 0
    for key, value in table.items():
        field = as_text(key)
        if field is None:
            raise Wrong(REGISTER_KEY)
        match field.lower():
            case b"function_name":
                name = as_text(value)
                if name is None:
                    raise Wrong(REGISTER_FUNCTION_NAME)
            case b"description":
                description = as_text(value)
                if description is None:
                    raise Wrong(REGISTER_DESCRIPTION)
            case b"callback":
                if lua_type(value) != "function":
                    raise Wrong(REGISTER_CALLBACK)
                callback = value
            case b"flags":
                flags = _flags(value)
            case _:
                raise Wrong(REGISTER_ARGUMENT)
    if name is None:
        raise Wrong(REGISTER_NO_NAME)
    if callback is None:
        raise Wrong(REGISTER_NO_CALLBACK)
    return Function(name, callback, flags, description)


def _flags(table: Any) -> int:
    if lua_type(table) != "table":
        raise Wrong(REGISTER_FLAGS)
    flags = 0
    at = 1
    while (item := table[at]) is not None:
        flag = FLAGS.get(item.lower()) if isinstance(item, bytes) else None
        if flag is None:
            raise Wrong(REGISTER_FLAG)
        flags |= flag
        at += 1
    return flags
