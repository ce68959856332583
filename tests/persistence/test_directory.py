"""The directory of the append-only file: what stands in it after each step, and after a crash amid a step."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from redloop.persistence.directory import AofDirectory
from redloop.persistence.files import Files
from redloop.persistence.manifest import parse

COMMAND = b"*1\r\n$4\r\nPING\r\n"


def open_directory(home: Path, files: Files | None = None, name: str = "appendonly.aof") -> AofDirectory:
    directory = AofDirectory(files or Files(), str(home), "appendonlydir", name)
    directory.read_manifest()
    return directory


def listing(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


def test_the_first_start_makes_an_empty_base_and_an_increment(tmp_path: Path) -> None:
    file, name, size = open_directory(tmp_path).open_last(start_offset=0)
    file.close()
    assert (name, size) == ("appendonly.aof.1.incr.aof", 0)
    assert listing(tmp_path) == {
        "appendonlydir/appendonly.aof.1.base.aof": b"",
        "appendonlydir/appendonly.aof.1.incr.aof": b"",
        "appendonlydir/appendonly.aof.manifest": b"file appendonly.aof.1.base.aof seq 1 type b\n"
        b"file appendonly.aof.1.incr.aof seq 1 type i startoffset 0\n",
    }


def test_the_next_start_goes_on_with_the_last_increment(tmp_path: Path) -> None:
    directory = open_directory(tmp_path)
    file, _, _ = directory.open_last(start_offset=0)
    file.write_at(0, memoryview(COMMAND))
    file.close()
    directory.note_end(7)
    assert directory.manifest.increments[0].end_offset == 7
    again = open_directory(tmp_path)
    file, name, size = again.open_last(start_offset=7)
    file.close()
    assert (name, size) == ("appendonly.aof.1.incr.aof", len(COMMAND))
    assert again.manifest.format().endswith(b"type i startoffset 0\n")


def test_a_base_alone_gets_an_increment(tmp_path: Path) -> None:
    home = tmp_path / "appendonlydir"
    home.mkdir()
    (home / "b").write_bytes(COMMAND)
    (home / "appendonly.aof.manifest").write_bytes(b"file b seq 1 type b\n")
    directory = open_directory(tmp_path)
    directory.open_last(0)[0].close()
    assert [entry.name for entry in directory.manifest.files()] == ["b", "appendonly.aof.1.incr.aof"]


@pytest.mark.parametrize("begun", [False, True])
def test_a_single_file_of_old_moves_into_the_directory_also_if_the_move_was_begun(tmp_path: Path, begun: bool) -> None:
    (tmp_path / "appendonly.aof").write_bytes(COMMAND)
    if begun:
        (tmp_path / "appendonlydir").mkdir()
        (tmp_path / "appendonlydir/appendonly.aof.manifest").write_bytes(b"file appendonly.aof seq 1 type b\n")
    directory = open_directory(tmp_path)
    directory.open_last(0)[0].close()
    assert listing(tmp_path) == {
        "appendonlydir/appendonly.aof": COMMAND,
        "appendonlydir/appendonly.aof.1.incr.aof": b"",
        "appendonlydir/appendonly.aof.manifest": b"file appendonly.aof seq 1 type b\n"
        b"file appendonly.aof.1.incr.aof seq 1 type i startoffset 0\n",
    }


def test_a_single_file_beside_a_directory_with_data_is_left_alone(tmp_path: Path) -> None:
    open_directory(tmp_path).open_last(0)[0].close()
    (tmp_path / "appendonly.aof").write_bytes(COMMAND)
    open_directory(tmp_path)
    assert (tmp_path / "appendonly.aof").exists()


def test_a_rewrite_step_by_step(tmp_path: Path) -> None:
    directory = open_directory(tmp_path)
    directory.open_last(0)[0].close()
    file, name = directory.add_increment(start_offset=5, end_offset=5)
    file.close()
    assert name == "appendonly.aof.2.incr.aof"
    (tmp_path / "appendonlydir/temp-rewriteaof-bg-1.aof").write_bytes(COMMAND)
    directory.replace_base("temp-rewriteaof-bg-1.aof", rdb=False, keep=1)
    directory.delete_history()
    assert listing(tmp_path) == {
        "appendonlydir/appendonly.aof.2.base.aof": COMMAND,
        "appendonlydir/appendonly.aof.2.incr.aof": b"",
        "appendonlydir/appendonly.aof.manifest": b"file appendonly.aof.2.base.aof seq 2 type b\n"
        b"file appendonly.aof.2.incr.aof seq 2 type i startoffset 5\n",
    }


class StoppingFiles(Files):
    """Stops the world, as a crash would, before the step of the given number."""

    def __init__(self, stop_at: int) -> None:
        self.left = stop_at

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.EIO, "crash")

    def rename(self, source: str, target: str) -> None:
        self._step()
        super().rename(source, target)

    def remove(self, path: str) -> None:
        self._step()
        super().remove(path)

    def write_whole(self, directory: str, temporary: str, name: str, data: bytes) -> None:
        self._step()
        super().write_whole(directory, temporary, name, data)

    def sync_directory(self, path: str) -> None:
        self._step()
        super().sync_directory(path)


@pytest.mark.parametrize("stop_at", range(16))
def test_a_crash_at_any_step_of_a_rewrite_leaves_a_manifest_whose_files_are_all_there(tmp_path: Path, stop_at: int) -> None:
    directory = open_directory(tmp_path)
    directory.open_last(0)[0].close()
    directory.files = StoppingFiles(stop_at)
    home = tmp_path / "appendonlydir"
    (home / "temp").write_bytes(COMMAND)
    try:
        directory.add_increment(5, 5)[0].close()
        directory.replace_base("temp", rdb=False, keep=1)
        directory.delete_history()
    except OSError:
        pass
    manifest = parse((home / "appendonly.aof.manifest").read_bytes())
    assert all((home / entry.name).exists() for entry in manifest.files())
    again = open_directory(tmp_path)
    again.open_last(0)[0].close()
    again.delete_history()
    assert not again.manifest.history
