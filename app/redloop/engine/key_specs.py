"""Where the keys of a request are: derived from the syntax, shown by COMMAND INFO, used to find the keys of any request.

A key spec says how to begin (at an index, behind a keyword, or not knowable) and how to go on from there (a range, or a count followed by
as many keys). `derive` gives one spec for each key argument of a syntax. What the keys are for cannot be read off a syntax line, so a
registration says it, one set of words for each spec:

    keys="OW UPDATE, RO ACCESS"         the first key is overwritten, the others are read

A command that only reads need not say "RO ACCESS". With fewer sets than keys, neighbouring keys share a spec. UNKNOWN marks a spec whose
place no rule finds, NOT_KEY that the first argument is hashed like a key without being one.
"""

from __future__ import annotations

from typing import Final

from redloop.engine.syntax import Argument, Syntax, SyntaxLineError

_ACCESS: Final = frozenset({"RO", "RW", "OW", "RM"})


class KeySpec:
    """Begins at `index` (with a `keyword`: the search for it), then a range up to `last`, or a count and its keys where `counted`.

    `last` is relative to the begin, negative from the end of the request; a `limit` of 2 takes only the first half of that.
    """

    def __init__(self, index: int, last: int = 0, step: int = 1) -> None:
        self.index = index
        self.keyword = ""
        self.last = last
        self.step = step
        self.limit = 0
        self.counted = False
        self.unknown = False
        self.incomplete = False
        self.flags: list[str] = []

    def movable(self) -> bool:
        """Whether finding the keys takes more than a first, a last and a step."""
        return bool(self.keyword) or self.counted or self.unknown or self.incomplete

    def places(self, argv: list[bytes]) -> list[int]:
        """Where in the request this spec finds keys; raises ValueError when the request does not fit."""
        if self.unknown:
            return []
        first = self.index
        if self.keyword:
            first = self.behind_keyword(argv)
            if not first:
                return []
        if self.counted:
            if first >= len(argv):
                raise ValueError
            count = int(argv[first])
            if count < 0 or first + count >= len(argv):
                raise ValueError
            return list(range(first + 1, first + 1 + count))
        last = first + self.last if self.last >= 0 else len(argv) + self.last
        if self.last < 0 and self.limit > 1:
            last = first + (last - first + 1) // self.limit - 1
        if first >= len(argv) or last >= len(argv):
            raise ValueError
        return list(range(first, last + 1, self.step))

    def behind_keyword(self, argv: list[bytes]) -> int:
        """The place after the keyword, 0 when it is absent. A negative start searches from the end."""
        wanted = self.keyword.encode()
        if self.index >= 0:
            candidates = range(self.index, len(argv) - 1)
        else:
            candidates = range(len(argv) + self.index, 0, -1)
        for at in candidates:
            if argv[at].upper() == wanted:
                return at + 1
        return 0


def derive(syntax: Syntax, keys: str) -> list[KeySpec]:
    """The key specs of a syntax; also marks each key argument with the number of its spec."""
    wanted = [words.split() for words in keys.split(",")] if keys else []
    finder = _Finder(wanted)
    finder.walk(syntax.arguments, len(syntax.words))
    if wanted == [["NOT_KEY"]]:
        finder.specs = [KeySpec(len(syntax.words), -1 if syntax.arguments[0].multiple else 0)]
    specs = finder.specs
    if len(specs) != len(wanted):
        raise SyntaxLineError(f"{' '.join(syntax.words)} has {len(specs)} key specs, its registration tells {len(wanted)}")
    for spec, words in zip(specs, wanted, strict=True):
        spec.incomplete = "INCOMPLETE" in words
        spec.flags = [word if word in _ACCESS else word.lower() for word in words if word != "UNKNOWN"]
    return specs


def key_arguments(arguments: list[Argument]) -> bool:
    return any(a.kind == "key" or key_arguments(a.arguments) for a in arguments)


def legacy_range(specs: list[KeySpec]) -> tuple[int, int, int]:
    """First key, last key and step as COMMAND INFO showed them before there were key specs: the specs a plain range can express."""
    plain = [spec for spec in specs if not spec.keyword and not spec.counted and not spec.unknown]
    if not plain:
        return 0, 0, 0
    final = plain[-1]
    return plain[0].index, final.last if final.last < 0 else final.index + final.last, plain[0].step


class _Finder:
    """Walks the arguments and counts words: `at` is where an argument begins at the earliest."""

    def __init__(self, wanted: list[list[str]]) -> None:
        self.wanted = wanted
        self.specs: list[KeySpec] = []
        self.neighbour: KeySpec | None = None

    def add(self, spec: KeySpec, argument: Argument) -> None:
        argument.key_spec = len(self.specs)
        self.specs.append(spec)

    def next_unknown(self) -> bool:
        place = len(self.specs)
        return place < len(self.wanted) and "UNKNOWN" in self.wanted[place]

    def unknown(self, argument: Argument) -> None:
        spec = KeySpec(0)
        spec.unknown = True
        self.add(spec, argument)

    def walk(self, arguments: list[Argument], at: int) -> None:
        for place, argument in enumerate(arguments):
            rest = sum([a.fewest() for a in arguments[place + 1 :]])
            neighbour, self.neighbour = self.neighbour, None
            if argument.kind == "pattern":
                self.pattern(argument)
            elif argument.kind == "key":
                if place and arguments[place - 1].text == "numkeys":
                    spec = KeySpec(at - 1)
                    spec.counted = True
                    self.add(spec, argument)
                elif argument.token is not None:
                    self.introduced(argument, argument, argument.token, at, rest)
                elif neighbour is not None and len(self.specs) == len(self.wanted):
                    neighbour.last += 1
                    argument.key_spec = len(self.specs) - 1
                    self.neighbour = neighbour
                else:
                    self.neighbour = KeySpec(at, -1 - rest if argument.multiple else 0)
                    self.add(self.neighbour, argument)
            elif argument.kind == "block" and key_arguments(argument.arguments[:1]):
                if argument.token is not None:
                    self.introduced(argument, argument.arguments[0], argument.token, at, 0)
                    self.specs[-1].limit = len(argument.arguments)
                else:
                    self.add(KeySpec(at, -1 - rest, len(argument.arguments)), argument.arguments[0])
            elif argument.kind == "oneof":
                for alternative in argument.arguments:
                    self.walk([alternative], at)
            at += argument.fewest()

    def introduced(self, argument: Argument, key: Argument, token: str, at: int, rest: int) -> None:
        """A key behind a token: an option that may stand anywhere from `at` on, or, when it swallows all that follows, near the end."""
        if self.next_unknown():
            self.unknown(key)
            return
        many = key.multiple
        spec = KeySpec(-2 if many and argument.optional else at, -1 if many else 0)
        spec.keyword = token
        self.add(spec, key)

    def pattern(self, argument: Argument) -> None:
        """Patterns name keys only where the registration says so; several patterns share a spec."""
        if self.specs and self.specs[-1].unknown:
            argument.key_spec = len(self.specs) - 1
        elif self.next_unknown():
            self.unknown(argument)
