"""Configuration: Redis's directives, from redis.conf, the command line and CONFIG SET, as typed attributes of one object per server.

settings     the attributes and their defaults
kinds        how words become a value and back
directives   the table: one line each
config       Config: settings, changed through the table, with listeners
loading      the file, standard input and the command line
rewriting    CONFIG REWRITE
quoting      words in quotes
usage        --help, --version
"""

from __future__ import annotations

from redloop.config.config import Config
from redloop.config.kinds import ConfigError, to_bytes, to_text
from redloop.config.loading import COMPATIBLE_VERSION, FatalConfigError, load
from redloop.config.rewriting import rewrite

__all__ = ["COMPATIBLE_VERSION", "Config", "ConfigError", "FatalConfigError", "load", "rewrite", "to_bytes", "to_text"]
