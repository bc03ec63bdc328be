"""The classes that a file may name: nothing else is made of what a stranger wrote."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from daskphys.errors import ParameterError, StorageError, describe, nearest
from daskphys.physics.axes import Selection, Squeeze
from daskphys.physics.base import Adjoint, Composed, Gram, PseudoInverse, Scaled, Sum
from daskphys.physics.blockdiagonal import BlockDiagonal
from daskphys.physics.blur import Blur
from daskphys.physics.downsampling import Decimation, Downsampling, Upsampling
from daskphys.physics.inpainting import Crop, Inpainting
from daskphys.physics.matrix import MatrixOperator, Rows, SparseRows
from daskphys.physics.mri.cartesian import MRI
from daskphys.physics.mri.coils import CoilMaps
from daskphys.physics.mri.multicoil import CoilEncoding, MultiCoilMRI
from daskphys.physics.mri.noncartesian import NonCartesianMRI
from daskphys.physics.noise import (
    ComplexGaussianNoise,
    GaussianNoise,
    LaplaceNoise,
    PoissonGaussianNoise,
    PoissonNoise,
    SaltPepperNoise,
    UniformNoise,
)
from daskphys.physics.normal import (
    AliasedMultiplier,
    CentredMultiplier,
    Diagonal,
    FourierMultiplier,
    Identity,
    NormalSum,
    Toeplitz,
)
from daskphys.physics.nufft import NUFFT
from daskphys.physics.parts import JoinedStack
from daskphys.physics.phase_retrieval import PhaseRetrieval
from daskphys.physics.physics import Chained, Noisy, Vjp
from daskphys.physics.radio.interferometry import Interferometry
from daskphys.physics.radio.visibilities import Visibilities
from daskphys.physics.real_images import OfRealImages
from daskphys.physics.shift import Shift
from daskphys.physics.space_varying import SpaceVaryingBlur
from daskphys.physics.spectral_response import SpectralResponse
from daskphys.physics.stack import NonlinearStack, StackedPhysics
from daskphys.physics.tomography.operator import Tomography
from daskphys.physics.tomography.projections import Projections
from daskphys.physics.tomography.scan import Scan
from daskphys.physics.value import Value
from daskphys.physics.weighted import WeightedGram

#: By the name in the file.  `FunctionOperator` is not here, for it holds code.
CLASSES: Mapping[str, type] = {
    cls.__name__: cls
    for cls in (
        Selection,
        Squeeze,
        Adjoint,
        Composed,
        Gram,
        PseudoInverse,
        Scaled,
        Sum,
        BlockDiagonal,
        Blur,
        MRI,
        CoilMaps,
        Decimation,
        Downsampling,
        Upsampling,
        Crop,
        Inpainting,
        Interferometry,
        MatrixOperator,
        Rows,
        SparseRows,
        CoilEncoding,
        MultiCoilMRI,
        ComplexGaussianNoise,
        GaussianNoise,
        LaplaceNoise,
        PoissonGaussianNoise,
        PoissonNoise,
        SaltPepperNoise,
        UniformNoise,
        NonCartesianMRI,
        AliasedMultiplier,
        CentredMultiplier,
        Diagonal,
        FourierMultiplier,
        Identity,
        NormalSum,
        Toeplitz,
        NUFFT,
        Tomography,
        JoinedStack,
        PhaseRetrieval,
        Chained,
        Noisy,
        Vjp,
        Projections,
        OfRealImages,
        Scan,
        Shift,
        SpaceVaryingBlur,
        SpectralResponse,
        NonlinearStack,
        StackedPhysics,
        Visibilities,
        WeightedGram,
    )
}


def name_of(cls: type) -> str:
    """The name of a class in a file; of one that an author wrote, with its module."""
    own = CLASSES.get(cls.__name__)
    return cls.__name__ if own is cls else f"{cls.__module__}:{cls.__qualname__}"


def known_classes(given: Sequence[type]) -> Mapping[str, type]:
    """The classes that may be made: those of the package, and an author's."""
    for cls in given:
        if not (inspect.isclass(cls) and issubclass(cls, Value)):
            raise ParameterError(
                f"open_physics expected classes of operators, decorated with @value, got {describe(cls)}: write "
                f"classes=[MyOperator]"
            )
    return {**CLASSES, **{name_of(cls): cls for cls in given}}


def found(name: Any, classes: Mapping[str, type], where: str) -> Any:
    """The class of a name in the file."""
    if isinstance(name, str) and name in classes:
        return classes[name]
    if isinstance(name, str) and ":" in name:
        own = name.rpartition(":")[2]
        given = [cls for known, cls in classes.items() if ":" in known and cls.__qualname__ == own]
        if len(given) == 1:  # it has moved to another module, as from a notebook
            return given[0]
        raise StorageError(
            f"{where} holds an operator of the class {name}, which is not daskphys' own: give it, as in "
            f"open_physics(store, classes=[{own}]), if you trust its code"
        )
    raise StorageError(
        f"{where} names the class {name!r}, which may not be made from a file: {nearest(str(name), classes)}"
    )
