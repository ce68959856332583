"""INFO: the figures of the server, as text (https://redis.io/docs/latest/commands/info/).

A section is a function that gives fields and values in Redis's order. Names are Redis's, all of them, because monitoring tools look for
them; a figure is measured, or 0 where redloop has nothing of the kind (no forks, no I/O threads, no allocator of its own). What only
redloop tells stands at the end of `server`. To add a section: a function, a line in SECTIONS.

Memory is that of the process as the kernel counts it. What it had before there were data counts as overhead, what came since as data.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from typing import Final

from redloop import __version__, compiled, process
from redloop.engine.acl.decisions import CHANNEL, COMMAND, KEY, LOGIN
from redloop.engine.client import Client
from redloop.engine.command import LOADING, STALE, Command, Histogram, family
from redloop.engine.server import REDIS_VERSION, Server
from redloop.keyspace.database import Database
from redloop.keyspace.figures import KINDS, MOST_KEYS, Figures, look_at_expiries, look_at_values
from redloop.numbers import human_bytes
from redloop.resp.replies import Reply, Verbatim

command = family("server")

Fields = list[tuple[str, object]]

LRU_CLOCK_MASK: Final = (1 << 24) - 1
DAY_MS: Final = 86_400_000


@command(
    "INFO [section [section ...]]",
    "The figures of the server, in sections: the usual ones, those that are named, or all of them (all, everything).",
    LOADING | STALE, since="1.0.0", complexity="O(1)",
    tips="nondeterministic_output request_policy:all_shards response_policy:special", acl="dangerous",
)
def info(client: Client, argv: list[bytes]) -> Reply:
    wanted = {word.lower().decode("latin-1") for word in argv[1:]} or {"default"}
    report = Report(client.server)
    parts: list[str] = []
    for section in SECTIONS:
        if wanted & {section.title.lower(), "all", "everything"} or (section.usual and "default" in wanted):
            lines = [f"{name}:{value}\r\n" for name, value in section.fields(report)]
            parts.append(f"# {section.title}\r\n{''.join(lines)}")
    return Verbatim("\r\n".join(parts).encode("utf-8", "surrogateescape"))


class Report:
    """One run of INFO: the server, and what several sections need."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.config = server.config
        self.statistics = server.statistics
        self.commands = [one for one in server.all_commands() if one.calls or one.failed or one.rejected]
        self.databases = [database for database in server.keyspace.databases if database.size]
        self._values: dict[int, Figures] = {}
        self._buffers: tuple[int, int, int] | None = None

    def values(self, database: Database) -> Figures:
        """Figures on the values of a database."""
        figures = self._values.get(database.index)
        if figures is None:
            figures = self._values[database.index] = look_at_values(database, self._share())
        return figures

    def expiries(self) -> list[Figures]:
        """Figures on the times to live, for each of the databases."""
        return [look_at_expiries(database, self._share()) for database in self.databases]

    def buffers(self) -> tuple[int, int, int]:
        """Of what clients have sent and are owed: the most one has sent, the most one is owed, and all of it together."""
        if self._buffers is None:
            most_in = most_out = total = 0
            for client in self.server.clients.values():
                received, owed = client.input_size(), client.output_size()
                if received or owed:
                    most_in = max(most_in, received)
                    most_out = max(most_out, owed)
                    total += received + owed
            self._buffers = (most_in, most_out, total)
        return self._buffers

    def _share(self) -> int:
        return MOST_KEYS // max(1, len(self.databases))


# --- server and clients ----------------------------------------------------------------------------------------------------------


def server_fields(report: Report) -> Fields:
    server, config = report.server, report.config
    uptime_ms = max(0, server.clock.now_ms() - server.started_ms)
    compiler = re.search(r"\d+(\.\d+)+", platform.python_compiler())
    fields: Fields = [
        ("redis_version", REDIS_VERSION),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_build_id", hashlib.sha256(f"{__version__} {compiled()} {sys.version}".encode()).hexdigest()[:16]),
        ("redis_mode", "standalone"),
        ("os", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("arch_bits", 64 if sys.maxsize > 1 << 32 else 32),
        ("monotonic_clock", time.get_clock_info("perf_counter").implementation),
        ("multiplexing_api", server.loop_name),
        ("atomicvar_api", "none"),
        ("gcc_version", compiler[0] if compiler else "0.0.0"),
        ("process_id", os.getpid()),
        ("process_supervised", config.supervised),
        ("run_id", server.run_id),
        ("tcp_port", config.port or config.tls_port),
        ("server_time_usec", server.clock.now_us()),
        ("uptime_in_seconds", uptime_ms // 1000),
        ("uptime_in_days", uptime_ms // DAY_MS),
        ("hz", config.hz),
        ("configured_hz", config.hz),
        ("lru_clock", server.clock.seconds & LRU_CLOCK_MASK),
        ("executable", os.path.abspath(sys.argv[0])),
        ("config_file", config.path),
        ("io_threads_active", 0),
    ]
    fields += [(f"listener{number}", listener) for number, listener in enumerate(_listeners(server))]
    fields += [
        ("redloop_version", __version__),
        ("redloop_compiled", "yes" if compiled() else "no"),
        ("redloop_python", platform.python_version()),
    ]
    return fields


def _listeners(server: Server) -> list[str]:
    config = server.config
    found: list[str] = []
    addresses = "".join([f",bind={address}" for address in config.bind])
    if config.port:
        found.append(f"name=tcp{addresses},port={config.port}")
    if config.unixsocket:
        found.append(f"name=unix,bind={config.unixsocket}")
    if config.tls_port:
        found.append(f"name=tls{addresses},port={config.tls_port}")
    return found


def clients_fields(report: Report) -> Fields:
    server = report.server
    most_in, most_out, _ = report.buffers()
    return [
        ("connected_clients", len(server.clients)),
        ("cluster_connections", 0),
        ("maxclients", report.config.maxclients),
        ("client_recent_max_input_buffer", most_in),
        ("client_recent_max_output_buffer", most_out),
        ("blocked_clients", len(server.blocked)),
        ("tracking_clients", server.tracking.clients()),
        ("pubsub_clients", len([1 for client in server.clients.values() if client.subscriptions])),
        ("watching_clients", server.watched.clients()),
        ("clients_in_timeout_table", server.blocked.timed()),
        ("total_watched_keys", server.watched.keys()),
        ("total_blocking_keys", server.blocked.keys()),
        ("total_blocking_keys_on_nokey", 0),
    ]


def _scripting_fields(server: Server) -> Fields:
    scripts, functions = server.scripts, server.functions
    if scripts is None:
        lua = texts = count = 0
    else:
        lua, texts, count = scripts.memory(), scripts.memory_of_scripts(), len(scripts)
    if functions is None:
        libraries_lua = sources = number = libraries = 0
    else:
        libraries_lua, sources = functions.memory(), functions.memory_of_sources()
        number, libraries = functions.count(), len(functions.libraries)
    return [
        ("used_memory_lua", lua),
        ("used_memory_vm_eval", lua),
        ("used_memory_lua_human", human_bytes(lua)),
        ("used_memory_scripts_eval", texts),
        ("number_of_cached_scripts", count),
        ("number_of_functions", number),
        ("number_of_libraries", libraries),
        ("used_memory_vm_functions", libraries_lua),
        ("used_memory_vm_total", lua + libraries_lua),
        ("used_memory_vm_total_human", human_bytes(lua + libraries_lua)),
        ("used_memory_functions", sources),
        ("used_memory_scripts", texts + sources),
        ("used_memory_scripts_human", human_bytes(texts + sources)),
    ]


# --- memory ----------------------------------------------------------------------------------------------------------------------


def memory_fields(report: Report) -> Fields:
    server, config = report.server, report.config
    memory = server.memory
    used = memory.now()
    rss = max(memory.resident, used)
    buffers = report.buffers()[2]
    overhead = min(used, memory.at_start + buffers)
    data = used - overhead
    grown = max(1, used - memory.at_start)
    machine = process.machine_bytes()
    aof_buffer = server.durability.aof.buffered() if server.durability is not None else 0
    return [
        ("used_memory", used),
        ("used_memory_human", human_bytes(used)),
        ("used_memory_rss", rss),
        ("used_memory_rss_human", human_bytes(rss)),
        ("used_memory_peak", memory.peak),
        ("used_memory_peak_human", human_bytes(memory.peak)),
        ("used_memory_peak_perc", f"{100 * used / max(1, memory.peak):.2f}%"),
        ("used_memory_overhead", overhead),
        ("used_memory_startup", memory.at_start),
        ("used_memory_dataset", data),
        ("used_memory_dataset_perc", f"{min(100.0, 100 * data / grown):.2f}%"),
        ("allocator_allocated", used),
        ("allocator_active", rss),
        ("allocator_resident", rss),
        ("allocator_muzzy", 0),
        ("total_system_memory", machine),
        ("total_system_memory_human", human_bytes(machine)),
        *_scripting_fields(server),
        ("maxmemory", config.maxmemory),
        ("maxmemory_human", human_bytes(config.maxmemory)),
        ("maxmemory_policy", config.maxmemory_policy),
        ("allocator_frag_ratio", f"{rss / max(1, used):.2f}"),
        ("allocator_frag_bytes", rss - used),
        ("allocator_rss_ratio", "1.00"),
        ("allocator_rss_bytes", 0),
        ("rss_overhead_ratio", "1.00"),
        ("rss_overhead_bytes", 0),
        ("mem_fragmentation_ratio", f"{rss / max(1, used):.2f}"),
        ("mem_fragmentation_bytes", rss - used),
        ("mem_not_counted_for_evict", aof_buffer),
        ("mem_replication_backlog", 0),
        ("mem_total_replication_buffers", 0),
        ("mem_replica_full_sync_buffer", 0),
        ("mem_clients_slaves", 0),
        ("mem_clients_normal", sum([client.memory_size() for client in server.clients.values()])),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", aof_buffer),
        ("mem_allocator", os.environ.get("PYTHONMALLOC", "pymalloc")),
        ("mem_overhead_db_hashtable_rehashing", 0),
        ("active_defrag_running", 0),
        ("lazyfree_pending_objects", server.keyspace.trash.waiting()),
        ("lazyfreed_objects", server.keyspace.trash.swept),
    ]


# --- persistence, threads, statistics, replication, processor --------------------------------------------------------------------


def persistence_fields(report: Report) -> Fields:
    durability = report.server.durability
    if durability is None:
        return []
    figures: Fields = durability.figures()
    return figures


def threads_fields(report: Report) -> Fields:
    statistics = report.statistics
    return [("io_thread_0", f"clients={len(report.server.clients)},reads={statistics.reads},writes={statistics.writes}")]


def stats_fields(report: Report) -> Fields:
    server, statistics, keyspace = report.server, report.statistics, report.server.keyspace
    denied = server.access.denied
    expiries = report.expiries()
    volatile = sum([figures.volatile for figures in expiries])
    due = sum([figures.due for figures in expiries])
    return [
        ("total_connections_received", statistics.connections_received),
        ("total_commands_processed", server.commands_run()),
        ("instantaneous_ops_per_sec", round(statistics.command_rate.per_second())),
        ("total_net_input_bytes", statistics.bytes_in),
        ("total_net_output_bytes", statistics.bytes_out),
        ("total_net_repl_input_bytes", 0),
        ("total_net_repl_output_bytes", 0),
        ("instantaneous_input_kbps", f"{statistics.input_rate.per_second() / 1024:.2f}"),
        ("instantaneous_output_kbps", f"{statistics.output_rate.per_second() / 1024:.2f}"),
        ("instantaneous_input_repl_kbps", "0.00"),
        ("instantaneous_output_repl_kbps", "0.00"),
        ("rejected_connections", statistics.connections_rejected),
        ("sync_full", 0),
        ("sync_partial_ok", 0),
        ("sync_partial_err", 0),
        ("expired_subkeys", keyspace.expired_fields),
        ("expired_keys", keyspace.expired),
        ("expired_stale_perc", f"{100 * due / volatile if volatile else 0.0:.2f}"),
        ("expired_time_cap_reached_count", statistics.expiry_cut_short),
        ("expire_cycle_cpu_milliseconds", statistics.expiry_ns // 1_000_000),
        ("evicted_keys", keyspace.evicted),
        ("evicted_clients", statistics.clients_evicted),
        ("evicted_scripts", server.scripts.evicted if server.scripts is not None else 0),
        ("total_eviction_exceeded_time", server.eviction.exceeded_ms()),
        ("current_eviction_exceeded_time", server.eviction.exceeding_ms()),
        ("keyspace_hits", keyspace.hits),
        ("keyspace_misses", keyspace.misses),
        ("pubsub_channels", len(server.pubsub.channels.listeners)),
        ("pubsub_patterns", len(server.pubsub.patterns.listeners)),
        ("pubsubshard_channels", len(server.pubsub.shards.listeners)),
        ("latest_fork_usec", 0),
        ("total_forks", 0),
        ("migrate_cached_sockets", server.migrations.sockets()),
        ("slave_expires_tracked_keys", 0),
        ("active_defrag_hits", 0),
        ("active_defrag_misses", 0),
        ("active_defrag_key_hits", 0),
        ("active_defrag_key_misses", 0),
        ("total_active_defrag_time", 0),
        ("current_active_defrag_time", 0),
        ("tracking_total_keys", len(server.tracking.table)),
        ("tracking_total_items", server.tracking.table.items),
        ("tracking_total_prefixes", len(server.tracking.prefixes)),
        ("unexpected_error_replies", statistics.unexpected_errors),
        ("total_error_replies", statistics.error_replies),
        ("dump_payload_sanitizations", 0),
        ("total_reads_processed", statistics.reads),
        ("total_writes_processed", statistics.writes),
        ("io_threaded_reads_processed", 0),
        ("io_threaded_writes_processed", 0),
        ("client_query_buffer_limit_disconnections", statistics.query_limit_disconnections),
        ("client_output_buffer_limit_disconnections", statistics.output_limit_disconnections),
        ("reply_buffer_shrinks", 0),
        ("reply_buffer_expands", 0),
        ("eventloop_cycles", 0),
        ("eventloop_duration_sum", 0),
        ("eventloop_duration_cmd_sum", sum([one.ns for one in report.commands]) // 1000),
        ("instantaneous_eventloop_cycles_per_sec", 0),
        ("instantaneous_eventloop_duration_usec", 0),
        ("acl_access_denied_auth", denied[LOGIN]),
        ("acl_access_denied_cmd", denied[COMMAND]),
        ("acl_access_denied_key", denied[KEY]),
        ("acl_access_denied_channel", denied[CHANNEL]),
    ]


def replication_fields(report: Report) -> Fields:
    server = report.server
    return [
        ("role", "master"),
        ("connected_slaves", 0),
        ("master_failover_state", "no-failover"),
        ("master_replid", server.replication_id),
        ("master_replid2", "0" * 40),
        ("master_repl_offset", server.effects.offset),
        ("second_repl_offset", -1),
        ("repl_backlog_active", 0),
        ("repl_backlog_size", report.config.repl_backlog_size),
        ("repl_backlog_first_byte_offset", 0),
        ("repl_backlog_histlen", 0),
    ]


def cpu_fields(report: Report) -> Fields:
    whole, children, thread = process.cpu_time(), process.cpu_time_of_children(), process.cpu_time_of_thread()
    return [
        ("used_cpu_sys", f"{whole.kernel:.6f}"),
        ("used_cpu_user", f"{whole.user:.6f}"),
        ("used_cpu_sys_children", f"{children.kernel:.6f}"),
        ("used_cpu_user_children", f"{children.user:.6f}"),
        ("used_cpu_sys_main_thread", f"{thread.kernel:.6f}"),
        ("used_cpu_user_main_thread", f"{thread.user:.6f}"),
    ]


# --- commands --------------------------------------------------------------------------------------------------------------------


def modules_fields(report: Report) -> Fields:
    return []


def commandstats_fields(report: Report) -> Fields:
    return [(f"cmdstat_{one.name}", _counts(one)) for one in report.commands]


def _counts(one: Command) -> str:
    microseconds = int(one.ns) // 1000
    each = microseconds / int(one.calls) if one.calls else 0.0
    return f"calls={one.calls},usec={microseconds},usec_per_call={each:.2f},rejected_calls={one.rejected},failed_calls={one.failed}"


def errorstats_fields(report: Report) -> Fields:
    errors = report.statistics.errors
    return [(f"errorstat_{_plain(code)}", f"count={count}") for code, count in sorted(errors.items())]


def _plain(code: str) -> str:
    """A name that does not break the line it stands in."""
    return "".join(["_" if sign in ":#\r\n" else sign for sign in code])


def latencystats_fields(report: Report) -> Fields:
    if not report.config.latency_tracking:
        return []
    wanted = report.config.latency_tracking_info_percentiles
    fields: Fields = []
    for one in report.commands:
        values = percentiles(one.tracked, wanted)
        if values:
            told = [f"p{percent:.12g}={microseconds:.3f}" for percent, microseconds in zip(wanted, values, strict=True)]
            fields.append((f"latency_percentiles_usec_{one.name}", ",".join(told)))
        elif not wanted and one.calls:
            fields.append((f"latency_percentiles_usec_{one.name}", ""))
    return fields


def percentiles(histogram: Histogram, wanted: list[float]) -> list[float]:
    """Microseconds within which so many per cent of the calls ended; nothing if there were none."""
    buckets = histogram.ranges()
    total = sum([count for _, count in buckets])
    found: list[float] = []
    for percent in wanted if total else []:
        left = max(1, -(-int(percent * 1_000_000) * total // 100_000_000))
        for end, count in buckets:
            left -= count
            if left <= 0:
                found.append((end - 1) / 1000)
                break
    return found


# --- keys ------------------------------------------------------------------------------------------------------------------------


def cluster_fields(report: Report) -> Fields:
    return [("cluster_enabled", int(report.config.cluster_enabled))]


def keyspace_fields(report: Report) -> Fields:
    fields: Fields = []
    for database, expiries in zip(report.databases, report.expiries(), strict=True):
        keys = f"keys={database.size},expires={database.volatile}"
        subexpiry = report.values(database).expiring_hashes
        fields.append((f"db{database.index}", f"{keys},avg_ttl={expiries.average_ttl()},subexpiry={subexpiry}"))
    return fields


def keysizes_fields(report: Report) -> Fields:
    fields: Fields = []
    for database in report.databases:
        for kind, sizes in zip(KINDS, report.values(database).sizes, strict=True):
            if sizes:
                told = [f"{_size(power)}={count}" for power, count in sorted(sizes.items())]
                fields.append((f"db{database.index}_distrib_{kind}", ",".join(told)))
    return fields


def _size(power: int) -> str:
    """The smallest size with so many binary digits."""
    size = 1 << power >> 1
    scale = 0
    while size >= 1024:
        size //= 1024
        scale += 1
    return f"{size}{' KMGT'[scale]}".rstrip()


class Section:
    """A part of INFO; a usual one is told when no section is named."""

    def __init__(self, title: str, fields: Callable[[Report], Fields], usual: bool = True) -> None:
        self.title = title
        self.fields = fields
        self.usual = usual


SECTIONS: Final = [
    Section("Server", server_fields),
    Section("Clients", clients_fields),
    Section("Memory", memory_fields),
    Section("Persistence", persistence_fields),
    Section("Threads", threads_fields),
    Section("Stats", stats_fields),
    Section("Replication", replication_fields),
    Section("CPU", cpu_fields),
    Section("Modules", modules_fields),
    Section("Commandstats", commandstats_fields, usual=False),
    Section("Errorstats", errorstats_fields),
    Section("Latencystats", latencystats_fields, usual=False),
    Section("Cluster", cluster_fields),
    Section("Keyspace", keyspace_fields),
    Section("Keysizes", keysizes_fields),
]
