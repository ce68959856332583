"""Random users, and who may do what: ours decides as a real server does.

A user is made by random rules, some of them wrong; what SETUSER, GETUSER and LIST answer must be the same, and what ACL DRYRUN says of
random requests. `REDLOOP_FULL=1` plays the number of users the project promises, `REDLOOP_SEED=7` others than usual.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest

from redloop.engine.command import CATEGORIES
from tests.compat.harness import Pair, pack
from tests.compat.replies import Stream, parse

SEED = int(os.environ.get("REDLOOP_SEED", "1"))
USERS = 5_000 if os.environ.get("REDLOOP_FULL") else 300
REQUESTS = 30

PATTERNS = ["*", "a*", "b?", "[ab]c", "k", "", "x\\*", "foo:*", "*1", "a*c*", "[^a]*", "k[0-9]", "ch*", "**"]
NAMES = ["a", "ab", "ac", "b1", "bc", "k", "k1", "foo:1", "", "x*", "z", "abc", "ch1", "a*", "ch*", "[ab]c", "\xff"]
PASSWORDS = ["p", "q", ""]
KNOWN = ["0" * 64, "ab" * 32, "AB" * 32, "short"]
PLAIN = ["on", "off", "nopass", "resetpass", "reset", "allkeys", "resetkeys", "allchannels"]
PLAIN += ["resetchannels", "allcommands", "nocommands", "clearselectors"]
ODD = ["", "foo", "+", "-", "+@", "%", "%R", "%~a", "%X~a", "~a b", "&a b", "(", ")", "(+get", "+get)", "()", "(on)", "(>p)", "((+get))"]
ODD += ["+nosuch", "-nosuch|x", "+config|", "+config|nosuch", "+config|get|x", "-get|x", "+get|", "+@nosuch", "%RR~a", "(~a", "+set)"]
BEGINNINGS = ["", "", "+@all", "allkeys", "+@all ~* allchannels", "resetkeys +@all", "(+@all ~a*)", "reset"]
WORDS = ["K", "K", "K", "C", "v", "1", "2", "streams", "store", "get", "keys", "count", "numkeys"]  # of requests that no template has
FIRST_WORDS = ["0", "1", "a", "k", "X"]

# Requests as templates: K a key, C a channel, N a number; the rest as it stands.
TEMPLATES = """
get K|set K v|set K v get|set K v ex 10 GET|getset K v|append K v|mget K K K|mset K v K v|del K K|exists K K|touch K|expire K 10|ttl K
type K|copy K K|rename K K|renamenx K K|lmove K K left right|rpoplpush K K|smove K K m|sinterstore K K K|sdiffstore K K|sunion K K
sintercard 2 K K|zunionstore K 2 K K|zunionstore K 3 K K|zunionstore K x K|zinterstore K 1 K weights 1|zdiff 2 K K
zinter 2 K K withscores|zrangestore K K 0 1|zmpop 2 K K min|lmpop 1 K left|blmpop 0 2 K K left|bzmpop 0 1 K max|blpop K K 0
brpoplpush K K 0|bzpopmin K K 0|lpush K v|rpop K|lrange K 0 1|bitop and K K K|bitop not K K|bitcount K|bitfield K get u8 0
bitfield K set u8 0 1|bitfield K overflow sat get u8 0|bitfield_ro K get u8 0|sort K|sort K store K|sort K by w* get K
sort K limit 0 1 store K|sort K get store store K|sort_ro K|sort_ro K by w*|sort K store K store K|geoadd K 0 0 m
geosearch K fromlonlat 0 0 byradius 1 m|geosearchstore K K fromlonlat 0 0 byradius 1 m|georadius K 0 0 1 m store K
georadius K 0 0 1 m storedist K|georadius K 0 0 1 m store K storedist K|georadiusbymember K m 1 m store K|georadius_ro K 0 0 1 m
xadd K * f v|xread streams K K 0 0|xread count 1 block 0 streams K 0|xread streams K K 0|xreadgroup group g c streams K >|xinfo stream K
xgroup create K g $|xgroup createconsumer K g c|xclaim K g c 0 1-1|xautoclaim K g c 0 0|xack K g 1-1|xtrim K maxlen 1|xdel K 1-1|xlen K
hset K f v|hget K f|hgetall K|hdel K f|hexpire K 1 fields 1 f|hincrby K f 1|zadd K 1 m|zrange K 0 1|zrem K m|zscore K m|sadd K m
smembers K|pfadd K x|pfcount K K|pfmerge K K|pfdebug encoding K|object encoding K|object freq K|memory usage K|memory doctor
debug object K|dump K|restore K 0 x|migrate h 1 K 0 1|migrate h 1 K 0 1 auth K|migrate h 1  0 1 keys K K|lcs K K|watch K K|unlink K
persist K|incr K|keys K|scan 0|randomkey|dbsize|flushall|flushdb|select 0|select 1|swapdb 0 1|ping|ping a|echo k|multi|exec|discard|info
time|role|lastsave|publish C m|spublish C m|subscribe C|subscribe C C C|psubscribe C|psubscribe C C|ssubscribe C C|unsubscribe C
punsubscribe C|sunsubscribe C|pubsub channels|pubsub numsub C|config get x|config set x y|config resetstat|client list|client id
client kill x|client no-evict on|acl whoami|acl list|acl cat|acl setuser x|command|command count|command getkeys get K|latency reset
slowlog get|debug jmap|debug sleep 0|shutdown|auth x|hello 3|reset|quit|save|bgsave|bgrewriteaof|monitor|wait 0 0|client reply off
client tracking on|memory usage K samples 1|eval x 1 K|eval x 2 K K a|eval x 9 K|eval x z K|eval_ro x 1 K|evalsha x 1 K|fcall f 1 K
fcall_ro f 1 K|function list|script load x|script flush
""".strip().replace("\n", "|").split("|")


class Matrix:
    """A connection to each server, and the commands that both have."""

    def __init__(self, pair: Pair, random: Random) -> None:
        self.random = random
        self.streams = [Stream(side.server.connect()) for side in (pair.ours, pair.theirs)]
        listed = [{item[1] for item in self._parsed(reply)} for reply in self.ask([["command", "list"]])[0]]
        self.names = sorted(name.decode() for name in listed[0] & listed[1] if isinstance(name, bytes))
        known = set(self.names)
        requests = [template.split(" ") for template in TEMPLATES]
        self.templates = [words for words in requests if words[0] in known]

    @staticmethod
    def _parsed(reply: bytes) -> list[tuple[str, object]]:
        value = parse(reply)[0][1]
        assert isinstance(value, list)
        return list(value)

    def ask(self, requests: list[list[str]]) -> list[tuple[bytes, bytes]]:
        """What both answer to each request; all are sent at once."""
        data = b"".join(pack([word.encode("latin-1") for word in words]) for words in requests)
        for stream in self.streams:
            stream.peer.sendall(data)
        replies = [[stream.reply() for _ in requests] for stream in self.streams]
        return list(zip(replies[0], replies[1], strict=True))

    def close(self) -> None:
        for stream in self.streams:
            stream.peer.close()

    # --- rules -------------------------------------------------------------------------------------------------------------------

    def _of_selector(self) -> str:
        random = self.random
        kind = random.randrange(16)
        if kind < 3:
            return random.choice("+-") + "@" + random.choice([*CATEGORIES, "all"])
        if kind < 6:
            return random.choice("+-") + random.choice(self.names)
        if kind == 6:
            return "+" + random.choice(self.names) + "|" + random.choice(FIRST_WORDS)
        if kind == 7:
            return random.choice(["+", "-"]) + random.choice(self.templates)[0].upper()
        if kind < 11:
            return random.choice(["~", "~", "%R~", "%W~", "%RW~", "%wr~"]) + random.choice(PATTERNS)
        if kind < 13:
            return "&" + random.choice(PATTERNS)
        if kind == 13:
            return "+" + random.choice(self.templates)[0]
        return random.choice(["allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands", "+@all", "-@all", "~*"])

    def rule(self) -> list[str]:
        """A rule; one in parentheses may take several words."""
        random = self.random
        kind = random.randrange(20)
        if kind < 14:
            return [self._of_selector()]
        if kind < 16:
            words = [self._of_selector() for _ in range(random.randrange(5))]
            return ["(" + " ".join(words) + ")"] if random.randrange(2) else " ".join(["(" + " ".join(words) + ")"]).split(" ")
        if kind == 16:
            return [random.choice(PLAIN)]
        if kind == 17:
            return [random.choice("><") + random.choice(PASSWORDS)]
        if kind == 18:
            return [random.choice("#!") + random.choice(KNOWN)]
        return [random.choice(ODD)] if random.randrange(3) == 0 else ["skip-sanitize-payload"]

    def user(self) -> list[list[str]]:
        """Requests that make the user."""
        random = self.random
        requests = [["acl", "deluser", "u"]]
        for _ in range(random.randint(1, 3)):
            rules = [word for _ in range(random.randint(1, 6)) for word in self.rule()]
            requests.append(["acl", "setuser", "u", *random.choice(BEGINNINGS).split(), *rules])
        return requests

    def request(self) -> list[str]:
        """Something to be allowed or refused."""
        random = self.random
        if random.randrange(4):
            words = random.choice(self.templates)
        else:
            words = [*random.choice(self.names).split("|"), *random.choices(WORDS, k=random.randrange(7))]
        filled = [random.choice(NAMES) if word in ("K", "C") else word for word in words]
        if random.randrange(8) == 0:
            filled[0] = filled[0].upper()
        return ["acl", "dryrun", "u", *filled]


@pytest.fixture
def matrix(pair: Pair) -> Iterator[Matrix]:
    matrix = Matrix(pair, Random(SEED))
    yield matrix
    matrix.ask([["acl", "deluser", "u"]])
    matrix.close()


def test_random_users_are_decided_on_alike(matrix: Matrix) -> None:
    decided = {"OK": 0, "refused": 0, "error": 0}
    for _ in range(USERS):
        requests = matrix.user()
        made = len(requests)
        requests += [["acl", "getuser", "u"], ["acl", "list"]]
        requests += [matrix.request() for _ in range(REQUESTS)]
        for request, (ours, theirs) in zip(requests, matrix.ask(requests), strict=True):
            assert ours == theirs, f"{request}, after {requests[:made]}"
            if request[1] == "dryrun":
                decided["OK" if theirs == b"+OK\r\n" else "error" if theirs.startswith(b"-") else "refused"] += 1
    assert min(decided["OK"], decided["refused"]) > sum(decided.values()) // 20, decided
