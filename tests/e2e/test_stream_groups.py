"""Workers in a consumer group: one dies in the middle, and still every entry is acknowledged, once."""

from __future__ import annotations

import sys
import threading
from subprocess import PIPE, Popen

import redis

from tests.compat.servers import Server

ENTRIES = 2000
DIES_AFTER = 50

# Reads, and tells what it was given, but acknowledges only the first few batches; then it waits to be killed.
MORTAL = """
import sys, redis
client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
for batch in range(int(sys.argv[2])):
    [[_, entries]] = client.xreadgroup("workers", "mortal", {"jobs": ">"}, count=5, block=0)
    if batch < 10:
        client.xack("jobs", "workers", *[ident for ident, _ in entries])
        print("acknowledged", *[ident for ident, _ in entries], flush=True)
print("waiting", flush=True)
client.blpop("never")
"""


def work(port: int, name: str, left: threading.Event, acknowledged: list[str]) -> None:
    """A worker: what is new, and when there is nothing new what others have left behind. However late it comes, it asks once."""
    with redis.Redis(port=port, decode_responses=True, protocol=2) as client:
        ends = False
        while not ends:
            ends = left.is_set()
            entries = [entry for _, found in client.xreadgroup("workers", name, {"jobs": ">"}, count=10, block=20) or [] for entry in found]
            if not entries:
                # Whoever is alive acknowledges at once, so what is pending for so long is what the dead one had.
                entries = client.xautoclaim("jobs", "workers", name, min_idle_time=300, count=20)[1]
            for ident, fields in entries:
                assert fields["job"]
                if client.xack("jobs", "workers", ident):
                    acknowledged.append(ident)


def test_one_of_four_workers_is_killed(server: Server) -> None:
    """Four workers, one of them a process that is killed with entries it was given and did not acknowledge."""
    done: list[list[str]] = [[], [], []]
    left = threading.Event()
    with redis.Redis(port=server.port, decode_responses=True, protocol=2) as client:
        client.xgroup_create("jobs", "workers", "0", mkstream=True)
        workers = [threading.Thread(target=work, args=(server.port, f"worker {i}", left, done[i])) for i in range(3)]
        with Popen([sys.executable, "-c", MORTAL, str(server.port), str(DIES_AFTER)], stdout=PIPE, text=True) as mortal:
            assert mortal.stdout is not None
            added = [client.xadd("jobs", {"job": number}, maxlen=100_000, approximate=True) for number in range(ENTRIES // 2)]
            told = list(iter(mortal.stdout.readline, "waiting\n"))
            for worker in workers:
                worker.start()
            mortal.kill()
        with client.pipeline(transaction=False) as pipe:
            for number in range(ENTRIES // 2):
                pipe.xadd("jobs", {"job": number})
            added += pipe.execute()
        acknowledged_by_mortal = [ident for line in told for ident in line.split()[1:]]
        try:
            while len(acknowledged_by_mortal) + sum(map(len, done)) < ENTRIES:
                client.blpop("never", timeout=0.01)
                assert all(worker.is_alive() for worker in workers)
        finally:
            left.set()
            for worker in workers:
                worker.join()
        assert sorted(sum(done, acknowledged_by_mortal)) == sorted(added)
        assert client.xpending("jobs", "workers")["pending"] == 0
        [group] = client.xinfo_groups("jobs")
        assert (group["consumers"], group["entries-read"], group["lag"]) == (4, ENTRIES, 0)
