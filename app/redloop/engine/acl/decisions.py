"""Decisions: whether a user may run a request. Nothing here changes or counts anything.

A request must fit one selector as a whole. When none fits, the refusal told is that of the selector that came furthest: a key rather than
the command, a channel rather than a key, and of several the last argument.
"""

from __future__ import annotations

from typing import Final

from redloop.engine.acl.key_access import READ, Span, Touch, touches
from redloop.engine.acl.selector import Selector
from redloop.engine.acl.user import User
from redloop.engine.command import NO_AUTH, Command
from redloop.errors import NOPERM_CHANNEL, NOPERM_KEY, user_cannot_run, user_cannot_touch

COMMAND: Final = 1
KEY: Final = 2
LOGIN: Final = 3
CHANNEL: Final = 4

# Channels are arguments from the first on: up to the one given, or to the end.
_CHANNELS: Final = {"publish": 1, "spublish": 1, "subscribe": -1, "ssubscribe": -1, "psubscribe": -1}


class Denial:
    """A refusal: of what kind, and which argument was not allowed."""

    def __init__(self, kind: int, place: int) -> None:
        self.kind = kind
        self.place = place

    def text(self, user: User, command: Command) -> str:
        """What the client is told: not which key."""
        if self.kind == COMMAND:
            return "NOPERM " + user_cannot_run(user.name, command.name)
        return NOPERM_KEY if self.kind == KEY else NOPERM_CHANNEL

    def reason(self) -> str:
        """What EXEC tells."""
        if self.kind == COMMAND:
            return "no permission to execute the command or subcommand"
        if self.kind == KEY:
            return "no permission to touch the specified keys"
        return "no permission to access one of the channels used as arguments"

    def details(self, user: User, command: Command, argv: list[bytes]) -> str:
        """What ACL DRYRUN tells: all of it."""
        if self.kind == COMMAND:
            return user_cannot_run(user.name, command.name)
        return user_cannot_touch(user.name, argv[self.place], "key" if self.kind == KEY else "channel")


def decide(user: User, command: Command, argv: list[bytes]) -> Denial | None:
    """None if `user` may run `command` with these arguments (of the right number)."""
    if user.unrestricted:
        return None
    kind, place = COMMAND, 0
    keys = _Keys(user, command, argv)
    for selector in user.selectors:
        if not _may_run(selector, command, argv):
            continue
        if not selector.all_keys:
            refused = keys.refused(selector)
            if refused:
                if kind < KEY or (kind == KEY and refused > place):
                    kind, place = KEY, refused
                continue
        refused = 0 if selector.all_channels else _refused_channel(selector, command.name, argv)
        if not refused:
            return None
        if kind < CHANNEL or refused > place:
            kind, place = CHANNEL, refused
    return Denial(kind, place)


def may_read_any_key(user: User, command: Command, argv: list[bytes]) -> bool:
    """Whether some selector that lets the request pass lets it read every key too: SORT with BY or GET follows names from values."""
    if user.unrestricted:
        return True
    keys = _Keys(user, command, argv)
    for selector in user.selectors:
        if not _may_run(selector, command, argv) or (not selector.all_keys and keys.refused(selector)):
            continue
        if selector.all_keys or any(key.source == b"*" and key.access & READ for key in selector.keys):
            return True
    return False


def may_listen(user: User, channel: bytes, pattern: bool) -> bool:
    """Whether some selector lets `user` hear `channel`; a pattern must be allowed literally."""
    return any(selector.all_channels or _hears(selector, channel, pattern) for selector in user.selectors)


def _may_run(selector: Selector, command: Command, argv: list[bytes]) -> bool:
    if selector.all_commands or command.flags & NO_AUTH or command.name in selector.commands:
        return True
    words = selector.first_words.get(command.name)
    return words is not None and len(argv) > 1 and argv[1].partition(b"\0")[0].lower() in words


class _Keys:
    """The keys of a request, looked for once."""

    def __init__(self, user: User, command: Command, argv: list[bytes]) -> None:
        self.command = command
        self.argv = argv
        self.spans: list[Span] | None = user.catalog.keys_of(command)
        self.touches: list[Touch] | None = None
        if self.spans is not None and not self._fits(self.spans):
            self.spans = None

    def _fits(self, spans: list[Span]) -> bool:
        argc = len(self.argv)
        if argc > 3 and self.command.name == "set":
            return False
        for span in spans:  # noqa: SIM110  # a generator for each request costs more
            if span.first >= argc or span.last >= argc:
                return False
        return True

    def refused(self, selector: Selector) -> int:
        """The place of the first key that the selector does not allow, 0 if there is none."""
        argv = self.argv
        if self.spans is not None:
            for span in self.spans:
                last = span.last if span.last >= 0 else len(argv) + span.last
                for place in range(span.first, last + 1, span.step):
                    if not _allows(selector, argv[place], span.needed):
                        return place
            return 0
        if self.touches is None:
            self.touches = touches(self.command, argv)
        for touch in self.touches:
            if not _allows(selector, argv[touch.place], touch.needed):
                return touch.place
        return 0


def _allows(selector: Selector, name: bytes, needed: int) -> bool:
    for key in selector.keys:  # noqa: SIM110  # a generator for each key costs more
        if key.access & needed == needed and key.pattern.matches(name):
            return True
    return False


def _refused_channel(selector: Selector, name: str, argv: list[bytes]) -> int:
    last = _CHANNELS.get(name)
    if last is None:
        return 0
    pattern = name == "psubscribe"
    for place in range(1, len(argv) if last < 0 else last + 1):
        if not _hears(selector, argv[place], pattern):
            return place
    return 0


def _hears(selector: Selector, channel: bytes, pattern: bool) -> bool:
    if pattern:
        return any(allowed.source == channel for allowed in selector.channels)
    return any(allowed.matches(channel) for allowed in selector.channels)
