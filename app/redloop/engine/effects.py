"""Effects: what a command leaves for the append-only file and the replicas.

A command that changed something is passed on word for word, unless its handler said `replay_as` (time, randomness, blocking must not be
decided twice). Effects gather in a unit: one command, one transaction or one script; a unit of several is wrapped in MULTI and EXEC. It
is encoded once for all sinks.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy_extensions import i64

from redloop.resp.encode import encode_command

Sink = Callable[[int, bytes], None]
"""sink(database index, commands as RESP): takes what is to be kept or passed on; -1 for no database in particular."""


class Effects:
    """Collects the effects of the unit that runs; nothing is collected while there are no sinks."""

    def __init__(self) -> None:
        self.sinks: tuple[Sink, ...] = ()
        self.depth: i64 = 0
        self.offset: i64 = 0
        self._unit: list[tuple[int, list[bytes]]] = []
        self._replaced = False

    def add_sink(self, sink: Sink) -> None:
        """From now on `sink` gets every effect."""
        self.sinks = (*self.sinks, sink)

    def remove_sink(self, sink: Sink) -> None:
        """`sink` gets no more."""
        self.sinks = tuple([other for other in self.sinks if other != sink])

    def replay_as(self, database: int, argv: list[bytes]) -> None:
        """The command that runs is replayed as `argv`; call it several times for several commands."""
        self._replaced = True
        if self.sinks:
            self._unit.append((database, argv))

    def replay_nothing(self) -> None:
        """The command that runs leaves no effect of its own."""
        self._replaced = True

    def also(self, database: int, argv: list[bytes]) -> None:
        """`argv` happened beside the command that runs (a key expired or was evicted)."""
        if self.sinks:
            self._unit.append((database, argv))

    def finish(self, database: int, argv: list[bytes], changed: bool) -> bool:
        """Called after each command; True if anything was passed on or waits in the unit."""
        if self._replaced:
            self._replaced = False
        elif changed and self.sinks:
            if not self._unit and self.depth == 0:
                self._emit(database, argv)
                return True
            self._unit.append((database, argv))
        if not self._unit:
            return False
        if self.depth == 0:
            self.commit()
        return True

    def mark(self) -> int:
        """Where the unit ends now, for `forget`."""
        return len(self._unit)

    def forget(self, mark: int) -> None:
        """Takes back what was collected since."""
        del self._unit[mark:]

    def commit(self, whole: bool = True) -> None:
        """Hands the unit to the sinks; `whole`: all of it is to happen or nothing."""
        unit = self._unit
        if not unit:
            return
        self._unit = []
        if whole and len(unit) > 1:
            unit = [(-1, [b"MULTI"]), *unit, (-1, [b"EXEC"])]
        for database, argv in unit:
            self._emit(database, argv)

    def _emit(self, database: int, argv: list[bytes]) -> None:
        data = encode_command(argv)
        self.offset += len(data)
        for sink in self.sinks:
            sink(database, data)
