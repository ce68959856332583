"""redloop: a Redis-compatible server on one event loop, in one Python process."""

from __future__ import annotations

from importlib.util import find_spec

__version__ = "0.1.0"


def compiled() -> bool:
    """Whether the hot modules run as machine code (mypyc) or interpreted. All do or none does, so the file of one of them tells."""
    spec = find_spec("redloop.clock")
    return spec is not None and spec.origin is not None and not spec.origin.endswith(".py")
