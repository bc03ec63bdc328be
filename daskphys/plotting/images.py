"""Images side by side in one Matplotlib figure, from any array library.

Without `show` no pyplot state is made: no backend is chosen, no display is needed, and no figure leaks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from daskphys.errors import ParameterError, ShapeError, checks_keywords
from daskphys.plotting.canvas import DPI, checked_cmap, checked_figsize, new_figure, to_numpy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot"]

# A blur leaves [0, 1] by rounding alone, and a picture should not change its contrast for that.
_SLACK = 1e-3


@checks_keywords
def plot(
    images: Any,
    titles: str | Sequence[str] | None = None,
    save_fn: str | os.PathLike[str] | None = None,
    figsize: tuple[float, float] | None = None,
    cmap: str = "gray",
    show: bool = False,
    suptitle: str | None = None,
) -> Figure:
    """Draw images in one row.

    Values in [0, 1] are shown as they are.  An image that leaves [0, 1] by more than a thousandth is scaled
    by its own least and greatest finite value.  NaN is left white, and complex images are shown as their
    magnitude.

    Parameters
    ----------
    images : array, or sequence of arrays (a list, `Measurements`, …)
        Each of shape (H, W), (C, H, W) or (B, C, H, W), of which the first of the batch is shown; C is 1
        or 3.  Any real, complex, integer or bool dtype; NumPy, CuPy, torch, Dask (computed here) or xarray.
    titles : str or sequence of str, optional
        One for each image.
    save_fn : str or path, optional
        File to write, at exactly `figsize` times 100 dots per inch; the extension gives the format
        (PNG without one).
    figsize : (float, float), optional
        Width and height in inches; 4 for each image, and 4, if not given.
    cmap : str
        Matplotlib's name of the colour map for images of one channel.
    show : bool
        True opens the figure with pyplot: a window, or the output of a notebook cell.  A notebook also shows
        the figure that a cell ends with, so there `show` is needed only in the middle of a cell.
    suptitle : str, optional
        Title of the whole figure.

    Returns
    -------
    matplotlib.figure.Figure
        With one axes an image.

    Raises
    ------
    ParameterError
        There is nothing to show, an image has neither 1 nor 3 channels, the number of titles is wrong,
        `figsize` is not a pair of positive numbers, `cmap` does not exist, or `save_fn` names a folder that
        does not exist or a format that Matplotlib does not write.
    ShapeError
        An image has not 2, 3 or 4 dimensions, or has no pixels.
    UnsupportedArrayError
        An image is no array of numbers.
    UnknownKeywordError
        A keyword that does not exist; the message gives the nearest one.

    Examples
    --------
    >>> import numpy as np
    >>> figure = plot([np.eye(8), np.zeros((1, 3, 8, 8))], titles=["identity", "black"], figsize=(6, 3))
    >>> [axes.get_title() for axes in figure.axes]
    ['identity', 'black']
    """
    # What can fail cheaply fails before a Dask array is computed.
    several = isinstance(images, Sequence) and not isinstance(images, str)
    items = list(images) if several else [images]
    labels = [titles] if isinstance(titles, str) else [""] * len(items) if titles is None else list(titles)
    if not items:
        raise ParameterError("there are no images to plot")
    if len(labels) != len(items):
        raise ParameterError(f"{len(labels)} titles for {len(items)} images: give one for each")
    size = checked_figsize(figsize, len(items))
    colours = checked_cmap(cmap)
    target = None if save_fn is None else _checked_target(save_fn)
    pictures = [_picture(item, index) for index, item in enumerate(items)]

    figure = new_figure(size, show)
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        axes = figure.add_subplot(1, len(items), index + 1)
        axes.imshow(picture, cmap=colours, vmin=0, vmax=1)
        axes.set_title(label)
        axes.set_axis_off()
    if suptitle is not None:
        figure.suptitle(suptitle)
    if target is not None:
        # The whole canvas: a style sheet, or a notebook, may have set the default to cut the margins off.
        figure.savefig(target, dpi=DPI, bbox_inches=figure.bbox_inches)
    if show:
        import matplotlib.pyplot as plt

        plt.show()
    return figure


def _checked_target(save_fn: str | os.PathLike[str]) -> Path:
    from matplotlib.backend_bases import FigureCanvasBase

    target = Path(save_fn).expanduser()
    if not target.parent.is_dir():
        raise ParameterError(f"save_fn: the folder {str(target.parent)!r} does not exist; make it first")
    if target.is_dir():
        raise ParameterError(f"save_fn: {str(target)!r} is a folder; give the name of a file in it")
    formats = FigureCanvasBase.get_supported_filetypes()
    if target.suffix and target.suffix[1:].lower() not in formats:
        raise ParameterError(
            f"save_fn: {target.name!r} has none of the extensions {', '.join(sorted(formats))}"
        )
    return target


def _picture(image: Any, index: int) -> np.ndarray:
    """Values in [0, 1], of shape (H, W) with NaN kept, or (H, W, 3)."""
    array = to_numpy(image, f"image {index}")
    if array.ndim not in (2, 3, 4) or array.size == 0:
        raise ShapeError(
            f"image {index} has shape {array.shape}: expected (H, W), (C, H, W) or (B, C, H, W), not empty"
        )
    if array.ndim == 4:
        array = array[0]
    if array.ndim == 3 and array.shape[0] not in (1, 3):
        raise ParameterError(
            f"image {index} has {array.shape[0]} channels (shape {array.shape}, channels first): "
            "select 1 or 3 of them"
        )
    if np.iscomplexobj(array):
        array = np.abs(array)
    array = array.astype(np.float64)
    finite = array[np.isfinite(array)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if low < -_SLACK or high > 1 + _SLACK:
        array = (array - low) / ((high - low) or 1.0)
    clipped: np.ndarray = np.clip(array, 0, 1)
    if clipped.ndim == 2 or clipped.shape[0] == 1:
        return clipped.reshape(clipped.shape[-2:])
    # A colour image has no mask, so its NaN pixels are painted in the white that a grey image's get.
    return np.moveaxis(np.where(np.isnan(clipped).any(axis=0), 1.0, clipped), 0, -1)
