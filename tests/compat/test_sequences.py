r"""Random sequences of commands get the same replies from redloop as from a real redis-server, and leave the same data (DEBUG DIGEST).

What is tried stands in sequences/<family>.txt: a template a line, `incrby {key} {int}`, in the language of harness.py (marks too), with
values drawn from small pools, so that commands meet each other's keys. A new family is a new file; a new kind of value a line in POOLS.
A line `@each config set list-max-listpack-size 3` is sent before every sequence of its file. Besides one test a family there is one
over all of them, where types meet under the same keys.
"""

from __future__ import annotations

import pathlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compat.harness import Line, Pair, read_cases, without_equal_spans

HERE = pathlib.Path(__file__).parent / "sequences"
FAMILIES = sorted(path.stem for path in HERE.glob("*.txt"))
LONGEST = 60

POOLS: dict[str, list[str]] = {
    "key": ["a", "b", "c", "k:{1}"],
    "value": ["x", '""', "hello", "12", "-7", "3.5", '"a\\x00\\xff\\r\\n"', '"y"*45', "9223372036854775807", '"ab"*40'],
    "text": ["x", '""', "hello", '"a\\x00\\xff"', '"y"*45'],
    "int": ["0", "1", "-1", "7", "-13", "100", "9223372036854775807", "-9223372036854775808", "x", "1.5"],
    "small": ["0", "1", "2", "3", "5", "10", "-1", "-2", "-5", "-100", "100"],
    "count": ["1", "2", "3", "10", "100", "0", "-1", "-3"],
    "float": ["0", "1", "-1", "0.1", "2.5", "-3.75", "1e10", "1e-5", "inf", "-inf", "nan", "x", "12345678.125"],
    "offset": ["0", "1", "3", "7", "20", "100", "-1"],
    "bit": ["0", "1"],
    "seconds": ["100~7", "1000~7", "100000~7", "-1", "0"],
    "moment": ["9999999999", "9999999998", "1"],
    "flag": ["nx", "xx", "gt", "lt"],
    "pattern": ["*", "a*", "?", "[ab]", "*1*", "k:{1}", "[^a]"],
    "member": ["a", "b", "c", "1", "2", "3", '""', "foo", '"\\xff\\x00"', '"long"*20', "300", "99999"],
    "field": ["f", "g", "h", "1", '""', '"field"*15'],
    "score": ["0", "1", "-1", "2.5", "3", "1e20", "inf", "-inf", "0.1", "-0", "100"],
    "bound": ["0", "1", "-1", "2.5", "(1", "(0", "-inf", "+inf", "inf", "3", "(-inf"],
    "lex": ["-", "+", "[a", "(a", "[b", "(c", "[foo", "["],
    "longitude": ["0", "13.361389", "15.087269", "-122.4194", "180", "-180", "179.9999", "200", "x"],
    "latitude": ["0", "38.115556", "37.502669", "37.7749", "85.05112878", "-85.05112878", "-70", "90"],
    "distance": ["0", "1", "200", "166274.15", "5000", "20000", "1000000", "-1", "x"],
    "id": ["1-1", "1-2", "2-1", "5-0", "0-1", "10", "3-*", "0", "x"],
    "newid": ["1-1", "2-*", "3-1", "3-*", "4-0", "5-1", "6-*", "7-7", "8-*", "9-9"],
    "range": ["-", "+", "1-1", "(1-1", "2", "5-0", "(2-1", "0"],
    "group": ["g", "h"],
    "consumer": ["alice", "bob"],
    "encoding": ["u8", "i8", "u4", "i16", "u63", "i64", "u1"],
    "place": ["lx", "left", "right"],
    "side": ["left", "right"],
    "db": ["0", "1", "2"],
    "unit": ["m", "km", "ft", "mi"],
}


def family_templates(family: str) -> list[Line]:
    return read_cases(HERE / f"{family}.txt")


def _filled(template: str) -> st.SearchStrategy[str]:
    """A template with its gaps drawn from the pools."""
    parts = re.split(r"\{([a-z]+)\}", template)
    gaps = [st.sampled_from(POOLS[name]) for name in parts[1::2]]
    return st.tuples(*gaps).map(lambda found: parts[0] + "".join(value + rest for value, rest in zip(found, parts[2::2], strict=True)))


def _sequences(templates: list[Line]) -> st.SearchStrategy[list[str]]:
    one = st.sampled_from([line.text for line in templates]).flatmap(_filled)
    # Long ones find more; that a short one may be drawn as well lets a failing one shrink.
    return st.sampled_from([1, LONGEST // 2]).flatmap(lambda least: st.lists(one, min_size=least, max_size=LONGEST))


def _check(pair: Pair, commands: list[str], before: str, protocol: int) -> None:
    line = Line(without_equal_spans(" | ".join([*commands, "debug digest"])), before, "sequence")
    differences = pair.run(line, protocol)
    assert not differences, f"\n{differences[0]}"


@pytest.mark.parametrize("family", FAMILIES)
def test_family(quiet_pair: Pair, family: str) -> None:
    """Commands of one family among themselves."""
    templates = family_templates(family)
    before = templates[-1].before_text

    @given(_sequences(templates), st.sampled_from([2, 3]))
    def same(commands: list[str], protocol: int) -> None:
        _check(quiet_pair, commands, before, protocol)

    same()


def test_all_families(quiet_pair: Pair) -> None:
    """Commands of every family on the same few keys: types meet, WRONGTYPE included."""
    templates = [line for family in FAMILIES for line in family_templates(family)]
    befores = sorted({line.before_text for line in templates})

    @given(_sequences(templates), st.sampled_from(befores), st.sampled_from([2, 3]))
    def same(commands: list[str], before: str, protocol: int) -> None:
        _check(quiet_pair, commands, before, protocol)

    same()
