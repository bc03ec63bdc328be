"""Normal values that are one array."""

from __future__ import annotations

from typing import Any, Self

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics.cache import derived
from daskphys.physics.normal.sums import NormalValue
from daskphys.physics.spaces import Shape, check_leading


class HeldArray(NormalValue):
    """A normal value whose content is one array in double precision, besides sizes."""

    #: The name of the field that holds it.
    _array: str

    @property
    def _held(self) -> Any:
        return getattr(self, self._array)

    def _take(self, given: Any) -> Any:
        """The array that a user gives, as a frozen parameter with finite entries."""
        return self._finite(backend.as_parameter(doors.to_core(given), type(self).__name__, self._array))

    def _finite(self, array: Any) -> Any:
        xp = backend.namespace(array)
        if not bool(xp.all(xp.isfinite(array))):
            raise ParameterError(f"{type(self).__name__} expected finite entries, got NaN or infinity")
        return array

    def _holding(self, array: Any) -> Self:
        """The same value with another array, which the caller has made: it is checked, but not copied."""
        array = backend.namespace(self._held).asarray(array)  # NumPy makes a scalar of an array without axes
        return self._of(**(self._fields() | {self._array: self._finite(array)}))

    @classmethod
    def _of(cls, **fields: Any) -> Self:
        """The value with fields that the caller has made and answers for."""
        made = object.__new__(cls)
        made.__dict__.update(fields | {cls._array: backend.lock(fields[cls._array])})
        return made

    @property
    def self_adjoint(self) -> bool:
        return not backend.is_complex(self._held)

    def _cast(self, z: Any) -> Any:
        """The array in the precision and on the device of `z`; kept, since every product needs it."""
        name = backend.dtype_name(z)
        wanted = backend.complex_name(name) if backend.is_complex(self._held) else backend.real_name(name)
        return derived.get(self, (backend.device_of(z), wanted), lambda: backend.like(self._held, z, wanted))

    def _check_sum(self, other: Any, what: str, left: Any, right: Any) -> None:
        """Refuse arrays that do not broadcast, which are to be added."""
        a, b = tuple(left.shape), tuple(right.shape)
        if any(m != n and 1 not in (m, n) for m, n in zip(a[::-1], b[::-1], strict=False)):
            raise ShapeError(f"{self!r} + {other!r}: expected {what} of one shape, got {a} and {b}")

    def _check_image(self, sizes: Shape, leading: Shape, shape: Shape, what: str = "") -> Shape:
        """`shape`, or an error where an image's last axes are not `sizes`, or those before not `leading` (of `what`)."""
        if tuple(shape[-len(sizes) :]) != sizes:
            raise ShapeError(f"{self!r} expected an image of {sizes}, got {tuple(shape)}")
        check_leading(self, what or self._array, tuple(leading), tuple(shape), len(sizes))
        return shape

    def _scaled(self, number: complex) -> Any:
        return None if isinstance(number, complex) else self._holding(number * self._held)

    def _summary(self) -> str:
        return "×".join(map(str, self._held.shape)) or "no axes"
