"""Lua 5.1 as Redis has it: the libraries, the runtime, scripts and functions."""
