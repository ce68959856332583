"""Loading: the configuration file, standard input and the command line, read as one text, line by line.

    redloop [file.conf] [--directive value ...] [-]

The text is the file, then standard input when the last argument is `-` (or the first), then the options, each as a line of its own: so
what stands on the command line wins, and an error in it has a line number too. How arguments become lines:
- `--name` starts a line, and the argument after it is its value whatever it looks like, except that `--save` may go without one;
- `"--name value"` in one argument is a whole line; further arguments add values until the next one that starts with `--`.

What cannot be loaded raises FatalConfigError, whose text is the whole message; `logged` says that its lines belong in the log, otherwise
they go to standard error as they are.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from typing import Final

from redloop.config.config import Config
from redloop.config.kinds import ConfigError, to_bytes, to_text
from redloop.config.quoting import quote, split

COMPATIBLE_VERSION: Final = "8.0.2"
"""The Redis whose behaviour this is, as shown where clients and people look for a version."""

DEEPEST_INCLUDE: Final = 16

UNRESOLVED: Final = "Unresolved Configuration(s) Detected:"
ABORTING: Final = "Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting"
"""Redis takes an unknown directive with a value for one of a module not loaded yet, and finds out later."""


class FatalConfigError(Exception):
    def __init__(self, text: str, *, logged: bool = False) -> None:
        super().__init__(text)
        self.logged = logged


def load(config: Config, arguments: list[str], read_stdin: Callable[[], bytes]) -> None:
    """Read what the arguments (without the program's name) say into the config."""
    text = b""
    stdin = False
    config.loaded = bool(arguments)
    if arguments and arguments[0] == "-":
        stdin = True
        arguments = arguments[1:]
    elif arguments and not arguments[0].startswith("-"):
        config.path = os.path.join(os.getcwd(), arguments[0])
        text = _read(config.path, config.path)
        arguments = arguments[1:]
    if arguments and arguments[-1] == "-":
        stdin = True
        arguments = arguments[:-1]
    if stdin:
        text += read_stdin()
    if arguments:
        text += b"\n" + to_bytes(_as_lines(arguments))
    load_text(config, text)
    if config.cluster_enabled and config.replicaof:
        raise FatalConfigError(_fatal("replicaof directive not allowed in cluster mode"))
    if config.logfile:
        try:
            with open(config.place(config.logfile), "ab"):
                pass
        except OSError as error:
            raise FatalConfigError(_fatal(f"Can't open the log file: {error.strerror}")) from None
    if config.unresolved:
        named = "\n".join(f">>> '{line}'" for line in config.unresolved)
        raise FatalConfigError(f"{UNRESOLVED}\n{named}\n{ABORTING}", logged=True)
    config.remark_all()


def load_text(config: Config, text: bytes, depth: int = 0) -> None:
    for number, line in enumerate(text.split(b"\n"), 1):
        line = line.partition(b"\0")[0].strip(b" \t\r\n")
        if not line or line.startswith(b"#"):
            continue
        try:
            words = split(line)
            if words is None:
                raise ConfigError("Unbalanced quotes in configuration line")
            if not words:
                continue
            if len(words) == 2 and words[0].lower() == b"include":
                _include(config, to_text(words[1]), depth)
            else:
                config.load_line([to_text(word) for word in words])
        except ConfigError as error:
            place = f"Reading the configuration file, at line {number}\n>>> '{to_text(line)}'\n"
            raise FatalConfigError(_fatal(place + str(error))) from None


def _include(config: Config, name: str, depth: int) -> None:
    if depth == DEEPEST_INCLUDE:
        raise ConfigError(f"Files include each other more than {DEEPEST_INCLUDE} deep")
    path = config.place(name)
    if any(sign in name for sign in "*?["):
        for found in sorted(glob.glob(path)):
            load_text(config, _read(found, found), depth + 1)
    else:
        load_text(config, _read(path, name), depth + 1)


def _read(path: str, name: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise FatalConfigError(f"Fatal error, can't open config file '{name}': {error.strerror}", logged=True) from None


def _as_lines(arguments: list[str]) -> str:
    lines: list[str] = []
    awaits_value = False
    for argument in arguments:
        if argument.startswith("--") and (not awaits_value or lines[-1].lower() == "save"):
            lines.append(argument[2:])
            awaits_value = len(argument.split()) == 1
        else:
            written = quote(to_bytes(argument))
            if lines:
                lines[-1] += f" {written}"
            else:
                lines.append(written)
            awaits_value = False
    return "\n".join(lines)


def _fatal(reason: str) -> str:
    return f"\n*** FATAL CONFIG FILE ERROR (Redis {COMPATIBLE_VERSION}) ***\n{reason}\n"
