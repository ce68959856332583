"""rename-command: a command under another name, or under none (https://redis.io/docs/latest/operate/oss_and_stack/management/security/).

Only the name by which clients call it changes: ACL rules, statistics and error texts go on using the first. Lines count in their order, so
a name that one of them has freed may be taken by the next. What the append-only file keeps are commands as they were sent.
"""

from __future__ import annotations

from redloop.config import ConfigError, to_bytes
from redloop.engine.command import DEFINITIONS, Command, add, build_table


class Renaming:
    """Checks the lines of a configuration as they are read."""

    def __init__(self) -> None:
        self._commands = build_table(DEFINITIONS)

    def check(self, words: list[str]) -> None:
        """Raises ConfigError with what is wrong with the words after `rename-command`."""
        rename(self._commands, words[0], words[1])


def rename(commands: dict[bytes, Command], old: str, new: str) -> None:
    """Takes the command `old` from the table, and enters it as `new` if that is not empty. Raises ConfigError."""
    name = to_bytes(old).lower()
    command = commands.get(name)
    if command is None:
        raise ConfigError("No such command in rename-command")
    del commands[name]
    del commands[name.upper()]
    if not new:
        return
    wanted = to_bytes(new).lower()
    if wanted in commands:
        raise ConfigError("Target command name already exists")
    add(commands, wanted, command)
