"""What every test run shares: how much hypothesis tries, and the word on what is being tested.

REDLOOP_COMPILE=0|1 asks for redloop interpreted or compiled, REDLOOP_LOOP=uvloop|asyncio for the loop; a run that would test something
else than what was asked for stops. Which redloop is imported depends on PYTHONPATH: `app` has the sources, .venv what was built of them.
"""

from __future__ import annotations

import os

import hypothesis
import pytest

import redloop

hypothesis.settings.register_profile("redloop", deadline=None, max_examples=100)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "redloop")


def pytest_report_header() -> str:
    mode = "compiled" if redloop.compiled() else "interpreted"
    return f"redloop {redloop.__version__}, {mode}, {os.environ.get('REDLOOP_LOOP', 'uvloop')}, from {redloop.__path__[0]}"


def pytest_sessionstart() -> None:
    wish = os.environ.get("REDLOOP_COMPILE")
    if wish in {"0", "1"} and redloop.compiled() != (wish == "1"):
        raise pytest.UsageError(f"REDLOOP_COMPILE={wish}, yet {'compiled' if redloop.compiled() else 'interpreted'} modules are found")
