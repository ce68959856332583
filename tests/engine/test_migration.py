"""What a MIGRATE sends: made in slices, whole commands, of the values as they were."""

from __future__ import annotations

from redloop.engine.migration import PIECE, Move, Parcel, joined
from tests.engine.house import Guest, House

LATER = 100_000


def fill(guest: Guest) -> list[bytes]:
    """Values of several types, large ones among them; their keys."""
    numbers = range(3000)
    guest.say("SETRANGE buffer 2000000 end", f"SET small {'x' * 100}", "SET number 12", f"PEXPIRE small {LATER}")
    guest.say("RPUSH list " + " ".join([f"item:{number}" for number in numbers]))
    guest.say("HSET hash " + " ".join([f"field:{number} {number}" for number in numbers]))
    guest.say("HPEXPIRE hash 50 FIELDS 1 field:7")
    return [b"buffer", b"small", b"number", b"list", b"hash"]


def pack(house: House, keys: list[bytes]) -> Move:
    database = house.server.keyspace.databases[0]
    move = Move((b"127.0.0.1", b"1"), 0, 1.0)
    move.parcels = [Parcel(key, database.find(key), database.expiry(key), house.config) for key in keys]
    return move


def test_payloads_are_made_in_slices_and_make_the_same_keys() -> None:
    here, there = House(), House()
    guest, other = here.visit(), there.visit()
    keys = fill(guest)
    move = pack(here, keys)
    slices = 1
    while move.make(here.clock, 0):
        slices += 1
    assert slices > 20
    for replace in (False, True):
        for parcel in move.parcels:
            other.client.feed(b"".join(parcel.pieces(replace)))
        assert other.look() == b"+OK\r\n" * len(keys)
    assert other.say("DEBUG DIGEST") == guest.say("DEBUG DIGEST")
    assert other.say("PTTL small") == b":%d\r\n" % LATER


def test_what_is_about_to_change_goes_as_it_was() -> None:
    here, there = House(), House()
    guest, other = here.visit(), there.visit()
    move = pack(here, fill(guest))
    before = guest.say("DEBUG DIGEST")
    for _ in range(5):
        move.make(here.clock, 0)
    for key in (b"buffer", b"hash"):
        move.detach(key)
    guest.say("SETRANGE buffer 1 changed", "HSET hash field:1 changed field:2999 changed", "DEL list")
    while move.make(here.clock, 0):
        pass
    for parcel in move.parcels:
        other.client.feed(b"".join(parcel.pieces(False)))
    assert other.say("DEBUG DIGEST").endswith(before)


def test_small_pieces_go_together() -> None:
    pieces = [b"x" * 100] * 2000 + [b"y" * (2 * PIECE), b"z"]
    sent = list(joined(pieces))
    assert b"".join(sent) == b"".join(pieces)
    assert len(sent) < 10
