"""The directory of the append-only file: which files there are, which is written to, and every step from one set of files to the next.

The order of steps is what makes a crash harmless: files are made first, the manifest that names them is written last (whole, by rename),
and what it no longer needs is deleted after that. A file that no manifest names is no part of the data.

All methods block; at run time call them in an executor, one at a time.
"""

from __future__ import annotations

import logging
import os

from redloop.logs import NOTICE
from redloop.persistence.files import DirectoryLock, Files, GrowingFile
from redloop.persistence.manifest import Entry, Manifest, parse

log = logging.getLogger("redloop.aof")


class DirectoryError(OSError):
    """Something stands in the way of the directory or a file in it; `strerror` is the whole sentence for the log."""

    def __init__(self, text: str, error: OSError) -> None:
        super().__init__(error.errno, text)


class AofDirectory:
    """`filename` (appendfilename) in `name` (appenddirname) in `parent` (dir)."""

    def __init__(self, files: Files, parent: str, name: str, filename: str) -> None:
        self.files = files
        self.parent = parent
        self.name = name
        self.filename = filename
        self.manifest = Manifest()
        self._lock: DirectoryLock | None = None

    def path(self, filename: str = "") -> str:
        """Where a file of the directory is, or the directory itself."""
        return os.path.join(self.parent, self.name, filename) if filename else os.path.join(self.parent, self.name)

    # --- at the start ------------------------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Makes the directory if need be, and makes sure that no other redloop uses it."""
        if self._lock is not None:
            return
        try:
            self.files.make_directory(self.path())
            self._lock = self.files.lock_directory(self.path())
        except BlockingIOError as error:
            raise DirectoryError(f"Another server uses {self.path()}: two would spoil each other's data", error) from None
        except OSError as error:
            raise DirectoryError(f"Can't open or create append-only dir {self.name}: {error.strerror}", error) from None

    def release(self) -> None:
        """Gives the directory free."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def read_manifest(self) -> None:
        """Finds out which files make up the data; takes over a single file as servers before Redis 7 wrote it.

        Raises ManifestError and OSError.
        """
        path = self.path(f"{self.filename}.manifest")
        self.manifest = parse(self.files.read(path)) if self.files.is_file(path) else Manifest()
        if self.files.is_file(os.path.join(self.parent, self.filename)) and self._is_old_style():
            self._upgrade()

    def look(self) -> None:
        """Reads the manifest and changes nothing. Raises ManifestError and OSError."""
        self.manifest = parse(self.files.read(self.path(f"{self.filename}.manifest")))

    def _is_old_style(self) -> bool:
        """Whether the single file beside the directory is the data: nothing else is, or the move into the directory was begun."""
        manifest = self.manifest
        if manifest.empty():
            return True
        if manifest.base is None or manifest.increments:
            return False
        return manifest.base.name == self.filename and not self.files.is_file(self.path(self.filename))

    def _upgrade(self) -> None:
        manifest = Manifest()
        manifest.base = Entry(self.filename, 1, "b")
        manifest.base_sequence = 1
        self.persist(manifest)
        self.files.rename(os.path.join(self.parent, self.filename), self.path(self.filename))
        self.files.sync_directory(self.path())
        self.files.sync_directory(self.parent)
        log.log(NOTICE, "Successfully migrated an old-style AOF file (%s) into the AOF directory (%s).", self.filename, self.name)

    def open_last(self, start_offset: int, base: bytes = b"") -> tuple[GrowingFile, str, int]:
        """The increment to go on with, its name and size. What is missing is made: an increment, and a base that holds `base`."""
        manifest = self.manifest.copy()
        files = self.files
        if manifest.empty():
            name = manifest.new_base(self.filename, rdb=bool(base)).name
            files.write_whole(self.path(), f"temp-{name}", name, base)
            log.log(NOTICE, "Creating AOF base file %s on server start", name)
        created = not manifest.increments
        if created:
            manifest.new_increment(self.filename, start_offset)
        entry = manifest.increments[-1]
        entry.end_offset = -1  # it grows again
        try:
            file = files.open_growing(self.path(entry.name))
        except OSError as error:
            raise DirectoryError(f"Can't open the append-only file {entry.name}: {error.strerror}", error) from None
        size = file.size()
        log.log(NOTICE, "%s AOF incr file %s on server start", "Creating" if created else "Opening", entry.name)
        if created and size:
            log.warning("%s was there though the manifest does not name it: its %d bytes will be part of the data", entry.name, size)
        if manifest.format() != self.manifest.format():
            self._persist_for(file, manifest)
        return file, entry.name, size

    # --- while running -----------------------------------------------------------------------------------------------------------

    def persist(self, manifest: Manifest) -> None:
        """Makes `manifest` the manifest."""
        name = f"{self.filename}.manifest"
        self.files.write_whole(self.path(), f"temp-{name}", name, manifest.format())
        self.manifest = manifest

    def add_increment(self, start_offset: int, end_offset: int) -> tuple[GrowingFile, str]:
        """A new, empty increment behind the others, for what happens from now on."""
        manifest = self.manifest.copy()
        if manifest.increments:
            manifest.increments[-1].end_offset = end_offset
        entry = manifest.new_increment(self.filename, start_offset)
        log.log(NOTICE, "Creating AOF incr file %s on background rewrite", entry.name)
        file = self.files.open_growing(self.path(entry.name), truncate=True)
        self._persist_for(file, manifest)
        return file, entry.name

    def _persist_for(self, file: GrowingFile, manifest: Manifest) -> None:
        """Makes `manifest`, which names the open `file`, the manifest; if that fails nothing is left open."""
        try:
            self.persist(manifest)
        except OSError:
            file.close()
            raise

    def replace_base(self, temporary: str, rdb: bool, keep: int) -> None:
        """Makes the file `temporary`, whole and synced, the base, for which all increments but the last `keep` are superfluous."""
        manifest = self.manifest.copy()
        name = manifest.new_base(self.filename, rdb).name
        manifest.retire_increments(keep)
        self.files.rename(self.path(temporary), self.path(name))
        self.persist(manifest)
        log.log(NOTICE, "Successfully renamed the temporary AOF base file %s into %s", temporary, name)

    def prepare_anew(self, start_offset: int, rdb: bool) -> tuple[GrowingFile, Manifest]:
        """A new, empty increment that belongs to the data only once `start_anew` has given it a base; and the manifest for that."""
        self.claim()
        self.read_manifest()
        manifest = self.manifest.copy()
        manifest.retire_increments(keep=0)
        manifest.new_base(self.filename, rdb)
        entry = manifest.new_increment(self.filename, start_offset)
        log.log(NOTICE, "Creating AOF incr file %s on background rewrite", entry.name)
        return self.files.open_growing(self.path(entry.name), truncate=True), manifest

    def start_anew(self, manifest: Manifest, temporary: str) -> None:
        """Makes the file `temporary`, whole and synced, the base of what `prepare_anew` began."""
        assert manifest.base is not None
        self.files.rename(self.path(temporary), self.path(manifest.base.name))
        self.persist(manifest)
        log.log(NOTICE, "Successfully renamed the temporary AOF base file %s into %s", temporary, manifest.base.name)

    def note_end(self, end_offset: int) -> None:
        """The server stops: the last increment ends here."""
        manifest = self.manifest.copy()
        if manifest.increments:
            manifest.increments[-1].end_offset = end_offset
            self.persist(manifest)

    def delete_history(self) -> None:
        """Deletes what no load will ever need again."""
        if not self.manifest.history:
            return
        manifest = self.manifest.copy()
        retired, manifest.history = manifest.history, []
        self.persist(manifest)
        for entry in retired:
            log.log(NOTICE, "Removing the history file %s in the background", entry.name)
            try:
                self.files.remove(self.path(entry.name))
            except OSError as error:
                log.warning("Could not remove %s: %s", entry.name, error.strerror)

    def size(self) -> int:
        """Bytes of all files that are to be loaded."""
        return sum(self.files.size(self.path(entry.name)) for entry in self.manifest.files())
