"""Solvers for inverse problems; they see operators alone, wherever these compute."""

from daskphys.optim.least_squares import cg, lsmr, lsqr, tikhonov

__all__ = ["cg", "lsmr", "lsqr", "tikhonov"]
