"""What the accessors do with one array: dimensions by name, attributes, and the coordinates of an image like another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import xarray as xr

from daskphys.errors import DaskphysError, ParameterError, ShapeError, describe
from daskphys.interop.xarray_axes import imaged
from daskphys.interop.xarray_frames import Frame, direction, same_places
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


def named(A: Any, dims: str | Sequence[Any] | None) -> tuple[Any, ...] | None:
    """The names that a user gives to an image's own axes."""
    if dims is None or isinstance(dims, str):
        return None if dims is None else (dims,)
    if not isinstance(dims, Sequence) or any(isinstance(name, list | dict | set) for name in dims):
        raise ParameterError(
            f"{A!r} expected dims as names of dimensions in their order, as in dims=('y', 'x'), got {dims!r}"
        )
    names = tuple(dims)
    if len(set(names)) < len(names):
        raise ParameterError(f"{A!r} expected each dimension once, got dims={names}")
    return names


def check_images(A: Any, x: Any) -> None:
    """Refuse an operator of several arrays, of which an accessor has one."""
    if not isinstance(A.domain, Images):
        raise ShapeError(
            f"{A!r} expected one array for each of its blocks, got {describe(x)}: apply each block to its own"
        )


def ordered(x: xr.DataArray, A: Any, dims: str | Sequence[Any] | None) -> xr.DataArray:
    """An image whose last dimensions are the operator's own."""
    check_images(A, x)
    if len(set(x.dims)) < len(x.dims):
        raise ParameterError(f"{A!r} expected dimensions of different names, got {tuple(x.dims)}")
    ndim = A.domain.ndim
    names = named(A, dims)
    if names is None:
        return x
    missing = [name for name in names if name not in x.dims]
    if missing:
        raise ParameterError(
            f"{A!r} expected the dimensions {names}, got an array without {', '.join(map(repr, missing))}: it has "
            f"{', '.join(map(repr, x.dims))}"
        )
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
    dims = named(A, dims)
    check_images(A, y)
    if dims is not None:
        y = [_turned(own, dims) for own in y] if isinstance(y, list) else _turned(y, dims)
    arrays = y if isinstance(y, list) else [y]
    first, ndim = arrays[0], A.domain.ndim
    frame = _frame(A, arrays)
    if frame is None:
        frame = Frame.of(method(y))  # which says what is wrong with it
    lead, own = frame.dims[: len(frame.dims) - ndim], frame.dims[len(frame.dims) - ndim :]
    names = own if dims is None else dims
    if len(names) != ndim or len({*lead, *names}) < len(frame.dims):
        raise ParameterError(
            f"{A!r} expected dims as {ndim} names of an image's axes, each another one than {', '.join(map(repr, lead)) or 'none'}"
            f", got {names}"
        )
    if set(names) & set(own) and set(names) != set(own) and tells(first, own):
        raise ParameterError(
            f"{A!r} expected dims among the measurement's axes, {own}, or other names for all of them, got {names}"
        )
    if like is not None:
        if dims is None:
            names = _names_like(A, own, like)
        _check_like(A, like, names, frame.shape[len(lead) :])
        for old, new in zip(own, names, strict=True):
            if new in like.coords:
                _check_places(A, arrays, frame.coord(old), old, like.coords[new])
    made = with_attrs(method(y), first.attrs, keep_attrs)
    return _placed(made, dict(zip(own, names, strict=True)), like)


def _check_like(A: Any, like: xr.DataArray, names: tuple[Any, ...], shape: tuple[int, ...]) -> None:
    """Refuse an image of other dimensions or sizes."""
    fits = len(names) == len(shape)
    expected = dict(zip(names, shape, strict=fits))
    if (
        not fits
        or any(name not in like.dims for name in names)
        or any(like.sizes[d] != n for d, n in expected.items())
    ):
        raise ShapeError(
            f"{A!r} expected like= an image with {' × '.join(f'{d}: {n}' for d, n in expected.items())}, got "
            f"{' × '.join(f'{d}: {n}' for d, n in like.sizes.items())}"
        )


def _frame(A: Any, arrays: Sequence[xr.DataArray]) -> Frame | None:
    """The axes of an image of measurements, before it is made; None where they are none of A's."""
    many = isinstance(A.range, Sensors)
    spaces = A.range.spaces if many else [A.range]
    if len(arrays) != len(spaces) or any(a.ndim < s.ndim for a, s in zip(arrays, spaces, strict=True)):
        return None
    frames = tuple(map(Frame.of, arrays))
    try:
        found: Frame = imaged(A, frames if many else frames[0])
    except DaskphysError:
        return None
    return found


def tells(y: xr.DataArray, names: tuple[Any, ...]) -> bool:
    """Whether a measurement has an image's axes by these names."""
    return any(set(axes) <= set(y.dims) for axes in (names, spectrum(names)))


def spectrum(names: tuple[Any, ...]) -> tuple[Any, ...]:
    """The names that axes have in k-space."""
    return tuple(f"k_{name}" for name in names)


def _names_like(A: Any, own: tuple[Any, ...], like: xr.DataArray) -> tuple[Any, ...]:
    """The names of an image's own axes as `like` has them: the last, where the measurement does not tell which."""
    shared = set(own) & set(like.dims)
    theirs = tuple(dim for dim in like.dims if dim in own)
    if shared != set(own):
        theirs = tuple(like.dims[max(0, like.ndim - len(own)) :])
        if all(name == other for name, other in zip(own, theirs, strict=False) if shared & {name, other}):
            return theirs
    if theirs != own:  # one of the two was turned, and of a square image no size tells which
        raise ParameterError(
            f"{A!r} expected the axes of like=, {theirs}, in the order of the measurement's, {own}: give dims={own} if the "
            f"measurement is as x.phys.forward gave it, or dims={theirs} if it was transposed"
        )
    return own


def _check_places(A: Any, y: Sequence[xr.DataArray], coord: Any, name: Any, other: Any) -> None:
    """Refuse the places of `like` for measurements that have others along an axis, or go another way."""
    if name != other.name:
        return  # places of the user's own
    step, _ = Frame.of(other).step(0)  # of frequencies; a coordinate that is no even grid has none
    for own in y:
        for key, way in ((name, direction(other)), (f"k_{name}", 1 if step > 0 else -1)):
            if key in own.dims and key in own.coords and direction(own.coords[key]) * way < 0:
                raise ParameterError(
                    f"{A!r} expected the coordinate {key!r} of the measurement to go the way of that of like=, got one that goes "
                    f"up and one that goes down: turn back the one that was turned, as in y.sortby({key!r}, ascending={way > 0}) or "
                    f"in like.sortby({name!r}, ascending={direction(other) < 0})"
                )
    if coord is not None and coord.shape == other.shape and not same_places(coord, other):
        raise ParameterError(
            f"{A!r} expected the measurement at the places of like= along {name!r}, got others: give an image of its own "
            f"places, or leave the coordinate out, as in y.drop_vars({name!r}), to mean samples by their order"
        )


def _turned(y: xr.DataArray, dims: tuple[Any, ...]) -> xr.DataArray:
    """A measurement with the axes that belong to the image's last and in their order, where it has them by name."""
    for names in (dims, spectrum(dims)):
        if set(names) <= set(y.dims):
            return y.transpose(..., *names)
    return y


def _placed(made: xr.DataArray, names: dict[Any, Any], like: Any) -> xr.DataArray:
    """An image with other names for its own dimensions, and the coordinates of `like` along them."""
    if like is not None:
        made = made.drop_vars([name for name, coord in made.coords.items() if set(coord.dims) & set(names)])
    changed = {old: new for old, new in names.items() if old != new}
    made = made.drop_vars([new for new in changed.values() if new in made.coords and new not in made.dims])
    made = made.rename(changed)
    if like is None:
        return made
    own = set(names.values())
    others = [name for name, coord in like.coords.items() if not coord.dims or not set(coord.dims) <= own]
    return made.assign_coords(like.coords.to_dataset().drop_vars(others).coords)


def by_sensor(y: xr.DataArray, A: Any, sensor_dim: str) -> Any:
    """A measurement as the operator takes it: of a stack a list of arrays, one a sensor."""
    return parted(y, A, sensor_dim) if isinstance(A.range, Sensors) else y
