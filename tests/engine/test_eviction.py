"""maxmemory: room is made before a command, or what needs memory is refused.

The machine of these tests takes two hundred bytes for a key, and no other memory.
"""

from __future__ import annotations

import pytest

from redloop.engine.eviction import slice_ns
from redloop.engine.memory import Readings
from redloop.keyspace.database import Keyspace
from redloop.process import Heap
from tests.engine.house import Guest, House

KEY = 200
BASE = 1_000_000
OOM = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"


class SoMuchEach(Readings):
    """Memory that is exact."""

    def __init__(self, keyspace: Keyspace) -> None:
        self.keyspace = keyspace

    def resident(self) -> int:
        return BASE + self._taken()

    def _taken(self) -> int:
        keys = sum([database.size for database in self.keyspace.databases]) + self.keyspace.trash.waiting()
        return int(keys) * KEY

    def blocks(self) -> int:
        return 0

    def heap(self) -> Heap | None:
        return Heap(self._taken(), 0, 1)

    def heap_end(self) -> int:
        return self._taken()


def limited(keys: int, policy: str = "noeviction", **settings: str) -> tuple[House, Guest]:
    """A server with room for so many keys."""
    house = House(**settings)
    house.server.memory.readings = SoMuchEach(house.server.keyspace)
    house.server.memory.started()
    guest = house.visit()
    guest.say(f"CONFIG SET maxmemory {BASE + keys * KEY + KEY // 2} maxmemory-policy {policy}")
    return house, guest


def fill(guest: Guest, count: int, more: str = "") -> list[bytes]:
    return [guest.say(f"SET key:{number} x {more}") for number in range(count)]


def keys(house: House) -> int:
    return sum([len(database) for database in house.server.keyspace.databases])


def test_without_eviction_writes_are_refused_and_all_else_goes_on() -> None:
    house, guest = limited(20)
    assert fill(guest, 25) == [b"+OK\r\n"] * 21 + [OOM] * 4
    assert guest.say("GET key:3", "APPEND key:3 x", "DEL key:3 key:4", "SET new x") == b"$1\r\nx\r\n" + OOM + b":2\r\n+OK\r\n"
    assert guest.say("CONFIG SET maxmemory 0", "SET more x") == b"+OK\r\n+OK\r\n"
    assert guest.say("CONFIG SET maxmemory 1", "SET more x") == b"+OK\r\n" + OOM
    assert house.server.commands[b"set"].rejected == 5


def test_after_flushall_there_is_room_at_once() -> None:
    house, guest = limited(20)
    fill(guest, 25)
    assert guest.say("FLUSHALL", "SET a x") == b"+OK\r\n+OK\r\n"
    assert keys(house) == 1


class WhileTimePasses(SoMuchEach):
    """The machine stands still for a second whenever it is asked."""

    def __init__(self, house: House) -> None:
        super().__init__(house.server.keyspace)
        self.clock = house.clock

    def resident(self) -> int:
        self.clock.advance(1000)
        return super().resident()


def test_when_all_is_freed_and_it_is_still_too_much_writes_are_refused_however_long_that_took() -> None:
    house, guest = limited(20)
    fill(guest, 10)
    house.server.memory.readings = WhileTimePasses(house)
    assert guest.say("FLUSHALL ASYNC", "CONFIG SET maxmemory 1", "SET a x") == b"+OK\r\n" * 2 + OOM


def test_what_still_waits_to_be_freed_opens_no_way_past_a_limit_that_even_an_empty_server_exceeds() -> None:
    house, guest = limited(20_000)
    fill(guest, 10_000)
    house.server.memory.readings = WhileTimePasses(house)
    assert guest.say("FLUSHALL ASYNC", "CONFIG SET maxmemory 1", "SET a x") == b"+OK\r\n" * 2 + OOM
    assert house.server.keyspace.trash


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl"])
def test_keys_go_when_others_come(policy: str) -> None:
    house, guest = limited(50, policy)
    assert fill(guest, 300, "PX 100000000") == [b"+OK\r\n"] * 300
    assert 40 <= keys(house) <= 51
    assert house.server.keyspace.evicted == 300 - keys(house)


def test_when_nothing_can_go_writes_are_refused() -> None:
    house, guest = limited(20, "volatile-lru")
    fill(guest, 5, "PX 100000000")
    assert fill(guest, 25)[-1] == OOM
    assert house.server.keyspace.evicted == 0  # SET took the expiries away
    assert guest.say("PEXPIRE key:1 100000000", "SET more x") == b":1\r\n+OK\r\n"
    assert house.server.keyspace.evicted == 1


def test_the_rest_of_redloop_is_told_whether_there_is_memory() -> None:
    """For the commands of a script, which pass no guard."""
    house, guest = limited(20)
    fill(guest, 19)
    told = [house.server.eviction.out_of_memory]
    fill(guest, 25)
    told.append(house.server.eviction.out_of_memory)
    guest.say("DEL key:1 key:2 key:3")
    guest.say("EXPIRE a 1")
    told.append(house.server.eviction.out_of_memory)
    assert told == [False, True, False]


def test_a_transaction_is_refused_as_a_whole() -> None:
    house, guest = limited(20)
    fill(guest, 19)
    other = house.visit()
    assert guest.say("MULTI", "SET a 1") == b"+OK\r\n+QUEUED\r\n"
    fill(other, 30)
    assert guest.say("EXEC") == b"-EXECABORT Transaction discarded because of: " + OOM[1:]
    assert guest.say("MULTI", "GET key:1", "SET a 1", "EXEC") == (
        b"+OK\r\n+QUEUED\r\n" + OOM + b"-EXECABORT Transaction discarded because of previous errors.\r\n"
    )
    assert guest.say("MULTI", "GET key:1", "EXEC") == b"+OK\r\n+QUEUED\r\n*1\r\n$1\r\nx\r\n"


@pytest.mark.parametrize(("lazy", "name"), [("no", b"DEL"), ("yes", b"UNLINK")])
def test_what_is_evicted_is_passed_on_published_and_noticed(lazy: str, name: bytes) -> None:
    house, guest = limited(20, "allkeys-lru", maxmemory_samples="64", lazyfree_lazy_eviction=lazy, notify_keyspace_events="Ee")
    kept: list[bytes] = []
    house.server.add_sink(lambda database, data: kept.append(data))
    watcher, subscriber = house.visit(), house.visit()
    guest.say("SET old x")
    house.clock.advance(1000)
    watcher.say("WATCH old")
    subscriber.say("SUBSCRIBE __keyevent@0__:evicted")
    fill(guest, 21)
    deletion = b"*2\r\n$%d\r\n%b\r\n$3\r\nold\r\n" % (len(name), name)
    assert deletion in kept
    assert kept.index(deletion) < len(kept) - 1
    assert not any(data.endswith(b"MULTI\r\n") for data in kept)
    assert subscriber.look().endswith(b"$22\r\n__keyevent@0__:evicted\r\n$3\r\nold\r\n")
    assert watcher.say("MULTI", "PING", "EXEC").endswith(b"*-1\r\n")


def test_what_takes_too_long_goes_on_behind_the_batch() -> None:
    """Each key takes a millisecond to choose: with the least tenacity a command waits for sixteen, and does not wait for the rest."""
    house, guest = limited(100, "allkeys-random", maxmemory_eviction_tenacity="1")
    fill(guest, 100)
    database = house.server.keyspace.databases[0]
    database.keyspace.listeners = (lambda *_: house.clock.advance(1),)
    guest.client.feed(b"CONFIG SET maxmemory %d\r\n" % (BASE + KEY * 21))
    assert (keys(house), guest.look()) == (100, b"+OK\r\n")
    guest.client.feed(b"GET key:1\r\n")
    assert keys(house) == 100 - 16
    assert guest.look() in (b"$1\r\nx\r\n", b"$-1\r\n")
    house.end_tick()
    assert 16 <= keys(house) <= 21


def test_a_lower_limit_counts_at_once() -> None:
    house, guest = limited(100, "allkeys-random")
    fill(guest, 100)
    guest.say(f"CONFIG SET maxmemory {BASE + KEY * 21}")
    assert 16 <= keys(house) <= 21


def test_nothing_is_evicted_while_a_pause_runs() -> None:
    house, guest = limited(20, "allkeys-lru")
    fill(guest, 20)
    guest.say("CLIENT PAUSE 1000 WRITE", f"CONFIG SET maxmemory {BASE + KEY * 5}", "GET key:1")
    assert keys(house) == 20
    house.clock.advance(2000)
    guest.say("CLIENT UNPAUSE", "GET key:1")
    assert keys(house) == 5


def test_how_long_memory_was_short() -> None:
    house, guest = limited(20)
    fill(guest, 25)
    house.clock.advance(3000)
    assert b"current_eviction_exceeded_time:3000\r\n" in guest.say("INFO stats")
    guest.say("DEL key:1 key:2 key:3")
    guest.say("SET a x")
    info = guest.say("INFO stats")
    assert b"current_eviction_exceeded_time:0\r\n" in info
    assert b"total_eviction_exceeded_time:3000\r\n" in info


@pytest.mark.parametrize(
    ("tenacity", "nanoseconds"), [(0, 0), (1, 50_000), (10, 500_000), (11, 575_000), (99, 126_000_000_000), (100, 1 << 60)]
)
def test_how_long_eviction_may_take(tenacity: int, nanoseconds: int) -> None:
    assert slice_ns(tenacity) == pytest.approx(nanoseconds, rel=0.2)
