"""Values: what each kind of directive takes, how it is shown and with which words it is refused. The texts are a real server's."""

from __future__ import annotations

import pytest

from redloop.config import Config, ConfigError
from redloop.config.kinds import parse_size, shortest_size

ENUMERATED = "argument(s) must be one of the following: "
POLICIES = "volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"
OPTIONS = "default, save, nosave, now, force"
NO_INTEGER = "argument couldn't be parsed into an integer"
NO_MEMORY = "argument must be a memory value"
NO_EVENT = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."
LIMITS = " slave 268435456 67108864 60 pubsub 33554432 8388608 60"
NO_COUNT = "Wrong number of arguments in buffer limit configuration."
NO_LIMIT = "Error in hard, soft or soft_seconds setting in buffer limit configuration."
NO_CLASS = "Invalid client class specified in buffer limit configuration."
NO_SCORE = "Invalid oom-score-adj-values, elements must be between -2000 and 2000."
NO_SAVE = "Invalid save parameters"
NO_TITLE = "template format is invalid or contains unknown variables"
PERCENT = "latency-tracking-info-percentiles"


@pytest.mark.parametrize(
    ("name", "word", "shown"),
    [
        ("activerehashing", "NO", "no"),
        ("timeout", "0", "0"),
        ("timeout", "2147483647", "2147483647"),
        ("slowlog-log-slower-than", "-1", "-1"),
        ("slowlog-max-len", "9223372036854775807", "9223372036854775807"),
        ("hz", "1000", "500"),
        ("hz", "0", "1"),
        ("maxmemory", "", "0"),
        ("maxmemory", "1k", "1000"),
        ("maxmemory", "1KB", "1024"),
        ("maxmemory", "1m", "1000000"),
        ("maxmemory", "1mb", "1048576"),
        ("maxmemory", "1g", "1000000000"),
        ("maxmemory", "1gb", "1073741824"),
        ("maxmemory", "7b", "7"),
        ("maxmemory", "18446744073709551616", "18446744073709551615"),
        ("maxmemory", "18446744073709551615kb", "18446744073709550592"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "0%", "0"),
        ("maxmemory-clients", "1mb", "1048576"),
        ("maxmemory-clients", "18446744073709551516", "100%"),
        ("appendfsync", "ALWAYS", "always"),
        ("shutdown-on-sigterm", "now save force", "save now force"),
        ("shutdown-on-sigterm", "default save", "save"),
        ("shutdown-on-sigterm", "default", "default"),
        ("notify-keyspace-events", "", ""),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "Kg$", "g$K"),
        ("notify-keyspace-events", "AKEnm", "AKEm"),
        ("notify-keyspace-events", "KEg$lshzxetd", "AKE"),
        ("notify-keyspace-events", "EK", "KE"),
        ("notify-keyspace-events", "n", "n"),
        ("client-output-buffer-limit", "normal 1 2 3", f"normal 1 2 3{LIMITS}"),
        ("client-output-buffer-limit", "NORMAL 1mb 2kb +3", f"normal 1048576 2048 3{LIMITS}"),
        ("client-output-buffer-limit", "normal 1 2 3 normal 4 5 6", f"normal 4 5 6{LIMITS}"),
        ("client-output-buffer-limit", "replica 1 2 3 pubsub 4 5 6", "normal 0 0 0 slave 1 2 3 pubsub 4 5 6"),
        ("client-output-buffer-limit", "", f"normal 0 0 0{LIMITS}"),
        ("oom-score-adj-values", "+1 2 -3", "1 2 -3"),
        (PERCENT, "", ""),
        (PERCENT, "50 50 99.999", "50 50 99.999"),
        (PERCENT, "33.123456789", "33.123457"),
        (PERCENT, "99.9999999", "100"),
        (PERCENT, "1e1", "10"),
        (PERCENT, "0x10", "16"),
        (PERCENT, "1e-7", "0"),
        ("save", "", ""),
        ("save", "60 1 60 1", "60 1 60 1"),
        ("save", "1 0", "1 0"),
        ("bind", "", ""),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        ("proc-title-template", "a {title} {port} {config-file}", "a {title} {port} {config-file}"),
        ("cluster-announce-hostname", "a-b.c", "a-b.c"),
        ("requirepass", "", ""),
        ("slave-priority", "7", "7"),
        ("lua-time-limit", "7", "7"),
    ],
)
def test_a_value_is_taken_and_shown(name: str, word: str, shown: str) -> None:
    config = Config()
    config.change([(name, word)])
    assert config.show(name) == shown


@pytest.mark.parametrize(
    ("name", "word", "reason"),
    [
        ("activerehashing", "", "argument must be 'yes' or 'no'"),
        ("activerehashing", "1", "argument must be 'yes' or 'no'"),
        *[("timeout", word, NO_INTEGER) for word in ("", "x", "+1", " 1", "1 ", "01", "1e3", "0x1", "-0", "\udcff", "٣")],
        ("timeout", "9223372036854775808", NO_INTEGER),
        ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
        ("port", "65536", "argument must be between 0 and 65535 inclusive"),
        ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
        *[("maxmemory", word, NO_MEMORY) for word in ("1t", "1 kb", "1.5gb", " 5", "5 ", "0x10", "-1", "+1", "%", "5%")],
        ("proto-max-bulk-len", "1mbx", NO_MEMORY),
        ("proto-max-bulk-len", "1", "argument must be between 1048576 and 9223372036854775807 inclusive"),
        ("repl-backlog-size", "0", "argument must be between 1 and 9223372036854775807 inclusive"),
        ("maxmemory-clients", "%", "argument must be a memory or percent value"),
        ("maxmemory-clients", "-1%", "argument must be a memory or percent value"),
        ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
        ("maxmemory-clients", "9223372036854775808", "percentage argument must be less or equal to 100"),
        ("maxmemory-policy", "lru", ENUMERATED + POLICIES),
        ("appendfsync", "always no", ENUMERATED + "everysec, always, no"),
        ("shutdown-on-sigterm", "", ENUMERATED + OPTIONS),
        ("shutdown-on-sigterm", "x save", ENUMERATED + OPTIONS),
        ("shutdown-on-sigterm", "save nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously"),
        ("notify-keyspace-events", "q", NO_EVENT),
        ("notify-keyspace-events", "A A", NO_EVENT),
        ("client-output-buffer-limit", "normal 1 2", NO_COUNT),
        ("client-output-buffer-limit", "normal 1 2 3 x", NO_COUNT),
        ("client-output-buffer-limit", " normal  1 2 3", NO_COUNT),
        ("client-output-buffer-limit", "normal a b c", NO_LIMIT),
        ("client-output-buffer-limit", "normal 1 2 -1", NO_LIMIT),
        ("client-output-buffer-limit", "normal 1 2 0x10", NO_LIMIT),
        ("client-output-buffer-limit", "master 1 2 3", NO_CLASS),
        ("oom-score-adj-values", "", "wrong number of arguments"),
        ("oom-score-adj-values", "1  2 3", "wrong number of arguments"),
        ("oom-score-adj-values", "1 2 3x", NO_SCORE),
        ("oom-score-adj-values", "1 2 2001", NO_SCORE),
        *[(PERCENT, word, f"Invalid {PERCENT} parameters") for word in ("a", "nan", " 50", "50  60", "50 a", "1_0")],
        *[(PERCENT, word, f"{PERCENT} parameters should sit between [0.0,100.0]") for word in ("-0.1", "100.1", "inf")],
        *[("save", word, NO_SAVE) for word in (" ", "60", "60 1 a", "60 -1", "0 1", "60 1 ", " 60 1", "a b")],
        ("bind", " ".join(["::1"] * 17), "Too many bind addresses specified."),
        ("proc-title-template", "", NO_TITLE),
        ("proc-title-template", "{bogus}", NO_TITLE),
        ("proc-title-template", "{title", NO_TITLE),
        ("cluster-announce-hostname", "a b", "Hostnames may only contain alphanumeric characters, hyphens or dots"),
        ("tls-cluster", "yes", "tls-cluster is not supported: what redloop connects to itself it speaks to without TLS"),
        ("cluster-announce-hostname", "a" * 256, "Hostnames must be less than 256 characters"),
    ],
)
def test_a_value_is_refused(name: str, word: str, reason: str) -> None:
    config = Config()
    before = config.show(name)
    with pytest.raises(ConfigError) as caught:
        config.change([(name, word)])
    assert str(caught.value) == f"CONFIG SET failed (possibly related to argument '{name}') - {reason}"
    assert config.show(name) == before


@pytest.mark.parametrize(
    ("text", "size"), [("", 0), ("0", 0), ("kb", 0), ("1024", 1024), ("1KB", 1024), ("3gb", 3 << 30), ("x", None), ("1 kb", None)]
)
def test_a_size_has_a_unit(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(("size", "text"), [(0, "0"), (1024, "1kb"), (1500 << 10, "1500kb"), (100 << 20, "100mb"), (3 << 30, "3gb")])
def test_a_size_is_written_short(size: int, text: str) -> None:
    assert shortest_size(size) == text
