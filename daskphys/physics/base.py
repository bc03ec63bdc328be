"""Linear operators as users call them: products, algebra, norms and inverses."""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING, Any

from daskphys import doors
from daskphys.errors import ShapeError, checks_keywords
from daskphys.physics import algebra, leastsquares
from daskphys.physics.checks import check_iteration, check_rtol
from daskphys.physics.composed import ComposedHooks
from daskphys.physics.gram import GramHooks
from daskphys.physics.hooks import Hooks
from daskphys.physics.normal_kind import has_closed_form
from daskphys.physics.physics import Physics
from daskphys.physics.scalars import real_or_complex
from daskphys.physics.value import value

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


class LinearPhysics(Hooks, Physics):
    """A linear operator A on images; an immutable value.

    It acts on the trailing `domain_ndim` axes of an image and broadcasts over every axis before them, as a
    NumPy ufunc with a core signature does.  It fixes no image size.

    An author writes a class decorated with `daskphys.physics.value` (a frozen dataclass) and defines the
    hooks ``_forward(x)`` and ``_adjoint(y, shape)`` and, where A changes the shape, the shape rule
    ``_range_shape(shape)`` with its inverse ``_domain_shape(shape)``.  All else is derived.

    Parameters
    ----------
    noise_model : NoiseModel, optional
        What ``A(x)`` adds to ``A.A(x)``; every operator has this keyword.  None, the default, adds nothing.

    Raises
    ------
    ShapeError, DtypeError, UnsupportedArrayError
        At a call: the image or the measurement does not fit.
    UnknownKeywordError
        A keyword that the operator does not have; the message gives the nearest that it has.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import LinearPhysics, value
    >>> @value
    ... class Mirror(LinearPhysics):
    ...     def _forward(self, x):
    ...         return x[..., ::-1]
    ...     def _adjoint(self, y, shape):
    ...         return y[..., ::-1]
    >>> A = Mirror()
    >>> A(np.arange(3.0)), (2 * A @ A)(np.arange(3.0)), A.H.H is A
    (array([2., 1., 0.]), array([0., 2., 4.]), True)
    """

    def A_adjoint(self, y: Any) -> Any:
        """Aᴴ y: an image from a measurement (for a stack, from one array a sensor).

        Parameters
        ----------
        y : array or Measurements
            Of the shape of A x: NumPy, CuPy, torch or Dask.

        Returns
        -------
        array
            An image of the same kind and precision.

        Raises
        ------
        ShapeError, DtypeError, UnsupportedArrayError
            The measurement does not fit; the message says what was expected, what came and how to mend it.
        """
        return doors.apply(self.H, y)

    def A_adjoint_A(self, x: Any) -> Any:
        """AᴴA x, by the merged normal operator where there is one.

        Parameters
        ----------
        x : array
            An image, as `A` takes it.

        Returns
        -------
        array
            Of the kind, shape and dtype of `x` (complex where AᴴA is).

        Raises
        ------
        ShapeError, DtypeError, UnsupportedArrayError
            The image does not fit.
        """
        return doors.apply(Gram(self), x)

    def A_A_adjoint(self, y: Any) -> Any:
        """AAᴴ y.

        Parameters
        ----------
        y : array or Measurements
            A measurement, as `A_adjoint` takes it.

        Returns
        -------
        array or Measurements
            Of the kind and shape of `y`.

        Raises
        ------
        ShapeError, DtypeError, UnsupportedArrayError
            The measurement does not fit.
        """
        return doors.apply(Composed(self, self.H), y)

    def A_vjp(self, x: Any, v: Any) -> Any:
        """The vector-Jacobian product at `x`: for a linear operator Aᴴ v, whatever x is.

        Parameters
        ----------
        x : array
            An image; its shape alone counts.
        v : array or Measurements
            Of the shape of A x.

        Returns
        -------
        array
            Of the shape of `x`.

        Raises
        ------
        ShapeError
            `v` has not the shape of A x.
        """
        expected, got = self.range_shape(x), self.range.shape(self.range.coerce(v))
        if got != expected:
            raise ShapeError(f"{self!r}.A_vjp expected v of shape {expected} for this image, got {got}")
        return self.A_adjoint(v)

    @checks_keywords
    def A_dagger(
        self, y: Any, rtol: float | None = None, *, max_iter: int | None = None, progress: bool = False
    ) -> Any:
        """A⁺ y: the least-squares solution of smallest norm, of the whole operator.

        Closed form where AᴴA is a Fourier multiplier or a diagonal.  Elsewhere LSMR iterates until its residual is at
        rounding level, or warns with the residual that it reached.  That may take thousands of products: for a picture
        rather than the exact solution stop it earlier, by `rtol` or `max_iter`, or take `daskphys.optim.lsmr`.

        Parameters
        ----------
        y : array or Measurements
            A measurement, of the shape of A x.
        rtol : float, optional
            Singular values below `rtol` times the largest count as zero, as in `numpy.linalg.pinv`.  By
            default log₂(pixels) rounding units of the dtype of `y`, which is what an FFT of that size loses.
            The iterative form stops by it instead of cutting at it.
        max_iter : int, optional
            The iterative form stops after that many iterations, with a `ConvergenceWarning`.  By default as many as
            there are pixels, but 1000 at least and 10,000 at most.
        progress : bool
            Whether the iterative form draws a bar (tqdm's where it is installed): for Dask arrays, where the worker is.

        Returns
        -------
        array
            An image of the kind and precision of `y`.

        Raises
        ------
        ShapeError, DtypeError, UnsupportedArrayError
            The measurement does not fit.
        ParameterError
            `rtol`, `max_iter` or `progress` is out of its domain; the iterative form gets NaN or infinity.

        Warns
        -----
        ConvergenceWarning
            The iterative form stopped before its tolerance; the message gives the residual that it reached.

        Examples
        --------
        >>> import numpy as np
        >>> from daskphys.physics import Blur, gaussian_blur, stack
        >>> A = stack(Blur(gaussian_blur(0.5)), Blur(gaussian_blur(1.0)))
        >>> x = np.random.default_rng(0).random((32, 32))
        >>> bool(np.allclose(A.A_dagger(A(x)), x))
        True
        """
        return doors.apply(PseudoInverse(self, *self._inversion(rtol, max_iter, progress)), y)

    def _inversion(self, rtol: Any, max_iter: Any, progress: Any) -> tuple[float | None, int | None, bool]:
        """What `A_dagger` was asked for, each in its domain."""
        owner = f"{self!r}.A_dagger"
        limit = check_iteration(owner, 1 if max_iter is None else max_iter, progress)
        return (
            None if rtol is None else check_rtol(owner, rtol),
            None if max_iter is None else limit,
            progress,
        )

    @checks_keywords
    def compute_sqnorm(self, x_or_shape: Any, rtol: float = 1e-10) -> float:
        """The largest eigenvalue of AᴴA for images of this shape (an array or a shape).

        Closed form where AᴴA merges into a value with one, else Lanczos iteration in float64 to a relative accuracy of
        `rtol`, or a `ConvergenceWarning` with the accuracy reached after 1000 products.  Where many eigenvalues lie close
        to the largest, as those of normalised coil maps do, the default is out of reach; ``rtol=1e-3``, which takes tens
        of products, does for the step length of an iteration.

        Parameters
        ----------
        x_or_shape : array or tuple of int
            An image, or its shape.
        rtol : float
            The relative accuracy of the iterative form: more than 0, less than 1.

        Returns
        -------
        float
            ‖A‖², which is ‖AᴴA‖.

        Raises
        ------
        ShapeError
            The operator takes no image of this shape.
        ParameterError
            `rtol` is out of its domain.

        Warns
        -----
        ConvergenceWarning
            The iteration stopped before its tolerance.

        Examples
        --------
        >>> from daskphys.physics import Blur, gaussian_blur, stack
        >>> A = stack(Blur(gaussian_blur(0.5)), Blur(gaussian_blur(1.0)))
        >>> round(A.compute_sqnorm((32, 32)), 6)  # each blur sums to one
        2.0
        """
        rtol = check_rtol(f"{self!r}.compute_sqnorm", rtol, positive=True)
        shape = self._image_shape(x_or_shape)
        if has_closed_form(self):
            return float(self._normal(shape).norm())
        return leastsquares.largest_eigenvalue(self, shape, rtol)

    @checks_keywords
    def compute_norm(self, x_or_shape: Any, rtol: float = 1e-10) -> float:
        """The largest singular value of A for images of this shape: the root of `compute_sqnorm`, which has its `rtol`.

        ``rtol=1e-3`` does for a step length, and is much quicker where it iterates.

        Parameters
        ----------
        x_or_shape : array or tuple of int
            An image, or its shape.
        rtol : float
            As that of `compute_sqnorm`, of the square.

        Returns
        -------
        float
            ‖A‖.

        Raises
        ------
        ShapeError, ParameterError
            As `compute_sqnorm`.
        """
        return math.sqrt(self.compute_sqnorm(x_or_shape, rtol))

    @checks_keywords
    def normal(self, shape: Any, weights: Any = None) -> LinearPhysics:
        """AᴴA for images of this shape, as a self-adjoint operator of its own; for a stack ``Σᵢ wᵢ Aᵢᴴ Aᵢ``.

        Where normal operators merge it is the merged one: one multiplier for any number of circular blurs, one
        term a kind for unlike sensors.  Its `closed_form` says whether it has `inv`, `pinv` and `norm`.

        Parameters
        ----------
        shape : tuple of int
            The image's shape.
        weights : array of N real non-negative numbers, optional
            One a sensor.  Without them the merged one is kept for the next call; with them it is made anew.

        Returns
        -------
        LinearPhysics
            A `NormalValue` where it merges.

        Raises
        ------
        ShapeError
            The operator takes no image of this shape; another number of weights than of sensors.
        ParameterError
            Weights that are negative or not finite, or weights of what has no sensor axis.

        Examples
        --------
        >>> from daskphys.physics import Blur, gaussian_blur, stack
        >>> A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
        >>> N = A.normal((32, 32))
        >>> N, N.closed_form, round(N.norm(), 6)
        (FourierMultiplier(32×32), True, 2.0)
        """
        shape = self._image_shape(shape)
        if weights is not None:
            operator: LinearPhysics = self._weighted_normal(shape, weights)
            return operator
        return Gram(self) if self.normal_kind is None else self._normal(shape)

    @checks_keywords
    def as_linear_operator(self, shape: Any, dtype: Any = "float64") -> LinearOperator:
        """The matrix of the operator as `scipy.sparse.linalg` takes it, for images of `shape`.

        Vectors are images and measurements in C order, a stack's one sensor after the other.  Products of a matrix
        (``L @ X``) evaluate its columns together.

        Parameters
        ----------
        shape : tuple of int, or an image
            The image's shape, with any leading axes.
        dtype : dtype
            Of the vectors: float32, float64, complex64 or complex128.  Where A makes complex numbers of real ones, it is
            the complex one.  Where A has real images alone (radio interferometry), each complex number of a
            measurement counts as two real ones, real and imaginary part in turn: so the matrix is real, and its transpose A's adjoint.

        Returns
        -------
        scipy.sparse.linalg.LinearOperator
            Of shape (numbers of a measurement, pixels of an image); ``image(vector)`` and ``measurements(vector)``
            give vectors their shapes back.

        Raises
        ------
        ShapeError
            The shape does not fit, or the operator's domain is measurements (take ``.H`` afterwards).
        DtypeError
            Another dtype, or a complex one for an operator of real images.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy.sparse.linalg import lsqr
        >>> from daskphys.physics import Blur, gaussian_blur, stack
        >>> A = stack(Blur(gaussian_blur(0.5)), Blur(gaussian_blur(1.0)))
        >>> L = A.as_linear_operator((16, 16))
        >>> L.shape
        (512, 256)
        >>> x = np.arange(256.0).reshape(16, 16)
        >>> found = L.image(lsqr(L, L @ x.ravel(), atol=1e-12, btol=1e-12)[0])
        >>> bool(np.allclose(found, x, atol=1e-6))
        True
        """
        from daskphys.physics.linear_operator import PhysicsLinearOperator, image_shape  # loads scipy.linalg

        return PhysicsLinearOperator(self, image_shape(self, shape), dtype)

    def inv(self, lam: float) -> LinearPhysics:
        """(A + lam I)⁻¹, for a self-adjoint A that has a closed form of it: a merged ``A.normal(shape)``.

        Parameters
        ----------
        lam : float
            λ, 0 or more.

        Returns
        -------
        LinearPhysics
            The inverse, a value of the same kind.

        Raises
        ------
        NotClosedFormError
            There is no closed form (`closed_form` is False).
        ParameterError
            `lam` is negative or not finite, or the sum is not positive.

        Examples
        --------
        >>> import numpy as np
        >>> from daskphys.physics import Blur, gaussian_blur
        >>> N, x = Blur(gaussian_blur(1.0)).normal((32, 32)), np.eye(32)
        >>> bool(np.allclose(N.inv(0.1)(N(x) + 0.1 * x), x))
        True
        """
        raise self._not_closed("inv(lam)")

    def pinv(self, rtol: float | None = None) -> LinearPhysics:
        """A⁺, for a self-adjoint A that has a closed form of it: a merged ``A.normal(shape)``.

        Parameters
        ----------
        rtol : float, optional
            Singular values of at most `rtol` times the largest count as zero; by default what rounding leaves of zero.

        Returns
        -------
        LinearPhysics
            The pseudo-inverse, a value of the same kind.

        Raises
        ------
        NotClosedFormError
            There is no closed form (`closed_form` is False).
        ParameterError
            `rtol` is out of its domain.
        """
        raise self._not_closed("pinv(rtol)")

    def norm(self) -> float:
        """The largest singular value, where it has a closed form without an image shape.

        Returns
        -------
        float
            ‖A‖; `compute_norm` finds it for any operator.

        Raises
        ------
        NotClosedFormError
            There is no closed form (`closed_form` is False).
        """
        raise self._not_closed("norm()")

    @property
    def H(self) -> LinearPhysics:
        """The adjoint Aᴴ as an operator; ``A.H.H is A``.

        Returns
        -------
        LinearPhysics
            From measurements to images.
        """
        # Weak, for the view holds its parent: a cycle would keep both, and blocks on a cluster, until a collection.
        kept = self.__dict__.get("_adjoint_view")
        view: LinearPhysics | None = kept() if kept is not None else None
        if view is None:
            view = Adjoint(self)
            self.__dict__["_adjoint_view"] = weakref.ref(view)
        return view

    def __matmul__(self, other: Any) -> Any:
        if not isinstance(other, LinearPhysics):
            return super().__matmul__(other)
        return Composed(self, other, noise_model=self.noise_model)

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, LinearPhysics):
            return NotImplemented
        left, right = self._noiseless, other._noiseless
        merged = left._merge(right)
        return merged if merged is not None else Sum((*_terms(left), *_terms(right)))

    def __radd__(self, other: Any) -> Any:
        return NotImplemented

    __rsub__ = __radd__

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, LinearPhysics) else NotImplemented

    def __rmul__(self, scalar: Any) -> Any:
        number = real_or_complex(scalar)
        if number is None:
            return NotImplemented
        plain = self._noiseless
        scaled = plain._scaled(number)
        return scaled if scaled is not None else Scaled(number, plain)

    __mul__ = __rmul__

    def __truediv__(self, scalar: Any) -> Any:
        number = real_or_complex(scalar)
        return NotImplemented if number is None else (1 / number) * self

    def __neg__(self) -> Any:
        return -1 * self


def _nothing() -> None:
    return None


def _terms(operator: LinearPhysics) -> tuple[LinearPhysics, ...]:
    return operator.terms if isinstance(operator, Sum) else (operator,)


@value
class Adjoint(algebra.AdjointHooks, LinearPhysics):
    """The adjoint of an operator, made by ``A.H``."""

    parent: LinearPhysics

    @property
    def H(self) -> LinearPhysics:
        """The operator whose adjoint this is."""
        # With noise it is not what A.H is.
        if self.noise_model is None and self.parent.__dict__.get("_adjoint_view", _nothing)() is None:
            self.parent.__dict__["_adjoint_view"] = weakref.ref(self)
        return self.parent


@value
class Composed(ComposedHooks, LinearPhysics):
    """The product of two operators, made by ``A @ B``."""

    left: LinearPhysics
    right: LinearPhysics


@value
class Sum(algebra.SumHooks, LinearPhysics):
    """The sum of operators, made by ``A + B``."""

    terms: tuple[LinearPhysics, ...]


@value
class Scaled(algebra.ScaledHooks, LinearPhysics):
    """A multiple of an operator, made by ``2 * A``."""

    factor: complex
    parent: LinearPhysics


@value
class Gram(GramHooks, LinearPhysics):
    """AᴴA, made by ``A.normal(shape)`` where it does not merge."""

    parent: LinearPhysics

    @property
    def H(self) -> LinearPhysics:
        """Itself."""
        return self


@value
class PseudoInverse(algebra.PseudoInverseHooks, LinearPhysics):
    """A⁺, behind ``A.A_dagger``."""

    parent: LinearPhysics
    rtol: float | None = None
    max_iter: int | None = None
    progress: bool = False
