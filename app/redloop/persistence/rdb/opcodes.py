"""The numbers of the RDB format: versions, opcodes, types of values, encodings of strings.

A file is `REDIS` and four digits of version, then opcodes and keys, then EOF and a CRC-64 of all before it. A key is, each where needed,
EXPIRETIME_MS, IDLE or FREQ, and then the type of its value, its name, its value. Written up by those who read the format in other tools:
https://github.com/sripathikrishnan/redis-rdb-tools/wiki/Redis-RDB-Dump-File-Format and
https://github.com/leonchen83/redis-replicator/wiki/RDB-dump-data-format; what they lack was asked of a running Redis 8.0.
"""

from __future__ import annotations

from typing import Final

MAGIC: Final = b"REDIS"
HEADER_SIZE: Final = 9
CHECKSUM_SIZE: Final = 8
VERSION: Final = 12
"""What Redis 7.4 to 8.4 write, and the newest that we read."""
OLDEST_VERSION: Final = 2
CHECKSUM_SINCE: Final = 5
LISTPACKS_SINCE: Final = 10  # Redis 7.0: hashes, sorted sets, lists
SET_LISTPACKS_SINCE: Final = 11  # Redis 7.2
STREAM_ACTIVE_TIMES_SINCE: Final = 11  # Redis 7.2
FIELD_EXPIRY_SINCE: Final = 12  # Redis 7.4

# Opcodes.
SLOT_INFO: Final = 244
FUNCTION: Final = 245
FUNCTION_UNRELEASED: Final = 246
MODULE_AUX: Final = 247
IDLE: Final = 248
FREQ: Final = 249
AUX: Final = 250
RESIZE_DB: Final = 251
EXPIRE_TIME_MS: Final = 252
EXPIRE_TIME: Final = 253
SELECT_DB: Final = 254
EOF: Final = 255

# Types of values.
STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET: Final = 3
HASH: Final = 4
ZSET_2: Final = 5
MODULE: Final = 6
MODULE_2: Final = 7
HASH_ZIPMAP: Final = 9
LIST_ZIPLIST: Final = 10
SET_INTSET: Final = 11
ZSET_ZIPLIST: Final = 12
HASH_ZIPLIST: Final = 13
LIST_QUICKLIST: Final = 14
STREAM_LISTPACKS: Final = 15
HASH_LISTPACK: Final = 16
ZSET_LISTPACK: Final = 17
LIST_QUICKLIST_2: Final = 18
STREAM_LISTPACKS_2: Final = 19
SET_LISTPACK: Final = 20
STREAM_LISTPACKS_3: Final = 21
HASH_METADATA_UNRELEASED: Final = 22
HASH_LISTPACK_EX_UNRELEASED: Final = 23
HASH_METADATA: Final = 24
HASH_LISTPACK_EX: Final = 25

# How a length is written: the two highest bits of its first byte, or the whole byte.
LENGTH_6: Final = 0
LENGTH_14: Final = 1
LENGTH_SPECIAL: Final = 3
LENGTH_32: Final = 0x80
LENGTH_64: Final = 0x81

# What stands in place of a string's length when its bytes do not follow as they are.
AS_INT8: Final = 0
AS_INT16: Final = 1
AS_INT32: Final = 2
AS_LZF: Final = 3

# The nodes of LIST_QUICKLIST_2.
NODE_PLAIN: Final = 1
NODE_PACKED: Final = 2

# What a module writes, each behind its own opcode.
MODULE_END: Final = 0
MODULE_SIGNED: Final = 1
MODULE_UNSIGNED: Final = 2
MODULE_FLOAT: Final = 3
MODULE_DOUBLE: Final = 4
MODULE_STRING: Final = 5
