"""CONFIG REWRITE keeps the file its author knows. The expected texts, sorted below the signature, are a real server's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from redloop.config import Config, load, rewrite
from redloop.config.rewriting import SIGNATURE, rewritten

ALWAYS = ["latency-tracking-info-percentiles 50 99 99.9", "save 3600 1", "save 300 100", "save 60 10000"]
LONG_DEFAULTS = """\
maxmemory 0
appendonly no
requirepass ""
maxmemory-clients 0
notify-keyspace-events ""
logfile ""
pidfile ""
unixsocket ""
save 3600 1 300 100 60 10000
list-max-ziplist-size -2
proto-max-bulk-len 512mb
unixsocketperm 0
bind * -::*
oom-score-adj-values 0 200 800
latency-tracking-info-percentiles 50 99 99.9
aclfile ""
shutdown-on-sigterm default
busy-reply-threshold 5
lua-time-limit 9
key-load-delay 0
"""
LONG_DEFAULTS_REWRITTEN = """\
maxmemory 0
appendonly no

maxmemory-clients 0
notify-keyspace-events ""
logfile ""

save 3600 1
list-max-listpack-size -2
proto-max-bulk-len 512mb
unixsocketperm 0

oom-score-adj-values 0 200 800
latency-tracking-info-percentiles 50 99 99.9
aclfile ""
shutdown-on-sigterm default
busy-reply-threshold 9

key-load-delay 0

"""


def split_text(config: Config, text: str, users: list[str]) -> tuple[str, list[str]]:
    """The part the author knows, and the appended lines that are not always there."""
    above, _, below = text.partition(f"{SIGNATURE}\n")
    constant = {f'dir "{config.dir}"', *ALWAYS, *(f"user {user}" for user in users)}
    return above, sorted(line for line in below.splitlines() if line not in constant)


@pytest.mark.parametrize(
    ("old", "changes", "above", "below"),
    [
        ("", [], "", []),
        ("# c\n\n# d\n", [], "# c\n\n# d\n\n", []),
        ("port 1\nmaxmemory 100mb\n# x\nmaxmemory 200mb\ntimeout 0\n", [], "port 1\nmaxmemory 200mb\n# x\n\ntimeout 0\n\n", []),
        ("slave-read-only no\nmin-slaves-to-write 2\nhash-max-ziplist-entries 5\n", [],
         "replica-read-only no\nmin-replicas-to-write 2\nhash-max-listpack-entries 5\n\n", []),
        ("timeout 5\n", [("timeout", "0")], "timeout 0\n\n", []),
        ("save 60 1\n# a\nsave 30 2\nsave 20 3\nport 1", [("save", "10 1")], "save 10 1\n# a\n\nport 1\n", []),
        ("save 60 1\nport 1", [("save", "")], 'save ""\nport 1\n', []),
        ('save ""\nport 1', [("save", "7 7 8 8")], "save 7 7\nport 1\n", ["save 8 8"]),
        ("PORT   1\n  timeout\t 7   \n\"databases\" 20\n#databases 3\n\n\n\nbind 127.0.0.1\n", [("timeout", "0")],
         "port 1\ntimeout 0\ndatabases 20\n#databases 3\n\nbind 127.0.0.1\n\n", []),
        ("   # indented  \n\t\n \ttimeout 3 \n", [], "# indented\n\ntimeout 3\n\n", []),
        ("rename-command GET G\nlist-max-ziplist-entries 3\nio-threads-do-reads yes\n", [],
         "rename-command GET G\n# ??? list-max-ziplist-entries 3\n# ??? io-threads-do-reads yes\n\n", []),
        ("timeout 5\n\n\ntimeout 6\n\n\ntimeout 7\n\nhz 10\n", [], "timeout 7\n\nhz 10\n\n", []),
        ("client-output-buffer-limit replica 1 2 3\n", [], "client-output-buffer-limit normal 0 0 0\n\n",
         ["client-output-buffer-limit replica 1 2 3"]),
        ("masterauth x\nmasterauth y\nreplicaof no one\n", [("masterauth", "")], "\n", []),
        ('masterauth "\\x00\\x01\\xff \xe9"', [], 'masterauth "\\x00\\x01\\xff \\xc3\\xa9"\n', []),
        ("maxmemory-clients 1500kb\nunixsocketperm 070\n", [], "maxmemory-clients 1500kb\nunixsocketperm 70\n\n", []),
        (LONG_DEFAULTS, [], LONG_DEFAULTS_REWRITTEN, []),
        ("port 1\n", [("bind", "127.0.0.1 -::1"), ("slowlog-log-slower-than", "-1"), ("min-slaves-to-write", "1"), ("maxmemory", "1500mb"),
                      ("maxmemory-clients", "5%"), ("notify-keyspace-events", "KEA"), ("requirepass", 'a"b c\n'), ("loglevel", "debug"),
                      ("shutdown-on-sigterm", "now save"), ("latency-tracking-info-percentiles", ""), ("key-load-delay", "5")],
         "port 1\n\n",
         ["bind 127.0.0.1 -::1", "key-load-delay 5", 'latency-tracking-info-percentiles ""', "loglevel debug", "maxmemory 1500mb",
          "maxmemory-clients 5%", "min-replicas-to-write 1", 'notify-keyspace-events "AKE"', 'requirepass "a\\"b c\\n"',
          "shutdown-on-sigterm save now", "slowlog-log-slower-than -1"]),
    ],
)  # fmt: skip
def test_the_file_is_brought_up_to_date(tmp_path: Path, old: str, changes: list[tuple[str, str]], above: str, below: list[str]) -> None:
    path = tmp_path / "x.conf"
    path.write_text(old)
    config = Config()
    load(config, [str(path)], bytes)
    config.change(changes)
    users = ["default on nopass sanitize-payload ~* &* +@all"]
    text = rewritten(config, users, old)
    assert split_text(config, text, users) == (above, below)
    path.write_text(text)
    again = Config()
    load(again, [str(path)], bytes)
    assert {name: again.show(name) for name in again.names()} == {name: config.show(name) for name in config.names()}
    assert rewritten(again, users, text).rstrip("\n") == text.rstrip("\n")


def test_an_earlier_signature_is_not_repeated() -> None:
    config = Config()
    config.change([("maxmemory", "9")])
    text = rewritten(config, [], f"{SIGNATURE}\ntimeout 3\n# z\n")
    assert text.startswith(f"{SIGNATURE}\ntimeout 0\n# z\n\n")
    assert "\nmaxmemory 9\n" in text
    assert text.count(SIGNATURE) == 1


def test_users_take_the_lines_of_users() -> None:
    text = rewritten(Config(), ["bob on", "default off"], "user bob off\nport 6379\n")
    assert text.startswith("user bob on\nport 6379\n")
    assert text.endswith("user default off\n")
    assert "user" not in rewritten(Config(), [], "user bob off\nport 6379\n")


def test_a_line_with_unbalanced_quotes_becomes_a_comment() -> None:
    assert rewritten(Config(), [], 'port "1\n').startswith('# ??? port "1\n')


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    config = Config()
    config.path = str(path)
    rewrite(config, [])
    assert path.read_text().startswith(f"{SIGNATURE}\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.conf"]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_that_cannot_be_written_stays(tmp_path: Path) -> None:
    config = Config()
    config.path = str(tmp_path / "nosuch" / "x.conf")
    with pytest.raises(FileNotFoundError):
        rewrite(config, [])
