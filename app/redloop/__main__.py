"""`redloop [file.conf] [--directive value ...]`: the command line of redis-server."""

from __future__ import annotations

import logging
import sys

from redloop import __version__
from redloop.boot import run
from redloop.config import Config, FatalConfigError, load
from redloop.config.usage import HELP, question, version
from redloop.engine.acl.access import Declarations
from redloop.engine.renaming import Renaming
from redloop.logs import configure


def main() -> int:
    """Runs a server as the arguments say; returns the exit status."""
    arguments = sys.argv[1:]
    asked = question(arguments)
    if asked == "version":
        print(version(__version__))
        return 0
    if asked == "help":
        print(HELP, end="", file=sys.stderr)  # where redis-server has it, and with its status
        return 1
    config = Config()
    config.on_declaration("user", Declarations().check)
    config.on_declaration("rename-command", Renaming().check)
    try:
        load(config, arguments, sys.stdin.buffer.read)
    except FatalConfigError as error:
        if error.logged:
            configure(config.loglevel, config.place(config.logfile) if config.logfile else "")
            for line in str(error).splitlines():
                logging.getLogger("redloop").warning("%s", line)
        else:
            print(error, end="", file=sys.stderr)
        return 1
    return run(config)


if __name__ == "__main__":
    sys.exit(main())
