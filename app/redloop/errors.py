"""Every error a client can be told, named once.

A command says no by raising ``RedisError(TEXT)``. The text is the whole line after the dash: first the code
(``ERR``, ``WRONGTYPE``, ``NOAUTH`` ...), then the sentence. The dash and the line end belong to the protocol, see
``RedisError.line``. Raise a new instance each time: an exception that is kept collects tracebacks.

Texts are ``str``. What a client sent is quoted through ``quote``, which keeps every byte (surrogateescape) and drops what
would break the line. To add an error: a constant here when the sentence is fixed, a function when it quotes something,
below the heading of the family that says it; texts that only one command can ever say may stay beside the others of its family.
The wording is Redis 8.0's: ask a real server, do not remember.
"""

from __future__ import annotations

from typing import Final


class RedisError(Exception):
    """An error reply. ``text`` is the line as the client reads it, code first."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text: str = text

    @property
    def code(self) -> str:
        """The first word, by which INFO errorstats counts and clients tell errors apart."""
        return self.text.partition(" ")[0]

    def line(self) -> bytes:
        """The reply as it goes over the wire, in RESP2 and RESP3 alike."""
        return b"-%b\r\n" % self.text.replace("\r", " ").replace("\n", " ").encode("utf-8", "surrogateescape")


def quote(raw: bytes, limit: int = 1 << 30) -> str:
    """What a client sent, fit to stand in an error: up to the first NUL, at most `limit` bytes."""
    return raw[:limit].partition(b"\0")[0].decode("utf-8", "surrogateescape")


# -- any command -----------------------------------------------------------------------------------------------------

WRONGTYPE: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX: Final = "ERR syntax error"
NO_SUCH_KEY: Final = "ERR no such key"
INDEX_OUT_OF_RANGE: Final = "ERR index out of range"
SAME_OBJECT: Final = "ERR source and destination objects are the same"
BUSYKEY: Final = "BUSYKEY Target key name already exists."

NOT_AN_INTEGER: Final = "ERR value is not an integer or out of range"
NOT_A_FLOAT: Final = "ERR value is not a valid float"
OUT_OF_RANGE: Final = "ERR value is out of range"
MUST_BE_POSITIVE: Final = "ERR value is out of range, must be positive"
OVERFLOW: Final = "ERR increment or decrement would overflow"
DECREMENT_OVERFLOW: Final = "ERR decrement would overflow"
NAN_OR_INFINITY: Final = "ERR increment would produce NaN or Infinity"

NUMKEYS_NOT_POSITIVE: Final = "ERR numkeys should be greater than 0"
NUMKEYS_TOO_MANY: Final = "ERR Number of keys can't be greater than number of args"
NUMKEYS_NEGATIVE: Final = "ERR Number of keys can't be negative"
COUNT_NOT_POSITIVE: Final = "ERR count should be greater than 0"
LIMIT_NEGATIVE: Final = "ERR LIMIT can't be negative"

DB_OUT_OF_RANGE: Final = "ERR DB index is out of range"
INVALID_FIRST_DB: Final = "ERR invalid first DB index"
INVALID_SECOND_DB: Final = "ERR invalid second DB index"
INVALID_CURSOR: Final = "ERR invalid cursor"


def wrong_arity(name: str) -> str:
    """`name` is the full lower-case name: ``get``, ``client|kill``."""
    return f"ERR wrong number of arguments for '{name}' command"


def unknown_command(argv: list[bytes]) -> str:
    """Quotes the name and a preview of the arguments, 128 bytes each in all, as Redis cuts them."""
    preview = ""
    size = 0
    for raw in argv[1:]:
        if size >= 128:
            break
        word = f"'{quote(raw, 128 - size)}' "
        preview += word
        size += len(word.encode("utf-8", "surrogateescape"))
    return f"ERR unknown command '{quote(argv[0], 128)}', with args beginning with: {preview}"


def exec_aborted(reason: str) -> str:
    """EXEC was refused, and the transaction with it."""
    return f"EXECABORT Transaction discarded because of: {reason.removeprefix('ERR ')}"


def unknown_subcommand(container: bytes, subcommand: bytes) -> str:
    """`container` as it was called, which rename-command may have changed."""
    return f"ERR unknown subcommand '{quote(subcommand, 128)}'. Try {quote(container.upper())} HELP."


def unknown_subcommand_or_arity(container: str, subcommand: bytes) -> str:
    """What the containers say that look at their own arguments (DEBUG, a subcommand with the wrong number of them)."""
    return f"ERR unknown subcommand or wrong number of arguments for '{quote(subcommand, 128)}'. Try {container.upper()} HELP."


def out_of_range(low: int, high: int) -> str:
    return f"ERR value is out of range, value must between {low} and {high}"


def not_an_integer(what: str) -> str:
    """The named form of NOT_AN_INTEGER: ``bit offset``, ``timeout``."""
    return f"ERR {what} is not an integer or out of range"


def not_for_subscribers(name: str) -> str:
    allowed = "(P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET"
    return f"ERR Can't execute '{name}': only {allowed} are allowed in this context"


# -- DEBUG -----------------------------------------------------------------------------------------------------------

def not_enabled(name: str) -> str:
    return (
        f'ERR {name.upper()} command not allowed. If the enable-{name}-command option is set to "local", you can run it from a local '
        "connection, otherwise you need to set this option in the configuration file, and then restart the server."
    )


MODULE_NOT_LOADED: Final = "ERR Error loading the extension. Please check the server logs."
NO_SUCH_MODULE: Final = "ERR Error unloading module: no such module with that name"
DEBUG_LOADAOF_FAILED: Final = "ERR Error trying to load the AOF files, check server logs."
DEBUG_LOADAOF_NOT_NOW: Final = "ERR DEBUG LOADAOF has to wait: not in a transaction, nor while the append-only file is rewritten"
DEBUG_RELOAD_FAILED: Final = "ERR Error trying to load the RDB dump, check server logs."
DEBUG_RELOAD_OPTIONS: Final = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
DEBUG_PROTOCOL_TYPES: Final = (
    "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|"
    "true|false"
)
PUSH_NEEDS_RESP3: Final = "ERR RESP2 is not supported by this command"

# -- the state of the server -----------------------------------------------------------------------------------------

NOAUTH: Final = "NOAUTH Authentication required."
WRONGPASS: Final = "WRONGPASS invalid username-password pair or user is disabled."
NO_PASSWORD_SET: Final = (
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
)
HELLO_NOAUTH: Final = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be "
    "used to authenticate the client and select the RESP protocol version at the same time"
)
LOADING: Final = "LOADING Redis is loading the dataset in memory"
OOM: Final = "OOM command not allowed when used memory > 'maxmemory'."
READONLY: Final = "READONLY You can't write against a read only replica."
MASTERDOWN: Final = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
NOREPLICAS: Final = "NOREPLICAS Not enough good replicas to write."
MISCONF_SNAPSHOT: Final = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data "
    "set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails "
    "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
)
WAITAOF_WITHOUT_AOF: Final = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
BGSAVE_IN_PROGRESS: Final = "ERR Background save already in progress"
BGSAVE_DURING_REWRITE: Final = (
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever "
    "possible."
)
SAVE_FAILED: Final = "ERR"
SHUTDOWN_FAILED: Final = "ERR Errors trying to SHUTDOWN. Check logs."
REWRITE_NOT_NOW: Final = "ERR The append-only file was loaded as of an earlier moment (aof-load-until) and stays as it is"
REWRITE_IN_PROGRESS: Final = "ERR Background append only file rewriting already in progress"
BUSY_SCRIPT: Final = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
BUSY_FUNCTION: Final = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
NOTBUSY: Final = "NOTBUSY No scripts in execution right now."
CLUSTER_DISABLED: Final = "ERR This instance has cluster support disabled"
MAX_CLIENTS: Final = "ERR max number of clients reached"
PROTECTED_MODE: Final = (
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this "
    "mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may "
    "adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the "
    "loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly "
    "accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the "
    "protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the "
    "server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an "
    "authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start "
    "accepting connections from the outside."
)
FAILOVER_NEEDS_REPLICAS: Final = "ERR FAILOVER requires connected replicas."


def misconf_aof(reason: str) -> str:
    return f"MISCONF Errors writing to the AOF file: {reason}"


# -- access control --------------------------------------------------------------------------------------------------

NOPERM_KEY: Final = "NOPERM No permissions to access a key"
NOPERM_CHANNEL: Final = "NOPERM No permissions to access a channel"
ACL_USER_NAME: Final = "ERR Usernames can't contain spaces or null characters"
ACL_DEFAULT_STAYS: Final = "ERR The 'default' user cannot be removed"
ACL_GENPASS: Final = (
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"
)
ACL_NO_FILE: Final = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then "
    "issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration."
)
ACL_NOT_SAVED: Final = "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
SORT_BY_DENIED: Final = "ERR BY option of SORT denied due to insufficient ACL permissions."
SORT_GET_DENIED: Final = "ERR GET option of SORT denied due to insufficient ACL permissions."


def user_cannot_run(user: bytes, name: str) -> str:
    return f"User {quote(user)} has no permissions to run the '{name}' command"


def user_cannot_touch(user: bytes, what: bytes, kind: str) -> str:
    """`kind` is ``key`` or ``channel``. Told as a bulk string: every byte of it."""
    return f"User {quote(user)} has no permissions to access the '{what.decode('utf-8', 'surrogateescape')}' {kind}"


def acl_rules_changed(reason: str) -> str:
    """What EXEC answers for a command that was allowed when it was queued."""
    return (
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer "
        f"allowed for the following reason: {reason}"
    )


def acl_rule_refused(rule: bytes, reason: str) -> str:
    return f"ERR Error in ACL SETUSER modifier '{quote(rule)}': {reason}"


def acl_unmatched(rule: bytes) -> str:
    return f"ERR Unmatched parenthesis in acl selector starting at '{quote(rule)}'."


def acl_unknown_category(raw: bytes) -> str:
    return f"ERR Unknown category '{quote(raw)}'"


def acl_user_not_found(raw: bytes) -> str:
    return f"ERR User '{quote(raw)}' not found"


def acl_command_not_found(raw: bytes) -> str:
    return f"ERR Command '{quote(raw)}' not found"


# -- configuration ---------------------------------------------------------------------------------------------------

CONFIG_NO_FILE: Final = "ERR The server is running without a config file"


def config_refused(reason: str) -> str:
    return f"ERR {reason}"


def config_rewrite_failed(reason: str) -> str:
    return f"ERR Rewriting config file: {reason}"


# -- connection and clients ------------------------------------------------------------------------------------------

NOPROTO: Final = "NOPROTO unsupported protocol version"
PROTOCOL_NOT_INTEGER: Final = "ERR Protocol version is not an integer or out of range"
CLIENT_NAME: Final = "ERR Client names cannot contain spaces, newlines or special characters."
NO_SUCH_CLIENT: Final = "ERR No such client"
CLIENT_ID_NOT_POSITIVE: Final = "ERR client-id should be greater than 0"
CLIENT_ID: Final = "ERR Invalid client ID"
MAXAGE_NOT_POSITIVE: Final = "ERR maxage should be greater than 0"
PAUSE_MODE: Final = "ERR CLIENT PAUSE mode must be WRITE or ALL"
UNBLOCK_REASON: Final = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"


def client_type(raw: bytes) -> str:
    return f"ERR Unknown client type '{quote(raw)}'"


def no_such_user(raw: bytes) -> str:
    return f"ERR No such user '{quote(raw)}'"


def unrecognized_option(raw: bytes) -> str:
    return f"ERR Unrecognized option '{quote(raw)}'"

REDIRECT_TWICE: Final = "ERR A client can only redirect to a single other client"
REDIRECT_UNKNOWN: Final = "ERR The client ID you want redirect to does not exist"
PREFIX_WITHOUT_BCAST: Final = "ERR PREFIX option requires BCAST mode to be enabled"
SWITCHED_BCAST: Final = (
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
)
SWITCHED_OPT: Final = (
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
)
BCAST_AND_OPT: Final = "ERR OPTIN and OPTOUT are not compatible with BCAST"
OPTIN_AND_OPTOUT: Final = "ERR You can't specify both OPTIN mode and OPTOUT mode"
CACHING_WITHOUT_OPT: Final = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
)
CACHING_NOT_OPTIN: Final = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
CACHING_NOT_OPTOUT: Final = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."


def prefix_overlaps(prefix: bytes, what: str, other: bytes) -> str:
    return f"ERR Prefix '{quote(prefix)}' overlaps with {what} '{quote(other)}'. Prefixes for a single client must not overlap."


UNBLOCKED: Final = "UNBLOCKED client unblocked via CLIENT UNBLOCK"


def hello_option(raw: bytes) -> str:
    return f"ERR Syntax error in HELLO option '{quote(raw)}'"


# -- watching the server ---------------------------------------------------------------------------------------------

SLOWLOG_COUNT: Final = "ERR count should be greater than or equal to -1"
MONITOR_KEYSPACE: Final = "ERR Replica can't interact with the keyspace"
SSUBSCRIBE_IN_TRANSACTION: Final = "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"
MONITOR_IN_TRANSACTION: Final = "ERR MONITOR isn't allowed for DENY BLOCKING client"


def no_latency_samples(event: bytes) -> str:
    return f"ERR No samples available for event '{quote(event)}'"


# -- commands about commands -----------------------------------------------------------------------------------------

INVALID_COMMAND: Final = "ERR Invalid command specified"
COMMAND_HAS_NO_KEYS: Final = "ERR The command has no key arguments"
COMMAND_ARITY: Final = "ERR Invalid number of arguments specified for command"
COMMAND_ARGUMENTS: Final = "ERR Invalid arguments specified for command"

# -- transactions and scripts ----------------------------------------------------------------------------------------

EXECABORT: Final = "EXECABORT Transaction discarded because of previous errors."
EXEC_WITHOUT_MULTI: Final = "ERR EXEC without MULTI"
DISCARD_WITHOUT_MULTI: Final = "ERR DISCARD without MULTI"
NESTED_MULTI: Final = "ERR MULTI calls can not be nested"
WATCH_INSIDE_MULTI: Final = "ERR WATCH inside MULTI is not allowed"
NOT_IN_MULTI: Final = "ERR Command not allowed inside a transaction"
NOSCRIPT: Final = "NOSCRIPT No matching script. Please use EVAL."
FUNCTION_NOT_FOUND: Final = "ERR Function not found"
UNKILLABLE: Final = (
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill "
    "the server in a hard way using the SHUTDOWN NOSAVE command."
)
SCRIPT_FLUSH_OPTION: Final = "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
SCRIPT_DEBUG_OPTION: Final = "ERR Use SCRIPT DEBUG YES/SYNC/NO"
SCRIPT_BAD_SHEBANG: Final = "ERR Invalid script shebang"
SCRIPT_WRITES_IN_RO: Final = "ERR Can not execute a script with write flag using *_ro command."
SCRIPT_UNKNOWN_COMMAND: Final = "ERR Unknown Redis command called from script"
SCRIPT_WRONG_ARITY: Final = "ERR Wrong number of args calling Redis command from script"
SCRIPT_NOT_ALLOWED: Final = "ERR This Redis command is not allowed from script"
SCRIPT_READ_ONLY: Final = "ERR Write commands are not allowed from read-only scripts."
SCRIPT_NO_ARGUMENTS: Final = "ERR Please specify at least one argument for this redis lib call"
SCRIPT_ARGUMENT_TYPE: Final = "ERR Lua redis lib command arguments must be strings or integers"
# What the functions of `redis` say, as Lua is given it.
SCRIPT_KILLED: Final = b"ERR Script killed by user with SCRIPT KILL..."
SCRIPT_LOG_ARGUMENTS: Final = b"ERR redis.log() requires two arguments or more."
SCRIPT_LOG_NUMBER: Final = b"ERR First argument must be a number (log level)."
SCRIPT_LOG_LEVEL: Final = b"ERR Invalid log level."
SCRIPT_SHA_ARGUMENTS: Final = b"ERR wrong number of arguments"
SCRIPT_RESP_ARGUMENTS: Final = b"ERR redis.setresp() requires one argument."
SCRIPT_RESP_VERSION: Final = b"ERR RESP version must be 2 or 3."
SCRIPT_REPL_ARGUMENTS: Final = b"ERR redis.set_repl() requires one argument."
SCRIPT_REPL_FLAGS: Final = b"ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."
SCRIPT_ACL_COMMAND: Final = b"ERR Invalid command passed to redis.acl_check_cmd()"


def acl_failure_in_script(refusal: str) -> str:
    return f"ERR ACL failure in script: {refusal.removeprefix('NOPERM ')}"


def script_does_not_compile(reason: str) -> str:
    return f"ERR Error compiling script (new function): {reason}"


def script_failed(text: str, sha: bytes, source: str, line: str) -> str:
    return f"{text} script: {sha.decode()}, on {source}:{line}."


def unexpected_script_engine(word: bytes) -> str:
    return f"ERR Unexpected engine in script shebang: {quote(word)}"


def unexpected_script_flag(flag: bytes) -> str:
    return f"ERR Unexpected flag in script shebang: {quote(flag)}"


def unknown_script_option(word: bytes) -> str:
    return f"ERR Unknown lua shebang option: {quote(word)}"


# -- functions -------------------------------------------------------------------------------------------------------

LIBRARY_NO_METADATA: Final = "ERR Missing library metadata"
LIBRARY_METADATA: Final = "ERR Invalid library metadata"
LIBRARY_UNNAMED: Final = "ERR Library name was not given"
LIBRARY_NAMED_TWICE: Final = "ERR Invalid metadata value, name argument was given multiple times"
LIBRARY_EMPTY: Final = "ERR No functions registered"
LIBRARY_NOT_FOUND: Final = "ERR Library not found"
LIBRARY_NO_NAME: Final = "ERR library name argument was not given"
FUNCTION_BAD_NAME: Final = (
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
)
FUNCTION_FLUSH_OPTION: Final = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option"
FUNCTION_POLICY: Final = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
FUNCTION_NUMKEYS: Final = "ERR Bad number of keys provided"
# What Lua is given.
FUNCTION_LOAD_TIMEOUT: Final = b"ERR FUNCTION LOAD timeout"
REGISTER_LATE: Final = b"ERR redis.register_function can only be called on FUNCTION LOAD command"
REGISTER_ARGUMENTS: Final = b"ERR wrong number of arguments to redis.register_function"
REGISTER_SINGLE: Final = (
    b"ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments)."
)
REGISTER_NAME: Final = b"ERR first argument to redis.register_function must be a string"
REGISTER_SECOND: Final = b"ERR second argument to redis.register_function must be a function"
REGISTER_KEY: Final = b"ERR named argument key given to redis.register_function is not a string"
REGISTER_FUNCTION_NAME: Final = b"ERR function_name argument given to redis.register_function must be a string"
REGISTER_DESCRIPTION: Final = b"ERR description argument given to redis.register_function must be a string"
REGISTER_CALLBACK: Final = b"ERR callback argument given to redis.register_function must be a function"
REGISTER_FLAGS: Final = b"ERR flags argument to redis.register_function must be a table representing function flags"
REGISTER_FLAG: Final = b"ERR unknown flag given"
REGISTER_ARGUMENT: Final = b"ERR unknown argument given to redis.register_function"
REGISTER_NO_NAME: Final = b"ERR redis.register_function must get a function name argument"
REGISTER_NO_CALLBACK: Final = b"ERR redis.register_function must get a callback argument"
REGISTER_DUPLICATE: Final = b"ERR Function already exists in the library"


def library_option(word: bytes) -> str:
    return f"ERR Invalid metadata value given: {quote(word)}"


def library_engine(name: bytes) -> str:
    return f"ERR Engine '{quote(name)}' not found"


def library_exists(name: bytes) -> str:
    return f"ERR Library '{quote(name)}' already exists"


def library_stands_in_the_way(name: bytes) -> str:
    return f"ERR Library {quote(name)} already exists"


def function_exists(name: bytes) -> str:
    return f"ERR Function {quote(name)} already exists"


def library_does_not_compile(reason: str) -> str:
    return f"ERR Error compiling function: {reason}"


def library_does_not_register(reason: str) -> str:
    return f"ERR Error registering functions: {reason}"


def function_option(word: bytes) -> str:
    return f"ERR Unknown option given: {quote(word)}"


def function_argument(word: bytes) -> str:
    return f"ERR Unknown argument {quote(word)}"


# -- expiry and blocking ---------------------------------------------------------------------------------------------

EXPIRE_NX_WITH_OTHERS: Final = "ERR NX and XX, GT or LT options at the same time are not compatible"
EXPIRE_GT_WITH_LT: Final = "ERR GT and LT options at the same time are not compatible"
TIMEOUT_NOT_FLOAT: Final = "ERR timeout is not a float or out of range"
TIMEOUT_NOT_INTEGER: Final = "ERR timeout is not an integer or out of range"
TIMEOUT_NEGATIVE: Final = "ERR timeout is negative"
TIMEOUT_OUT_OF_RANGE: Final = "ERR timeout is out of range"
MIGRATE_KEYS: Final = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
MIGRATE_CONNECTING: Final = "IOERR error or timeout connecting to the client"
MIGRATE_WRITING: Final = "IOERR error or timeout writing to target instance"
MIGRATE_READING: Final = "IOERR error or timeout reading from target instance"


def migrate_refused(text: str) -> str:
    """The server that keys go to answered with an error."""
    return f"ERR Target instance replied with error: {text}"


RESTORE_TTL: Final = "ERR Invalid TTL value, must be >= 0"
RESTORE_IDLETIME: Final = "ERR Invalid IDLETIME value, must be >= 0"
RESTORE_FREQ: Final = "ERR Invalid FREQ value, must be >= 0 and <= 255"
BAD_DATA_FORMAT: Final = "ERR Bad data format"
DUMP_PAYLOAD: Final = "ERR DUMP payload version or checksum are wrong"
NOT_LFU: Final = (
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at "
    "runtime LRU and LFU data will take some time to adjust."
)
LFU: Final = (
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU "
    "and LFU data will take some time to adjust."
)


def invalid_expire(name: str) -> str:
    return f"ERR invalid expire time in '{name}' command"


def unsupported_option(raw: bytes) -> str:
    return f"ERR Unsupported option {quote(raw)}"


# -- strings and bitmaps ---------------------------------------------------------------------------------------------

OFFSET_OUT_OF_RANGE: Final = "ERR offset is out of range"
STRING_TOO_LONG: Final = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
LCS_NOT_STRINGS: Final = "ERR The specified keys must contain string values"
LCS_LEN_WITH_IDX: Final = "ERR If you want both the length and indexes, please just use IDX."
LCS_NO_MEMORY: Final = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
BIT_NOT_AN_INTEGER: Final = "ERR bit is not an integer or out of range"
BIT_OFFSET: Final = "ERR bit offset is not an integer or out of range"
BIT_NOT_0_OR_1: Final = "ERR The bit argument must be 1 or 0."
BITOP_NOT: Final = "ERR BITOP NOT must be called with a single source key."
BITFIELD_TYPE: Final = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
BITFIELD_OVERFLOW: Final = "ERR Invalid OVERFLOW type specified"
BITFIELD_RO: Final = "ERR BITFIELD_RO only supports the GET subcommand"

# -- lists, hashes, sets ---------------------------------------------------------------------------------------------

LPOS_RANK_ZERO: Final = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list"
)
LPOS_COUNT_NEGATIVE: Final = "ERR COUNT can't be negative"
LPOS_MAXLEN_NEGATIVE: Final = "ERR MAXLEN can't be negative"
HASH_VALUE_NOT_INTEGER: Final = "ERR hash value is not an integer"
HASH_VALUE_NOT_FLOAT: Final = "ERR hash value is not a float"
HASH_FIELDS_MISSING: Final = "ERR Mandatory argument FIELDS is missing or not at the right position"
HASH_NUMFIELDS_NOT_POSITIVE: Final = "ERR Parameter `numFields` should be greater than 0"
HASH_NUMFIELDS_MISMATCH: Final = "ERR The `numfields` parameter must match the number of arguments"
NUMFIELDS_NOT_POSITIVE: Final = "ERR Number of fields must be a positive integer"
VALUE_NAN_OR_INFINITY: Final = "ERR value is NaN or Infinity"
HSETEX_CONDITIONS: Final = "ERR Only one of FXX or FNX arguments can be specified"
HSETEX_EXPIRIES: Final = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
HSETEX_NUMFIELDS: Final = "ERR invalid number of fields"
NOVALUES_ONLY_HSCAN: Final = "ERR NOVALUES option can only be used in HSCAN"
HASH_EXPIRE_NEGATIVE: Final = "ERR invalid expire time, must be >= 0"

def unknown_argument(raw: bytes) -> str:
    return f"ERR unknown argument: {quote(raw)}"


# -- sorted sets and geo ---------------------------------------------------------------------------------------------

ZADD_NX_XX: Final = "ERR XX and NX options at the same time are not compatible"
ZADD_GT_LT_NX: Final = "ERR GT, LT, and/or NX options at the same time are not compatible"
ZADD_INCR_PAIRS: Final = "ERR INCR option supports a single increment-element pair"
SCORE_NAN: Final = "ERR resulting score is not a number (NaN)"
SCORE_RANGE: Final = "ERR min or max is not a float"
LEX_RANGE: Final = "ERR min or max not valid string range item"
WEIGHT: Final = "ERR weight value is not a float"
LIMIT_WITHOUT_BY: Final = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
WITHSCORES_WITH_BYLEX: Final = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
SORT_SCORES: Final = "ERR One or more scores can't be converted into double"
GEO_UNIT: Final = "ERR unsupported unit provided. please use M, KM, FT, MI"
GEO_RADIUS: Final = "ERR need numeric radius"
GEO_RADIUS_NEGATIVE: Final = "ERR radius cannot be negative"
GEO_WIDTH: Final = "ERR need numeric width"
GEO_HEIGHT: Final = "ERR need numeric height"
GEO_BOX_NEGATIVE: Final = "ERR height or width cannot be negative"
GEO_MEMBER: Final = "ERR could not decode requested zset member"
GEO_COUNT: Final = "ERR COUNT must be > 0"
GEO_ANY_WITHOUT_COUNT: Final = "ERR the ANY argument requires COUNT argument"


def no_input_keys(name: str) -> str:
    return f"ERR at least 1 input key is needed for '{name}' command"


def invalid_lon_lat(longitude: float, latitude: float) -> str:
    return f"ERR invalid longitude,latitude pair {longitude:.6f},{latitude:.6f}"


def geo_one_of(options: str, name: bytes) -> str:
    return f"ERR exactly one of {options} can be specified for {quote(name)}"


def geo_store_with(what: str) -> str:
    return f"ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"


# -- hyperloglogs ----------------------------------------------------------------------------------------------------

NOT_A_HYPERLOGLOG: Final = "WRONGTYPE Key is not a valid HyperLogLog string value."
HYPERLOGLOG_CORRUPTED: Final = "INVALIDOBJ Corrupted HLL object detected"
HYPERLOGLOG_NOT_SPARSE: Final = "ERR HLL encoding is not sparse"
NO_SUCH_HYPERLOGLOG: Final = "ERR The specified key does not exist"
ON_OR_OFF: Final = "ERR Argument must be ON or OFF"


def unknown_pfdebug(subcommand: bytes) -> str:
    return f"ERR Unknown PFDEBUG subcommand '{quote(subcommand)}'"


def selftest_failed(what: str) -> str:
    return f"TESTFAILED {what}"


# -- streams ---------------------------------------------------------------------------------------------------------

STREAM_ID: Final = "ERR Invalid stream ID specified as stream command argument"
XADD_ZERO: Final = "ERR The ID specified in XADD must be greater than 0-0"
XADD_SMALLER: Final = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
XSETID_SMALLER: Final = "ERR The ID specified in XSETID is smaller than the target stream top item"
STREAM_MAXLEN_NEGATIVE: Final = "ERR The MAXLEN argument must be >= 0."
STREAM_MAXLEN_WITH_MINID: Final = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
STREAM_LIMIT_NEGATIVE: Final = "ERR The LIMIT argument must be >= 0."
STREAM_LIMIT_WITHOUT_TRIM: Final = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
XTRIM_WITHOUT_TRIM: Final = "ERR syntax error, XTRIM must be called with a trimming strategy"
STREAM_EXHAUSTED: Final = "ERR The stream has exhausted the last possible ID, unable to add more items"
STREAM_ENTRY_TOO_LARGE: Final = "ERR Elements are too large to be stored"
RANGE_START_ID: Final = "ERR invalid start ID for the interval"
RANGE_END_ID: Final = "ERR invalid end ID for the interval"
XSETID_BELOW_NEW_DELETED: Final = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
XSETID_BELOW_DELETED: Final = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
XSETID_ADDED_NEGATIVE: Final = "ERR entries_added must be positive"
XSETID_ADDED_TOO_FEW: Final = "ERR The entries_added specified in XSETID is smaller than the target stream length"
ENTRIESREAD_NEGATIVE: Final = "ERR value for ENTRIESREAD must be positive or -1"
XREAD_NEW: Final = "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
XREADGROUP_WITHOUT_GROUP: Final = "ERR Missing GROUP option for XREADGROUP"
XCLAIM_MIN_IDLE: Final = "ERR Invalid min-idle-time argument for XCLAIM"
XAUTOCLAIM_MIN_IDLE: Final = "ERR Invalid min-idle-time argument for XAUTOCLAIM"
XAUTOCLAIM_COUNT: Final = "ERR COUNT must be > 0"
XAUTOCLAIM_NO_MEMORY: Final = "ERR Insufficient memory, failed allocating transient memory, COUNT too high."
STREAM_LIMIT_WITHOUT_TILDE: Final = "ERR syntax error, LIMIT cannot be used without the special ~ option"
BUSYGROUP: Final = "BUSYGROUP Consumer Group name already exists"
XGROUP_NEEDS_KEY: Final = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an "
    "empty stream automatically."
)


def only_xreadgroup(option: str) -> str:
    return f"ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."


def meaningless_id(sign: str) -> str:
    return (
        f"ERR The {sign} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a "
        f"proper ID, or use the > ID to get new messages. The {sign} ID would just return an empty result set."
    )


def unbalanced_streams(name: str, ids: str) -> str:
    return f"ERR Unbalanced '{name}' list of streams: for each stream key an {ids} must be specified."


def invalid_xclaim_option(option: str) -> str:
    return f"ERR Invalid {option} option argument for XCLAIM"


def unrecognized_xclaim_option(raw: bytes) -> str:
    return f"ERR Unrecognized XCLAIM option '{quote(raw)}'"


def no_group_for_key(key: bytes, group: bytes) -> str:
    return f"NOGROUP No such consumer group '{quote(group)}' for key name '{quote(key)}'"


def no_group(key: bytes, group: bytes) -> str:
    return f"NOGROUP No such key '{quote(key)}' or consumer group '{quote(group)}'"
