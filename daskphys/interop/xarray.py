"""xarray objects in and out: the accessor ``x.phys``, and ``A(x)`` of a `xarray.DataArray`.

Importing this module registers the accessor; xarray finds none by entry points.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import xarray as xr

from daskphys import doors
from daskphys.errors import ParameterError, checks_keywords
from daskphys.interop.xarray_datasets import DatasetAccessor
from daskphys.interop.xarray_door import XarrayDoor
from daskphys.interop.xarray_images import (
    Accessor,
    by_sensor,
    check_operator,
    image,
    measurement,
    ordered,
    with_attrs,
)
from daskphys.interop.xarray_sensors import SENSOR, split_array, split_tree, tree_of
from daskphys.interop.xarray_trees import TreeAccessor

__all__ = ["DatasetAccessor", "PhysAccessor", "TreeAccessor"]


@xr.register_dataarray_accessor("phys")
class PhysAccessor(Accessor):
    """Operators on a `xarray.DataArray`: ``x.phys.forward(A)``.

    The image's own axes are named by `dims`, or are the trailing ones; every other dimension is carried along and comes
    first, in its order. Dask arrays stay lazy. What the operator knows of the axes of its results (places of samples,
    angles in degrees, frequencies) becomes their coordinates.

    Parameters
    ----------
    array : xarray.DataArray
        An image, or a measurement.

    Raises
    ------
    ParameterError
        From its methods: a dimension is missing or not known.
    ShapeError
        From its methods: a shape does not fit the operator.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import daskphys.interop.xarray
    >>> from daskphys.physics import Blur, gaussian_blur, stack
    >>> x = xr.DataArray(np.ones((32, 2, 32)), dims=("y", "band", "x"), coords={"band": ["red", "blue"]})
    >>> A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
    >>> y = x.phys.forward(A, dims=("y", "x"))
    >>> dict(y.sizes)
    {'sensor': 2, 'band': 2, 'y': 32, 'x': 32}
    >>> dict(y.phys.adjoint(A).sizes)
    {'band': 2, 'y': 32, 'x': 32}
    """

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    @checks_keywords
    def forward(
        self,
        A: Any,
        dims: str | Sequence[Any] | None = None,
        keep_attrs: bool | None = None,
        sensor_dim: str = SENSOR,
        *,
        seed: int | None = None,
    ) -> Any:
        """A x, with noise where A has a noise model.

        Parameters
        ----------
        A : Physics
            Plain or distributed.
        dims : str or sequence of str, optional
            The image's own axes, in A's order: by default the trailing ones.
        keep_attrs : bool, optional
            Whether attributes are carried along; by default xarray's option says so.
        sensor_dim : str
            The name of a stack's sensor axis.
        seed : int, optional
            Of the noise, as in ``A(x, seed=…)``.

        Returns
        -------
        xarray.DataArray or xarray.DataTree
            Of a stack one array with the dimension `sensor_dim` in front where all sensors' dimensions agree, else a tree
            with a node ``sensor_0``, ``sensor_1``, … for each. Coordinates in which alike sensors differ have the sensor
            dimension too, as ``sensor_y``.

        Raises
        ------
        ParameterError
            A dimension is missing or named twice, its coordinate goes up and down or stands still where neighbours matter, or
            the result would have a name twice.
        ShapeError
            The image does not fit; chunks along axes that the operator needs whole.
        """
        check_operator(A, "forward")
        made = measurement(self._array, A, dims, keep_attrs, sensor_dim, seed)
        if not isinstance(made, list):
            return made
        return tree_of([_as_dataset(own) for own in made], sensor_dim)

    @checks_keywords
    def normal(
        self, A: Any, dims: str | Sequence[Any] | None = None, keep_attrs: bool | None = None
    ) -> xr.DataArray:
        """AᴴA x, an image as x is.

        Parameters
        ----------
        A : LinearPhysics
            Plain or distributed.
        dims, keep_attrs
            As of `forward`.

        Returns
        -------
        xarray.DataArray
            With the image's coordinates.
        """
        check_operator(A, "normal")
        return with_attrs(A.A_adjoint_A(ordered(self._array, A, dims)), self._array.attrs, keep_attrs)

    @checks_keywords
    def adjoint(
        self,
        A: Any,
        dims: str | Sequence[Any] | None = None,
        keep_attrs: bool | None = None,
        sensor_dim: str = SENSOR,
        like: xr.DataArray | None = None,
    ) -> xr.DataArray:
        """Aᴴ y of a measurement as `forward` gives it, A's own axes last.

        Parameters
        ----------
        A : LinearPhysics
            Plain or distributed.
        dims : str or sequence of str, optional
            Names for the image's own axes: by default those of the measurement where they tell, else ``("y", "x")``.
        keep_attrs, sensor_dim
            As of `forward`.
        like : xarray.DataArray, optional
            An image, whose names and coordinates the result gets.

        Returns
        -------
        xarray.DataArray
            An image. Without `like` it has the coordinates that follow from the measurement's: those of axes that A leaves as
            they are, and whole numbers or times in equal steps, of which A takes some.

        Raises
        ------
        ParameterError
            There is no sensor dimension, or `dims` does not name the image's axes; names or coordinates say that the samples are in
            another order than `forward` gives them, or than `like` has.
        ShapeError
            The measurement does not fit, or `like` has another size.
        """
        check_operator(A, "adjoint")
        return image(by_sensor(self._array, A, sensor_dim), A, A.A_adjoint, dims, keep_attrs, like)

    @checks_keywords
    def pinv(
        self,
        A: Any,
        dims: str | Sequence[Any] | None = None,
        keep_attrs: bool | None = None,
        sensor_dim: str = SENSOR,
        like: xr.DataArray | None = None,
        *,
        rtol: float | None = None,
        max_iter: int | None = None,
    ) -> xr.DataArray:
        """A⁺ y, the least-squares solution of smallest norm.

        Parameters
        ----------
        A, dims, keep_attrs, sensor_dim, like
            As of `adjoint`.
        rtol, max_iter
            As of ``A.A_dagger``.

        Returns
        -------
        xarray.DataArray
            An image.
        """
        check_operator(A, "pinv")
        solve = functools.partial(A.A_dagger, rtol=rtol, max_iter=max_iter)
        return image(by_sensor(self._array, A, sensor_dim), A, solve, dims, keep_attrs, like)


def _as_dataset(array: xr.DataArray) -> xr.Dataset:
    if array.name in array.coords:
        raise ParameterError(
            f"an array of the name {array.name!r} cannot be a variable beside its coordinate: rename it, as in "
            f"x.rename('{array.name}_image')"
        )
    return array.to_dataset(name="measurement" if array.name is None else array.name)


def register() -> None:
    """Let operators take xarray arrays."""
    doors.register(xr.DataArray, XarrayDoor())
    doors.register_parted(xr.DataArray, split_array)
    doors.register_parted(xr.DataTree, split_tree)
