"""Long commands in slices (slice-long-commands, beyond Redis): others are served between them.

A command that would hold up everybody hands its work to `work_off`: the client is parked, what it sends waits its turn, and in each turn of
the loop a portion is done. Inside a transaction or a script there are no slices: nothing may come between. What is long, and what a client
sees of changes that come between, is the command's own affair; docs/memory.md says it. A portion is counted, not timed, so that a test can
count too.
"""

from __future__ import annotations

from mypy_extensions import i64, mypyc_attr

from redloop.engine.client import PARKED_LONG, Client


@mypyc_attr(allow_interpreted_subclasses=True)
class Work:
    """What a command has to do, in portions of a millisecond or less."""

    def advance(self) -> bool:
        """Does the next portion; False if that was the last."""
        return False

    def reply(self, out: list[bytes], resp3: bool) -> None:
        """Appends the reply as it goes out, when all is done."""


class Sliced:
    """A command on its way."""

    def __init__(self, client: Client, argv: list[bytes], work: Work) -> None:
        self.client = client
        self.argv = argv
        self.work = work
        self.spent: i64 = 0

    def go_on(self) -> None:
        """Does a portion, and answers after the last."""
        client = self.client
        server = client.server
        if client.closing:
            return
        start: i64 = client.clock.tick()
        more = self.work.advance()
        if not more:
            if not client.muted:
                self.work.reply(client.out, client.resp3)
        spent = client.clock.tick() - start
        self.spent += spent
        if more:
            assert server.defer is not None
            server.defer(self.go_on)
            return
        self._count()
        client.resume(PARKED_LONG)

    def _count(self) -> None:
        """All portions together are the time of the command."""
        server = self.client.server
        command = server.find_command(self.argv)
        if command is not None:
            command.ns += self.spent
            if self.spent >= server.slow_ns:
                for observer in server.slow_observers:
                    observer(self.client, command, self.argv, self.spent)


def may_slice(client: Client) -> bool:
    """Whether the command that runs may be worked off in slices."""
    server = client.server
    return server.config.slice_long_commands and server.defer is not None and not client.may_not_block and not client.obeyed


def work_off(client: Client, argv: list[bytes], work: Work) -> None:
    """Begins to work off a command that `may_slice`; its handler returns NOTHING."""
    client.park(PARKED_LONG)
    assert client.server.defer is not None
    client.server.defer(Sliced(client, argv, work).go_on)
