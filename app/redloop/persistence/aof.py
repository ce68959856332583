"""The append-only file: every effect is kept, in Redis's bytes, without the loop ever waiting for the disk.

The idea: `feed` only gathers. One job at a time, in an executor, writes what has gathered; what arrives meanwhile is the next job (group
commit). Offsets count bytes since the server started, over all files: `end_offset` has been gathered, `written_offset` is in the file,
`durable_offset` is on the medium. Who must not answer before the medium has a write (appendfsync always, WAITAOF) asks `when_durable`.

Policies: `always` writes and syncs in one job, as soon as the loop's tick has ended. `everysec` writes then too, but not twice in
`GATHER_MS` (a job costs more than the commands in it), and syncs once a second beside the jobs: while a slow disk syncs, the system goes on
taking bytes, which the end of the process then cannot harm. `no` leaves the sync to the system, and nothing counts as durable until the
file is closed.

When the disk fails, nothing that was gathered is dropped. The job is tried again every second until it succeeds; meanwhile `error` is set
and the server refuses writes with -MISCONF. A failed *sync* is worse than a failed write: the system may have thrown the bytes away and yet
report success next time. So bytes are kept in memory until a sync has covered them, and after a failed one they are all written again, in
place: the same bytes at the same position, so that a crash half-way harms nothing. A sync is brought forward when `MOST_UNSYNCED` bytes
wait for it.

When the disk is slow, bytes are kept. Beyond `MOST_KEPT` the file is `congested`: whoever writes is to wait until it is not; clients that
only read are not disturbed. Under appendfsync always writers wait for their replies anyhow.
"""

from __future__ import annotations

import asyncio
import errno
import heapq
import logging
import os
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from redloop.clock import Clock
from redloop.logs import NOTICE
from redloop.persistence.files import GrowingFile
from redloop.resp.encode import encode_command

log = logging.getLogger("redloop.aof")

ALWAYS: Final = "always"
EVERYSEC: Final = "everysec"
NEVER: Final = "no"

GATHER_MS: Final = 4
SYNC_MS: Final = 1000
RETRY_MS: Final = 1000
SLOW_SYNC_S: Final = 2.0
COMPLAIN_NS: Final = 30_000_000_000
MOST_UNSYNCED: Final = 32 * 1024 * 1024
MOST_KEPT: Final = 256 * 1024 * 1024
FEW_KEPT: Final = MOST_KEPT // 4
EAGER: Final = 1024 * 1024
"""So many gathered bytes are worth a job at once."""


def _nothing() -> None:
    pass


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


class Target:
    """An open file and what is sure about it. While a job runs it belongs to the job."""

    def __init__(self, file: GrowingFile, name: str, size: int) -> None:
        self.file = file
        self.name = name
        self.position = size  # where the next bytes go
        self.extent = size  # behind the last whole unit in the file; more than `position` while bytes are written again
        self.torn = False  # a piece of a unit stands behind `extent`


class Job:
    """Bytes for one file; runs in the executor and touches nothing but itself and its target."""

    def __init__(self, target: Target, chunks: list[bytes], sync: bool, final: bool, clock: Clock) -> None:
        self.target = target
        self.chunks = chunks
        self.sync = sync
        self.final = final  # the file gets no more: sync and close it
        self.size = 0
        self.written = False
        self.synced = False
        self.error: OSError | None = None
        self.short: tuple[int, int] | None = None  # (written, wanted) of a write that took only a part
        self.write_ns = 0
        self.sync_ns = 0
        self._clock = clock

    def run(self) -> None:
        """Writes, then syncs. Never raises: what went wrong is in `error`."""
        start = self._clock.monotonic_ns()
        try:
            self._write()
            self.written = True
            self.write_ns = self._clock.monotonic_ns() - start
            if self.sync:
                self.target.file.sync()
                self.synced = True
                self.sync_ns = self._clock.monotonic_ns() - start - self.write_ns
        except OSError as error:
            self.error = error

    def _write(self) -> None:
        target = self.target
        if len(self.chunks) != 1:
            self.chunks = [b"".join(self.chunks)]  # the many pieces are free from here on, the whole is kept until it is synced
        data = memoryview(self.chunks[0])
        self.size = len(data)
        done = 0
        try:
            while done < len(data):
                taken = target.file.write_at(target.position + done, data[done:])
                done += taken
                if taken <= 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # a disk that takes nothing
        except OSError:
            if target.position + done > target.extent:
                self.short = (done, len(data))
                target.torn = True
                self._mend()
            raise
        target.position += len(data)
        target.extent = max(target.extent, target.position)
        target.torn = False

    def _mend(self) -> None:
        """Cuts a torn unit off, so that the file can be loaded as it is; if that fails too, the next write covers it."""
        try:
            self.target.file.truncate(self.target.extent)
            self.target.torn = False
        except OSError:
            log.warning("Could not remove short write from the append-only file.  The file may be corrupted.")


def _no_one(job: Job) -> None:
    pass


class Sync:
    """A sync beside the writing; runs in the executor. It covers what had been written when it began."""

    def __init__(self, target: Target, offset: int) -> None:
        self.target = target
        self.offset = offset
        self.error: OSError | None = None

    def run(self) -> None:
        """Never raises: what went wrong is in `error`."""
        try:
            self.target.file.sync()
        except OSError as error:
            self.error = error


class AppendOnlyFile:
    """Gathers effects and brings them to disk. Belongs to one loop; all methods are called from it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, executor: Executor, policy: str = EVERYSEC) -> None:
        # Settings, changed at run time by the one who reads the configuration.
        self.policy = policy  # by `set_policy`
        self.timestamps = False  # aof-timestamp-enabled
        self.most_unsynced = MOST_UNSYNCED
        self.hold_syncs = False  # no-appendfsync-on-rewrite, while a rewrite runs

        self.on_change: Callable[[], None] = _nothing  # `error` or `congested` has changed
        self.on_job: Callable[[Job], None] = _no_one  # one has ended well

        # What it runs on.
        self._loop = loop
        self._clock = clock
        self._executor = executor

        # Bytes on their way.
        self._target: Target | None = None
        self._waiting: list[bytes] = []
        self._sealed: list[tuple[Target, list[bytes]]] = []  # what still belongs to files that `switch` has left
        self._unsynced: list[tuple[int, bytes]] = []  # written, but no sync has covered it: the offset behind it, the bytes
        self._unsynced_size = 0
        self._end = 0
        self._written = 0
        self._durable = 0
        self._trusted_from = -1  # the `_durable` before bytes that are of no use yet
        self._alarm = MOST_KEPT  # the `_end` beyond which we are congested
        self._opened_at = 0
        self._opened_size = 0

        # Jobs.
        self._job: Job | None = None
        self._sync: Sync | None = None
        self._sync_error: OSError | None = None  # of a sync that failed while a job ran
        self._busy = False  # a job, a timer or a retry will look at what gathers
        self._timer: asyncio.TimerHandle | None = None
        self._sync_timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._started_ns = clock.monotonic_ns() - GATHER_MS * 1_000_000
        self._sync_started_ns = clock.monotonic_ns()
        self._draining = False

        # The stream's state.
        self._database = -1
        self._second = 0
        self.events = 0

        # Who waits.
        self._waiters: list[tuple[int, int, Callable[[], None]]] = []
        self._waiter_count = 0
        self._job_ends: list[asyncio.Future[None]] = []

        # How it goes.
        self.error: OSError | None = None
        self.congested = False
        self.delayed_syncs = 0
        self._complained_ns = 0

    # --- gathering ---------------------------------------------------------------------------------------------------------------

    def open(self, file: GrowingFile, name: str, size: int) -> None:
        """From now on bytes go to `file`, behind its first `size` bytes; also those that were fed while there was none."""
        self._target = Target(file, name, size)
        self._opened_at = self._written
        self._opened_size = size
        if self._job is None and self.error is None:
            self._go_on()

    def distrust(self) -> None:
        """What is fed from now on is of no use before `trust`: the base that it changes is still to be written. Comes before `open`."""
        self._trusted_from = self._durable

    def trusted(self) -> bool:
        """Whether what is fed counts."""
        return self._trusted_from < 0

    def trust(self) -> None:
        """The base is there."""
        self._trusted_from = -1
        self._wake()

    def feed(self, database: int, data: bytes) -> None:
        """Keeps a command, already encoded, that ran on `database` (-1: on none in particular)."""
        if self.timestamps:
            self._stamp()
        if database != self._database and database >= 0:
            self._database = database
            select = encode_command([b"SELECT", b"%d" % database])
            self._waiting.append(select)
            self._end += len(select)
        self.events += 1
        self._waiting.append(data)
        self._end += len(data)
        if not self._busy:
            self._busy = True
            self._schedule()
        elif self._end > self._alarm and not self.congested:
            self._congest()

    def _stamp(self) -> None:
        second = self._clock.now_ms() // 1000
        if second > self._second:
            self._second = second
            stamp = b"#TS:%d\r\n" % second
            self._waiting.append(stamp)
            self._end += len(stamp)

    def switch(self, file: GrowingFile, name: str, size: int) -> None:
        """What was fed up to now goes to the file before, which is then synced and closed; everything after goes to `file`."""
        assert self._target is not None
        self._sealed.append((self._target, self._waiting))
        self._waiting = []
        self._database = -1
        self._target = Target(file, name, size)
        self._opened_at = self._end
        self._opened_size = size
        self._busy = True
        self._start()

    def set_policy(self, policy: str) -> None:
        """appendfsync, or `hold_syncs`, was changed."""
        self.policy = policy
        if self._job is None and self.error is None:
            self._go_on()

    # --- who waits ---------------------------------------------------------------------------------------------------------------

    def end_offset(self) -> int:
        """Bytes gathered so far."""
        return self._end

    def written_offset(self) -> int:
        """Bytes handed to the system so far."""
        return self._written

    def durable_offset(self) -> int:
        """Bytes on the medium so far, and of use there."""
        return self._durable if self._trusted_from < 0 else self._trusted_from

    def when_durable(self, offset: int, callback: Callable[[], None]) -> None:
        """Calls back once `durable_offset() >= offset`, from the loop; at once if it is."""
        if self.durable_offset() >= offset:
            callback()
            return
        self._waiter_count += 1
        heapq.heappush(self._waiters, (offset, self._waiter_count, callback))

    async def drain(self) -> OSError | None:
        """Writes and syncs everything fed so far, at once; returns the error if the disk will not have it."""
        goal = self._end
        self._draining = True
        try:
            while self._target is not None and (self._sealed or self._durable < goal):
                self._start()
                await self._job_end()
                if self.error is not None:
                    break
        finally:
            self._draining = False
        return self.error

    async def close(self) -> OSError | None:
        """Drains, then closes the file; whoever still waits is told that all is well. Returns the error if bytes had to be left behind."""
        error = await self.drain()
        while self._job is not None or self._sync is not None:
            await self._job_end()
        self._cancel_timers()
        for target, _ in self._sealed:
            target.file.close()
        if self._target is not None:
            self._target.file.close()
            self._target = None
        self._sealed = []
        self._waiting = []
        self._forget_unsynced()
        self._written = self._durable = self._end
        self._trusted_from = -1
        self._database = -1
        self._busy = False
        self.error = None
        self.on_change()
        self._settle()
        return error

    def is_open(self) -> bool:
        """Whether there is a file to write to."""
        return self._target is not None

    async def _job_end(self) -> None:
        ended = self._loop.create_future()
        self._job_ends.append(ended)
        await ended

    # --- figures -----------------------------------------------------------------------------------------------------------------

    def size(self) -> int:
        """Bytes in the current file, those on their way included."""
        return self._opened_size + self._end - self._opened_at if self._target is not None else 0

    def buffered(self) -> int:
        """Bytes that no file has yet (aof_buffer_length)."""
        return self._end - self._written

    def syncing(self) -> bool:
        """Whether a sync is under way (aof_pending_bio_fsync)."""
        return self._sync is not None or (self._job is not None and self._job.sync)

    def error_text(self) -> str:
        """What the system said when the disk failed last."""
        return "" if self.error is None else _reason(self.error)

    # --- jobs --------------------------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        """Something is to be written, and no job runs: start one soon enough for the policy."""
        self._cancel_timer()
        rested_ms = (self._clock.monotonic_ns() - self._started_ns) // 1_000_000
        if self._together() or rested_ms >= GATHER_MS or self.buffered() > EAGER:
            self._loop.call_soon(self._start)
        else:
            self._timer = self._loop.call_later((GATHER_MS - rested_ms) / 1000, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        self._start()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cancel_timers(self) -> None:
        self._cancel_timer()
        if self._sync_timer is not None:
            self._sync_timer.cancel()
            self._sync_timer = None

    def _together(self) -> bool:
        """Whether a job is to write and sync in one go."""
        return self.policy == ALWAYS or self._draining or self.error is not None

    def _start(self) -> None:
        """Starts the next job if there is something to do and no job under way."""
        if self._job is not None or self._target is None:
            return
        sync = bool(self._sealed) or self._together()
        if sync and self._sync is not None:
            return  # its end goes on: one sync at a time, lest one report what the other has swallowed
        self._cancel_timer()
        if self._sealed:
            target, chunks = self._sealed[0]
            job = Job(target, chunks, sync=True, final=True, clock=self._clock)
        elif self._waiting or (sync and self._unsynced_size):
            job = Job(self._target, self._waiting, sync, final=False, clock=self._clock)
            self._waiting = []
        else:
            self._busy = False
            return
        self._busy = True
        self._job = job
        self._started_ns = self._clock.monotonic_ns()
        if sync:
            self._watch_sync()
        self._loop.run_in_executor(self._executor, job.run).add_done_callback(self._finish)

    def _finish(self, future: asyncio.Future[None]) -> None:
        job = self._job
        assert job is not None
        future.result()  # a job does not raise
        self._job = None
        if job.sync:
            self._end_watch()
        if job.error is not None:
            self._fail(job)
        elif self._sync_error is not None:
            self._note_written(job)
        else:
            self._succeed(job)
        if self._sync_error is not None:
            error, self._sync_error = self._sync_error, None
            self._rewind(job.target, error)
        self._tell_job_ends()

    def _succeed(self, job: Job) -> None:
        self.on_job(job)
        self._note_written(job)
        if job.synced:
            self._note_synced(self._written)
        if job.final:
            self._sealed.pop(0)
            job.target.file.close()
        if self.error is not None:
            self.error = None
            self.on_change()
            log.warning("AOF write error looks solved, the server can write again.")
        self._go_on()
        self._settle()

    def _go_on(self) -> None:
        """No job runs: start the next, or rest."""
        self._busy = True
        if self._sealed:
            self._start()
        elif self._waiting or (self._unsynced_size and self._together()):
            self._schedule()
        else:
            self._busy = False
        self._plan_sync()

    def _tell_job_ends(self) -> None:
        ends, self._job_ends = self._job_ends, []
        for ended in ends:
            if not ended.done():
                ended.set_result(None)

    # --- the sync of every second, beside the jobs -------------------------------------------------------------------------------

    def _plan_sync(self) -> None:
        """Starts the sync that is due, or a timer for the one that will be."""
        if self.policy != EVERYSEC or self.hold_syncs or self._sync is not None or self.error is not None:
            return
        if not self._unsynced_size or self._sealed or self._target is None:
            return
        left_ms = SYNC_MS - (self._clock.monotonic_ns() - self._sync_started_ns) // 1_000_000
        if left_ms <= 0 or self._unsynced_size > self.most_unsynced:
            self._start_sync(self._target)
        elif self._sync_timer is None:
            self._sync_timer = self._loop.call_later(left_ms / 1000, self._sync_timer_fired)

    def _sync_timer_fired(self) -> None:
        self._sync_timer = None
        self._sync_started_ns = min(self._sync_started_ns, self._clock.monotonic_ns() - SYNC_MS * 1_000_000)  # a timer may be early
        self._plan_sync()

    def _start_sync(self, target: Target) -> None:
        sync = Sync(target, self._written)
        self._sync = sync
        self._sync_started_ns = self._clock.monotonic_ns()
        self._watch_sync()
        self._loop.run_in_executor(self._executor, sync.run).add_done_callback(self._finish_sync)

    def _finish_sync(self, future: asyncio.Future[None]) -> None:
        sync = self._sync
        assert sync is not None
        future.result()  # a sync does not raise
        self._sync = None
        self._end_watch()
        if sync.error is None:
            self._note_synced(sync.offset)
            if self._job is None:
                self._go_on()
            self._settle()
        elif self._job is None:
            self._rewind(sync.target, sync.error)
        else:
            self._sync_error = sync.error  # its end goes on: what it writes is to be written again too
        self._tell_job_ends()

    def _watch_sync(self) -> None:
        self._watch = self._loop.call_later(SLOW_SYNC_S, self._slow_sync)

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _slow_sync(self) -> None:
        self._watch = None
        self.delayed_syncs += 1
        log.log(NOTICE, "AOF fsync is taking too long (disk is busy?). %d bytes wait in memory meanwhile.", self.buffered())

    # --- what is on disk ---------------------------------------------------------------------------------------------------------

    def _note_written(self, job: Job) -> None:
        self._written += job.size
        if job.size:
            self._unsynced.append((self._written, job.chunks[0]))
            self._unsynced_size += job.size
        if self._unsynced_size > self.most_unsynced and (self.policy == NEVER or self.hold_syncs):
            self._unsynced = []  # nobody was promised that these would be synced

    def _note_synced(self, offset: int) -> None:
        self._durable = max(self._durable, offset)
        left = [entry for entry in self._unsynced if entry[0] > offset]
        self._unsynced = left
        self._unsynced_size = self._written - self._durable

    def _forget_unsynced(self) -> None:
        self._unsynced = []
        self._unsynced_size = 0

    # --- when the disk fails -----------------------------------------------------------------------------------------------------

    def _fail(self, job: Job) -> None:
        assert job.error is not None
        if job.written:
            self._note_written(job)
            if job.final:
                self._sealed[0] = (job.target, [])
            self._complain(f"Error syncing the AOF file: {_reason(job.error)}")
            self._take_back(job.target)
        else:
            if job.final:
                self._sealed[0] = (job.target, [])
            self._put_back(job.target, job.chunks)
            if job.short is not None:
                written, wanted = job.short
                reason = _reason(job.error)
                self._complain(f"Short write while writing to the AOF file: (nwritten={written}, expected={wanted}): {reason}")
            else:
                self._complain(f"Error writing to the AOF file: {_reason(job.error)}")
        self._retry_later(job.error)

    def _rewind(self, target: Target, error: OSError) -> None:
        """A sync beside the jobs failed."""
        self._complain(f"Error syncing the AOF file: {_reason(error)}")
        self._take_back(target)
        self._retry_later(error)

    def _take_back(self, target: Target) -> None:
        """A sync failed: nothing since the last good one can be trusted to be there, so all of it is to be written again."""
        chunks = [data for _, data in self._unsynced]
        size = sum([len(data) for data in chunks])
        target.position -= size
        self._written -= size
        self._forget_unsynced()
        self._put_back(target, chunks)

    def _put_back(self, target: Target, chunks: list[bytes]) -> None:
        """`chunks` are to be written first, to the file they were meant for, even if `switch` has left it since."""
        if self._sealed and self._sealed[0][0] is target:
            self._sealed[0] = (target, chunks + self._sealed[0][1])
        else:
            self._waiting = chunks + self._waiting

    def _retry_later(self, error: OSError) -> None:
        self.error = error
        self.on_change()
        self._busy = True
        self._cancel_timers()
        self._timer = self._loop.call_later(RETRY_MS / 1000, self._timer_fired)

    def _complain(self, text: str) -> None:
        now = self._clock.monotonic_ns()
        if self.error is None or now - self._complained_ns >= COMPLAIN_NS:
            self._complained_ns = now
            log.warning("%s", text)

    # --- telling who waits -------------------------------------------------------------------------------------------------------

    def _congest(self) -> None:
        self.congested = True
        self.on_change()
        log.warning("The disk does not keep up: %d bytes of the AOF wait in memory; clients that write have to wait.", self.buffered())

    def _settle(self) -> None:
        """Bytes have been written: tells those who waited for it."""
        kept = self.buffered() + (self._written - self._durable if self._unsynced else 0)
        self._alarm = self._end - kept + MOST_KEPT
        if self.congested and kept <= FEW_KEPT:
            self.congested = False
            self.on_change()
        self._wake()

    def _wake(self) -> None:
        durable = self.durable_offset()
        while self._waiters and self._waiters[0][0] <= durable:
            heapq.heappop(self._waiters)[2]()
