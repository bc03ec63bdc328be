"""What the accessors do with one array: dimensions by name, attributes, and the coordinates of an image like another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import xarray as xr

from daskphys.errors import ParameterError, ShapeError, describe
from daskphys.interop.xarray_sensors import alike, joined, parted
from daskphys.physics.measurements import Measurements
from daskphys.physics.physics import Physics
from daskphys.physics.spaces import Images, Sensors


class Accessor:
    """What the accessors share: how they show themselves."""

    def __repr__(self) -> str:
        methods = [name for name in ("forward", "adjoint", "normal", "pinv") if hasattr(type(self), name)]
        return f"<{type(self).__name__}: {', '.join(f'.{name}(A)' for name in methods)}>"


def check_operator(A: Any, method: str) -> None:
    """Refuse what is no operator."""
    if not isinstance(A, Physics):
        raise ParameterError(
            f"x.phys.{method} expected an operator, as in x.phys.{method}(Blur(gaussian_blur(1.0))), got {describe(A)}"
        )


def ordered(x: xr.DataArray, A: Any, dims: str | Sequence[Any] | None) -> xr.DataArray:
    """An image whose last dimensions are the operator's own."""
    if not isinstance(A.domain, Images):
        raise ShapeError(
            f"{A!r} expected one array for each of its blocks, got {describe(x)}: apply each block to its own"
        )
    if len(set(x.dims)) < len(x.dims):
        raise ParameterError(f"{A!r} expected dimensions of different names, got {tuple(x.dims)}")
    ndim = A.domain.ndim
    if dims is None:
        return x
    names = (dims,) if isinstance(dims, str) else tuple(dims)
    missing = [name for name in names if name not in x.dims]
    if missing:
        raise ParameterError(
            f"{A!r} expected the dimensions {names}, got an array without {', '.join(map(repr, missing))}: it has "
            f"{', '.join(map(repr, x.dims))}"
        )
    if len(set(names)) < len(names):
        raise ParameterError(f"{A!r} expected each dimension once, got dims={names}")
    if len(names) != ndim:
        raise ShapeError(
            f"{A!r} expected {ndim} dimensions of its own, got dims={names}: name {ndim} of "
            f"{', '.join(map(repr, x.dims))}"
        )
    return x.transpose(..., *names)


def with_attrs(made: Any, attrs: Any, keep_attrs: bool | None) -> Any:
    """What was made of an array with these attributes; None leaves it to xarray's option, which the door has asked."""
    if keep_attrs is None:
        return made
    kept = dict(attrs) if keep_attrs else {}

    def one(array: xr.DataArray) -> xr.DataArray:
        array = array.copy(deep=False)
        array.attrs = kept
        return array

    return made.map(one) if isinstance(made, Measurements) else one(made)


def measurement(
    x: xr.DataArray, A: Any, dims: Any, keep_attrs: bool | None, sensor_dim: str, seed: int | None
) -> Any:
    """A x: an array, with a sensor dimension where A is a stack of alike ones; else a list, one a sensor."""
    made = with_attrs(A(ordered(x, A, dims), seed=seed), x.attrs, keep_attrs)
    if not isinstance(made, Measurements):
        return made
    return joined(list(made), sensor_dim) if alike(made) else list(made)


def image(
    y: Any, A: Any, method: Callable[[Any], Any], dims: Any, keep_attrs: bool | None, like: Any
) -> xr.DataArray:
    """An image of a measurement, or of a list of them, one a sensor."""
    if like is not None and not isinstance(like, xr.DataArray):
        raise ParameterError(f"{A!r} expected like= an image as an xarray.DataArray, got {describe(like)}")
    if dims is not None:
        dims = (dims,) if isinstance(dims, str) else tuple(dims)
        y = [_turned(own, dims) for own in y] if isinstance(y, list) else _turned(y, dims)
    first = y[0] if isinstance(y, list) else y
    made = with_attrs(method(y), first.attrs, keep_attrs)
    ndim = A.domain.ndim
    lead, own = made.dims[: made.ndim - ndim], made.dims[made.ndim - ndim :]
    names = own if dims is None else dims
    if len(names) != ndim or len({*lead, *names}) < made.ndim:
        raise ParameterError(
            f"{A!r} expected dims as {ndim} names of an image's axes, each another one than {', '.join(map(repr, lead)) or 'none'}"
            f", got {names}"
        )
    if like is not None:
        if dims is None:
            names = _names_like(A, own, like)
        missing = [name for name in names if name not in like.dims]
        expected = dict(zip(names, made.shape[made.ndim - ndim :], strict=len(names) == ndim))
        if len(names) != ndim or missing or any(like.sizes[d] != n for d, n in expected.items()):
            raise ShapeError(
                f"{A!r} expected like= an image with {' × '.join(f'{d}: {n}' for d, n in expected.items())}, got "
                f"{' × '.join(f'{d}: {n}' for d, n in like.sizes.items())}"
            )
    return _placed(made, dict(zip(own, names, strict=True)), like)


def _names_like(A: Any, own: tuple[Any, ...], like: xr.DataArray) -> tuple[Any, ...]:
    """The names of an image's own axes as `like` has them: the last, where the measurement does not tell which."""
    if not set(own) <= set(like.dims):
        return tuple(like.dims[max(0, like.ndim - len(own)) :])
    theirs = tuple(dim for dim in like.dims if dim in own)
    if theirs != own:  # one of the two was turned, and of a square image no size tells which
        raise ParameterError(
            f"{A!r} expected the measurement's axes in the order of like=, {theirs}, got {own}: name the operator's own in "
            f"its order, as in dims={theirs}"
        )
    return own


def _turned(y: xr.DataArray, dims: tuple[Any, ...]) -> xr.DataArray:
    """A measurement with the axes that belong to the image's last and in their order, where it has them by name."""
    for names in (dims, tuple(f"k_{dim}" for dim in dims)):
        if len(set(names)) == len(names) and set(names) <= set(y.dims):
            return y.transpose(..., *names)
    return y


def _placed(made: xr.DataArray, names: dict[Any, Any], like: Any) -> xr.DataArray:
    """An image with other names for its own dimensions, and the coordinates of `like` along them."""
    coords = {
        names.get(name, name): (tuple(names.get(d, d) for d in coord.dims), coord.values, coord.attrs)
        for name, coord in made.coords.items()
        if like is None or not set(coord.dims) & set(names)
    }
    if like is not None:
        own = set(names.values())
        coords |= {name: c.variable for name, c in like.coords.items() if c.dims and set(c.dims) <= own}
    dims = tuple(names.get(d, d) for d in made.dims)
    return xr.DataArray(made.data, coords, dims, made.name, made.attrs)


def by_sensor(y: xr.DataArray, A: Any, sensor_dim: str) -> Any:
    """A measurement as the operator takes it: of a stack a list of arrays, one a sensor."""
    return parted(y, A, sensor_dim) if isinstance(A.range, Sensors) else y


def no_measurements(data: xr.Dataset, A: Any, sensor_dim: str | None) -> dict[Any, Any]:
    """The variables of a dataset that are no measurements of A, but go with such; of each sensor's own without `sensor_dim`.

    Where none would be left, none is: each is then said what it lacks.
    """
    sensors = isinstance(A.range, Sensors)
    ndim = min(space.ndim for space in A.range.spaces) if sensors else A.range.ndim

    def other(own: xr.DataArray) -> bool:
        return sensor_dim not in own.dims if sensors and sensor_dim is not None else own.ndim < ndim

    rest = {name: own for name, own in data.data_vars.items() if other(own)}
    return rest if len(rest) < len(data.data_vars) else {}
