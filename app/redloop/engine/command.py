"""Commands: how one is declared, and what the server keeps about each.

A family of commands is a module in `commands/`:

    command = family("string")

    @command("GET key", "The value of a string key.", READONLY | FAST, since="1.0.0")
    def get(client: Client, argv: list[bytes]) -> Reply: ...

The syntax line is the only metadata: name, arity, key positions and the COMMAND DOCS tree are derived from it (`engine.syntax`). A
`Definition` is what the source says, once per process; a `Command` is what one server knows about it, with its statistics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import i64

from redloop.engine.syntax import Syntax, parse

Handler = Callable[..., object]
"""handler(client, argv) -> reply. `argv[0]` is the command's name (for a subcommand also `argv[1]`)."""

# Flags, as COMMAND INFO names them.
WRITE: Final = 1
READONLY: Final = 1 << 1
DENYOOM: Final = 1 << 2
ADMIN: Final = 1 << 3
PUBSUB: Final = 1 << 4
NOSCRIPT: Final = 1 << 5
BLOCKING: Final = 1 << 6
LOADING: Final = 1 << 7
STALE: Final = 1 << 8
SKIP_MONITOR: Final = 1 << 9
SKIP_SLOWLOG: Final = 1 << 10
ASKING: Final = 1 << 11
FAST: Final = 1 << 12
NO_AUTH: Final = 1 << 13
MAY_REPLICATE: Final = 1 << 14
NO_MANDATORY_KEYS: Final = 1 << 15
NO_ASYNC_LOADING: Final = 1 << 16
ALLOW_BUSY: Final = 1 << 17
NO_MULTI: Final = 1 << 18
TOUCHES_ARBITRARY_KEYS: Final = 1 << 19

NO_LIMIT: Final = 1 << 31
"""The most arguments of a command that takes any number."""


class Definition:
    """A command as its module declares it."""

    def __init__(self, line: str, summary: str, flags: int, group: str, since: str, handler: Handler) -> None:
        self.line = line
        self.summary = summary
        self.flags = flags
        self.group = group
        self.since = since
        self.handler = handler
        self.syntax: Syntax = parse(line)
        self.name = "|".join(word.lower() for word in self.syntax.words)
        self.arity = self.syntax.arity()


DEFINITIONS: Final[list[Definition]] = []
"""Every declared command, in the order of import."""


class Registrar:
    """The decorator: notes the definition and leaves the function as it is."""

    def __init__(self, group: str, line: str, summary: str, flags: int, since: str) -> None:
        self.group = group
        self.line = line
        self.summary = summary
        self.flags = flags
        self.since = since

    def __call__(self, handler: Handler) -> Handler:
        DEFINITIONS.append(Definition(self.line, self.summary, self.flags, self.group, self.since, handler))
        return handler


class Family:
    """The commands of one group."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __call__(self, line: str, summary: str, flags: int = 0, *, since: str) -> Registrar:
        return Registrar(self.group, line, summary, flags, since)


def family(group: str) -> Family:
    """The decorator for the commands of `group` (a group of COMMAND DOCS: "string", "generic", ...)."""
    return Family(group)


class Command:
    """A command in one server's table. `ns` is the time spent in it, in nanoseconds."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.name = definition.name
        self.flags: i64 = definition.flags
        self.handler = definition.handler
        self.min_args: i64 = abs(definition.arity)
        self.max_args: i64 = definition.arity if definition.arity > 0 else NO_LIMIT
        self.subcommands: dict[bytes, Command] | None = None

        # Statistics.
        self.calls: i64 = 0
        self.ns: i64 = 0
        self.rejected: i64 = 0
        self.failed: i64 = 0
        self.histogram = Histogram()

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        self.calls = 0
        self.ns = 0
        self.rejected = 0
        self.failed = 0
        self.histogram = Histogram()


class Histogram:
    """How often a command took how long: buckets of an eighth of an octave, filled in runs.

    Calls of one command mostly fall into one bucket after another's: a run is counted in plain fields and poured into the buckets when it
    ends.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._low: i64 = 0
        self._high: i64 = 0
        self._run: i64 = 0

    def add(self, ns: i64) -> None:
        """Counts a call of `ns` nanoseconds."""
        if self._low <= ns < self._high:
            self._run += 1
            return
        self._pour()
        octave: i64 = 1024
        while octave * 2 <= ns:
            octave *= 2
        if ns < octave:
            self._low = 0
            self._high = octave
        else:
            step: i64 = octave // 8
            self._low = ns - (ns - octave) % step
            self._high = self._low + step
        self._run = 1

    def _pour(self) -> None:
        if self._run:
            self._buckets[self._low] = self._buckets.get(self._low, 0) + self._run
            self._run = 0

    def buckets(self) -> list[tuple[int, int]]:
        """(lower bound in nanoseconds, calls), in ascending order."""
        self._pour()
        return sorted(self._buckets.items())


def build_table(definitions: list[Definition]) -> dict[bytes, Command]:
    """The table of one server: lower-case and upper-case name to command; containers hold their subcommands in the same way."""
    table: dict[bytes, Command] = {}
    nested: list[Command] = []
    for definition in definitions:
        command = Command(definition)
        if "|" in command.name:
            nested.append(command)
        else:
            add(table, command.name.encode(), command)
    for command in nested:
        container, name = command.name.encode().split(b"|")
        holder = table[container]
        if holder.subcommands is None:
            holder.subcommands = {}
        add(holder.subcommands, name, command)
    return table


def add(table: dict[bytes, Command], name: bytes, command: Command) -> None:
    """Enters `command` under both spellings of `name`; any other mixture of cases is looked up in lower case."""
    table[name] = command
    table[name.upper()] = command
