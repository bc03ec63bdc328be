"""What all normal values have in common, and their sums of unlike terms."""

from __future__ import annotations

import abc
from typing import Any

from daskphys.errors import NotClosedFormError, ParameterError
from daskphys.pairwise import pairwise_sum
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cost import Cost, summed
from daskphys.physics.normal_kind import NormalKind, joined
from daskphys.physics.transform import Transform
from daskphys.physics.value import value


class NormalValue(LinearPhysics):
    """An operator from an image to one of its own shape that holds what it is as an array, not as a product.

    ``+`` gives one value: terms of one kind add, a multiple of the identity goes into any other term, and
    unlike terms stand side by side in a `NormalSum`.

    Parameters
    ----------
    noise_model : NoiseModel, optional
        As of every operator.

    Raises
    ------
    NotClosedFormError
        Of `inv`, `pinv` and `norm`, where `closed_form` is False.

    Examples
    --------
    >>> from daskphys.physics import Blur, Inpainting, gaussian_blur, stack
    >>> import numpy as np
    >>> A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)), Inpainting(np.eye(32)))
    >>> N = A.normal((32, 32))
    >>> N, N.closed_form
    ((Diagonal(32×32) + FourierMultiplier(32×32)), False)
    """

    @property
    @abc.abstractmethod
    def kind(self) -> NormalKind:
        """With which others it merges."""

    @property
    def closed_form(self) -> bool:
        """Whether `inv`, `pinv` and `norm` have a closed form."""
        return self.kind.closed_form

    @property
    @abc.abstractmethod
    def self_adjoint(self) -> bool:
        """Whether its parameters are real, so that it is its own adjoint."""

    @abc.abstractmethod
    def diagonal(self) -> Any:
        """The diagonal entries, as an array that broadcasts against the image."""

    @property
    def parts(self) -> tuple[NormalValue, ...]:
        """Its terms, one a kind: itself, but of a sum its terms."""
        return (self,)

    @abc.abstractmethod
    def _plus(self, other: NormalValue) -> NormalValue | None:
        """``self + other`` as one term, where their kinds allow it."""

    def _around(self, power: Any) -> NormalValue:
        """Rᴴ N R for a circular convolution R, where ``RᴴR = power`` and `kind.around` has a kind for it."""
        raise self._not_closed("a product with a convolution")

    def _merge(self, other: Any) -> Any:
        if not isinstance(other, NormalValue):
            return None
        terms: list[NormalValue] | None = list(self.parts)
        for term in other.parts:
            terms = _absorbed(terms, term) if terms is not None else None
        if terms is None or len(terms) == 1:
            return terms if terms is None else terms[0]
        return NormalSum(tuple(sorted(terms, key=lambda t: t.kind.terms)))

    def _rows(self) -> list[tuple[str, str]]:
        has = (
            "inverse, pseudo-inverse and norm"
            if self.closed_form
            else "none: A_dagger and compute_norm iterate"
        )
        return [*super()._rows(), ("closed form", has)]

    def _domain_shape(self, shape: Any) -> Any:
        return self._range_shape(shape)

    def _result_dtype(self, dtype: str) -> str:
        return self.kind.result_dtype(dtype)


def _absorbed(terms: list[NormalValue], term: NormalValue) -> list[NormalValue] | None:
    """`terms` and one more, at most one a kind; None where they make no normal value."""
    for i, mine in enumerate(terms):
        both = mine._plus(term)
        if both is not None:
            return [*terms[:i], both, *terms[i + 1 :]]
    alike = any(mine.kind.terms == term.kind.terms for mine in terms)
    if alike or not all(t.self_adjoint for t in (*terms, term)):
        return None
    return [*terms, term]


@value
class NormalSum(NormalValue):
    """The sum of normal values of unlike kinds, at most one of each, made by ``+``.

    A mask beside a blur, or blurs beside non-uniform Fourier operators: one product costs one of each kind,
    for any number of sensors.  Its inverse and its norm have no closed form; its diagonal has.

    Parameters
    ----------
    terms : tuple of NormalValue
        Self-adjoint terms in the canonical order of their kinds.

    Raises
    ------
    ParameterError
        Fewer than two terms, terms that are no normal values, or two of one kind.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Blur, gaussian_blur
    >>> from daskphys.physics.normal import Diagonal
    >>> mask = Diagonal(np.eye(32))
    >>> N = Blur(gaussian_blur(1.0)).normal((32, 32)) + mask
    >>> N
    (Diagonal(32×32) + FourierMultiplier(32×32))
    >>> N + N == 2 * N, N.closed_form
    (True, False)
    """

    terms: tuple[NormalValue, ...]

    def __post_init__(self) -> None:
        if not all(isinstance(t, NormalValue) and len(t.parts) == 1 for t in self.terms):
            raise ParameterError(f"NormalSum expected normal values, got {self.terms!r}: add them with +")
        own = [t.kind.terms[0] for t in self.terms]
        wanted = joined(t.kind for t in self.terms)
        in_order = wanted is not None and own == list(wanted.terms) and len(own) > 1
        if not in_order or not all(t.self_adjoint for t in self.terms):
            raise ParameterError(
                f"NormalSum expected two or more self-adjoint terms of unlike kinds in the order of their kinds, got "
                f"{self.terms!r}: add them with +"
            )

    @property
    def kind(self) -> NormalKind:
        kind = joined(t.kind for t in self.terms)
        assert kind is not None  # a sum has terms
        return kind

    @property
    def self_adjoint(self) -> bool:
        return True

    @property
    def parts(self) -> tuple[NormalValue, ...]:
        return self.terms

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return max(t.domain_ndim for t in self.terms)

    def _forward(self, x: Any) -> Any:
        return pairwise_sum(t._forward(x) for t in self.terms)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._forward(y)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        return summed([t._cost(shape, dtype) for t in self.terms], sums=1)

    def _range_shape(self, shape: Any) -> Any:
        for term in self.terms:
            term._range_shape(shape)
        return shape

    def diagonal(self) -> Any:
        """The sum of the terms' diagonals, as an array that broadcasts against the image."""
        return pairwise_sum(t.diagonal() for t in self.terms)

    def _thumbnails(self) -> list[tuple[str, Any]]:
        return [picture for term in self.terms for picture in term._thumbnails()]

    def _plus(self, other: NormalValue) -> NormalValue | None:
        return None  # `_merge` adds term by term

    def _scaled(self, number: complex) -> NormalSum | None:
        if isinstance(number, complex):
            return None
        return NormalSum(tuple(number * t for t in self.terms))

    def _not_closed(self, what: str) -> NotClosedFormError:
        return NotClosedFormError(
            f"{self!r} has no closed form of {what}: its {len(self.terms)} terms are diagonal in different bases; use "
            f"A_dagger or compute_norm of the operator, which iterate with this value"
        )

    def __repr__(self) -> str:
        return f"({' + '.join(map(repr, self.terms))})"
