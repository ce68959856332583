"""TLS end to end: redis-py and redis-cli over an encrypted port, beside the plain one and the unix socket, and instead of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.certificates import make
from tests.compat.servers import Server, free_port, start

SECONDS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def encrypted(kind: str, folder: Path, port: int) -> Iterator[Server]:
    files = ["--tls-cert-file", f"{folder}/server.crt", "--tls-key-file", f"{folder}/server.key", "--tls-ca-cert-file", f"{folder}/ca.crt"]
    with start(kind, "--tls-port", str(port), *files) as server:
        yield server


def client(folder: Path, port: int, **options: Any) -> redis.Redis:
    files = {"ssl_certfile": f"{folder}/server.crt", "ssl_keyfile": f"{folder}/server.key", "ssl_ca_certs": f"{folder}/ca.crt"}
    return redis.Redis("127.0.0.1", port, ssl=True, socket_timeout=SECONDS, **{**files, **options})


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py(encrypted: Server, folder: Path, port: int, protocol: int) -> None:
    """Commands, large values both ways, a pipeline, a transaction and a message."""
    with client(folder, port, protocol=protocol) as encrypted_client, redis.Redis("127.0.0.1", encrypted.port) as plain:
        big = os.urandom(3_000_000)
        assert encrypted_client.set("big", big)
        assert plain.get("big") == big
        assert encrypted_client.get("big") == big
        pipe = encrypted_client.pipeline(transaction=False)
        for number in range(2000):
            pipe.incr(f"n{number % 7}")
        assert len(pipe.execute()) == 2000
        assert encrypted_client.pipeline().set("a", 1).get("a").execute() == [True, b"1"]
        with encrypted_client.pubsub() as listener:
            listener.subscribe("ch")
            assert listener.get_message(timeout=SECONDS)["type"] == "subscribe"
            assert plain.publish("ch", big) == 1
            assert listener.get_message(timeout=SECONDS)["data"] == big
        assert encrypted_client.client_info()["laddr"] == f"127.0.0.1:{port}"


def test_redis_cli(oracle: str, encrypted: Server, folder: Path, port: int) -> None:
    """--tls with a certificate is served; without one it is not, unless tls-auth-clients says so; -s goes on beside it."""

    def cli(*words: str) -> str:
        command = [os.path.join(oracle, "redis-cli"), *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False)
        return (done.stdout + done.stderr).strip()

    tls = ["-p", str(port), "--tls", "--cacert", f"{folder}/ca.crt"]
    pair = ["--cert", f"{folder}/server.crt", "--key", f"{folder}/server.key"]
    assert cli(*tls, *pair, "PING") == "PONG"
    assert cli("-s", encrypted.path, "PING") == "PONG"
    assert "PONG" not in cli(*tls, "PING")
    assert "PONG" not in cli("-p", str(port), "PING")
    assert cli("-s", encrypted.path, "CONFIG", "SET", "tls-auth-clients", "no") == "OK"
    assert cli(*tls, "PING") == "PONG"
    assert cli("-s", encrypted.path, "CONFIG", "SET", "tls-auth-clients", "optional") == "OK"
    assert cli(*tls, "PING") == "PONG"
    assert cli(*tls, *pair, "PING") == "PONG"
    assert cli("-s", encrypted.path, "CONFIG", "SET", "tls-auth-clients", "yes") == "OK"
    assert cli(*tls, *pair, "INFO", "server").count(f"name=tls,bind=127.0.0.1,port={port}") == 1


def test_the_plain_port_may_be_closed(kind: str, folder: Path) -> None:
    """port 0 with tls-port: only the encrypted port and the socket are open."""
    port = free_port()
    files = ["--tls-cert-file", f"{folder}/server.crt", "--tls-key-file", f"{folder}/server.key", "--tls-auth-clients", "no"]
    with start(kind, "--port", "0", "--tls-port", str(port), *files) as server:
        with client(folder, port) as only:
            assert only.ping()
            assert only.info("server")["tcp_port"] == port
        with pytest.raises(redis.ConnectionError):
            redis.Redis("127.0.0.1", server.port).ping()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "No tls-cert-file configured!"),
        (["--tls-cert-file", "nope", "--tls-key-file", "nope", "--tls-auth-clients", "no"], "Failed to load certificate: nope: "),
    ],
)
def test_a_server_with_a_bad_certificate_does_not_start(kind: str, arguments: list[str], text: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        start(kind, "--tls-port", str(free_port()), *arguments)
    assert text in str(caught.value)
    assert "Failed to configure TLS. Check logs for more info." in str(caught.value)
