"""Reading syntax lines."""

from __future__ import annotations

import pytest

from redloop.engine.syntax import Argument, SyntaxLineError, parse


def shape(argument: Argument) -> str:
    """An argument in one line: name:kind, its token before it; ? optional, + multiple, ++ repeated with its token."""
    inner = f"({' '.join(shape(a) for a in argument.arguments)})" if argument.arguments else ""
    token = f"{argument.token}=" if argument.token is not None and argument.kind != "pure-token" else ""
    marks = "?" * argument.optional + "+" * argument.multiple + "+" * argument.multiple_token
    return f"{token}{argument.name}:{argument.kind}{inner}{marks}"


def shapes(line: str) -> list[str]:
    return [shape(argument) for argument in parse(line).arguments]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET key", ["key:key"]),
        ("PING [message]", ["message:string?"]),
        ("DEL key [key ...]", ["key:key+"]),
        ("PFADD key [element [element ...]]", ["key:key", "element:string?+"]),
        ("MSET key value [key value ...]", ["data:block(key:key value:string)+"]),
        ("EXPIREAT key unix-time-seconds", ["key:key", "unix-time-seconds:unix-time"]),
        ("SCAN cursor [MATCH pattern]", ["cursor:integer", "MATCH=pattern:pattern?"]),
        ("F [NX | XX]", ["condition:oneof(nx:pure-token xx:pure-token)?"]),
        ("F <ON | OFF>", ["enabled:oneof(on:pure-token off:pure-token)"]),
        ("F [LIMIT offset count]", ["LIMIT=limit:block(offset:integer count:integer)?"]),
        ("F [COUNT count [ANY]]", ["count-block:block(COUNT=count:integer any:pure-token?)?"]),
        ("F [GET pattern [GET pattern ...]]", ["GET=pattern:pattern?++"]),
        ("F [WEIGHTS weight [weight ...]]", ["WEIGHTS=weight:integer?+"]),
        ("F [AGGREGATE <SUM | MIN>]", ["AGGREGATE=aggregate:oneof(sum:pure-token min:pure-token)?"]),
        ("HTTL key FIELDS numfields field [field ...]", ["key:key", "FIELDS=fields:block(numfields:integer field:string+)"]),
        ("XREAD [NOACK] STREAMS key [key ...] id [id ...]", ["noack:pure-token?", "STREAMS=streams:block(key:key+ id:string+)"]),
        ("F <BYRADIUS radius <M | KM>>", ["circle:block(BYRADIUS=radius:double unit:oneof(m:pure-token km:pure-token))"]),
        ("F <* | id>", ["id-selector:oneof(auto-id:pure-token id:string)"]),
        ("F [start [end]]", ["range:block(start:integer end:integer?)?"]),
    ],
)
def test_reads_each_form_of_the_notation(line: str, expected: list[str]) -> None:
    assert shapes(line) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("GET key", ["GET"]),
        ("CONFIG SET parameter value [parameter value ...]", ["CONFIG", "SET"]),
        ("CLIENT KILL <ip:port | [ID client-id]>", ["CLIENT", "KILL"]),
        ("BITOP <AND | OR> destkey", ["BITOP"]),
        ("XREADGROUP GROUP group consumer", ["XREADGROUP"]),
    ],
)
def test_name_is_the_leading_capitals(line: str, words: list[str]) -> None:
    names = {"ip:port": "filter", "GROUP": "group-block"}
    assert parse(line, names=names).words == words


@pytest.mark.parametrize(
    ("line", "arity"),
    [
        ("GET key", 2),
        ("DEL key [key ...]", -2),
        ("MSET key value [key value ...]", -3),
        ("SET key value [NX | XX]", -3),
        ("OBJECT ENCODING key", 3),
        ("REPLICAOF <host port | NO ONE>", 3),
        ("XREAD [COUNT count] STREAMS key [key ...] id [id ...]", -4),
        ("F key <MAXLEN | MINID> [= | ~] threshold [LIMIT count]", -4),
    ],
)
def test_arity_counts_the_least_and_is_negative_when_open(line: str, arity: int) -> None:
    assert parse(line, names={"host": "args host-port"}).arity() == arity


def test_registration_overrules_types_and_names() -> None:
    syntax = parse("LMOVE source <LEFT | RIGHT> <LEFT | RIGHT> timeout", {"timeout": "integer"}, {"LEFT": "wherefrom left whereto"})
    assert [argument.name for argument in syntax.arguments] == ["source", "wherefrom", "whereto", "timeout"]
    assert syntax.arguments[-1].kind == "integer"


@pytest.mark.parametrize("line", ["GET [key", "GET key [field ...]", "F <A | B>"])
def test_a_line_that_cannot_be_read_is_refused(line: str) -> None:
    with pytest.raises(SyntaxLineError):
        parse(line)
