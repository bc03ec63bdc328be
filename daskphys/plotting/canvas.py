"""What every picture of the package needs: a figure without pyplot's state, checked options, arrays of any library."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from daskphys.errors import ParameterError, UnsupportedArrayError, describe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Dots per inch.
DPI = 100


def new_figure(
    figsize: tuple[float, float], show: bool = False, layout: Literal["constrained", "tight"] = "tight"
) -> Figure:
    """A figure that draws itself in a notebook; pyplot's own only where it is to be shown."""
    if show:
        import matplotlib.pyplot as plt

        return plt.figure(figsize=figsize, dpi=DPI, layout=layout)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=figsize, dpi=DPI, layout=layout)
    FigureCanvasAgg(figure)
    # IPython draws a figure only where pyplot's inline backend runs, unless the figure can draw itself.
    vars(figure)["_repr_png_"] = partial(png, figure)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def checked_figsize(figsize: Any, count: int) -> tuple[float, float]:
    """The size that a user gives, in inches; 4 for each image if none."""
    if figsize is None:
        return (4.0 * count, 4.0)
    try:
        width, height = map(float, figsize)
    except (TypeError, ValueError):
        width = height = 0.0
    if not (0 < width < np.inf and 0 < height < np.inf):
        raise ParameterError(f"figsize is {figsize!r}: expected (width, height) in inches, both positive")
    return (width, height)


def checked_cmap(cmap: Any) -> Any:
    """Matplotlib's colour map of that name."""
    import matplotlib

    try:
        return matplotlib.colormaps.get_cmap(cmap)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"cmap: {error}") from error


def to_numpy(image: Any, name: str) -> np.ndarray:
    """Recognise libraries by what their arrays can do, so that none need be imported."""
    if hasattr(image, "compute"):  # Dask, xarray
        image = image.compute()
    if hasattr(image, "detach"):  # torch; float() because NumPy has no bfloat16
        image = image.detach().cpu()
        image = image.abs() if image.is_complex() else image.float().resolve_neg()
    if hasattr(image, "__cuda_array_interface__"):
        image = image.get()
    try:
        array = np.asarray(image)
    except (TypeError, ValueError):  # ragged nested lists
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "biufc":
        raise UnsupportedArrayError(f"{name} is {describe(image)}: expected an array of numbers")
    return array
