"""redloop: a Redis-compatible server on one event loop, in one Python process."""

__version__ = "0.1.0"
