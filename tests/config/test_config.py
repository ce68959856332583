"""Changes: all or nothing, told to those who listen, in the words of CONFIG SET."""

from __future__ import annotations

import pytest

from redloop.config import Config, ConfigError

IMMUTABLE = "CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config"


class Ear:
    """A listener that notes what it heard and may refuse."""

    def __init__(self, config: Config, refuse: str = "") -> None:
        self.config = config
        self.refuse = refuse
        self.heard: list[int] = []

    def __call__(self) -> None:
        self.heard.append(self.config.port)
        if self.refuse:
            raise ConfigError(self.refuse)


def reason(config: Config, *pairs: tuple[str, str], protected: bool = False) -> str:
    with pytest.raises(ConfigError) as caught:
        config.change(list(pairs), protected=protected)
    return str(caught.value)


def test_names_of_any_case_and_older_names_are_known() -> None:
    config = Config()
    config.change([("MaxMemory", "5"), ("SLAVE-READ-ONLY", "no")])
    assert (config.maxmemory, config.replica_read_only, config.show("replica-READ-only")) == (5, False, "no")
    assert config.knows("Slaveof")
    assert not config.knows("include")


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ([("a", "b")], "Unknown option or number of arguments for CONFIG SET - 'a'"),
        ([("timeout", "x"), ("a", "b")], "Unknown option or number of arguments for CONFIG SET - 'a'"),
        ([("databases", "4"), ("a", "b")], IMMUTABLE),
        ([("timeout", "x"), ("databases", "4")], IMMUTABLE),
        ([("dbfilename", "x")], "CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config"),
        ([("hz", "1"), ("Hz", "x")], "CONFIG SET failed (possibly related to argument 'Hz') - duplicate parameter"),
    ],
)
def test_what_may_not_change_is_refused_before_anything_is_tried(pairs: list[tuple[str, str]], text: str) -> None:
    assert reason(Config(), *pairs) == text


def test_an_older_and_a_newer_name_may_stand_together_and_the_last_wins() -> None:
    config = Config()
    config.change([("slave-read-only", "yes"), ("replica-read-only", "no")])
    assert not config.replica_read_only


def test_protected_directives_change_where_that_is_allowed() -> None:
    config = Config()
    config.change([("dbfilename", "x.rdb")], protected=True)
    assert config.dbfilename == "x.rdb"
    assert reason(config, ("dbfilename", "a/b"), protected=True).endswith("- dbfilename can't be a path, just a filename")


def test_one_bad_value_undoes_the_others() -> None:
    config = Config()
    assert reason(config, ("maxmemory", "1gb"), ("timeout", "x")).startswith("CONFIG SET failed (possibly related to argument 'timeout')")
    assert config.maxmemory == 0


def test_a_refused_change_puts_everything_back_and_tells_who_had_acted() -> None:
    config = Config()
    willing, unwilling = Ear(config), Ear(config, "Unable to listen on this port. Check server logs.")
    config.on_change("timeout", willing)
    config.on_change("port", unwilling)
    text = reason(config, ("timeout", "5"), ("port", "7000"))
    assert text == "CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
    assert (config.timeout, config.port) == (0, 6379)
    assert (willing.heard, unwilling.heard) == ([7000, 6379], [7000])


def test_a_listener_of_several_directives_hears_once() -> None:
    config = Config()
    ear = Ear(config)
    config.on_change("port", ear)
    config.on_change("bind", ear)
    config.change([("port", "7000"), ("bind", "127.0.0.1"), ("timeout", "1")])
    assert ear.heard == [7000]


def test_a_listener_hears_under_any_name() -> None:
    config = Config()
    ear = Ear(config)
    config.on_change("replica-priority", ear)
    config.change([("slave-priority", "5")])
    assert ear.heard == [6379]


def test_secrets_are_known_as_such() -> None:
    config = Config()
    names = ("requirepass", "MASTERAUTH", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass", "maxmemory", "x")
    assert [config.is_sensitive(name) for name in names] == [True, True, True, True, True, False, False]


def test_a_setting_without_effect_is_remarked_on() -> None:
    config = Config()
    config.change([("activerehashing", "yes"), ("crash-log-enabled", "no")])
    assert config.remarks == ["crash-log-enabled is accepted but has no effect: Python reports its own crashes"]


def test_patterns_do_not_see_hidden_directives() -> None:
    config = Config()
    assert "watchdog-period" not in config.names()
    assert config.show("watchdog-period") == "0"
    assert len(config.names()) == 203


def test_two_servers_share_nothing() -> None:
    one, other = Config(), Config()
    one.change([("save", ""), ("bind", "::1"), ("oom-score-adj-values", "1 2 3"), ("client-output-buffer-limit", "normal 1 1 1")])
    assert (other.save, other.bind, other.oom_score_adj_values) == ([(3600, 1), (300, 100), (60, 10000)], ["*", "-::*"], [0, 200, 800])
    assert other.client_output_buffer_limit[0] == (0, 0, 0)
