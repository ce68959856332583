"""Persistence: Redis's own files. It knows no command and no client: what it replays and what it keeps passes through callbacks."""
