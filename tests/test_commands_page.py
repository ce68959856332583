"""docs/commands.md is made from the command table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.compat.servers import PATIENCE

ROOT = Path(__file__).parent.parent


def test_the_page_is_what_the_table_says() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "command_table.py")]
    made = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)
    assert (ROOT / "docs" / "commands.md").read_text() == made.stdout, "run ./scripts/commands"
