"""The append-only file: what is on disk when, who is told, and what happens when the disk fails."""

from __future__ import annotations

import asyncio
import errno
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.clock import Clock, ManualClock
from redloop.persistence.aof import ALWAYS, EAGER, EVERYSEC, MOST_KEPT, NEVER, AppendOnlyFile
from redloop.persistence.files import Files
from tests.persistence.faults import Bench, FakeDisk

SELECT_0 = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
SELECT_3 = b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"


# -- the stream ------------------------------------------------------------------------------------------------------


def test_select_is_written_when_the_database_changes_and_after_opening() -> None:
    bench = Bench(ALWAYS)
    for database, data in [(0, b"a"), (0, b"b"), (3, b"c"), (-1, b"MULTI"), (3, b"d"), (0, b"e"), (-1, b"EXEC")]:
        bench.aof.feed(database, data)
    bench.loop.settle()
    assert bytes(bench.disk.content) == SELECT_0 + b"ab" + SELECT_3 + b"cMULTId" + SELECT_0 + b"eEXEC"
    other = FakeDisk()
    bench.aof.switch(other, "appendonly.aof.2.incr.aof", 0)
    bench.aof.feed(0, b"f")
    bench.loop.settle()
    assert bytes(other.content) == SELECT_0 + b"f"


def test_a_timestamp_stands_before_the_first_command_of_a_second() -> None:
    bench = Bench(ALWAYS)
    bench.aof.timestamps = True
    for pause, data in [(0, b"a"), (10, b"b"), (1000, b"c")]:
        bench.clock.advance(pause)
        bench.aof.feed(0, data)
    bench.loop.settle()
    assert bytes(bench.disk.content) == b"#TS:1700000000\r\n" + SELECT_0 + b"ab#TS:1700000001\r\nc"


class SlowDisk(FakeDisk):
    """Writes take 3 ms, syncs 20."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock

    def write_at(self, position: int, data: memoryview) -> int:
        self.clock.advance(3)
        return super().write_at(position, data)

    def sync(self) -> None:
        self.clock.advance(20)
        super().sync()


def test_how_long_writing_and_syncing_took_is_told() -> None:
    bench = Bench(ALWAYS)
    told: list[tuple[int, int]] = []
    bench.aof.on_job = lambda job: told.append((job.write_ns, job.sync_ns))
    bench.aof.open(SlowDisk(bench.clock), "appendonly.aof.1.incr.aof", 0)
    bench.feed(b"one")
    bench.loop.settle()
    assert told == [(3_000_000, 20_000_000)]


# -- group commit ----------------------------------------------------------------------------------------------------


def test_always_writes_a_tick_in_one_job_and_the_meanwhile_in_the_next() -> None:
    bench = Bench(ALWAYS)
    first = bench.feed(b"one")
    second = bench.feed(b"two")
    assert not bench.loop.jobs
    bench.loop.tick()
    third = bench.feed(b"three")
    fourth = bench.feed(b"four")
    assert not bench.done
    bench.loop.job()
    assert (bench.done, bytes(bench.disk.durable)) == ([first, second], b"onetwo")
    bench.loop.settle()
    assert (bench.done, bytes(bench.disk.durable)) == ([first, second, third, fourth], b"onetwothreefour")
    assert bench.disk.syncs == 2


def test_everysec_writes_at_the_end_of_the_tick_and_syncs_once_a_second_even_if_nothing_more_comes() -> None:
    bench = Bench(EVERYSEC)
    bench.feed(b"a")
    assert not bench.loop.jobs
    bench.loop.settle()
    assert (bytes(bench.disk.content), bench.disk.durable, bench.done) == (b"a", b"", [])
    bench.loop.advance(1.1)
    bench.loop.settle()
    assert (bench.disk.durable, bench.done, bench.disk.syncs) == (b"a", [1], 1)
    bench.loop.advance(10)
    assert not bench.loop.jobs


def test_everysec_gathers_what_comes_soon_after_a_write() -> None:
    bench = Bench(EVERYSEC)
    bench.feed(b"a")
    bench.loop.settle()
    bench.feed(b"b")
    bench.loop.settle()
    assert bytes(bench.disk.content) == b"a"
    bench.loop.advance(0.005)
    bench.loop.settle()
    assert bytes(bench.disk.content) == b"ab"


def test_everysec_syncs_about_once_a_second_under_steady_writes() -> None:
    bench = Bench(EVERYSEC)
    for _ in range(500):
        bench.feed(b"x")
        bench.loop.advance(0.01)
        bench.loop.settle()
    assert 4 <= bench.disk.syncs <= 6
    assert bench.disk.writes <= 500


def test_no_leaves_the_sync_to_the_system_and_promises_nothing() -> None:
    bench = Bench(NEVER)
    bench.feed(b"a")
    bench.loop.advance(5)
    bench.loop.settle()
    assert (bytes(bench.disk.content), bench.disk.syncs, bench.done) == (b"a", 0, [])


def test_what_is_durable_already_calls_back_at_once() -> None:
    bench = Bench(ALWAYS)
    bench.feed(b"abc")
    bench.loop.settle()
    called: list[bool] = []
    bench.aof.when_durable(2, lambda: called.append(True))
    assert called


def test_those_who_wait_are_called_in_the_order_of_what_they_wait_for() -> None:
    bench = Bench(ALWAYS)
    bench.aof.feed(-1, b"abcdef")
    order: list[int] = []
    for offset in (5, 2, 6):
        bench.aof.when_durable(offset, lambda offset=offset: order.append(offset))  # type: ignore[misc]
    bench.loop.settle()
    assert order == [2, 5, 6]


def test_a_big_batch_does_not_wait_for_the_moment_to_pass() -> None:
    bench = Bench(EVERYSEC)
    bench.feed(b"a")
    bench.loop.settle()
    bench.feed(b"x" * (EAGER + 1))
    bench.loop.tick()
    assert bench.loop.jobs


def test_hold_syncs_puts_the_syncs_of_everysec_off() -> None:
    bench = Bench(EVERYSEC)
    bench.aof.hold_syncs = True
    bench.feed(b"a")
    bench.loop.advance(3)
    bench.loop.settle()
    assert (bytes(bench.disk.content), bench.disk.syncs) == (b"a", 0)
    bench.aof.hold_syncs = False
    bench.aof.set_policy(EVERYSEC)
    bench.loop.advance(1)
    bench.loop.settle()
    assert bench.disk.durable == b"a"


def test_many_unsynced_bytes_bring_the_sync_forward() -> None:
    bench = Bench(EVERYSEC)
    bench.aof.most_unsynced = 10
    for _ in range(3):
        bench.feed(b"0123456789")
        bench.loop.advance(0.01)
        bench.loop.settle()
    assert bench.disk.syncs == 1


@pytest.mark.parametrize("after", [ALWAYS, EVERYSEC])
def test_a_change_from_no_makes_durable_what_was_only_written(after: str) -> None:
    bench = Bench(NEVER)
    bench.aof.feed(-1, b"a")
    bench.loop.advance(0.1)
    bench.loop.settle()
    bench.aof.set_policy(after)
    bench.aof.when_durable(1, lambda: bench.done.append(1))
    assert not bench.done
    bench.loop.advance(1.1)
    bench.loop.settle()
    assert (bench.done, bench.disk.durable) == ([1], b"a")


# -- when the disk fails ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [ALWAYS, EVERYSEC, NEVER])
def test_a_full_disk_is_an_error_until_there_is_room_again_and_nothing_is_lost(policy: str, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(policy, b"old")
    bench.disk.room = 6
    bench.feed(b"12345")
    bench.loop.advance(0.01)
    bench.loop.settle()
    assert (bench.aof.error_text(), bytes(bench.disk.content), bench.done) == ("No space left on device", b"old", [])
    bench.feed(b"678")
    for _ in range(3):
        bench.loop.advance(1)
        bench.loop.settle()
    assert (bytes(bench.disk.content), bench.aof.buffered()) == (b"old", 8)
    bench.disk.room = 100
    bench.loop.advance(2.1)
    bench.loop.settle()
    bench.loop.advance(1.1)
    bench.loop.settle()
    assert (bench.aof.error, bytes(bench.disk.content)) == (None, b"old12345678")
    assert bench.done == [5, 8]
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "Short write while writing to the AOF file: (nwritten=3, expected=5): No space left on device",
        "AOF write error looks solved, the server can write again.",
    ]


def test_a_torn_write_that_cannot_be_cut_off_is_covered_by_the_next() -> None:
    bench = Bench(ALWAYS, b"old")
    bench.disk.room = 5
    bench.disk.fail_truncate = errno.EIO
    bench.feed(b"12345")
    bench.loop.settle()
    assert bytes(bench.disk.content) == b"old12"
    bench.disk.room = 100
    bench.loop.advance(1)
    bench.loop.settle()
    assert (bytes(bench.disk.durable), bench.done) == (b"old12345", [5])


def test_short_writes_are_continued() -> None:
    bench = Bench(ALWAYS)
    bench.disk.step = 2
    bench.feed(b"1234567")
    bench.loop.settle()
    assert (bench.disk.durable, bench.disk.writes, bench.aof.error) == (b"1234567", 4, None)


@pytest.mark.parametrize("policy", [ALWAYS, EVERYSEC])
def test_after_a_failed_sync_everything_it_should_have_covered_is_written_again(policy: str) -> None:
    bench = Bench(policy, b"old")
    bench.feed(b"one")
    bench.loop.advance(0.01)
    if policy == ALWAYS:
        bench.disk.fail_sync = errno.EIO
        bench.disk.forget = True
    bench.loop.settle()
    bench.disk.fail_sync = errno.EIO
    bench.disk.forget = True
    bench.loop.advance(1.1)
    bench.feed(b"two")
    bench.loop.advance(0.1)
    bench.loop.settle()
    assert (bench.aof.error_text(), bench.done) == ("Input/output error", [])
    assert bytes(bench.disk.content[:3]) == b"old"
    bench.disk.fail_sync = 0
    for _ in range(3):
        bench.loop.advance(1.1)
        bench.loop.settle()
    assert (bytes(bench.disk.durable), bench.done, bench.aof.error) == (b"oldonetwo", [3, 6], None)


def test_the_log_does_not_repeat_itself_while_the_disk_stays_bad(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(ALWAYS)
    bench.disk.fail_write = errno.EIO
    bench.feed(b"a")
    for _ in range(65):
        bench.loop.settle()
        bench.loop.advance(1)
    assert [record.message for record in caplog.records] == ["Error writing to the AOF file: Input/output error"] * 3


def test_a_slow_sync_holds_up_only_those_who_wait_for_it_and_not_the_writing() -> None:
    bench = Bench(EVERYSEC)
    bench.loop.advance(2)
    bench.feed(b"a")
    bench.loop.tick()
    bench.loop.job()
    assert bench.aof.syncing()
    bench.feed(b"b")
    bench.loop.advance(3)
    assert bench.aof.delayed_syncs == 1
    bench.loop.job(1)
    assert (bytes(bench.disk.content), bench.aof.buffered(), bench.done) == (b"ab", 0, [])
    bench.loop.job()
    assert (bench.aof.durable_offset(), bench.done) == (1, [1])
    bench.loop.settle()
    assert bench.done == [1, 2]


def test_a_sync_that_fails_while_a_job_writes_takes_back_what_the_job_wrote_too() -> None:
    bench = Bench(EVERYSEC, b"old")
    bench.loop.advance(2)
    bench.feed(b"a")
    bench.loop.tick()
    bench.loop.job()
    bench.feed(b"b")
    bench.loop.advance(0.01)
    bench.loop.run(1)
    bench.disk.fail_sync = errno.EIO
    bench.disk.forget = True
    bench.loop.job()
    assert bytes(bench.disk.content) == b"old??"
    assert bench.aof.error is None
    bench.loop.job()
    assert bench.aof.error_text() == "Input/output error"
    bench.disk.fail_sync = 0
    bench.loop.advance(1)
    bench.loop.settle()
    assert (bytes(bench.disk.durable), bench.done, bench.aof.error) == (b"oldab", [1, 2], None)


def test_congested_is_said_when_too_much_has_gathered_and_again_when_it_has_gone() -> None:
    bench = Bench(ALWAYS)
    said: list[bool] = []
    bench.aof.on_change = lambda: said.append(bench.aof.congested)
    bench.feed(b"a")
    bench.loop.tick()
    bench.feed(b"x" * (MOST_KEPT + 1))
    assert said == [True]
    bench.loop.job()
    assert said == [True]
    bench.loop.settle()
    assert said == [True, False]


def test_a_failing_disk_is_said_and_its_recovery() -> None:
    bench = Bench(ALWAYS)
    said: list[str] = []
    bench.aof.on_change = lambda: said.append(bench.aof.error_text())
    bench.disk.fail_write = errno.EIO
    bench.feed(b"a")
    bench.loop.settle()
    bench.disk.fail_write = 0
    bench.loop.advance(1)
    bench.loop.settle()
    assert said == ["Input/output error", ""]


# -- from one file to the next ---------------------------------------------------------------------------------------


def test_switch_leaves_what_came_before_to_the_file_before_synced_and_closed() -> None:
    bench = Bench(EVERYSEC)
    bench.feed(b"a", 0)
    bench.loop.tick()
    bench.feed(b"b", 0)  # while the job with `a` runs
    second = FakeDisk()
    bench.aof.switch(second, "2", 0)
    bench.feed(b"c", 0)
    for _ in range(2):
        bench.loop.settle()
        bench.loop.advance(1.1)
    bench.loop.settle()
    assert (bench.disk.durable, bench.disk.closed) == (SELECT_0 + b"ab", True)
    assert (second.durable, second.closed) == (SELECT_0 + b"c", False)
    assert bench.done == [24, 25, 49]
    assert bench.aof.size() == 24


@pytest.mark.parametrize("fault", ["fail_write", "fail_sync"])
def test_switch_while_the_disk_fails_keeps_every_byte_for_its_own_file(fault: str) -> None:
    bench = Bench(ALWAYS)
    setattr(bench.disk, fault, errno.EIO)
    bench.feed(b"a")
    bench.loop.tick()
    second = FakeDisk()
    bench.feed(b"b")
    bench.aof.switch(second, "2", 0)
    bench.feed(b"c")
    bench.loop.settle()
    bench.loop.advance(1)
    bench.loop.settle()
    assert bench.done == []
    setattr(bench.disk, fault, 0)
    bench.loop.advance(2)
    bench.loop.settle()
    bench.loop.advance(2)
    bench.loop.settle()
    assert (bench.disk.durable, second.durable, bench.done) == (b"ab", b"c", [1, 2, 3])


# -- any order of things ---------------------------------------------------------------------------------------------

STEPS = st.one_of(
    st.tuples(st.just("feed"), st.integers(1, 9)),
    st.tuples(st.sampled_from(["tick", "switch", "wait"]), st.just(0)),
    st.tuples(st.sampled_from(["job", "run"]), st.integers(0, 1)),
    st.tuples(st.just("policy"), st.integers(0, 1)),
    st.tuples(st.just("fault"), st.integers(0, 5)),
)


@given(st.lists(STEPS, max_size=60))
def test_whoever_was_called_back_finds_its_bytes_on_the_medium_whatever_happens(steps: list[tuple[str, int]]) -> None:
    """Faults, switches and policies in any order: durable is durable, and in the end everything is there, once, in order."""
    bench = Bench(ALWAYS)
    disks = [bench.disk]
    fed = b""
    marker = 0
    for step, number in steps:
        if step == "feed":
            marker = (marker + 1) % 250
            piece = bytes([marker]) * number
            fed += piece
            bench.feed(piece)
        elif step == "tick":
            bench.loop.tick()
        elif step == "job" and number < len(bench.loop.jobs):
            bench.loop.job(number)
        elif step == "run" and number < len(bench.loop.jobs):
            bench.loop.run(number)
        elif step == "switch":
            disks.append(FakeDisk())
            bench.aof.switch(disks[-1], str(len(disks)), 0)
        elif step == "wait":
            bench.loop.advance(1.5)
        elif step == "policy":
            bench.aof.set_policy([ALWAYS, EVERYSEC][number])
        elif step == "fault":
            for disk in disks:
                disk.fail_write = errno.EIO if number == 1 else 0
                disk.fail_sync = errno.EIO if number == 2 else 0
                disk.forget = True
                disk.step = 1 if number == 3 else 1 << 40
                disk.room = 5 if number == 4 else 1 << 40
                disk.fail_truncate = errno.EIO if number == 5 else 0
        safe = b"".join(disk.durable for disk in disks)
        assert len(safe) >= max(bench.done, default=0)
        assert fed.startswith(safe)
    for disk in disks:
        disk.fail_write = disk.fail_sync = disk.fail_truncate = 0
        disk.room = disk.step = 1 << 40
    for _ in range(2 * len(disks) + 5):
        bench.loop.settle()
        bench.loop.advance(1.5)
    assert b"".join(disk.durable for disk in disks) == fed
    assert bench.aof.durable_offset() == len(fed)
    assert bench.done == sorted(bench.done)
    assert all(disk.closed for disk in disks[:-1])


# -- on a real loop --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [ALWAYS, EVERYSEC, NEVER])
def test_drain_and_close_leave_everything_on_disk(policy: str, tmp_path: Path) -> None:
    path = tmp_path / "a.aof"
    path.write_bytes(b"old")

    async def scene() -> None:
        with ThreadPoolExecutor(2) as executor:
            aof = AppendOnlyFile(asyncio.get_running_loop(), Clock(), executor, policy)
            aof.open(Files().open_growing(str(path)), "a.aof", 3)
            for number in range(100):
                aof.feed(-1, b"%d " % number)
            assert await aof.drain() is None
            assert aof.durable_offset() == aof.end_offset()
            aof.feed(-1, b"last")
            assert await aof.close() is None
            assert not aof.is_open()

    asyncio.run(scene())
    assert path.read_bytes() == b"old" + b"".join(b"%d " % number for number in range(100)) + b"last"


def test_close_on_a_bad_disk_returns_the_error_and_lets_everybody_go() -> None:
    disk = FakeDisk()
    disk.fail_write = errno.ENOSPC
    done: list[bool] = []

    async def scene() -> OSError | None:
        with ThreadPoolExecutor(2) as executor:
            aof = AppendOnlyFile(asyncio.get_running_loop(), Clock(), executor, ALWAYS)
            aof.open(disk, "a.aof", 0)
            aof.feed(-1, b"lost")
            aof.when_durable(aof.end_offset(), lambda: done.append(True))
            return await aof.close()

    error = asyncio.run(scene())
    assert (error is not None and error.errno, done, disk.closed) == (errno.ENOSPC, [True], True)
