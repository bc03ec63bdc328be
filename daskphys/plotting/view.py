"""One plane of measurements at a time, under sliders; a grid of some where there are no widgets."""

from __future__ import annotations

import functools
import html
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from daskphys.errors import ParameterError, checks_keywords, nearest
from daskphys.plotting.canvas import checked_cmap, checked_figsize, new_figure, png
from daskphys.plotting.frames import Frames, range_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Planes of the grid.
_MOST = 8
_COLUMNS = 4

#: How far below the greatest value a logarithmic scale goes.
_DECADES = 4

_SCALES = ("linear", "log")


@dataclass(frozen=True)
class _Style:
    cmap: Any
    log: bool
    vmin: float | None
    vmax: float | None
    figsize: tuple[float, float]


@checks_keywords
def view(
    y: Any,
    *,
    names: Sequence[str] | None = None,
    scale: Literal["linear", "log"] = "linear",
    colour: bool | None = None,
    cmap: str = "gray",
    vmin: float | None = None,
    vmax: float | None = None,
    figsize: tuple[float, float] | None = None,
) -> View:
    """Look at measurements one sensor at a time.

    At the end of a notebook's cell it is a slider for the sensor, one for each other axis in front of the image, and
    the picture.  Where ipywidgets or the notebook's program is missing (in a saved notebook, on a web page) it is a grid
    of the first eight sensors.  Lazy measurements are computed a plane at a time, when a slider asks for it.

    Parameters
    ----------
    y : Measurements, sequence of arrays, array or xarray.DataArray
        Shapes may differ between sensors.  The last two axes are shown; an array with one axis is a line.  Any library:
        NumPy, CuPy, torch, Dask.  Complex numbers are shown as magnitudes, NaN is left white.
    names : sequence of str, optional
        What the axes are called that have a slider, as in ``names=["coil"]``.  By default "sensor" for that of
        measurements and for axis −3 of an array; xarray's own names.
    scale : {"linear", "log"}
        "log" shows four decades below the greatest magnitude: for k-space and beams.
    colour : bool, optional
        Whether axis −3 is red, green and blue; by default where it has length 3 in measurements of real numbers.
    cmap : str
        Matplotlib's name of the colour map.
    vmin, vmax : float, optional
        Ends of the scale.  By default those of all that is in memory, so that sensors can be compared, and of lazy
        measurements those of the plane.
    figsize : (float, float), optional
        Of the picture under the sliders, in inches.

    Returns
    -------
    View
        What shows itself; `View.figure` and `View.grid` draw for files.

    Raises
    ------
    ParameterError
        No measurements; `names` of another number of axes; a scale or a colour map that does not exist.
    ShapeError
        An array without axes, or an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.plotting import view
    >>> v = view(np.zeros((8, 64, 64), np.complex64), names=["coil"], scale="log")
    >>> v
    View(coil: 8; 64×64, complex64)
    >>> v.figure(3).axes[0].get_title()
    'coil 3 of 8'
    """
    if scale not in _SCALES:
        raise ParameterError(f"unknown scale {scale!r}: {nearest(str(scale), _SCALES)}")
    size = (5.0, 4.0) if figsize is None else checked_figsize(figsize, 1)
    style = _Style(checked_cmap(cmap), scale == "log", vmin, vmax, size)
    return View(Frames(y, names, colour), style)


class View:
    """Measurements to look at; made by `view`.

    Parameters
    ----------
    frames : object
        The planes.
    style : object
        How they are drawn.

    Raises
    ------
    ParameterError
        Of `figure`: there is no such plane.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.plotting import view
    >>> v = view([np.zeros((8, 8)), np.ones((4, 6))])
    >>> v, len(v.grid().axes) >= 2
    (View(sensor: 2; unlike planes, float64), True)
    """

    def __init__(self, frames: Frames, style: _Style) -> None:
        self._frames, self._style = frames, style

    # -- pictures ---------------------------------------------------------------------------------------------

    def figure(self, *index: int) -> Figure:
        """The picture of one plane: of the first one, or at `index`, in the order of the sliders.

        Raises
        ------
        ParameterError
            There is no such plane.
        """
        lengths = [n for _, n in self._frames.axes]
        if len(index) > len(lengths) or any(not 0 <= i < n for i, n in zip(index, lengths, strict=False)):
            raise ParameterError(f"{self!r} has no plane {index}: expected indexes below {tuple(lengths)}")
        whole = (*index, *(0,) * (len(lengths) - len(index)))
        figure = new_figure(self._style.figsize, layout="constrained")
        self._draw(figure, figure.add_subplot(), whole)
        return figure

    def grid(self, most: int = _MOST) -> Figure:
        """The first planes side by side, at most so many, computed one after the other."""
        axes = [range(n) for _, n in self._frames.axes]
        count = int(np.prod([len(r) for r in axes]))
        shown = list(itertools.islice(itertools.product(*axes), min(most, count)))
        columns = min(_COLUMNS, len(shown))
        rows = -(-len(shown) // columns)
        figure = new_figure((2.6 * columns + 0.6, 2.6 * rows + 0.3), layout="constrained")
        places = figure.subplots(rows, columns, squeeze=False).flat
        for place, index in itertools.zip_longest(places, shown):
            if index is None:
                place.set_axis_off()
            else:
                self._draw(figure, place, index, small=True)
        if count > len(shown):
            figure.supxlabel(f"and {count - len(shown)} more", fontsize=10)
        return figure

    def _draw(self, figure: Figure, place: Any, index: tuple[int, ...], small: bool = False) -> None:
        plane, style = self._frames.plane(index), self._style
        low, high = self._ends(plane)
        place.set_title(self._frames.title(index), fontsize=9 if small else 11)
        if plane.ndim == 1:
            place.plot(plane, linewidth=1)
            place.set(ylim=_apart(low, high), xlabel="" if small else self._frames.labels[1])
            place.set_yscale("log" if style.log and low > 0 else "linear")
            return
        if self._frames.colour:
            place.imshow(np.clip(np.nan_to_num((plane - low) / ((high - low) or 1.0), nan=1.0), 0, 1))
        else:
            norm = self._norm(low, high)
            drawn = place.imshow(plane, cmap=style.cmap, norm=norm, interpolation="nearest")
            if not small:
                figure.colorbar(drawn, ax=place, label="magnitude" if self._frames.complex else "value")
        place.set(xticks=[], yticks=[])
        if not small:
            place.set(ylabel=self._frames.labels[0], xlabel=self._frames.labels[1])

    def _norm(self, low: float, high: float) -> Any:
        from matplotlib.colors import LogNorm, Normalize

        if self._style.log and high > 0:
            return LogNorm(max(low, high / 10**_DECADES), high, clip=True)
        return Normalize(low, high)

    def _ends(self, plane: np.ndarray) -> tuple[float, float]:
        low, high = self._frames.limits or range_of(plane)
        if self._frames.colour and low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        given = self._style
        return low if given.vmin is None else given.vmin, high if given.vmax is None else given.vmax

    # -- widgets ----------------------------------------------------------------------------------------------

    @functools.cached_property
    def _panel(self) -> _Panel | None:
        try:
            return _Panel(self, self._frames)
        except ImportError:
            return None

    @property
    def sliders(self) -> dict[str, Any]:
        """Axis → its slider, an `ipywidgets.IntSlider`; empty where ipywidgets is not installed."""
        return {} if self._panel is None else self._panel.sliders

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Widgets for who can show them, a picture for all others."""
        if self._panel is None:
            return {"text/plain": repr(self), "image/png": png(self.grid())}
        # Of lazy measurements the grid would compute what nobody has asked for.
        still = bytes(self._panel.picture.value) if self._frames.lazy else png(self.grid())
        return {**self._panel.box._repr_mimebundle_(), "text/plain": repr(self), "image/png": still}

    def __repr__(self) -> str:
        return f"View({self._frames!r})"


class _Panel:
    """The sliders and the picture under them."""

    def __init__(self, shown: View, frames: Frames) -> None:
        import ipywidgets

        self._shown = shown
        self.sliders = {
            name: ipywidgets.IntSlider(0, 0, n - 1, description=name, continuous_update=not frames.lazy)
            for name, n in frames.axes
            if n > 1
        }
        self._names = [name for name, _ in frames.axes]
        self.picture = ipywidgets.Image(format="png")
        self.message = ipywidgets.HTML()
        self.box = ipywidgets.VBox([*self.sliders.values(), self.picture, self.message])
        for slider in self.sliders.values():
            slider.observe(self._update, "value")
        self._update()

    def _update(self, _: Any = None) -> None:
        index = [self.sliders[name].value if name in self.sliders else 0 for name in self._names]
        try:
            self.picture.value = png(self._shown.figure(*index))
            self.message.value = ""
        except Exception as error:  # of a lazy array's tasks; a widget's own errors would be seen by nobody
            self.message.value = f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"


def _apart(low: float, high: float) -> tuple[float, float]:
    """Ends of an axis with a little room, and not equal."""
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room
