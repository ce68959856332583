"""Every line of cases/*.txt gets from redloop the reply bytes that a real redis-server gives, under RESP2 and RESP3."""

from __future__ import annotations

import pathlib

import pytest

from tests.compat.harness import CASES, Pair, read_cases

SHOWN = 25


@pytest.mark.parametrize("protocol", [2, 3], ids=["resp2", "resp3"])
@pytest.mark.parametrize("path", sorted(CASES.glob("*.txt")), ids=lambda path: path.stem)
def test_same_replies(pair: Pair, path: pathlib.Path, protocol: int) -> None:
    lines = read_cases(path)
    differences = pair.run_all(lines, (protocol,))
    if differences:
        text = "\n".join(str(difference) for difference in differences[:SHOWN])
        pytest.fail(f"{len(differences)} of {len(lines)} lines differ\n{text}", pytrace=False)
