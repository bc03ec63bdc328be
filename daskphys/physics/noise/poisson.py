"""Noise of counted particles: it depends on the measurement."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError
from daskphys.physics.noise.model import NoiseModel, check_flag, set_number
from daskphys.physics.value import value

#: Rounding units of the largest measurement below which a negative one counts as zero: what FFTs leave of zero.
_UNITS = 64

#: The largest rate that NumPy draws counts for.
_LARGEST = 9.2e18


class CountedNoise(NoiseModel):
    """What noise of counts has in common."""

    depends = True
    gain: float
    clip_positive: bool

    def _check_rates(self, y: Any, owner: str) -> None:
        xp = backend.namespace(y)
        smallest, largest = float(xp.min(y)), float(xp.max(y))
        least = -_UNITS * backend.eps(y) * abs(largest)
        if not (self.clip_positive or smallest >= least) or smallest != smallest:
            mend = "" if smallest != smallest else ": clip_positive=True takes negative ones as 0"
            raise ParameterError(f"{owner}: {self!r} expected measurements >= 0, got {smallest:g}{mend}")
        if not largest / self.gain < _LARGEST:
            raise ParameterError(
                f"{owner}: {self!r} expected counts below {_LARGEST:g}, got a measurement of {largest:g}: raise the gain"
            )

    def _counts(self, rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
        array: np.ndarray = rng.poisson(np.maximum(y, 0.0) / self.gain).astype(np.float64)
        return array


@value
class PoissonNoise(CountedNoise):
    """y = γ k with k ~ Poisson(z / γ), for real measurements z ≥ 0.

    Parameters
    ----------
    gain : float
        γ, the measurement that one count stands for; the variance is γ z.
    normalize : bool
        Give γ k, whose mean is z; else the counts k.
    clip_positive : bool
        Take negative measurements as zero.  Without it they are an error, but for those that rounding leaves of
        zero (64 units of the largest).
    seed : int, optional
        As of every `NoiseModel`.

    Raises
    ------
    ParameterError
        `gain` is not positive and finite; at a call: a measurement is negative or NaN, or its counts are
        more than 9e18.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Identity, PoissonNoise
    >>> A = Identity(noise_model=PoissonNoise(0.5, seed=0))
    >>> y = A(np.full((200, 200), 4.0))
    >>> round(float(y.mean()), 1), round(float(y.var()), 1), y[0, :4]
    (4.0, 2.0, array([1.5, 2.5, 4. , 3. ]))
    """

    gain: float = 1.0
    normalize: bool = True
    clip_positive: bool = False

    def __post_init__(self) -> None:
        set_number(self, "gain", positive=True)
        check_flag(self, "normalize")
        check_flag(self, "clip_positive")

    def _sampled(self, rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
        counts = self._counts(rng, y)
        return self.gain * counts if self.normalize else counts


@value
class PoissonGaussianNoise(CountedNoise):
    """y = γ k + ε with k ~ Poisson(z / γ) and ε ~ N(0, σ²), for real measurements z ≥ 0.

    Parameters
    ----------
    gain : float
        γ, the measurement that one count stands for.
    sigma : float
        The standard deviation of what is read out; the variance of y is γ z + σ².
    clip_positive : bool
        As of `PoissonNoise`.
    seed : int, optional
        As of every `NoiseModel`.

    Raises
    ------
    ParameterError
        As of `PoissonNoise`; `sigma` is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Identity, PoissonGaussianNoise
    >>> A = Identity(noise_model=PoissonGaussianNoise(gain=0.5, sigma=1.0, seed=0))
    >>> y = A(np.full((200, 200), 4.0))
    >>> round(float(y.mean()), 1), round(float(y.var()), 1)
    (4.0, 3.0)
    """

    gain: float = 1.0
    sigma: float = 0.1
    clip_positive: bool = False

    def __post_init__(self) -> None:
        set_number(self, "gain", positive=True)
        set_number(self, "sigma")
        check_flag(self, "clip_positive")

    def _sampled(self, rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
        counts = self._counts(rng, y)
        return self.gain * counts + self.sigma * rng.standard_normal(y.shape)
