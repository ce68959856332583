"""Calls at the end of a Lua function that keep their place in the stack.

Redis's libraries are C functions, ours are Lua functions. `return redis.call(...)` is the same to both, except when it fails: Lua gives up
the frame of whoever calls a Lua function that way, and with it the line that the error has to name. So a compiled chunk is dumped, its tail
calls become ordinary calls where one of our functions may be called, and it is loaded again; line numbers and names stay.

What calls itself that way (`local function loop() return loop() end`) must keep doing so, or it runs out of stack: a tail call stays
one when its function is a local of the script that holds one of its closures, or a parameter. The main chunk runs once: there all change.

A function with more than a few fixed parameters and `...` is refused: 5.1 moves them over the end of its stack (CVE-2014-5461).

The format is Lua 5.1's: a header, then functions within functions. Nothing here reads bytecode from outside.
"""

from __future__ import annotations

import struct
from typing import Final, Literal

_MOVE: Final = 0
_GETUPVAL: Final = 4
_CALL: Final = 28
_TAILCALL: Final = 29
_CLOSURE: Final = 36
# What puts a value into its register A: moves, constants, fields, arithmetic, calls, closures; not stores, jumps and conditions.
_SETS_A: Final = frozenset([*range(7), 10, 11, *range(12, 22), 28, 29, 36, 37])


_IS_VARARG: Final = 6  # bytes before a function's instructions: whether it has `...`
_MOST_FIXED: Final = 5  # parameters before `...`: what the stack has beyond its end


class TooManyParametersError(Exception):
    """A function has too many parameters before `...`."""


class _Function:
    """One function of a dump: where its instructions start, and the functions that stand in it."""

    __slots__ = ("children", "closures", "code", "parameters", "start", "upvalues")

    def __init__(self, start: int, code: tuple[int, ...], parameters: int, upvalues: int, children: list[_Function]) -> None:
        self.start = start
        self.code = code
        self.parameters = parameters
        self.upvalues = upvalues
        self.children = children
        self.closures: set[int] = set()  # the upvalues that hold a closure of this script

    def local_may_be_closure(self, register: int) -> bool:
        return register < self.parameters or any(word & 63 == _CLOSURE and word >> 6 & 255 == register for word in self.code)

    def mark_closures_of_children(self) -> None:
        """After CLOSURE stands one pseudo-instruction for each upvalue: the local or the upvalue of this function that it is."""
        for at, word in enumerate(self.code):
            if word & 63 == _CLOSURE:
                child = self.children[word >> 14]
                for upvalue, source in enumerate(self.code[at + 1 : at + 1 + child.upvalues]):
                    origin = source >> 23
                    if self.local_may_be_closure(origin) if source & 63 == _MOVE else origin in self.closures:
                        child.closures.add(upvalue)

    def may_recurse(self, at: int) -> bool:
        """Whether the tail call at this instruction may be one of the script's own functions."""
        register = self.code[at] >> 6 & 255
        for word in reversed(self.code[:at]):
            if word & 63 in _SETS_A and word >> 6 & 255 == register:
                if word & 63 == _MOVE:
                    return self.local_may_be_closure(word >> 23)
                return word & 63 == _GETUPVAL and word >> 23 in self.closures
        return True


class _Dump:
    """Reads a dump from its start to its end."""

    def __init__(self, dump: bytes) -> None:
        self.dump = dump
        self.order: Literal["little", "big"] = "little" if dump[6] else "big"
        self.size_of_size = dump[8]
        self.at = 12

    def number(self, size: int = 4) -> int:
        self.at += size
        return int.from_bytes(self.dump[self.at - size : self.at], self.order)

    def skip_string(self) -> None:
        length = self.number(self.size_of_size)
        self.at += length

    def skip_constant(self) -> None:
        kind = self.number(1)
        if kind == 4:
            self.skip_string()
        else:
            self.at += (0, 1, 0, 8)[kind]

    def function(self) -> _Function:
        self.skip_string()
        self.at += 8
        upvalues, parameters = self.dump[self.at], self.dump[self.at + 1]
        self.at += 4
        count = self.number()
        start = self.at
        code = struct.unpack_from(f"{'<' if self.order == 'little' else '>'}{count}I", self.dump, start)
        self.at += 4 * count
        for _ in range(self.number()):
            self.skip_constant()
        children = [self.function() for _ in range(self.number())]
        lines = self.number()
        self.at += 4 * lines
        for _ in range(self.number()):
            self.skip_string()
            self.at += 8
        for _ in range(self.number()):
            self.skip_string()
        return _Function(start, code, parameters, upvalues, children)


def without_tail_calls(dump: bytes, *, keep_recursion: bool = True) -> bytes:
    """The same chunk, as `string.dump` gives it, in which what is called is called from a frame of its caller's."""
    reader = _Dump(dump)
    main = reader.function()
    changed = bytearray(dump)
    waiting = [main]
    while waiting:
        function = waiting.pop()
        function.mark_closures_of_children()
        if dump[function.start - _IS_VARARG] and function.parameters > _MOST_FIXED:
            raise TooManyParametersError
        waiting += function.children
        for at, word in enumerate(function.code):
            if word & 63 == _TAILCALL and (function is main or not keep_recursion or not function.may_recurse(at)):
                changed[function.start + 4 * at : function.start + 4 * at + 4] = (word & ~63 | _CALL).to_bytes(4, reader.order)
    return bytes(changed)
