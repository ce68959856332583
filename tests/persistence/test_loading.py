"""Loading: whole commands come back exactly, torn tails are cut, wrong bytes are refused. The words are those of a real redis-server."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.clock import ManualClock
from redloop.config import Config
from redloop.keyspace.database import Keyspace
from redloop.persistence.directory import AofDirectory
from redloop.persistence.files import Files
from redloop.persistence.loading import NO_END, CommandReader, FormatError, Loader, LoadError, UnknownCommandError, parse_moment
from redloop.persistence.rdb.file import FileLoader
from redloop.resp.encode import encode_command
from tests.compat.servers import OracleMissingError, oracle_folder

SELECT = encode_command([b"SELECT", b"0"])
SET_A = encode_command([b"SET", b"a", b"1"])
SET_B = encode_command([b"SET", b"b", b"2"])
SET_C = encode_command([b"SET", b"c", b"3"])
MULTI = encode_command([b"MULTI"])
EXEC = encode_command([b"EXEC"])
INCREMENT = "appendonly.aof.1.incr.aof"


def write(home: Path, *contents: bytes) -> AofDirectory:
    """A directory with one base and some increments."""
    folder = home / "appendonlydir"
    folder.mkdir(exist_ok=True)
    names = ["appendonly.aof.1.base.aof"] + [f"appendonly.aof.{number}.incr.aof" for number in range(1, len(contents))]
    lines = [f"file {name} seq {max(1, number)} type {'i' if number else 'b'}\n" for number, name in enumerate(names)]
    for name, content in zip(names, contents, strict=True):
        (folder / name).write_bytes(content)
    (folder / "appendonly.aof.manifest").write_text("".join(lines))
    directory = AofDirectory(Files(), str(home), "appendonlydir", "appendonly.aof")
    directory.read_manifest()
    return directory


def load(directory: AofDirectory, truncated: bool = True, until: int = NO_END) -> list[list[bytes]]:
    """What is replayed; FOO is the command nobody knows."""
    replayed: list[list[bytes]] = []

    def apply(argv: list[bytes]) -> None:
        if argv[0] == b"FOO":
            raise UnknownCommandError("FOO")
        replayed.append(argv)

    clock = ManualClock()
    keyspace = Keyspace(clock, 16, Random(1))

    def new_rdb() -> FileLoader:
        return FileLoader(keyspace, Config(), True, lambda code: replayed.append([b"library", code]))

    async def scene() -> None:
        with ThreadPoolExecutor(1) as executor:
            loader = Loader(directory, apply, clock, executor, truncated, new_rdb)
            loader.until = until
            await loader.run()
            assert until != NO_END or loader.loaded_bytes == loader.total_bytes

    asyncio.run(scene())
    snapshot = [[b"snapshot", key] for database in keyspace.databases for segment in database.segments() for key in segment.values]
    return snapshot + replayed


def names(commands: Sequence[Sequence[bytes]]) -> list[str]:
    return [b" ".join(argv).decode() for argv in commands]


def content(directory: AofDirectory, name: str = INCREMENT) -> bytes:
    return Path(directory.path(name)).read_bytes()


def test_base_and_increments_are_replayed_in_order(tmp_path: Path) -> None:
    directory = write(tmp_path, SELECT + SET_A, SELECT + SET_B, SET_C)
    assert names(load(directory)) == ["SELECT 0", "SET a 1", "SELECT 0", "SET b 2", "SET c 3"]


def test_nothing_to_load(tmp_path: Path) -> None:
    directory = AofDirectory(Files(), str(tmp_path), "appendonlydir", "appendonly.aof")
    directory.read_manifest()
    assert load(directory) == []


def test_a_unit_is_replayed_when_its_exec_has_come(tmp_path: Path) -> None:
    directory = write(tmp_path, SELECT, SET_A + MULTI + SET_B + SET_C + EXEC + SET_A)
    assert names(load(directory)) == ["SELECT 0", "SET a 1", "SET b 2", "SET c 3", "SET a 1"]


@pytest.mark.parametrize(
    ("tail", "replayed"),
    [
        (b"#TS:1500000000\r\n", []),
        (b"#TS:1500000000\r\n" + SET_C + b"# anything\n", ["SET c 3"]),
        (MULTI + b"#TS:1500000000\r\n" + SET_C + EXEC, ["SET c 3"]),
        (encode_command([b"SET", b"k", b"v\n#TS:1\r\n*1"]) + b"#TS:1\r\n", ["SET k v\n#TS:1\r\n*1"]),
        (EXEC + SET_C, ["SET c 3"]),
        (MULTI + MULTI + SET_C + EXEC, ["SET c 3"]),
        (encode_command([b"multi"]) + SET_C + encode_command([b"eXeC"]), ["SET c 3"]),
        (encode_command([b"SET", b"", b"\0\r\n\xff"]), ["SET  \0\r\n\ufffd"]),
    ],
)
def test_what_may_stand_between_commands(tmp_path: Path, tail: bytes, replayed: list[str]) -> None:
    directory = write(tmp_path, SELECT, SET_A + tail)
    found = [b" ".join(argv).decode(errors="replace") for argv in load(directory)]
    assert found == ["SELECT 0", "SET a 1", *replayed]
    assert content(directory) == SET_A + tail


@pytest.mark.parametrize(
    "torn",
    [
        SET_C[:-3],
        SET_C[:-1],
        b"*3\r\n$",
        b"*3\r\n$3\r\nSE",
        b"*",
        b"*3",
        b"*3\r",
        b"*3\r\n",
        b"*3\r\n$3\r",
        b"#TS:15",
        MULTI + SET_C,
        MULTI,
        MULTI + SET_C + EXEC[:-3],
        MULTI + SET_C + b"#TS",
    ],
)
def test_a_torn_tail_is_cut_off(tmp_path: Path, torn: bytes, caplog: pytest.LogCaptureFixture) -> None:
    directory = write(tmp_path, SELECT, SET_A + SET_B + torn)
    assert names(load(directory)) == ["SELECT 0", "SET a 1", "SET b 2"]
    assert content(directory) == SET_A + SET_B
    messages = [record.message for record in caplog.records]
    assert (f"Revert incomplete MULTI/EXEC transaction in AOF file {INCREMENT}" in messages) == torn.startswith(MULTI)
    assert f"!!! Warning: short read while loading the AOF file {INCREMENT}!!!" in messages
    assert f"!!! Truncating the AOF {INCREMENT} at offset {len(SET_A + SET_B)} !!!" in messages
    assert f"{len(torn)} bytes of {INCREMENT} behind the last whole command are dropped" in messages
    assert f"AOF {INCREMENT} loaded anyway because aof-load-truncated is enabled" in messages


def test_a_torn_tail_is_refused_if_it_is_not_to_be_cut(tmp_path: Path) -> None:
    directory = write(tmp_path, SELECT, SET_A + SET_B[:-3])
    with pytest.raises(LoadError, match=r"Unexpected end of file reading the append only file appendonly.aof.1.incr.aof. You can: 1\)"):
        load(directory, truncated=False)
    assert content(directory) == SET_A + SET_B[:-3]


@pytest.mark.parametrize("torn", [SET_B[:-3], MULTI + SET_B])
def test_a_crash_as_a_rewrite_begins_tears_the_file_before_the_empty_one(tmp_path: Path, torn: bytes) -> None:
    directory = write(tmp_path, SELECT, SET_A + torn, b"", b"")
    assert names(load(directory)) == ["SELECT 0", "SET a 1"]
    assert content(directory) == SET_A
    with pytest.raises(LoadError, match="Unexpected end of file"):
        load(write(tmp_path, SELECT, SET_A + torn, b""), truncated=False)


@pytest.mark.parametrize("contents", [(SELECT[:-3], SET_A), (SELECT, SET_A[:-3], SET_B), (SELECT, SET_A[:-3], b"", SET_B)])
def test_only_the_last_file_may_be_torn_and_no_other_is_touched(tmp_path: Path, contents: tuple[bytes, ...]) -> None:
    directory = write(tmp_path, *contents)
    with pytest.raises(LoadError, match="Fatal error: the truncated file is not the last file"):
        load(directory)
    assert tuple(content(directory, entry.name) for entry in directory.manifest.files()) == contents


@pytest.mark.parametrize(
    "wrong",
    [
        b"*3\r\n$3\r\nSET\r\n$x\r\nb\r\n$1\r\n2\r\n" + SET_C,
        b"junk\r\n" + SET_C,
        b"*0\r\n" + SET_C,
        b"*-1\r\n" + SET_C,
        b"*3\r\n$3\r\nSET\r\n$1\r\nbb\r\n$1\r\n2\r\n" + SET_C,
        b"*3\r\n$3\r\nSET\r\n$-1\r\nbb\r\n$1\r\n2\r\n" + SET_C,
        b"\0" * 20,
        b"*1\r\n:1\r\n",
        b"+OK\r\n",
        b"*4\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n" + SET_C,
        b"*4\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n" + SET_C[:-3],
        b"*4294967295\r\n" + SET_C,
        b"*x",
        b"*3\r\n$x",
        b"*3\r\n$3\r\nSET\r\nx",
    ],
)
def test_wrong_bytes_are_refused_and_left_alone(tmp_path: Path, wrong: bytes) -> None:
    directory = write(tmp_path, SELECT, SET_A + wrong)
    with pytest.raises(LoadError) as caught:
        load(directory)
    assert str(caught.value) == (
        f"Bad file format reading the append only file {INCREMENT}: make a backup of your AOF file, then use ./redis-check-aof --fix "
        "<filename.manifest>"
    )
    assert content(directory) == SET_A + wrong


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"Unknown command 'FOO' reading the append only file appendonly\.aof\.1\.incr\.aof"):
        load(write(tmp_path, SELECT, SET_A + encode_command([b"FOO", b"1"])))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    directory = write(tmp_path, SELECT, SET_A)
    Path(directory.path(INCREMENT)).unlink()
    with pytest.raises(LoadError, match=r"Unable to obtain the AOF file appendonly\.aof\.1\.incr\.aof length\. stat: No such file"):
        load(directory)


SNAPSHOT = b"REDIS0012\xf5\x03lib\xfe\x00\x00\x01k\x01v\xff" + bytes(8)


def test_a_file_may_begin_with_a_snapshot(tmp_path: Path) -> None:
    assert names(load(write(tmp_path, SNAPSHOT, SET_A))) == ["snapshot k", "library lib", "SET a 1"]
    assert names(load(write(tmp_path, SNAPSHOT + SET_B, SET_A))) == ["snapshot k", "library lib", "SET b 2", "SET a 1"]


def test_a_torn_tail_behind_a_snapshot_is_cut(tmp_path: Path) -> None:
    directory = write(tmp_path, SNAPSHOT + SET_B + SET_A[:-3])
    assert names(load(directory)) == ["snapshot k", "library lib", "SET b 2"]
    assert content(directory, "appendonly.aof.1.base.aof") == SNAPSHOT + SET_B


@pytest.mark.parametrize("size", [5, 9, 12, len(SNAPSHOT) - 9, len(SNAPSHOT) - 1])
def test_a_torn_snapshot_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(LoadError, match="Unexpected EOF reading RDB file"):
        load(write(tmp_path, SNAPSHOT[:size], SET_A))


# -- up to a moment --------------------------------------------------------------------------------------------------

STAMPED = b"#TS:100\r\n" + SET_A + b"#TS:200\r\n" + SET_B + MULTI + SET_C + b"#TS:300\r\n" + SET_A + EXEC


@pytest.mark.parametrize(
    ("until", "replayed"),
    [
        (100, ["SELECT 0", "SET a 1"]),
        (199, ["SELECT 0", "SET a 1"]),
        (200, ["SELECT 0", "SET a 1", "SET b 2"]),
        (300, ["SELECT 0", "SET a 1", "SET b 2", "SET c 3", "SET a 1"]),
        (1 << 40, ["SELECT 0", "SET a 1", "SET b 2", "SET c 3", "SET a 1", "SET c 3"]),
    ],
)
def test_loading_up_to_a_moment_leaves_the_files_alone(tmp_path: Path, until: int, replayed: list[str]) -> None:
    last = b"#TS:400\r\n" + SET_C + SET_B[:-3]
    directory = write(tmp_path, SELECT, STAMPED, last)
    assert names(load(directory, until=until)) == replayed
    assert (content(directory), content(directory, "appendonly.aof.2.incr.aof")) == (STAMPED, last)


def test_a_moment_before_the_base_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"The base file is of 1970-01-01T00:01:40\+00:00: what was before that is not in the files"):
        load(write(tmp_path, STAMPED, b""), until=99)


@pytest.mark.parametrize("increment", [SET_A, SET_A + b"#TS:100\r\n" + SET_B])
def test_a_moment_needs_annotations_up_to_it(tmp_path: Path, increment: bytes) -> None:
    with pytest.raises(LoadError, match="aof-load-until needs the annotations that aof-timestamp-enabled writes"):
        load(write(tmp_path, SELECT, increment), until=99)


def test_an_annotation_may_come_in_pieces() -> None:
    reader = CommandReader(150)
    found: list[list[bytes]] = []
    for byte in STAMPED:
        reader.feed(bytes([byte]))
        while (argv := reader.next()) is not None:
            found.append(argv)
        if reader.beyond:
            break
    assert (found, reader.stamped, reader.beyond, reader.whole) == ([[b"SET", b"a", b"1"]], True, 200, STAMPED.index(b"#TS:200"))


def test_up_to_a_moment_a_tear_in_the_middle_is_refused_too(tmp_path: Path) -> None:
    torn = b"#TS:100\r\n" + SET_A + SET_B[:-3]
    with pytest.raises(LoadError, match="Fatal error: the truncated file is not the last file"):
        load(write(tmp_path, SELECT, torn, SET_C), until=200)
    with pytest.raises(LoadError, match="Unexpected end of file"):
        load(write(tmp_path, SELECT, torn), truncated=False, until=200)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1700000000", 1700000000),
        ("2023-11-14T22:13:20Z", 1700000000),
        ("2023-11-14 23:13:20+01:00", 1700000000),
        ("2023-11-14T22:13:20.5+00:00", 1700000000),
        ("20231114T221320Z", 1700000000),
    ],
)
def test_how_a_moment_is_written(text: str, moment: int) -> None:
    assert parse_moment(text) == moment


# -- any bytes, any pieces -------------------------------------------------------------------------------------------

ARGUMENT = st.binary(max_size=12) | st.sampled_from([b"\r\n#TS:1\r\n", b"\n#", b"*3\r\n$3\r\n", b"MULTI", b"x" * 1000])
COMMANDS = st.lists(st.lists(ARGUMENT, min_size=1, max_size=4), min_size=1, max_size=8)
ANNOTATION = st.sampled_from([b"", b"", b"#TS:1700000000\r\n", b"#\n#x\r\n"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[list[bytes]], bytes, list[int]]:
    """Commands, their bytes with annotations in between, and where each command or annotation ends."""
    commands = draw(COMMANDS)
    data = b""
    ends = [0]
    for argv in commands:
        for line in draw(ANNOTATION).splitlines(keepends=True):
            data += line
            ends.append(len(data))
        data += encode_command(argv)
        ends.append(len(data))
    return commands, data, ends


@given(streams(), st.data())
def test_a_stream_in_any_pieces_cut_anywhere_gives_its_whole_commands(
    stream: tuple[list[list[bytes]], bytes, list[int]], choice: st.DataObject
) -> None:
    commands, data, ends = stream
    cut = choice.draw(st.integers(0, len(data)))
    reader = CommandReader()
    found: list[list[bytes]] = []
    pos = 0
    while pos < cut:
        step = choice.draw(st.integers(1, 30) | st.just(cut))
        reader.feed(data[pos : min(pos + step, cut)])
        pos += step
        while (argv := reader.next()) is not None:
            found.append(argv)
    assert found == commands[: len(found)]
    assert reader.whole == max(end for end in ends if end <= cut)
    assert reader.unfinished() == (reader.whole != cut)


@given(streams(), st.data())
def test_flipped_bytes_never_surprise(stream: tuple[list[list[bytes]], bytes, list[int]], choice: st.DataObject) -> None:
    """A flipped byte is refused, or leaves commands of the right length (it hit an argument); nothing else is raised."""
    _, data, _ = stream
    spot = choice.draw(st.integers(0, len(data) - 1))
    flipped = data[:spot] + bytes([data[spot] ^ choice.draw(st.integers(1, 255))]) + data[spot + 1 :]
    reader = CommandReader()
    reader.feed(flipped)
    total = 0
    try:
        while (argv := reader.next()) is not None:
            assert all(isinstance(arg, bytes) for arg in argv)
            total += len(encode_command(argv))
    except FormatError:
        pass
    assert total <= reader.whole <= len(flipped)


def test_a_file_cut_at_every_byte_loads_and_a_real_redis_check_aof_finds_what_is_left_valid(tmp_path: Path) -> None:
    try:
        checker = Path(oracle_folder()) / "redis-check-aof"
    except OracleMissingError as error:
        pytest.skip(str(error))
    data = SELECT + SET_A + MULTI + SET_B + SET_C + EXEC + b"#TS:1700000000\r\n" + SET_A
    for size in range(1, len(data)):
        directory = write(tmp_path, b"", data[:size])
        whole = names(load(directory))
        assert whole == ["SELECT 0", "SET a 1", "SET b 2", "SET c 3", "SET a 1"][: len(whole)]
        if size % 9 == 0:
            answer = subprocess.run([checker, directory.path("appendonly.aof.manifest")], capture_output=True, text=True, check=False)
            assert answer.returncode == 0, answer.stdout
