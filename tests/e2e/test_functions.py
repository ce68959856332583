"""Functions stay: over a restart, in every kind of file, on the way to a real Redis and back. While they run they are seen, and stopped."""

from __future__ import annotations

import pathlib
import time

import pytest

from tests.compat.servers import PATIENCE, Server, start
from tests.e2e.wire import Reply, ReplyError, Wire, wait_while

COUNTER = """#!lua name=counter
local function add(keys, args)
  redis.call('HINCRBY', keys[1], 'n', args[1] or 1)
  return redis.call('HGET', keys[1], 'n')
end
redis.register_function('add', add)
redis.register_function{function_name='look', callback=function(keys) return redis.call('HGET', keys[1], 'n') end, flags={'no-writes'}}
"""
LONG = "#!lua name=long\n" + "".join(f"redis.register_function('f{n}', function() return {n} end)\n" for n in range(300))
LOOPS = """#!lua name=loops
redis.register_function{function_name='spin', callback=function() while true do end end, flags={'no-writes'}}
redis.register_function('write_and_spin', function(keys) redis.call('SET', keys[1], '1') while true do end end)
"""
WAYS = [("redloop", "oracle"), ("oracle", "redloop")]


def sources(wire: Wire) -> list[Reply]:
    found = [library[7] for library in wire.items("FUNCTION", "LIST", "WITHCODE") if isinstance(library, list)]
    return sorted(found, key=str)


def load_all(wire: Wire) -> None:
    for source in (COUNTER, LONG):
        wire.call("FUNCTION", "LOAD", source)


def check_all(wire: Wire) -> None:
    assert sources(wire) == sorted([COUNTER.encode(), LONG.encode()], key=str)
    assert wire.call("FCALL", "f299", "0") == 299
    assert wire.call("FCALL_RO", "look", "1", "h") == b"5"


@pytest.mark.parametrize(("writer", "reader"), WAYS)
def test_they_are_in_the_rdb_file(tmp_path: pathlib.Path, writer: str, reader: str) -> None:
    with start(writer, folder=str(tmp_path)) as server, Wire(server) as wire:
        load_all(wire)
        wire.call("FCALL", "add", "1", "h", "5")
        wire.call("SAVE")
    with start(reader, folder=str(tmp_path)) as server, Wire(server) as wire:
        check_all(wire)


@pytest.mark.parametrize(("writer", "reader", "preamble"), [("redloop", "oracle", "yes"), ("oracle", "redloop", "no")])
def test_they_are_in_the_append_only_file(tmp_path: pathlib.Path, writer: str, reader: str, preamble: str) -> None:
    """In its commands, and in the new beginning of a rewritten one."""
    settings = ("--appendonly", "yes", "--aof-use-rdb-preamble", preamble)
    with start(writer, *settings, folder=str(tmp_path)) as server, Wire(server) as wire:
        wire.call("FUNCTION", "LOAD", "#!lua name=gone\nredis.register_function('gone', function() end)")
        wire.call("FUNCTION", "LOAD", COUNTER.replace("'n'", "'m'"))
        wire.call("FUNCTION", "DELETE", "gone")
        wire.call("FUNCTION", "LOAD", "REPLACE", COUNTER)
        wire.call("FCALL", "add", "1", "h", "2")
    with start(reader, *settings, folder=str(tmp_path)) as server, Wire(server) as wire:
        assert sources(wire) == [COUNTER.encode()]
        wire.call("FUNCTION", "LOAD", LONG)
        wire.call("BGREWRITEAOF")
        wait_while(wire, "persistence", b"aof_rewrite_in_progress:1")
        assert wire.call("FCALL", "add", "1", "h", "3") == b"5"
    with start(writer, *settings, folder=str(tmp_path)) as server, Wire(server) as wire:
        check_all(wire)
        wire.call("DEBUG", "LOADAOF")
        check_all(wire)
        payload = wire.data("FUNCTION", "DUMP")
        wire.call("FUNCTION", "FLUSH")
        wire.call("FUNCTION", "RESTORE", payload)
    with start(reader, *settings, folder=str(tmp_path)) as server, Wire(server) as wire:
        check_all(wire)
        wire.call("FUNCTION", "FLUSH")
    with start(reader, *settings, folder=str(tmp_path)) as server, Wire(server) as wire:
        assert sources(wire) == []


@pytest.mark.parametrize(("writer", "reader"), WAYS)
def test_a_payload_is_taken_by_the_other(tmp_path: pathlib.Path, writer: str, reader: str) -> None:
    with start(writer) as one, Wire(one) as here, start(reader) as other, Wire(other) as there:
        for source in (COUNTER, LONG):
            assert here.call("FUNCTION", "LOAD", source) == there.call("FUNCTION", "LOAD", source)
            payload = here.data("FUNCTION", "DUMP")
            assert payload == there.data("FUNCTION", "DUMP")
            here.call("FUNCTION", "FLUSH")
            there.call("FUNCTION", "FLUSH")
        load_all(here)
        there.call("FUNCTION", "RESTORE", here.data("FUNCTION", "DUMP"))
        there.call("FCALL", "add", "1", "h", "5")
        check_all(there)


def test_they_survive_what_empties_the_databases(server: Server) -> None:
    with Wire(server) as wire:
        wire.call("FUNCTION", "FLUSH")
        load_all(wire)
        wire.call("FLUSHALL")
        wire.call("FCALL", "add", "1", "h", "5")
        wire.call("DEBUG", "RELOAD")
        check_all(wire)
        wire.call("DEBUG", "RELOAD", "NOFLUSH", "MERGE")
        check_all(wire)
        wire.call("SCRIPT", "FLUSH")
        check_all(wire)
        wire.call("FUNCTION", "FLUSH")


def begin(wire: Wire, other: Wire, *call: str) -> list[Reply]:
    """Sends a call, and answers what FUNCTION STATS tells another connection of it as soon as it tells anything."""
    assert other.call("PING") == b"PONG"
    wire.send(*call)
    ends = time.monotonic() + PATIENCE
    while True:
        running = other.items("FUNCTION", "STATS")[1]
        if isinstance(running, list):
            return running
        assert time.monotonic() < ends


def refused(wire: Wire, *words: str) -> str:
    try:
        return str(wire.call(*words))
    except ReplyError as error:
        return str(error)


def test_one_that_runs_is_seen_and_stopped(server: Server) -> None:
    busy = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
    with Wire(server) as wire, Wire(server) as other:
        wire.call("CONFIG", "SET", "busy-reply-threshold", "1")
        wire.call("FUNCTION", "LOAD", LOOPS)
        running = begin(wire, other, "fcall", "SPIN", "1", "key", "word")
        assert running[:4] == [b"name", b"spin", b"command", [b"fcall", b"SPIN", b"1", b"key", b"word"]]
        assert running[4] == b"duration_ms"
        assert isinstance(running[5], int)
        for words in (["GET", "x"], ["SCRIPT", "KILL"], ["FUNCTION", "LIST"], ["FCALL", "spin", "0"]):
            assert refused(other, *words) == busy
        assert other.call("FUNCTION", "KILL") == b"OK"
        with pytest.raises(ReplyError, match=r"^ERR Script killed by user with SCRIPT KILL\.\.\. script: spin, on @user_function:2\.$"):
            wire.read()
        assert refused(other, "FUNCTION", "KILL").startswith("NOTBUSY")
        assert other.items("FUNCTION", "STATS")[1] is None
        wire.call("FUNCTION", "FLUSH")
        wire.call("CONFIG", "SET", "busy-reply-threshold", "5000")


def test_a_script_is_not_stopped_as_a_function(server: Server) -> None:
    busy = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
    with Wire(server) as wire, Wire(server) as other:
        wire.call("CONFIG", "SET", "busy-reply-threshold", "1")
        assert other.call("PING") == b"PONG"
        wire.send("EVAL", "while true do end", "0")
        ends = time.monotonic() + PATIENCE
        while refused(other, "PING") != busy:
            assert time.monotonic() < ends
        assert refused(other, "FUNCTION", "STATS") == busy
        assert refused(other, "FUNCTION", "KILL") == busy
        assert other.call("SCRIPT", "KILL") == b"OK"
        with pytest.raises(ReplyError, match="Script killed by user"):
            wire.read()
        wire.call("CONFIG", "SET", "busy-reply-threshold", "5000")


def test_one_that_has_written_ends_only_with_the_server(kind: str) -> None:
    with start(kind, "--busy-reply-threshold", "1") as server, Wire(server) as wire, Wire(server) as other:
        wire.call("FUNCTION", "LOAD", LOOPS)
        begin(wire, other, "FCALL", "write_and_spin", "1", "key")
        assert refused(other, "FUNCTION", "KILL").startswith("UNKILLABLE Sorry the script already executed write commands")
        with pytest.raises(ConnectionError):
            other.call("SHUTDOWN", "NOSAVE")
        with pytest.raises(ConnectionError):
            wire.read()


def test_a_library_that_does_not_end_is_not_loaded(server: Server) -> None:
    with Wire(server) as wire:
        with pytest.raises(ReplyError, match=r"^ERR Error registering functions: ERR FUNCTION LOAD timeout$"):
            wire.call("FUNCTION", "LOAD", "#!lua name=endless\nredis.register_function('f', function() end) while true do end")
        assert wire.call("FUNCTION", "LIST") == []
