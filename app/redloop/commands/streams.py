"""Stream commands without groups (https://redis.io/docs/latest/commands/?group=stream).

What is passed on has no time and no guess in it: the id that XADD gave, the length that trimming with `~` left. Ids are integers, see
`values.stream_ids`. Reading on from an id is in `stream_reading`, groups are in `stream_groups`, XINFO is in `stream_info`.
"""

from __future__ import annotations

from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import Options, range_end, range_start, stream_id
from redloop.errors import (
    NO_SUCH_KEY,
    STREAM_ENTRY_TOO_LARGE,
    STREAM_EXHAUSTED,
    STREAM_LIMIT_NEGATIVE,
    STREAM_LIMIT_WITHOUT_TILDE,
    STREAM_LIMIT_WITHOUT_TRIM,
    STREAM_MAXLEN_NEGATIVE,
    STREAM_MAXLEN_WITH_MINID,
    SYNTAX,
    WRONGTYPE,
    XADD_SMALLER,
    XADD_ZERO,
    XSETID_ADDED_NEGATIVE,
    XSETID_ADDED_TOO_FEW,
    XSETID_BELOW_DELETED,
    XSETID_BELOW_NEW_DELETED,
    XSETID_SMALLER,
    XTRIM_WITHOUT_TRIM,
    RedisError,
    wrong_arity,
)
from redloop.events import ASIDE, STREAM
from redloop.resp.replies import NULL_ARRAY, OK, Reply
from redloop.values.stream import Stream
from redloop.values.stream_ids import MAX_ID, SEQUENCE_BITS, format_id
from redloop.values.stream_node import Entry

command = family("stream")

NODES_AT_ONCE: Final = 100
"""How many full nodes `~` trims at most in one command that gives no LIMIT."""
ENTRIES_AT_ONCE: Final = 10_000
"""How many entries, where the size of a node is not limited."""
MOST_AT_ONCE: Final = 1_000_000

# What the id given to XADD leaves open: all, the sequence, nothing.
ANY: Final = 0
IN_MILLISECOND: Final = 1
WHOLE: Final = 2


# --- looking up, replying --------------------------------------------------------------------------------------------------------


def as_stream(value: object) -> Stream | None:
    """A value looked up, which must be a stream if there is one."""
    if value is None or isinstance(value, Stream):
        return value
    raise RedisError(WRONGTYPE)


def _find(client: Client, key: bytes) -> Stream | None:
    return as_stream(client.db.find(key))


def _find_for_write(client: Client, key: bytes) -> Stream | None:
    return as_stream(client.db.find_for_write(key))


def entry_reply(entry: Entry) -> list[object]:
    return [format_id(entry[0]), entry[1]]


# --- trimming --------------------------------------------------------------------------------------------------------------------


class Trimming:
    """What XADD and XTRIM say of trimming, and where in the request."""

    def __init__(self, client: Client, argv: list[bytes]) -> None:
        self.argv = argv
        self.by_id = False
        self.approximate = False
        self.threshold = 0
        self.at = 0  # of the threshold; 0: no trimming
        self.limit = -1  # not given
        self.create = True
        self.end = 2  # behind the options
        self._node_entries = client.server.config.stream_node_max_entries
        self._obeyed = client.obeyed

    def read(self, adding: bool) -> None:
        """Reads the options; those of XADD end at the id."""
        argv = self.argv
        options = Options(argv, 2)
        while options.more():
            self.end = options.at
            word = options.word()
            if (word == b"MAXLEN" or word == b"MINID") and options.more():
                self._read_threshold(options, word == b"MINID")
            elif word == b"LIMIT" and options.more():
                self.limit = options.integer()
                if self.limit < 0:
                    raise RedisError(STREAM_LIMIT_NEGATIVE)
            elif word == b"NOMKSTREAM" and adding:
                self.create = False
            elif adding:
                break
            else:
                raise RedisError(SYNTAX)
        else:
            self.end = options.end

    def _read_threshold(self, options: Options, by_id: bool) -> None:
        if self.at:
            raise RedisError(STREAM_MAXLEN_WITH_MINID)
        self.by_id = by_id
        sign = self.argv[options.at]
        if options.left() > 1 and (sign == b"~" or sign == b"="):
            self.approximate = sign == b"~"
            options.at += 1
        self.at = options.at
        if by_id:
            self.threshold = stream_id(options.value())
            return
        self.threshold = options.integer()
        if self.threshold < 0:
            raise RedisError(STREAM_MAXLEN_NEGATIVE)

    def check_limit(self, adding: bool) -> None:
        """The last thing to be checked of the options."""
        if self.limit > 0 and not self.at:
            raise RedisError(STREAM_LIMIT_WITHOUT_TRIM)
        if not self.at and not adding:
            raise RedisError(XTRIM_WITHOUT_TRIM)
        if self.limit >= 0 and not self.approximate and not self._obeyed:  # an exact effect keeps its LIMIT, as in Redis's files
            raise RedisError(STREAM_LIMIT_WITHOUT_TILDE)

    def apply(self, found: Stream) -> int:
        """Trims, and returns how many entries went."""
        limit = self.limit
        if limit < 0:
            limit = 0
            if self.approximate:
                limit = min(self._node_entries * NODES_AT_ONCE, MOST_AT_ONCE) if self._node_entries > 0 else ENTRIES_AT_ONCE
        if self.by_id:
            return found.trim_before(self.threshold, self.approximate, limit)
        return found.trim_length(self.threshold, self.approximate, limit)

    def exact(self, found: Stream) -> list[bytes]:
        """The request with what `~` came to."""
        argv = self.argv.copy()
        if self.at and self.approximate:
            argv[self.at - 1] = b"="
            argv[self.at] = format_id(found.nodes[0].master if found.nodes else MAX_ID) if self.by_id else b"%d" % found.length
        return argv


@command(
    "XTRIM key <<MAXLEN | MINID> [= | ~] threshold [LIMIT count]>",
    "Drops the oldest entries of a stream, down to a length or up to an id.",
    WRITE, since="5.0.0", complexity="O(N)", keys="RW DELETE", tips="nondeterministic_output", added={"6.2.0": "minid count"},
)
def xtrim(client: Client, argv: list[bytes]) -> Reply:
    trimming = Trimming(client, argv)
    trimming.read(False)
    trimming.check_limit(False)
    key = argv[1]
    found = _find_for_write(client, key)
    if found is None:
        return 0
    dropped = trimming.apply(found)
    if dropped:
        client.db.changed(key, STREAM, b"xtrim", dropped)
        if trimming.approximate:
            client.replay_as(trimming.exact(found))
    return dropped


# --- adding ----------------------------------------------------------------------------------------------------------------------


@command(
    "XADD key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
    "Adds an entry to a stream, and may drop the oldest ones.",
    WRITE | DENYOOM | FAST, since="5.0.0", complexity="O(1)", keys="RW UPDATE", tips="nondeterministic_output",
    added={"6.2.0": "nomkstream minid count"},
)
def xadd(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    at = 2
    trimming: Trimming | None = None
    kind, ident = ANY, 0
    if argv[2] != b"*":
        trimming = Trimming(client, argv)
        trimming.read(True)
        at = trimming.end
        if at < len(argv):
            kind, ident = _wanted_id(argv[at])
        trimming.check_limit(True)
    pairs = argv[at + 1 :]
    if not pairs or len(pairs) & 1:
        raise RedisError(wrong_arity("xadd"))
    if kind == WHOLE and ident == 0:
        raise RedisError(XADD_ZERO)
    db = client.db
    found = _find_for_write(client, key)
    if found is None:
        if trimming is not None and not trimming.create:
            return None
        found = Stream()
        ident = _new_id(client, found, kind, ident)
        _append(client, found, ident, pairs)
        db.put(key, found)
    else:
        ident = _new_id(client, found, kind, ident)
        _append(client, found, ident, pairs)
    db.changed(key, STREAM, b"xadd")
    if trimming is not None and trimming.at and trimming.apply(found):
        db.changed(key, STREAM, b"xtrim", 0)
    name = format_id(ident)
    if client.server.effects.sinks and (kind != WHOLE or (trimming is not None and trimming.approximate)):
        effect = argv.copy() if trimming is None else trimming.exact(found)
        if kind != WHOLE:
            effect[at] = name
        client.replay_as(effect)
    return name


def _wanted_id(text: bytes) -> tuple[int, int]:
    """What XADD's id says: its kind, and the id as far as it is given."""
    if text == b"*":
        return ANY, 0
    if text.endswith(b"-*"):
        return IN_MILLISECOND, stream_id(text[:-1] + b"0")
    return WHOLE, stream_id(text)


def _new_id(client: Client, found: Stream, kind: int, ident: int) -> int:
    """The id of the entry to be added."""
    if found.last_id == MAX_ID:
        raise RedisError(STREAM_EXHAUSTED)
    if kind == ANY:
        return found.next_id(client.clock.ms)
    if kind == IN_MILLISECOND:
        ident = found.next_in(ident >> SEQUENCE_BITS)
    if ident <= found.last_id:
        raise RedisError(XADD_SMALLER)
    return ident


def _append(client: Client, found: Stream, ident: int, pairs: list[bytes]) -> None:
    config = client.server.config
    if not found.append(ident, pairs, config.stream_node_max_bytes, config.stream_node_max_entries):
        raise RedisError(STREAM_ENTRY_TOO_LARGE)


@command(
    "XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    "Sets the last id of a stream; meant for replication.",
    WRITE | DENYOOM | FAST, since="5.0.0", complexity="O(1)", keys="RW UPDATE", added={"7.0.0": "entries-added max-deleted-id"},
)
def xsetid(client: Client, argv: list[bytes]) -> Reply:
    ident = stream_id(argv[2])
    entries_added, max_deleted = -1, 0
    options = Options(argv, 3)
    while options.more():
        match options.word():
            case b"ENTRIESADDED":
                entries_added = options.integer()
                if entries_added < 0:
                    raise RedisError(XSETID_ADDED_NEGATIVE)
            case b"MAXDELETEDID":
                max_deleted = stream_id(options.value())
                if ident < max_deleted:
                    raise RedisError(XSETID_BELOW_NEW_DELETED)
            case _:
                raise RedisError(SYNTAX)
    key = argv[1]
    found = _find_for_write(client, key)
    if found is None:
        raise RedisError(NO_SUCH_KEY)
    if ident < found.max_deleted_id:
        raise RedisError(XSETID_BELOW_DELETED)
    if found.length:
        if ident < found.edge(True):
            raise RedisError(XSETID_SMALLER)
        if 0 <= entries_added < found.length:
            raise RedisError(XSETID_ADDED_TOO_FEW)
    found.last_id = ident
    if entries_added >= 0:
        found.entries_added = entries_added
    if max_deleted:
        found.max_deleted_id = max_deleted
    client.db.changed(key, STREAM | ASIDE, b"xsetid")
    return OK


# --- removing --------------------------------------------------------------------------------------------------------------------


@command(
    "XDEL key id [id ...]",
    "Deletes entries of a stream.",
    WRITE | FAST, since="5.0.0", complexity="O(1)", keys="RW DELETE",
)
def xdel(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = _find_for_write(client, key)
    if found is None:
        return 0
    deleted = 0
    for ident in [stream_id(text) for text in argv[2:]]:
        deleted += found.delete(ident)
    if deleted:
        found.deleted()
        client.db.changed(key, STREAM, b"xdel", deleted)
    return deleted


# --- reading ---------------------------------------------------------------------------------------------------------------------


@command("XLEN key", "How many entries a stream has.", READONLY | FAST, since="5.0.0", complexity="O(1)", keys="RO")
def xlen(client: Client, argv: list[bytes]) -> Reply:
    found = _find(client, argv[1])
    return 0 if found is None else found.length


def _range(client: Client, argv: list[bytes], start: bytes, end: bytes, back: bool) -> Reply:
    first, last = range_start(start), range_end(end)
    count = -1
    options = Options(argv, 4)
    while options.more():
        if not options.next_is(b"COUNT"):
            raise RedisError(SYNTAX)
        count = max(0, options.integer())
    found = _find(client, argv[1])
    if found is None:
        return []
    if count == 0:
        return NULL_ARRAY
    count = max(0, count)
    entries = found.range_back(first, last, count) if back else found.range(first, last, count)
    return [entry_reply(entry) for entry in entries]


@command(
    "XRANGE key start end [COUNT count]",
    "The entries of a stream from one id to another.",
    READONLY, since="5.0.0", complexity="O(N)", types={"start": "string", "end": "string"},
)
def xrange_(client: Client, argv: list[bytes]) -> Reply:
    return _range(client, argv, argv[2], argv[3], False)


@command(
    "XREVRANGE key end start [COUNT count]",
    "The entries of a stream from one id back to another.",
    READONLY, since="5.0.0", complexity="O(N)", types={"end": "string", "start": "string"},
)
def xrevrange(client: Client, argv: list[bytes]) -> Reply:
    return _range(client, argv, argv[3], argv[2], True)
