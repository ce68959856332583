"""TLS: what the directives make of a context, and connections that never become one. Whole servers are in e2e/test_tls.py."""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from redloop import commands  # noqa: F401  # declares PING
from redloop.clock import Clock
from redloop.config import Config, ConfigError
from redloop.engine.client import Client
from redloop.engine.peer import Peer
from redloop.engine.server import Server
from redloop.listening import ListenError, Listening
from redloop.tls import NO_AUTHORITY, TlsError, server_context
from tests.certificates import PASSWORD, make
from tests.compat.servers import PATIENCE, free_port


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("certificates"))


def settings(folder: Path, **values: object) -> Config:
    config = Config()
    config.dir = str(folder)
    config.port = 0
    config.bind = ["127.0.0.1"]
    config.tls_cert_file, config.tls_key_file, config.tls_ca_cert_file = "server.crt", "server.key", "ca.crt"
    for name, value in values.items():
        setattr(config, name, value)
    return config


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"tls_cert_file": ""}, "No tls-cert-file configured!"),
        ({"tls_key_file": ""}, "No tls-key-file configured!"),
        ({"tls_ca_cert_file": ""}, NO_AUTHORITY),
        ({"tls_cert_file": "nope"}, "Failed to load certificate: nope: No such file or directory"),
        ({"tls_cert_file": "junk.pem"}, "Failed to load certificate: junk.pem: "),
        ({"tls_key_file": "nope"}, "Failed to load private key: nope: No such file or directory"),
        ({"tls_key_file": "junk.pem"}, "Failed to load private key: junk.pem: "),
        ({"tls_key_file": "other.key"}, "Failed to load private key: other.key: key values mismatch"),
        ({"tls_key_file": "locked.key"}, "Failed to load private key: locked.key: "),
        ({"tls_key_file": "locked.key", "tls_key_file_pass": "wrong"}, "Failed to load private key: locked.key: "),
        ({"tls_client_cert_file": "nope", "tls_client_key_file": "nope"}, "Failed to load certificate: nope: No such file or directory"),
        ({"tls_ca_cert_file": "nope"}, "Failed to configure CA certificate(s) file/directory: No such file or directory"),
        ({"tls_protocols": "foo"}, "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'."),
        ({"tls_ciphers": "foo"}, "Failed to configure ciphers: foo"),
        ({"tls_ciphersuites": "foo"}, "Failed to configure ciphersuites: foo"),
        ({"tls_dh_params_file": "junk.pem"}, "junk.pem: failed to read DH params."),
        ({"tls_dh_params_file": "nope"}, "Failed to load nope: No such file or directory"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, values: dict[str, object], text: str) -> None:
    with pytest.raises(TlsError) as caught:
        server_context(settings(folder, **values))
    assert str(caught.value).startswith(text)


def test_a_context_is_what_was_asked_for(folder: Path) -> None:
    context = server_context(settings(folder))
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert (context.minimum_version, context.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert not context.options & (ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_TICKET)
    context = server_context(
        settings(
            folder,
            tls_auth_clients="optional",
            tls_protocols="TLSv1.2",
            tls_ciphers="ECDHE-ECDSA-AES128-GCM-SHA256",
            tls_prefer_server_ciphers=True,
            tls_session_caching=False,
            tls_key_file="locked.key",
            tls_key_file_pass=PASSWORD,
        )
    )
    assert context.verify_mode == ssl.CERT_OPTIONAL
    assert context.maximum_version == ssl.TLSVersion.TLSv1_2
    assert [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"] == ["ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert context.options & ssl.OP_NO_TICKET
    assert server_context(settings(folder, tls_auth_clients="no", tls_ca_cert_file="")).verify_mode == ssl.CERT_NONE
    names = ":".join(cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.3")
    server_context(settings(folder, tls_ciphersuites=names))


class Guests:
    """Lets in everybody, and counts them."""

    def __init__(self, config: Config) -> None:
        self.server = Server(config, Clock())
        self.made = 0

    def admit(self, peer: Peer) -> Client:
        self.made += 1
        return Client(self.server, peer, self.made)


def play(config: Config, scene: Callable[[Listening], Awaitable[None]], seconds: float = PATIENCE) -> int:
    """Runs `scene` beside a server; a handshake may take `seconds`. How many have become clients."""
    guests = Guests(config)

    async def run() -> None:
        listening = Listening(config, guests.admit)
        listening.arrivals.seconds = seconds
        listening.open()
        try:
            await asyncio.wait_for(scene(listening), PATIENCE)
        finally:
            listening.close()

    asyncio.run(run())
    return guests.made


def trusting(folder: Path, pair: str = "server") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    if pair:
        context.load_cert_chain(folder / f"{pair}.crt", folder / f"{pair}.key")
    return context


async def ping(port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"PING\r\n")
        return await reader.read(7)
    finally:
        writer.close()


async def refused(port: int, context: ssl.SSLContext) -> bool:
    """Whether a peer is hung up on, be it while it shakes hands or, in TLS 1.3, when it thinks that it has."""
    try:
        return await ping(port, context) == b""
    except OSError:
        return True


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop turn until it is so; `play` has the limit."""
    for _ in itertools.count():
        if condition():
            return
        await asyncio.sleep(0)


def test_a_connection_that_shakes_hands_is_served(folder: Path) -> None:
    config = settings(folder, tls_port=free_port())

    async def scene(listening: Listening) -> None:
        assert await ping(config.tls_port, trusting(folder)) == b"+PONG\r\n"

    assert play(config, scene) == 1


def test_one_that_does_not_is_logged_and_never_known(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = settings(folder, tls_port=free_port())

    async def scene(listening: Listening) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", config.tls_port)
        writer.write(b"PING\r\n" * 100)
        await until(lambda: "Error accepting a client connection: " in caplog.text)
        assert f"laddr=127.0.0.1:{config.tls_port})" in caplog.text
        writer.close()
        caplog.clear()
        assert await refused(config.tls_port, trusting(folder, ""))
        await until(lambda: "peer did not return a certificate" in caplog.text)
        caplog.clear()
        assert await refused(config.tls_port, trusting(folder, "other"))
        await until(lambda: "certificate verify failed: self-signed certificate" in caplog.text)

    with caplog.at_level(logging.INFO):
        assert play(config, scene) == 0


def test_a_handshake_has_a_limit(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = settings(folder, tls_port=free_port())

    async def scene(listening: Listening) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", config.tls_port)
        assert await reader.read() == b""
        await until(lambda: "SSL handshake is taking longer than 0.05 seconds" in caplog.text)
        writer.close()
        await until(lambda: not listening.arrivals.coming)

    play(config, scene, seconds=0.05)


def test_no_more_shake_hands_than_may_come_in(folder: Path) -> None:
    config = settings(folder, tls_port=free_port(), maxclients=1)

    async def scene(listening: Listening) -> None:
        _, first = await asyncio.open_connection("127.0.0.1", config.tls_port)
        await until(lambda: bool(listening.arrivals.coming))
        reader, second = await asyncio.open_connection("127.0.0.1", config.tls_port)
        assert await reader.read() == b""
        first.close()
        second.close()

    play(config, scene)


def test_config_set_counts_from_the_next_connection(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = settings(folder, tls_port=free_port())
    bare = trusting(folder, "")

    async def scene(listening: Listening) -> None:
        config.change([("tls-auth-clients", "no")])
        assert await ping(config.tls_port, bare) == b"+PONG\r\n"
        before = listening.arrivals.context
        for name, word in (("tls-cert-file", "nope"), ("tls-key-file", "other.key"), ("tls-protocols", "foo"), ("tls-ciphers", "foo")):
            with pytest.raises(ConfigError, match=r"Unable to update TLS configuration. Check server logs."):
                config.change([(name, word)])
        assert "Failed to load certificate: nope: No such file or directory" in caplog.text
        assert listening.arrivals.context is before
        assert config.tls_cert_file == "server.crt"
        config.change([("tls-cert-file", "other.crt"), ("tls-key-file", "other.key")])
        with pytest.raises(ssl.SSLCertVerificationError):
            await ping(config.tls_port, bare)
        config.change([("tls-cert-file", "server.crt"), ("tls-key-file", "server.key")])
        port = free_port()
        config.change([("tls-port", str(port))])
        assert await ping(port, bare) == b"+PONG\r\n"
        config.change([("tls-port", "0")])
        assert listening.tls_gate.doors == []
        config.change([("tls-cert-file", "nope")])  # nothing is encrypted: nothing is checked
        with pytest.raises(ConfigError, match=r"'tls-port'\) - Unable to update TLS configuration"):
            config.change([("tls-port", str(port))])
        assert listening.tls_gate.doors == []

    play(config, scene)


def test_a_port_in_use_leaves_things_as_they_were(folder: Path) -> None:
    config = settings(folder, tls_port=free_port(), port=free_port())

    async def scene(listening: Listening) -> None:
        before = config.tls_port
        with pytest.raises(ConfigError, match=r"'tls-port'\) - Unable to listen on this port. Check server logs."):
            config.change([("tls-port", str(config.port))])
        assert config.tls_port == before
        assert await ping(before, trusting(folder)) == b"+PONG\r\n"
        with pytest.raises(ConfigError, match=r"Failed to bind to specified addresses."):
            config.change([("bind", "192.0.2.1")])
        assert await ping(before, trusting(folder)) == b"+PONG\r\n"
        assert len(listening.tcp_gate.doors) == 1

    play(config, scene)


def test_a_server_without_a_context_does_not_start(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = settings(folder, tls_port=free_port(), tls_cert_file="nope")
    with pytest.raises(ListenError, match=r"Failed to configure TLS. Check logs for more info."):
        play(config, lambda listening: asyncio.sleep(0))
    assert "Failed to load certificate: nope" in caplog.text


def test_what_is_broken_off_leaves_no_task(folder: Path) -> None:
    config = settings(folder, tls_port=free_port())

    async def scene(listening: Listening) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", config.tls_port)
        await until(lambda: bool(listening.arrivals.coming))
        listening.close()
        await until(lambda: not listening.arrivals.coming)
        writer.close()

    play(config, scene)
