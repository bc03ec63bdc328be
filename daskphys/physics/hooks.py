"""The hooks that an author of an operator writes, and what the algebra asks of every operator."""

from __future__ import annotations

import abc
from typing import Any

from daskphys import backend, markup
from daskphys.errors import NotClosedFormError
from daskphys.physics.spaces import Images, Sensors, shape_of
from daskphys.physics.stencil import Stencil
from daskphys.physics.transform import Plain, Transform
from daskphys.physics.value import Value


class Hooks(Value, abc.ABC):
    """A linear map as its author writes it, without the methods that users call.

    Hooks get checked arrays of the core (NumPy, CuPy, array API) and write to none of them.  A shape is a
    tuple of integers; on the side of a stack's measurements, a tuple of such shapes.
    """

    #: How many trailing axes of an image the operator acts on.
    domain_ndim: int = 1

    @property
    def range_ndim(self) -> int:
        """How many trailing axes of a measurement belong to the operator."""
        return self.domain_ndim

    @abc.abstractmethod
    def _forward(self, x: Any) -> Any:
        """A x."""

    @abc.abstractmethod
    def _adjoint(self, y: Any, shape: Any) -> Any:
        """Aᴴ y, an image of `shape`."""

    def _range_shape(self, shape: Any) -> Any:
        """The shape of A x for x of `shape`; raises `ShapeError` for an image that does not fit."""
        return shape

    def _domain_shape(self, shape: Any) -> Any:
        """The shape of Aᴴ y for y of `shape`; raises `ShapeError` for a measurement that does not fit."""
        return shape

    def _result_dtype(self, dtype: str) -> str:
        """The name of the dtype of A x, and of Aᴴ y, for an argument of `dtype`: its own, as a rule."""
        return dtype

    # What a family may add, to be fast in a stack.

    @property
    def transform(self) -> Transform:
        """The first step that this operator shares with others of its family (`Plain`: none)."""
        return Plain()

    def _forward_from(self, z: Any, shape: Any) -> Any:
        """A x from ``z = transform.lift(x)``, where `shape` is that of x."""
        return self._forward(z)

    def _adjoint_to(self, y: Any, shape: Any) -> Any:
        """The z with ``Aᴴ y = transform.lower(z, shape)``."""
        return self._adjoint(y, shape)

    @property
    def stencil(self) -> Stencil | None:
        """The operator as a compact convolution, where it is one: it then works on tiles of an image."""
        return None

    @property
    def normal_kind(self) -> Any:
        """A hashable that says with which others AᴴA merges into one value; None where it does not."""
        return None

    def _normal(self, shape: Any) -> Any:
        """AᴴA as a value that merges, where `normal_kind` is not None."""
        raise self._not_closed("AᴴA")

    def _gram(self, x: Any) -> Any:
        """AᴴA x, where it does not merge."""
        return self._adjoint(self._forward(x), shape_of(x))

    def _merge(self, other: Any) -> Any:
        """``self + other`` as one value, where there is one; else None."""
        return None

    def _scaled(self, number: complex) -> Any:
        """``number * self`` as one value, where there is one; else None."""
        return None

    def _not_closed(self, what: str) -> NotClosedFormError:
        return NotClosedFormError(
            f"{self!r} has no closed form of {what}: expected a merged normal operator (circular blurs have "
            f"one); use A_dagger or compute_norm, which iterate where they must"
        )

    # The two sides.

    @property
    def domain(self) -> Images | Sensors:
        """What the operator takes."""
        return Images(self, self.domain_ndim)

    @property
    def range(self) -> Images | Sensors:
        """What the operator gives."""
        return Images(self, self.range_ndim)

    # How it looks.

    def _summary(self) -> str:
        """What stands in the parentheses of the one-line repr."""
        return ", ".join(map(_short, self._fields().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._summary()})"

    def _thumbnails(self) -> list[tuple[str, Any]]:
        """Pictures for the HTML repr: captions and 2-D arrays."""
        return []

    def _rows(self) -> list[tuple[str, str]]:
        """Lines of the HTML repr: names and texts."""
        ndim = self.domain.ndim
        axes = "the last axis" if ndim == 1 else f"the last {ndim} axes"
        what = axes if isinstance(self.domain, Images) else "one array a sensor"
        return [
            ("acts on", what),
            ("parameters", markup.bytes_text(self.nbytes)),
        ]

    def _repr_html_(self) -> str:
        return markup.card(repr(self), self._rows(), self._thumbnails())


def _short(field: Any) -> str:
    """A field for the one-line repr: an array by its shape."""
    if backend.is_array(field):
        return f"array of {'×'.join(map(str, field.shape)) or 'no axes'}"
    return str(field)
