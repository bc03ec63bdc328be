"""daskphys: stacked linear imaging operators on Dask."""

from importlib.metadata import version as _version

from daskphys import datasets, distributed, errors, interop, optim, physics, plotting, storage
from daskphys.storage import open_measurements, open_physics

__version__ = _version("daskphys")

__all__ = [
    "__version__",
    "datasets",
    "distributed",
    "errors",
    "interop",
    "open_measurements",
    "open_physics",
    "optim",
    "physics",
    "plotting",
    "storage",
]
