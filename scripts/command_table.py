"""The commands redloop answers, as a table for people: docs/commands.md is this program's output, never written by hand."""

from __future__ import annotations

from redloop import commands  # noqa: F401  # declares the commands
from redloop.engine.command import DEFINITIONS, Definition

HEAD = """# What redloop answers

Made from the command table by `scripts/commands`; what is not here is answered as an unknown command. Every option of a line works as in
Redis 8.0; HELP of every container is there too.
"""


def escaped(text: str) -> str:
    return text.replace("|", "\\|")


def table(group: str, definitions: list[Definition]) -> str:
    rows = [f"| `{escaped(definition.syntax.line)}` | {escaped(definition.summary)} |" for definition in definitions]
    return "\n".join([f"\n## {group}\n", "| command | what it does |", "|---|---|", *rows])


def page() -> str:
    """The whole page, groups and commands in alphabetical order."""
    groups: dict[str, list[Definition]] = {}
    for definition in sorted(DEFINITIONS, key=lambda definition: definition.name):
        groups.setdefault(definition.group, []).append(definition)
    return HEAD + "\n".join([table(group, groups[group]) for group in sorted(groups)]) + "\n"


if __name__ == "__main__":
    print(page(), end="")
