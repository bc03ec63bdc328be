"""Solvers that run on the cluster, beside the sensors: one task for a whole solve.

The task runs on the worker at the root of a tree of workers (`tree`), where the solver's vectors live.  Its system
(`system`) sends images down the tree and takes partial sums from below, by connections between the workers alone
(`link`, `residence`, `session`); each worker computes with the functions that a call uses (`part`).  The client
(`solving`) sends the measurements, hears of progress and gets the solution.
"""
