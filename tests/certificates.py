"""Certificates for tests, made when they are needed: an authority, a pair it signed, one it did not, a key with a password."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.compat.servers import PATIENCE

PASSWORD = "open sesame"


def _openssl(folder: Path, *words: str) -> None:
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr


def make(folder: Path) -> Path:
    """Puts ca.crt, server.crt, server.key, locked.key (with PASSWORD), other.crt, other.key and junk.pem into `folder`."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl tool")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority", "-days", "3")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    _openssl(folder, "req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3"]
    _openssl(folder, *sign, "-extfile", "names", "-out", "server.crt")
    _openssl(folder, "req", "-x509", *curve, "-keyout", "other.key", "-out", "other.crt", "-subj", "/CN=other", "-days", "3")
    _openssl(folder, "ec", "-aes128", "-passout", f"pass:{PASSWORD}", "-in", "server.key", "-out", "locked.key")
    (folder / "junk.pem").write_text("junk\n")
    return folder
