"""What the receive coils see of an image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError
from daskphys.pairwise import pairwise_sum
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.normal import Diagonal
from daskphys.physics.normal.spectral import power
from daskphys.physics.normal_kind import DIAGONAL, NormalKind
from daskphys.physics.spaces import check_leading
from daskphys.physics.value import value


def checked_maps(given: Any, ndim: int, owner: str) -> Any:
    """Coil maps as a frozen array (…, coil, *space) in the precision they have, or an error of `owner`."""
    if ndim not in (2, 3):
        raise ParameterError(f"{owner} expected ndim 2 or 3, got {ndim!r}")
    maps = backend.as_parameter(doors.to_core(given), owner, "maps", double=False)
    check_map_shape(maps, ndim, owner)
    xp, axes = backend.namespace(maps), tuple(range(-ndim, 0))
    if not bool(xp.all(xp.isfinite(maps))):
        raise ParameterError(f"{owner} expected finite maps, got NaN or infinity")
    seen = xp.any(maps != 0, axis=axes)
    for axis in range(seen.ndim - 1):
        seen = xp.any(seen, axis=axis, keepdims=True)
    for coil, ok in enumerate(backend.to_numpy(seen).ravel()):
        if not ok:
            raise ParameterError(
                f"{owner} expected maps of coils that see something, got all zeros for coil {coil}: leave it out"
            )
    while maps.ndim > ndim + 1 and maps.shape[0] == 1:
        maps = maps[0, ...]
    return backend.frozen(maps)


def check_map_shape(maps: Any, ndim: int, owner: str) -> None:
    """Refuse maps without a coil axis, whatever kind of array they are."""
    if len(maps.shape) <= ndim or 0 in maps.shape:
        axes = ", ".join(("D", "H", "W")[-ndim:])
        raise ShapeError(
            f"{owner} expected maps of shape (…, coil, {axes}), got {tuple(maps.shape)}: one coil needs its axis too, "
            f"as in maps[None]"
        )


@value
class CoilMaps(LinearPhysics):
    """``y[c] = maps[c] x``: the image as each coil sees it, along a new axis in front of the spatial ones.

    Parameters
    ----------
    maps : array, shape (…, coil, H, W); with ``ndim=3`` (…, coil, D, H, W)
        The sensitivity of each coil at each pixel, real or complex; axes before the coils' are the image's too, or of
        length 1.  They are kept in the precision that they have.
    ndim : {2, 3}
        The number of spatial axes.

    Raises
    ------
    ShapeError
        Maps without a coil axis; an image of another size.
    ParameterError
        NaN or infinite entries; a coil whose map is zero everywhere.

    Notes
    -----
    AᴴA is the `Diagonal` ``Σ_c |maps[c]|²``.

    References
    ----------
    K. P. Pruessmann et al., "SENSE: sensitivity encoding for fast MRI", Magn. Reson. Med. 42 (1999).

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import CoilMaps
    >>> S = CoilMaps(np.array([1.0, 2j])[:, None, None] * np.ones((2, 4, 5)))
    >>> y = S(np.ones((3, 4, 5)))
    >>> y.shape, y[0, :, 0, 0], S.A_adjoint(y)[0, 0, 0]
    ((3, 2, 4, 5), array([1.+0.j, 0.+2.j]), np.complex128(5+0j))
    """

    maps: Any
    ndim: int = 2

    def __post_init__(self) -> None:
        self.__dict__["maps"] = checked_maps(self.maps, self.ndim, "CoilMaps")

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(self.maps.ndim) - 1

    @property
    def range_ndim(self) -> int:
        return int(self.maps.ndim)

    def _range_shape(self, shape: Any) -> Any:
        n, own = self.ndim, tuple(self.maps.shape)
        if tuple(shape[-n:]) != own[-n:]:
            raise ShapeError(
                f"{self!r} expected an image of {own[-n:]}, the size of its maps, got {tuple(shape)}"
            )
        check_leading(self, "array of maps", own[: -n - 1], tuple(shape), n)
        return (*shape[:-n], own[-n - 1], *own[-n:])

    def _domain_shape(self, shape: Any) -> Any:
        n, coils = self.ndim, self.maps.shape[-self.ndim - 1]
        if shape[-n - 1] != coils:
            raise ShapeError(
                f"{self!r} expected a measurement of {coils} coils along axis {-n - 1}, got shape {tuple(shape)}"
            )
        domain = (*shape[: -n - 1], *shape[-n:])
        self._range_shape(domain)
        return domain

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype) if backend.is_complex(self.maps) else dtype

    def _cast(self, x: Any) -> Any:
        return backend.like(self.maps, x, self._result_dtype(backend.real_name(backend.dtype_name(x))))

    def _coil(self, y: Any, c: int) -> Any:
        return y[(..., c, *(slice(None),) * self.ndim)]

    def _forward(self, x: Any) -> Any:
        return self._cast(x) * x[(..., None, *(slice(None),) * self.ndim)]

    def _adjoint(self, y: Any, shape: Any) -> Any:
        """Coil by coil, in the one order of sums."""
        maps, xp = self._cast(y), backend.namespace(y)

        def seen(c: int) -> Any:
            own = self._coil(maps, c)
            own = xp.conj(own) if backend.is_complex(own) else own
            return own * self._coil(y, c)

        return pairwise_sum(map(seen, range(maps.shape[-self.ndim - 1])))

    @property
    def normal_kind(self) -> NormalKind:
        return DIAGONAL

    def _make_normal(self, shape: Any) -> Diagonal:
        coils = range(self.maps.shape[-self.ndim - 1])
        wide = "complex128" if backend.is_complex(self.maps) else "float64"
        return Diagonal(pairwise_sum(power(backend.astype(self._coil(self.maps, c), wide)) for c in coils))

    def _step_cost(self, shape: Any, dtype: str, transform: Any) -> Cost:
        kind = self._result_dtype(dtype)
        result = nbytes(self._range_shape(shape), kind)
        wide = self._result_dtype(backend.real_name(dtype))
        cast = 0 if backend.dtype_name(self.maps) == wide else nbytes(tuple(self.maps.shape), wide)
        return Cost(0, result * 0.75, self.nbytes, 0, cast, result)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        own, image = self._step_cost(shape, dtype, self.transform), nbytes(shape, self._result_dtype(dtype))
        coils = int(self.maps.shape[-self.ndim - 1])
        # Sums that wait for others, and a coil's part with its map's conjugate.
        held = image * coils.bit_length() + nbytes(tuple(self.maps.shape), self._result_dtype(dtype)) // coils
        return replace(own, workspace=own.workspace + held, result=image)

    def _thumbnails(self) -> list[tuple[str, Any]]:
        maps = abs(backend.to_numpy(self.maps).reshape(-1, *self.maps.shape[-self.ndim :]))
        return [(f"coil {c}", m if self.ndim == 2 else m[len(m) // 2]) for c, m in enumerate(maps[:8])]
