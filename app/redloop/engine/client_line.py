"""A client as one line: what CLIENT LIST, the log and ACL LOG show of it (https://redis.io/docs/latest/commands/client-list/).

Fields are Redis's, in its order; what redloop has nothing of is 0. The client comes as Any, since client.py itself logs such lines.
"""

from __future__ import annotations

from typing import Any


def describe(client: Any) -> str:
    """The line, without a line feed."""
    server = client.server
    now = client.clock.ms
    flags = "".join(client.flags()) or "N"
    transaction = client.transaction
    command = client.last_command if transaction is None or transaction.running is None else transaction.running
    received, owed = client.input_size(), client.output_size()
    fields = [
        ("id", str(client.id)),
        ("addr", client.peer.address),
        ("laddr", client.peer.local_address),
        ("fd", str(client.peer.fd)),
        ("name", client.name.decode("latin-1")),
        ("age", str((now - client.created_ms) // 1000)),
        ("idle", str((now - client.seen_ms) // 1000)),
        ("flags", flags),
        ("db", str(client.db.index)),
        ("sub", str(server.pubsub.channels.count(client))),
        ("psub", str(server.pubsub.patterns.count(client))),
        ("ssub", str(server.pubsub.shards.count(client))),
        ("multi", str(len(transaction.queued)) if transaction is not None else "-1"),
        ("watch", str(server.watched.count(client))),
        ("qbuf", str(received)),
        ("qbuf-free", "0"),
        ("argv-mem", "0"),
        ("multi-mem", str(transaction.memory_size() if transaction is not None else 0)),
        ("rbs", "0"),
        ("rbp", "0"),
        ("obl", str(sum([len(piece) for piece in client.out]))),
        ("oll", str(len(client.held))),
        ("omem", str(owed)),
        ("tot-mem", str(client.memory_size())),
        ("events", "rw" if client.peer.pending() else "r"),
        ("cmd", command.name if command is not None else "NULL"),
        ("user", client.user.title()),
        ("redir", str(server.tracking.redirection(client))),
        ("resp", "3" if client.resp3 else "2"),
        ("lib-name", client.library_name.decode("latin-1")),
        ("lib-ver", client.library_version.decode("latin-1")),
        ("io-thread", "0"),
    ]
    return " ".join([f"{field}={value}" for field, value in fields])
