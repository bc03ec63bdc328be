"""Self-adjoint values that AᴴA of a family is, and that merge by ``+``.

For circular blurs, Aᵢ = F⁻¹ diag(Ĥᵢ) F, so Σᵢ Aᵢᴴ Aᵢ = F⁻¹ diag(Σᵢ |Ĥᵢ|²) F: one multiplier for any number
of sensors, whose inverse, pseudo-inverse and norm are those of its entries.  Masks merge into one diagonal,
non-uniform Fourier operators into one Toeplitz operator, every f-th sample of blurs into one small matrix a coarse
frequency, and unlike ones into a sum with one term a kind.
"""

from daskphys.physics.normal.aliased import AliasedMultiplier
from daskphys.physics.normal.centred import CentredMultiplier
from daskphys.physics.normal.diagonal import Diagonal
from daskphys.physics.normal.identity import Identity
from daskphys.physics.normal.multiplier import FourierMultiplier
from daskphys.physics.normal.sums import NormalSum, NormalValue
from daskphys.physics.normal.toeplitz import Toeplitz

__all__ = [
    "AliasedMultiplier",
    "CentredMultiplier",
    "Diagonal",
    "FourierMultiplier",
    "Identity",
    "NormalSum",
    "NormalValue",
    "Toeplitz",
]
