"""Settings: one server's configuration as plain typed attributes.

The idea: hot code reads `config.maxmemory`, never a dictionary of strings. An attribute is the directive's name with `-` turned into `_`,
and the value set here is the directive's default; the table in directives.py says how a text becomes that value and when it may change.

Rules: sizes are bytes; a percentage of `maxmemory` is a negative number (-5 is 5 %); texts are `str`, in which bytes that are not UTF-8
stand as surrogate escapes; "" is an unset path, name or password. To add a directive: an attribute here, a line in the table.
"""

from __future__ import annotations

import os

KB = 1024
MB = 1024 * KB
GB = 1024 * MB


class Settings:
    """The values in force; each server owns one."""

    def __init__(self) -> None:
        # network
        self.port: int = 6379
        self.bind: list[str] = ["*", "-::*"]
        self.bind_source_addr: str = ""
        self.protected_mode: bool = True
        self.unixsocket: str = ""
        self.unixsocketperm: int = 0
        self.tcp_backlog: int = 511
        self.tcp_keepalive: int = 300
        self.timeout: int = 0
        self.maxclients: int = 10000
        self.max_new_connections_per_cycle: int = 10
        self.max_new_tls_connections_per_cycle: int = 1
        self.socket_mark_id: int = 0

        # limits on a client
        self.client_query_buffer_limit: int = GB
        self.client_output_buffer_limit: list[tuple[int, int, int]] = [(0, 0, 0), (256 * MB, 64 * MB, 60), (32 * MB, 8 * MB, 60)]
        self.maxmemory_clients: int = 0
        self.proto_max_bulk_len: int = 512 * MB

        # tls
        self.tls_port: int = 0
        self.tls_cluster: bool = False
        self.tls_replication: bool = False
        self.tls_auth_clients: str = "yes"
        self.tls_prefer_server_ciphers: bool = False
        self.tls_session_caching: bool = True
        self.tls_session_cache_size: int = 20480
        self.tls_session_cache_timeout: int = 300
        self.tls_cert_file: str = ""
        self.tls_key_file: str = ""
        self.tls_key_file_pass: str = ""
        self.tls_client_cert_file: str = ""
        self.tls_client_key_file: str = ""
        self.tls_client_key_file_pass: str = ""
        self.tls_dh_params_file: str = ""
        self.tls_ca_cert_file: str = ""
        self.tls_ca_cert_dir: str = ""
        self.tls_protocols: str = ""
        self.tls_ciphers: str = ""
        self.tls_ciphersuites: str = ""

        # the process
        self.daemonize: bool = False
        self.supervised: str = "no"
        self.pidfile: str = ""
        self.logfile: str = ""
        self.loglevel: str = "notice"
        self.syslog_enabled: bool = False
        self.syslog_ident: str = "redis"
        self.syslog_facility: str = "local0"
        self.always_show_logo: bool = False
        self.set_proc_title: bool = True
        self.proc_title_template: str = "{title} {listen-addr} {server-mode}"
        self.locale_collate: str = ""
        self.databases: int = 16
        self.hz: int = 10
        self.dynamic_hz: bool = True
        self.io_threads: int = 1
        self.server_cpulist: str = ""
        self.bio_cpulist: str = ""
        self.aof_rewrite_cpulist: str = ""
        self.bgsave_cpulist: str = ""
        self.oom_score_adj: str = "no"
        self.oom_score_adj_values: list[int] = [0, 200, 800]
        self.disable_thp: bool = True
        self.jemalloc_bg_thread: bool = True
        self.ignore_warnings: str = ""
        self.crash_log_enabled: bool = True
        self.crash_memcheck_enabled: bool = True
        self.use_exit_on_panic: bool = False
        self.watchdog_period: int = 0
        self.shutdown_timeout: int = 10
        self.shutdown_on_sigint: str = "default"
        self.shutdown_on_sigterm: str = "default"

        # access
        self.requirepass: str = ""
        self.aclfile: str = ""
        self.acl_pubsub_default: str = "resetchannels"
        self.acllog_max_len: int = 128
        self.enable_protected_configs: str = "no"
        self.enable_debug_command: str = "no"
        self.enable_module_command: str = "no"
        self.hide_user_data_from_log: bool = False

        # memory
        self.maxmemory: int = 0
        self.maxmemory_policy: str = "noeviction"
        self.maxmemory_samples: int = 5
        self.maxmemory_eviction_tenacity: int = 10
        self.lfu_log_factor: int = 10
        self.lfu_decay_time: int = 1
        self.active_expire_effort: int = 1
        self.activerehashing: bool = True
        self.activedefrag: bool = False
        self.active_defrag_ignore_bytes: int = 100 * MB
        self.active_defrag_threshold_lower: int = 10
        self.active_defrag_threshold_upper: int = 100
        self.active_defrag_cycle_min: int = 1
        self.active_defrag_cycle_max: int = 25
        self.active_defrag_max_scan_fields: int = 1000
        self.lazyfree_lazy_eviction: bool = False
        self.lazyfree_lazy_expire: bool = False
        self.lazyfree_lazy_server_del: bool = False
        self.lazyfree_lazy_user_del: bool = False
        self.lazyfree_lazy_user_flush: bool = False

        # encodings
        self.hash_max_listpack_entries: int = 512
        self.hash_max_listpack_value: int = 64
        self.list_max_listpack_size: int = -2
        self.list_compress_depth: int = 0
        self.set_max_intset_entries: int = 512
        self.set_max_listpack_entries: int = 128
        self.set_max_listpack_value: int = 64
        self.zset_max_listpack_entries: int = 128
        self.zset_max_listpack_value: int = 64
        self.hll_sparse_max_bytes: int = 3000
        self.stream_node_max_bytes: int = 4096
        self.stream_node_max_entries: int = 100

        # disk
        self.dir: str = os.getcwd()

        # snapshots
        self.save: list[tuple[int, int]] = [(3600, 1), (300, 100), (60, 10000)]
        self.dbfilename: str = "dump.rdb"
        self.rdbcompression: bool = True
        self.rdbchecksum: bool = True
        self.rdb_del_sync_files: bool = False
        self.rdb_save_incremental_fsync: bool = True
        self.rdb_key_save_delay: int = 0
        self.key_load_delay: int = 0
        self.loading_process_events_interval_bytes: int = 512 * KB
        self.sanitize_dump_payload: str = "no"
        self.stop_writes_on_bgsave_error: bool = True

        # append only file
        self.appendonly: bool = False
        self.appendfilename: str = "appendonly.aof"
        self.appenddirname: str = "appendonlydir"
        self.appendfsync: str = "everysec"
        self.no_appendfsync_on_rewrite: bool = False
        self.auto_aof_rewrite_percentage: int = 100
        self.auto_aof_rewrite_min_size: int = 64 * MB
        self.aof_load_truncated: bool = True
        self.aof_load_until: str = ""  # redloop's own
        self.rdb_version: int = 12  # redloop's own
        self.slice_long_commands: bool = True  # redloop's own
        self.aof_use_rdb_preamble: bool = True
        self.aof_timestamp_enabled: bool = False
        self.aof_rewrite_incremental_fsync: bool = True
        self.aof_disable_auto_gc: bool = False

        # replication
        self.replicaof: str = ""
        self.masteruser: str = ""
        self.masterauth: str = ""
        self.replica_serve_stale_data: bool = True
        self.replica_read_only: bool = True
        self.replica_priority: int = 100
        self.replica_announced: bool = True
        self.replica_announce_ip: str = ""
        self.replica_announce_port: int = 0
        self.replica_lazy_flush: bool = False
        self.replica_ignore_maxmemory: bool = True
        self.replica_ignore_disk_write_errors: bool = False
        self.replica_full_sync_buffer_limit: int = 0
        self.repl_timeout: int = 60
        self.repl_ping_replica_period: int = 10
        self.repl_backlog_size: int = MB
        self.repl_backlog_ttl: int = 3600
        self.repl_diskless_sync: bool = True
        self.repl_diskless_sync_delay: int = 5
        self.repl_diskless_sync_max_replicas: int = 0
        self.repl_diskless_load: str = "disabled"
        self.repl_disable_tcp_nodelay: bool = False
        self.repl_rdb_channel: bool = True
        self.min_replicas_to_write: int = 0
        self.min_replicas_max_lag: int = 10
        self.propagation_error_behavior: str = "ignore"

        # cluster
        self.cluster_enabled: bool = False
        self.cluster_config_file: str = "nodes.conf"
        self.cluster_node_timeout: int = 15000
        self.cluster_ping_interval: int = 0
        self.cluster_port: int = 0
        self.cluster_announce_ip: str = ""
        self.cluster_announce_port: int = 0
        self.cluster_announce_tls_port: int = 0
        self.cluster_announce_bus_port: int = 0
        self.cluster_announce_hostname: str = ""
        self.cluster_announce_human_nodename: str = ""
        self.cluster_preferred_endpoint_type: str = "ip"
        self.cluster_require_full_coverage: bool = True
        self.cluster_migration_barrier: int = 1
        self.cluster_allow_replica_migration: bool = True
        self.cluster_allow_reads_when_down: bool = False
        self.cluster_allow_pubsubshard_when_down: bool = True
        self.cluster_replica_no_failover: bool = False
        self.cluster_replica_validity_factor: int = 10
        self.cluster_link_sendbuf_limit: int = 0
        self.cluster_compatibility_sample_ratio: int = 0

        # watching the server
        self.slowlog_log_slower_than: int = 10000
        self.slowlog_max_len: int = 128
        self.latency_monitor_threshold: int = 0
        self.latency_tracking: bool = True
        self.latency_tracking_info_percentiles: list[float] = [50.0, 99.0, 99.9]
        self.notify_keyspace_events: int = 0
        self.tracking_table_max_keys: int = 1000000

        # scripting
        self.busy_reply_threshold: int = 5000
        self.lua_enable_deprecated_api: bool = False

        # declarations that may be repeated: ACL users, renamed commands (old name, new name or "")
        self.users: list[list[str]] = []
        self.renamed_commands: list[tuple[str, str]] = []
