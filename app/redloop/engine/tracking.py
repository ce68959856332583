"""Client-side caching: clients are told which keys they cache have changed (https://redis.io/docs/latest/develop/reference/client-side-caching/).

Two ways. A client that says CLIENT TRACKING ON is remembered at every key it reads, and told once when the key changes; with BCAST it is
told of every change of a key under its prefixes, of all of one tick in one message. Whom to tell: the client itself in RESP3, or another
connection (REDIRECT), which in RESP2 has to be a subscriber of something.

While nobody tracks there is no listener and no observer. Keys are remembered without their database. The table of keys holds at most
tracking-table-max-keys: beyond that any of them is forgotten, and those who cache it are told as if it had changed. What a client is to
be told of by its own command goes behind the command's reply (`Client.push_last`).
"""

from __future__ import annotations

from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import PUBSUB, READONLY, Command
from redloop.engine.keys import find_keys
from redloop.engine.server import Server
from redloop.errors import (
    BCAST_AND_OPT,
    OPTIN_AND_OPTOUT,
    PREFIX_WITHOUT_BCAST,
    SWITCHED_BCAST,
    SWITCHED_OPT,
    RedisError,
    prefix_overlaps,
)
from redloop.events import ASIDE, EVICTED, EXPIRED, FLUSHED, KEY_MISS, NEW, SWAPPED
from redloop.keyspace.database import Database
from redloop.resp.encode import NULL2, NULL3, array_header, encode

CHANNEL: Final = b"__redis__:invalidate"
UNINTERESTING: Final = KEY_MISS | NEW | ASIDE | FLUSHED | SWAPPED
RUNNERS: Final = frozenset({"eval_ro", "evalsha_ro", "fcall_ro"})
"""They name keys; what they run reads them."""
TRIM_MS: Final = 100
"""How often the table is looked at while no command does it."""
TRIM_KEYS: Final = 100
"""Keys forgotten at most before one command; more the longer that was not enough."""

_PUSH: Final = b">2\r\n$10\r\ninvalidate\r\n"
_MESSAGE: Final = b"*3\r\n$7\r\nmessage\r\n$20\r\n" + CHANNEL + b"\r\n"
_BROKEN: Final = b">2\r\n$21\r\ntracking-redir-broken\r\n:%d\r\n"


class Mode:
    """How a client tracks: the options of CLIENT TRACKING."""

    def __init__(self) -> None:
        self.redirect = 0  # the id of the client to tell instead
        self.bcast = False
        self.optin = False
        self.optout = False
        self.noloop = False
        self.prefixes: list[bytes] = []


class Tracker:
    """A client that tracks, or did on this connection."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.mode = Mode()
        self.broken = False  # whom it redirects to is gone


class Place:
    """A key in the table: who caches it, and where it stands in the list that one is drawn from."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.ids: set[int] = set()


class Table:
    """The keys that clients read, and which clients."""

    def __init__(self) -> None:
        self._places: dict[bytes, Place] = {}
        self._keys: list[bytes] = []
        self.items = 0

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: bytes, ident: int) -> None:
        """`ident` has read `key`."""
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = Place(len(self._keys))
            self._keys.append(key)
        if ident not in place.ids:
            place.ids.add(ident)
            self.items += 1

    def take(self, key: bytes) -> set[int] | None:
        """Those who read `key`, which is forgotten."""
        place = self._places.pop(key, None)
        if place is None:
            return None
        last = self._keys.pop()
        if last != key:
            self._keys[place.at] = last
            self._places[last].at = place.at
        self.items -= len(place.ids)
        return place.ids

    def draw(self, chance: float) -> bytes:
        """A key, any: `chance` is from 0 up to 1."""
        return self._keys[int(chance * len(self._keys))]

    def clear(self) -> None:
        self._places = {}
        self._keys = []
        self.items = 0


class Prefix:
    """A prefix that somebody wants to hear of: who, and which keys under it changed in this tick, by whom (ids; 0 for nobody)."""

    def __init__(self) -> None:
        self.trackers: dict[int, Tracker] = {}
        self.changed: dict[bytes, int] = {}


class Tracking:
    """Who tracks what on one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.table = Table()
        self.prefixes: dict[bytes, Prefix] = {}
        self._trackers: dict[int, Tracker] = {}  # every connection that said ON, until it leaves
        self._on = 0
        self._strained = 0  # how often in a row the table stayed too large
        self._gathering = False
        server.config.on_change("tracking-table-max-keys", self._limit)
        server.cron.every(TRIM_MS, self._trim)

    # --- on and off --------------------------------------------------------------------------------------------------------------

    def clients(self) -> int:
        """How many track."""
        return self._on

    def of(self, client: Client) -> Tracker | None:
        """How `client` tracks, None if it does not."""
        return self._trackers.get(client.id) if client.tracks else None

    def start(self, client: Client, mode: Mode) -> None:
        """CLIENT TRACKING ON."""
        old = self.of(client)
        _check(mode, old.mode if old is not None else None)
        wanted = mode.prefixes
        if mode.bcast:
            if old is not None:
                _check_overlap(wanted, old.mode.prefixes)
                mode.prefixes = old.mode.prefixes
            else:
                _check_overlap(wanted, [])
                mode.prefixes = []
        tracker = self._trackers.get(client.id)
        if tracker is None:
            tracker = Tracker(client)
            if not self._trackers:
                self.server.add_listener(self._changed, first=True)
                self.server.add_observer(self._remember)
            self._trackers[client.id] = tracker
            client.on_leave.append(self._leave)
        if not client.tracks:
            client.tracks = True
            self._on += 1
        tracker.mode = mode
        tracker.broken = False
        if mode.bcast:
            for prefix in wanted or [b""]:
                if prefix not in self.prefixes:
                    self.prefixes[prefix] = Prefix()
                self.prefixes[prefix].trackers[client.id] = tracker
                if prefix not in mode.prefixes:
                    mode.prefixes = sorted([*mode.prefixes, prefix])

    def stop(self, client: Client) -> None:
        """CLIENT TRACKING OFF. What the client has read stays in the table as long as it is connected: it may say ON again."""
        tracker = self.of(client)
        if tracker is None:
            return
        for name in tracker.mode.prefixes:
            prefix = self.prefixes[name]
            del prefix.trackers[client.id]
            if not prefix.trackers:
                del self.prefixes[name]
        tracker.mode = Mode()
        client.tracks = False
        client.caching = False
        self._on -= 1

    def _leave(self, client: Client) -> None:
        self.stop(client)
        del self._trackers[client.id]
        if not self._trackers:
            self.server.remove_listener(self._changed)
            self.server.remove_observer(self._remember)
            self.table.clear()
            self._limit()

    # --- what is read ------------------------------------------------------------------------------------------------------------

    def _remember(self, client: Client, command: Command, argv: list[bytes], spent: int) -> None:
        """The observer: notes the keys a tracking client has read, be it by a script."""
        reader: Client | None = self.server.current
        if reader is None or not reader.tracks or not command.flags & READONLY or command.flags & PUBSUB:
            return
        mode = self._trackers[reader.id].mode
        if mode.bcast or (mode.optin and not reader.caching) or (mode.optout and reader.caching) or command.name in RUNNERS:
            return
        try:
            found = find_keys(command.definition, argv)
        except ValueError:
            return
        table = self.table
        for key in found:
            table.add(argv[key.place], reader.id)
        if found:
            self._limit()

    # --- what changes ------------------------------------------------------------------------------------------------------------

    def _changed(self, database: Database, key: bytes, event_class: int, event: bytes) -> None:
        """The listener."""
        if event_class & UNINTERESTING:
            return
        if self.prefixes:
            self._gather(key, bool(event_class & (EXPIRED | EVICTED)))
        ids = self.table.take(key)
        if ids is not None:
            self._invalidate(key, ids, False)

    def _invalidate(self, key: bytes, ids: set[int], ahead: bool) -> None:
        """Tells those who have read `key`; `ahead`: before the reply of the command that is about to run."""
        keys = _keys([key])
        for ident in ids:
            tracker = self._trackers.get(ident)
            if tracker is None:
                continue
            client = tracker.client
            if not client.tracks or tracker.mode.bcast or (tracker.mode.noloop and client.running):
                continue
            self._tell(tracker, keys, ahead)

    def _gather(self, key: bytes, by_itself: bool) -> None:
        """Notes a changed key for the message at the end of the tick."""
        author = 0 if by_itself else self._author()
        for name, prefix in self.prefixes.items():
            if key.startswith(name):
                prefix.changed[key] = author
                if not self._gathering and self.server.defer is not None:
                    self._gathering = True
                    self.server.defer(self._broadcast)

    def _author(self) -> int:
        """The id of the client that changes a key; 0 where it does not know which: nobody, or a script of its."""
        scripts = self.server.scripts
        if self.server.current is None or (scripts is not None and scripts.busy.caller is not None):
            return 0
        ident: int = self.server.current.id
        return ident

    def _broadcast(self) -> None:
        self._gathering = False
        for prefix in list(self.prefixes.values()):
            changed = prefix.changed
            if not changed:
                continue
            prefix.changed = {}
            names = sorted(changed)
            everything = _keys(names)
            for ident, tracker in prefix.trackers.items():
                if not tracker.mode.noloop:
                    self._tell(tracker, everything, False)
                    continue
                others = [name for name in names if changed[name] != ident]
                if others:
                    self._tell(tracker, _keys(others), False)

    def flushed(self, client: Client, ahead: bool) -> None:
        """A database was emptied by `client`: whoever tracks is to forget all. `ahead`: `client` hears of it before it has its reply."""
        if not self._on:
            return
        self.table.clear()
        for tracker in self._trackers.values():
            if tracker.client.tracks:
                self._tell(tracker, NULL3 if tracker.client.resp3 else NULL2, ahead and tracker.client is client)

    def _tell(self, tracker: Tracker, what: bytes, ahead: bool) -> None:
        """Sends `what` (encoded: an array of keys, or null for all) to the tracking client, or where it redirects."""
        target = tracker.client
        redirect = tracker.mode.redirect
        if redirect:
            other: Client | None = self.server.clients.get(redirect)
            if other is None:
                tracker.broken = True
                if target.resp3:
                    target.push_last(_BROKEN % redirect)
                return
            target = other
        if target.resp3:
            data = _PUSH + what
        elif redirect and target.subscriptions:
            data = _MESSAGE + what
        else:
            return
        if ahead:
            target.push_ahead(data)
        elif redirect:
            target.push(data)
        else:
            target.push_last(data)

    # --- the table's size --------------------------------------------------------------------------------------------------------

    def _excess(self) -> int:
        most = self.server.config.tracking_table_max_keys
        return len(self.table) - most if most else 0

    def _limit(self) -> None:
        """Has the table trimmed before the next command, if it is too large; the guard stays until there is room again."""
        excess = self._excess()
        if excess > 0:
            self.server.add_guard(self._trim_first)
        elif self._trim_first in self.server.guards and -excess * 2 >= len(self.table):
            self.server.remove_guard(self._trim_first)

    def _trim_first(self, client: Client, command: Command, argv: list[bytes]) -> object:
        self._trim()
        return None

    def _trim(self) -> None:
        excess = self._excess()
        if excess <= 0:
            self._strained = 0
            return
        most = TRIM_KEYS * (self._strained + 1)
        self._strained = self._strained + 1 if excess > most else 0
        for _ in range(min(excess, most)):
            key = self.table.draw(self.server.random.random())
            ids = self.table.take(key)
            if ids is not None:
                self._invalidate(key, ids, True)

    # --- how it is shown ---------------------------------------------------------------------------------------------------------

    def redirection(self, client: Client) -> int:
        """Whom to tell: 0 the client itself, -1 nobody."""
        tracker = self.of(client)
        return tracker.mode.redirect if tracker is not None else -1

    def letters(self, client: Client) -> list[str]:
        """What CLIENT LIST shows among the flags."""
        tracker = self.of(client)
        if tracker is None:
            return []
        letters = ["t"]
        if tracker.broken:
            letters.append("R")
        if tracker.mode.bcast:
            letters.append("B")
        return letters

    def words(self, client: Client) -> list[object]:
        """The flags of CLIENT TRACKINGINFO."""
        tracker = self.of(client)
        if tracker is None:
            return [b"off"]
        mode = tracker.mode
        words: list[object] = [b"on"]
        if mode.bcast:
            words.append(b"bcast")
        if mode.optin:
            words.append(b"optin")
            if client.caching:
                words.append(b"caching-yes")
        if mode.optout:
            words.append(b"optout")
            if client.caching:
                words.append(b"caching-no")
        if mode.noloop:
            words.append(b"noloop")
        if tracker.broken:
            words.append(b"broken_redirect")
        return words


def _keys(keys: list[bytes]) -> bytes:
    out: list[bytes] = [array_header(len(keys))]
    for key in keys:
        encode(key, out, True)
    return b"".join(out)


def _check(mode: Mode, old: Mode | None) -> None:
    """Raises for options that do not go together, or with those in force."""
    if mode.prefixes and not mode.bcast:
        raise RedisError(PREFIX_WITHOUT_BCAST)
    if old is not None and old.bcast != mode.bcast:
        raise RedisError(SWITCHED_BCAST)
    if mode.bcast and (mode.optin or mode.optout):
        raise RedisError(BCAST_AND_OPT)
    if mode.optin and mode.optout:
        raise RedisError(OPTIN_AND_OPTOUT)
    if old is not None and ((mode.optin and old.optout) or (mode.optout and old.optin)):
        raise RedisError(SWITCHED_OPT)


def _check_overlap(wanted: list[bytes], present: list[bytes]) -> None:
    for at, prefix in enumerate(wanted):
        for other in present:
            if prefix.startswith(other) or other.startswith(prefix):
                raise RedisError(prefix_overlaps(prefix, "an existing prefix", other))
        for other in wanted[at + 1 :]:
            if prefix.startswith(other) or other.startswith(prefix):
                raise RedisError(prefix_overlaps(prefix, "another provided prefix", other))
