"""TLS: encrypted connections through Python's `ssl`, as the tls-* directives say (https://redis.io/docs/latest/operate/oss_and_stack/management/security/encryption/).

Here the directives become a context; a connection that uses it is a `Session` (`engine/session.py`), which has shaken hands before there is
a client (`engine/arrivals.py`). The context is looked up at each arrival, so CONFIG SET counts from the next connection on. While
tls-port is 0 the directives are taken as they come and checked when it is set.

What `ssl` cannot do: TLS 1.3 suites can be chosen from Python 3.15 on (until then tls-ciphersuites may only name what there is), and the
size and the times of the session cache are OpenSSL's own.
"""

from __future__ import annotations

import logging
import os
import ssl
import warnings
from collections.abc import Callable
from typing import Final

from redloop.config import Config, ConfigError, to_bytes
from redloop.engine.arrivals import Arrivals
from redloop.engine.session import reason

log = logging.getLogger("redloop.tls")

VERSIONS: Final = {
    "tlsv1": (ssl.TLSVersion.TLSv1, ssl.OP_NO_TLSv1),
    "tlsv1.1": (ssl.TLSVersion.TLSv1_1, ssl.OP_NO_TLSv1_1),
    "tlsv1.2": (ssl.TLSVersion.TLSv1_2, ssl.OP_NO_TLSv1_2),
    "tlsv1.3": (ssl.TLSVersion.TLSv1_3, ssl.OP_NO_TLSv1_3),
}
DEFAULT_VERSIONS: Final = "TLSv1.2 TLSv1.3"
VERIFYING: Final = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "yes": ssl.CERT_REQUIRED}
RELOADED: Final = (
    "tls-cert-file", "tls-key-file", "tls-key-file-pass", "tls-client-cert-file", "tls-client-key-file", "tls-client-key-file-pass",
    "tls-dh-params-file", "tls-ca-cert-file", "tls-ca-cert-dir", "tls-protocols", "tls-ciphers", "tls-ciphersuites",
    "tls-prefer-server-ciphers", "tls-session-caching",
)
"""The directives that make a new context."""


NO_AUTHORITY: Final = (
    "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients are enabled!"
)


class TlsError(Exception):
    """The directives make no context; the text says why."""


class Tls:
    """The directives of one server, followed: `arrivals` gets the context that they make."""

    def __init__(self, config: Config, arrivals: Arrivals) -> None:
        self.config = config
        self.arrivals = arrivals

    def follow(self) -> None:
        """From now on the configuration's changes count."""
        for name in RELOADED:
            self.config.on_change(name, self._change)
        self.config.on_change("tls-auth-clients", self._change_verifying)

    def configure(self) -> None:
        """Makes the context. Raises TlsError."""
        self.arrivals.context = server_context(self.config)

    def change(self) -> None:
        """`configure` for CONFIG SET."""
        try:
            self.configure()
        except TlsError as error:
            log.warning("%s", error)
            raise ConfigError("Unable to update TLS configuration. Check server logs.") from None

    def _change(self) -> None:
        if self.config.tls_port:
            self.change()

    def _change_verifying(self) -> None:
        if self.arrivals.context is not None:
            self.arrivals.context.verify_mode = VERIFYING[self.config.tls_auth_clients]


def server_context(config: Config) -> ssl.SSLContext:
    """What the tls-* directives ask for. Raises TlsError."""
    if not config.tls_cert_file:
        raise TlsError("No tls-cert-file configured!")
    if not config.tls_key_file:
        raise TlsError("No tls-key-file configured!")
    if config.tls_auth_clients != "no" and not (config.tls_ca_cert_file or config.tls_ca_cert_dir):
        raise TlsError(NO_AUTHORITY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load_pair(context, config, config.tls_cert_file, config.tls_key_file, config.tls_key_file_pass)
    if config.tls_client_cert_file and config.tls_client_key_file:  # for connections it opens itself: to be right all the same
        other = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load_pair(other, config, config.tls_client_cert_file, config.tls_client_key_file, config.tls_client_key_file_pass)
    _set_versions(context, config.tls_protocols)
    _load_authorities(context, config)
    _set_ciphers(context, config)
    _load_dh_params(context, config)
    if not config.tls_session_caching:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    context.verify_mode = VERIFYING[config.tls_auth_clients]
    return context


def _load_pair(context: ssl.SSLContext, config: Config, certificate: str, key: str, password: str) -> None:
    certificate_path, key_path = config.place(certificate), config.place(key)
    for what, name, path in (("certificate", certificate, certificate_path), ("private key", key, key_path)):
        if not os.access(path, os.R_OK):
            raise TlsError(f"Failed to load {what}: {name}: {'Permission denied' if os.path.exists(path) else 'No such file or directory'}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate_path)
    except OSError as error:
        raise TlsError(f"Failed to load certificate: {certificate}: {reason(error)}") from None
    try:
        context.load_cert_chain(certificate_path, key_path, to_bytes(password))  # always given one: it would ask the terminal
    except (OSError, ValueError) as error:
        raise TlsError(f"Failed to load private key: {key}: {reason(error)}") from None


def _set_versions(context: ssl.SSLContext, protocols: str) -> None:
    words = (protocols or DEFAULT_VERSIONS).lower().split()
    if not words or any(word not in VERSIONS for word in words):
        raise TlsError("Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # whoever asks for an old version gets it
        context.minimum_version = min(VERSIONS[word][0] for word in words)
        context.maximum_version = max(VERSIONS[word][0] for word in words)
        for word, (_, without) in VERSIONS.items():
            if word not in words:
                context.options |= without


def _load_authorities(context: ssl.SSLContext, config: Config) -> None:
    file, folder = config.tls_ca_cert_file, config.tls_ca_cert_dir
    if not (file or folder):
        return
    try:
        context.load_verify_locations(config.place(file) if file else None, config.place(folder) if folder else None)
    except OSError as error:
        raise TlsError(f"Failed to configure CA certificate(s) file/directory: {reason(error)}") from None


def _set_ciphers(context: ssl.SSLContext, config: Config) -> None:
    if config.tls_ciphers:
        try:
            context.set_ciphers(config.tls_ciphers)
        except ssl.SSLError:
            raise TlsError(f"Failed to configure ciphers: {config.tls_ciphers}") from None
    suites = config.tls_ciphersuites
    if suites:
        set_suites: Callable[[str], None] | None = getattr(context, "set_ciphersuites", None)
        known = {cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.3"}
        try:
            if set_suites is not None:
                set_suites(suites)
            elif set(suites.split(":")) != known:
                raise TlsError(f"Failed to configure ciphersuites: {suites}: this Python can only use {':'.join(sorted(known))}")
        except ssl.SSLError:
            raise TlsError(f"Failed to configure ciphersuites: {suites}") from None
    if config.tls_prefer_server_ciphers:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


def _load_dh_params(context: ssl.SSLContext, config: Config) -> None:
    name = config.tls_dh_params_file
    if not name:
        return
    try:
        context.load_dh_params(config.place(name))
    except ssl.SSLError:
        raise TlsError(f"{name}: failed to read DH params.") from None
    except OSError as error:
        raise TlsError(f"Failed to load {name}: {reason(error)}") from None
