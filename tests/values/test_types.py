"""What holds for the classes of all values."""

from __future__ import annotations

import gc

import pytest

from redloop import compiled
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet


@pytest.mark.skipif(not compiled(), reason="an interpreted class is always tracked")
@pytest.mark.parametrize("value", [Hash(), List(), Set(), SortedSet()], ids=lambda value: type(value).__name__)
def test_the_garbage_collector_has_nothing_to_do_with_values(value: object) -> None:
    """Or else each of its passes would take as long as there are values."""
    assert not gc.is_tracked(value)
