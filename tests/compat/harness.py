r"""One line to two servers: a case is a line without an expected value, because a real redis-server says what is right.

    set k v | append k w | get k

The steps of a line are parted by ` | `. Before each line come a fresh connection and FLUSHALL (all databases), after it every
directive that a `config set` of the line names gets its old value back. Each line runs under RESP2 and under RESP3. Every reply
must be the same to the byte; after the last step the connections are half-closed and what still comes, up to the end of the
stream, must be the same too: a reply too many or too few does not pass.

A step is

    command words       on connection `a`, then read one reply
    b: command words    on another connection, `a` to `z`, opened when first named
    b> command words    send and do not read (blocking commands, CLIENT REPLY OFF); goes on when the server has seen it
    b<  or  b< 3        read one or three more replies (published messages, pushes, what a blocked command gives)
    b!                  hang up, and go on when the server has seen it
    b.                  wait until the server has seen everything so far (two PINGs on a further connection)
    + 1500              turn the wall clock on by so many milliseconds (for a pair whose clocks are hand-set only)

where `a` may be left out (`> blpop k 0`, `< 2`, `!`). Words are quoted as in redis-cli: "a\x00\r\n" and 'raw'. Further:

    "ab"*1000           a quoted word repeated
    {1..600}  k{1..3}   as many words as the range has numbers (unquoted)
    raw "*1\r\n"        these very bytes instead of a command (still reads one reply unless sent with `>`)
    {name}              inside a word: what `[as name]` remembered (unquoted or quoted)

Before the command may stand marks, for replies that cannot be equal to the byte:

    [sorted] keys *     [pairs] config get *    [near 2] ttl k    [shape] randomkey    [fields] info server    [skip] lastsave
    [lines] info errorstats    [digits] client list    [mask id=\d+] client info    [as id] client id    [kind] object help
    [but modules] hello 3             [only flags multi] client info

(replies.py says what each means; several stand one after the other: `[sorted] [near 1] ...`; `b< [shape] 2`). Lines of a case file that are
empty or start with `#` are for the reader. `@each config set x 1 | script flush` puts steps before every further line of the file
(not compared; `@each` alone ends that); `@2 line` and `@3 line` run under one protocol only; `@again line` is asked again where it differs,
for replies that tell whether a command was slow: one that the machine interrupts is. Time does not wait: use `px 1 | debug sleep 0.003`,
or moments long past, or `[near 1]`, or a script, in which time stands still; lines that are about time itself stand in clock/, where it is
hand-set. A line must give the same on a machine that stands still for seconds between any two of its steps.

By hand, from the top of the repository (lines, case files, or `-` for lines from stdin):

    python -m tests.compat.harness 'set k v | get k' tests/compat/cases/strings.txt

`REDLOOP_COMPAT=oracle` puts a second redis-server in redloop's place: what differs then is not deterministic and needs a mark.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import shlex
import socket
import sys
import time

from tests.compat.hand_clock import FINE_TIME, HandClock
from tests.compat.replies import CLOSED, SILENT, Stream, compare, parse, scalar
from tests.compat.servers import PATIENCE, Server, start

CASES = pathlib.Path(__file__).parent / "cases"
PIPELINE_BYTES = 32_768
TRIES = 5  # of a line marked @again
SECONDS = float(os.environ.get("REDLOOP_COMPAT_SECONDS", PATIENCE))

_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}
_STEP = re.compile(r"([a-z])?([:><!.+])(?:\s+|$)")
_MARK = re.compile(r"\[([a-z]+)(?: (.+?))?\](?: |$)")
_RANGE = re.compile(r"\{(-?\d+)\.\.(-?\d+)\}")
_NAME = re.compile(rb"\{([a-z]+)\}")
_DIRECTIVE = re.compile(rb"[A-Za-z-]+")
_SPAN = re.compile(r"\b(\d+)~(\d+)\b")


def _quoted(text: str, at: int) -> tuple[bytes, int]:
    """The bytes of the quoted word that opens at `at`, and where it ends."""
    quote = text[at]
    at += 1
    out = bytearray()
    while text[at] != quote:
        char = text[at]
        at += 1
        if char != "\\" or (quote == "'" and text[at] != "'"):
            out += char.encode()
        elif quote == '"' and text[at] == "x" and re.match(r"x[0-9a-fA-F]{2}", text[at : at + 3]):
            out.append(int(text[at + 1 : at + 3], 16))
            at += 3
        else:
            out += _ESCAPES.get(text[at], text[at].encode())
            at += 1
    return bytes(out), at + 1


def words(text: str) -> list[bytes]:
    """The arguments a step sends."""
    out: list[bytes] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if text[at] in "\"'":
            word, at = _quoted(text, at)
            times = re.match(r"\*(\d+)", text[at:])
            if times:
                word *= int(times[1])
                at += times.end()
            out.append(word)
            continue
        end = at
        while end < len(text) and not text[end].isspace():
            end += 1
        plain, at = text[at:end], end
        span = _RANGE.search(plain)
        if span:
            out += [(plain[: span.start()] + str(n) + plain[span.end() :]).encode() for n in range(int(span[1]), int(span[2]) + 1)]
        else:
            out.append(plain.encode())
    return out


def split_steps(line: str) -> list[str]:
    """The parts of a line between its bare `|` words."""
    steps: list[str] = []
    start_at = at = 0
    while at < len(line):
        if line[at] in "\"'" and (at == 0 or line[at - 1].isspace()):
            try:
                at = _quoted(line, at)[1]
            except IndexError as error:
                raise ValueError(f"unbalanced quotes: {line}") from error
        elif line.startswith(" | ", at):
            steps.append(line[start_at:at])
            at += 3
            start_at = at
        else:
            at += 1
    return [step.strip() for step in [*steps, line[start_at:]]]


def without_equal_spans(text: str) -> str:
    """`100~7` becomes 100, 107, 114...: of two equal spans of time a millisecond more or less decides which ends later."""
    numbers = itertools.count()
    return _SPAN.sub(lambda found: str(int(found[1]) + int(found[2]) * next(numbers)), text)


def pack(argv: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)


class Step:
    """One part of a line, read once: which connection, what to send, how to compare."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.peer = "a"
        self.action = ":"
        self.marks: dict[str, str] = {}
        rest = text
        prefix = _STEP.match(rest)
        if prefix:
            self.peer = prefix[1] or "a"
            self.action = prefix[2]
            rest = rest[prefix.end() :]
        while mark := _MARK.match(rest):
            self.marks[mark[1]] = mark[2] or ""
            rest = rest[mark.end() :]
        self.argv: list[bytes] = []
        self.count = 1
        if self.action in "<+":
            self.count = int(rest or "1")
        elif self.action in ":>":
            self.argv = words(rest)
        self.names = any(_NAME.search(word) for word in self.argv)

    def settings(self) -> list[bytes]:
        """The directives that it changes."""
        changes = [word.lower() for word in self.argv[:2]] == [b"config", b"set"]
        return [name for name in self.argv[2::2] if _DIRECTIVE.fullmatch(name)] if changes else []

    def data(self, names: dict[bytes, bytes]) -> bytes:
        argv = self.argv
        if self.names:
            argv = [_NAME.sub(lambda found: names.get(found[1], found[0]), word) for word in argv]
        return b"".join(argv[1:]) if argv[0] == b"raw" else pack(argv)


class Line:
    """A case: its steps, and whether they can be sent in one go."""

    def __init__(self, text: str, before: str = "", where: str = "", protocols: tuple[int, ...] = (2, 3), tries: int = 1) -> None:
        self.text = text
        self.tries = tries
        self.where = where
        self.protocols = protocols
        self.before_text = before
        self.before = [Step(part) for part in split_steps(before)] if before else []
        self.steps = [Step(part) for part in split_steps(text)]
        self.settings = [name for step in self.before + self.steps for name in step.settings()]
        self.timed = any(step.action == "+" for step in self.steps)
        plain = all(step.peer == "a" and step.action == ":" and "as" not in step.marks for step in self.steps)
        self.pipelined = plain and sum(len(word) for step in self.steps for word in step.argv) < PIPELINE_BYTES


def read_cases(path: pathlib.Path) -> list[Line]:
    """The lines of a case file."""
    lines: list[Line] = []
    before = ""
    for number, text in enumerate(path.read_text().splitlines(), 1):
        text = text.strip()
        protocols: tuple[int, ...] = (2, 3)
        tries = 1
        if not text or text.startswith("#"):
            continue
        if text.startswith("@each"):
            before = text[5:].strip()
            continue
        if text.startswith(("@2 ", "@3 ")):
            protocols = (int(text[1]),)
            text = text[3:].strip()
        elif text.startswith("@again "):
            tries = TRIES
            text = text[7:].strip()
        lines.append(Line(text, before, f"{path.name}:{number}", protocols, tries))
    return lines


class Side:
    """One of the two servers: plays a line and keeps what came back, a reply for each step (several for `< 3`), then the tails."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.control = Stream(server.connect(SECONDS))
        self.peers: dict[str, Stream] = {}
        self.names: dict[bytes, bytes] = {}
        self.old: list[tuple[bytes, bytes]] = []

    def ask(self, *argv: bytes) -> bytes:
        self.control.peer.sendall(pack(list(argv)))
        return self.control.reply()

    def settle(self) -> None:
        """After this the server has read all that was sent before it: two rounds of its event loop have passed."""
        self.ask(b"PING")
        self.ask(b"PING")

    def turn(self, ms: int) -> None:
        """Turns the hand-set clock; the server has seen it then, also where it looks at the time once in a while only."""
        clock = self.server.clock
        assert clock is not None, "this server has no hand-set clock"
        clock.advance(ms)
        self.ask(b"DEBUG", b"SLEEP", b"0")
        wanted = b"lru_clock:%d\r" % (clock.ms // 1000 & 0xFFFFFF)
        deadline = time.monotonic() + SECONDS
        while wanted not in self.ask(b"INFO", b"server"):
            assert time.monotonic() < deadline, "the server does not see its clock move"

    def begin(self, line: Line, protocol: int) -> None:
        """Open the first connection, and send as much as can go in one piece."""
        self.names = {}
        self.old = []
        for name in line.settings:
            answer = self.ask(b"CONFIG", b"GET", name)
            if answer[:1] == b"*" and answer != b"*0\r\n":
                items = parse(answer)[0][1]
                assert isinstance(items, list)
                self.old.append((scalar(items[0]), scalar(items[1])))
        self.peers = {}
        first = self._open("a", protocol)
        # ASYNC, because Redis 8 parks the client of a plain FLUSHALL, and then holds back an error reply that follows in the same write
        opening = [pack([b"FLUSHALL", b"ASYNC"]), *(step.data({}) for step in line.before)]
        if line.pipelined:
            opening += [step.data({}) for step in line.steps]
        self._send(first, b"".join(opening))

    def finish(self, line: Line, protocol: int) -> list[bytes]:
        """The replies of the line; ends its connections."""
        first = self.peers["a"]
        for _ in range(1 + len(line.before)):
            first.reply()
        got: list[bytes] = []
        for step in line.steps:
            got += [first.reply()] if line.pipelined else self._play(step, protocol)
        tails = []
        for peer in self.peers.values():
            try:
                peer.peer.shutdown(socket.SHUT_WR)
            except OSError:
                peer.closed = peer.closed or peer.peer.fileno() < 0
            tails.append(peer.rest())
            peer.peer.close()
        for name, value in self.old:
            self.ask(b"CONFIG", b"SET", name, value)
        return got + tails

    def _open(self, name: str, protocol: int) -> Stream:
        peer = self.peers[name] = Stream(self.server.connect(SECONDS))
        if protocol == 3 or name != "a":  # what has an answer is accepted for sure; from then on two rounds are enough for `settle`
            self._send(peer, pack([b"HELLO", b"3"]) if protocol == 3 else pack([b"PING"]))
            peer.reply()
        return peer

    def _send(self, peer: Stream, data: bytes) -> None:
        try:
            peer.peer.sendall(data)
        except OSError:
            return  # the server hung up; reading says so

    def _play(self, step: Step, protocol: int) -> list[bytes]:
        if step.action == "+":
            self.turn(step.count)
            return []
        peer = self.peers.get(step.peer) or self._open(step.peer, protocol)
        if step.action == "!":
            peer.peer.close()
            peer.closed = True
            peer.buffer.clear()
        elif step.action in ":>":
            self._send(peer, step.data(self.names))
        if step.action in "!>.":
            self.settle()
            return []
        got = [peer.reply() for _ in range(step.count)]
        if "as" in step.marks and got[0] not in (CLOSED, SILENT):
            self.names[step.marks["as"].encode()] = scalar(parse(got[0])[0])
        return got

    def close(self) -> None:
        self.control.peer.close()


class Difference:
    """A reply that is not what the oracle gave."""

    def __init__(self, line: Line, protocol: int, step: str, ours: bytes, theirs: bytes) -> None:
        self.line, self.protocol, self.step, self.ours, self.theirs = line, protocol, step, ours, theirs

    def __str__(self) -> str:
        return (
            f"{self.line.where} RESP{self.protocol}: {shorten(self.line.text, 300)}\n"
            f"   at      {shorten(self.step, 200)}\n"
            f"   redis   {show(self.theirs)}\n"
            f"   redloop {show(self.ours)}\n"
            f"   again   python -m tests.compat.harness -{self.protocol} {shlex.quote(self.line.text)}\n"
        )


def shorten(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 20]} ... {text[-14:]}"


def show(reply: bytes, size: int = 700) -> str:
    return shorten(repr(reply)[2:-1], size)


class Pair:
    """Both servers, fed the same lines."""

    def __init__(self, ours: Server, theirs: Server) -> None:
        self.ours = Side(ours)
        self.theirs = Side(theirs)
        self.trace = False

    def run(self, line: Line, protocol: int) -> list[Difference]:
        """Play a line on both sides: its first difference, or nothing."""
        begun = time.monotonic()
        self.theirs.begin(line, protocol)
        self.ours.begin(line, protocol)
        theirs = self.theirs.finish(line, protocol)
        ours = self.ours.finish(line, protocol)
        labels: list[tuple[str, dict[str, str]]] = []
        for step in line.steps:
            labels += [(step.text, step.marks)] * (0 if step.action in "!>.+" else step.count)
        labels += [(f"what follows on connection {name}", {}) for name in self.theirs.peers]
        seconds = time.monotonic() - begun
        found: list[Difference] = []
        for (label, marks), one, other in zip(labels, ours, theirs, strict=True):
            same = compare(one, other, marks, seconds) and not other.endswith(SILENT)  # a case that waits for nothing is a mistake
            if self.trace:
                print(f"{'  ' if same else '! '}{label}\n      {show(other)}" + ("" if same else f"\n    ! {show(one)}"))
            if not same and not found:
                found.append(Difference(line, protocol, label, one, other))
        return found

    def run_all(self, lines: list[Line], protocols: tuple[int, ...]) -> list[Difference]:
        due = [(line, protocol) for protocol in protocols for line in lines if protocol in line.protocols]
        return [difference for line, protocol in due for difference in self.insist(line, protocol)]

    def insist(self, line: Line, protocol: int) -> list[Difference]:
        """`run`, again where it differs and is marked so."""
        for _ in range(line.tries):
            found = self.run(line, protocol)
            if not found:
                break
        return found

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


def start_pair(*arguments: str, clocks: bool = False) -> tuple[Server, Server]:
    """Ours and theirs, started with the same further arguments; their clocks hand-set or the system's."""
    theirs = start("oracle", *arguments, clock=HandClock() if clocks else None)
    try:
        ours = start(os.environ.get("REDLOOP_COMPAT", "redloop"), *arguments, clock=HandClock() if clocks else None)
    except BaseException:
        theirs.stop()
        raise
    return ours, theirs


def main(arguments: list[str]) -> int:
    protocols: tuple[int, ...] = (2, 3)
    lines: list[Line] = []
    trace = False
    for argument in arguments:
        if argument in ("-2", "-3"):
            protocols = (int(argument[1]),)
        elif argument == "-":
            lines += [Line(text.strip(), where="stdin") for text in sys.stdin if text.strip()]
        elif os.path.exists(argument):
            lines += read_cases(pathlib.Path(argument))
        else:
            lines.append(Line(argument, where="line"))
            trace = True
    ours, theirs = start_pair(*FINE_TIME, clocks=True) if any(line.timed for line in lines) else start_pair()
    with ours, theirs:
        pair = Pair(ours, theirs)
        pair.trace = trace
        differences = pair.run_all(lines, protocols)
        pair.close()
    for difference in differences:
        print(difference)
    print(f"{len(lines)} lines, {len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
