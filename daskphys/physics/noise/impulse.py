"""Noise that replaces samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError
from daskphys.physics.noise.model import NoiseModel, set_number
from daskphys.physics.value import value


@value
class SaltPepperNoise(NoiseModel):
    """A sample is 0 with probability p (pepper), 1 with probability s (salt), and else what was measured.

    Parameters
    ----------
    p, s : float
        The probabilities; p + s is at most 1.
    seed : int, optional
        As of every `NoiseModel`.

    Raises
    ------
    ParameterError
        `p` or `s` is no probability, or their sum is above 1.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Identity, SaltPepperNoise
    >>> y = Identity(noise_model=SaltPepperNoise(p=0.1, s=0.2))(np.full(10_000, 0.5), seed=1)
    >>> [round(float(np.mean(y == level)), 2) for level in (0.0, 0.5, 1.0)]
    [0.1, 0.7, 0.2]
    """

    p: float = 0.025
    s: float = 0.025

    def __post_init__(self) -> None:
        set_number(self, "p")
        set_number(self, "s")
        if self.p + self.s > 1:
            raise ParameterError(f"SaltPepperNoise expected p + s <= 1, got {self.p:g} + {self.s:g}")

    def _drawn(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """0 for pepper, 1 for salt, and 2 elsewhere."""
        u = rng.random(shape)
        return np.where(u < self.p, 0.0, np.where(u >= 1 - self.s, 1.0, 2.0))

    def _put(self, y: Any, drawn: Any) -> Any:
        return backend.namespace(y).where(drawn > 1, y, drawn)
