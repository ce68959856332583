"""Geohashes: places on earth as scores of a sorted set, and the areas that are searched among them.

A place is a cell of a grid of 2^26 by 2^26 over longitude and latitude. The bits of its column and row are interleaved (the latitude has
the even ones) to 52 bits, which a double holds exactly. So all places within a coarser cell are one range of scores, and an area is
searched in the cell its centre lies in and the eight around it, at the finest step at which those nine are sure to cover it.

Latitudes end at 85.05 degrees, as in Web Mercator, to make the grid square. Distances are those on a sphere (haversine).
See https://redis.io/docs/latest/commands/geoadd/ for the limits, and https://en.wikipedia.org/wiki/Geohash.
"""

from __future__ import annotations

import math
from typing import Final

from mypy_extensions import i64

LONGITUDE_MAX: Final = 180.0
LATITUDE_MAX: Final = 85.05112878
STEPS: Final = 26
"""Bits of a coordinate; the finest grid."""

_EARTH_RADIUS: Final = 6372797.560856
_RADIAN: Final = math.pi / 180.0
_WORLD: Final = 20037726.37
"""Half the width of the world in metres, in Web Mercator."""
_ALPHABET: Final = b"0123456789bcdefghjkmnpqrstuvwxyz"
_EVEN: Final = 0x5555555555555555

# The neighbours of a cell in the order they are searched, as moves of column and row: north, south, east, west, then the corners.
_MOVES: Final = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)]


# --- places and scores -----------------------------------------------------------------------------------------------------------


def _spread(x: i64) -> i64:
    """The low 32 bits of `x`, a zero before each."""
    x = (x | x << 16) & 0x0000FFFF0000FFFF
    x = (x | x << 8) & 0x00FF00FF00FF00FF
    x = (x | x << 4) & 0x0F0F0F0F0F0F0F0F
    x = (x | x << 2) & 0x3333333333333333
    return (x | x << 1) & 0x5555555555555555


def _gather(x: i64) -> i64:
    """Every other bit of `x`, which has zeros between."""
    x = (x | x >> 1) & 0x3333333333333333
    x = (x | x >> 2) & 0x0F0F0F0F0F0F0F0F
    x = (x | x >> 4) & 0x00FF00FF00FF00FF
    x = (x | x >> 8) & 0x0000FFFF0000FFFF
    return (x | x >> 16) & 0x00000000FFFFFFFF


def _cell(value: float, limit: float, steps: int) -> int:
    """The column or row of a coordinate between `-limit` and `limit`. The upper limit itself lies one beyond the last."""
    return int((value + limit) / (limit + limit) * float(1 << steps))


def _edge(cell: int, limit: float, steps: int) -> float:
    """Where a column or row begins."""
    return float(cell) / float(1 << steps) * (limit + limit) - limit


def encode(longitude: float, latitude: float) -> int:
    """The score of a place, 52 bits (54 at the upper limits)."""
    column = _spread(_cell(longitude, LONGITUDE_MAX, STEPS))
    row = _spread(_cell(latitude, LATITUDE_MAX, STEPS))
    return column << 1 | row


def _as_bits(score: float) -> int:
    """A score as an unsigned 64-bit integer, as x86-64 converts what is out of range: a sorted set may hold any."""
    if -9223372036854775808.0 <= score < 18446744073709551616.0:
        return int(score) & 0xFFFFFFFFFFFFFFFF
    return 0 if score > 0 else 1 << 63


def decode(score: float) -> tuple[float, float]:
    """The longitude and latitude of the middle of a score's cell."""
    bits = _as_bits(score)
    column = _gather(bits >> 1 & _EVEN)
    row = _gather(bits & _EVEN)
    longitude = (_edge(column, LONGITUDE_MAX, STEPS) + _edge(column + 1, LONGITUDE_MAX, STEPS)) / 2.0
    latitude = (_edge(row, LATITUDE_MAX, STEPS) + _edge(row + 1, LATITUDE_MAX, STEPS)) / 2.0
    return min(longitude, LONGITUDE_MAX), min(latitude, LATITUDE_MAX)


def text(score: float) -> bytes:
    """The standard geohash of a score: eleven characters on a grid whose latitudes go to the poles. The last has no bits left: `0`."""
    longitude, latitude = decode(score)
    bits = int(_spread(_cell(longitude, LONGITUDE_MAX, STEPS))) << 1 | int(_spread(_cell(latitude, 90.0, STEPS)))
    return bytes([_ALPHABET[bits >> shift & 31] for shift in range(47, -1, -5)]) + b"0"


# --- distances -------------------------------------------------------------------------------------------------------------------


def _latitude_distance(one: float, other: float) -> float:
    return _EARTH_RADIUS * abs(other * _RADIAN - one * _RADIAN)


def distance(longitude1: float, latitude1: float, longitude2: float, latitude2: float) -> float:
    """Metres between two places."""
    v = math.sin((longitude2 * _RADIAN - longitude1 * _RADIAN) / 2.0)
    if v == 0.0:
        return _latitude_distance(latitude1, latitude2)
    one = latitude1 * _RADIAN
    other = latitude2 * _RADIAN
    u = math.sin((other - one) / 2.0)
    a = u * u + math.cos(one) * math.cos(other) * v * v
    return 2.0 * _EARTH_RADIUS * math.asin(min(math.sqrt(a), 1.0))


# --- areas -----------------------------------------------------------------------------------------------------------------------


def _steps_for(metres: float, latitude: float) -> int:
    """The steps at which nine cells reach that far from a place in the middle one; towards the poles cells get narrow."""
    if metres == 0.0:
        return STEPS
    steps = -1
    while metres < _WORLD:
        metres *= 2.0
        steps += 1
    if abs(latitude) > 66.0:
        steps -= 1
        if abs(latitude) > 80.0:
            steps -= 1
    return min(max(steps, 1), STEPS)


def _longitudes(metres: float, latitude: float) -> float:
    """How many degrees of longitude `metres` are at a latitude."""
    if not math.isfinite(latitude):
        return math.nan
    return metres / _EARTH_RADIUS / math.cos(latitude * _RADIAN) / _RADIAN


class Area:
    """A circle or, with `box`, a box around a place. Sizes are in metres: the radius, or half the width and height."""

    def __init__(self, longitude: float, latitude: float, half_width: float, half_height: float, box: bool) -> None:
        self.longitude = longitude
        self.latitude = latitude
        self.half_width = half_width
        self.half_height = half_height
        self.box = box

    def reach(self, longitude: float, latitude: float) -> float:
        """Metres from the centre to a place, -1 if the place is outside."""
        if self.box:
            if _latitude_distance(latitude, self.latitude) > self.half_height:
                return -1.0
            if distance(longitude, latitude, self.longitude, latitude) > self.half_width:
                return -1.0
            return distance(self.longitude, self.latitude, longitude, latitude)
        metres = distance(self.longitude, self.latitude, longitude, latitude)
        return metres if metres <= self.half_width else -1.0

    def ranges(self) -> list[tuple[float, float]]:
        """The ranges of scores, each from its first up to before its second, to look into for places of this area."""
        radius = math.sqrt(self.half_width * self.half_width + self.half_height * self.half_height) if self.box else self.half_width
        tall = self.half_height / _EARTH_RADIUS / _RADIAN
        south, north = self.latitude - tall, self.latitude + tall
        wide = _longitudes(self.half_width, south if self.latitude < 0.0 else north)
        west, east = self.longitude - wide, self.longitude + wide

        steps = _steps_for(radius, self.latitude)
        if steps > 1 and not self._covers(steps, west, south, east, north):
            steps -= 1
        column, row = self._centre(steps)
        # What lies within the middle cell on one side needs no cell beyond that side.
        no_south = no_north = no_west = no_east = False
        if steps >= 2:
            no_south = _edge(row, LATITUDE_MAX, steps) < south
            no_north = _edge(row + 1, LATITUDE_MAX, steps) > north
            no_west = _edge(column, LONGITUDE_MAX, steps) < west
            no_east = _edge(column + 1, LONGITUDE_MAX, steps) > east
        found: list[tuple[float, float]] = []
        last = -1
        for across, up in _MOVES:
            if (up < 0 and no_south) or (up > 0 and no_north) or (across < 0 and no_west) or (across > 0 and no_east):
                continue
            cell = self._moved(column, row, across, up, steps)
            if cell == last:  # the world is only two cells wide
                continue
            last = cell
            shift = 2 * (STEPS - steps)
            found.append((float(cell << shift), float((cell + 1) << shift)))
        return found

    def _centre(self, steps: int) -> tuple[int, int]:
        return _cell(self.longitude, LONGITUDE_MAX, steps), _cell(self.latitude, LATITUDE_MAX, steps)

    def _moved(self, column: int, row: int, across: int, up: int, steps: int) -> int:
        """The bits of a neighbouring cell; the grid is round in both directions."""
        mask = (1 << steps) - 1
        if across:
            column = (column + across) & mask
        if up:
            row = (row + up) & mask
        return int(_spread(column)) << 1 | int(_spread(row))

    def _covers(self, steps: int, west: float, south: float, east: float, north: float) -> bool:
        """Whether the nine cells reach to all sides of the area."""
        column, row = self._centre(steps)
        mask = (1 << steps) - 1
        return not (
            _edge(((row + 1) & mask) + 1, LATITUDE_MAX, steps) < north
            or _edge((row - 1) & mask, LATITUDE_MAX, steps) > south
            or _edge(((column + 1) & mask) + 1, LONGITUDE_MAX, steps) < east
            or _edge((column - 1) & mask, LONGITUDE_MAX, steps) > west
        )
