"""What an operator takes and gives: one image, or one array a sensor.  Checks at the door live here."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from daskphys import backend, doors
from daskphys.errors import DtypeError, ShapeError, UnsupportedArrayError, describe
from daskphys.physics.measurements import Measurements

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Images:
    """Arrays whose last `ndim` axes belong to the operator and whose leading axes broadcast.

    `real` says that a complex one has no meaning for the operator, which would take its real part.
    """

    owner: Any
    ndim: int
    real: bool = False

    def coerce(self, x: Any) -> Any:
        """`x` itself, or an error where several arrays came in place of one."""
        if isinstance(x, list | tuple) and not all(doors.door_of(a) for a in x):
            raise UnsupportedArrayError(
                f"{self.owner!r} expected an array, got {describe(x)}: convert it first, as in "
                f"np.asarray(x, dtype=np.float32)"
            )
        if isinstance(x, list | tuple | Measurements):
            raise ShapeError(
                f"{self.owner!r} expected one array, got {describe(x)} with {len(x)} entries: "
                f"give one array, or use a stack for one array a sensor"
            )
        return x

    def shape(self, x_or_shape: Any) -> Shape:
        """The shape that an array, or a shape, says."""
        given = getattr(x_or_shape, "shape", x_or_shape)
        shape = tuple(given) if isinstance(given, tuple | list) else (given,)
        if len(shape) >= self.ndim and all(type(n) is int and n > 0 for n in shape):
            return shape  # as a rule; the questions below take five times as long, and stacks have thousands
        if not all(isinstance(n, numbers.Integral) and int(n) > 0 for n in shape):
            raise ShapeError(f"{self.owner!r} expected a shape of positive integers, got {given!r}")
        if len(shape) < self.ndim:
            raise ShapeError(
                f"{self.owner!r} expected an array with {self.ndim} or more axes, got shape {shape}: "
                f"add the missing axes, as in x[None]"
            )
        return tuple(int(n) for n in shape)

    def widened(self, more: int, owner: Any) -> Images:
        """The space of `owner`, which acts on `more` axes more (a negative number is none)."""
        return Images(owner, self.ndim + max(0, more), self.real)

    def lead(self, shape: Shape) -> int:
        """How many axes of an array of `shape` lead."""
        return len(shape) - self.ndim

    def check(self, x: Any) -> Any:
        """`x` in native byte order, or an error that names the operator, what it expected and what came."""
        self.shape(x)
        if self.real and backend.is_complex(x):
            raise DtypeError(
                f"{self.owner!r} expected a real image, since its adjoint is a real part, got "
                f"{backend.dtype_name(x)}: give x.real, and x.imag by itself"
            )
        return backend.check_floating(x, self.owner)


@dataclass(frozen=True)
class Sensors:
    """Measurements: one array for each sensor of a stack."""

    owner: Any
    spaces: tuple[Any, ...]

    @property
    def ndim(self) -> int:
        return int(max(space.ndim for space in self.spaces))

    def coerce(self, y: Any) -> Measurements:
        """A sequence of arrays, or what holds them all in a library, as `Measurements` of the right count."""
        y = doors.parted(y, self.owner)
        if not isinstance(y, list | tuple | Measurements):
            along = getattr(y, "shape", ())[:1] == (len(self.spaces),)
            raise ShapeError(
                f"{self.owner!r} expected measurements of {len(self.spaces)} sensors (Measurements or a list of "
                f"arrays), got one {describe(y)}: give one array a sensor{', as in list(y)' if along else ''}"
            )
        if len(y) != len(self.spaces):
            raise ShapeError(
                f"{self.owner!r} expected measurements of {len(self.spaces)} sensors, got {len(y)}: "
                f"give one array a sensor, in their order"
            )
        return y if isinstance(y, Measurements) else Measurements(y)

    def shape(self, y_or_shapes: Any) -> tuple[Shape, ...]:
        """The shape of each sensor's array."""
        shapes = y_or_shapes.shapes if isinstance(y_or_shapes, Measurements) else tuple(y_or_shapes)
        if len(shapes) != len(self.spaces):
            raise ShapeError(
                f"{self.owner!r} expected {len(self.spaces)} shapes, one a sensor, got {len(shapes)}"
            )
        return tuple(space.shape(s) for space, s in zip(self.spaces, shapes, strict=True))

    def widened(self, more: int, owner: Any) -> Sensors:
        """The space of `owner`, each of whose sensors acts on `more` axes more (a negative number is none)."""
        return Sensors(owner, tuple(space.widened(more, space.owner) for space in self.spaces))

    def lead(self, shapes: tuple[Shape, ...]) -> int:
        """How many axes lead in every sensor's array."""
        return int(min(space.lead(s) for space, s in zip(self.spaces, shapes, strict=True)))

    def check(self, y: Measurements) -> Measurements:
        """`y` with each sensor's array checked."""
        checked = Measurements(space.check(a) for space, a in zip(self.spaces, y, strict=True))
        kinds = {backend.dtype_name(a) for a in checked}
        if len({backend.real_name(kind) for kind in kinds}) > 1:
            raise DtypeError(
                f"{self.owner!r} expected measurements of one precision, got {', '.join(sorted(kinds))}: "
                f"cast them, as in y.map(lambda a: a.astype(np.float32))"
            )
        if len(kinds) > 1 and all(hasattr(a, "astype") or backend.is_array(a) for a in checked):
            # Real ones among complex ones: their sum is complex.
            return Measurements(
                a if space.real else backend.astype(a, backend.complex_name(backend.dtype_name(a)))
                for space, a in zip(self.spaces, checked, strict=True)
            )
        return checked


@dataclass(frozen=True)
class Cotangents(Sensors):
    """An image x, and a v for each array of A(x): what ``A.A_vjp(x, v)`` takes."""

    def check(self, y: Measurements) -> Measurements:
        """Each checked by itself: v is real where A(x) is, whatever x is."""
        checked = [_cotangent(self.owner, *pair) for pair in zip(self.spaces, y, strict=True)]
        kinds = [backend.dtype_name(a) for a in checked]
        if len({backend.real_name(kind) for kind in kinds}) > 1:
            raise DtypeError(
                f"{self.owner!r} expected x and v of one precision, got {', '.join(dict.fromkeys(kinds))}"
            )
        return Measurements(checked)


def _cotangent(owner: Any, space: Any, a: Any) -> Any:
    if space.real and backend.is_complex(a):
        raise DtypeError(f"{owner!r} expected a real v, as the measurement is, got {backend.dtype_name(a)}")
    return replace(space, owner=owner).check(a)


def check_leading(owner: Any, what: str, leading: Shape, shape: Shape, ndim: int) -> None:
    """Refuse an image of `shape` with `ndim` axes of its own, before which it has not the axes of `what` (1: any)."""
    lead = shape[: len(shape) - ndim]
    for axis, n in zip(range(-len(leading), 0), leading, strict=True):
        if n not in (1, lead[axis]):
            more = f": or give ndim={ndim + 1}, if that axis is spatial" if _has_ndim(owner, ndim) else ""
            raise ShapeError(
                f"{owner!r} expected an image with a leading axis of {n} (axis {axis - ndim}), as its {what} has, got shape "
                f"{shape}{more}"
            )


def _has_ndim(owner: Any, ndim: int) -> bool:
    """Whether an operator on `ndim` axes has a field by which it would act on one more."""
    return ndim < 3 and "ndim" in owner._fields()


def check_as_many(left: Any, right: Any) -> None:
    """Refuse the sum of stacks of unlike many sensors."""
    if len(left) != len(right):
        raise ShapeError(
            f"{left!r} + {right!r}: expected stacks of as many sensors, got {len(left)} and {len(right)}"
        )


def check_real(left: Any, right: Any) -> None:
    """Refuse a product whose left operator has real images and whose right one makes them complex."""
    if left.of_real_images and right._result_dtype("float32") != "float32":
        raise DtypeError(
            f"{left!r} @ {right!r}: the left operator expected real images, got complex ones from the right one"
        )


def check_alike(operators: tuple[Any, ...]) -> None:
    """Refuse a stack or sum of operators of which some have real images and some complex ones."""
    kinds = [operator.of_real_images for operator in operators]
    if len(set(kinds)) > 1:
        real, other = operators[kinds.index(True)], operators[kinds.index(False)]
        raise DtypeError(
            f"{real!r} has real images alone, and expected the operators beside it to have such too, got {other!r}: "
            f"wrap that one, as in OfRealImages(A)"
        )


def of_reals(space: Images | Sensors, real: bool) -> Images | Sensors:
    """A space of images as one of real images alone, or of any."""
    return replace(space, real=real) if isinstance(space, Images) else space


def real_part(x: Any) -> Any:
    """The real part of an array, or of each of measurements."""
    return x.map(backend.real_part) if isinstance(x, Measurements) else backend.real_part(x)


def widest(names: Iterable[str]) -> str:
    """The dtype of a sum of arrays of these dtypes, all of one precision."""
    found = set(names)
    return found.pop() if len(found) == 1 else backend.complex_name(found.pop())


def shape_of(x: Any) -> Any:
    """The shape of an array, or the shapes of measurements."""
    return x.shapes if isinstance(x, Measurements) else tuple(x.shape)
