"""Iterative solvers that see systems, never operators: where a system computes is its own affair."""
