"""DOCTOR sums up and advises, GRAPH draws."""

from __future__ import annotations

import pytest

from redloop.config import Config
from redloop.engine.latency import Series
from redloop.engine.latency_report import ADVICE, ALL_WELL, DISABLED, TEXTS, diagnose, graph

NOW = 1_000_000


def series(*points: tuple[int, int]) -> Series:
    """Of (seconds ago, milliseconds)."""
    made = Series()
    for ago, milliseconds in points:
        made.add(NOW - ago, milliseconds)
    return made


def config(**settings: str) -> Config:
    made = Config()
    made.change([("latency-monitor-threshold", "1"), *((name.replace("_", "-"), value) for name, value in settings.items())])
    return made


def advised(events: dict[str, Series], settings: Config) -> list[str]:
    """The first words of each piece of advice."""
    report = diagnose(events, settings, NOW)
    return [line[2:].partition(" ")[0] for line in report.splitlines() if line.startswith("- ")]


def test_switched_off_the_doctor_says_how_to_switch_it_on() -> None:
    assert diagnose({}, Config(), NOW) == DISABLED


def test_switched_off_the_doctor_still_knows_of_earlier_spikes() -> None:
    assert "1 latency spikes" in diagnose({"command": series((0, 9))}, Config(), NOW)


def test_without_spikes_all_is_well() -> None:
    assert diagnose({}, config(), NOW) == ALL_WELL


def test_each_event_is_summed_up() -> None:
    report = diagnose({"command": series((5, 20), (4, 7), (2, 14), (1, 21), (0, 7))}, config(), NOW)
    line = "1. command: 5 latency spikes (average 13ms, mean deviation 5ms, period 1.00 sec). Worst all time event 21ms."
    assert line in report.splitlines()


def test_spikes_of_this_very_second_are_a_second_long() -> None:
    assert "period 1.00 sec" in diagnose({"fork": series((0, 9))}, config(), NOW)


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({}, "tune the slow log"),
        ({"slowlog_log_slower_than": "1000"}, "read the slow log"),
        ({"slowlog_log_slower_than": "-1"}, "enable the slow log"),
        ({"slowlog_max_len": "0"}, "enable the slow log"),
    ],
)
def test_the_slow_log_should_hold_what_the_monitor_sees(settings: dict[str, str], first: str) -> None:
    assert advised({"command": series((0, 9))}, config(**settings))[0] == TEXTS[first].partition(" ")[0]


def test_an_event_nobody_can_help_with_gets_no_advice() -> None:
    assert "advices" not in diagnose({"unheard-of": series((0, 9))}, config(), NOW)


def test_all_advice_has_a_text() -> None:
    assert {name for names in ADVICE.values() for name in names} <= TEXTS.keys()


def test_a_graph_has_four_rows_and_says_below_how_long_ago() -> None:
    drawn = graph("command", series((7205, 20), (130, 7), (61, 14), (12, 21), (0, 7)), NOW)
    title, rule, *rows = drawn.split("\n")
    assert title == "command - high 21 ms, low 7 ms (all time high 21 ms)"
    assert rule == "-" * 80
    assert rows == ["#  # ", "| _| ", "| || ", "|_||_", "     ", "22110", "hmm2s", "   s ", ""]


def test_more_than_80_samples_go_on_below() -> None:
    drawn = graph("command", series(*[(200 - second, second) for second in range(1, 86)]), NOW)
    lengths = [len(line) for line in drawn.split("\n")[2:]]
    assert lengths == [80] * 7 + [0] + [5] * 7 + [0]
