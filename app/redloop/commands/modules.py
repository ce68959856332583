"""MODULE: there are no loadable modules, and whoever asks is told so as a server is that cannot load his."""

from __future__ import annotations

import logging
from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import ADMIN, NO_ASYNC_LOADING, NOSCRIPT, family
from redloop.engine.guards import check_enabled
from redloop.errors import MODULE_NOT_LOADED, NO_SUCH_MODULE, RedisError
from redloop.resp.replies import Reply

command = family("server")
log = logging.getLogger("redloop.modules")

OPERATOR: Final = ADMIN | NOSCRIPT | NO_ASYNC_LOADING


@command("MODULE LOAD path [arg [arg ...]]", "Would load a module.", OPERATOR, since="4.0.0", complexity="O(1)")
def module_load(client: Client, argv: list[bytes]) -> Reply:
    check_enabled(client, "module")
    log.warning("Module %s failed to load: there are no loadable modules", argv[2].decode("utf-8", "replace"))
    raise RedisError(MODULE_NOT_LOADED)


@command(
    "MODULE LOADEX path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]",
    "Would load a module with more parameters.",
    OPERATOR, since="7.0.0", complexity="O(1)", names={"CONFIG": "configs"},
)
def module_loadex(client: Client, argv: list[bytes]) -> Reply:
    return module_load(client, argv)


@command("MODULE UNLOAD name", "Would unload a module.", OPERATOR, since="4.0.0", complexity="O(1)")
def module_unload(client: Client, argv: list[bytes]) -> Reply:
    check_enabled(client, "module")
    raise RedisError(NO_SUCH_MODULE)


@command(
    "MODULE LIST", "The loaded modules: none.", ADMIN | NOSCRIPT, since="4.0.0",
    complexity="O(N) where N is the number of loaded modules.", tips="nondeterministic_output_order",
)
def module_list(client: Client, argv: list[bytes]) -> Reply:
    return []
