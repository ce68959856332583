"""The table of directives: every one Redis 8.0 knows, each a line.

A line says the name, the kind of its value, its older names, when it may change, and what redloop makes of it:
- nothing said: it is honoured;
- `idle="why"`: any value is accepted and nothing comes of it; a value other than the default is mentioned in the log;
- `refused="why"`: only the default will do, since ignoring it would betray whoever wrote it.

To add one: an attribute in settings.py, whose first value is the default, and a line here.
"""

from __future__ import annotations

from typing import Any, Final

from redloop.config.kinds import (
    INT_MAX,
    LONG_MAX,
    ULONG_MAX,
    Addresses,
    BufferLimits,
    ConfigError,
    Directory,
    EventClasses,
    Integer,
    Kind,
    Master,
    Memory,
    MemoryOrPercent,
    Octal,
    OneOf,
    OomScores,
    Percentiles,
    SavePoints,
    ShutdownOptions,
    Switch,
    Text,
    YesNo,
    filename,
    hostname,
    process_title,
)
from redloop.config.settings import MB, Settings

IMMUTABLE: Final = 1
"""Set in the file or on the command line only."""
PROTECTED: Final = 2
"""CONFIG SET needs enable-protected-configs."""
SENSITIVE: Final = 4
"""The value is kept out of the slow log and of MONITOR."""
HIDDEN: Final = 8
"""CONFIG GET tells it when asked by name, not for a pattern."""


class Directive:
    def __init__(self, name: str, kind: Kind, flags: int = 0, *, older: str = "", idle: str = "", refused: str = "") -> None:
        self.name = name
        self.attribute = name.replace("-", "_")
        self.kind = kind
        self.flags = flags
        self.older = older.split()
        self.idle = idle
        self.refused = refused
        self.default: Any = getattr(_DEFAULTS, self.attribute)

    def parse(self, words: list[str], current: Any) -> Any:
        if not self.kind.multiple and len(words) != 1:
            raise ConfigError("wrong number of arguments")
        value = self.kind.parse(words, current)
        if self.refused and value != self.default:
            raise ConfigError(f"{self.name} is not supported: {self.refused}")
        return value


_DEFAULTS: Final = Settings()

_YES_NO: Final = YesNo()
_TEXT: Final = Text()
_KEPT_TEXT: Final = Text(unset=False)
_NATURAL: Final = Integer(0, INT_MAX)
_POSITIVE: Final = Integer(1, INT_MAX)
_LONG: Final = Integer(0, LONG_MAX)
_MEMORY: Final = Memory()
_PORT: Final = Integer(0, 65535)
_YES_NO_LOCAL: Final = OneOf("no", "yes", "local")

_ONE_THREAD: Final = "one thread runs everything"
_NO_JEMALLOC: Final = "CPython manages the memory"
_NO_FORK: Final = "snapshots are taken without a child process"
_NO_OUTGOING_TLS: Final = "what redloop connects to itself it speaks to without TLS"
_SESSION_CACHE: Final = "OpenSSL's own measure holds"
_NO_CLUSTER: Final = "it only matters to cluster mode"
_NO_SIGNAL_HANDLERS: Final = "Python reports its own crashes"

DIRECTIVES: Final[tuple[Directive, ...]] = (
    # network
    Directive("port", _PORT),
    Directive("bind", Addresses()),
    Directive("bind-source-addr", _TEXT),
    Directive("protected-mode", _YES_NO),
    Directive("unixsocket", _TEXT, IMMUTABLE),
    Directive("unixsocketperm", Octal(), IMMUTABLE),
    Directive("tcp-backlog", _NATURAL, IMMUTABLE),
    Directive("tcp-keepalive", _NATURAL),
    Directive("timeout", _NATURAL),
    Directive("maxclients", Integer(1, (1 << 32) - 1)),
    Directive("max-new-connections-per-cycle", Integer(1, 1000), idle="the event loop accepts connections in its own measure"),
    Directive("max-new-tls-connections-per-cycle", Integer(1, 1000), idle="the event loop accepts connections in its own measure"),
    Directive("socket-mark-id", Integer(0, (1 << 32) - 1), IMMUTABLE, idle="sockets are not marked"),
    # limits on a client
    Directive("client-query-buffer-limit", Memory(MB)),
    Directive("client-output-buffer-limit", BufferLimits()),
    Directive("maxmemory-clients", MemoryOrPercent()),
    Directive("proto-max-bulk-len", Memory(MB)),
    # tls
    Directive("tls-port", _PORT),
    Directive("tls-cluster", _YES_NO, refused=_NO_OUTGOING_TLS),
    Directive("tls-replication", _YES_NO, refused=_NO_OUTGOING_TLS),
    Directive("tls-auth-clients", OneOf("no", "yes", "optional")),
    Directive("tls-prefer-server-ciphers", _YES_NO),
    Directive("tls-session-caching", _YES_NO),
    Directive("tls-session-cache-size", _NATURAL, idle=_SESSION_CACHE),
    Directive("tls-session-cache-timeout", _NATURAL, idle=_SESSION_CACHE),
    Directive("tls-cert-file", _TEXT),
    Directive("tls-key-file", _TEXT),
    Directive("tls-key-file-pass", _TEXT, SENSITIVE),
    Directive("tls-client-cert-file", _TEXT, idle=_NO_OUTGOING_TLS),
    Directive("tls-client-key-file", _TEXT, idle=_NO_OUTGOING_TLS),
    Directive("tls-client-key-file-pass", _TEXT, SENSITIVE, idle=_NO_OUTGOING_TLS),
    Directive("tls-dh-params-file", _TEXT),
    Directive("tls-ca-cert-file", _TEXT),
    Directive("tls-ca-cert-dir", _TEXT),
    Directive("tls-protocols", _TEXT),
    Directive("tls-ciphers", _TEXT),
    Directive("tls-ciphersuites", _TEXT),
    # the process
    Directive("daemonize", _YES_NO, IMMUTABLE),
    Directive("supervised", OneOf("upstart", "systemd", "auto", "no"), IMMUTABLE),
    Directive("pidfile", _TEXT, IMMUTABLE),
    Directive("logfile", _KEPT_TEXT, IMMUTABLE),
    Directive("loglevel", OneOf("debug", "verbose", "notice", "warning", "nothing")),
    Directive("syslog-enabled", _YES_NO, IMMUTABLE, idle="the log goes to logfile or standard output"),
    Directive("syslog-ident", _KEPT_TEXT, IMMUTABLE, idle="the log goes to logfile or standard output"),
    Directive(
        "syslog-facility",
        OneOf("user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
        IMMUTABLE,
        idle="the log goes to logfile or standard output",
    ),
    Directive("always-show-logo", _YES_NO, IMMUTABLE),
    Directive("set-proc-title", _YES_NO, IMMUTABLE, idle="the process keeps its title"),
    Directive("proc-title-template", Text(process_title, unset=False), idle="the process keeps its title"),
    Directive("locale-collate", _KEPT_TEXT, idle="strings compare byte by byte"),
    Directive("databases", _POSITIVE, IMMUTABLE),
    Directive("hz", Integer(0, INT_MAX, clamp=(1, 500))),
    Directive("dynamic-hz", _YES_NO, idle="timers fire at the rate of hz"),
    Directive("io-threads", Integer(1, 128), IMMUTABLE, idle=_ONE_THREAD),
    Directive("server-cpulist", _TEXT, IMMUTABLE, older="server_cpulist", idle=_ONE_THREAD),
    Directive("bio-cpulist", _TEXT, IMMUTABLE, older="bio_cpulist", idle=_ONE_THREAD),
    Directive("aof-rewrite-cpulist", _TEXT, IMMUTABLE, older="aof_rewrite_cpulist", idle=_NO_FORK),
    Directive("bgsave-cpulist", _TEXT, IMMUTABLE, older="bgsave_cpulist", idle=_NO_FORK),
    Directive("oom-score-adj", OneOf("no", "yes", "relative", "absolute"), idle="the score of the process is left alone"),
    Directive("oom-score-adj-values", OomScores(), idle="the score of the process is left alone"),
    Directive("disable-thp", _YES_NO, IMMUTABLE, idle=_NO_FORK),
    Directive("jemalloc-bg-thread", _YES_NO, idle=_NO_JEMALLOC),
    Directive("ignore-warnings", _KEPT_TEXT),
    Directive("crash-log-enabled", _YES_NO, idle=_NO_SIGNAL_HANDLERS),
    Directive("crash-memcheck-enabled", _YES_NO, idle=_NO_SIGNAL_HANDLERS),
    Directive("use-exit-on-panic", _YES_NO, HIDDEN, idle=_NO_SIGNAL_HANDLERS),
    Directive("watchdog-period", _NATURAL, HIDDEN, idle=_NO_SIGNAL_HANDLERS),
    Directive("shutdown-timeout", _NATURAL),
    Directive("shutdown-on-sigint", ShutdownOptions("default", "save", "nosave", "now", "force")),
    Directive("shutdown-on-sigterm", ShutdownOptions("default", "save", "nosave", "now", "force")),
    # access
    Directive("requirepass", _TEXT, SENSITIVE),
    Directive("aclfile", _KEPT_TEXT, IMMUTABLE),
    Directive("acl-pubsub-default", OneOf("allchannels", "resetchannels")),
    Directive("acllog-max-len", _LONG),
    Directive("enable-protected-configs", _YES_NO_LOCAL, IMMUTABLE),
    Directive("enable-debug-command", _YES_NO_LOCAL, IMMUTABLE),
    Directive("enable-module-command", _YES_NO_LOCAL, IMMUTABLE),
    Directive("hide-user-data-from-log", _YES_NO),
    # memory
    Directive("maxmemory", Memory(0, ULONG_MAX)),
    Directive(
        "maxmemory-policy",
        OneOf(
            "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"
        ),
    ),
    Directive("maxmemory-samples", Integer(1, 64)),
    Directive("maxmemory-eviction-tenacity", Integer(0, 100)),
    Directive("lfu-log-factor", _NATURAL),
    Directive("lfu-decay-time", _NATURAL),
    Directive("active-expire-effort", Integer(1, 10)),
    Directive("activerehashing", _YES_NO, idle="the keyspace never rehashes as a whole"),
    Directive(
        "activedefrag",
        Switch(
            "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc "
            "like the one shipped by default with the Redis source distribution"
        ),
    ),
    Directive("active-defrag-ignore-bytes", Memory(1), idle=_NO_JEMALLOC),
    Directive("active-defrag-threshold-lower", Integer(0, 1000), idle=_NO_JEMALLOC),
    Directive("active-defrag-threshold-upper", Integer(0, 1000), idle=_NO_JEMALLOC),
    Directive("active-defrag-cycle-min", Integer(1, 99), idle=_NO_JEMALLOC),
    Directive("active-defrag-cycle-max", Integer(1, 99), idle=_NO_JEMALLOC),
    Directive("active-defrag-max-scan-fields", Integer(1, LONG_MAX), idle=_NO_JEMALLOC),
    Directive("lazyfree-lazy-eviction", _YES_NO),
    Directive("lazyfree-lazy-expire", _YES_NO),
    Directive("lazyfree-lazy-server-del", _YES_NO),
    Directive("lazyfree-lazy-user-del", _YES_NO),
    Directive("lazyfree-lazy-user-flush", _YES_NO),
    # encodings
    Directive("hash-max-listpack-entries", _LONG, older="hash-max-ziplist-entries"),
    Directive("hash-max-listpack-value", _MEMORY, older="hash-max-ziplist-value"),
    Directive("list-max-listpack-size", Integer(-INT_MAX - 1, INT_MAX), older="list-max-ziplist-size"),
    Directive("list-compress-depth", _NATURAL),
    Directive("set-max-intset-entries", _LONG),
    Directive("set-max-listpack-entries", _LONG),
    Directive("set-max-listpack-value", _LONG),
    Directive("zset-max-listpack-entries", _LONG, older="zset-max-ziplist-entries"),
    Directive("zset-max-listpack-value", _MEMORY, older="zset-max-ziplist-value"),
    Directive("hll-sparse-max-bytes", _MEMORY),
    Directive("stream-node-max-bytes", _MEMORY),
    Directive("stream-node-max-entries", _LONG),
    # disk
    Directive("dir", Directory(), PROTECTED),
    # snapshots
    Directive("save", SavePoints()),
    Directive("dbfilename", Text(filename("dbfilename", empty=True), unset=False), PROTECTED),
    Directive("rdbcompression", _YES_NO),
    Directive("rdbchecksum", _YES_NO, IMMUTABLE),
    Directive("rdb-del-sync-files", _YES_NO),
    Directive("rdb-save-incremental-fsync", _YES_NO),
    Directive("rdb-key-save-delay", Integer(-INT_MAX - 1, INT_MAX), HIDDEN),
    Directive("key-load-delay", Integer(-INT_MAX - 1, INT_MAX), HIDDEN),
    Directive("loading-process-events-interval-bytes", Integer(1024, INT_MAX), HIDDEN),
    Directive("sanitize-dump-payload", OneOf("no", "yes", "clients")),
    Directive("stop-writes-on-bgsave-error", _YES_NO),
    # append only file
    Directive("appendonly", _YES_NO),
    Directive("appendfilename", Text(filename("appendfilename"), unset=False), IMMUTABLE),
    Directive("appenddirname", Text(filename("appenddirname", "dirname"), unset=False), IMMUTABLE),
    Directive("appendfsync", OneOf("everysec", "always", "no")),
    Directive("no-appendfsync-on-rewrite", _YES_NO),
    Directive("auto-aof-rewrite-percentage", _NATURAL),
    Directive("auto-aof-rewrite-min-size", _MEMORY),
    Directive("aof-load-truncated", _YES_NO),
    Directive("aof-use-rdb-preamble", _YES_NO),
    Directive("aof-timestamp-enabled", _YES_NO),
    Directive("aof-rewrite-incremental-fsync", _YES_NO),
    Directive("aof-disable-auto-gc", _YES_NO, HIDDEN),
    Directive("rdb-version", Integer(8, 12), HIDDEN),
    Directive("slice-long-commands", _YES_NO, HIDDEN),
    Directive("aof-load-until", _TEXT, IMMUTABLE | HIDDEN),
    # replication
    Directive("replicaof", Master(), IMMUTABLE, older="slaveof"),
    Directive("masteruser", _TEXT, SENSITIVE),
    Directive("masterauth", _TEXT, SENSITIVE),
    Directive("replica-serve-stale-data", _YES_NO, older="slave-serve-stale-data"),
    Directive("replica-read-only", _YES_NO, older="slave-read-only"),
    Directive("replica-priority", _NATURAL, older="slave-priority"),
    Directive("replica-announced", _YES_NO),
    Directive("replica-announce-ip", _TEXT, older="slave-announce-ip"),
    Directive("replica-announce-port", _PORT, older="slave-announce-port"),
    Directive("replica-lazy-flush", _YES_NO, older="slave-lazy-flush"),
    Directive("replica-ignore-maxmemory", _YES_NO, older="slave-ignore-maxmemory"),
    Directive("replica-ignore-disk-write-errors", _YES_NO),
    Directive("replica-full-sync-buffer-limit", _MEMORY),
    Directive("repl-timeout", _POSITIVE),
    Directive("repl-ping-replica-period", _POSITIVE, older="repl-ping-slave-period"),
    Directive("repl-backlog-size", Memory(1)),
    Directive("repl-backlog-ttl", _LONG),
    Directive("repl-diskless-sync", _YES_NO),
    Directive("repl-diskless-sync-delay", _NATURAL),
    Directive("repl-diskless-sync-max-replicas", _NATURAL),
    Directive("repl-diskless-load", OneOf("disabled", "on-empty-db", "swapdb")),
    Directive("repl-disable-tcp-nodelay", _YES_NO),
    Directive("repl-rdb-channel", _YES_NO, HIDDEN),
    Directive("min-replicas-to-write", _NATURAL, older="min-slaves-to-write"),
    Directive("min-replicas-max-lag", _NATURAL, older="min-slaves-max-lag"),
    Directive("propagation-error-behavior", OneOf("ignore", "panic", "panic-on-replicas")),
    # cluster
    Directive("cluster-enabled", _YES_NO, IMMUTABLE, refused="there is no cluster mode"),
    Directive("cluster-config-file", _KEPT_TEXT, IMMUTABLE, idle=_NO_CLUSTER),
    Directive("cluster-node-timeout", _LONG, idle=_NO_CLUSTER),
    Directive("cluster-ping-interval", _LONG, HIDDEN, idle=_NO_CLUSTER),
    Directive("cluster-port", _PORT, IMMUTABLE, idle=_NO_CLUSTER),
    Directive("cluster-announce-ip", _TEXT, idle=_NO_CLUSTER),
    Directive("cluster-announce-port", _PORT, idle=_NO_CLUSTER),
    Directive("cluster-announce-tls-port", _PORT, idle=_NO_CLUSTER),
    Directive("cluster-announce-bus-port", _PORT, idle=_NO_CLUSTER),
    Directive("cluster-announce-hostname", Text(hostname), idle=_NO_CLUSTER),
    Directive("cluster-announce-human-nodename", _TEXT, idle=_NO_CLUSTER),
    Directive("cluster-preferred-endpoint-type", OneOf("ip", "hostname", "unknown-endpoint"), idle=_NO_CLUSTER),
    Directive("cluster-require-full-coverage", _YES_NO, idle=_NO_CLUSTER),
    Directive("cluster-migration-barrier", _NATURAL, idle=_NO_CLUSTER),
    Directive("cluster-allow-replica-migration", _YES_NO, idle=_NO_CLUSTER),
    Directive("cluster-allow-reads-when-down", _YES_NO, idle=_NO_CLUSTER),
    Directive("cluster-allow-pubsubshard-when-down", _YES_NO, idle=_NO_CLUSTER),
    Directive("cluster-replica-no-failover", _YES_NO, older="cluster-slave-no-failover", idle=_NO_CLUSTER),
    Directive("cluster-replica-validity-factor", _NATURAL, older="cluster-slave-validity-factor", idle=_NO_CLUSTER),
    Directive("cluster-link-sendbuf-limit", Memory(0, ULONG_MAX), idle=_NO_CLUSTER),
    Directive("cluster-compatibility-sample-ratio", Integer(0, 100), idle=_NO_CLUSTER),
    # watching the server
    Directive("slowlog-log-slower-than", Integer(-1, LONG_MAX)),
    Directive("slowlog-max-len", _LONG),
    Directive("latency-monitor-threshold", _LONG),
    Directive("latency-tracking", _YES_NO),
    Directive("latency-tracking-info-percentiles", Percentiles()),
    Directive("notify-keyspace-events", EventClasses()),
    Directive("tracking-table-max-keys", _LONG),
    # scripting
    Directive("busy-reply-threshold", _LONG, older="lua-time-limit"),
    Directive("lua-enable-deprecated-api", _YES_NO, IMMUTABLE | HIDDEN, idle="print, getfenv, setfenv and newproxy are not there"),
)

BY_NAME: Final[dict[str, Directive]] = {name: directive for directive in DIRECTIVES for name in (directive.name, *directive.older)}

OBSOLETE: Final = frozenset({"list-max-ziplist-entries", "list-max-ziplist-value", "io-threads-do-reads", "lua-replicate-commands"})
"""Directives of the past: accepted with one value and forgotten."""
