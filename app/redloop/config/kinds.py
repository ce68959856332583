"""Kinds: how the words of a directive become a value, and a value becomes text again.

A kind has three questions to answer: `parse` (words to value, or ConfigError with Redis's own reason), `show` (what CONFIG GET says) and
`lines` (what CONFIG REWRITE writes). Kinds hold no values: a directive has a kind, a server's Config has the value.

To add a kind: subclass Kind, answer `parse` and whatever differs from the plain case.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, Final

from redloop.config.quoting import quote
from redloop.config.settings import GB, KB, MB
from redloop.events import ALL, LETTERS, NEW

LONG_MAX: Final = (1 << 63) - 1
ULONG_MAX: Final = (1 << 64) - 1
INT_MAX: Final = (1 << 31) - 1

_NATURAL: Final = re.compile(r"\s*\+?[0-9]+", re.ASCII).fullmatch
_UNITS: Final = {"": 1, "b": 1, "k": 1000, "kb": KB, "m": 1000**2, "mb": MB, "g": 1000**3, "gb": GB}


class ConfigError(Exception):
    """A value was refused; the text is the reason, as the person who set it sees it."""


def to_text(raw: bytes) -> str:
    """Bytes as the text a setting holds; whatever is not UTF-8 survives the way back."""
    return raw.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class Kind:
    multiple = False
    """Takes several words; one word with spaces counts as several."""
    accumulates = False
    """Repeated lines of a file add up instead of replacing each other."""

    def parse(self, words: list[str], current: Any) -> Any:
        raise NotImplementedError

    def show(self, value: Any) -> str:
        return str(value)

    def lines(self, value: Any, default: Any) -> list[tuple[str, bool]]:
        """What CONFIG REWRITE writes after the name, line by line, each with whether a file that lacks it gets it. None drops it."""
        return [(self.show(value), value != default)]


class YesNo(Kind):
    def parse(self, words: list[str], current: bool) -> bool:
        word = words[0].lower()
        if word not in ("yes", "no"):
            raise ConfigError("argument must be 'yes' or 'no'")
        return word == "yes"

    def show(self, value: bool) -> str:
        return "yes" if value else "no"


class Switch(YesNo):
    """Can only stay off here; the reason says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def parse(self, words: list[str], current: bool) -> bool:
        if super().parse(words, current):
            raise ConfigError(self.reason)
        return False


class Integer(Kind):
    """A decimal number within bounds. What lies outside `clamp` is quietly moved to its edge, as Redis does for hz."""

    def __init__(self, low: int = 0, high: int = INT_MAX, clamp: tuple[int, int] | None = None) -> None:
        self.low = low
        self.high = high
        self.clamp = clamp

    def parse(self, words: list[str], current: int) -> int:
        word = words[0]
        if not re.fullmatch(r"-?[1-9][0-9]*|0", word, re.ASCII) or not -LONG_MAX - 1 <= int(word) <= LONG_MAX:
            raise ConfigError("argument couldn't be parsed into an integer")
        value = self.bounded(int(word))
        if self.clamp is not None:
            value = min(max(value, self.clamp[0]), self.clamp[1])
        return value

    def bounded(self, value: int) -> int:
        if not self.low <= value <= self.high:
            raise ConfigError(f"argument must be between {self.low} and {self.high} inclusive")
        return value


class Memory(Integer):
    """A size in bytes, with units: k m g are thousands, kb mb gb powers of 1024."""

    def __init__(self, low: int = 0, high: int = LONG_MAX) -> None:
        super().__init__(low, high)

    def parse(self, words: list[str], current: int) -> int:
        size = parse_size(words[0])
        if size is None:
            raise ConfigError("argument must be a memory value")
        return self.bounded(size)

    def lines(self, value: int, default: int) -> list[tuple[str, bool]]:
        return [(shortest_size(value), value != default)]


class MemoryOrPercent(Memory):
    """A size, or a share of maxmemory: `5%` is held as -5."""

    def parse(self, words: list[str], current: int) -> int:
        word = words[0]
        if re.fullmatch(r"[0-9]+%", word, re.ASCII):
            if int(word[:-1]) > 100:
                raise ConfigError("percentage argument must be less or equal to 100")
            return -int(word[:-1])
        size = parse_size(word)
        if size is None:
            raise ConfigError("argument must be a memory or percent value")
        if size > LONG_MAX:
            size -= ULONG_MAX + 1  # the number is signed, so the last hundred sizes are percentages
        if size < -100:
            raise ConfigError("percentage argument must be less or equal to 100")
        return size

    def show(self, value: int) -> str:
        return f"{-value}%" if value < 0 else str(value)

    def lines(self, value: int, default: int) -> list[tuple[str, bool]]:
        return [(self.show(value) if value < 0 else shortest_size(value), value != default)]


class Octal(Kind):
    """A file mode."""

    def parse(self, words: list[str], current: int) -> int:
        match = re.fullmatch(r"\s*([-+]?)([0-7]*)", words[0], re.ASCII)
        if match is None:
            raise ConfigError("argument couldn't be parsed as an octal number")
        value = int(match[2] or "0", 8)
        if value > 0o777 or (match[1] == "-" and value):
            raise ConfigError("argument must be between 0 and 777 inclusive")
        return value

    def show(self, value: int) -> str:
        return f"{value:o}"


class OneOf(Kind):
    def __init__(self, *names: str) -> None:
        self.names = names

    def parse(self, words: list[str], current: str) -> str:
        return self.named(words[0])

    def named(self, word: str) -> str:
        if word.lower() not in self.names:
            raise ConfigError(f"argument(s) must be one of the following: {', '.join(self.names)}")
        return word.lower()


class ShutdownOptions(OneOf):
    """Several of the names at once, shown in their own order; the first stands for none."""

    multiple = True

    def parse(self, words: list[str], current: str) -> str:
        chosen = {self.named(word) for word in words or [""]}
        if "save" in chosen and "nosave" in chosen:
            raise ConfigError("shutdown options SAVE and NOSAVE can't be used simultaneously")
        return " ".join(name for name in self.names[1:] if name in chosen) or self.names[0]


class Text(Kind):
    """One word, kept as it is. Where `unset` holds, an empty word means none was given, and CONFIG REWRITE then drops the line."""

    def __init__(self, check: Callable[[str], str] | None = None, *, unset: bool = True) -> None:
        self.check = check
        self.unset = unset

    def parse(self, words: list[str], current: str) -> str:
        reason = self.check(words[0]) if self.check is not None else ""
        if reason:
            raise ConfigError(reason)
        return words[0]

    def lines(self, value: str, default: str) -> list[tuple[str, bool]]:
        if self.unset and not value:
            return []
        return [(quote(to_bytes(value)), value != default)]


class Directory(Kind):
    """The working directory, always absolute. The process itself stays where it is: several servers may share it."""

    def parse(self, words: list[str], current: str) -> str:
        path = os.path.join(current, words[0])
        try:
            if not words[0]:
                raise FileNotFoundError(2, os.strerror(2))
            with os.scandir(path):
                return os.path.realpath(path)
        except OSError as error:
            raise ConfigError(error.strerror or str(error)) from None

    def lines(self, value: str, default: str) -> list[tuple[str, bool]]:
        return [(quote(to_bytes(value)), True)]


class Addresses(Kind):
    multiple = True
    limit = 16

    def parse(self, words: list[str], current: list[str]) -> list[str]:
        if len(words) > self.limit:
            raise ConfigError("Too many bind addresses specified.")
        return [] if words == [""] else list(words)

    def show(self, value: list[str]) -> str:
        return " ".join(value)

    def lines(self, value: list[str], default: list[str]) -> list[tuple[str, bool]]:
        if value == default:
            return []
        return [(self.show(value) or '""', True)]


class SavePoints(Kind):
    """Pairs of seconds and changes."""

    multiple = True
    accumulates = True

    def parse(self, words: list[str], current: list[tuple[int, int]]) -> list[tuple[int, int]]:
        if words in ([], [""]):
            return []
        points: list[tuple[int, int]] = []
        if len(words) % 2:
            raise ConfigError("Invalid save parameters")
        for seconds, changes in zip(words[::2], words[1::2], strict=True):
            if not _NATURAL(seconds) or not _NATURAL(changes) or int(seconds) < 1:
                raise ConfigError("Invalid save parameters")
            points.append((int(seconds), int(changes)))
        return points

    def show(self, value: list[tuple[int, int]]) -> str:
        return " ".join(f"{seconds} {changes}" for seconds, changes in value)

    def lines(self, value: list[tuple[int, int]], default: list[tuple[int, int]]) -> list[tuple[str, bool]]:
        return [(f"{seconds} {changes}", True) for seconds, changes in value] or [('""', True)]


class BufferLimits(Kind):
    """For each class of client: hard limit, soft limit, and for how many seconds the soft one may be exceeded."""

    multiple = True
    classes = ("normal", "slave", "pubsub")

    def parse(self, words: list[str], current: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        if len(words) % 4:
            raise ConfigError("Wrong number of arguments in buffer limit configuration.")
        limits = list(current)
        for at in range(0, len(words), 4):
            name = words[at].lower()
            if name == "replica":
                name = "slave"
            if name not in self.classes:
                raise ConfigError("Invalid client class specified in buffer limit configuration.")
            hard = parse_size(words[at + 1])
            soft = parse_size(words[at + 2])
            if hard is None or soft is None or not _NATURAL(words[at + 3]):
                raise ConfigError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            limits[self.classes.index(name)] = (hard, soft, int(words[at + 3]))
        return limits

    def show(self, value: list[tuple[int, int, int]]) -> str:
        return " ".join(f"{name} {hard} {soft} {seconds}" for name, (hard, soft, seconds) in zip(self.classes, value, strict=True))

    def lines(self, value: list[tuple[int, int, int]], default: list[tuple[int, int, int]]) -> list[tuple[str, bool]]:
        return [
            (f"{'replica' if name == 'slave' else name} {shortest_size(limit[0])} {shortest_size(limit[1])} {limit[2]}", limit != usual)
            for name, limit, usual in zip(self.classes, value, default, strict=True)
        ]


class OomScores(Kind):
    multiple = True

    def parse(self, words: list[str], current: list[int]) -> list[int]:
        if len(words) != 3:
            raise ConfigError("wrong number of arguments")
        if any(not re.fullmatch(r"[-+]?[0-9]+", word, re.ASCII) or not -2000 <= int(word) <= 2000 for word in words):
            raise ConfigError("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        return [int(word) for word in words]

    def show(self, value: list[int]) -> str:
        return " ".join(str(score) for score in value)


class Percentiles(Kind):
    multiple = True

    def parse(self, words: list[str], current: list[float]) -> list[float]:
        if words == [""]:
            return []
        percentiles: list[float] = []
        for word in words:
            try:
                if not word or word != word.strip() or "_" in word:
                    raise ValueError(word)
                percentile = float(int(word, 16)) if word.lower().startswith("0x") else float(word)
            except ValueError:
                raise ConfigError("Invalid latency-tracking-info-percentiles parameters") from None
            if percentile != percentile:
                raise ConfigError("Invalid latency-tracking-info-percentiles parameters")
            if not 0.0 <= percentile <= 100.0:
                raise ConfigError("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
            percentiles.append(percentile)
        return percentiles

    def show(self, value: list[float]) -> str:
        return " ".join(f"{percentile:f}".rstrip("0").rstrip(".") for percentile in value)

    def lines(self, value: list[float], default: list[float]) -> list[tuple[str, bool]]:
        return [(self.show(value) or '""', True)]


class EventClasses(Kind):
    """Letters to bits, for the one test made on every write."""

    def parse(self, words: list[str], current: int) -> int:
        flags = 0
        for letter in words[0]:
            bits = ALL if letter == "A" else LETTERS.get(letter, 0)
            if not bits:
                raise ConfigError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
            flags |= bits
        return flags

    def show(self, value: int) -> str:
        hidden = 0
        if value & ALL == ALL:
            hidden = ALL | NEW  # as Redis writes it: the n is lost beside an A
        letters = "".join(letter for letter, bit in LETTERS.items() if value & bit & ~hidden)
        return "A" + letters if hidden else letters

    def lines(self, value: int, default: int) -> list[tuple[str, bool]]:
        return [(quote(to_bytes(self.show(value))), value != default)]


class Master(Kind):
    """The host and port replicated from, in one text; empty for a master."""

    multiple = True

    def parse(self, words: list[str], current: str) -> str:
        if len(words) != 2:
            raise ConfigError("wrong number of arguments")
        host, port = words
        if (host.lower(), port.lower()) == ("no", "one"):
            return ""
        if not _NATURAL(port) or int(port) > 65535:
            raise ConfigError("Invalid master port")
        return f"{host} {port}"

    def lines(self, value: str, default: str) -> list[tuple[str, bool]]:
        return [(value, True)] if value else []


def parse_size(word: str) -> int | None:
    """`100mb` in bytes, as an unsigned 64-bit number; None when it is not a size."""
    match = re.fullmatch(r"([0-9]*)([a-z]*)", word.lower(), re.ASCII)
    if match is None or match[2] not in _UNITS:
        return None
    return min(int(match[1] or "0"), ULONG_MAX) * _UNITS[match[2]] & ULONG_MAX


def shortest_size(size: int) -> str:
    for unit, name in ((GB, "gb"), (MB, "mb"), (KB, "kb")):
        if size and size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def filename(directive: str, kind: str = "filename", *, empty: bool = False) -> Callable[[str], str]:
    """The check of a name that must not be a path."""

    def check(word: str) -> str:
        if not word and not empty:
            return f"{directive} can't be empty"
        if os.path.basename(word) != word:
            return f"{directive} can't be a path, just a {kind}"
        return ""

    return check


def process_title(template: str) -> str:
    """The variables a process title may name."""
    known = re.sub(r"\{(title|listen-addr|server-mode|port|tls-port|unixsocket|config-file)\}", "", template)
    if not template.replace("{title}", "").strip() or "{" in known or "}" in known:
        return "template format is invalid or contains unknown variables"
    return ""


def hostname(name: str) -> str:
    if len(name) > 255:
        return "Hostnames must be less than 256 characters"
    if not re.fullmatch(r"[A-Za-z0-9.-]*", name):
        return "Hostnames may only contain alphanumeric characters, hyphens or dots"
    return ""
