"""--help and --version: asked for by the first argument only, answered in a form scripts know."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from redloop import __version__
from redloop.config.usage import HELP, question, version

BAD_PORT = """
*** FATAL CONFIG FILE ERROR (Redis 8.0.2) ***
Reading the configuration file, at line 2
>>> 'port "x"'
argument couldn't be parsed into an integer
"""


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], ""),
        (["-v"], "version"),
        (["--version", "x"], "version"),
        (["-h"], "help"),
        (["--help", "x"], "help"),
        (["-V"], ""),
        (["--port", "1", "-v"], ""),
        (["x.conf", "-v"], ""),
    ],
)
def test_the_first_argument_asks(arguments: list[str], asked: str) -> None:
    assert question(arguments) == asked


def test_the_version_has_the_fields_of_redis_server() -> None:
    assert re.fullmatch(r"Redis server v=8\.0\.2 sha=[0-9a-f]{8}:[01] malloc=\w+ bits=64 build=redloop-1\.2\.3", version("1.2.3"))


def test_the_help_fits_a_terminal() -> None:
    assert max(len(line) for line in HELP.splitlines()) <= 80


@pytest.mark.parametrize(
    ("arguments", "status", "output", "error"),
    [
        (["-v"], 0, version(__version__) + "\n", ""),
        (["-h"], 1, "", HELP),
        (["--port", "x"], 1, "", BAD_PORT),
    ],
)
def test_the_program_answers(arguments: list[str], status: int, output: str, error: str) -> None:
    result = subprocess.run([sys.executable, "-m", "redloop", *arguments], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (status, output, error)


def test_what_cannot_be_loaded_goes_to_the_log() -> None:
    result = subprocess.run([sys.executable, "-m", "redloop", "--zzz", "1"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "")
    assert [line.partition(" # ")[2] for line in result.stdout.splitlines()][:2] == ["Unresolved Configuration(s) Detected:", ">>> 'zzz 1'"]
