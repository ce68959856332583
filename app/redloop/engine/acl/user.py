"""Users: a name, the passwords that let one in, and what one may do then.

The root selector holds the rules given plainly, further ones those in parentheses; a request must fit one of them as a whole. Only the
SHA-256 of a password is ever kept.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest
from typing import Final

from redloop.config.quoting import split
from redloop.engine.acl.selector import SYNTAX, Catalog, RuleError, Selector

NO_SUCH_PASSWORD: Final = "The password you are trying to remove from the user does not exist"
HASH: Final = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"

_HEX: Final = frozenset(b"0123456789abcdef")


def hashed(password: bytes) -> bytes:
    """How a password is kept."""
    return hashlib.sha256(password).hexdigest().encode()


class UnmatchedError(Exception):
    """A parenthesis that is not closed; `at` is the place of the word that opens it."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


def joined(words: list[bytes]) -> list[bytes]:
    """The rules in a list of words: what stands in parentheses is one rule. Raises UnmatchedError."""
    rules: list[bytes] = []
    start = -1
    for at, word in enumerate(words):
        if start >= 0:
            rules[-1] += b" " + word
        else:
            rules.append(word)
            if word.startswith(b"("):
                start = at
        if start >= 0 and word.endswith(b")"):
            start = -1
    if start >= 0:
        raise UnmatchedError(start)
    return rules


class User:
    """One user. `unrestricted`: may do everything, so nothing needs to be asked."""

    def __init__(self, name: bytes, catalog: Catalog) -> None:
        self.name = name
        self.catalog = catalog
        self.enabled = False
        self.no_password = False
        self.sanitizes = True
        self.passwords: list[bytes] = []
        self.selectors = [Selector(catalog)]
        self.unrestricted = False

    def title(self) -> str:
        """The name as text."""
        return self.name.decode("utf-8", "surrogateescape")

    def copy(self) -> User:
        """The same, to be changed on its own."""
        other = User(self.name, self.catalog)
        other.take(self)
        return other

    def take(self, other: User) -> None:
        """Becomes what `other` is, but for the name."""
        self.enabled = other.enabled
        self.no_password = other.no_password
        self.sanitizes = other.sanitizes
        self.passwords = list(other.passwords)
        self.selectors = [selector.copy() for selector in other.selectors]
        self.settle()

    def settle(self) -> None:
        """To be called when rules have been applied."""
        self.unrestricted = any(selector.everything() for selector in self.selectors)

    def needs_login(self) -> bool:
        """Whether the default user, if this is it, is to be asked for a password."""
        return not self.no_password or not self.enabled

    def accepts(self, password: bytes) -> bool:
        """Whether the password, or any, lets one in."""
        if not self.enabled:
            return False
        if self.no_password:
            return True
        given = hashed(password)
        found = False
        for known in self.passwords:  # all of them, so that the time taken tells nothing
            found |= compare_digest(given, known)
        return found

    # --- rules -------------------------------------------------------------------------------------------------------------------

    def apply(self, rule: bytes) -> None:
        """Changes what the rule says; raises RuleError. Say `settle` after the last one."""
        if not rule:
            return
        sign = rule[:1]
        match rule.lower():
            case b"on":
                self.enabled = True
            case b"off":
                self.enabled = False
            case b"nopass":
                self.no_password = True
                self.passwords = []
            case b"resetpass":
                self.no_password = False
                self.passwords = []
            case b"sanitize-payload":
                self.sanitizes = True
            case b"skip-sanitize-payload":
                self.sanitizes = False
            case b"clearselectors":
                del self.selectors[1:]
            case b"reset":
                self._reset()
            case _ if sign in (b">", b"#"):
                self._add_password(hashed(rule[1:]) if sign == b">" else _checked(rule[1:]))
            case _ if sign in (b"<", b"!"):
                self._remove_password(hashed(rule[1:]) if sign == b"<" else _checked(rule[1:]))
            case _ if sign == b"(" and rule.endswith(b")"):
                self._add_selector(rule[1:-1])
            case _:
                self.selectors[0].apply(rule)

    def _reset(self) -> None:
        self.enabled = False
        self.no_password = False
        self.sanitizes = True
        self.passwords = []
        self.selectors = [Selector(self.catalog)]

    def _add_password(self, known: bytes) -> None:
        self.no_password = False
        if known not in self.passwords:
            self.passwords.append(known)

    def _remove_password(self, known: bytes) -> None:
        if known not in self.passwords:
            raise RuleError(NO_SUCH_PASSWORD)
        self.passwords.remove(known)

    def _add_selector(self, rules: bytes) -> None:
        selector = Selector(self.catalog)
        for rule in split(rules) or []:
            if not rule:
                raise RuleError(SYNTAX)
            selector.apply(rule)
        self.selectors.append(selector)

    # --- printing ----------------------------------------------------------------------------------------------------------------

    def flags(self) -> list[bytes]:
        """The flags, as ACL GETUSER names them."""
        flags = [b"on" if self.enabled else b"off"]
        if self.no_password:
            flags.append(b"nopass")
        flags.append(b"sanitize-payload" if self.sanitizes else b"skip-sanitize-payload")
        return flags

    def describe(self) -> bytes:
        """The line of ACL LIST, an aclfile and the configuration file, from the name on."""
        passwords = [b"#" + known for known in self.passwords]
        further = [b"(" + selector.describe() + b")" for selector in self.selectors[1:]]
        return b" ".join([self.name, *self.flags(), *passwords, self.selectors[0].describe(), *further])


def _checked(known: bytes) -> bytes:
    if len(known) != 64 or any(byte not in _HEX for byte in known):
        raise RuleError(HASH)
    return known
