"""RDB: the format of Redis's snapshots, of DUMP and of the base of an append-only file."""
