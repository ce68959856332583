"""The benchmark: redloop and redis-server started side by side, given the same work in turns, compared by the CPU they spend.

Why CPU and not throughput: both servers run on one core and redis-benchmark, on another, is often the slower side, so requests per second
say as much about the load generator as about the server. Microseconds of server CPU per command do not depend on who waits for whom, and
taking turns (A B A B) lets a disturbance of the machine fall on both.

servers    starting, pinning, measuring and stopping one server
wire       the few lines of RESP that preparing and loading need
workloads  what is measured: one line a test; add a test by adding a line
commands   cost per command: redis-benchmark in rounds over the workloads
handover   the one workload redis-benchmark cannot make: blocked clients being served
growth     the same command on a thousand members and on a million
memory     bytes per key, from the growth of the resident set
stall      the longest wait of a second client while a first one loads millions of keys
eviction   hit rates of the eviction policies; not part of main, see its own page
snapshot   BGSAVE at rest and under load: time, stalls, throughput, memory; loading what it wrote
startup    from exec to the first PONG, empty and with an append-only file to read
report     tables for people, JSON for programs
"""
