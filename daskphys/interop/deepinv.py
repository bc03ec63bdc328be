"""Physics of deepinv as operators of this package, and operators as physics of deepinv."""

from __future__ import annotations

from typing import Any

from daskphys.errors import MissingDependencyError, NotLinearError, ParameterError, checks_keywords, describe
from daskphys.physics.base import LinearPhysics
from daskphys.physics.physics import Physics
from daskphys.physics.stack import stack

__all__ = ["from_deepinv", "to_deepinv"]


@checks_keywords
def from_deepinv(physics: Any, image_shape: Any = None, native: bool = True) -> Any:
    """A physics of deepinv as an operator; a stack becomes a stack, whose sensors Dask can distribute.

    A family that this package has too becomes its own operator, with all that it can do (merged AᵀA, closed forms, lazy
    arrays in tiles): Blur, BlurFFT, Downsampling, Upsampling, SpaceVaryingBlur, Inpainting, Demosaicing, Decolorize,
    Denoising, MRI, DynamicMRI, MultiCoilMRI, Pansharpen, and products of these.  Any other physics is taken as it is: its
    own A and A_adjoint are called, one image of a batch after the other, in this process or on workers that have deepinv;
    of one that is not linear, its A and A_vjp.

    Parameters
    ----------
    physics : deepinv.physics.Physics or StackedPhysics
        The physics, with its parameters.  Noise models that this package has too come along; of others a warning tells.
    image_shape : tuple of int, optional
        The shape of an image without the batch, ``(C, H, W)``, for a physics that is taken as it is: by default its own
        ``img_size``.
    native : bool
        Whether known families become operators of this package.

    Returns
    -------
    LinearPhysics, or Physics where it is not linear
        For images with the axes that deepinv has, but for MRI in native form: its images and measurements are complex
        arrays here, ``(…, H, W)``, and two real channels there, ``(B, 2, H, W)``.  In a stack with other physics it is
        taken as it is, for all sensors of a stack see one image.

    Raises
    ------
    MissingDependencyError
        deepinv is not installed.
    ParameterError
        `physics` is none, lacks a parameter, or cannot be sent to workers; a stack whose adjoint is no sum.
    ShapeError
        The shape of an image is not known, or not the one that the physics takes.

    Warns
    -----
    DaskphysWarning
        A_adjoint is not the adjoint of A; noise or a sensor model is left out; a parameter wants a gradient.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> from deepinv.physics import Blur, stack  # doctest: +SKIP
    >>> from daskphys.interop.deepinv import from_deepinv  # doctest: +SKIP
    >>> kernels = torch.rand(2, 1, 1, 5, 5)  # doctest: +SKIP
    >>> from_deepinv(stack(*[Blur(k, padding="circular") for k in kernels]))  # doctest: +SKIP
    StackedPhysics(2 sensors: Blur(5×5, circular), Blur(5×5, circular))
    """
    theirs = _deepinv("from_deepinv")
    if not isinstance(physics, theirs.Physics):
        raise ParameterError(f"from_deepinv expected a deepinv.physics.Physics, got {describe(physics)}")
    if not isinstance(physics, theirs.StackedPhysics):
        return _operator(physics, image_shape, native)
    if isinstance(physics, theirs.StackedLinearPhysics) and physics.reduction is not sum:
        raise ParameterError(
            "from_deepinv expected a stack whose adjoint is the sum of its sensors' (reduction='sum'), got another: "
            "StackedLinearPhysics(physics.physics_list) has that"
        )
    return stack(*_alike(physics.physics_list, image_shape, native))


def _alike(sensors: Any, image_shape: Any, native: bool) -> list[Any]:
    """The operators of sensors that see one image: of real channels, unless all have complex ones."""
    made = [_operator(sensor, image_shape, native) for sensor in sensors]
    if len({_of_complex(a) for a in made}) == 1:
        return made
    return [
        _operator(s, image_shape, False) if _of_complex(a) else a for s, a in zip(sensors, made, strict=True)
    ]


def _of_complex(operator: Physics) -> bool:
    from daskphys.physics import MRI, MultiCoilMRI

    return isinstance(operator, MRI | MultiCoilMRI)


def _operator(physics: Any, image_shape: Any, native: bool) -> Any:
    """One physics, in native form where there is one, with its noise."""
    from daskphys.interop import deepinv_families, deepinv_noise, deepinv_nonlinear, deepinv_operator

    made: Any = deepinv_families.native(physics) if native else None
    if made is None:
        linear = isinstance(physics, _deepinv("from_deepinv").LinearPhysics)
        wrap: Any = deepinv_operator.wrapped if linear else deepinv_nonlinear.wrapped_nonlinear
        made = wrap(physics, image_shape)
    makes_complex = made._result_dtype("float32") == "complex64"
    return made.with_noise(deepinv_noise.noise_of(physics, makes_complex))


@checks_keywords
def to_deepinv(A: Physics, *, complex_channels: bool = False) -> Any:
    """An operator, plain or distributed, as a physics of deepinv; a stack as a StackedLinearPhysics.

    Products go through torch's autograd.  A_dagger and the norm are those of the operator: exact, of the whole stack.

    Parameters
    ----------
    A : LinearPhysics
        The operator.
    complex_channels : bool
        Whether complex images and measurements have their real and imaginary part as a channel axis of two, behind the
        batch, as deepinv's MRI has them.

    Returns
    -------
    deepinv.physics.LinearPhysics
        Whose measurements are a tensor, or of a stack a `deepinv.utils.TensorList`.

    Raises
    ------
    MissingDependencyError
        deepinv is not installed.
    ParameterError
        `A` is no operator.
    NotLinearError
        It is not linear.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> from daskphys.interop.deepinv import to_deepinv  # doctest: +SKIP
    >>> from daskphys.physics import Blur, gaussian_blur, stack  # doctest: +SKIP
    >>> physics = to_deepinv(stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0))))  # doctest: +SKIP
    >>> y = physics(torch.rand(1, 1, 32, 32))  # doctest: +SKIP
    >>> len(y), physics.A_dagger(y).shape  # doctest: +SKIP
    (2, torch.Size([1, 1, 32, 32]))
    """
    if not isinstance(A, Physics):
        raise ParameterError(f"to_deepinv expected an operator of daskphys, got {describe(A)}")
    if not isinstance(A, LinearPhysics):
        raise NotLinearError(f"to_deepinv expected a linear operator, got {A!r}")
    _deepinv("to_deepinv")
    from daskphys.interop.deepinv_physics import physics_of

    return physics_of(A, bool(complex_channels))


def _deepinv(owner: str) -> Any:
    try:
        from deepinv import physics
    except ImportError as error:
        raise MissingDependencyError(
            f"{owner} needs deepinv, which is not installed, or not beside this torch and torchvision: python -m pip install "
            f"deepinv"
        ) from error
    return physics
