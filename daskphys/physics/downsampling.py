"""Downsampling and its adjoint."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics.antialias import antialiasing_filter
from daskphys.physics.base import LinearPhysics
from daskphys.physics.blur import Blur
from daskphys.physics.checks import is_count, real_parameter
from daskphys.physics.convolution import Convolution
from daskphys.physics.cost import Cost, half, nbytes
from daskphys.physics.naming import naming_whole
from daskphys.physics.normal.multiplier import Circular
from daskphys.physics.normal.sampled import Sampled
from daskphys.physics.transform import Transform
from daskphys.physics.value import value


def _checked(owner: str, factor: Any, ndim: int, image_shape: Any) -> tuple[int, tuple[int, ...] | None]:
    """A factor and the sizes of an image, or an error of `owner`."""
    if not is_count(factor):
        raise ParameterError(f"{owner} expected a factor, an integer of at least 1, got {factor!r}")
    if image_shape is None:
        return int(factor), None
    sizes = tuple(image_shape) if isinstance(image_shape, tuple | list) else ()
    if len(sizes) != ndim or not all(map(is_count, sizes)):
        raise ShapeError(f"{owner} expected image_shape of {ndim} positive sizes, got {image_shape!r}")
    return int(factor), tuple(map(int, sizes))


@value
class Decimation(LinearPhysics):
    """Every `factor`-th sample along each of the last `ndim` axes: 0, f, 2 f, …

    Parameters
    ----------
    factor : int
        f.
    ndim : int
        The number of axes.
    image_shape : tuple of int, optional
        The sizes of the axes; without it they must be multiples of f, for a measurement would not tell them.

    Raises
    ------
    ParameterError
        `factor` is no integer of at least 1.
    ShapeError
        The image has other sizes.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.downsampling import Decimation
    >>> S = Decimation(2, ndim=1)
    >>> S(np.arange(6.0)), S.A_adjoint(np.ones(3))
    (array([0., 2., 4.]), array([1., 0., 1., 0., 1., 0.]))
    """

    factor: int
    ndim: int = 2
    image_shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        factor, sizes = _checked("Decimation", self.factor, self.ndim, self.image_shape)
        self.__dict__.update(factor=factor, image_shape=sizes)

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return self.ndim

    def _range_shape(self, shape: Any) -> Any:
        lead, sizes = tuple(shape[: -self.ndim]), tuple(shape[-self.ndim :])
        if self.image_shape is None and any(n % self.factor for n in sizes):
            raise ShapeError(
                f"{self!r} expected sizes that are multiples of {self.factor}, got {sizes}: say image_shape={sizes}, or "
                f"crop the image"
            )
        if self.image_shape not in (None, sizes):
            raise ShapeError(f"{self!r} expected an image of {self.image_shape}, got {sizes}")
        return (*lead, *(-(-n // self.factor) for n in sizes))

    def _domain_shape(self, shape: Any) -> Any:
        lead, sizes = tuple(shape[: -self.ndim]), tuple(shape[-self.ndim :])
        domain = tuple(n * self.factor for n in sizes) if self.image_shape is None else self.image_shape
        if self._range_shape(domain) != sizes:
            raise ShapeError(f"{self!r} expected a measurement of {self._range_shape(domain)}, got {sizes}")
        return (*lead, *domain)

    @property
    def convolution(self) -> Convolution | None:
        if self.image_shape is not None and any(n % self.factor for n in self.image_shape):
            return None  # the samples of a period have unequal distances
        return Circular(self.ndim) if self.factor == 1 else Sampled(self.ndim, self.factor)

    def _transfer(self, sizes: tuple[int, ...]) -> Any:
        return np.ones(half(sizes), np.complex128)

    def _forward(self, x: Any) -> Any:
        # A view would keep the whole image alive.
        return backend.copy(x[(..., *(slice(None, None, self.factor),) * self.ndim)])

    def _adjoint(self, y: Any, shape: Any) -> Any:
        x = backend.zeros(shape, y)
        x[(..., *(slice(None, None, self.factor),) * self.ndim)] = y
        return x

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        return Cost(result=nbytes(shape, dtype))

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return Cost(result=nbytes(self._range_shape(shape), dtype))


@value
class Downsampling(LinearPhysics):
    """A filter, then of its result every `factor`-th sample, from the first one.

    The samples are 0, f, 2 f, …

    Parameters
    ----------
    filter : {"gaussian", "bilinear", "bicubic", "sinc"}, array or None
        By its name (`daskphys.physics.antialias`), or a kernel as `Blur` takes it, or no filter.
    factor : int
        The spacing f of the samples.
    padding : {"circular", "valid", "replicate", "reflect"}
        As that of `Blur`.
    image_shape : (int, int), optional
        The image's height and width.  Without it the sizes of the filtered image must be multiples of f.

    Raises
    ------
    ParameterError
        An unknown filter or padding, or a factor that is no integer of at least 1.
    ShapeError
        The image does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Downsampling
    >>> A = Downsampling("bicubic", factor=4)
    >>> A(np.ones((3, 64, 32))).shape, A.A_adjoint(np.ones((3, 16, 8))).shape
    ((3, 16, 8), (3, 64, 32))
    """

    filter: Any = "gaussian"
    factor: int = 2
    padding: str = "circular"
    image_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        factor, sizes = _checked(type(self).__name__, self.factor, 2, self.image_shape)
        given = self.filter
        kernel = antialiasing_filter(given, factor) if isinstance(given, str) else given
        blur = None
        if kernel is not None:
            blur = Blur(real_parameter(kernel, type(self).__name__, "filter"), self.padding, 2)
        self.__dict__.update(filter=None if blur is None else blur.filter, factor=factor, image_shape=sizes)

    @functools.cached_property
    def _product(self) -> Any:
        """The algebra's form of it."""
        if self.filter is None:
            return Decimation(self.factor, 2, self.image_shape)
        blur = Blur(self.filter, self.padding, 2)
        seen = None if self.image_shape is None else self._filtered(blur, self.image_shape)
        return Decimation(self.factor, 2, seen) @ blur

    @staticmethod
    def _filtered(blur: Blur, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """The sizes of the filtered image."""
        channels = tuple(blur.filter.shape[:-2])
        return tuple(blur._range_shape((*channels, *sizes))[-2:])

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(self._product.domain.ndim)

    def _range_shape(self, shape: Any) -> Any:
        if self.image_shape not in (None, tuple(shape[-2:])):
            raise ShapeError(f"{self!r} expected an image of {self.image_shape}, got {tuple(shape)}")
        with naming_whole(self):
            return self._product._range_shape(shape)

    def _domain_shape(self, shape: Any) -> Any:
        with naming_whole(self):
            return self._product._domain_shape(shape)

    def _forward(self, x: Any) -> Any:
        return self._product._forward(x)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._product._adjoint(y, shape)

    @property
    def transform(self) -> Transform:
        transform: Transform = self._product.transform
        return transform

    def _forward_from(self, z: Any, shape: Any, transform: Transform) -> Any:
        return self._product._forward_from(z, shape, transform)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        return self._product._adjoint_to(y, shape, transform)

    @property
    def convolution(self) -> Convolution | None:
        convolution: Convolution | None = self._product.convolution
        return convolution

    def _transfer(self, sizes: tuple[int, ...]) -> Any:
        return self._product._transfer(sizes)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        cost: Cost = self._product._step_cost(shape, dtype, transform)
        return cost

    def _cost(self, shape: Any, dtype: str) -> Cost:
        cost: Cost = self._product._cost(shape, dtype)
        return cost

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        cost: Cost = self._product._adjoint_cost(shape, dtype)
        return cost

    def _summary(self) -> str:
        kernel = "no filter" if self.filter is None else "×".join(map(str, self.filter.shape))
        sizes = "" if self.image_shape is None else f", of {self.image_shape}"
        return f"{kernel}, every {self.factor}., {self.padding}{sizes}"


@value
class Upsampling(LinearPhysics):
    """The adjoint of `Downsampling`: zeros between the samples, then the transposed filter.

    Parameters
    ----------
    filter : {"gaussian", "bilinear", "bicubic", "sinc"}, array or None
        That of the `Downsampling`.
    factor : int
        That of the `Downsampling`.
    padding : {"circular", "valid", "replicate", "reflect"}
        That of the `Downsampling`.
    image_shape : (int, int), optional
        The large image's height and width.  Without it they are multiples of the factor.

    Raises
    ------
    ParameterError, ShapeError
        As `Downsampling`.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Downsampling, Upsampling
    >>> U, A = Upsampling("bilinear", factor=2), Downsampling("bilinear", factor=2)
    >>> x = np.random.default_rng(0).random((8, 9))
    >>> bool(np.array_equal(U(x), A.A_adjoint(x)))
    True
    """

    filter: Any = "gaussian"
    factor: int = 2
    padding: str = "circular"
    image_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        down = Downsampling(self.filter, self.factor, self.padding, self.image_shape)
        self.__dict__.update(down._fields())

    @functools.cached_property
    def _down(self) -> Downsampling:
        return Downsampling(self.filter, self.factor, self.padding, self.image_shape)

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return self._down.domain_ndim

    def _range_shape(self, shape: Any) -> Any:
        return self._down._domain_shape(shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self._down._range_shape(shape)

    def _forward(self, x: Any) -> Any:
        return self._down._adjoint(x, self._down._domain_shape(tuple(x.shape)))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._down._forward(y)

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return self._down._adjoint_cost(self._range_shape(shape), dtype)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        return self._down._cost(self._range_shape(shape), dtype)

    def _summary(self) -> str:
        return self._down._summary()
