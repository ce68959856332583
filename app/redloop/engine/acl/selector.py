"""Selectors: which commands may be run on which keys and channels. A user has one, and as many more as are given in parentheses.

Rules are applied one by one (`apply`), each changing the state; of the rules about commands those that still count are kept, to be printed
(`describe`). A rule that cannot be read raises RuleError and changes nothing.

To add a rule: a branch in `apply`, and what it prints in `describe`.
"""

from __future__ import annotations

from typing import Final

from redloop.engine.acl.key_access import READ, READ_WRITE, WRITE, Span, spans_of
from redloop.engine.command import CATEGORIES, Command
from redloop.patterns import Pattern, compile_pattern

UNKNOWN_COMMAND: Final = "Unknown command or category name in ACL"
SYNTAX: Final = "Syntax error"
FIRST_ARGUMENT: Final = "Allowing first-arg of a subcommand is not supported"
KEYS_ALREADY: Final = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start "
    "with an empty list of patterns"
)
CHANNELS_ALREADY: Final = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to "
    "start with an empty list of channels"
)


class RuleError(Exception):
    """A rule that cannot be applied; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Catalog:
    """The commands of a server as rules name them, whatever they are renamed to later: one by one, by container and by category.

    `all_channels` is what a new selector begins with (acl-pubsub-default).
    """

    def __init__(self, table: dict[bytes, Command]) -> None:
        self.all_channels = False
        self.commands: dict[str, Command] = {}
        for command in table.values():
            self.commands[command.name] = command
            if command.subcommands is not None:
                self.commands.update({nested.name: nested for nested in command.subcommands.values()})
        self.families: dict[str, list[str]] = {name: [] for name in self.commands}  # a container's subcommands
        for name in self.commands:
            container, bar, _ = name.partition("|")
            if bar:
                self.families[container].append(name)
        self.names = frozenset(self.commands)
        self.categories: dict[str, frozenset[str]] = {}
        self.spans: dict[str, list[Span] | None] = {}  # of commands asked for

    def category(self, name: str) -> frozenset[str]:
        """The commands that a rule about a category means: a container brings its subcommands."""
        found = self.categories.get(name)
        if found is None:
            members = [other.name for other in self.commands.values() if name in other.definition.categories]
            found = frozenset([meant for member in members for meant in (member, *self.families[member])])
            self.categories[name] = found
        return found

    def keys_of(self, command: Command) -> list[Span] | None:
        """Where a command has its keys; None if that depends on the request."""
        if command.name not in self.spans:
            self.spans[command.name] = spans_of(command.definition)
        return self.spans[command.name]


class KeyPattern:
    """Keys that may be read, written or both."""

    def __init__(self, source: bytes, access: int) -> None:
        self.source = source
        self.access = access
        self.pattern: Pattern = compile_pattern(source)

    def describe(self) -> bytes:
        """As a rule."""
        if self.access == READ_WRITE:
            return b"~" + self.source
        return (b"%R~" if self.access == READ else b"%W~") + self.source


class Selector:
    """What goes together. `all_commands` and its like are what makes a check needless; `open_ended` is whether the rules, as printed,
    start from everything.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.all_commands = False
        self.all_keys = False
        self.all_channels = catalog.all_channels
        self.open_ended = False
        self.commands: set[str] = set()
        self.first_words: dict[str, list[bytes]] = {}
        self.keys: list[KeyPattern] = []
        self.channels: list[Pattern] = []
        self.rules: list[str] = []

    def copy(self) -> Selector:
        """The same, to be changed on its own."""
        other = Selector(self.catalog)
        other.all_commands = self.all_commands
        other.all_keys = self.all_keys
        other.all_channels = self.all_channels
        other.open_ended = self.open_ended
        other.commands = set(self.commands)
        other.first_words = {name: list(words) for name, words in self.first_words.items()}
        other.keys = [KeyPattern(key.source, key.access) for key in self.keys]
        other.channels = list(self.channels)
        other.rules = list(self.rules)
        return other

    def everything(self) -> bool:
        """Whether it leaves nothing to refuse."""
        return self.all_keys and self.all_channels and (self.all_commands or self.commands == self.catalog.names)

    # --- rules -------------------------------------------------------------------------------------------------------------------

    def apply(self, rule: bytes) -> None:
        """Changes what the rule says; raises RuleError."""
        sign = rule[:1]
        match rule.lower():
            case b"allkeys" | b"~*":
                self.all_keys = True
                self.keys = []
            case b"resetkeys":
                self.all_keys = False
                self.keys = []
            case b"allchannels" | b"&*":
                self.all_channels = True
                self.channels = []
            case b"resetchannels":
                self.all_channels = False
                self.channels = []
            case b"allcommands" | b"+@all":
                self._start(True)
            case b"nocommands" | b"-@all":
                self._start(False)
            case _ if sign in (b"~", b"%"):
                self._add_key(rule)
            case _ if sign == b"&":
                self._add_channel(rule[1:])
            case _ if sign in (b"+", b"-"):
                self._change_commands(sign == b"+", rule[1:].decode("utf-8", "surrogateescape").lower())
            case _:
                raise RuleError(SYNTAX)

    def _start(self, allowed: bool) -> None:
        self.all_commands = self.open_ended = allowed
        self.commands = set(self.catalog.names) if allowed else set()
        self.first_words = {}
        self.rules = []

    def _add_key(self, rule: bytes) -> None:
        if self.all_keys:
            raise RuleError(KEYS_ALREADY)
        access = READ_WRITE
        at = 1
        if rule[:1] == b"%":
            access = 0
            while at < len(rule) and rule[at] != 0x7E:  # ~
                kind = READ if rule[at] in b"rR" else WRITE if rule[at] in b"wW" else 0
                if not kind or access & kind:
                    raise RuleError(SYNTAX)
                access |= kind
                at += 1
            if not access:
                raise RuleError(SYNTAX)
            at += 1
        source = rule[at:]
        if _has_spaces(source):
            raise RuleError(SYNTAX)
        for key in self.keys:
            if key.source == source:
                key.access |= access
                return
        self.keys.append(KeyPattern(source, access))

    def _add_channel(self, source: bytes) -> None:
        if self.all_channels:
            raise RuleError(CHANNELS_ALREADY)
        if _has_spaces(source):
            raise RuleError(SYNTAX)
        if all(channel.source != source for channel in self.channels):
            self.channels.append(compile_pattern(source))

    def _change_commands(self, allowed: bool, name: str) -> None:
        catalog = self.catalog
        if name.startswith("@"):
            if name[1:] not in CATEGORIES:
                raise RuleError(UNKNOWN_COMMAND)
            self._switch(catalog.category(name[1:]), allowed)
        elif name in catalog.commands:
            self._switch([name, *catalog.families[name]], allowed)
        else:
            container, bar, word = name.rpartition("|")
            if not allowed or not bar or container not in catalog.commands:
                raise RuleError(UNKNOWN_COMMAND)
            if "|" in container:
                raise RuleError(FIRST_ARGUMENT)
            if not word:
                raise RuleError(SYNTAX)
            if catalog.families[container]:
                raise RuleError(UNKNOWN_COMMAND)
            words = self.first_words.setdefault(container, [])
            first = word.encode("utf-8", "surrogateescape")
            if first not in words:
                words.append(first)
        self._note(allowed, name)

    def _switch(self, names: list[str] | frozenset[str], allowed: bool) -> None:
        if allowed:
            self.commands.update(names)
        else:
            self.all_commands = False
            self.commands.difference_update(names)
        if self.first_words:
            for name in names:
                self.first_words.pop(name, None)

    def _note(self, allowed: bool, name: str) -> None:
        """A rule takes the place of earlier ones about the same, or about a part of it."""
        part = name + "|"
        self.rules = [rule for rule in self.rules if rule[1:] != name and not rule.startswith(part, 1)]
        self.rules.append(("+" if allowed else "-") + name)

    # --- printing ----------------------------------------------------------------------------------------------------------------

    def describe_commands(self) -> bytes:
        """The rules about commands that lead to what is allowed now."""
        return " ".join(["+@all" if self.open_ended else "-@all", *self.rules]).encode("utf-8", "surrogateescape")

    def describe_keys(self) -> bytes:
        """The rules about keys."""
        return b"~*" if self.all_keys else b" ".join([key.describe() for key in self.keys])

    def describe_channels(self) -> bytes:
        """The rules about channels."""
        return b"&*" if self.all_channels else b" ".join([b"&" + channel.source for channel in self.channels])

    def describe(self) -> bytes:
        """All rules, on one line."""
        channels = self.describe_channels()
        if not self.all_channels:
            channels = b"resetchannels " + channels if channels else b"resetchannels"
        keys = self.describe_keys()
        return b" ".join([part for part in (keys, channels, self.describe_commands()) if part])


def _has_spaces(text: bytes) -> bool:
    return any(byte in b" \t\n\v\f\r\0" for byte in text)
