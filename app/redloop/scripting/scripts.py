"""Scripts: EVAL's cache, the first line that may say how a script is to be run, and running one.

A script is known by the SHA-1 of its text and compiled once. What EVAL loads is forgotten again when more than `MOST_EVALS` were loaded
after it or used since; what SCRIPT LOAD loads stays until SCRIPT FLUSH. The Lua runtime is made when the first script comes.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from typing import Final

from redloop.engine.client import Client
from redloop.engine.server import Server
from redloop.errors import (
    NOSCRIPT,
    OOM,
    SCRIPT_BAD_SHEBANG,
    SCRIPT_WRITES_IN_RO,
    RedisError,
    script_does_not_compile,
    script_failed,
    unexpected_script_engine,
    unexpected_script_flag,
    unknown_script_option,
)
from redloop.resp.replies import Reply
from redloop.scripting.busy import Busy
from redloop.scripting.calls import Calls
from redloop.scripting.host import redis_library
from redloop.scripting.libraries import install
from redloop.scripting.runtime import CompileError, Runtime, ScriptError

log = logging.getLogger("redloop.scripting")

MOST_EVALS: Final = 500

NO_WRITES: Final = 1
ALLOW_OOM: Final = 2
ALLOW_STALE: Final = 4
NO_CLUSTER: Final = 8
ALLOW_CROSS_SLOT: Final = 16
LEGACY: Final = 32
"""There is no first line that says anything: old rules."""

FLAGS: Final = {
    b"no-writes": NO_WRITES,
    b"allow-oom": ALLOW_OOM,
    b"allow-stale": ALLOW_STALE,
    b"no-cluster": NO_CLUSTER,
    b"allow-cross-slot-keys": ALLOW_CROSS_SLOT,
}


class Runnable:
    """What can be run: a function of Lua, and what it is called where it fails; `shown`: the name of a function, "" for a script."""

    def __init__(self, name: bytes, function: object, flags: int, shown: str = "") -> None:
        self.name = name
        self.function = function
        self.flags = flags
        self.shown = shown


class Script(Runnable):
    """A compiled script."""

    def __init__(self, sha: bytes, source: bytes, function: object, flags: int) -> None:
        super().__init__(sha, function, flags)
        self.sha = sha
        self.source = source


def read_shebang(source: bytes) -> tuple[int, bytes]:
    """The flags that the first line gives, and the text as Lua is to read it: an empty line in that one's place."""
    if not source.startswith(b"#!"):
        return LEGACY, source
    end = source.find(b"\n")
    if end < 0:
        raise RedisError(SCRIPT_BAD_SHEBANG)
    words = source[:end].split()
    if words[0] != b"#!lua":
        raise RedisError(unexpected_script_engine(words[0]))
    flags = 0
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise RedisError(unknown_script_option(word))
        for flag in word[6:].split(b","):
            if not flag:
                continue
            if flag not in FLAGS:
                raise RedisError(unexpected_script_flag(flag))
            flags |= FLAGS[flag]
    return flags, source[end:]


class Scripts:
    """The scripts of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.busy = Busy(server)
        self.evicted = 0
        self.calls = Calls(server)
        self._runtime: Runtime | None = None
        self._scripts: dict[bytes, Script] = {}
        self._evals: OrderedDict[bytes, None] = OrderedDict()  # those that EVAL loaded, the one used last at the end

    def __len__(self) -> int:
        return len(self._scripts)

    def runtime(self) -> Runtime:
        """The Lua runtime, made when it is first asked for."""
        if self._runtime is None:
            runtime = Runtime(self.calls.call, self.busy.tick, (install,))
            self.calls.attach(runtime)
            functions, values = redis_library(self.server, self.calls)
            runtime.library(b"redis", functions, values, runtime.redis_calls())
            self._runtime = runtime
        return self._runtime

    def memory(self) -> int:
        """Bytes that the runtime holds."""
        return self._runtime.lua.get_memory_used(total=True) if self._runtime is not None else 0

    def memory_of_scripts(self) -> int:
        """Bytes of the texts that are kept, about."""
        return sum([len(script.source) + 200 for script in self._scripts.values()])

    # --- the cache -----------------------------------------------------------------------------------------------------------------

    def load(self, source: bytes) -> Script:
        """SCRIPT LOAD: stays until it is flushed."""
        sha = sha1(source)
        script = self._scripts.get(sha)
        if script is None:
            script = self._compiled(sha, source)
        self._evals.pop(sha, None)
        return script

    def for_eval(self, source: bytes) -> Script:
        """The script with that text, loaded if it is not known."""
        sha = sha1(source)
        script = self._scripts.get(sha)
        if script is None:
            script = self._compiled(sha, source)
            if len(self._evals) >= MOST_EVALS:
                oldest, _ = self._evals.popitem(last=False)
                del self._scripts[oldest]
                self.evicted += 1
            self._evals[sha] = None
        elif sha in self._evals:
            self._evals.move_to_end(sha)
        return script

    def find(self, sha: bytes) -> Script:
        """The script with that SHA-1, in lower or upper case. Raises RedisError."""
        script = self._scripts.get(sha) or self._scripts.get(sha.lower())
        if script is None:
            raise RedisError(NOSCRIPT)
        if script.sha in self._evals:
            self._evals.move_to_end(script.sha)
        return script

    def knows(self, sha: bytes) -> bool:
        """SCRIPT EXISTS."""
        return sha.lower() in self._scripts

    def flush(self) -> None:
        """Forgets all scripts, and the runtime with them."""
        self._scripts.clear()
        self._evals.clear()
        self._runtime = None

    def _compiled(self, sha: bytes, source: bytes) -> Script:
        flags, code = read_shebang(source)
        try:
            function = self.runtime().compile(code, b"@user_script")
        except CompileError as error:
            raise RedisError(script_does_not_compile(str(error))) from None
        script = Script(sha, source, function, flags)
        self._scripts[sha] = script
        return script

    # --- running -------------------------------------------------------------------------------------------------------------------

    def run(self, client: Client, argv: list[bytes], script: Script, count: int, read_only: bool) -> Reply:
        """Runs a script for `client`; `argv[3:]` are `count` keys and the arguments. Errors are returned or raised."""
        assert self._runtime is not None
        return self.execute(client, argv, script, count, read_only, self._runtime, self.calls)

    def execute(
        self, client: Client, argv: list[bytes], script: Runnable, count: int, read_only: bool, runtime: Runtime, calls: Calls
    ) -> Reply:
        """The same for a script or a function of `runtime`, whose calls come to `calls`."""
        flags = script.flags
        if not flags & LEGACY:
            if read_only and not flags & NO_WRITES:
                raise RedisError(SCRIPT_WRITES_IN_RO)
            if flags & NO_WRITES:
                read_only = True
            elif not flags & ALLOW_OOM and self.server.eviction.out_of_memory and not client.obeyed:
                raise RedisError(OOM)
        server = self.server
        calls.begin(client, read_only, bool(script.flags & (ALLOW_OOM | NO_WRITES)))
        effects = server.effects
        mark = effects.mark()
        effects.depth += 1
        self.busy.begin(client, calls, script.shown)
        server.clock.freeze(server.mark)
        try:
            reply = runtime.run(script.function, count, argv[3:], bool(script.shown))
        except ScriptError as error:
            text = error.text
            if error.source and error.line:
                text = script_failed(text, script.name, error.source, error.line)
            return self._failed(client, text, error.counted)
        finally:
            server.clock.thaw()
            if self.busy.end():  # the server ends with it, and keeps nothing of what it did
                effects.forget(mark)
                client.abort()
            effects.depth -= 1
            effects.replay_nothing()  # the script itself: its commands have said what is to be replayed
        return reply

    def _failed(self, client: Client, text: str, counted: bool) -> RedisError:
        if not counted:
            raise RedisError(text)
        if client.last_command is not None:
            client.last_command.failed += 1
        return RedisError(text)


def sha1(source: bytes) -> bytes:
    """The name of a script."""
    return hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()
