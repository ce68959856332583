"""Commands: how one is declared, and what the server keeps about each.

A family of commands is a module in `commands/`:

    command = family("string")

    @command("GET key", "The value of a string key.", READONLY | FAST, since="1.0.0")
    def get(client: Client, argv: list[bytes]) -> Reply: ...

Name, arity, key positions and the COMMAND DOCS tree are derived from the syntax line (`engine.syntax`, `engine.key_specs`), the ACL
categories from the flags and the group. A line of two words is a subcommand; its container and the container's HELP come by themselves.
What cannot be derived is said beside the line:

    keys        what is done to the keys, a set of words for each key spec; "RO ACCESS" is understood where the flags say READONLY
    acl         further ACL categories; one of a data type or area takes the place of the group's own
    tips        command tips, for proxies and clients
    arity       where it is not what the line says
    types       the type of an argument that its word does not tell
    names       the name of an argument that its word does not tell
    added       {version: names of the arguments that came with it; with a minus: deprecated since}
    complexity, deprecated, replaced_by, doc_flags: as in COMMAND DOCS

A `Definition` is what the source says, once per process; a `Command` is what one server knows about it, with its statistics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import i64

from redloop.engine.key_specs import KeySpec, derive, key_arguments, legacy_range
from redloop.engine.syntax import Argument, Syntax, SyntaxLineError, parse
from redloop.resp.replies import Simple

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
MODULE: Final = 1 << 20

FLAG_NAMES: Final[list[tuple[int, str]]] = [
    (WRITE, "write"),
    (READONLY, "readonly"),
    (DENYOOM, "denyoom"),
    (MODULE, "module"),
    (ADMIN, "admin"),
    (PUBSUB, "pubsub"),
    (NOSCRIPT, "noscript"),
    (BLOCKING, "blocking"),
    (LOADING, "loading"),
    (STALE, "stale"),
    (SKIP_MONITOR, "skip_monitor"),
    (SKIP_SLOWLOG, "skip_slowlog"),
    (ASKING, "asking"),
    (FAST, "fast"),
    (NO_AUTH, "no_auth"),
    (NO_MANDATORY_KEYS, "no_mandatory_keys"),
    (NO_ASYNC_LOADING, "no_async_loading"),
    (NO_MULTI, "no_multi"),
    (ALLOW_BUSY, "allow_busy"),
]
"""In the order COMMAND INFO lists them, "movablekeys" behind all; the other flags are not shown."""

CATEGORIES: Final = [
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream", "pubsub", "admin",
    "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
]
"""The ACL categories, in the order COMMAND INFO lists them."""

_GROUP_CATEGORIES: Final = {
    "generic": "keyspace",
    "string": "string",
    "list": "list",
    "set": "set",
    "sorted-set": "sortedset",
    "hash": "hash",
    "bitmap": "bitmap",
    "hyperloglog": "hyperloglog",
    "geo": "geo",
    "stream": "stream",
    "connection": "connection",
    "transactions": "transaction",
    "scripting": "scripting",
}

LOWEST_OCTAVE: Final = 1024
"""Nanoseconds below which calls are not told apart in a histogram."""
NO_LIMIT: Final = 1 << 31
"""The most arguments of a command that takes any number."""

# When a container got its HELP, where that was neither with it nor in 5.0.0.
_HELP_SINCE: Final = {"LATENCY": "2.8.13", "MEMORY": "4.0.0", "OBJECT": "6.2.0", "PUBSUB": "6.2.0", "SLOWLOG": "6.2.0"}


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def derive_categories(group: str, flags: int, acl: str) -> list[str]:
    """The ACL categories of a command."""
    found = set(acl.split())
    if group in _GROUP_CATEGORIES and found.isdisjoint(_GROUP_CATEGORIES.values()):
        found.add(_GROUP_CATEGORIES[group])
    if flags & WRITE:
        found.add("write")
    if flags & READONLY and "scripting" not in found:
        found.add("read")
    if flags & ADMIN:
        found |= {"admin", "dangerous"}
    if flags & PUBSUB:
        found.add("pubsub")
    if flags & BLOCKING:
        found.add("blocking")
    found.add("fast" if flags & FAST else "slow")
    return [category for category in CATEGORIES if category in found]


class Definition:
    """A command as its module declares it; as a decorator it notes the handler and leaves the function as it is."""

    def __init__(self, group: str, syntax: Syntax, summary: str, flags: int, since: str, keys: str = "", acl: str = "") -> None:
        self.group = group
        self.syntax = syntax
        self.summary = summary
        self.flags = flags
        self.since = since
        self.acl = acl
        self.name = "|".join([word.lower() for word in syntax.words])
        self.arity = syntax.arity()
        if not keys and flags & READONLY and key_arguments(syntax.arguments):
            keys = "RO ACCESS"
        self.key_specs: list[KeySpec] = derive(syntax, keys)
        self.first_key, self.last_key, self.key_step = legacy_range(self.key_specs)
        self.movable_keys = any(spec.movable() for spec in self.key_specs)
        self.categories = derive_categories(group, flags, acl)
        self.tips: list[str] = []
        self.complexity = ""
        self.added: dict[str, str] = {}
        self.deprecated = ""
        self.replaced_by = ""
        self.doc_flags: list[str] = []
        self.handler: Handler = _no_handler

    def __call__(self, handler: Handler) -> Handler:
        self.handler = handler
        DEFINITIONS.append(self)
        return handler

    def flag_names(self) -> list[str]:
        """The flags as COMMAND INFO names them."""
        names = [name for flag, name in FLAG_NAMES if self.flags & flag]
        return [*names, "movablekeys"] if self.movable_keys else names

    def note_versions(self, added: dict[str, str]) -> None:
        """Marks the arguments that came later, or are deprecated, with the version."""
        self.added = added
        for version, names in added.items():
            for name in names.split():
                argument = _without_version(self.syntax.arguments, name.removeprefix("-"))
                if argument is None:
                    raise SyntaxLineError(f"{self.name} has no argument called {name}")
                if name.startswith("-"):
                    argument.deprecated = version
                else:
                    argument.since = version


def _without_version(arguments: list[Argument], name: str) -> Argument | None:
    """The first argument of that name that has no version yet, outer before inner."""
    for argument in arguments:
        if argument.name == name and not argument.since:
            return argument
        found = _without_version(argument.arguments, name)
        if found is not None:
            return found
    return None


def _no_handler(client: object, argv: list[bytes]) -> object:
    raise AssertionError("a container is never run itself")


DEFINITIONS: Final[list[Definition]] = []
"""Every declared command, in the order of import."""


class Family:
    """The commands of one group."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __call__(
        self,
        line: str,
        summary: str,
        flags: int = 0,
        *,
        since: str,
        complexity: str = "",
        keys: str = "",
        acl: str = "",
        tips: str = "",
        arity: int = 0,
        types: dict[str, str] | None = None,
        names: dict[str, str] | None = None,
        added: dict[str, str] | None = None,
        deprecated: str = "",
        replaced_by: str = "",
        doc_flags: str = "",
    ) -> Definition:
        definition = Definition(self.group, parse(line, types, names), summary, flags, since, keys, acl)
        definition.arity = arity or definition.arity
        definition.complexity = complexity
        definition.tips = tips.split()
        definition.note_versions(added or {})
        definition.deprecated = deprecated
        definition.replaced_by = replaced_by
        definition.doc_flags = ["deprecated"] if deprecated else doc_flags.split()
        return definition


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
        self.histogram = Histogram()  # being filled
        self.tracked = self.histogram  # told of: the one that was filled last while latency-tracking was on

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT; say `track` after it."""
        self.calls = 0
        self.ns = 0
        self.rejected = 0
        self.failed = 0
        self.tracked = Histogram()

    def track(self, on: bool) -> None:
        """Whether calls are told of in the histogram (latency-tracking); otherwise one fills that nobody sees."""
        self.histogram = self.tracked if on else Histogram()

    def forget_call(self) -> None:
        """The last call was the going on of another; its time still counts."""
        self.calls -= 1
        self.histogram.forget()


class Histogram:
    """How often a command took how long: buckets of an eighth of an octave, filled in runs.

    Calls of one command mostly fall into one bucket after another's: a run is counted in plain fields and poured into the buckets when it
    ends.
    """

    def __init__(self) -> None:
        self._counts: list[int] = []  # of the buckets: below 1024 ns, then eight an octave; empty while there was no call
        self._low: i64 = 0
        self._high: i64 = 0
        self._run: i64 = 0
        self._place: i64 = 0  # of the bucket from `_low` to `_high`

    def add(self, ns: i64) -> None:
        """Counts a call of `ns` nanoseconds."""
        if self._low <= ns < self._high:
            self._run += 1
            return
        self._pour()
        octave: i64 = LOWEST_OCTAVE
        if ns < octave:
            self._place = 0
            self._low = 0
            self._high = octave
        else:
            place: i64 = 1
            while octave * 2 <= ns:
                octave *= 2
                place += 8
            step: i64 = octave // 8
            eighth: i64 = (ns - octave) // step
            self._place = place + eighth
            self._low = octave + eighth * step
            self._high = self._low + step
        self._run = 1

    def forget(self) -> None:
        """The last call added was none of its own."""
        self._run -= 1

    def _pour(self) -> None:
        if self._run:
            counts = self._counts
            if self._place >= len(counts):
                counts.extend([0] * (self._place + 1 - len(counts)))
            before: i64 = counts[self._place]
            counts[self._place] = before + self._run
            self._run = 0

    def ranges(self) -> list[tuple[int, int]]:
        """(upper bound in nanoseconds, not included, calls), in ascending order."""
        return [(_lowest(place + 1), count) for place, count in enumerate(self._poured()) if count]

    def buckets(self) -> list[tuple[int, int]]:
        """(lower bound in nanoseconds, calls), in ascending order."""
        return [(_lowest(place), count) for place, count in enumerate(self._poured()) if count]

    def _poured(self) -> list[int]:
        self._pour()
        return self._counts


def _lowest(place: int) -> int:
    """Where a bucket of a histogram begins, in nanoseconds."""
    if place == 0:
        return 0
    octave = LOWEST_OCTAVE << (place - 1) // 8
    return octave + (place - 1) % 8 * (octave // 8)


class Help:
    """The HELP of a container: the lines of its subcommands and their summaries."""

    def __init__(self, container: str, definitions: list[Definition]) -> None:
        lines = [f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
        for definition in definitions:
            syntax = definition.syntax
            lines += [syntax.text(len(syntax.words) - 1), f"    {definition.summary}"]
        lines += ["HELP", "    Print this help."]
        self.reply: list[object] = [Simple(line.encode()) for line in lines]

    def answer(self, client: object, argv: list[bytes]) -> object:
        return self.reply


def complete(definitions: list[Definition]) -> list[Definition]:
    """Adds the containers and their HELP to what the families declare."""
    containers: dict[str, list[Definition]] = {}
    for definition in definitions:
        if len(definition.syntax.words) > 1:
            containers.setdefault(definition.syntax.words[0], []).append(definition)
    declared = {definition.name: definition for definition in definitions}
    added: list[Definition] = []
    for name, nested in containers.items():
        container = declared.get(name.lower())
        if container is None:
            since = min([definition.since for definition in nested], key=_version)
            container = Definition(nested[0].group, Syntax([name], []), f"The commands of {name}.", 0, since)
            container.arity = -2
            container.categories = ["slow"]
            container.complexity = "Depends on subcommand."
            added.append(container)
        since = _HELP_SINCE.get(name) or max("5.0.0", container.since, key=_version)
        text = f"How to use {name}."
        help_ = Definition(container.group, Syntax([name, "HELP"], []), text, LOADING | STALE, since, acl=container.acl)
        help_.complexity = "O(1)"
        help_.handler = Help(name, nested).answer
        added.append(help_)
    return definitions + added


def build_table(definitions: list[Definition]) -> dict[bytes, Command]:
    """The table of one server: lower-case and upper-case name to command; containers hold their subcommands in the same way."""
    table: dict[bytes, Command] = {}
    nested: list[Command] = []
    for definition in complete(definitions):
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
