"""Benchmarks: what the library's design promises, measured on the machine at hand (see README.md)."""
