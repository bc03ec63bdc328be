"""Laws of what an operator takes: foreign arrays come back as what they were, wrong inputs are errors."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.errors import DtypeError, ShapeError, UnsupportedArrayError
from daskphys.physics.base import LinearPhysics
from daskphys.physics.physics import Physics
from daskphys.testing.probe import Probe, arrays, each, expect, require


def array_api(p: Probe) -> None:
    """arrays of the array API standard come back as such, with the numbers of NumPy's"""
    # array-api-strict stands for every library of the standard, CuPy among them.
    if (xp := _optional("array_api_strict")) is not None:
        _comes_back(p, xp.asarray, np.from_dlpack)


def torch_tensors(p: Probe) -> None:
    """torch tensors come back as tensors, with the numbers of NumPy's"""
    torch = _optional("torch")
    if torch is not None and doors.door_of(torch.zeros(1)) is not None:
        # A copy: torch warns of memory that it may not write to.
        _comes_back(p, lambda a: torch.from_numpy(a.copy()), lambda t: t.numpy())


def dask_arrays(p: Probe) -> None:
    """Dask arrays come back as Dask arrays, with the numbers of NumPy's"""
    da = _optional("dask.array")
    if da is not None and doors.door_of(da.zeros(1)) is not None:
        _comes_back(p, lambda a: da.from_array(a, chunks=(1, *a.shape[1:])), lambda a: a.compute())


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _comes_back(p: Probe, make: Callable[[np.ndarray], Any], read: Callable[[Any], np.ndarray]) -> None:
    for product, argument in p.products():
        value = argument(2)  # with a leading axis, for Dask to cut
        made, plain = product(each(value, make)), product(value)
        sample = make(arrays(value)[0])
        for array, expected in zip(arrays(made), arrays(plain), strict=True):
            require(type(array), type(sample), f"the type from {product.__name__} is")
            require(backend.dtype_name(array), expected.dtype.name, f"the dtype from {product.__name__} is")
            require(tuple(array.shape), expected.shape, f"the shape from {product.__name__} is")
        p.near(each(made, read), plain)


def numbers_only(p: Probe) -> None:
    """an integer or object input is a DtypeError that says what was expected of which operator"""
    for product, argument in p.products():
        value = argument()
        _raises(DtypeError, p.A, product, each(value, lambda a: a.real.astype(np.int64)))
        _raises(DtypeError, p.A, product, each(value, lambda a: a.real.astype(object)))


def real_images(p: Probe) -> None:
    """a complex image to an operator of real images is a DtypeError that says what was expected"""
    if p.A.of_real_images:
        x = each(p.input(), lambda a: a + 0j)
        _raises(DtypeError, p.A, p.A.A, x)
        _raises(DtypeError, p.A, p.A.A_adjoint_A, x)


def arrays_only(p: Probe) -> None:
    """what is no array, or has too few axes, is an error that says what was expected of which operator"""
    x, A = p.input(), p.A
    if p.takes_measurements:
        _raises(ShapeError, A, A.A, x[0])
        _raises(ShapeError, A, A.A, [*x, x[0]])
    else:
        _raises(UnsupportedArrayError, A, A.A, "an image")
        _raises(ShapeError, A, A.A, [x])
        if A.domain.ndim > 0:
            _raises(ShapeError, A, A.A, np.ones(()))


def _raises(kind: type[Exception], A: Physics, product: Callable[[Any], Any], value: Any) -> None:
    try:
        product(value)
    except kind as error:
        text = str(error)
        named = any(name in text for name in _names(A))
        expect(named, f"{kind.__name__} from {product.__name__} does not name the operator: {text}")
        expect("expected" in text and "got" in text, f"{kind.__name__} does not say what came: {text}")
    else:
        raise AssertionError(f"{product.__name__} took {value!r}, expected {kind.__name__}")


def _names(item: Any) -> Iterator[str]:
    """The reprs of an operator and of those that it is made of."""
    if isinstance(item, Physics):
        yield repr(item)
        if isinstance(item, LinearPhysics):
            yield repr(item.H)
        for field in item._fields().values():
            yield from _names(field)
    elif isinstance(item, tuple):
        for part in item:
            yield from _names(part)


LAWS: tuple[Callable[[Probe], None], ...] = (
    array_api,
    torch_tensors,
    dask_arrays,
    numbers_only,
    real_images,
    arrays_only,
)
