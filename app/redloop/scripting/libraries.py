"""The Lua libraries of scripts: `bit`, `cjson`, `cmsgpack`, `struct`.

Each is one file below `lua/`, in Lua: it works on Lua tables, and what walks those from Python takes a lock and an object for every item.
`install` makes them in a runtime, as globals; it needs the `debug` library, which scripts do not see. Two files are not libraries but
given to them: `arguments` (how arguments are checked, how errors find the line and the name of the call) and `binary` (numbers as bytes).

Another library: its file there, its name in `NAMES`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from lupa.lua51 import LuaRuntime

from redloop.scripting.tail_calls import without_tail_calls

NAMES: Final = ("bit", "cjson", "cmsgpack", "struct")
_FOLDER: Final = Path(__file__).parent / "lua"


@cache
def _chunk(name: str) -> bytes:
    """A file as bytecode. A library function must stand in the stack while it runs, so none of them ends in a tail call."""
    lua = LuaRuntime(encoding=None)
    chunk = lua.compile((_FOLDER / f"{name}.lua").read_bytes(), name=f"={name}".encode())
    return without_tail_calls(lua.eval(b"string.dump")(chunk), keep_recursion=False)


def install(runtime: LuaRuntime) -> None:
    """Give this runtime all libraries, each a global table."""
    arguments = runtime.compile(_chunk("arguments"))()
    binary = runtime.compile(_chunk("binary"))()
    for name in NAMES:
        runtime.globals()[name.encode()] = runtime.compile(_chunk(name))(arguments, binary)
