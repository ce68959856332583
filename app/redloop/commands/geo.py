"""Geo commands (https://redis.io/docs/latest/commands/?group=geo): sorted sets whose scores are places, see `values.geohash`.

GEOADD is a ZADD of the scores, and is replayed as one. All searches are one `Search`, which reads the options of GEOSEARCH and of the older
GEORADIUS commands alike; what a variant lacks it refuses.
"""

from __future__ import annotations

from typing import Final

from redloop.commands.sorted_set_ranges import store
from redloop.commands.sorted_sets import find, zadd
from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, READONLY, WRITE, family
from redloop.engine.options import Options
from redloop.errors import (
    GEO_ANY_WITHOUT_COUNT,
    GEO_BOX_NEGATIVE,
    GEO_COUNT,
    GEO_HEIGHT,
    GEO_MEMBER,
    GEO_RADIUS,
    GEO_RADIUS_NEGATIVE,
    GEO_UNIT,
    GEO_WIDTH,
    SYNTAX,
    RedisError,
    geo_one_of,
    geo_store_with,
    invalid_lon_lat,
)
from redloop.numbers import parse_float
from redloop.resp.replies import NULL_ARRAY, Reply
from redloop.values import geohash
from redloop.values.geohash import LATITUDE_MAX, LONGITUDE_MAX, Area
from redloop.values.partial_sort import part, ranks
from redloop.values.sorted_set import SortedSet

command = family("geo")

_UNITS: Final = {b"m": 1.0, b"km": 1000.0, b"ft": 0.3048, b"mi": 1609.34}

# Which options a search has.
RADIUS_READ: Final = 0
RADIUS: Final = 1
SEARCH: Final = 2
SEARCH_STORE: Final = 3

UNSORTED: Final = 0
ASCENDING: Final = 1
DESCENDING: Final = 2

_BATCH: Final = 100
"""Members looked at together when the search may stop early."""


# --- arguments -------------------------------------------------------------------------------------------------------------------


def _place(longitude_text: bytes, latitude_text: bytes) -> tuple[float, float]:
    longitude = parse_float(longitude_text)
    latitude = parse_float(latitude_text)
    if abs(longitude) > LONGITUDE_MAX or abs(latitude) > LATITUDE_MAX:
        raise RedisError(invalid_lon_lat(longitude, latitude))
    return longitude, latitude


def _unit(text: bytes) -> float:
    """Metres in a unit."""
    metres = _UNITS.get(text.lower())
    if metres is None:
        raise RedisError(GEO_UNIT)
    return metres


def _metres(distance: float, unit: float) -> bytes:
    """A distance as replies carry it."""
    return b"%.4f" % (distance / unit)


# --- adding and looking up -------------------------------------------------------------------------------------------------------


@command(
    "GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
    "Adds members with their places, or moves those that are there.",
    WRITE | DENYOOM, since="3.2.0", complexity="O(log(N))", keys="RW UPDATE", added={"6.2.0": "condition change"},
)
def geoadd(client: Client, argv: list[bytes]) -> Reply:
    at = 2
    only_new = only_there = False
    while at < len(argv):
        word = argv[at].upper()
        if word == b"NX":
            only_new = True
        elif word == b"XX":
            only_there = True
        elif word != b"CH":
            break
        at += 1
    if (len(argv) - at) % 3 or (only_new and only_there):
        raise RedisError(SYNTAX)
    as_zadd = [b"ZADD", *argv[1:at]]
    for place in range(at, len(argv), 3):
        longitude, latitude = _place(argv[place], argv[place + 1])
        as_zadd.append(b"%d" % geohash.encode(longitude, latitude))
        as_zadd.append(argv[place + 2])
    dirty = client.keyspace.dirty
    added = zadd(client, as_zadd)
    if client.keyspace.dirty != dirty:
        client.replay_as(as_zadd)
    return added


@command(
    "GEOPOS key [member [member ...]]", "The longitudes and latitudes of members.",
    READONLY, since="3.2.0", complexity="O(1)",
)
def geopos(client: Client, argv: list[bytes]) -> Reply:
    return [NULL_ARRAY if score is None else geohash.decode(score) for score in _scores(client, argv)]


@command(
    "GEOHASH key [member [member ...]]", "The places of members as geohash strings.",
    READONLY, since="3.2.0", complexity="O(1)",
)
def geohash_(client: Client, argv: list[bytes]) -> Reply:
    return [None if score is None else geohash.text(score) for score in _scores(client, argv)]


def _scores(client: Client, argv: list[bytes]) -> list[float | None]:
    found = find(client, argv[1])
    return [None if found is None else found.score(member) for member in argv[2:]]


@command(
    "GEODIST key member1 member2 [M | KM | FT | MI]", "The distance between two members.",
    READONLY, since="3.2.0", complexity="O(1)",
)
def geodist(client: Client, argv: list[bytes]) -> Reply:
    if len(argv) > 5:
        raise RedisError(SYNTAX)
    unit = _unit(argv[4]) if len(argv) == 5 else 1.0
    found = find(client, argv[1])
    if found is None:
        return None
    one, other = found.score(argv[2]), found.score(argv[3])
    if one is None or other is None:
        return None
    longitude1, latitude1 = geohash.decode(one)
    longitude2, latitude2 = geohash.decode(other)
    return _metres(geohash.distance(longitude1, latitude1, longitude2, latitude2), unit)


# --- searching -------------------------------------------------------------------------------------------------------------------


class Match:
    """A member inside the area, `distance` in metres from its centre."""

    def __init__(self, member: bytes, score: float, distance: float, longitude: float, latitude: float) -> None:
        self.member = member
        self.score = score
        self.distance = distance
        self.longitude = longitude
        self.latitude = latitude


def _distance_of(match: Match) -> float:
    return match.distance


def _sorted(matches: list[Match], descending: bool, count: int) -> list[Match]:
    """By distance; only the first `count` need be in order, if any number is given."""
    if 0 < count < len(matches):
        distances = [match.distance for match in matches]
        if len(set(distances)) < len(distances):
            return part(matches, ranks(distances, descending), 0, count - 1)
    return sorted(matches, key=_distance_of, reverse=descending)


class Search:
    """What is searched, where, and what is wanted of it."""

    def __init__(self, kind: int, found: SortedSet | None) -> None:
        self.kind = kind
        self.found = found
        self.unit = 1.0
        # The centre.
        self.from_member = False
        self.from_place = False
        self.longitude = 0.0
        self.latitude = 0.0
        # The area: the radius, or half the width and height, in metres.
        self.by_radius = False
        self.by_box = False
        self.half_width = 0.0
        self.half_height = 0.0
        # The answer.
        self.with_distance = False
        self.with_hash = False
        self.with_place = False
        self.order = UNSORTED
        self.count = 0
        self.any = False
        self.destination: bytes | None = None
        self.store_distance = False

    def centre_at(self, longitude: bytes, latitude: bytes) -> None:
        self.longitude, self.latitude = _place(longitude, latitude)

    def centre_on(self, member: bytes) -> None:
        if self.found is None:
            return
        score = self.found.score(member)
        if score is None:
            raise RedisError(GEO_MEMBER)
        self.longitude, self.latitude = geohash.decode(score)

    def radius(self, text: bytes, unit: bytes) -> None:
        radius = parse_float(text, GEO_RADIUS)
        if radius < 0.0:
            raise RedisError(GEO_RADIUS_NEGATIVE)
        self.unit = _unit(unit)
        self.half_width = self.half_height = radius * self.unit

    def size(self, width_text: bytes, height_text: bytes, unit: bytes) -> None:
        width = parse_float(width_text, GEO_WIDTH)
        height = parse_float(height_text, GEO_HEIGHT)
        if width < 0.0 or height < 0.0:
            raise RedisError(GEO_BOX_NEGATIVE)
        self.unit = _unit(unit)
        self.half_width = width * self.unit / 2.0
        self.half_height = height * self.unit / 2.0

    def read_options(self, argv: list[bytes], at: int) -> None:
        options = Options(argv, at)
        while options.more():
            word = options.word()
            match word:
                case b"WITHDIST":
                    self.with_distance = True
                case b"WITHHASH":
                    self.with_hash = True
                case b"WITHCOORD":
                    self.with_place = True
                case b"ANY":
                    self.any = True
                case b"ASC":
                    self.order = ASCENDING
                case b"DESC":
                    self.order = DESCENDING
                case b"COUNT":
                    self.count = options.integer()
                    if self.count <= 0:
                        raise RedisError(GEO_COUNT)
                case _:
                    self._read_option(word, options)

    def _read_option(self, word: bytes, options: Options) -> None:
        """What only some of the searches take."""
        searching = self.kind >= SEARCH
        if word in (b"STORE", b"STOREDIST") and self.kind == RADIUS and options.more():
            self.destination = options.value()
            self.store_distance = word == b"STOREDIST"
        elif word == b"STOREDIST" and self.kind == SEARCH_STORE:
            self.store_distance = True
        elif word == b"FROMMEMBER" and searching and options.more() and not self.from_place:
            self.centre_on(options.value())
            self.from_member = True
        elif word == b"FROMLONLAT" and searching and options.left() >= 2 and not self.from_member:
            self.centre_at(options.value(), options.value())
            self.from_place = True
        elif word == b"BYRADIUS" and searching and options.left() >= 2 and not self.by_box:
            self.radius(options.value(), options.value())
            self.by_radius = True
        elif word == b"BYBOX" and searching and options.left() >= 3 and not self.by_radius:
            self.size(options.value(), options.value(), options.value())
            self.by_box = True
        else:
            raise RedisError(SYNTAX)

    def check(self, name: bytes) -> None:
        """Whether the options go together; `name` is the command as the client wrote it."""
        if self.destination is not None and (self.with_distance or self.with_hash or self.with_place):
            raise RedisError(geo_store_with("STORE option in GEORADIUS" if self.kind == RADIUS else "GEOSEARCHSTORE"))
        if self.kind >= SEARCH:
            if not (self.from_member or self.from_place):
                raise RedisError(geo_one_of("FROMMEMBER or FROMLONLAT", name))
            if not (self.by_radius or self.by_box):
                raise RedisError(geo_one_of("BYRADIUS and BYBOX", name))
        if self.any and not self.count:
            raise RedisError(GEO_ANY_WITHOUT_COUNT)

    def matches(self, found: SortedSet) -> list[Match]:
        """The members wanted, in the order wanted."""
        area = Area(self.longitude, self.latitude, self.half_width, self.half_height, self.by_box)
        limit = self.count if self.any else 0
        matches: list[Match] = []
        for low, high in area.ranges():
            start, stop = found.by_score(low, False, high, True)
            while start < stop and (not limit or len(matches) < limit):
                end = min(start + _BATCH, stop) if limit else stop
                _collect(matches, area, found.members(start, end), found.scores(start, end), limit)
                start = end
        order = self.order
        if order == UNSORTED and self.count and not self.any:
            order = ASCENDING
        if order != UNSORTED:
            matches = _sorted(matches, order == DESCENDING, self.count)
        return matches[: self.count] if self.count else matches

    def reply(self, matches: list[Match]) -> list[object]:
        if not (self.with_distance or self.with_hash or self.with_place):
            return [match.member for match in matches]
        replies: list[object] = []
        for match in matches:
            parts: list[object] = [match.member]
            if self.with_distance:
                parts.append(_metres(match.distance, self.unit))
            if self.with_hash:
                parts.append(int(match.score))
            if self.with_place:
                parts.append((match.longitude, match.latitude))
            replies.append(parts)
        return replies


def _collect(matches: list[Match], area: Area, members: list[bytes], scores: list[float], limit: int) -> None:
    """Adds the members inside the area, up to `limit` in all if there is one."""
    for at in range(len(members)):
        longitude, latitude = geohash.decode(scores[at])
        distance = area.reach(longitude, latitude)
        if distance >= 0.0:
            matches.append(Match(members[at], scores[at], distance, longitude, latitude))
            if len(matches) == limit:
                return


def _answer(client: Client, search: Search, argv: list[bytes], options_at: int) -> Reply:
    search.read_options(argv, options_at)
    search.check(argv[0])
    matches = [] if search.found is None else search.matches(search.found)
    if search.destination is None:
        return search.reply(matches)
    members = [match.member for match in matches]
    if search.store_distance:
        scores = [match.distance / search.unit for match in matches]
    else:
        scores = [match.score for match in matches]
    event = b"georadiusstore" if search.kind == RADIUS else b"geosearchstore"
    return store(client, search.destination, members, scores, event, len(members))


def _around_place(client: Client, argv: list[bytes], kind: int) -> Reply:
    search = Search(kind, find(client, argv[1]))
    search.centre_at(argv[2], argv[3])
    search.radius(argv[4], argv[5])
    return _answer(client, search, argv, 6)


def _around_member(client: Client, argv: list[bytes], kind: int) -> Reply:
    search = Search(kind, find(client, argv[1]))
    if search.found is not None:
        search.centre_on(argv[2])
        search.radius(argv[3], argv[4])
    return _answer(client, search, argv, 5)


@command(
    "GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> "
    "<BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> "
    "[ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    "The members inside a circle or a box.",
    READONLY, since="6.2.0", complexity="O(N+log(M))",
)
def geosearch(client: Client, argv: list[bytes]) -> Reply:
    return _answer(client, Search(SEARCH, find(client, argv[1])), argv, 2)


@command(
    "GEOSEARCHSTORE destination source <FROMMEMBER member | FROMLONLAT longitude latitude> "
    "<BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
    "Stores the members inside a circle or a box.",
    WRITE | DENYOOM, since="6.2.0", complexity="O(N+log(M))", keys="OW UPDATE, RO ACCESS",
)
def geosearchstore(client: Client, argv: list[bytes]) -> Reply:
    search = Search(SEARCH_STORE, find(client, argv[2]))
    search.destination = argv[1]
    return _answer(client, search, argv, 3)


@command(
    "GEORADIUS key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] "
    "[STORE key | STOREDIST key]",
    "The members within a distance of a place; gives or stores them.",
    WRITE | DENYOOM, since="3.2.0", complexity="O(N+log(M))", keys="RO ACCESS, OW UPDATE, OW UPDATE",
    names={"STORE": "store storekey", "STOREDIST": "storedistkey"}, added={"6.2.0": "any"}, deprecated="6.2.0",
    replaced_by="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
)
def georadius(client: Client, argv: list[bytes]) -> Reply:
    return _around_place(client, argv, RADIUS)


@command(
    "GEORADIUS_RO key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]",
    "The members within a distance of a place.",
    READONLY, since="3.2.10", complexity="O(N+log(M))", added={"6.2.0": "any"}, deprecated="6.2.0",
    replaced_by="`GEOSEARCH` with the `BYRADIUS` argument",
)
def georadius_ro(client: Client, argv: list[bytes]) -> Reply:
    return _around_place(client, argv, RADIUS_READ)


@command(
    "GEORADIUSBYMEMBER key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] "
    "[STORE key | STOREDIST key]",
    "The members within a distance of one of them; gives or stores them.",
    WRITE | DENYOOM, since="3.2.0", complexity="O(N+log(M))", keys="RO ACCESS, OW UPDATE, OW UPDATE",
    names={"STORE": "store storekey", "STOREDIST": "storedistkey"}, deprecated="6.2.0",
    replaced_by="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
)
def georadiusbymember(client: Client, argv: list[bytes]) -> Reply:
    return _around_member(client, argv, RADIUS)


@command(
    "GEORADIUSBYMEMBER_RO key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]",
    "The members within a distance of one of them.",
    READONLY, since="3.2.10", complexity="O(N+log(M))", deprecated="6.2.0",
    replaced_by="`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
)
def georadiusbymember_ro(client: Client, argv: list[bytes]) -> Reply:
    return _around_member(client, argv, RADIUS_READ)
