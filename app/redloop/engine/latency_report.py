"""What LATENCY DOCTOR and LATENCY GRAPH say of the samples (https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency-monitor/).

Advice hangs on events by name (`ADVICE`), and is given in the order of `TEXTS`, each piece once. To add some: a text, and its name beside
the events it helps with. Only what can be followed here is advised.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from redloop.config import Config
from redloop.engine.latency import Sample, Series

ROWS: Final = 4
COLUMNS: Final = 80
STROKES: Final = "_o#"
"""How full a cell is; a cell with more on top of it is a `|`."""

DISABLED: Final = (
    "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET "
    'latency-monitor-threshold <milliseconds>." in order to enable it. If we weren\'t in a deep space mission I\'d suggest to take a look '
    "at https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency-monitor.\n"
)
ALL_WELL: Final = (
    "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I honestly think you ought "
    "to sit down calmly, take a stress pill, and think things over.\n"
)
OPENING: Final = "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n"

TEXTS: Final = {
    "enable the slow log": (
        "There are latency issues with potentially slow commands you are using. Try to enable the Slow Log Redis feature using the "
        "command 'CONFIG SET slowlog-log-slower-than {threshold_us}'. If the Slow log is disabled Redis is not able to log slow commands "
        "execution for you."
    ),
    "tune the slow log": (
        "Your current Slow Log configuration only logs events that are slower than your configured latency monitor threshold. Please use "
        "'CONFIG SET slowlog-log-slower-than {threshold_us}'."
    ),
    "read the slow log": (
        "Check your Slow Log to understand what are the commands you are running which are too slow to execute. Please check "
        "https://redis.io/commands/slowlog for more information."
    ),
    "get processor time": (
        "The system is slow to execute Redis code paths not containing system calls. This usually means the system does not provide Redis "
        "CPU time to run for long periods. You should try to:\n"
        "  1) Lower the system load.\n"
        "  2) Use a computer / VM just for Redis if you are running other software in the same system.\n"
        '  3) Check if you have a "noisy neighbour" problem.\n'
        "  4) Check with 'redis-cli --intrinsic-latency 100' what is the intrinsic latency in your system."
    ),
    "sync less often": (
        "Your fsync policy is set to 'always'. It is very hard to get good performances with such a setup, if possible try to relax the "
        "fsync policy to 'onesec'."
    ),
    "raise hz": (
        "In order to make the Redis keys expiring process more incremental, try to set the 'hz' configuration parameter to 100 using "
        "'CONFIG SET hz 100'."
    ),
    "split large objects": (
        "Deleting, expiring or evicting (because of maxmemory policy) large objects is a blocking operation. If you have very large "
        "objects that are often deleted, expired, or evicted, try to fragment those objects into multiple smaller objects."
    ),
}
ADVICE: Final = {
    "command": ["read the slow log", "split large objects"],
    "fast-command": ["get processor time"],
    "aof-fsync-always": ["sync less often"],
    "expire-cycle": ["raise hz", "split large objects"],
}


def diagnose(events: dict[str, Series], config: Config, now: int) -> str:
    """LATENCY DOCTOR; `now` in seconds."""
    if not events:
        return ALL_WELL if config.latency_monitor_threshold else DISABLED
    report = OPENING
    wanted: set[str] = set()
    for number, (event, series) in enumerate(events.items(), 1):
        report += f"{number}. {event}: {_summary(series, now)}\n"
        wanted.update(ADVICE.get(event, ()))
    if "command" in events:
        wanted.update(_about_the_slow_log(config))
    advice = [text for name, text in TEXTS.items() if name in wanted]
    if advice:
        threshold_us = config.latency_monitor_threshold * 1000
        report += "\nI have a few advices for you:\n\n" + "".join([f"- {text.format(threshold_us=threshold_us)}\n" for text in advice])
    return report


def _summary(series: Series, now: int) -> str:
    samples = series.samples
    count = len(samples)
    average = sum([sample.milliseconds for sample in samples]) // count
    deviation = sum([abs(sample.milliseconds - average) for sample in samples]) // count
    period = max(now - samples[0].second, 1) / count
    return (
        f"{count} latency spikes (average {average}ms, mean deviation {deviation}ms, period {period:.2f} sec). "
        f"Worst all time event {series.worst}ms."
    )


def _about_the_slow_log(config: Config) -> list[str]:
    if config.slowlog_log_slower_than < 0 or not config.slowlog_max_len:
        return ["enable the slow log"]
    if config.slowlog_log_slower_than // 1000 > config.latency_monitor_threshold:
        return ["tune the slow log"]
    return []


def graph(event: str, series: Series, now: int) -> str:
    """LATENCY GRAPH: the samples as columns, below each how long ago it was; `now` in seconds."""
    samples = list(series.samples)
    low = min([sample.milliseconds for sample in samples])
    high = max([sample.milliseconds for sample in samples])
    blocks = ["\n".join(_block(samples[start : start + COLUMNS], low, high, now)) + "\n" for start in range(0, len(samples), COLUMNS)]
    return f"{event} - high {high} ms, low {low} ms (all time high {series.worst} ms)\n{'-' * COLUMNS}\n" + "\n".join(blocks)


def _block(samples: list[Sample], low: int, high: int, now: int) -> Iterator[str]:
    """The lines of the graph of as many samples as fit beside each other."""
    steps = ROWS * len(STROKES)
    heights = [min((sample.milliseconds - low) * steps // max(high - low, 1), steps - 1) for sample in samples]
    for row in reversed(range(ROWS)):
        yield "".join([_cell(height - row * len(STROKES)) for height in heights])
    yield " " * len(samples)
    labels = [_ago(now - sample.second) for sample in samples]
    for at in range(max([len(label) for label in labels])):
        yield "".join([label[at : at + 1] or " " for label in labels])


def _cell(height: int) -> str:
    if height < 0:
        return " "
    return STROKES[height] if height < len(STROKES) else "|"


def _ago(seconds: int) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
