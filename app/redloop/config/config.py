"""Config: the settings of one server, and the only way to change them.

Every change goes through the table of directives: `load_line` for a line of the file or the command line, `change` for CONFIG SET
(several at once, all or nothing). Who must act on a change listens:

    config.on_change("port", self.move_to_new_port)

A listener reads the new value from the config. To refuse it, it leaves everything of its own as it was and raises ConfigError(reason):
then the old values are put back, and the listeners that had already acted are called again. One listener may stand for several directives
and is called once.
Two declarations have no value of their own, `user` and `rename-command`: `on_declaration` lets their owner check each as it is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from redloop.config.directives import BY_NAME, DIRECTIVES, HIDDEN, IMMUTABLE, OBSOLETE, PROTECTED, SENSITIVE, Directive
from redloop.config.kinds import ConfigError
from redloop.config.settings import Settings

BAD_DIRECTIVE: Final = "Bad directive or wrong number of arguments"


class Config(Settings):
    def __init__(self) -> None:
        super().__init__()
        # where the settings came from
        self.loaded: bool = False  # anything at all was given
        self.path: str = ""  # of the file, absolute; empty when there is none
        self.unresolved: list[str] = []  # lines that name no directive
        self.remarks: list[str] = []  # what the log should say about the settings; whoever logs them empties the list
        # listeners
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._checks: dict[str, Callable[[list[str]], None]] = {}
        # directives met in the file, for those whose lines add up
        self._met: set[str] = set()

    # -- asking

    def names(self) -> list[str]:
        """Every name a pattern can find: hidden directives are missing, older names are there."""
        return [name for directive in DIRECTIVES if not directive.flags & HIDDEN for name in (directive.name, *directive.older)]

    def knows(self, name: str) -> bool:
        return name.lower() in BY_NAME

    def show(self, name: str) -> str:
        """The value as CONFIG GET tells it."""
        directive = BY_NAME[name.lower()]
        return directive.kind.show(getattr(self, directive.attribute))

    def is_sensitive(self, name: str) -> bool:
        return self.knows(name) and bool(BY_NAME[name.lower()].flags & SENSITIVE)

    def place(self, path: str) -> str:
        """A path of the configuration as the working directory has it."""
        return os.path.join(self.dir, path)

    # -- listening

    def on_change(self, name: str, listener: Callable[[], None]) -> None:
        self._listeners.setdefault(BY_NAME[name].name, []).append(listener)

    def on_declaration(self, name: str, check: Callable[[list[str]], None]) -> None:
        """`check` gets the words after `user` or `rename-command`, and raises ConfigError with what is wrong with them."""
        self._checks[name] = check

    # -- changing

    def load_line(self, words: list[str]) -> None:
        """One line of the configuration file or of the command line, `include` apart."""
        name = words[0].lower()
        directive = BY_NAME.get(name)
        if directive is not None:
            self._load(directive, words[1:])
        elif name == "rename-command" and len(words) == 3:
            self._declare(name, words[1:])
            self.renamed_commands.append((words[1], words[2]))
        elif name == "user" and len(words) > 1:
            self._declare(name, words[1:])
            self.users.append(words[1:])
        elif name == "loadmodule" and len(words) > 1:
            raise ConfigError("loadmodule is not supported: there are no loadable modules")
        elif name == "sentinel":
            raise ConfigError("sentinel directive while not in sentinel mode")
        elif len(words) == 1:
            raise ConfigError(BAD_DIRECTIVE)
        elif name not in OBSOLETE or len(words) > 2:
            self.unresolved.append(" ".join(words))

    def change(self, pairs: list[tuple[str, str]], *, protected: bool = False) -> None:
        """CONFIG SET: all of the pairs or none. ConfigError has the reply's text; `protected` lets protected directives change."""
        wanted: list[tuple[str, Directive, str]] = []
        for name, word in pairs:
            directive = BY_NAME.get(name.lower())
            if directive is None:
                raise ConfigError(f"Unknown option or number of arguments for CONFIG SET - '{name}'")
            if directive.flags & IMMUTABLE:
                raise _refusal(name, "can't set immutable config")
            if directive.flags & PROTECTED and not protected:
                raise _refusal(name, "can't set protected config")
            if any(name.lower() == other.lower() for other, _, _ in wanted):
                raise _refusal(name, "duplicate parameter")
            wanted.append((name, directive, word))

        before: list[tuple[Directive, Any]] = []
        called: list[Callable[[], None]] = []
        try:
            for name, directive, word in wanted:
                before.append((directive, getattr(self, directive.attribute)))
                self._set(name, directive, word)
            for name, directive, _ in wanted:
                self._notify(name, directive, called)
        except ConfigError:
            for directive, value in before[::-1]:
                setattr(self, directive.attribute, value)
            for listener in called:
                with suppress(ConfigError):
                    listener()
            raise
        for _, directive, _ in wanted:
            self._remark(directive)

    def remark_all(self) -> None:
        """Note, once everything is loaded, which settings have no effect."""
        for directive in DIRECTIVES:
            self._remark(directive)

    def _load(self, directive: Directive, words: list[str]) -> None:
        if directive.kind.multiple and len(words) == 1 and words[0]:
            words = words[0].split(" ")
        current = getattr(self, directive.attribute)
        value = directive.parse(words, current)
        if directive.kind.accumulates:
            if value and directive.name in self._met:
                value = current + value
            self._met.add(directive.name)
        setattr(self, directive.attribute, value)

    def _declare(self, name: str, words: list[str]) -> None:
        check = self._checks.get(name)
        if check is not None:
            check(words)

    def _set(self, name: str, directive: Directive, word: str) -> None:
        words = [word]
        if directive.kind.multiple:
            words = word.split(" ") if word else []
        try:
            value = directive.parse(words, getattr(self, directive.attribute))
        except ConfigError as error:
            raise _refusal(name, str(error)) from None
        setattr(self, directive.attribute, value)

    def _notify(self, name: str, directive: Directive, called: list[Callable[[], None]]) -> None:
        for listener in self._listeners.get(directive.name, []):
            if listener in called:
                continue
            try:
                listener()
            except ConfigError as error:
                raise _refusal(name, str(error)) from None
            called.append(listener)

    def _remark(self, directive: Directive) -> None:
        if directive.idle and getattr(self, directive.attribute) != directive.default:
            self.remarks.append(f"{directive.name} is accepted but has no effect: {directive.idle}")


def _refusal(name: str, reason: str) -> ConfigError:
    return ConfigError(f"CONFIG SET failed (possibly related to argument '{name}') - {reason}")
