"""Noise models of deepinv as those of this package."""

from __future__ import annotations

from typing import Any

from daskphys.errors import DaskphysWarning, warn
from daskphys.physics import noise
from daskphys.physics.noise.model import NoiseModel

#: By the name in `deepinv.physics.noise`: the model, and which of its parameters to take.
_MODELS: dict[str, tuple[type[NoiseModel], tuple[str, ...]]] = {
    "GaussianNoise": (noise.GaussianNoise, ("sigma",)),
    "UniformNoise": (noise.UniformNoise, ("a",)),
    "LaplaceNoise": (noise.LaplaceNoise, ("b",)),
    "PoissonNoise": (noise.PoissonNoise, ("gain", "normalize", "clip_positive")),
    "PoissonGaussianNoise": (noise.PoissonGaussianNoise, ("gain", "sigma", "clip_positive")),
    "SaltPepperNoise": (noise.SaltPepperNoise, ("p", "s")),
}


def noise_of(physics: Any, makes_complex: bool) -> NoiseModel | None:
    """The noise of a physics, of which what has no counterpart is left out with a warning."""
    name = type(physics).__name__
    sensor = getattr(physics, "sensor_model", None)
    if getattr(sensor, "__module__", "deepinv.physics.forward") != "deepinv.physics.forward":
        warn(
            f"from_deepinv left out the sensor model of {name}: an operator is linear, and A(x) gives A x with noise",
            DaskphysWarning,
        )
    model = physics.noise_model
    kind = type(model).__name__
    if kind == "ZeroNoise":
        return None
    if type(model).__module__ == "deepinv.physics.noise" and kind in _MODELS:
        ours, names = _MODELS[kind]
        given = {key: _number(getattr(model, key)) for key in names}
        if None not in given.values():
            if makes_complex and ours is noise.GaussianNoise:
                ours = noise.ComplexGaussianNoise
            return ours(**given)
    warn(
        f"from_deepinv left out the noise of {name}, {kind}, for which there is no model here, or none whose parameters differ "
        f"from image to image: A.with_noise(model) gives the operator another",
        DaskphysWarning,
    )
    return None


def _number(given: Any) -> Any:
    """A parameter as a number; None where it is several."""
    if not hasattr(given, "numel"):
        return given
    return given.item() if given.numel() == 1 else None
