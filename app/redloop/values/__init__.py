"""The data types: plain containers that know no client, no I/O and no time of their own."""
