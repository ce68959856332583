"""What fuzzing begins with: a value of every type in every encoding, as redis-server dumps it, and as only older servers wrote them.

    PYTHONPATH=app python -m tests.fuzz.seeds CORPUS        # needs redis-server, see scripts/oracle

Each is written as a payload and as a file; the oracle is asked to take each payload back, with sanitize-dump-payload and without.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.compat.servers import start
from tests.e2e.wire import Wire
from tests.persistence.rdb.samples import payload
from tests.persistence.rdb.test_payload import OLDER, REFUSED

SMALL = (
    "hash-max-listpack-entries 4 zset-max-listpack-entries 4 set-max-listpack-entries 4 set-max-intset-entries 4 list-max-listpack-size 2"
)
VALUES = """
SET k abc
SET k 12
SET k -300
SET k 70000
SET k 9223372036854775807
SETRANGE k 200 x
SET k {80}c
RPUSH k a
RPUSH k 1 -1 300 -5000 70000 -9000000 9223372036854775807 abc
RPUSH k a b c d e f g h i
RPUSH k {500}
RPUSH k {9000} b {300}
SADD k 1 2 3
SADD k 1 70000
SADD k 1 9223372036854775807
SADD k a b 1
SADD k a b c d e f g
SADD k 1 2 3 4 5 6 7
ZADD k 1 a 2.5 b -inf c
ZADD k 1 a 2 b 3 c 4 d 5 e inf f
ZADD k 3 {70}
HSET k f v g 1
HSET k a 1 b 2 c 3 d 4 e 5
HSET k f {70}
HSET k f {300} g {5000}
HSET k f v g w; HPEXPIREAT k 4102444800000 FIELDS 1 f
HSET k a 1 b 2 c 3 d 4 e 5; HPEXPIREAT k 4102444800000 FIELDS 2 a b
HSET k f v; HEXPIRE k 9999 FIELDS 1 f; HPERSIST k FIELDS 1 f
XADD k 1-1 f v
XADD k 1-1 f v; XADD k 1-2 f w; XADD k 5-0 g 1 h 2; XDEL k 1-2; XGROUP CREATE k g 0; XREADGROUP GROUP g c COUNT 1 STREAMS k >
XADD k 1-1 f v; XGROUP CREATE k g 0; XGROUP CREATECONSUMER k g d; XREADGROUP GROUP g c STREAMS k >
XGROUP CREATE k g $ MKSTREAM
XADD k 1-1 f v; XTRIM k MAXLEN 0; XSETID k 9-9 ENTRIESADDED 5 MAXDELETEDID 3-3
PFADD k a b c
SETBIT k 5000 1
GEOADD k 13.4 52.5 a
"""
LIBRARY = "#!lua name=lib\nredis.register_function('f', function(keys, args) return 1 end)"


def widen(word: str) -> str:
    """`{500}` stands for so many bytes."""
    size, _, rest = word[1:].partition("}")
    return "ab" * (int(size) // 2) + rest if word.startswith("{") else word


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    count = 0

    def keep(data: bytes) -> None:
        nonlocal count
        count += 1
        (folder / f"seed-{count}").write_bytes(data)

    with start("oracle") as server, Wire(server) as wire:
        for config in ("", SMALL, "rdbcompression no"):
            if config:
                wire.call("CONFIG", "SET", *config.split())
            for lines in VALUES.strip().splitlines():
                wire.call("FLUSHALL")
                for line in lines.split(";"):
                    wire.call(*[widen(word) for word in line.split()])
                raw = wire.data("DUMP", "k")
                for sanitize in ("yes", "no"):
                    wire.call("CONFIG", "SET", "sanitize-dump-payload", sanitize)
                    assert wire.call("RESTORE", "k", 0, raw, "REPLACE") == b"OK"
                keep(b"\x00" + raw[:-10])
                keep(b"\x80\x0c\xfe\x00\xfb\x01\x00\xfc" + bytes(6) + b"\x7f\x00" + raw[:1] + b"\x01k" + raw[1:-10] + b"\xff" + bytes(8))
        for kind, body in OLDER:
            assert wire.call("RESTORE", "k", 0, payload(kind, body), "REPLACE") == b"OK"
        wire.call("FUNCTION", "LOAD", LIBRARY)
        keep(b"\x70" + wire.data("FUNCTION", "DUMP")[:-10])
    for kind, body in OLDER + REFUSED:
        if len(body) < 4000:
            keep(bytes([0, kind]) + body)
            keep(b"\x80\x0a\xfe\x00\xf8\x05" + bytes([kind]) + b"\x01k" + body + b"\xff" + bytes(8))
    print(f"{count} seeds")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
