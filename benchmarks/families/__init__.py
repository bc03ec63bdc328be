"""Benchmarks of families of operators against their best peers; a file a family, each with `CASES`."""
