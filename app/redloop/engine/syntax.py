"""The syntax line: the one place that says what a command takes.

    SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]

`parse` reads a line as the official documentation prints it and gives the command's words and the tree of its arguments, as COMMAND
DOCS shows them. Arity and the positions of keys follow from that tree (`arity`, `key_specs`), so nothing else has to be told twice.

Rules of the notation:
- The leading upper-case words are the command's name; two of them make a subcommand.
- A word in capitals is a token, any other word an argument. A token directly before an argument introduces it.
- `[x]` may be left out; `a | b` is a choice, in `<>` when one must be made.
- `x [x ...]` may be repeated; `[X x [X x ...]]` with its token each time.
- Where arguments must be shown to belong together, `<>` binds them.

What a line cannot show follows from its words, by the vocabularies below: `key` is a key, `count` an integer, a choice that opens with `NX`
is called "condition". Where a word means something else in one command, its registration says so (`types`, `names`).
To extend: add the word to a vocabulary when several commands share it, else use `types` or `names`.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The type of an argument by its word; any other word is a string.
_KEYS: Final = _words("key key1 key2 newkey destkey sourcekey destination source dst src")
_INTEGERS: Final = _words(
    "bit bits client-id cluster-bus-port config-epoch count cursor db decrement destination-db end end-slot entries-added entries-read "
    "frequency increment index index1 index2 len limit maxage milliseconds min-match-len ms num-matches numfields numkeys numlocal "
    "numreplicas offset port protover rank seconds slot start start-slot stop ttl version weight"
)
_DOUBLES: Final = _words("height latitude longitude radius score timeout width")

# The name of a choice by its first alternative, and of a block by the word that opens it.
_CHOICES: Final = {
    "AND": "operation",
    "ASC": "order",
    "ASYNC": "flush-type",
    "BEFORE": "where",
    "BYSCORE": "sortby",
    "BYTE": "unit",
    "EX": "expiration",
    "FNX": "condition",
    "FROMMEMBER": "from",
    "BYRADIUS": "by",
    "GT": "comparison",
    "HARD": "reset-type",
    "LEFT": "where",
    "M": "unit",
    "MAXLEN": "strategy",
    "MIN": "where",
    "NX": "condition",
    "ON": "enabled",
    "SUM": "aggregate",
    "=": "operator",
    "*": "id-selector",
    "id": "id-selector",
    "WRAP": "overflow-block",
    "YES": "mode",
    "NORMAL": "client-type",
}
_BLOCKS: Final = {
    "BYBOX": "box",
    "BYRADIUS": "circle",
    "COUNT": "count-block",
    "MAXLEN": "trim",
    "NO": "no-one",
    "count": "options",
    "host": "host-port",
    "start": "range",
    "start-slot": "range",
}
_TOKENS: Final = {"=": "equal", "~": "approximately", "*": "auto-id", "$": "new-id", '""': "empty-string", "CH": "change"}

# The one command that starts with a token where others have a subcommand.
_TOKEN_FIRST: Final = frozenset({"XREADGROUP"})


class SyntaxLineError(ValueError):
    """The line of a registration cannot be read: a mistake in the source, found at import."""


class Argument:
    """One argument as COMMAND DOCS shows it. `opening` is the word its text begins with, `text` the word that stands for its value."""

    def __init__(self, kind: str, opening: str, text: str = "", token: str | None = None) -> None:
        self.name = ""
        self.kind = kind
        self.opening = opening
        self.text = text
        self.token = token
        self.optional = False
        self.multiple = False
        self.multiple_token = False
        self.key_spec = -1
        self.since = ""
        self.deprecated = ""
        self.arguments: list[Argument] = []

    def flag_names(self) -> list[str]:
        """As COMMAND DOCS names them."""
        named = (("optional", self.optional), ("multiple", self.multiple), ("multiple_token", self.multiple_token))
        return [name for name, applies in named if applies]

    def label(self) -> str:
        """What people call it: its token, else the word for its value, or for a choice all that can be chosen."""
        if self.token is not None:
            return self.token
        return self.text or " | ".join([argument.label() for argument in self.arguments])

    def fewest(self) -> int:
        """How many words of a request this argument takes at least."""
        if self.optional:
            return 0
        own = 0 if self.token is None or self.kind == "pure-token" else 1
        if self.kind == "oneof":
            return own + min([a.fewest() for a in self.arguments])
        if self.kind == "block":
            return own + sum([a.fewest() for a in self.arguments])
        return own + 1

    def open_ended(self) -> bool:
        """Whether requests of different lengths are possible."""
        if self.optional or self.multiple:
            return True
        if self.kind == "oneof" and len({a.fewest() for a in self.arguments}) > 1:
            return True
        return any(a.open_ended() for a in self.arguments)


class Syntax:
    """What a line says: the words of the command's name and its arguments."""

    def __init__(self, words: list[str], arguments: list[Argument], line: str = "") -> None:
        self.words = words
        self.arguments = arguments
        self.line = line or " ".join(words)

    def text(self, start: int) -> str:
        """The line from its word `start` on."""
        return self.line.split(" ", start)[start]

    def arity(self) -> int:
        """The number of words of a request, the name included; negative when that is only the least."""
        fewest = len(self.words) + sum([a.fewest() for a in self.arguments])
        return -fewest if any(a.open_ended() for a in self.arguments) else fewest


def parse(line: str, types: dict[str, str] | None = None, names: dict[str, str] | None = None) -> Syntax:
    """Read a syntax line.

    `types` overrules the type of an argument by its word. `names` overrules names by the word an argument opens with: one name, or as many
    as there are arguments opening so (outer before inner, then from left to right), separated by blanks.
    """
    pieces = _split(line)
    count = 1
    if len(pieces) > 1 and _is_token(pieces[1]) and pieces[1] not in _BRACKETS and pieces[0] not in _TOKEN_FIRST:
        count = 2
    reader = _Reader(types or {}, {opening: text.split() for opening, text in (names or {}).items()})
    arguments = reader.sequence(pieces[count:], top=True)
    for argument in arguments:
        reader.name(argument)
    return Syntax(pieces[:count], arguments, line)


_BRACKETS: Final = frozenset("[]<>|")


def _split(line: str) -> list[str]:
    for bracket in _BRACKETS:
        line = line.replace(bracket, f" {bracket} ")
    return line.split()


def _is_token(word: str) -> bool:
    return word.isupper() or word in _TOKENS


def _close(pieces: list[str], start: int) -> int:
    """Where the bracket that opens at `start` closes."""
    depth = 0
    for at in range(start, len(pieces)):
        if pieces[at] in ("[", "<"):
            depth += 1
        elif pieces[at] in ("]", ">"):
            depth -= 1
            if not depth:
                return at
    raise SyntaxLineError(f"unbalanced brackets: {' '.join(pieces)}")


def _alternatives(pieces: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    depth = 0
    for piece in pieces:
        if piece == "|" and not depth:
            parts.append([])
            continue
        depth += (piece in ("[", "<")) - (piece in ("]", ">"))
        parts[-1].append(piece)
    return parts


def _without_repetition(pieces: list[str]) -> tuple[list[str], bool]:
    """Take a trailing `[x ...]` off a text that is otherwise `x` as a whole."""
    half = (len(pieces) - 3) // 2
    if half > 0 and pieces[half] == "[" and pieces[-2:] == ["...", "]"] and pieces[:half] == pieces[half + 1 : -2]:
        return pieces[:half], True
    return pieces, False


class _Reader:
    def __init__(self, types: dict[str, str], names: dict[str, list[str]]) -> None:
        self.types = types
        self.names = names

    def group(self, pieces: list[str]) -> Argument:
        """The text between a pair of brackets, as one argument."""
        pieces, repeated = _without_repetition(pieces)
        parts = _alternatives(pieces)
        if len(parts) > 1:
            argument = Argument("oneof", self.opening(pieces))
            argument.arguments = [self.group(part) for part in parts]
        else:
            argument = self.block(pieces)
        if repeated:
            argument.multiple = True
            argument.multiple_token = argument.token is not None
        return argument

    def block(self, pieces: list[str]) -> Argument:
        if pieces[0] == "<" and _close(pieces, 0) == len(pieces) - 1:
            return self.group(pieces[1:-1])
        if pieces[0] == "[" and _close(pieces, 0) == len(pieces) - 1:
            argument = self.group(pieces[1:-1])
            argument.optional = True
            return argument
        arguments = self.sequence(pieces, top=False)
        if len(arguments) == 1:
            return arguments[0]
        block = Argument("block", self.opening(pieces))
        block.arguments = arguments
        return block

    def sequence(self, pieces: list[str], top: bool) -> list[Argument]:
        """Arguments that follow each other; `starts` remembers where in the text each began, to find what a repetition repeats."""
        found: list[Argument] = []
        starts: list[int] = []
        at = 0
        while at < len(pieces):
            piece = pieces[at]
            if piece in ("[", "<"):
                end = _close(pieces, at)
                inner = pieces[at + 1 : end]
                if inner[-1] == "...":
                    self.repeat(pieces, at, inner[:-1], found, starts)
                else:
                    starts.append(at)
                    argument = self.group(inner)
                    argument.optional = argument.optional or piece == "["
                    found.append(argument)
                at = end + 1
                continue
            starts.append(at)
            if _is_token(piece):
                end = self.reach(pieces, at, top)
                found.append(self.introduced(piece, pieces[at + 1 : end]))
                at = end
            else:
                found.append(self.word(piece))
                at += 1
        return found

    def reach(self, pieces: list[str], at: int, top: bool) -> int:
        """Where the arguments introduced by the token at `at` end.

        A token before several plain words introduces them all, as a block; in a bracket of its own also the options behind them. Before a
        single word, or when a choice follows the words, it belongs to the first word only. A token before anything else stands alone.
        """
        words = 0
        end = at + 1
        while end < len(pieces):
            piece = pieces[end]
            if piece == "[":
                close = _close(pieces, end)
                if pieces[close - 1] == "...":
                    end = close + 1
                    continue
                if top or words < 2:
                    break
                end = close + 1
                continue
            if piece in _BRACKETS or _is_token(piece):
                break
            words += 1
            end += 1
        following = pieces[end] if end < len(pieces) else ""
        if not words:
            if following == "<":
                return _close(pieces, end) + 1
            return at + 1
        return at + 2 if words > 1 and following == "<" else end

    def introduced(self, token: str, pieces: list[str]) -> Argument:
        if not pieces:
            return Argument("pure-token", token, token, token)
        argument = self.block(pieces)
        argument.token = token
        argument.opening = token
        return argument

    def repeat(self, pieces: list[str], at: int, inner: list[str], found: list[Argument], starts: list[int]) -> None:
        start = at - len(inner)
        if start not in starts or pieces[start:at] != inner:
            raise SyntaxLineError(f"nothing to repeat before: [{' '.join(inner)} ...]")
        first = starts.index(start)
        if first == len(found) - 1:
            found[first].multiple = True
            found[first].multiple_token = found[first].token is not None
            return
        block = Argument("block", found[first].opening)
        block.arguments = found[first:]
        block.multiple = True
        del found[first:], starts[first + 1 :]
        found.append(block)

    def word(self, text: str) -> Argument:
        if text in self.types:
            kind = self.types[text]
        elif text in _KEYS:
            kind = "key"
        elif text in _INTEGERS:
            kind = "integer"
        elif text in _DOUBLES:
            kind = "double"
        elif text.startswith("unix-time"):
            kind = "unix-time"
        elif text == "pattern":
            kind = "pattern"
        else:
            kind = "string"
        return Argument(kind, text, text)

    def opening(self, pieces: list[str]) -> str:
        return next(piece for piece in pieces if piece not in _BRACKETS)

    def name(self, argument: Argument) -> None:
        opening = argument.opening
        argument.name = self.names[opening].pop(0) if self.names.get(opening) else default_name(argument)
        if argument.kind == "pure-token":
            argument.text = argument.name
        if not argument.name:
            raise SyntaxLineError(f"no name for the {argument.kind} that opens with {opening}")
        for inner in argument.arguments:
            self.name(inner)


def default_name(argument: Argument) -> str:
    """What an argument is called when the registration does not say; empty when nothing tells."""
    token = argument.token or ""
    if argument.kind == "oneof":
        return _CHOICES.get(argument.arguments[0].opening, token.lower())
    if argument.kind == "block":
        return _BLOCKS.get(argument.opening, "data" if argument.multiple and not token else token.lower())
    if argument.kind == "pure-token":
        return _TOKENS.get(argument.text, argument.text.lower())
    return argument.text
