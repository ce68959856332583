r"""Malformed and hostile input gets from redloop what a real redis-server gives: the same bytes, and the connection closed or not.

Each line of ABUSES is a name and the pieces sent over TCP, one write a piece. After each the server is given time to answer (two PINGs of
another client, who must get them at once); then the connection is half-closed and read to its end. The pieces are bytes or

    SETTLE      wait until the server has read all so far
    RESET       hang up with a TCP reset instead of a half-close

`@name value` in `settings` are directives set for that case. The memory test at the end plays the whole table several times over: the
server's resident memory must return to where it was.
"""

from __future__ import annotations

import fcntl
import random
import resource
import select
import socket
import struct
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from tests.compat.harness import Pair, Side, pack, show, start_pair
from tests.compat.replies import Stream
from tests.compat.servers import PATIENCE

SETTLE = b"\x00settle"
RESET = b"\x00reset"
CLOSED = "closed by the server"
AT_MOST = 0.75  # seconds a server may run before it answers another client's PING
MEGA = 1 << 20
READ = 1 << 14  # what redis-server reads from a client at least, in one round of its loop


def _noise(seed: int, size: int, without: bytes = b"") -> bytes:
    """Random bytes, the same every time."""
    return bytes(byte for byte in random.Random(seed).randbytes(size) if byte not in without)


def _drip(data: bytes) -> list[bytes]:
    """One byte a write, each read by the server before the next."""
    return [piece for byte in data for piece in (bytes([byte]), SETTLE)]


PING = b"*1\r\n$4\r\nPING\r\n"
CLIENT_HELLO = bytes.fromhex("16030100c6010000c20303") + bytes(range(1, 33)) + b"\x20" + bytes(range(32, 64))

ABUSES: list[tuple[str, list[bytes]]] = [
    # headers of an array
    ("multibulk header of 70 KB", [b"*" + b"1" * 70_000]),
    ("multibulk header of 70 KB in pieces", [b"*", *[b"1" * 10_000] * 7]),
    ("4 billion elements", [b"*4294967295\r\n"]),
    ("2 billion elements", [b"*2147483647\r\n"]),
    ("2 billion elements and one of them", [b"*2147483647\r\n$4\r\nPING\r\n"]),
    ("a billion elements", [b"*1000000000\r\n", PING]),
    ("a million elements, one missing", [b"*1048577\r\n" + b"$1\r\na\r\n" * 1000]),
    ("64-bit count", [b"*9223372036854775807\r\n"]),
    ("more than 64 bits", [b"*18446744073709551616\r\n"]),
    ("negative counts", [b"*-1\r\n*-9223372036854775808\r\n" + PING]),
    ("count below 64 bits", [b"*-9223372036854775809\r\n" + PING]),
    ("count in hex", [b"*0x1\r\n" + PING]),
    ("count of nothing", [b"*\r\n" + PING]),
    ("10,000 empty arrays", [b"*0\r\n" * 10_000 + PING]),
    ("10,000 null arrays", [b"*-1\r\n" * 10_000 + PING]),
    ("10,000 empty lines", [b"\r\n" * 10_000 + PING]),
    ("10,000 openings of arrays", [b"*1\r\n" * 10_000]),
    ("arrays in arrays", [b"*2\r\n*2\r\n*2\r\n*2\r\n$1\r\na\r\n"]),
    # headers of a bulk string
    ("bulk header of 70 KB", [b"*1\r\n$" + b"1" * 70_000]),
    ("bulk of 512 MB announced, nothing sent", [b"*2\r\n$3\r\nGET\r\n$536870912\r\n"]),
    ("bulk of 512 MB announced, 1 MB sent", [b"*2\r\n$3\r\nGET\r\n$536870912\r\n", b"x" * MEGA]),
    ("bulk over 512 MB", [b"*2\r\n$3\r\nGET\r\n$536870913\r\n"]),
    ("bulk of 4 GB", [b"*1\r\n$4294967295\r\n"]),
    ("bulk of 2^64", [b"*1\r\n$18446744073709551615\r\n"]),
    ("null bulk as the name", [b"*1\r\n$-1\r\n" + PING]),
    ("null bulk as an argument", [b"*2\r\n$3\r\nGET\r\n$-1\r\n" + PING]),
    ("length of minus two", [b"*1\r\n$-2\r\n" + PING]),
    ("length in letters", [b"*1\r\n$four\r\nPING\r\n"]),
    ("length of nothing", [b"*1\r\n$\r\nPING\r\n"]),
    ("bulk longer than announced", [b"*1\r\n$4\r\nPINGPING\r\n" + PING]),
    ("bulk shorter than announced", [b"*1\r\n$10\r\nPING\r\n" + PING]),
    ("bulk without its CRLF", [b"*1\r\n$4\r\nPING" + PING]),
    ("line feeds only", [b"*1\n$4\nPING\n", b"\r\n"]),
    ("carriage returns only", [b"*1\r$4\rPING\r"]),
    ("CR without LF in a header", [b"*1\rx$4\r\nPING\r\n"]),
    ("no dollar", [b"*2\r\n$3\r\nGET\r\nk\r\n"]),
    ("a line break instead of a dollar", [b"*1\r\n\r\n$4\r\nPING\r\n"]),
    # RESP types that are no requests
    *[(f"{kind.decode()} at the top", [kind + b"1\r\n" + PING]) for kind in (b":", b"+", b"-", b"$", b",", b"#", b"_", b"(", b"!", b"=")],
    *[
        (f"{kind.decode()} in an array", [b"*2\r\n$4\r\nECHO\r\n" + kind + b"1\r\nx\r\n"])
        for kind in (b":", b"+", b"-", b"*", b"%", b"~", b">", b"|", b"_", b"#")
    ],
    *[(f"{kind.decode()} as a command", [kind + b"1\r\n$4\r\nPING\r\n$1\r\nx\r\n"]) for kind in (b"%", b"~", b">", b"|")],
    # inline
    ("inline of 70 KB without an end", [b"PING " + b"x" * 70_000]),
    ("inline of 1 MB without an end", [b"x" * MEGA]),
    ("inline of 70 KB in pieces", [*[b"x" * 10_000] * 7, SETTLE, b"\r\n"]),
    ("blanks of 60 KB", [b" " * 60_000 + b"\r\n" + PING]),
    ("open double quote", [b'SET k "abc\r\n' + PING]),
    ("open single quote", [b"SET k 'abc\r\n" + PING]),
    ("quote closed in a word", [b'SET k "abc"def\r\n' + PING]),
    ("quotes of 30 KB", [b'ECHO "' + b"q" * 30_000 + b'"\r\n']),
    ("quotes of 100 KB", [b'ECHO "' + b"q" * 100_000 + b'"\r\n']),
    ("10,000 words", [b"foo " + b"a " * 10_000 + b"\r\n"]),
    ("other protocols: HTTP GET", [b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"]),
    ("other protocols: HTTP POST", [b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nFLUSHALL\r\n"]),
    ("other protocols: Host first", [b"Host: localhost\r\nFLUSHALL\r\n"]),
    ("other protocols: TLS", [CLIENT_HELLO + b"\r\n"]),
    ("other protocols: SSH", [b"SSH-2.0-OpenSSH_9.2\r\n"]),
    ("other protocols: PROXY", [b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + PING]),
    ("other protocols: memcached", [b"set k 0 0 1\r\n1\r\nget k\r\n"]),
    # noise
    *[(f"noise {seed}", [_noise(seed, 2000) + b"\r\n"]) for seed in range(6)],
    *[(f"noise without NUL {seed}", [_noise(seed, 2000, b"\x00") + b"\r\n"]) for seed in range(6, 12)],
    *[(f"noise after a command {seed}", [PING + _noise(seed, 500, b"\x00*\n") + b"\r\n" + PING]) for seed in range(12, 16)],
    ("noise in an array", [b"*3\r\n" + _noise(16, 300, b"\x00\n\r") + b"\r\n"]),
    ("NUL bytes", [b"\x00" * 1000 + b"\r\n" + PING]),
    ("70 KB of NUL bytes", [b"\x00" * 70_000 + b"\r\n" + PING]),
    ("0xff", [b"\xff" * 1000 + b"\r\n" + PING]),
    # drip and pieces
    ("a command byte by byte", _drip(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")),
    ("inline byte by byte", _drip(b"SET k 'a b'\r\nGET k\r\n")),
    ("an error byte by byte", _drip(b"*2\r\n$3\r\nGET\r\n$x\r\n")),
    ("a value in 1,000 writes", [b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n", *[b"v" * 100] * 1000, b"\r\n", pack([b"strlen", b"k"])]),
    # cut off
    *[
        (f"cut after {cut!r}", [cut])
        for cut in (b"*", b"*1", b"*1\r", b"*1\r\n", b"*1\r\n$4\r\nPI", b"PIN", b"PING\r", b'"', b"*1\r\n$4\r\nPING\r")
    ],
    ("cut in a value, by a reset", [b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\nabc", SETTLE, RESET]),
    ("reset with replies unread", [PING * 20_000, RESET]),
    # many and big
    ("10,000 commands, then an error", [PING * 10_000 + b"*x\r\n" + PING]),
    ("a name of 1 MB", [pack([b"n" * MEGA, b"a"])]),
    ("a name of 1 MB without arguments", [pack([b"n" * MEGA])]),
    ("100,000 arguments for nobody", [pack([b"foo"] + [b"a"] * 100_000)]),
    ("100,000 arguments too many", [pack([b"get"] + [b"a"] * 100_000)]),
    ("a key of 1 MB", [pack([b"set", b"k" * MEGA, b"v"]), pack([b"exists", b"k" * MEGA]), pack([b"del", b"k" * MEGA])]),
    ("a value of 20 MB", [pack([b"set", b"k", b"v" * 20 * MEGA]), pack([b"strlen", b"k"]), pack([b"del", b"k"])]),
    ("a password of 1 MB", [pack([b"auth", b"p" * MEGA])]),
    ("a client name of 1 MB", [pack([b"client", b"setname", b"n" * MEGA]), pack([b"reset"])]),
    ("a pattern that backtracks", [pack([b"set", b"a" * 60, b"v"]), pack([b"keys", b"a*" * 30 + b"b"]), pack([b"flushall", b"async"])]),
    ("queued and never executed", [pack([b"multi"]), pack([b"set", b"k", b"v" * 1000]) * 2000]),
    ("an unknown command while queueing", [pack([b"multi"]) + pack([b"foo"]) + pack([b"exec"])]),
    ("10,000 watched keys", [pack([b"watch"] + [b"k%d" % n for n in range(10_000)])]),
    ("hello with noise", [pack([b"hello", _noise(20, 50)]), pack([b"hello", b"3", _noise(21, 50)])]),
    ("select far away", [pack([b"select", b"999999999999"]), pack([b"select", b"-1"])]),
    ("quit, then more", [pack([b"quit"]) + PING * 100]),
]

LIMITED: list[tuple[str, str, list[bytes]]] = [
    # without the password there is little room
    ("11 elements, not authenticated", "requirepass secret", [b"*11\r\n$4\r\nPING\r\n"]),
    ("10 elements, not authenticated", "requirepass secret", [pack([b"ping"] + [b"a"] * 9)]),
    ("16,385 bytes, not authenticated", "requirepass secret", [b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", b"x" * 100]),
    ("16,384 bytes, not authenticated", "requirepass secret", [pack([b"ping", b"x" * 16_384])]),
    ("an unknown command, not authenticated", "requirepass secret", [pack([b"foo", b"bar"]) + pack([b"get"]) + b"ping\r\n"]),
    ("inline of 40 KB, not authenticated", "requirepass secret", [b"ping " + b"x" * 40_000 + b"\r\n"]),
    ("guessing", "requirepass secret", [piece for n in range(20) for piece in (pack([b"auth", b"guess%d" % n]), SETTLE)]),
    ("a hundred refusals unread", "requirepass secret", [pack([b"ping"]) * 100]),
    ("subscribing, not authenticated", "requirepass secret", [pack([b"subscribe", b"ch"]) + pack([b"monitor"]) + pack([b"multi"])]),
    ("authenticated, then more", "requirepass secret", [pack([b"auth", b"secret"]), SETTLE, pack([b"echo", b"x" * 20_000])]),
    # the query buffer
    ("query buffer: a big argument", "client-query-buffer-limit 1mb", [b"*2\r\n$4\r\nECHO\r\n$3000000\r\n", b"x" * 3_000_000, b"\r\n"]),
    ("query buffer: a small argument", "client-query-buffer-limit 1mb", [pack([b"strlen", b"x" * 900_000])]),
    ("query buffer: while queueing", "client-query-buffer-limit 1mb", [pack([b"multi"]), *[pack([b"echo", b"v" * 100_000]), SETTLE] * 15]),
    ("bulk over proto-max-bulk-len", "proto-max-bulk-len 1mb", [b"*2\r\n$4\r\nECHO\r\n$1048577\r\n"]),
    ("bulk of proto-max-bulk-len", "proto-max-bulk-len 1mb", [pack([b"strlen", b"x" * MEGA])]),
]


@pytest.fixture(scope="module")
def abused(oracle: str) -> Iterator[Pair]:
    """A pair of its own, so that what is measured here is not disturbed."""
    ours, theirs = start_pair("--maxclients", "11000")
    with ours, theirs:
        both = Pair(ours, theirs)
        yield both
        both.close()


def _settle(side: Side, size: int = 0) -> None:
    """Another client's PINGs: answered, and at once. Four, and more where `size` bytes take the server more rounds to read."""
    for _ in range(4 + size // READ):
        begun = side.server.cpu()
        answer = side.ask(b"PING")
        assert answer == b"+PONG\r\n", f"{side.server.kind}: another client's PING got {answer!r}\n{side.server.tail()}"
        if side.server.kind == "redloop":
            assert side.server.cpu() - begun < AT_MOST


def _drain(peer: socket.socket) -> tuple[bytes, bool]:
    """What has arrived, and whether the server closed."""
    peer.setblocking(False)
    data = bytearray()
    try:
        while piece := peer.recv(1 << 20):
            data += piece
    except BlockingIOError:
        return bytes(data), False
    except ConnectionResetError:
        pass
    finally:
        peer.settimeout(PATIENCE)
    return bytes(data), True


def _abuse(side: Side, pieces: list[bytes], closes: bool = False) -> tuple[bytes, str]:
    """What a connection that sends `pieces` gets, and how it ends; `closes`: the server is to close it, and may take its time."""
    with side.server.connect(tcp=True) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        got = bytearray()
        try:
            for piece in pieces:
                if piece is SETTLE:
                    _settle(side)
                    got += _drain(peer)[0]
                elif piece is RESET:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return b"", "reset"
                else:
                    _send(peer, piece, got)
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed while we were sending: reading says the rest
        deadline = time.monotonic() + PATIENCE
        while _on_its_way(peer) and time.monotonic() < deadline:
            _settle(side)
        _settle(side, sum(map(len, pieces)))
        data, closed = _drain(peer)
        got += data
        while closes and not closed and time.monotonic() < deadline:
            _settle(side)
            data, closed = _drain(peer)
            got += data
        if not closed:
            closed = not _is_known(side, peer)  # then the end is on its way
            if not closed:
                peer.shutdown(socket.SHUT_WR)
            got += Stream(peer).rest()
        return bytes(got), CLOSED if closed else "open"


def _on_its_way(peer: socket.socket) -> bool:
    """Whether the kernel has bytes that it has not brought to the other side: a busy one does that when it comes to it, on loopback too."""
    state = select.poll()
    state.register(peer, 0)  # tells only that the connection is gone: what was on its way then is lost
    return not state.poll(0) and int.from_bytes(fcntl.ioctl(peer, termios.TIOCOUTQ, bytes(4)), sys.byteorder) > 0


def _is_known(side: Side, peer: socket.socket) -> bool:
    """Whether the server still has the connection."""
    return b" addr=127.0.0.1:%d " % peer.getsockname()[1] in side.ask(b"CLIENT", b"LIST")


def _send(peer: socket.socket, data: bytes, got: bytearray) -> None:
    """Sends all of `data`, reading meanwhile what comes: neither side may wait for the other for ever."""
    view = memoryview(data)
    while view:
        peer.settimeout(PATIENCE)
        sent = peer.send(view[: 1 << 18])
        view = view[sent:]
        if view:
            got += _drain(peer)[0]


def _compare(pair: Pair, pieces: list[bytes]) -> None:
    theirs, their_end = _abuse(pair.theirs, pieces)
    ours, our_end = _abuse(pair.ours, pieces, their_end == CLOSED)
    assert (ours, our_end) == (theirs, their_end), f"\n   redis   {show(theirs)} {their_end}\n   redloop {show(ours)} {our_end}"


@pytest.mark.parametrize("pieces", [pieces for _, pieces in ABUSES], ids=[name for name, _ in ABUSES])
def test_same_answer(abused: Pair, pieces: list[bytes]) -> None:
    """The same bytes as the oracle, the connection closed or left open as the oracle does, nobody else disturbed."""
    _compare(abused, pieces)


def _set(pair: Pair, setting: str) -> bytes:
    """Sets a directive on both sides, and gives the oracle's old value."""
    name, value = setting.encode().split(b" ", 1)
    sides = (pair.theirs, pair.ours)
    old = sides[0].ask(b"CONFIG", b"GET", name).split(b"\r\n")[-2]
    for side in sides:
        assert side.ask(b"CONFIG", b"SET", name, value) == b"+OK\r\n"
    return old


@pytest.mark.parametrize(("setting", "pieces"), [row[1:] for row in LIMITED], ids=[row[0] for row in LIMITED])
def test_same_limits(abused: Pair, setting: str, pieces: list[bytes]) -> None:
    """Limits that can be set hold at the same byte."""
    old = _set(abused, setting)
    try:
        _compare(abused, pieces)
    finally:
        _set(abused, f"{setting.split()[0]} {old.decode()}")


@pytest.mark.parametrize("limit", ["normal 1mb 0 0", "normal 0 64kb 1"])
def test_client_that_never_reads(abused: Pair, limit: str) -> None:
    """A client that asks for far more than it reads is cut off at its output buffer limit; the memory is free again."""
    old = _set(abused, f"client-output-buffer-limit {limit}")
    try:
        for side in (abused.theirs, abused.ours):
            side.ask(b"SET", b"k", b"v" * 100_000)
            with side.server.connect(tcp=True) as greedy:
                greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                request = pack([b"GET", b"k"]) * 500
                greedy.settimeout(5)
                gone = False
                deadline = time.monotonic() + PATIENCE
                while not gone and time.monotonic() < deadline:
                    _settle(side)
                    try:
                        greedy.sendall(request)
                    except (BrokenPipeError, ConnectionResetError):
                        gone = True
                    except TimeoutError:
                        pass
                    request = pack([b"PING"])
                assert gone, f"{side.server.kind} let it go on"
            side.ask(b"DEL", b"k")
    finally:
        _set(abused, f"client-output-buffer-limit {old.decode()}")


def test_late_reader(abused: Pair) -> None:
    """A client that reads only after a long pipeline gets every reply, in order; others are served meanwhile."""
    request = b"".join([pack([b"ECHO", b"%06d" % n + b"x" * 94]) for n in range(100_000)])
    wanted = b"".join([b"$100\r\n%06d" % n + b"x" * 94 + b"\r\n" for n in range(100_000)])
    for side in (abused.theirs, abused.ours):
        with side.server.connect(tcp=True) as peer:
            peer.setblocking(False)
            view = memoryview(request)
            got = bytearray()
            while view:
                try:
                    view = view[peer.send(view) :]
                except BlockingIOError:
                    _settle(side)
                    got += _drain(peer)[0]
                    peer.setblocking(False)
            _settle(side)
            peer.settimeout(PATIENCE)
            peer.shutdown(socket.SHUT_WR)
            got += Stream(peer).rest()
            assert got == wanted


def test_no_more_clients(abused: Pair) -> None:
    """One client over maxclients gets the error and is closed."""
    answers = []
    old = _set(abused, "maxclients 10")
    try:
        for side in (abused.theirs, abused.ours):
            _await_clients(side, 1)  # who is being hung up on by an earlier test still counts
            crowd = [Stream(side.server.connect(tcp=True)) for _ in range(12)]
            for one in crowd[:9]:
                one.peer.sendall(PING)
                assert one.reply() == b"+PONG\r\n"
            answers.append([one.rest() for one in crowd[9:]])
            for one in crowd:
                one.peer.close()
            _await_clients(side, 1)
    finally:
        _set(abused, f"maxclients {old.decode()}")
    assert answers[1] == answers[0] == [b"-ERR max number of clients reached\r\n"] * 3


def _await_clients(side: Side, count: int) -> None:
    """Waits until the server counts that many clients: it accepts, and notices who has left, in its own time."""
    wanted = b"connected_clients:%d\r\n" % count
    deadline = time.monotonic() + PATIENCE
    while wanted not in side.ask(b"INFO", b"clients"):
        assert time.monotonic() < deadline, f"not {count} clients:\n{side.ask(b'INFO', b'clients').decode()}"


def test_10000_idle_connections(abused: Pair) -> None:
    """10,000 connections that say nothing cost others nothing, and leave nothing behind."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    count = 10_000 if limit > 10_500 else limit - 500
    for side in (abused.theirs, abused.ours):
        before = side.server.rss()
        crowd: list[socket.socket] = []
        try:
            for _ in range(count):
                peer = socket.socket()
                crowd.append(peer)
                peer.connect(("127.0.0.1", side.server.port))
            _await_clients(side, count + 1)
            for peer in crowd[::1000]:
                peer.sendall(PING)
                assert peer.recv(100) == b"+PONG\r\n"
        finally:
            for peer in crowd:
                peer.close()
        _await_clients(side, 1)
        assert side.server.rss() < before + 64 * MEGA


def test_comers_and_goers(abused: Pair) -> None:
    """Connections that close at once, politely or by a reset, before or in the middle of a command, leave nothing behind."""
    for side in (abused.theirs, abused.ours):
        for number in range(600):
            with side.server.connect(tcp=True) as peer:
                if number % 3:
                    peer.sendall(b"*2\r\n$3\r\nGET\r\n$10"[: number % 17])
                if number % 2:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        _settle(side)
        _await_clients(side, 1)


def test_memory_returns(abused: Pair) -> None:
    """The whole table, played again and again, makes resident memory grow no more after the first two times."""
    side = abused.ours
    sizes = []
    for _ in range(5):
        for _, pieces in ABUSES:
            _abuse(side, pieces)
        _settle(side)
        side.ask(b"MEMORY", b"PURGE")
        sizes.append(side.server.rss())
    assert sizes[-1] < max(sizes[:2]) + 16 * MEGA, [size >> 20 for size in sizes]
