"""The table and the settings say the same things about the same directives."""

from __future__ import annotations

from pathlib import Path

from redloop.config.directives import BY_NAME, DIRECTIVES, HIDDEN
from redloop.config.settings import Settings

DECLARATIONS = {"users", "renamed_commands"}


def test_every_setting_has_a_directive_and_the_other_way_round() -> None:
    settings = {name for name in dir(Settings()) if not name.startswith("_")}
    assert {directive.attribute for directive in DIRECTIVES} == settings - DECLARATIONS


def test_no_two_directives_share_a_name() -> None:
    assert len(BY_NAME) == sum(1 + len(directive.older) for directive in DIRECTIVES)


def test_every_default_is_a_value_its_kind_takes_and_shows() -> None:
    for directive in DIRECTIVES:
        shown = directive.kind.show(directive.default)
        words = shown.split(" ") if directive.kind.multiple else [shown]
        if shown or directive.name != "replicaof":
            assert directive.parse(words, directive.default) == directive.default, directive.name


def test_there_are_as_many_as_in_redis_8() -> None:
    assert sum(not BY_NAME[name].flags & HIDDEN for name in BY_NAME) == 203


def test_the_documentation_names_what_has_no_effect_and_what_is_refused() -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    idle, refused = text.split("## Accepted, without effect")[1].split("## Refused")
    listed = [directive.name for directive in DIRECTIVES if directive.idle and not directive.name.startswith(("cluster-", "tls-"))]
    assert [name for name in listed if f"`{name}`" not in idle] == []
    assert [directive.name for directive in DIRECTIVES if directive.refused and f"`{directive.name}`" not in refused] == []
