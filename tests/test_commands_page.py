"""docs/commands.md is made from the command table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_page_is_what_the_table_says() -> None:
    made = subprocess.run([sys.executable, ROOT / "scripts" / "command_table.py"], check=True, capture_output=True, text=True, timeout=60)
    assert (ROOT / "docs" / "commands.md").read_text() == made.stdout, "run ./scripts/commands"
