"""Configuration: Redis's directives, from redis.conf, the command line and CONFIG SET, as typed attributes of one object per server."""

from __future__ import annotations

from redloop.config.settings import Settings as Config

__all__ = ["Config"]
