"""With what AᴴA merges: known before it is made, and without an image shape."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from daskphys import backend


@dataclass(frozen=True)
class NormalKind:
    """The kinds of the terms that AᴴA has as a merged value.

    Of a stack it is the union of its sensors' kinds, so blocks of sensors agree on it however they are cut.

    Parameters
    ----------
    terms
        One name a kind, in the canonical (alphabetical) order.
    makes_complex
        Whether AᴴA makes a real image complex.

    Examples
    --------
    >>> from daskphys.physics.normal_kind import DIAGONAL, IDENTITY, fourier
    >>> (fourier(2) | DIAGONAL).terms
    ('diagonal', 'fourier 2')
    >>> fourier(2).closed_form, (fourier(2) | DIAGONAL).closed_form, (fourier(2) | IDENTITY).closed_form
    (True, False, True)
    """

    terms: tuple[str, ...]
    makes_complex: bool = False

    def __or__(self, other: NormalKind) -> NormalKind:
        terms = {*self.terms, *other.terms}
        if len(terms) > 1:
            terms.discard(_IDENTITY)  # λI is taken into any other term
        terms -= {f"fourier {t.split()[1]}" for t in terms if t.startswith(_TAKE_FOURIER)}  # as are blurs
        return NormalKind(tuple(sorted(terms)), self.makes_complex or other.makes_complex)

    @property
    def closed_form(self) -> bool:
        """Whether the inverse, the pseudo-inverse and the norm are closed form: one term, (block) diagonal in a basis."""
        return len(self.terms) == 1 and not self.terms[0].startswith(_TOEPLITZ)

    @property
    def toeplitz_ndim(self) -> int:
        """Over how many axes the Toeplitz term acts; 0 where there is none."""
        return max((int(t.removeprefix(_TOEPLITZ)) for t in self.terms if t.startswith(_TOEPLITZ)), default=0)

    @property
    def takes_fourier(self) -> bool:
        """Whether it is one term, which a multiplier by the spectrum of a real kernel goes into."""
        return len(self.terms) == 1 and self.terms[0].startswith(_TAKE_FOURIER)

    def around(self, ndim: int) -> NormalKind | None:
        """The kind of Rᴴ N R for N of this kind and a circular convolution R over `ndim` axes; None where it has none.

        Multipliers commute with convolutions; diagonals do not.
        """
        commuting = (_IDENTITY, f"fourier {ndim}", f"{_KSPACE} {ndim}")
        return self | fourier(ndim) if len(self.terms) == 1 and self.terms[0] in commuting else None

    @property
    def aliased(self) -> tuple[int, int] | None:
        """The number of axes and the factor of the first term of sampled convolutions; None where there is none."""
        found = [t.split()[1:] for t in self.terms if t.startswith(_ALIASED)]
        return (int(found[0][0]), int(found[0][1])) if found else None

    def result_dtype(self, dtype: str) -> str:
        """The dtype of AᴴA x for x of `dtype`."""
        return backend.complex_name(dtype) if self.makes_complex else dtype


_ALIASED, _IDENTITY, _KSPACE, _TOEPLITZ = "aliased", "identity", "k-space", "toeplitz"
_TAKE_FOURIER = (_ALIASED, _KSPACE)

#: A multiple of the identity, and a diagonal.
IDENTITY = NormalKind((_IDENTITY,))
DIAGONAL = NormalKind(("diagonal",))


@functools.cache
def fourier(ndim: int) -> NormalKind:
    """A multiplier of the Fourier transform over the last `ndim` axes, by the spectrum of a real kernel."""
    return NormalKind((f"fourier {ndim}",))


@functools.cache
def kspace(ndim: int) -> NormalKind:
    """A multiplier by any spectrum, which makes real images complex."""
    return NormalKind((f"{_KSPACE} {ndim}",), makes_complex=True)


@functools.cache
def aliased(ndim: int, factor: int) -> NormalKind:
    """Every `factor`-th sample of convolutions over the last `ndim` axes: small matrices, one a coarse frequency."""
    return NormalKind((f"{_ALIASED} {ndim} {factor}",))


@functools.cache
def toeplitz(ndim: int, makes_complex: bool) -> NormalKind:
    """A Toeplitz operator over the last `ndim` axes; with a complex kernel it makes real images complex."""
    return NormalKind((f"{_TOEPLITZ} {ndim}",), makes_complex)


def joined(kinds: Iterable[NormalKind | None]) -> NormalKind | None:
    """The kind of a sum of operators' AᴴA: that of all their terms, None where one of them (or all) has none."""
    unique = set(kinds)
    if None in unique:
        return None
    return (
        functools.reduce(NormalKind.__or__, (kind for kind in unique if kind is not None)) if unique else None
    )


def has_closed_form(operator: Any) -> bool:
    """Whether AᴴA merges into a value with a closed inverse and norm; known without making it."""
    return operator.normal_kind is not None and operator.normal_kind.closed_form
