"""The aclfile: a line for each user, as ACL LIST prints it. Read as a whole or not at all, replaced as a whole.

Texts of errors name a rule only where it names an unknown command: any other may hold a password.
"""

from __future__ import annotations

import os
import tempfile
from typing import Final

from redloop.engine.acl.selector import UNKNOWN_COMMAND, RuleError
from redloop.engine.acl.user import UnmatchedError, User, joined
from redloop.engine.acl.users import Users
from redloop.errors import quote

UNCHANGED: Final = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
UNMATCHED: Final = "Unmatched parenthesis in selector definition."


class AclFileError(Exception):
    """The file cannot be read or says something that no rule is; the text tells of everything that is wrong."""


def read(users: Users, path: str, name: str) -> dict[bytes, User]:
    """The users of the file at `path`, called `name` in errors. Raises AclFileError."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise AclFileError(f"Error loading ACLs, opening file '{name}': {error.strerror}") from None
    found: dict[bytes, User] = {}
    errors: list[str] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        line = line.strip(b" \t\r\n")
        if line:
            _read_line(users, line, f"{name}:{number}", number, found, errors)
    if errors:
        raise AclFileError("".join(errors) + UNCHANGED)
    return found


def _read_line(users: Users, line: bytes, place: str, number: int, found: dict[bytes, User], errors: list[str]) -> None:
    words = line.split(b" ")
    if words[0] != b"user" or len(words) < 2:
        errors.append(f"{place} should start with user keyword followed by the username. ")
        return
    name = words[1]
    if name in found:
        errors.append(f"WARNING: Duplicate user '{quote(name)}' found on line {number}. ")
        return
    try:
        rules = joined(words[2:])
    except UnmatchedError:
        errors.append(f"{place}: {UNMATCHED} ")
        return
    user = found[name] = User(name, users.catalog)
    told = False
    for rule in rules:
        rule = rule.strip(b"\t\r\n")
        try:
            user.apply(rule)
        except RuleError as error:
            if error.reason == UNKNOWN_COMMAND:
                errors.append(f"{place}: Error in applying operation '{quote(rule)}': {error.reason}. ")
            elif not told:
                errors.append(f"{place}: {error.reason}. ")
                told = True
    user.settle()


def write(users: Users, path: str) -> None:
    """Replaces the file at once; raises OSError and leaves it as it was."""
    content = b"".join([b"user " + user.describe() + b"\n" for user in users.all()])
    handle, beside = tempfile.mkstemp(prefix=f"{os.path.basename(path)}.", dir=os.path.dirname(path) or ".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        os.unlink(beside)
        raise
