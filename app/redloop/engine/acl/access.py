"""Access control of connections: who they are, which guards that gives them, and what happens to them when a user changes.

A client has a guard only where there is something to check: `require_login` while the default user has a password and it has not said one,
`require_permission` while its user may not do everything. Both stand before all other guards. They are made anew when the client becomes
another user, and for all its clients when a user's rules change; so the rest pays nothing.
"""

from __future__ import annotations

import logging
from typing import Final

from redloop.config import ConfigError, to_bytes
from redloop.engine.acl.decisions import CHANNEL, COMMAND, KEY, LOGIN, Denial, decide, may_listen
from redloop.engine.acl.file import AclFileError, read, write
from redloop.engine.acl.log import MULTI, TOPLEVEL, Log
from redloop.engine.acl.selector import UNKNOWN_COMMAND, Catalog, RuleError
from redloop.engine.acl.user import UnmatchedError, User, joined
from redloop.engine.acl.users import DEFAULT, RefusedRuleError, Users
from redloop.engine.client import Client, Guard
from redloop.engine.client_line import describe
from redloop.engine.command import DEFINITIONS, NO_AUTH, Command, build_table
from redloop.engine.server import Server
from redloop.errors import NOAUTH, RedisError
from redloop.logs import NOTICE

log = logging.getLogger("redloop.acl")

FILE_AND_LINES: Final = (
    "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup is very likely "
    "to lead to configuration errors and security holes, please define either an ACL file or declare users directly in your redis.conf, "
    "but not both."
)
CRITICAL: Final = "Critical error while loading ACLs. Exiting."
DUPLICATE: Final = "Duplicate user found. A user can only be defined once in config files"


class AccessError(Exception):
    """The users that the configuration tells of cannot be had; the text says why."""


def require_login(client: Client, command: Command, argv: list[bytes]) -> object:
    """Before it has said who it is a client may only say what opens, closes and resets a connection."""
    if not command.flags & NO_AUTH:
        raise RedisError(NOAUTH)
    return None


def require_permission(client: Client, command: Command, argv: list[bytes]) -> object:
    """A client may do what its user may."""
    access: AccessControl = client.server.access
    client.last_command = command
    denial = access.refuse(client, command, argv, TOPLEVEL if client.transaction is None else MULTI)
    if denial is not None:
        raise RedisError(denial.text(client.user, command))
    return None


class AccessControl:
    """Who may do what on one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.users: Users = server.users
        self.log = Log(server.config, server.clock)
        self.denied = dict.fromkeys([LOGIN, COMMAND, KEY, CHANNEL], 0)  # how often, for ever: CONFIG RESETSTAT leaves these
        server.config.on_change("requirepass", self._follow_requirepass)
        server.config.on_change("acl-pubsub-default", self.users.follow_pubsub_default)

    # --- connections -------------------------------------------------------------------------------------------------------------

    def admit(self, client: Client) -> None:
        """A client that has just connected, or is to be as if it had (RESET): the default user."""
        user = self.users.default
        client.user = user
        client.proven = not user.needs_login()
        self._equip(client)

    def login(self, client: Client, name: bytes, password: bytes, said: bytes) -> bool:
        """Makes `client` that user if the password is right, else notes the failure; `said` is the command's name as it was sent."""
        user = self.users.by_name.get(name)
        if user is None or not user.accepts(password):
            self.denied[LOGIN] += 1
            self.log.add(LOGIN, self._context(client), said, name, describe(client))
            return False
        client.user = user
        client.proven = True
        self._equip(client)
        return True

    def _equip(self, client: Client) -> None:
        client.set_authenticated(client.proven or not self.users.default.needs_login())
        guards: tuple[Guard, ...] = ()
        if not client.authenticated:
            guards = (require_login,)
        if not client.user.unrestricted:
            guards = (*guards, require_permission)
        client.set_access_guards(guards)

    def _context(self, client: Client) -> bytes:
        return TOPLEVEL if client.transaction is None else MULTI

    # --- refusals ----------------------------------------------------------------------------------------------------------------

    def refuse(self, client: Client, command: Command, argv: list[bytes], context: bytes) -> Denial | None:
        """None if the client's user may run the command; else the refusal, counted and noted. `context` is one of `log`'s."""
        denial = decide(client.user, command, argv)
        if denial is None:
            return None
        self.denied[denial.kind] += 1
        object_ = command.name.encode() if denial.kind == COMMAND else argv[denial.place]
        self.log.add(denial.kind, context, object_, client.user.name, describe(client))
        return denial

    # --- changes of users --------------------------------------------------------------------------------------------------------

    def set_user(self, name: bytes, rules: list[bytes], by: Client | None) -> None:
        """Changes or makes a user: all rules or none. Raises RefusedRuleError."""
        changed = self.users.changed(name, rules)
        known = self.users.by_name.get(name)
        if known is not None:
            self._silence(known, changed, by)
        self._follow(self.users.take(changed))

    def delete_user(self, name: bytes, by: Client | None) -> bool:
        """Deletes a user and closes its connections; False if there is none."""
        user = self.users.by_name.pop(name, None)
        if user is None:
            return False
        for client in self._clients_of(user):
            self._expel(client, by)
        return True

    def _clients_of(self, user: User) -> list[Client]:
        clients: list[Client] = list(self.server.clients.values())
        return [client for client in clients if client.user is user]

    def _follow(self, user: User) -> None:
        """New guards for those whom a change of `user` concerns."""
        clients: list[Client] = list(self.server.clients.values())
        for client in clients:
            if client.user is user or (user is self.users.default and not client.proven):
                self._equip(client)

    def _follow_requirepass(self) -> None:
        self.users.follow_requirepass()
        self._follow(self.users.default)

    def _silence(self, old: User, new: User, by: Client | None) -> None:
        """Closes the clients of `old` that listen to what `new` may not."""
        for client in self._clients_of(old):
            if self._hears_too_much(client, old, new):
                self._expel(client, by)

    def _hears_too_much(self, client: Client, old: User, new: User) -> bool:
        """Whether it listens to what `new` may not. Nobody is asked where the change takes nothing away."""
        if not client.subscriptions or _hears_as_much(old, new):
            return False
        pubsub = self.server.pubsub
        patterns: list[bytes] = pubsub.patterns.names(client)
        channels: list[bytes] = [*pubsub.channels.names(client), *pubsub.shards.names(client)]
        allowed = all(may_listen(new, pattern, True) for pattern in patterns)
        return not allowed or not all(may_listen(new, channel, False) for channel in channels)

    def _expel(self, client: Client, by: Client | None) -> None:
        """Takes the user away and hangs up: at once, or after its reply where it brought that about itself."""
        client.user = self.users.default
        client.proven = False
        self._equip(client)
        if client is by:
            client.close_after_reply()
        else:
            client.abort()

    # --- files -------------------------------------------------------------------------------------------------------------------

    def path(self) -> str:
        """Where the aclfile is; empty if there is none."""
        return self.server.config.place(self.server.config.aclfile) if self.server.config.aclfile else ""

    def start(self) -> None:
        """Takes up the users of the configuration or of the aclfile; raises AccessError."""
        config = self.server.config
        if config.users and config.aclfile:
            raise AccessError(FILE_AND_LINES)
        if config.aclfile:
            try:
                self.load(None)
            except AclFileError as error:
                raise AccessError(f"Aborting Redis startup because of ACL errors: {error}") from None
        for words in config.users:
            name, *rules = [to_bytes(word) for word in words]
            self._declare(name, rules)

    def _declare(self, name: bytes, rules: list[bytes]) -> None:
        """A `user` line of the configuration file: says all about that user."""
        if any(byte in b" \t\n\v\f\r\0" for byte in name):
            log.warning("Spaces not allowed in ACL usernames")
            raise AccessError(CRITICAL)
        try:
            user = self.users.changed(name, [b"reset", *joined(rules)])
        except RefusedRuleError as error:
            rule, title = error.rule.decode("utf-8", "surrogateescape"), name.decode("utf-8", "surrogateescape")
            log.warning("Error loading ACL rule '%s' for the user named '%s': %s", rule, title, error.reason)
            raise AccessError(CRITICAL) from None
        self.users.take(user)
        if not user.enabled:
            log.log(
                NOTICE,
                "The user '%s' is disabled (there is no 'on' modifier in the user description). Make sure this is not a "
                "configuration error.",
                user.title(),
            )

    def load(self, by: Client | None) -> None:
        """ACL LOAD: the users of the aclfile and no others. Raises AclFileError and leaves everything as it was.

        A connection goes on as the user of the same name, unless that is gone or may not hear what it listens to.
        """
        found = read(self.users, self.path(), self.server.config.aclfile)
        default = found.pop(DEFAULT, None) or self.users.new_default()
        clients: list[Client] = list(self.server.clients.values())
        self.users.default.take(default)
        self.users.by_name = {DEFAULT: self.users.default, **found}
        for client in clients:
            if client.user is self.users.default:
                continue
            user = found.get(client.user.name)
            if user is None or self._hears_too_much(client, client.user, user):
                self._expel(client, by)
            else:
                client.user = user
                self._equip(client)
        self._follow(self.users.default)

    def save(self) -> None:
        """ACL SAVE; raises OSError."""
        write(self.users, self.path())


def _hears_as_much(old: User, new: User) -> bool:
    """Whether whatever `old` was allowed to listen to stands among what `new` is, word by word."""
    if any(selector.all_channels for selector in new.selectors):
        return True
    if any(selector.all_channels for selector in old.selectors):
        return False
    allowed = {channel.source for selector in new.selectors for channel in selector.channels}
    return all(channel.source in allowed for selector in old.selectors for channel in selector.channels)


class Declarations:
    """Checks the `user` lines of a configuration as they are read; unknown commands are left to the start."""

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._seen: set[str] = set()

    def check(self, words: list[str]) -> None:
        """`words` is what stands behind `user`; raises ConfigError."""
        if self._catalog is None:
            self._catalog = Catalog(build_table(DEFINITIONS))
        if words[0] in self._seen:
            raise _refusal(words, 1, DUPLICATE)
        self._seen.add(words[0])
        try:
            rules = joined([to_bytes(word) for word in words[1:]])
        except UnmatchedError as open_end:
            raise _refusal(words, open_end.at, "Wrong format") from None
        user = User(to_bytes(words[0]), self._catalog)
        for place, rule in enumerate(rules):
            try:
                user.apply(rule)
            except RuleError as error:
                if error.reason != UNKNOWN_COMMAND:
                    raise _refusal(words, place, error.reason) from None


def _refusal(words: list[str], place: int, reason: str) -> ConfigError:
    """Redis names the word that stands two before the one it means."""
    return ConfigError(f"Error in user declaration '{['user', *words][place]}': {reason}")
