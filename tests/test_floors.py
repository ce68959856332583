"""The floors of docs/architecture.md, and that what the package imports is what pyproject.toml says it needs.

A module imports only from floors below it, or from modules that stand before it on its own floor: no cycle, also not for types. A new
module on a floor above 0 needs no line here, a new package or a new module on floor 0 does.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "app" / "redloop"
FLOORS = [
    "errors events numbers patterns clock hashing config logs process",
    "resp values",
    "keyspace",
    "persistence",
    "engine",
    "replication cluster scripting",
    "commands",
    "tls listening daemon boot __main__",
]
DISTRIBUTIONS = {"lzf": "python-neo-lzf", "mypy_extensions": "mypy-extensions"}  # not called as what is imported from it
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in SOURCES.rglob("*.py")}


def imports_of(module: str) -> set[str]:
    """Every module that it imports, wherever in the file: our own by their full name, others by their first."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= inner or {node.module}
    return {name if name in MODULES else name.partition(".")[0] for name in found}


IMPORTS = {module: imports_of(module) for module in MODULES}


def floor_of(module: str) -> int:
    """The package itself holds the version and imports nothing of ours: it lies below all floors."""
    return -1 if module == "redloop" else FLOOR[module.split(".")[1]]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_its_floor_or_below(module: str) -> None:
    above = {name for name in IMPORTS[module] & MODULES.keys() if floor_of(name) > floor_of(module)}
    assert not above


def test_no_module_imports_itself_by_a_detour() -> None:
    left = {module: names & MODULES.keys() - {module} for module, names in IMPORTS.items()}
    while free := {module for module, names in left.items() if not names & left.keys()}:
        left = {module: names for module, names in left.items() if module not in free}
    assert not left


@pytest.mark.parametrize("module", MODULES)
def test_imports_are_for_running_not_only_for_types(module: str) -> None:
    assert "TYPE_CHECKING" not in MODULES[module].read_text()


def test_the_package_needs_what_it_imports_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[^\w.-]", line)[0] for line in project["dependencies"]}
    outside = set().union(*IMPORTS.values()) - MODULES.keys() - set(sys.stdlib_module_names)
    assert {DISTRIBUTIONS.get(name, name) for name in outside} == needed
