"""`redloop [file.conf] [--directive value ...]`: the command line of redis-server."""

from __future__ import annotations

import sys

from redloop.boot import run
from redloop.config import Config


def main() -> int:
    """Runs a server as the arguments say; returns the exit status."""
    config = Config()
    arguments = sys.argv[1:]
    while len(arguments) >= 2 and arguments[0] == "--port":
        config.port = int(arguments[1])
        arguments = arguments[2:]
    return run(config)


if __name__ == "__main__":
    sys.exit(main())
