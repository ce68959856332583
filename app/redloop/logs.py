"""The log: Redis's format, through the standard logging module.

    12345:M 22 Nov 2026 14:55:13.858 * Ready to accept connections tcp

The mark after the time is the level: `.` debug, `-` verbose, `*` notice, `#` warning; loglevel is the lowest that
shows ("nothing" hides all).
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Final, TextIO

DEBUG: Final = logging.DEBUG
VERBOSE: Final = logging.INFO
NOTICE: Final = 25
WARNING: Final = logging.WARNING
LEVELS: Final = {"debug": DEBUG, "verbose": VERBOSE, "notice": NOTICE, "warning": WARNING, "nothing": logging.CRITICAL + 1}

_MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class RedisFormatter(logging.Formatter):
    """`role` is C before the server has started, M for a master, S for a replica, X for sentinel."""

    def __init__(self) -> None:
        super().__init__()
        self.role = "C"

    def format(self, record: logging.LogRecord) -> str:
        moment = time.localtime(record.created)
        mark = "#" if record.levelno >= WARNING else "*" if record.levelno >= NOTICE else "-" if record.levelno >= VERBOSE else "."
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        date = f"{moment.tm_mday:02d} {_MONTHS[moment.tm_mon - 1]} {moment.tm_year}"
        stamp = f"{date} {moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d}.{int(record.msecs):03d}"
        return f"{os.getpid()}:{self.role} {stamp} {mark} {text}"


FORMATTER: Final = RedisFormatter()


def configure(level: str, logfile: str = "") -> None:
    """Sends redloop's log to `logfile`, or to standard output, from `level` on. Raises OSError if the file cannot be opened."""
    root = logging.getLogger("redloop")
    stream: TextIO = open(logfile, "a", encoding="utf-8", errors="surrogateescape") if logfile else sys.stdout  # noqa: SIM115  # open as long as we run
    handler = logging.StreamHandler(stream)
    handler.setFormatter(FORMATTER)
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(LEVELS[level])
    root.propagate = False
