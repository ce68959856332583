"""Geohashes: what scores mean, and that the ranges an area is searched in hold all that is inside it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from redloop.values import geohash
from redloop.values.geohash import LATITUDE_MAX, LONGITUDE_MAX, Area

# The upper bounds are beyond the last cell, in Redis too: their scores have more bits than a double holds.
longitudes = st.floats(-LONGITUDE_MAX, LONGITUDE_MAX - 1e-6)
latitudes = st.floats(-LATITUDE_MAX, LATITUDE_MAX - 1e-6)
nearby = st.floats(-0.5, 0.5)


@given(longitudes, latitudes)
def test_a_place_comes_back_within_a_cell(longitude: float, latitude: float) -> None:
    found = geohash.decode(float(geohash.encode(longitude, latitude)))
    assert abs(found[0] - longitude) <= 2 * LONGITUDE_MAX / (1 << geohash.STEPS)
    assert abs(found[1] - latitude) <= 2 * LATITUDE_MAX / (1 << geohash.STEPS)


def test_the_standard_text() -> None:
    """The example of the Wikipedia article (57.64911, 10.40744), as far as 52 bits go."""
    assert geohash.text(float(geohash.encode(10.40744, 57.64911))).startswith(b"u4pruydqqv")


@given(st.floats(-170, 170), st.floats(-75, 75), nearby, nearby, st.floats(1, 100_000), st.booleans())
def test_ranges_hold_what_is_inside(longitude: float, latitude: float, east: float, north: float, size: float, box: bool) -> None:
    area = Area(longitude, latitude, size, size, box)
    score = float(geohash.encode(longitude + east, latitude + north))
    if area.reach(*geohash.decode(score)) >= 0.0:
        assert any(low <= score < high for low, high in area.ranges())


@given(st.floats(-170, 170), st.floats(-60, 60), st.floats(1, 100_000))
def test_ranges_are_not_much_larger_than_the_area(longitude: float, latitude: float, radius: float) -> None:
    """Nine cells, none of them much longer than twice the radius, make a search of a small area a look at a small part of the world."""
    searched = sum(high - low for low, high in Area(longitude, latitude, radius, radius, False).ranges())
    assert searched / 2.0**52 < (40 * radius / 40_000_000) ** 2


def test_across_the_date_line() -> None:
    area = Area(179.99, 0.0, 10_000.0, 10_000.0, False)
    west = float(geohash.encode(-179.99, 0.0))
    assert area.reach(*geohash.decode(west)) > 0.0
    assert any(low <= west < high for low, high in area.ranges())
