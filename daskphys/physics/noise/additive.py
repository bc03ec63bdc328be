"""Noise that is added, and does not depend on the measurement."""

from __future__ import annotations

import numpy as np

from daskphys.physics.noise.model import NoiseModel, set_number
from daskphys.physics.value import value


@value
class GaussianNoise(NoiseModel):
    """y = z + ε with ε ~ N(0, σ²), for real measurements z.

    Parameters
    ----------
    sigma : float
        The standard deviation, in units of the measurement.
    seed : int, optional
        As of every `NoiseModel`.

    Raises
    ------
    ParameterError
        `sigma` is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Blur, GaussianNoise, gaussian_blur
    >>> A = Blur(gaussian_blur(1.0), noise_model=GaussianNoise(0.1))
    >>> x = np.zeros((64, 64))
    >>> noise = A(x, seed=1) - A.A(x)
    >>> round(float(noise.std()), 2), bool(np.array_equal(A(x, seed=1), noise))
    (0.1, True)
    """

    sigma: float = 0.1

    def __post_init__(self) -> None:
        set_number(self, "sigma")

    def _drawn(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return self.sigma * rng.standard_normal(shape)


@value
class ComplexGaussianNoise(NoiseModel):
    """y = z + ε₁ + i ε₂ with independent ε₁, ε₂ ~ N(0, σ²), for complex measurements z.

    Parameters
    ----------
    sigma : float
        The standard deviation of the real part, and of the imaginary part: E|y - z|² = 2 σ².
    seed : int, optional
        As of every `NoiseModel`.

    Raises
    ------
    ParameterError
        `sigma` is negative or not finite.

    Notes
    -----
    This σ is what a receiver's channels have, and what noise calibration of magnetic resonance data reports;
    `numpy.random` has no complex normal, and that of ``torch.randn`` has σ² = ½.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import MRI, ComplexGaussianNoise
    >>> A = MRI(np.ones((64, 64), bool), noise_model=ComplexGaussianNoise(0.1))
    >>> noise = A(np.zeros((64, 64), complex), seed=1)
    >>> round(float(noise.real.std()), 2), round(float(noise.imag.std()), 2)
    (0.1, 0.1)
    """

    sigma: float = 0.1
    for_complex = True

    def __post_init__(self) -> None:
        set_number(self, "sigma")

    def _drawn(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        pairs: np.ndarray = self.sigma * rng.standard_normal((*shape, 2))
        return pairs.view(np.complex128)[..., 0]


@value
class UniformNoise(NoiseModel):
    """y = z + ε with ε uniform in [-a, a), for real measurements z.

    Parameters
    ----------
    a : float
        The amplitude; the variance is a²/3.
    seed : int, optional
        As of every `NoiseModel`.

    Raises
    ------
    ParameterError
        `a` is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Identity, UniformNoise
    >>> y = Identity(noise_model=UniformNoise(0.5))(np.zeros(10_000), seed=1)
    >>> bool(abs(y).max() <= 0.5), round(float(y.var()), 2)
    (True, 0.08)
    """

    a: float = 0.1

    def __post_init__(self) -> None:
        set_number(self, "a")

    def _drawn(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return self.a * (2 * rng.random(shape) - 1)


@value
class LaplaceNoise(NoiseModel):
    """y = z + ε with ε of density ``exp(-|ε|/b) / 2b``, for real measurements z.

    Parameters
    ----------
    b : float
        The scale; the variance is 2 b².
    seed : int, optional
        As of every `NoiseModel`.

    Raises
    ------
    ParameterError
        `b` is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Identity, LaplaceNoise
    >>> y = Identity(noise_model=LaplaceNoise(0.5))(np.zeros(40_000), seed=1)
    >>> round(float(y.var()), 1)
    0.5
    """

    b: float = 0.1

    def __post_init__(self) -> None:
        set_number(self, "b")

    def _drawn(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.laplace(scale=self.b, size=shape)
