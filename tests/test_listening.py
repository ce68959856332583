"""Listening: what port, bind and unixsocket open, and how that changes while the server runs."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from redloop.config import Config, ConfigError
from redloop.engine.peer import Peer
from redloop.listening import SPARE_DESCRIPTORS, ListenError, Listening, fit_descriptors, follow_maxclients, keep_alive, raise_descriptors
from tests.compat.servers import free_port


def greet(peer: Peer) -> None:
    peer.write(b"hello")
    peer.close()


def settings(**values: object) -> Config:
    config = Config()
    config.port = free_port()
    config.bind = ["127.0.0.1"]
    for name, value in values.items():
        setattr(config, name, value)
    return config


async def greeting(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    text = await reader.read()
    writer.close()
    return text


def is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def play(config: Config, scene: Callable[[Listening], Awaitable[None]]) -> None:
    async def run() -> None:
        listening = Listening(config, greet)
        listening.open()
        try:
            await scene(listening)
        finally:
            listening.close()

    asyncio.run(run())


def refusal(config: Config) -> str:
    async def nothing(listening: Listening) -> None:
        raise AssertionError("it listens")

    with pytest.raises(ListenError) as caught:
        play(config, nothing)
    return str(caught.value)


def test_every_address_answers() -> None:
    config = settings(bind=["127.0.0.1", "127.0.0.2"])

    async def scene(listening: Listening) -> None:
        assert await greeting("127.0.0.1", config.port) == b"hello"
        assert await greeting("127.0.0.2", config.port) == b"hello"

    play(config, scene)


def test_a_star_is_every_address() -> None:
    config = settings(bind=["*"])

    async def scene(listening: Listening) -> None:
        assert await greeting("127.0.0.3", config.port) == b"hello"

    play(config, scene)


def test_a_unix_socket_answers_with_its_mode_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.touch()
    config = settings(port=0, unixsocket="s", unixsocketperm=0o700, dir=str(tmp_path))

    async def scene(listening: Listening) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read() == b"hello"
        writer.close()
        assert path.stat().st_mode & 0o777 == 0o700

    play(config, scene)
    assert not path.exists()


def test_a_port_in_use_is_refused_also_where_the_address_may_be_missing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert refusal(settings(port=port)) == f"Failed listening on port {port} (tcp), aborting."
        assert refusal(settings(port=port, bind=["-127.0.0.1"])) == f"Failed listening on port {port} (tcp), aborting."


def test_an_address_may_be_missing_if_it_says_so() -> None:
    config = settings(bind=["127.0.0.1", "-1.2.3.4"])

    async def scene(listening: Listening) -> None:
        assert len(listening.tcp_gate.doors) == 1

    play(config, scene)
    config = settings(bind=["127.0.0.1", "1.2.3.4"])
    assert refusal(config) == f"Failed listening on port {config.port} (tcp), aborting."


@pytest.mark.parametrize("values", [{"port": 0}, {"bind": []}, {"bind": ["-1.2.3.4"]}])
def test_somewhere_it_must_listen(values: dict[str, object]) -> None:
    assert refusal(settings(**values)) == "Configured to not listen anywhere, exiting."


def test_a_unix_socket_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    config = settings(unixsocket=str(tmp_path / "no" / "s"))
    assert refusal(config) == "Failed opening Unix socket: bind: No such file or directory"


def test_a_new_port_replaces_the_old_one() -> None:
    config = settings()
    old, new = config.port, free_port()

    async def scene(listening: Listening) -> None:
        config.change([("port", str(new))])
        assert await greeting("127.0.0.1", new) == b"hello"
        assert is_closed(old)
        config.change([("port", "0")])
        assert listening.tcp_gate.doors == []

    play(config, scene)


def test_addresses_that_exclude_each_other_replace_each_other() -> None:
    config = settings(bind=["*"])

    async def scene(listening: Listening) -> None:
        config.change([("bind", "127.0.0.1")])
        config.change([("bind", "*")])
        config.change([("bind", "127.0.0.1 127.0.0.2")])
        assert await greeting("127.0.0.2", config.port) == b"hello"

    play(config, scene)


@pytest.mark.parametrize(
    ("name", "word", "reason"),
    [
        ("port", "taken", "Unable to listen on this port. Check server logs."),
        ("bind", "127.0.0.1 1.2.3.4", "Failed to bind to specified addresses."),
    ],
)
def test_what_cannot_be_had_leaves_everything_as_it_was(name: str, word: str, reason: str) -> None:
    config = settings()

    async def scene(listening: Listening) -> None:
        before = config.show(name)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(ConfigError) as caught:
                config.change([(name, word.replace("taken", str(taken.getsockname()[1])))])
        assert str(caught.value) == f"CONFIG SET failed (possibly related to argument '{name}') - {reason}"
        assert config.show(name) == before
        assert await greeting("127.0.0.1", config.port) == b"hello"

    play(config, scene)


def test_a_change_undone_by_another_goes_back_to_the_old_port() -> None:
    config = settings()

    def refuse() -> None:
        raise ConfigError("no")

    async def scene(listening: Listening) -> None:
        config.on_change("timeout", refuse)
        old = config.port
        with pytest.raises(ConfigError):
            config.change([("port", str(free_port())), ("timeout", "5")])
        assert config.port == old
        assert await greeting("127.0.0.1", old) == b"hello"

    play(config, scene)


def test_silent_peers_are_asked_after_tcp_keepalive_seconds() -> None:
    config = settings(tcp_keepalive=60)

    async def scene(listening: Listening) -> None:
        sock = listening.tcp_gate.doors[0].sock
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 20
        config.change([("tcp-keepalive", "0")])
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
        keep_alive(sock, 2147483647)

    play(config, scene)


def test_a_reply_is_not_held_back_until_the_one_before_is_acknowledged() -> None:
    """TCP_NODELAY, which asyncio's own loop sets only where a socket names its protocol."""
    options: list[int] = []

    def look(peer: Peer) -> None:
        with socket.socket(fileno=os.dup(peer.fd)) as twin:
            options.append(twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        peer.close()

    async def run() -> None:
        config = settings()
        listening = Listening(config, look)
        listening.open()
        try:
            assert await greeting("127.0.0.1", config.port) == b""
        finally:
            listening.close()

    asyncio.run(run())
    assert options == [1]


def test_maxclients_is_what_the_system_allows() -> None:
    most = raise_descriptors(1 << 40) - SPARE_DESCRIPTORS
    config = settings(maxclients=most + 1)
    fit_descriptors(config)
    assert config.maxclients == most
    follow_maxclients(config)
    config.change([("maxclients", str(most))])
    with pytest.raises(ConfigError, match=f"number of clients, try with {most}$"):
        config.change([("maxclients", str(most + 1))])
