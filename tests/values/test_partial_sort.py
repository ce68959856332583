"""The part that was asked for is in order, and nothing is lost. That equal elements stand as in Redis is seen in tests/compat."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from redloop.values.partial_sort import part, ranks


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.data())
def test_the_part_is_in_order(items: list[int], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(items) - 1))
    last = data.draw(st.integers(first, len(items) - 1))
    found = part(items, items, first, last)
    assert found[first : last + 1] == sorted(items)[first : last + 1]
    assert sorted(found) == sorted(items)


@given(st.lists(st.floats(allow_nan=False), max_size=20), st.booleans())
def test_ranks_are_in_the_order_of_the_keys(keys: list[float], descending: bool) -> None:
    places = ranks(keys, descending)
    ordered = [key for _, key in sorted(zip(places, keys, strict=True))]
    assert ordered == sorted(keys, reverse=descending)
