"""Files: the few things persistence asks of the operating system, behind one object.

Everything that touches the disk goes through a `Files`, so a test hands in one that fails, writes short or is slow. Two rules make a crash
harmless: a file that others must find whole is written beside its place, synced, renamed over it and the directory synced; and a file that
grows is only ever written at a position we name, so that writing the same bytes again after a failure changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from concurrent.futures import Executor
from io import FileIO

if sys.platform != "win32":
    import fcntl

if sys.platform == "darwin":

    def sync_descriptor(fd: int) -> None:
        """Brings the bytes to the medium: fsync on macOS stops at the drive's cache."""
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)

elif sys.platform == "win32":
    sync_descriptor = os.fsync
else:
    sync_descriptor = os.fdatasync


class GrowingFile:
    """A file that is appended to. All methods block and may raise OSError; they are called from one thread at a time."""

    def __init__(self, path: str, truncate: bool) -> None:
        self._file: FileIO = open(path, "r+b" if os.path.exists(path) else "w+b", buffering=0)  # noqa: SIM115  # kept open
        if truncate:
            self._file.truncate(0)

    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._file.fileno()).st_size

    def write_at(self, position: int, data: memoryview) -> int:
        """Writes some of `data` at `position`; returns how many bytes were taken."""
        self._file.seek(position)
        return self._file.write(data) or 0

    def truncate(self, size: int) -> None:
        """Cuts the file to `size` bytes."""
        self._file.truncate(size)

    def sync(self) -> None:
        """Returns once everything written is on the medium."""
        sync_descriptor(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class DirectoryLock:
    """A lock on a directory, for processes that ask for it. It means nothing on Windows, nor where the file system knows none."""

    def __init__(self, path: str) -> None:
        self._fd = -1
        if sys.platform == "win32":
            return
        fd = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise
        except OSError:  # some network file systems know no locks
            os.close(fd)
            return
        self._fd = fd

    def release(self) -> None:
        """Gives the directory free."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Chunks:
    """A file that is read by an executor of one thread, a chunk ahead of its use."""

    def __init__(self, file: FileIO, executor: Executor, size: int) -> None:
        self._file = file
        self._executor = executor
        self._size = size
        self._loop = asyncio.get_running_loop()
        self._ahead = self._read()

    def _read(self) -> asyncio.Future[bytes]:
        return self._loop.run_in_executor(self._executor, self._file.read, self._size)

    async def next(self) -> bytes:
        """The next chunk, b"" at the end; while it is worked on the one after it is read. Raises OSError."""
        chunk = await self._ahead
        if chunk:
            self._ahead = self._read()
        return chunk

    def close(self) -> None:
        """Closes the file once it is no longer read."""
        self._ahead.cancel()
        self._executor.submit(self._file.close)


class Files:
    """The operating system's files. All methods block and may raise OSError."""

    def open_growing(self, path: str, truncate: bool = False) -> GrowingFile:
        """Opens `path` for appending, made if it is missing, emptied if `truncate`."""
        return GrowingFile(path, truncate)

    def open_reading(self, path: str) -> FileIO:
        """Opens `path` for reading."""
        return open(path, "rb", buffering=0)

    def read(self, path: str) -> bytes:
        """All of a small file."""
        with open(path, "rb") as file:
            return file.read()

    def size(self, path: str) -> int:
        """Bytes in the file at `path`."""
        return os.stat(path).st_size

    def is_file(self, path: str) -> bool:
        """Whether a regular file stands at `path`."""
        return os.path.isfile(path)

    def is_directory(self, path: str) -> bool:
        """Whether a directory stands at `path`."""
        return os.path.isdir(path)

    def make_directory(self, path: str) -> None:
        """Makes `path` unless it is there."""
        os.makedirs(path, mode=0o755, exist_ok=True)

    def rename(self, source: str, target: str) -> None:
        """Moves a file, over another if need be."""
        os.replace(source, target)

    def remove(self, path: str) -> None:
        """Deletes a file."""
        os.remove(path)

    def lock_directory(self, path: str) -> DirectoryLock:
        """Takes a directory for this process alone; raises BlockingIOError if another has it. It frees itself when the process ends."""
        return DirectoryLock(path)

    def sync_directory(self, path: str) -> None:
        """Makes what was created, renamed or removed in a directory last. Windows has no such call and needs none."""
        if sys.platform == "win32":
            return
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def write_whole(self, directory: str, temporary: str, name: str, data: bytes) -> None:
        """Replaces `name` in `directory` with `data`: a crash leaves the old file or the new one, never a mixture."""
        beside = os.path.join(directory, temporary)
        try:
            self._write_beside(beside, data)
            self.rename(beside, os.path.join(directory, name))
        except OSError:
            with contextlib.suppress(OSError):
                os.remove(beside)
            raise
        self.sync_directory(directory)

    def _write_beside(self, path: str, data: bytes) -> None:
        file = self.open_growing(path, truncate=True)
        try:
            done = 0
            view = memoryview(data)
            while done < len(view):
                done += file.write_at(done, view[done:])
            file.sync()
        finally:
            file.close()
