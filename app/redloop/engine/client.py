"""A client: bytes in, commands run, bytes out. The path of every command.

`feed` takes what the socket gave, in any pieces; each whole command runs to its end at once and all replies of a batch leave in one
write. No I/O happens here but through `peer` (engine.peer). Rules that cut across commands are not written here: they plug into `guards`
(before a command), the server's `observers` (after), sinks (`engine.effects`) and listeners (`keyspace`), all of which are empty until
something is switched on.

A client that may not go on (blocked, paused, its output not taken) is *parked*: it keeps what it is sent and runs it when `resume` is
called.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import hiredis
from mypy_extensions import i64

from redloop.config.quoting import split
from redloop.engine.acl.user import User
from redloop.engine.client_line import describe
from redloop.engine.command import Command
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.errors import RedisError, wrong_arity
from redloop.keyspace.database import TOUCH_NOTHING
from redloop.resp.encode import BULK_HEADERS, CRLF, NULL2, NULL3, encode, encode_integer
from redloop.resp.replies import NOTHING, OK
from redloop.resp.requests import (
    LINE_FEED,
    MAX_INLINE,
    RETURN,
    UNAUTHENTICATED_BULK,
    UNAUTHENTICATED_ELEMENTS,
    Framer,
    ProtocolError,
    arguments,
    is_huge,
    wire_end,
    word_end,
)

log = logging.getLogger("redloop.client")

STAR: Final = 42
NOT_FOR_US: Final = (b"post", b"host:")
TABLE: Final = 1024
UNLIMITED: Final = 1 << 40
MAX_PENDING_OUTPUT: Final = 256 * 1024 * 1024
"""Bytes of replies a client may leave unread before its commands wait; a limit in client-output-buffer-limit closes it earlier."""

CLIENT_BYTES: Final = 6000
"""About what a client takes that sends nothing: itself, its connection and what they consist of."""
QUEUED_BYTES: Final = 250
"""About what a queued command takes beside the bytes of its arguments."""

PARKED_BLOCKED: Final = 1
"""Waits for a key, or for replicas."""
PARKED_PAUSED: Final = 2
"""CLIENT PAUSE."""
PARKED_OUTPUT: Final = 4
"""Its replies are not read."""
PARKED_DISK: Final = 8
"""It writes faster than the disk does."""
PARKED_LONG: Final = 16
"""Its command is worked off in slices."""
PARKED_UNREAD: Final = PARKED_OUTPUT | PARKED_DISK
"""The reasons for which its socket is not read either."""
GREEDY: Final = 128 * 1024
"""Bytes read at once that tell of more behind them."""

ANSWERED_BY_PUSH: Final = frozenset(["subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe"])
"""What is answered even where CLIENT REPLY has switched replies off."""

Guard = Callable[["Client", Command, list[bytes]], object]
"""guard(client, command, argv): None lets the command pass; raising RedisError rejects it; any reply is given instead of running it."""


def _pass(client: Client, command: Command, argv: list[bytes]) -> object:
    return None


class Transaction:
    """What a client has queued since MULTI. `broken`: a command could not be queued, EXEC will run none. `running`: EXEC, while it does."""

    def __init__(self) -> None:
        self.queued: list[tuple[Command, list[bytes]]] = []
        self.size = 0  # bytes of their arguments
        self.broken = False
        self.running: Command | None = None

    def memory_size(self) -> int:
        """About the bytes of what is queued."""
        return self.size + QUEUED_BYTES * len(self.queued)


class Client:
    """One connection, or whoever else sends commands (a script, a replayed file)."""

    def __init__(self, server: Server, peer: Peer, ident: int) -> None:
        # Where it belongs.
        self.server = server
        self.peer = peer
        self.id = ident
        self.keyspace = server.keyspace
        self.clock = server.clock
        self.commands = server.commands
        self.db = server.keyspace.databases[0]

        # Who it is.
        self.name = b""
        self.library_name = b""
        self.library_version = b""
        self.user: User = server.users.superuser
        self.proven = False  # it has said a password, or was asked for none when it came
        self.authenticated = True  # it need not say one now
        self.created_ms = server.clock.now_ms()
        self.seen_ms = self.created_ms
        self.last_command: Command | None = None
        self.spelling = b""  # the name sent last, and what it names: the next is often the same
        self.spelled: Command | None = None

        # How it wants its replies.
        self.resp3 = False
        self.muted = False  # CLIENT REPLY OFF
        self.skipping: i64 = 0  # CLIENT REPLY SKIP: replies still to leave out, the current one included
        self.unsettled = False  # something is left to do once the command that runs has been answered: see `_settle`
        self.no_evict = False
        self.no_touch = False

        # Input.
        self.reader = hiredis.Reader()
        self.gets: Callable[[], object] = self.reader.gets
        self.fed = False  # whether it has the chunk being run
        self.framer = Framer()
        self.pieces = bytearray()  # of the command the framer is reading
        self.chunk = b""  # being run, up to `position`
        self.position: i64 = 0
        self.queue: list[bytes] = []  # came while parked
        self.queued: i64 = 0
        self.inline = b""  # an unfinished inline command
        self.most_elements: i64 = UNLIMITED
        self.most_bytes: i64 = server.config.proto_max_bulk_len

        # Output.
        self.out: list[bytes] = []
        self.late: list[bytes] = []  # pushed by the client's own command: goes behind its reply
        self.last: list[bytes] = []  # and this behind that
        self.held: list[tuple[int, bytes]] = []  # replies that wait for the disk, with the AOF offset they wait for
        self.output_kind: i64 = 0  # which of client-output-buffer-limit's: normal, replica, pubsub
        self.congested = False  # the system takes no more for now
        self.soft_limit_since: int = 0

        # State.
        self.parked: i64 = 0  # reasons to wait: see PARKED_*
        self.waiting_argv: list[bytes] | None = None  # the command to run first when it goes on
        self.transaction: Transaction | None = None
        self.may_not_block = False  # inside a transaction or a script
        self.obeyed = False  # what it sends was accepted once before: a replayed file
        self.retrying = False  # runs a command again that was blocked
        self.monitoring = False  # MONITOR
        self.tracks = False  # CLIENT TRACKING
        self.caching = False  # CLIENT CACHING, until the next command has run
        self.running = False
        self.closing = False
        self.closed = False
        self.wrote = False  # since the last flush
        self.written_to: int = 0  # the AOF offset behind its last write
        self.access_guards: tuple[Guard, ...] = ()  # given by engine.acl.access, come first
        self.own_guards: tuple[Guard, ...] = ()
        self.guards: tuple[Guard, ...] = ()
        self._queue: Guard = _pass
        self.on_leave: list[Callable[[Client], None]] = []  # what to undo when it goes, or says RESET
        self.subscriptions: i64 = 0
        self.refresh_guards()

    # --- input -------------------------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Takes bytes from the peer and runs every whole command in them."""
        if self.closing:
            return
        server = self.server
        size: i64 = len(data)
        statistics = server.statistics
        statistics.reads += 1
        statistics.bytes_in += size
        if self.parked or self.running:
            self.queue.append(data)
            self.queued += size
            if self.queued > server.config.client_query_buffer_limit:
                self.exceed_query_limit()
            return
        server.mark = self.clock.tick()
        self.seen_ms = self.clock.ms
        self._run(data, 0)
        self._end_batch()
        if size >= GREEDY:
            self._give_way()

    def _give_way(self) -> None:
        """Stops reading until the others have had their turn: the loop would go on with one that sends faster than it is served."""
        if self.server.defer is not None and not self.closing and not self.parked & PARKED_UNREAD:
            self.peer.pause_reading()
            self.server.defer(self._read_on)

    def _read_on(self) -> None:
        if not self.closing and not self.parked & PARKED_UNREAD:
            self.peer.resume_reading()

    def park(self, reason: i64, argv: list[bytes] | None = None) -> None:
        """Runs no more commands until `resume(reason)`; `argv` is then the first to run."""
        self.parked |= reason
        self.waiting_argv = argv

    def resume(self, reason: i64) -> None:
        """Takes away one reason for being parked, and goes on if it was the last."""
        self.parked &= ~reason
        if self.parked or self.running or self.closing:
            return
        self.server.mark = self.clock.tick()
        argv = self.waiting_argv
        if argv is not None:
            self.waiting_argv = None
            self._go_on(argv)
            if self.parked:
                self.flush()
                return
        chunk, start = self.chunk, self.position
        self.chunk = b""
        if start < len(chunk):
            self._run(chunk, start)
        while self.queue and not self.parked and not self.closing:
            data = b"".join(self.queue) if len(self.queue) > 1 else self.queue[0]
            self.queue.clear()
            self.queued = 0
            self._run(data, 0)
        self._end_batch()

    def _go_on(self, argv: list[bytes]) -> None:
        """Runs the command that waited."""
        before = self.server.current
        self.server.current = self
        self.running = True
        try:
            self.execute(argv)
        finally:
            self.running = False
            self.server.current = before

    def _end_batch(self) -> None:
        self.flush()
        if self.closing and not self.held:
            self.peer.close()

    def _run(self, data: bytes, start: i64) -> None:
        """Runs the commands in `data[start:]`; `start` is 0 for bytes the reader has not seen."""
        before = self.server.current
        self.server.current = self
        self.running = True
        self.keyspace.touching = self.keyspace.touch_mode
        if self.no_touch:
            self.keyspace.touching = TOUCH_NOTHING
        try:
            if self.inline:
                data = self.inline + data
                self.inline = b""
            self._run_commands(data, start)
        except ProtocolError as error:
            self._fail(error.text)
        finally:
            self.running = False
            self.server.current = before

    def _run_commands(self, data: bytes, start: i64) -> None:
        size: i64 = len(data)
        pos: i64 = start
        if start == 0 and size:
            self.fed = False
            if self.framer.active:
                pos = self._continue(data)
                if pos < 0:
                    return
            if pos < size and data[pos] == STAR:
                self.reader.feed(data, pos, size - pos)
                self.fed = True
        request: object
        while pos < size:
            if self.parked or self.closing:
                self.chunk = data
                self.position = pos
                return
            if data[pos] != STAR:
                pos = self._run_inline(data, pos)
                if pos < 0:
                    return
                continue
            if self.fed and (pos + 2 >= size or data[pos + 2] == RETURN or not is_huge(data, pos)):
                try:
                    request = self.gets()
                except (hiredis.ProtocolError, MemoryError):
                    request = None
                if isinstance(request, list):
                    end: i64 = wire_end(request, data, pos)
                    if end >= 0:
                        if end - pos > self.most_bytes or len(request) > self.most_elements:
                            self._frame(data, pos)
                        if request:
                            self.execute(request)
                        pos = end
                        continue
            pos = self._run_strictly(data, pos)
            if pos < 0:
                return

    def _frame(self, data: bytes, pos: i64) -> i64:
        """Reads the framing of the command at `pos` as Redis does: the position behind it, -1 if it is not whole."""
        self.framer.begin(self.authenticated, self.server.config.proto_max_bulk_len)
        return self.framer.feed(data, pos)

    def _run_strictly(self, data: bytes, pos: i64) -> i64:
        """Runs the command at `pos`, which is not whole or one that hiredis and Redis read differently; -1 if more is to come."""
        self._unfeed()
        end = self._frame(data, pos)
        if end < 0:
            self.pieces += data[pos:]
            self._check_query_limit(self.framer.received)
            return -1
        argv = arguments(data, pos)
        if argv:
            self.execute(argv)
        return end

    def _continue(self, data: bytes) -> i64:
        """Goes on with a command whose first pieces have come: runs it when it is whole. The position behind it, -1 if more is to come."""
        end = self.framer.feed(data, 0)
        if end < 0:
            self.pieces += data
            self._check_query_limit(self.framer.received)
            return -1
        self.pieces += data[:end]
        argv = arguments(self.pieces, 0)
        self.pieces = bytearray()
        if argv:
            self.execute(argv)
        return end

    def _run_inline(self, data: bytes, pos: i64) -> i64:
        """Runs the inline command at `pos`; returns the position behind it, -1 if its end has not come."""
        self._unfeed()
        end: i64 = word_end(data, pos)
        if end >= 0:
            self.execute([data[pos:end]])
            return end + 1 if data[end] == LINE_FEED else end + 2
        end = data.find(b"\n", pos)
        stop = len(data) if end < 0 else end
        if stop - pos > MAX_INLINE:
            raise ProtocolError(b"too big inline request")
        if end < 0 or data.find(b"\0", pos, end) >= 0:  # Redis looks for the end with strchr: behind a NUL byte it never finds it
            self.inline = data[pos:]
            if len(self.inline) > MAX_INLINE:
                raise ProtocolError(b"too big inline request")
            return -1
        line = data[pos:end]
        argv = split(line[:-1] if line.endswith(b"\r") else line)
        if argv is None:
            raise ProtocolError(b"unbalanced quotes in request")
        if argv:
            self.execute(argv)
        return end + 1

    def _unfeed(self) -> None:
        """hiredis has bytes that are read in another way: it gets no more of this chunk."""
        if self.fed:
            self.reader = hiredis.Reader()
            self.gets = self.reader.gets
            self.fed = False

    def _check_query_limit(self, size: i64) -> None:
        if size > self.server.config.client_query_buffer_limit:
            self.exceed_query_limit()

    def exceed_query_limit(self) -> None:
        """What the client sends, or has queued, takes more than client-query-buffer-limit: hangs up."""
        self.server.statistics.query_limit_disconnections += 1
        log.warning("Closing client that reached max query buffer length: %s", describe(self))
        self.flush()
        if self.congested:
            self.abort()
        else:
            self.close()

    def _fail(self, text: bytes) -> None:
        log.info("Protocol error (%s) from client: %s", text.decode("latin-1"), describe(self))
        self.server.statistics.count_error("ERR")
        self.out.append(b"-ERR Protocol error: %b\r\n" % text)
        self.closing = True

    # --- one command -------------------------------------------------------------------------------------------------------------

    def execute(self, argv: list[bytes]) -> None:
        """Runs one command and appends its reply to the output."""
        name = argv[0]
        if name == self.spelling:
            command = self.spelled
        else:
            command = self.commands.get(name)
            self.spelling = name
            self.spelled = command
        out = self.out
        mark: i64 = len(out)
        reply: object
        if command is None or command.subcommands is not None:
            command, reply = self.server.resolve(argv)
        argc: i64 = len(argv)
        if command is None:
            if argv[0].lower() in NOT_FOR_US:
                self._refuse_browser()
                return
            self._break_transaction()
            encode(reply, out, self.resp3)
        elif argc < command.min_args or argc > command.max_args:
            self._break_transaction()
            encode(self._reject(command, RedisError(wrong_arity(command.name))), out, self.resp3)
        else:
            reply = self._guard(command, argv) if self.guards else None
            if reply is None:
                reply = self.call(command, argv)
            if reply is OK:
                out.append(b"+OK\r\n")
            elif isinstance(reply, bytes):
                size = len(reply)
                out.append(BULK_HEADERS[size] if size < TABLE else b"$%d\r\n" % size)
                out.append(reply)
                out.append(CRLF)
            elif reply is None:
                out.append(NULL3 if self.resp3 else NULL2)
            elif isinstance(reply, int) and not isinstance(reply, bool):
                encode_integer(reply, out)
            elif reply is NOTHING:
                pass
            else:
                encode(reply, out, self.resp3)
        if self.unsettled:
            self._settle(mark, command)

    def call(self, command: Command, argv: list[bytes]) -> object:
        """Runs a command that has passed the guards: handler, effects, statistics, observers. An error is returned, not raised."""
        server = self.server
        keyspace = self.keyspace
        dirty = keyspace.dirty
        start = server.mark
        self.last_command = command
        reply: object
        try:
            reply = command.handler(self, argv)
        except RedisError as error:
            command.failed += 1
            server.statistics.count_error(error.code)
            error.__traceback__ = None  # it and this frame would keep one another
            reply = error
        except Exception:
            log.exception("Command %s failed on a bug in redloop; please report it", command.name)
            command.failed += 1
            reply = RedisError("ERR internal error, see the server's log")
            server.statistics.count_error(reply.code)
        if server.recording and server.effects.finish(self.db.index, argv, keyspace.dirty != dirty):
            self.wrote = True
        now = self.clock.tick()
        server.mark = now
        spent = now - start
        command.calls += 1
        command.ns += spent
        command.histogram.add(spent)
        if spent >= server.slow_ns or server.observers:
            server.observe(self, command, argv, spent)
        return reply

    def retry(self, argv: list[bytes]) -> object:
        """Runs a blocked command again; its reply is returned, not sent. All tries together count as one call."""
        command, error = self.server.resolve(argv)
        if command is None:
            return error
        try:
            for guard in self.access_guards:
                guard(self, command, argv)
        except RedisError as denied:
            return self.server.reject(command, denied)
        before = self.server.current
        self.server.current = self
        self.running = self.retrying = True
        reply = self.call(command, argv)
        self.running = self.retrying = False
        self.server.current = before
        command.forget_call()
        return reply

    def answer(self, reply: object) -> None:
        """Sends the reply of a command that had none so far (it was blocked)."""
        if not self.muted:
            encode(reply, self.out, self.resp3)
        if self.unsettled:
            self._settle_pushes()

    def _guard(self, command: Command, argv: list[bytes]) -> object:
        try:
            for guard in self.guards:
                reply = guard(self, command, argv)
                if reply is not None:
                    return reply
        except RedisError as error:
            self._break_transaction()
            error.__traceback__ = None
            return self._reject(command, error)
        return None

    def _break_transaction(self) -> None:
        if self.transaction is not None:
            self.transaction.broken = True

    def _reject(self, command: Command, error: RedisError) -> RedisError:
        if command.name == "exec":
            self.end_transaction()
        return self.server.reject(command, error)

    def begin_transaction(self, queue: Guard) -> None:
        """MULTI: from now on `queue` takes the commands."""
        self.transaction = Transaction()
        self.add_guard(queue)
        self._queue = queue

    def end_transaction(self) -> None:
        """EXEC, DISCARD, or a connection that is reset."""
        if self.transaction is not None:
            self.transaction = None
            self.remove_guard(self._queue)

    def set_replies(self, muted: bool, skipping: i64) -> None:
        """CLIENT REPLY: whether there are none, and how many to leave out, that of the command that runs included."""
        self.muted = muted
        self.skipping = skipping
        self.unsettled = True

    def begin_caching(self) -> None:
        """CLIENT CACHING: until the next command, or transaction, has run; CLIENT's own do not count."""
        self.caching = True
        self.unsettled = True

    def _settle(self, mark: i64, command: Command | None) -> None:
        """Does what is due after a command, whose reply is `out[mark:]`."""
        if (self.muted or self.skipping == 1) and (command is None or command.name not in ANSWERED_BY_PUSH):
            del self.out[mark:]
        if self.skipping:
            self.skipping -= 1
        if self.caching and self.transaction is None and (command is None or not command.name.startswith("client|")):
            self.caching = False
        self._settle_pushes()

    def _settle_pushes(self) -> None:
        if self.late or self.last:
            self.out.extend(self.late)
            if not self.closing:
                self.out.extend(self.last)
            self.late.clear()
            self.last.clear()
        self.unsettled = self.muted or self.skipping > 0 or self.caching

    def replay_as(self, argv: list[bytes]) -> None:
        """The command that runs is to be kept and passed on as `argv` (several calls: several commands)."""
        self.server.effects.replay_as(self.db.index, argv)

    def refresh_guards(self) -> None:
        """Takes over the server's guards after they changed."""
        self.guards = self.access_guards + self.server.guards + self.own_guards

    def set_access_guards(self, guards: tuple[Guard, ...]) -> None:
        """What is checked before anything else: whether it has logged in, whether its user may."""
        self.access_guards = guards
        self.refresh_guards()

    def add_guard(self, guard: Guard) -> None:
        """Checks every later command of this client with `guard` too."""
        if guard not in self.own_guards:
            self.own_guards = (*self.own_guards, guard)
            self.refresh_guards()

    def remove_guard(self, guard: Guard) -> None:
        """Takes a guard of this client away."""
        self.own_guards = tuple([other for other in self.own_guards if other != guard])
        self.refresh_guards()

    # --- output ------------------------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Sends the replies of the batch, or holds them until the disk has what they acknowledge."""
        if not self.out:
            return
        data = b"".join(self.out)
        self.out.clear()
        if self.wrote or self.held:
            if self.wrote:
                self.wrote = False
                self.written_to = self.server.log_end()
            if self.server.barrier is not None:
                self._hold(data)
                return
        self._send(data)

    def _send(self, data: bytes) -> None:
        size: i64 = len(data)
        statistics = self.server.statistics
        statistics.writes += 1
        statistics.bytes_out += size
        self.peer.write(data)
        if self.congested:
            self.check_output()

    def _hold(self, data: bytes) -> None:
        barrier = self.server.barrier
        assert barrier is not None
        offset = barrier.end_offset()
        self.held.append((offset, data))
        barrier.when_durable(offset, self.release)

    def release(self) -> None:
        """Sends the held replies that need wait no more."""
        barrier = self.server.barrier
        durable = barrier.durable_offset() if barrier is not None else UNLIMITED
        ready: list[bytes] = []
        while self.held and self.held[0][0] <= durable:
            ready.append(self.held.pop(0)[1])
        if ready and not self.closed:
            self._send(b"".join(ready))
        if self.closing and not self.held:
            self.peer.close()

    def push(self, data: bytes) -> None:
        """Sends bytes that answer no command (a published message, MONITOR); they leave at the end of the tick.

        What its own command brings a client goes behind the reply.
        """
        if self.running:
            if not self.closing:  # it may have closed itself within EXEC: what comes behind that is done, but not told
                self.late.append(data)
                self.unsettled = True
            return
        if not self.out:
            self.server.flush_soon(self)
        self.out.append(data)

    def push_last(self, data: bytes) -> None:
        """`push`, but behind all that its own command brings."""
        if self.running:
            self.last.append(data)
            self.unsettled = True
        else:
            self.push(data)

    def push_ahead(self, data: bytes) -> None:
        """`push`, but before the reply of its own command, if it is to have one."""
        if self.running and not self.muted and not self.skipping and not self.closing:
            self.out.append(data)
        else:
            self.push(data)

    def congest(self) -> None:
        """The system takes no more bytes for now: watch the output from here on."""
        self.congested = True
        self.check_output()

    def relieve(self) -> None:
        """The system takes bytes again."""
        self.congested = False
        self.soft_limit_since = 0
        self.resume_reading(PARKED_OUTPUT)

    def resume_reading(self, reason: i64) -> None:
        """Takes away a reason for being parked for which its socket was not read either."""
        if self.parked & reason:
            if not self.parked & PARKED_UNREAD & ~reason:
                self.peer.resume_reading()
            self.resume(reason)

    def check_output(self) -> None:
        """Closes a client beyond its output limit; makes one wait whose replies pile up."""
        pending = self.peer.pending()
        hard, soft, seconds = self.server.output_limit(self)
        if self.monitoring and not hard:
            hard = MAX_PENDING_OUTPUT  # it is sent more even if it asks for nothing
        now = self.clock.ms
        if soft and pending > soft:
            if not self.soft_limit_since:
                self.soft_limit_since = now
        else:
            self.soft_limit_since = 0
        if (hard and pending > hard) or (self.soft_limit_since and now - self.soft_limit_since >= seconds * 1000):
            self.server.statistics.output_limit_disconnections += 1
            log.warning("Client %s scheduled to be closed ASAP for overcoming of output buffer limits.", describe(self))
            self.abort()
        elif pending > MAX_PENDING_OUTPUT and not self.parked & PARKED_OUTPUT:
            self.parked |= PARKED_OUTPUT
            self.peer.pause_reading()

    # --- the end -----------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Sends what is owed, then hangs up."""
        if self.closing:
            return
        self.closing = True
        self._end_batch()

    def close_after_reply(self) -> None:
        """Hangs up once the command that runs has been answered; nothing after it is run."""
        self.closing = True

    def abort(self) -> None:
        """Hangs up at once."""
        self.closing = True
        self.out.clear()
        self.held.clear()
        self.peer.abort()

    def _refuse_browser(self) -> None:
        """What comes is HTTP: a web page may be trying to reach a server that only the user's machine can reach."""
        log.warning("Connection from %s aborted: it speaks HTTP, as an attack by way of somebody's browser would", self.peer.address)
        self.abort()

    def lost(self) -> None:
        """The connection is gone."""
        self.closing = True
        self.closed = True
        self.queue.clear()
        self.held.clear()
        self.out.clear()
        self._leave()
        self.server.forget(self)

    def _leave(self) -> None:
        callbacks = self.on_leave
        self.on_leave = []
        for callback in callbacks:
            callback(self)

    def reset(self) -> None:
        """RESET: as if it had just connected, but for its id and its library's name."""
        self._leave()
        self.end_transaction()
        self.db = self.keyspace.databases[0]
        self.name = b""
        self.resp3 = False
        self.muted = False  # CLIENT REPLY SKIP goes on: the reply to skip is that of RESET
        self.no_evict = False
        self.no_touch = False

    def memory_size(self) -> int:
        """About the bytes it takes, with what has come in, is owed and is queued."""
        queued = self.transaction.memory_size() if self.transaction is not None else 0
        return CLIENT_BYTES + self.input_size() + self.output_size() + queued

    def input_size(self) -> int:
        """Bytes received that no command has been made of yet."""
        rest = len(self.chunk) - (self.position if self.chunk else 0)
        return int(self.queued) + rest + len(self.inline) + len(self.pieces)

    def output_size(self) -> int:
        """Bytes owed that the system has not taken yet."""
        pending = self.peer.pending()
        return pending + sum([len(entry[1]) for entry in self.held]) if self.held else pending

    def flags(self) -> list[str]:
        """The letters of CLIENT LIST's `flags`."""
        letters: list[str] = []
        if self.monitoring:
            letters.append("O")
        if self.subscriptions:
            letters.append("P")
        if self.transaction is not None:
            letters.append("x")
        if self.parked & PARKED_BLOCKED:
            letters.append("b")
        if self.tracks:
            letters += self.server.tracking.letters(self)
        if self.server.watched.changed(self):
            letters.append("d")
        if self.closing:
            letters.append("c")
        if self.peer.unix:
            letters.append("U")
        if self.no_evict:
            letters.append("e")
        if self.no_touch:
            letters.append("T")
        return letters

    def set_authenticated(self, authenticated: bool) -> None:
        """Who has not logged in but should may send only short requests."""
        self.authenticated = authenticated
        self.most_elements = UNLIMITED if authenticated else UNAUTHENTICATED_ELEMENTS
        self.most_bytes = self.server.config.proto_max_bulk_len if authenticated else UNAUTHENTICATED_BULK
