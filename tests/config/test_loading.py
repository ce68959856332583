"""Loading: file, standard input and command line as one text. The outcomes are a real server's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from redloop.config import Config, ConfigError, FatalConfigError, load

FATAL = "\n*** FATAL CONFIG FILE ERROR (Redis 8.0.2) ***\n"
UNBALANCED = "Unbalanced quotes in configuration line"
BAD = "Bad directive or wrong number of arguments"
COUNT = "wrong number of arguments"
OPTIONS = "argument(s) must be one of the following: default, save, nosave, now, force"
LIMITS = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"


def loaded(*arguments: str, stdin: bytes = b"") -> Config:
    config = Config()
    load(config, list(arguments), lambda: stdin)
    return config


def failure(*arguments: str, stdin: bytes = b"") -> str:
    with pytest.raises(FatalConfigError) as caught:
        loaded(*arguments, stdin=stdin)
    return str(caught.value)


def place(number: int, line: str, reason: str) -> str:
    return f"{FATAL}Reading the configuration file, at line {number}\n>>> '{line}'\n{reason}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "name", "shown"),
    [
        (["--port", "7000"], "port", "7000"),
        (["--PORT", "1", "--MaxMemory", "100MB"], "maxmemory", "104857600"),
        (["--port 7000"], "port", "7000"),
        (["--port 7000", "--masterauth", "x"], "masterauth", "x"),
        (["--save"], "save", ""),
        (["--save", ""], "save", ""),
        (["--save", "--port", "7000"], "port", "7000"),
        (["--SAVE", "--port", "7000"], "save", ""),
        (["--save", "10", "1", "20", "2"], "save", "10 1 20 2"),
        (["--save", "10 1 20 2"], "save", "10 1 20 2"),
        (["--save", "10 1", "--save", "20 2"], "save", "10 1 20 2"),
        (["--save", "", "--save", "20 2"], "save", "20 2"),
        (["--save", "20 2", "--save", ""], "save", ""),
        (["--bind", "127.0.0.1", "-::1"], "bind", "127.0.0.1 -::1"),
        (["--bind", "127.0.0.1 -::1"], "bind", "127.0.0.1 -::1"),
        (["--bind", "127.0.0.1", "--bind", "127.0.0.2"], "bind", "127.0.0.2"),
        (["--bind"], "bind", ""),
        (["--client-output-buffer-limit"], "client-output-buffer-limit", LIMITS),
        (["--shutdown-on-sigterm", "save", "now"], "shutdown-on-sigterm", "save now"),
        (["--latency-tracking-info-percentiles", "1", "2"], "latency-tracking-info-percentiles", "1 2"),
        (["--replicaof", "no", "one"], "replicaof", ""),
        (["--slaveof", "127.0.0.1", "1"], "replicaof", "127.0.0.1 1"),
        (["--requirepass", "--foo", "--timeout", "1"], "requirepass", "--foo"),
        (["--masterauth", "-foo"], "masterauth", "-foo"),
        (["--masterauth", 'a"b\\c\'d'], "masterauth", 'a"b\\c\'d'),
        (["--masterauth", '"a b"'], "masterauth", '"a b"'),
        (["--masterauth", "a\tb\n c"], "masterauth", "a\tb\n c"),
        (["--masterauth", "\udcff\xe9"], "masterauth", "\udcff\xe9"),
        (["--repl-backlog-size", "1"], "repl-backlog-size", "1"),
        ([], "port", "6379"),
        (["--"], "port", "6379"),
    ],
)
def test_the_command_line_is_read_as_redis_server_reads_it(arguments: list[str], name: str, shown: str) -> None:
    assert loaded(*arguments).show(name) == shown


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--port", "x"], place(2, 'port "x"', "argument couldn't be parsed into an integer")),
        (["--port", "--1"], place(2, 'port "--1"', "argument couldn't be parsed into an integer")),
        (["--port", "1", "--port"], place(3, "port", COUNT)),
        (["--port", "1", "-v"], place(2, 'port "1" "-v"', COUNT)),
        (["--port", "3", "-", "--x", "1"], place(2, 'port "3" "-"', COUNT)),
        (["--unixsocket", "--x", "1"], place(2, 'unixsocket "--x" "1"', COUNT)),
        (["--shutdown-on-sigterm"], place(2, "shutdown-on-sigterm", OPTIONS)),
        (["--notify-keyspace-events"], place(2, "notify-keyspace-events", COUNT)),
        (["--save", "1", "--port", "1"], place(2, 'save "1"', "Invalid save parameters")),
        (["--zzz"], place(2, "zzz", BAD)),
        (["--", "x"], place(2, '"x"', BAD)),
        (["-x"], place(2, '"-x"', BAD)),
    ],
)
def test_a_bad_argument_is_reported_like_a_line(arguments: list[str], text: str) -> None:
    assert failure(*arguments) == text


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ('masterauth "a\\x41\\n"', "masterauth", "aA\n"),
        ("masterauth a#b", "masterauth", "a#b"),
        ("\t masterauth \t x \r\n # comment\n\n", "masterauth", "x"),
        ('"masterauth" abc', "masterauth", "abc"),
        ("masterauth \udcff\udcfe", "masterauth", "\udcff\udcfe"),
        ("MASTERAUTH Xy", "masterauth", "Xy"),
        ("save 60 1\nsave 30 2", "save", "60 1 30 2"),
        ('save 1 1\nsave ""\nsave 2 2', "save", "2 2"),
        ('save "60 1 70 2"', "save", "60 1 70 2"),
        ("save", "save", ""),
        ("unixsocketperm 0777", "unixsocketperm", "777"),
        ('unixsocketperm ""', "unixsocketperm", "0"),
        ('unixsocketperm " 7"', "unixsocketperm", "7"),
        ('replicaof "127.0.0.1 1"', "slaveof", "127.0.0.1 1"),
        ('latency-tracking-info-percentiles ""', "latency-tracking-info-percentiles", ""),
        ("list-max-ziplist-entries 1\nio-threads-do-reads yes\nlua-replicate-commands no\nport 1", "port", "1"),
        ("client-output-buffer-limit slave 1 2 3\nclient-output-buffer-limit pubsub 4 5 6", "client-output-buffer-limit",
         "normal 0 0 0 slave 1 2 3 pubsub 4 5 6"),
    ],
)  # fmt: skip
def test_a_file_is_read_as_redis_server_reads_it(here: Path, text: str, name: str, shown: str) -> None:
    (here / "x.conf").write_text(text, errors="surrogateescape")
    config = loaded("x.conf")
    assert config.show(name) == shown
    assert config.path == str(here / "x.conf")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('masterauth "ab"c', UNBALANCED),
        ('masterauth "ab', UNBALANCED),
        ("masterauth 'ab", UNBALANCED),
        ('masterauth "a\\', UNBALANCED),
        ("masterauth", COUNT),
        ("masterauth a #b", COUNT),
        ("port 1 # c", COUNT),
        ("port 1\rmaxmemory 1", COUNT),
        ("maxmemory 1 gb", COUNT),
        ('""', BAD),
        (";x", BAD),
        ("foo.bar", BAD),
        ("include", BAD),
        ("user", BAD),
        ("rename-command", BAD),
        ("list-max-ziplist-entries", BAD),
        ("dbfilename a/b", "dbfilename can't be a path, just a filename"),
        ('appendfilename ""', "appendfilename can't be empty"),
        ("appenddirname a/b", "appenddirname can't be a path, just a dirname"),
        ("dir nosuch", "No such file or directory"),
        ('dir ""', "No such file or directory"),
        ("dir x.conf", "Not a directory"),
        ('save 1 2 ""', "Invalid save parameters"),
        ("save 60 1 5", "Invalid save parameters"),
        ("replicaof a b", "Invalid master port"),
        ("replicaof a 70000", "Invalid master port"),
        ('replicaof ""', COUNT),
        ("unixsocketperm 888", "argument couldn't be parsed as an octal number"),
        ("unixsocketperm 1000", "argument must be between 0 and 777 inclusive"),
        ("unixsocketperm -1", "argument must be between 0 and 777 inclusive"),
        ('client-output-buffer-limit ""', "Wrong number of arguments in buffer limit configuration."),
        ("sentinel monitor a b c d", "sentinel directive while not in sentinel mode"),
        ("loadmodule x.so", "loadmodule is not supported: there are no loadable modules"),
        ("cluster-enabled yes", "cluster-enabled is not supported: there is no cluster mode"),
    ],
)
def test_a_bad_line_is_reported(here: Path, line: str, reason: str) -> None:
    (here / "x.conf").write_text(f"# a comment\n\n  {line} \nport 1\n")
    assert failure("x.conf") == place(3, line, reason)


def test_the_command_line_wins_over_standard_input_and_that_over_the_file(here: Path) -> None:
    (here / "x.conf").write_text("timeout 1\nhz 11\nport 1\n")
    config = loaded("x.conf", "--timeout", "3", "-", stdin=b"timeout 2\nhz 12\n")
    assert (config.timeout, config.hz, config.port) == (3, 12, 1)


def test_save_points_of_the_command_line_join_those_of_the_file(here: Path) -> None:
    (here / "x.conf").write_text("save 60 1\nsave 30 2")
    assert loaded("x.conf", "--save", "10 1").save == [(60, 1), (30, 2), (10, 1)]
    assert loaded("x.conf", "--save", "").save == []


def test_lines_are_counted_through_file_input_and_options(here: Path) -> None:
    (here / "x.conf").write_text("\n\n")
    assert failure("x.conf", "--yyy", "-", stdin=b"\n\n\n") == place(7, "yyy", BAD)
    assert failure("x.conf", "--port", "1", "-", stdin=b"\n\nzzz\n") == place(5, "zzz", BAD)
    (here / "x.conf").write_text("port 1")
    assert failure("x.conf", "b") == place(2, '"b"', BAD)
    assert failure("x.conf", "-", stdin=b"x") == place(1, "port 1x", "argument couldn't be parsed into an integer")


def test_directives_nobody_knows_are_named_together() -> None:
    with pytest.raises(FatalConfigError) as caught:
        loaded("--zzz", "a b", 'c"d', "--yyy", "1", "--list-max-ziplist-value", "1", "2")
    assert caught.value.logged
    assert str(caught.value).splitlines() == [
        "Unresolved Configuration(s) Detected:",
        ">>> 'zzz a b c\"d'",
        ">>> 'yyy 1'",
        ">>> 'list-max-ziplist-value 1 2'",
        "Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting",
    ]


def test_a_file_that_cannot_be_read_is_named(here: Path) -> None:
    assert failure("nosuch.conf") == f"Fatal error, can't open config file '{here}/nosuch.conf': No such file or directory"
    assert failure("--include", "nosuch") == "Fatal error, can't open config file 'nosuch': No such file or directory"


def test_files_include_others_by_name_or_pattern(here: Path) -> None:
    (here / "x.conf").write_text("port 1\ninclude y.conf\ninclude ?.inc\ninclude *.none\n")
    (here / "y.conf").write_text("port 2\ntimeout 2\n")
    (here / "b.inc").write_text("timeout 4\n")
    (here / "a.inc").write_text("timeout 3\nhz 33\n")
    config = loaded("x.conf")
    assert (config.port, config.timeout, config.hz, config.path) == (2, 4, 33, str(here / "x.conf"))
    (here / "a.inc").write_text("\nhz x\n")
    assert failure("x.conf") == place(2, "hz x", "argument couldn't be parsed into an integer")


def test_a_file_that_includes_itself_is_refused(here: Path) -> None:
    (here / "x.conf").write_text("include x.conf\n")
    assert failure("x.conf") == place(1, "include x.conf", "Files include each other more than 16 deep")


def test_dir_is_absolute_and_what_follows_is_relative_to_it(here: Path) -> None:
    (here / "data").mkdir()
    (here / "data" / "y.conf").write_text("port 2\n")
    config = loaded("--dir", "data", "--include", "y.conf", "--logfile", "my.log")
    assert (config.dir, config.port) == (str((here / "data").resolve()), 2)
    assert config.place("a") == os.path.join(config.dir, "a")
    assert (here / "data" / "my.log").exists()


def test_what_holds_only_between_directives_is_checked_at_the_end(here: Path) -> None:
    assert failure("--logfile", "nosuch/x") == f"{FATAL}Can't open the log file: No such file or directory\n"


def test_declarations_are_kept_and_checked_by_their_owners() -> None:
    config = Config()
    load(config, ["--rename-command", "GET", "", "--user", "bob", "on", "~*"], bytes)
    assert (config.renamed_commands, config.users) == ([("GET", "")], [["bob", "on", "~*"]])

    def refuse(words: list[str]) -> None:
        raise ConfigError(f"No such command in rename-command: {words[0]}")

    config.on_declaration("rename-command", refuse)
    with pytest.raises(FatalConfigError, match="at line 2\n>>> 'rename-command \"x\" \"y\"'\nNo such command in rename-command: x"):
        load(config, ["--rename-command", "x", "y"], bytes)


def test_settings_without_effect_are_remarked_on() -> None:
    assert loaded("--io-threads", "4", "--timeout", "3").remarks == ["io-threads is accepted but has no effect: one thread runs everything"]


def test_nothing_given_is_known_as_such() -> None:
    assert not loaded().loaded
    assert loaded("--port", "1").loaded
