"""The accessor of datasets, variable by variable."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from daskphys.errors import DaskphysError, ParameterError, checks_keywords
from daskphys.interop.xarray_frames import keeps_attrs
from daskphys.interop.xarray_images import (
    Accessor,
    by_sensor,
    check_operator,
    image,
    measurement,
    named,
    ordered,
    with_attrs,
)
from daskphys.interop.xarray_sensors import SENSOR, tree_of
from daskphys.interop.xarray_variables import ancillary, gathered
from daskphys.physics.checks import check_seed

# Where no variable was left as it is.
_CHOOSE = "; variables that are none of these stay as they are where dims= names the image's axes"


@xr.register_dataset_accessor("phys")
class DatasetAccessor(Accessor):
    """Operators on each variable of a `xarray.Dataset`, as `PhysAccessor` has them for one.

    With `dims`, variables that lack any of these dimensions stay as they are; so do, beside measurements, those that lack any of
    their axes.

    Parameters
    ----------
    dataset : xarray.Dataset
        Images, or measurements.

    Raises
    ------
    ParameterError
        From its methods: what stays does not fit what is made; what `PhysAccessor` refuses, in the variable's name.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import daskphys.interop.xarray
    >>> from daskphys.physics import Downsampling
    >>> data = xr.Dataset({"sky": (("y", "x"), np.ones((8, 6))), "exposure": 0.25}, coords={"y": np.arange(8)})
    >>> seen = data.phys.forward(Downsampling("bilinear", 2), dims=("y", "x"))
    >>> dict(seen.sizes), seen.y.values, float(seen.exposure)
    ({'y': 4, 'x': 3}, array([0, 2, 4, 6]), 0.25)
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

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
        """A x of each variable.

        Parameters
        ----------
        A, dims, keep_attrs, sensor_dim
            As of `PhysAccessor.forward`.
        seed : int, optional
            Of the noise of the first variable; those after it have seeds that follow from it.

        Returns
        -------
        xarray.Dataset or xarray.DataTree
            A tree of datasets where sensors' dimensions do not agree.
        """
        check_operator(A, "forward")
        rest = self._rest(dims)
        seeds = dict(zip(self._dataset.data_vars, seeds_of(seed, len(self._dataset.data_vars)), strict=True))
        made = self._each(rest, lambda x: measurement(x, A, dims, keep_attrs, sensor_dim, seeds[x.name]))
        if not any(isinstance(own, list) for own in made.values()):
            return self._gathered({**rest, **made}, rest, keep_attrs)
        sensors = [
            self._gathered({**rest, **{name: own[i] for name, own in made.items()}}, rest, keep_attrs)
            for i in range(len(A))
        ]
        return tree_of(sensors, sensor_dim)

    @checks_keywords
    def normal(
        self, A: Any, dims: str | Sequence[Any] | None = None, keep_attrs: bool | None = None
    ) -> xr.Dataset:
        """AᴴA x of each variable.

        Parameters
        ----------
        A, dims, keep_attrs
            As of `PhysAccessor.normal`.

        Returns
        -------
        xarray.Dataset
            Images.
        """
        check_operator(A, "normal")
        rest = self._rest(dims)
        made = self._each(rest, lambda x: with_attrs(A.A_adjoint_A(ordered(x, A, dims)), x.attrs, keep_attrs))
        return self._gathered({**rest, **made}, rest, keep_attrs)

    @checks_keywords
    def adjoint(
        self,
        A: Any,
        dims: str | Sequence[Any] | None = None,
        keep_attrs: bool | None = None,
        sensor_dim: str = SENSOR,
        like: xr.DataArray | None = None,
    ) -> xr.Dataset:
        """Aᴴ y of each variable.

        Parameters
        ----------
        A, dims, keep_attrs, sensor_dim, like
            As of `PhysAccessor.adjoint`.

        Returns
        -------
        xarray.Dataset
            Images.
        """
        check_operator(A, "adjoint")
        return self._images(A, A.A_adjoint, dims, keep_attrs, sensor_dim, like)

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
    ) -> xr.Dataset:
        """A⁺ y of each variable.

        Parameters
        ----------
        A, dims, keep_attrs, sensor_dim, like
            As of `PhysAccessor.pinv`.
        rtol, max_iter
            As of ``A.A_dagger``.

        Returns
        -------
        xarray.Dataset
            Images.
        """
        check_operator(A, "pinv")
        return self._images(
            A, functools.partial(A.A_dagger, rtol=rtol, max_iter=max_iter), dims, keep_attrs, sensor_dim, like
        )

    def _images(
        self, A: Any, method: Any, dims: Any, keep_attrs: bool | None, sensor_dim: str, like: Any
    ) -> xr.Dataset:
        def one(y: xr.DataArray) -> Any:
            return image(by_sensor(y, A, sensor_dim), A, method, dims, keep_attrs, like)

        rest = ancillary(self._dataset, A, sensor_dim, dims)
        return self._gathered({**rest, **self._each(rest, one)}, rest, keep_attrs)

    def _rest(self, dims: Any) -> dict[Any, Any]:
        """The variables that are no images."""
        names = set(named("x.phys", dims) or ())
        rest = {n: own for n, own in self._dataset.data_vars.items() if not names <= set(own.dims)}
        if names and len(rest) == len(self._dataset.data_vars):
            raise ParameterError(
                f"the dataset has no variable with the dimensions {dims}, but {dict(self._dataset.sizes)}"
            )
        return rest

    def _each(self, rest: dict[Any, Any], one: Callable[[xr.DataArray], Any]) -> dict[Any, Any]:
        made = {}
        for name, own in self._dataset.data_vars.items():
            if name not in rest:
                try:
                    made[name] = one(own)
                except DaskphysError as error:
                    more = "" if rest or len(self._dataset.data_vars) == 1 else _CHOOSE
                    raise type(error)(f"variable {name!r}: {error}{more}") from error
        return made

    def _gathered(
        self, variables: dict[Any, Any], rest: dict[Any, Any], keep_attrs: bool | None
    ) -> xr.Dataset:
        attrs = self._dataset.attrs if keeps_attrs(keep_attrs) else {}
        return gathered(self._dataset, variables, rest, attrs)


def seeds_of(seed: int | None, count: int) -> list[int | None]:
    """A seed for each variable: noise that is the same in two of them is none that any two images have."""
    if seed is None or count < 2:
        return [seed] * count
    check_seed(seed, "x.phys.forward")
    more = np.random.SeedSequence(seed).generate_state(count - 1)
    return [seed, *map(int, more)]
