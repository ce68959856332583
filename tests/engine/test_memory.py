"""What is said to be in use follows what the allocators hold, whatever they were given and gave back."""

from __future__ import annotations

from redloop.clock import ManualClock
from redloop.engine.memory import MemoryUse, Readings
from redloop.process import Heap

MB = 1 << 20
BASE = 30 * MB


class Machine(Readings):
    """Small objects in arenas, larger ones in a heap; `asked`: how often the heap told of itself."""

    def __init__(self) -> None:
        self.arenas = 0
        self.objects = 10_000
        self.held = 0
        self.free = 0
        self.pieces = 1
        self.asked = 0
        self.tells = True

    def resident(self) -> int:
        return BASE + self.arenas + self.held if self.tells else 0

    def blocks(self) -> int:
        return self.objects

    def heap(self) -> Heap | None:
        self.asked += 1
        return Heap(self.held, self.free, self.pieces)

    def heap_end(self) -> int:
        return self.held


def begin() -> tuple[Machine, MemoryUse]:
    machine = Machine()
    return machine, MemoryUse(ManualClock(), machine)


def fill(machine: Machine, memory: MemoryUse, megabytes: int, size: int) -> None:
    """Small objects, a megabyte of new arenas of them at a time."""
    for _ in range(megabytes):
        machine.arenas += MB
        machine.objects += MB // size
        memory.now()


def test_without_data_it_is_what_there_was_at_the_start() -> None:
    _, memory = begin()
    assert memory.now() == memory.at_start == memory.peak == BASE


def test_while_nothing_is_freed_it_is_what_is_resident() -> None:
    machine, memory = begin()
    fill(machine, memory, 10, 64)
    fill(machine, memory, 10, 512)
    assert memory.now() == machine.resident()
    machine.held += 5 * MB
    assert memory.now() == machine.resident() == memory.peak


def test_freed_objects_are_not_in_use_though_their_arenas_stay() -> None:
    machine, memory = begin()
    fill(machine, memory, 20, 100)
    machine.objects -= 10 * MB // 100
    assert abs(memory.now() - BASE - 10 * MB) < MB // 10
    assert memory.peak == BASE + 20 * MB
    machine.objects += 5 * MB // 100  # go where the others were
    assert abs(memory.now() - BASE - 15 * MB) < MB // 10


def test_larger_objects_in_the_place_of_smaller_ones_are_noticed_when_arenas_grow() -> None:
    machine, memory = begin()
    fill(machine, memory, 20, 50)
    machine.objects -= 20 * MB // 50
    machine.objects += 20 * MB // 500  # the arenas are full again, with a tenth of the objects
    assert memory.now() < BASE + 5 * MB
    fill(machine, memory, 20, 500)
    assert memory.now() > BASE + 36 * MB


def test_arenas_that_creep_up_count_whole() -> None:
    """Objects come and go, and each time a little more is taken: what is in use must not stay the same meanwhile."""
    machine, memory = begin()
    fill(machine, memory, 20, 100)
    for _ in range(100):
        machine.objects -= 5 * MB // 100
        memory.now()
        machine.objects += 5 * MB // 100
        machine.arenas += MB
        memory.now()
    assert memory.used > BASE + 60 * MB


def test_what_the_heap_says_is_free_is_not_in_use() -> None:
    machine, memory = begin()
    machine.held += 40 * MB
    machine.free += 15 * MB
    assert memory.now() == BASE + 25 * MB


def test_a_heap_that_is_extended_before_it_is_used_is_no_growth_of_arenas() -> None:
    machine, memory = begin()
    fill(machine, memory, 10, 100)
    machine.objects -= 5 * MB // 100
    used = memory.now()
    for _ in range(200):
        machine.arenas -= MB // 8
        memory.now()
        machine.arenas += MB // 8
        memory.now()
    assert memory.used == used


def test_a_heap_in_many_pieces_is_not_asked_and_shrinks_as_objects_go() -> None:
    machine, memory = begin()
    fill(machine, memory, 5, 50)
    machine.held += 100 * MB
    memory.now()
    asked = machine.asked
    machine.objects -= machine.objects // 2
    machine.free, machine.pieces = 50 * MB, 75_000
    assert abs(memory.now() - BASE - 52 * MB) < 5 * MB
    assert machine.asked == asked
    memory.limited = True  # nor where there is a limit
    assert abs(memory.now() - BASE - 52 * MB) < 5 * MB
    assert machine.asked == asked
    machine.objects, machine.held, machine.free, machine.pieces = 10_000, 20 * MB, 5 * MB, 300
    assert memory.now() == BASE + 15 * MB  # nearly all is gone: it cannot be in many
    assert machine.asked == asked + 1


def fragment(machine: Machine, memory: MemoryUse) -> None:
    """A limit, and a heap of which a fifth was freed, in so many pieces that it is not asked again."""
    memory.limited = True
    machine.held += 125 * MB
    machine.arenas += 5 * MB
    machine.objects += 100_000
    machine.free, machine.pieces = 25 * MB, 10_001
    memory.now()


def test_a_heap_that_is_not_asked_grows_by_the_share_that_was_in_use() -> None:
    machine, memory = begin()
    fragment(machine, memory)
    before, asked = memory.used, machine.asked
    machine.held += 50 * MB
    assert abs(memory.now() - before - 40 * MB) < MB
    assert machine.asked == asked


def test_objects_that_come_take_what_others_took() -> None:
    machine, memory = begin()
    fragment(machine, memory)
    before, asked = memory.used, machine.asked
    machine.objects -= 20_000
    assert abs(before - memory.now() - 21 * MB) < MB
    machine.objects += 20_000
    assert abs(memory.now() - before) < MB
    assert machine.asked == asked


def test_objects_that_go_are_gone_though_the_heap_grew_a_little_meanwhile() -> None:
    machine, memory = begin()
    fragment(machine, memory)
    before, asked = memory.used, machine.asked
    machine.objects -= 20_000
    machine.held += MB
    assert abs(before - memory.now() - 20 * MB) < MB
    assert machine.asked == asked


def test_many_changes_may_have_left_too_many_pieces_for_a_while() -> None:
    clock = ManualClock()
    machine = Machine()
    memory = MemoryUse(clock, machine)
    memory.limited = True
    machine.held += 100 * MB
    memory.now()
    asked, changes = machine.asked, 150_000
    memory.changes = lambda: changes
    memory.now()
    assert machine.asked == asked
    clock.advance(5000)
    memory.now()
    assert machine.asked == asked + 1


def test_changes_that_bring_objects_free_nothing() -> None:
    machine, memory = begin()
    memory.limited = True
    machine.held += 100 * MB
    memory.now()
    asked = machine.asked
    machine.objects += 150_000
    memory.changes = lambda: 150_000
    memory.now()
    assert machine.asked == asked + 1


def test_a_command_that_took_long_may_have_taken_much() -> None:
    clock = ManualClock()
    memory = MemoryUse(clock, Slow(clock))
    memory.now()
    memory.now()
    assert memory.patience_ns == 20_000_000


def test_where_the_system_tells_nothing_objects_are_counted() -> None:
    machine = Machine()
    machine.tells = False
    memory = MemoryUse(ManualClock(), machine)
    machine.objects += 1000
    assert memory.now() == 80_000


class Slow(Machine):
    """Two milliseconds pass each time it is asked."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock

    def resident(self) -> int:
        self.clock.advance(2)
        return super().resident()


def test_a_reading_that_took_long_is_not_taken_again_soon() -> None:
    clock = ManualClock()
    memory = MemoryUse(clock, Slow(clock))
    memory.now()
    assert memory.next_ns == clock.monotonic_ns() + 100_000_000


class SlowMachine(Machine):
    """Reading it takes its time."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock
        self.took_ms = 0

    def blocks(self) -> int:
        self.clock.advance(self.took_ms)
        return self.objects


def test_a_dear_reading_is_taken_only_for_who_asks_or_has_a_limit() -> None:
    clock = ManualClock()
    machine = SlowMachine(clock)
    memory = MemoryUse(clock, machine)
    machine.took_ms = 2
    memory.glance()
    assert memory.count == 1
    clock.advance(10_000)
    memory.glance()
    assert memory.count == 1
    memory.limited = True
    memory.glance()
    assert memory.count == 2
    memory.limited = False
    machine.took_ms = 0
    memory.now()
    clock.advance(10_000)
    memory.glance()
    assert memory.count == 4
