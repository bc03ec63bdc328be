"""Pictures for notebooks and scripts: images in a row, and measurements one by one under a slider."""

from daskphys.plotting.images import plot
from daskphys.plotting.view import View, view

__all__ = ["View", "plot", "view"]
