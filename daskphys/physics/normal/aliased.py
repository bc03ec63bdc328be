"""Small matrices, one a coarse frequency: what sampled circular convolutions are, and their AᴴA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics.checks import check_lam, check_rtol
from daskphys.physics.cost import Cost, half, nbytes
from daskphys.physics.normal.half import HERMITIAN
from daskphys.physics.normal.held import HeldArray
from daskphys.physics.normal.identity import Identity
from daskphys.physics.normal.multiplier import FourierMultiplier
from daskphys.physics.normal.spectral import fft_rounding_units, power
from daskphys.physics.normal.sums import NormalValue
from daskphys.physics.normal_kind import NormalKind, aliased
from daskphys.physics.polyphase import Polyphase, coarse
from daskphys.physics.transform import Transform
from daskphys.physics.value import value


@value
class AliasedMultiplier(HeldArray):
    """Multiplication of the Fourier transforms of the image's polyphase components by one matrix a frequency.

    AᴴA of every f-th sample of circular convolutions, and sums of such: sampling folds fᵈ frequencies onto one, so
    they are coupled by an fᵈ × fᵈ matrix, and no others are.

    Parameters
    ----------
    blocks : array, shape ``(…, fᵈ, fᵈ, *coarse[:-1], coarse[-1] // 2 + 1)``, complex128
        The Hermitian matrices, in the half spectrum of images of ``coarse = sizes / f``, for the components
        ``x[a₁::f, …, a_d::f]`` with the last index first; leading axes are the image's too, or of length 1.
    sizes : tuple of int
        The image's spatial shape, multiples of f.
    factor : int
        The spacing f of the samples, at least 2.

    Raises
    ------
    ParameterError
        NaN or infinite entries; matrices that are not Hermitian, by more than 1e-4 of their norm.
    ShapeError
        `blocks` does not belong to `sizes` and `factor`; the image has other sizes or channels.

    Notes
    -----
    With N frames of factor f the normal operator has rank at most N at a frequency.  Eigenvalues below about 4 fᵈ rounding
    units (of double precision) of the largest are noise, and `pinv` takes them for zero.  They are the squares of the
    frames' singular values: where those span six orders of magnitude, A⁺ y is right to about 1e-5.

    References
    ----------
    N. Zhao, Q. Wei, A. Basarab, N. Dobigeon, D. Kouamé and J.-Y. Tourneret, "Fast single image super-resolution using a
    new analytical solution for ℓ2–ℓ2 problems", IEEE Trans. Image Process. 25 (2016), for one frame, whose matrices have
    rank 1; P. P. Vaidyanathan, "Multirate Systems and Filter Banks" (1993), for polyphase components.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Blur, Downsampling, Shift, gaussian_blur, stack
    >>> frames = [(0, 0), (0.5, 0), (0, 0.5), (1.5, 0.5), (1, 1)]
    >>> A = stack(*[Downsampling(None, 2) @ Blur(gaussian_blur(0.6)) @ Shift(s) for s in frames])
    >>> N = A.normal((32, 32))
    >>> N
    AliasedMultiplier(32×32, factor 2)
    >>> x = np.random.default_rng(0).random((32, 32))
    >>> bool(np.allclose(N.inv(0.1)(N(x) + 0.1 * x), x))
    True
    """

    blocks: Any
    sizes: tuple[int, ...]
    factor: int
    _array = "blocks"

    def __post_init__(self) -> None:
        sizes, factor = tuple(int(n) for n in self.sizes), int(self.factor)
        if factor < 2 or any(n % factor for n in sizes):
            raise ShapeError(
                f"AliasedMultiplier expected sizes that are multiples of a factor of at least 2, got {sizes} and {factor}"
            )
        blocks = backend.lock(backend.astype(self._take(self.blocks), "complex128"))
        self.__dict__.update(blocks=blocks, sizes=sizes, factor=factor)
        n = self.transform.count
        wanted = (n, n, *half(coarse(sizes, factor)))
        if tuple(blocks.shape[-len(wanted) :]) != wanted:
            raise ShapeError(
                f"AliasedMultiplier expected blocks of shape (…, {', '.join(map(str, wanted))}) for images of {sizes} "
                f"and factor {factor}, got {tuple(blocks.shape)}"
            )
        xp = backend.namespace(blocks)
        off = float(xp.sum(power(blocks - self._transposed(blocks)))) ** 0.5
        size = float(xp.sum(power(blocks))) ** 0.5
        if not off <= HERMITIAN * size:
            raise ParameterError(
                f"AliasedMultiplier expected Hermitian blocks, got some that are off by {off / size:.1e} of their norm"
            )

    def _transposed(self, blocks: Any) -> Any:
        """The conjugate transposes."""
        xp, d = backend.namespace(blocks), len(self.sizes)
        return xp.conj(xp.moveaxis(blocks, -d - 2, -d - 1))

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(max(len(self.sizes), self.blocks.ndim - 2))

    @property
    def transform(self) -> Polyphase:
        return Polyphase(len(self.sizes), self.factor)

    @property
    def kind(self) -> NormalKind:
        return aliased(len(self.sizes), self.factor)

    @property
    def normal_kind(self) -> NormalKind:
        return self.kind

    @property
    def self_adjoint(self) -> bool:
        return True

    @property
    def rounding_units(self) -> float:
        """How many rounding units of the largest eigenvalue a product may lose."""
        return fft_rounding_units(self.sizes)

    # -- products --------------------------------------------------------------------------------------------

    def multiply(self, z: Any) -> Any:
        """The product with the transforms of components, in their precision."""
        return backend.block_product(self._cast(z), z, len(self.sizes))

    def _forward(self, x: Any) -> Any:
        return self.transform.lower(self.multiply(self.transform.lift(x)), x.shape)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._forward(y)

    def _forward_from(self, z: Any, shape: Any, transform: Transform) -> Any:
        return self.transform.lower(self.multiply(z), shape)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        return self.multiply(self.transform.lift(y))

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        step, (lifted, kind) = self.transform.cost(shape, dtype), self.transform.lifted(shape, dtype)
        kept = nbytes(tuple(self.blocks.shape), kind)
        flops = step.flops + 8.0 * self.transform.count * backend.size(lifted)
        # The product beside the lifted image; then the components beside their transforms.
        return Cost(1, flops, self.nbytes, kept, max(step.result, step.workspace), nbytes(shape, dtype))

    def _range_shape(self, shape: Any) -> Any:
        return self._check_image(
            self.sizes, self.blocks.shape[: -len(self.sizes) - 2], shape, "array of blocks"
        )

    # -- algebra ---------------------------------------------------------------------------------------------

    def _plus(self, other: NormalValue) -> NormalValue | None:
        if isinstance(other, Identity):
            return self._holding(self._shifted(other.factor))
        if isinstance(other, FourierMultiplier) and other.sizes == self.sizes and other.self_adjoint:
            other = self._holding(self.transform.matrices(other.multiplier, self.sizes))
        if not isinstance(other, AliasedMultiplier) or other.kind != self.kind or other.sizes != self.sizes:
            return None
        left, right = self.blocks, backend.like(other.blocks, self.blocks)
        self._check_sum(other, "blocks", left, right)
        return self._holding(left + right)

    def _shifted(self, lam: float) -> Any:
        """The matrices of A + lam I."""
        n = self.transform.count
        eye = np.eye(n).reshape(n, n, *(1,) * len(self.sizes))
        return self.blocks + backend.like(lam * eye, self.blocks, "complex128")

    def _make_normal(self, shape: Any) -> Self:
        return self._mapped(lambda m: m @ m, self.blocks)

    def diagonal(self) -> Any:
        """One entry for all pixels of a component, in an array of the image's sizes."""
        d = len(self.sizes)
        xp = backend.namespace(self.blocks)
        own = [self.blocks[(..., a, a, *(slice(None),) * d)] for a in range(self.transform.count)]
        kernels = backend.irfftn(xp.stack(own, axis=-d - 1), coarse(self.sizes, self.factor))
        lag0 = kernels[(..., *(slice(0, 1),) * d)]
        return self.transform.image(xp.broadcast_to(lag0, kernels.shape))

    # -- closed forms ----------------------------------------------------------------------------------------

    def inv(self, lam: float) -> Self:
        """(A + lam I)⁻¹, matrix by matrix.

        Raises
        ------
        ParameterError
            `lam` is negative or not finite, or the sum is singular to rounding (then `pinv` is what there is).
        """
        lam = check_lam(f"{self!r}.inv", lam)
        if not lam and float(backend.namespace(self.blocks).min(self._eigenvalues())) <= self._noise():
            raise ParameterError(f"{self!r} + {lam:g} I is singular: expected lam > 0, or use pinv(rtol)")
        return self._mapped(lambda m: backend.namespace(m).linalg.inv(m), self._shifted(lam))

    def pinv(self, rtol: float | None = None) -> Self:
        """A⁺: eigenvalues of at most `rtol` times the largest count as zero (by default 4 fᵈ rounding units).

        Raises
        ------
        ParameterError
            `rtol` is no number of [0, 1).
        """
        least = 0.0 if rtol is None else check_rtol(f"{self!r}.pinv", rtol)

        def inverted(m: Any) -> Any:
            xp = backend.namespace(m)
            values, vectors = xp.linalg.eigh(m)
            size = abs(values)
            cut = max(least * float(xp.max(size)), self._noise())
            ones = xp.ones_like(values)
            inverse = xp.where(size > cut, ones / xp.where(size > cut, values, ones), 0 * ones)
            return (vectors * inverse[..., None, :]) @ xp.conj(xp.moveaxis(vectors, -1, -2))

        return self._mapped(inverted, self.blocks)

    def norm(self) -> float:
        """The largest singular value."""
        return float(backend.namespace(self.blocks).max(abs(self._eigenvalues())))

    def compute_sqnorm(self, x_or_shape: Any, rtol: float = 1e-10) -> float:
        """The square of `norm`, for images that fit."""
        check_rtol(f"{self!r}.compute_sqnorm", rtol, positive=True)
        self._image_shape(x_or_shape)
        return self.norm() ** 2

    def _noise(self) -> float:
        """Eigenvalues of this size may be zero: what rounding leaves of the largest matrix."""
        xp = backend.namespace(self.blocks)
        n = self.transform.count
        return 4 * n * backend.eps(self.blocks) * float(xp.max(abs(self.blocks)))

    def _eigenvalues(self) -> Any:
        blocks = self._apart(self.blocks)
        return backend.namespace(blocks).linalg.eigvalsh(blocks)

    def _apart(self, blocks: Any) -> Any:
        """The matrices on the last two axes."""
        d = len(self.sizes)
        return backend.namespace(blocks).moveaxis(blocks, (-d - 2, -d - 1), (-2, -1))

    def _mapped(self, of: Callable[[Any], Any], blocks: Any) -> Self:
        """The value with other matrices, each a function of the one here: Hermitian ones."""
        made, d = of(self._apart(blocks)), len(self.sizes)
        made = backend.namespace(made).moveaxis(made, (-2, -1), (-d - 2, -d - 1))
        # A copy brings each entry's frequencies together again, as products want them.
        return self._holding(backend.copy((made + self._transposed(made)) / 2))

    def _summary(self) -> str:
        return f"{'×'.join(map(str, self.sizes))}, factor {self.factor}"
