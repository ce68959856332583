"""Sorted set commands on members: add, score, rank, remove, pop, draw (https://redis.io/docs/latest/commands/?group=sorted-set).

Ranges are in sorted_set_ranges.py, unions and their kin in sorted_set_algebra.py. Scores leave as floats: RESP3 has a type for them, for
RESP2 the encoder prints them. Members with scores are pairs in RESP3 and a flat array in RESP2 (`scored`).
"""

from __future__ import annotations

import math
from typing import Final

from mypy_extensions import i64

from redloop.commands.scanning import ScanRequest, no_elements
from redloop.engine.blocking import block, wait_ms
from redloop.engine.client import Client
from redloop.engine.command import BLOCKING, DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import Options, final_count, keys_after_count, parse_int_in_range
from redloop.errors import (
    NUMKEYS_NOT_POSITIVE,
    OUT_OF_RANGE,
    SCORE_NAN,
    SYNTAX,
    WRONGTYPE,
    ZADD_GT_LT_NX,
    ZADD_INCR_PAIRS,
    ZADD_NX_XX,
    RedisError,
    wrong_arity,
)
from redloop.events import GENERIC, ZSET
from redloop.numbers import INT64_MAX, format_double, parse_float, parse_positive
from redloop.resp.replies import NULL_ARRAY, Reply
from redloop.values.sorted_set import SortedSet

command = family("sorted-set")

# Conditions of ZADD.
NX: Final = 1
XX: Final = 2
GT: Final = 4
LT: Final = 8

NINE: Final = 57


# --- looking up ------------------------------------------------------------------------------------------------------------------


def as_sorted_set(value: object) -> SortedSet | None:
    """A value that must be a sorted set if it is there."""
    if value is None or isinstance(value, SortedSet):
        return value
    raise RedisError(WRONGTYPE)


def find(client: Client, key: bytes) -> SortedSet | None:
    return as_sorted_set(client.db.find(key))


def find_for_write(client: Client, key: bytes) -> SortedSet | None:
    return as_sorted_set(client.db.find_for_write(key))


def taken(client: Client, key: bytes, found: SortedSet, event: bytes, changes: int) -> None:
    """Members were taken from `key`: an empty set goes."""
    client.db.changed(key, ZSET, event, changes)
    if not len(found):
        client.db.remove(key)
        client.db.changed(key, GENERIC, b"del", 0)


def scored(client: Client, members: list[bytes], scores: list[float]) -> list[object]:
    """Members with their scores, as a reply."""
    if client.resp3:
        return [[member, score] for member, score in zip(members, scores, strict=True)]
    flat: list[object] = []
    for at in range(len(members)):
        flat.append(members[at])
        flat.append(scores[at])
    return flat


# --- adding ----------------------------------------------------------------------------------------------------------------------


@command(
    "ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
    "Adds members with their scores, or changes the scores of those that are there.",
    WRITE | DENYOOM | FAST, since="1.2.0", complexity="O(log(N))", keys="RW UPDATE", names={"INCR": "increment"},
    added={"3.0.2": "condition change increment", "6.2.0": "comparison"},
)
def zadd(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) == 4 and begins_as_number(argv[2]):
        return _add_one(client, argv[1], parse_float(argv[2]), argv[3])
    conditions = 0
    changes_count = False
    increment = False
    at = 2
    while at < len(argv) and argv[at].isalpha():
        word = argv[at].upper()
        if word == b"NX":
            conditions |= NX
        elif word == b"XX":
            conditions |= XX
        elif word == b"GT":
            conditions |= GT
        elif word == b"LT":
            conditions |= LT
        elif word == b"CH":
            changes_count = True
        elif word == b"INCR":
            increment = True
        else:
            break
        at += 1
    pairs = argv[at:]
    if not pairs or len(pairs) % 2:
        raise RedisError(SYNTAX)
    if conditions & NX and conditions & XX:
        raise RedisError(ZADD_NX_XX)
    if (conditions & GT and conditions & (NX | LT)) or (conditions & LT and conditions & NX):
        raise RedisError(ZADD_GT_LT_NX)
    if increment:
        if len(pairs) > 2:
            raise RedisError(ZADD_INCR_PAIRS)
        return _increment(client, argv[1], parse_float(pairs[0]), pairs[1], conditions)
    added, updated = _add(client, argv[1], pairs, conditions)
    return added + updated if changes_count else added


def begins_as_number(text: bytes) -> bool:
    """Whether it cannot be one of ZADD's words."""
    return len(text) > 0 and text[0] <= NINE


def _add_one(client: Client, key: bytes, score: float, member: bytes) -> int:
    """Adds a member without conditions; returns whether it is new."""
    found = _find_or_create(client, key, 1)
    _admit(client, found, member)
    answer: i64 = found.add(member, score)
    if answer:
        client.db.changed(key, ZSET, b"zadd")
    return 1 if answer > 0 else 0


def _find_or_create(client: Client, key: bytes, count: int) -> SortedSet:
    """The sorted set at `key`, made if there is none. Redis chooses an encoding by the pairs to come, twice the same or not."""
    found = find_for_write(client, key)
    limit = client.server.config.zset_max_listpack_entries
    if found is None:
        found = SortedSet()
        if count > limit or limit == 0:
            found.compact = False
        client.db.put(key, found)
    elif count > limit:
        found.compact = False
    return found


def _admit(client: Client, found: SortedSet, member: bytes) -> None:
    """Before a member is added: Redis converts a listpack that would grow past a limit first."""
    if found.compact:
        config = client.server.config
        if (len(member) > config.zset_max_listpack_value or len(found) >= config.zset_max_listpack_entries) and member not in found:
            found.compact = False


def _allowed(conditions: int, before: float | None, score: float) -> bool:
    """Whether ZADD's conditions let `score` replace `before`."""
    if before is None:
        return not conditions & XX
    if conditions & NX:
        return False
    return not (conditions & GT and score <= before) and not (conditions & LT and score >= before)


def _add(client: Client, key: bytes, pairs: list[bytes], conditions: int) -> tuple[int, int]:
    """Adds scores and members; returns how many are new and how many have another score."""
    scores = [parse_float(pairs[place]) for place in range(0, len(pairs), 2)]
    if conditions & XX and find_for_write(client, key) is None:
        return 0, 0
    found = _find_or_create(client, key, len(scores))
    added = updated = 0
    for place, score in enumerate(scores):
        member = pairs[2 * place + 1]
        if conditions:
            before = found.score(member)
            if not _allowed(conditions, before, score):
                continue
        _admit(client, found, member)
        answer = found.add(member, score)
        if answer > 0:
            added += 1
        elif answer < 0:
            updated += 1
    if added or updated:
        client.db.changed(key, ZSET, b"zadd", added + updated)
    return added, updated


def _increment(client: Client, key: bytes, increment: float, member: bytes, conditions: int) -> float | None:
    """Adds to the score of one member; None if the conditions forbid it."""
    found = find_for_write(client, key)
    before = None if found is None else found.score(member)
    score = increment if before is None else before + increment
    if math.isnan(score):
        raise RedisError(SCORE_NAN)
    if not _allowed(conditions, before, score):
        return None
    if found is None:
        found = _find_or_create(client, key, 1)
    _admit(client, found, member)
    found.add(member, score)
    if before is None or before != score:
        client.db.changed(key, ZSET, b"zincr")
    return score


@command(
    "ZINCRBY key increment member",
    "Adds to the score of a member; a missing one counts as zero.",
    WRITE | DENYOOM | FAST, since="1.2.0", complexity="O(log(N))", keys="RW ACCESS UPDATE",
)
def zincrby(client: Client, argv: list[bytes]) -> Reply:
    return _increment(client, argv[1], parse_float(argv[2]), argv[3], 0)


@command(
    "ZREM key member [member ...]",
    "Removes members; gives how many of them were there.",
    WRITE | FAST, since="1.2.0", complexity="O(M*log(N))", keys="RW DELETE",
)
def zrem(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    found = find_for_write(client, key)
    if found is None:
        return 0
    removed = 0
    for at in range(2, len(argv)):
        if found.remove(argv[at]):
            removed += 1
    if removed:
        taken(client, key, found, b"zrem", removed)
    return removed


# --- asking ----------------------------------------------------------------------------------------------------------------------


@command("ZCARD key", "How many members a sorted set has.", READONLY | FAST, since="1.2.0", complexity="O(1)", keys="RO")
def zcard(client: Client, argv: list[bytes]) -> Reply:
    found = find(client, argv[1])
    return 0 if found is None else len(found)


@command("ZSCORE key member", "The score of a member.", READONLY | FAST, since="1.2.0", complexity="O(1)")
def zscore(client: Client, argv: list[bytes]) -> Reply:
    found = find(client, argv[1])
    return None if found is None else found.score(argv[2])


@command("ZMSCORE key member [member ...]", "The scores of members.", READONLY | FAST, since="6.2.0", complexity="O(N)")
def zmscore(client: Client, argv: list[bytes]) -> Reply:
    found = find(client, argv[1])
    return [None if found is None else found.score(member) for member in argv[2:]]


@command(
    "ZRANK key member [WITHSCORE]", "How many members come before a member.",
    READONLY | FAST, since="2.0.0", complexity="O(log(N))", added={"7.2.0": ""},
)
def zrank(client: Client, argv: list[bytes]) -> Reply:
    return _rank(client, argv, False)


@command(
    "ZREVRANK key member [WITHSCORE]", "How many members come after a member.",
    READONLY | FAST, since="2.0.0", complexity="O(log(N))", added={"7.2.0": ""},
)
def zrevrank(client: Client, argv: list[bytes]) -> Reply:
    return _rank(client, argv, True)


def _rank(client: Client, argv: list[bytes], reverse: bool) -> Reply:
    with_score = len(argv) == 4
    if len(argv) > 4:
        raise RedisError(wrong_arity("zrevrank" if reverse else "zrank"))
    if with_score and argv[3].upper() != b"WITHSCORE":
        raise RedisError(SYNTAX)
    found = find(client, argv[1])
    rank = -1 if found is None else found.rank(argv[2])
    if found is None or rank < 0:
        return NULL_ARRAY if with_score else None
    answer = len(found) - 1 - rank if reverse else rank
    return [answer, found.scores(rank, rank + 1)[0]] if with_score else answer


@command(
    "ZSCAN key cursor [MATCH pattern] [COUNT count]",
    "Some members of a sorted set with their scores, and the cursor to go on with.",
    READONLY, since="2.8.0", complexity="O(1)", tips="nondeterministic_output",
)
def zscan(client: Client, argv: list[bytes]) -> Reply:
    request = ScanRequest(argv)
    found = find(client, argv[1])
    if found is None:
        return no_elements()
    request.read_options(False)
    cursor, members = found.scan(request.cursor, request.count)
    flat: list[object] = []
    for member in request.selected(members):
        score = found.score(member)
        if score is not None:
            flat.append(member)
            # Redis keeps the text in a listpack, and prints the score of a skiplist in another way than everywhere else.
            flat.append(format_double(score) if found.compact else b"%.17g" % score)
    return [b"%d" % cursor, flat]


@command(
    "ZRANDMEMBER key [count [WITHSCORES]]",
    "Members drawn at random: different ones, or with a negative count each drawn from all.",
    READONLY, since="6.2.0", complexity="O(N)", tips="nondeterministic_output",
)
def zrandmember(client: Client, argv: list[bytes]) -> Reply:
    random = client.server.random
    if len(argv) == 2:
        found = find(client, argv[1])
        return None if found is None else found.sample(random)
    count = parse_int_in_range(argv[2], -INT64_MAX, INT64_MAX)
    if len(argv) > 4 or (len(argv) == 4 and argv[3].upper() != b"WITHSCORES"):
        raise RedisError(SYNTAX)
    with_scores = len(argv) == 4
    if with_scores and abs(count) > INT64_MAX // 2:
        raise RedisError(OUT_OF_RANGE)
    found = find(client, argv[1])
    if found is None or count == 0:
        return []
    size = len(found)
    if count < 0:
        ranks = [int(random.random() * size) for _ in range(-count)]
    elif count >= size:
        ranks = list(range(size - 1, -1, -1))
    else:
        ranks = random.sample(range(size), count)
    members = [found.members(rank, rank + 1)[0] for rank in ranks]
    if not with_scores:
        return members
    return scored(client, members, [found.scores(rank, rank + 1)[0] for rank in ranks])


# --- popping ---------------------------------------------------------------------------------------------------------------------


def _pop(client: Client, key: bytes, found: SortedSet, lowest: bool, count: int) -> tuple[list[bytes], list[float]]:
    """Takes up to `count` members from one end, the outermost first."""
    size = len(found)
    count = min(count, size)
    start = 0 if lowest else size - count
    scores = found.scores(start, start + count)
    members = found.cut(start, start + count)
    if not lowest:
        scores.reverse()
        members.reverse()
    taken(client, key, found, b"zpopmin" if lowest else b"zpopmax", count)
    return members, scores


def _pop_one(client: Client, key: bytes, found: SortedSet, lowest: bool) -> tuple[bytes, float]:
    popped = found.pop(lowest)
    taken(client, key, found, b"zpopmin" if lowest else b"zpopmax", 1)
    return popped


def _pop_command(client: Client, argv: list[bytes], lowest: bool) -> Reply:
    key = argv[1]
    if len(argv) > 3:
        raise RedisError(SYNTAX)
    count = parse_positive(argv[2]) if len(argv) == 3 else 1
    found = find_for_write(client, key)
    if found is None or count == 0:
        return []
    if len(argv) == 2:
        member, score = _pop_one(client, key, found, lowest)
        return [member, score]
    members, scores = _pop(client, key, found, lowest, count)
    return scored(client, members, scores)


@command(
    "ZPOPMIN key [count]",
    "Takes the member with the lowest score, or the lowest few.",
    WRITE | FAST, since="5.0.0", complexity="O(log(N)*M)", keys="RW ACCESS DELETE",
)
def zpopmin(client: Client, argv: list[bytes]) -> Reply:
    return _pop_command(client, argv, True)


@command(
    "ZPOPMAX key [count]",
    "Takes the member with the highest score, or the highest few.",
    WRITE | FAST, since="5.0.0", complexity="O(log(N)*M)", keys="RW ACCESS DELETE",
)
def zpopmax(client: Client, argv: list[bytes]) -> Reply:
    return _pop_command(client, argv, False)


def _end_and_count(argv: list[bytes], at: int) -> tuple[bool, int]:
    """`<MIN | MAX> [COUNT count]`, the last words of a request."""
    options = Options(argv, at)
    if not options.more():
        raise RedisError(SYNTAX)
    end = options.word()
    if end not in (b"MIN", b"MAX"):
        raise RedisError(SYNTAX)
    return end == b"MIN", final_count(options)


def _pop_from_first(client: Client, keys: list[bytes], lowest: bool, count: int) -> Reply:
    """Takes members from the first sorted set that is there: key and pairs, None if there is none."""
    for key in keys:
        found = find_for_write(client, key)
        if found is not None:
            members, scores = _pop(client, key, found, lowest, count)
            client.replay_as([b"ZPOPMIN" if lowest else b"ZPOPMAX", key, b"%d" % len(members)])
            return [key, [[member, score] for member, score in zip(members, scores, strict=True)]]
    return None


@command(
    "ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]",
    "Takes members from the first of several sorted sets that is not empty.",
    WRITE, since="7.0.0", complexity="O(K)+O(M*log(N))", keys="RW ACCESS DELETE",
)
def zmpop(client: Client, argv: list[bytes]) -> Reply:
    keys = keys_after_count(argv, 1, NUMKEYS_NOT_POSITIVE)
    lowest, count = _end_and_count(argv, 2 + len(keys))
    popped = _pop_from_first(client, keys, lowest, count)
    return NULL_ARRAY if popped is None else popped


# --- blocking --------------------------------------------------------------------------------------------------------------------


def _block_pop(client: Client, argv: list[bytes], lowest: bool) -> Reply:
    timeout = wait_ms(client, argv[-1])
    keys = argv[1:-1]
    for key in keys:
        found = find_for_write(client, key)
        if found is not None:
            member, score = _pop_one(client, key, found, lowest)
            client.replay_as([b"ZPOPMIN" if lowest else b"ZPOPMAX", key])
            return [key, member, score]
    return block(client, argv, keys, timeout, NULL_ARRAY, SortedSet.type_name)


@command(
    "BZPOPMIN key [key ...] timeout",
    "Takes the lowest member of the first sorted set that is not empty, waiting for one.",
    WRITE | BLOCKING | FAST, since="5.0.0", complexity="O(log(N))", keys="RW ACCESS DELETE",
)
def bzpopmin(client: Client, argv: list[bytes]) -> Reply:
    return _block_pop(client, argv, True)


@command(
    "BZPOPMAX key [key ...] timeout",
    "Takes the highest member of the first sorted set that is not empty, waiting for one.",
    WRITE | BLOCKING | FAST, since="5.0.0", complexity="O(log(N))", keys="RW ACCESS DELETE",
)
def bzpopmax(client: Client, argv: list[bytes]) -> Reply:
    return _block_pop(client, argv, False)


@command(
    "BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    "Takes members from the first of several sorted sets that is not empty, waiting for one.",
    WRITE | BLOCKING, since="7.0.0", complexity="O(K)+O(M*log(N))", keys="RW ACCESS DELETE",
)
def bzmpop(client: Client, argv: list[bytes]) -> Reply:
    keys = keys_after_count(argv, 2, NUMKEYS_NOT_POSITIVE)
    lowest, count = _end_and_count(argv, 3 + len(keys))
    timeout = wait_ms(client, argv[1])
    popped = _pop_from_first(client, keys, lowest, count)
    return block(client, argv, keys, timeout, NULL_ARRAY, SortedSet.type_name) if popped is None else popped
