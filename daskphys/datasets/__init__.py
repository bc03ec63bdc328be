"""Pictures to try operators on: those that the installed packages ship, or any image file.

Nothing is downloaded.  Matplotlib, Pillow and torch are imported at the first call, not with this module.
"""

from daskphys.datasets.examples import example_names
from daskphys.datasets.loading import load_example

__all__ = ["example_names", "load_example"]
