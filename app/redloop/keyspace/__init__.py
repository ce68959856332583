"""The keyspace: databases of keys, their expiry, scanning and memory. Knows values, not clients."""
