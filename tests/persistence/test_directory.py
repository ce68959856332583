"""The directory of the append-only file: what stands in it after each step, and after a crash amid a step."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from redloop.persistence.directory import AofDirectory, DirectoryError
from redloop.persistence.files import Files
from redloop.persistence.manifest import parse

COMMAND = b"*1\r\n$4\r\nPING\r\n"


def open_directory(home: Path, files: Files | None = None, name: str = "appendonly.aof") -> AofDirectory:
    directory = AofDirectory(files or Files(), str(home), "appendonlydir", name)
    directory.files.make_directory(directory.path())
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


def test_two_servers_do_not_share_a_directory(tmp_path: Path) -> None:
    first = AofDirectory(Files(), str(tmp_path), "appendonlydir", "appendonly.aof")
    second = AofDirectory(Files(), str(tmp_path), "appendonlydir", "appendonly.aof")
    first.claim()
    first.claim()
    with pytest.raises(DirectoryError) as caught:
        second.claim()
    assert caught.value.strerror == f"Another server uses {second.path()}: two would spoil each other's data"
    first.release()
    second.claim()
    second.release()


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_bytes(b"")
    directory = AofDirectory(Files(), str(tmp_path), "appendonlydir", "appendonly.aof")
    with pytest.raises(DirectoryError) as caught:
        directory.claim()
    assert str(caught.value.strerror).startswith("Can't open or create append-only dir appendonlydir: ")
    (tmp_path / "appendonlydir").unlink()
    (tmp_path / "appendonlydir/appendonly.aof.1.incr.aof").mkdir(parents=True)
    with pytest.raises(DirectoryError) as caught:
        open_directory(tmp_path).open_last(0)
    assert caught.value.strerror == "Can't open the append-only file appendonly.aof.1.incr.aof: Is a directory"


def test_a_new_file_never_gets_the_name_of_one_that_is_to_be_deleted(tmp_path: Path) -> None:
    home = tmp_path / "appendonlydir"
    home.mkdir()
    (home / "appendonly.aof.manifest").write_bytes(b"file b seq 2 type b\nfile appendonly.aof.7.incr.aof seq 7 type h\n")
    (home / "b").write_bytes(COMMAND)
    (home / "appendonly.aof.7.incr.aof").write_bytes(COMMAND)
    directory = open_directory(tmp_path)
    file, name, size = directory.open_last(0)
    file.close()
    directory.delete_history()
    assert (name, size) == ("appendonly.aof.8.incr.aof", 0)
    assert sorted(listing(tmp_path)) == [f"appendonlydir/{end}" for end in ("appendonly.aof.8.incr.aof", "appendonly.aof.manifest", "b")]
