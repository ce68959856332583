"""Coverage-guided fuzzing of what comes from outside and is not RESP: payloads of RESTORE, RDB files. By hand; pip install atheris first.

    PYTHONPATH=app python -m tests.fuzz.seeds CORPUS
    PYTHONPATH=app python -m tests.fuzz.rdb CORPUS -max_total_time=600 -rss_limit_mb=1024

rdb          what is fuzzed, and what must hold
seeds        what it begins with: values in every encoding
found/       inputs that once broke something: tests/persistence/rdb/test_found.py plays them on every run
"""
