"""The users of one server, by name. `default` is always among them: who connects is that user until it says otherwise.

A change is made on a copy and taken over as a whole, into the same `User`: connections hold on to theirs.
"""

from __future__ import annotations

from typing import Final

from redloop.config import Config
from redloop.engine.acl.selector import Catalog, RuleError
from redloop.engine.acl.user import User
from redloop.engine.command import Command

DEFAULT: Final = b"default"
DEFAULT_RULES: Final = (b"on", b"nopass", b"allkeys", b"allchannels", b"allcommands")


class RefusedRuleError(RuleError):
    """RuleError with the rule."""

    def __init__(self, rule: bytes, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


class Users:
    """The users of one server."""

    def __init__(self, config: Config, table: dict[bytes, Command]) -> None:
        self.config = config
        self.catalog = Catalog(table)
        self.follow_pubsub_default()
        self.by_name: dict[bytes, User] = {}
        self.default = self.new_default()
        self.superuser = self._unlimited(b"(superuser)")  # who is no connection: a replayed file
        self.by_name[DEFAULT] = self.default
        self.follow_requirepass()

    def new_default(self) -> User:
        """`default` as it is where nothing is said about it."""
        return self._unlimited(DEFAULT)

    def _unlimited(self, name: bytes) -> User:
        user = User(name, self.catalog)
        for rule in DEFAULT_RULES:
            user.apply(rule)
        user.settle()
        return user

    def follow_pubsub_default(self) -> None:
        """acl-pubsub-default says what a new selector may hear."""
        self.catalog.all_channels = self.config.acl_pubsub_default == "allchannels"

    def follow_requirepass(self) -> None:
        """requirepass is another way to say which password `default` has, and that it has no other."""
        password = self.config.requirepass.encode("utf-8", "surrogateescape")
        self.default.apply(b"resetpass")
        self.default.apply(b">" + password if password else b"nopass")

    def all(self) -> list[User]:
        """In the order of their names."""
        return [self.by_name[name] for name in sorted(self.by_name)]

    def changed(self, name: bytes, rules: list[bytes]) -> User:
        """What the user, perhaps a new one, is after the rules; raises RefusedRuleError. It is not taken over yet."""
        known = self.by_name.get(name)
        user = known.copy() if known is not None else User(name, self.catalog)
        for rule in rules:
            try:
                user.apply(rule)
            except RuleError as error:
                raise RefusedRuleError(rule, error.reason) from None
        user.settle()
        return user

    def take(self, user: User) -> User:
        """Takes over what was changed; returns the user that connections hold."""
        known = self.by_name.get(user.name)
        if known is None:
            self.by_name[user.name] = user
            return user
        known.take(user)
        return known
