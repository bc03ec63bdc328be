"""Coils that see an image's Fourier transform at any frequencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, replace
from typing import Any

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError, describe
from daskphys.markup import counted
from daskphys.physics.base import LinearPhysics
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.mri.coils import CoilMaps, check_map_shape, checked_maps
from daskphys.physics.nufft import NUFFT
from daskphys.physics.spaces import Images, Sensors
from daskphys.physics.value import value


@value
class NonCartesianMRI(JoinedPhysics):
    """``y[c] = F (maps[c] x)``: each coil's samples along a trajectory, such as spokes or spirals.

    Parameters
    ----------
    trajectory : array, shape (…, 2) or (…, 3), real; or a `NUFFT`
        The frequencies in cycles a sample, from −1/2 to 1/2, along (height, width) or (depth, height, width), as
        `daskphys.physics.mri.radial` and others give them.  Or F itself, for maps of its image's shape.
    maps : array, shape (…, coil, H, W) or (…, coil, D, H, W)
        What each coil sees of each pixel, as those of `CoilMaps`; NumPy, CuPy, torch or Dask.
    weights : array, optional
        The density compensation w, one a point, as that of `NUFFT`: it is in A by its root, so that AᴴA = Σ_c S_cᴴFᴴWF
        S_c.  Multiply what was measured by √w: ``A.A_adjoint(np.sqrt(w) * y)`` is then the gridding, and a solver
        solves the weighted problem.
    eps : float, optional
        The relative accuracy of a transform, as that of `NUFFT`.

    Raises
    ------
    ShapeError, ParameterError
        What `NUFFT` and `CoilMaps` refuse; maps of another size than the `NUFFT`'s image; `weights` or `eps` beside a
        `NUFFT`, which has its own.

    Notes
    -----
    The image (…, H, W) becomes (…, coil, samples): the sensor axis is the coil's.  One coil that sees all alike is
    `NUFFT` itself.  Frames with trajectories of their own are blocks of `daskphys.physics.block_diagonal`.

    A product with AᴴA takes one FFT pair of twice the image's size a coil, by the `Toeplitz` operator FᴴWF, however
    many samples there are.

    References
    ----------
    K. P. Pruessmann, M. Weiger, P. Börnert and P. Boesiger, "Advances in sensitivity encoding with arbitrary k-space
    trajectories", Magn. Reson. Med. 46 (2001).  J. A. Fessler et al., "Toeplitz-based iterative image reconstruction
    for MRI with correction for magnetic field inhomogeneity", IEEE Trans. Signal Process. 53 (2005).

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("finufft")
    >>> from daskphys.physics import NonCartesianMRI
    >>> from daskphys.physics.mri import radial
    >>> maps = np.exp(1j * np.arange(4))[:, None, None] * np.ones((4, 16, 16))
    >>> A = NonCartesianMRI(radial(40, 32), maps)
    >>> y = A(np.ones((16, 16)))
    >>> y.shape, len(A), A[1:3](np.ones((16, 16))).shape
    ((4, 1280), 4, (2, 1280))
    """

    trajectory: Any
    maps: Any
    weights: InitVar[Any] = None
    eps: InitVar[float | None] = None

    def __post_init__(self, weights: Any, eps: float | None) -> None:
        given = self.trajectory
        if isinstance(given, NUFFT):
            if weights is not None or eps is not None:
                raise ParameterError(
                    f"NonCartesianMRI expected weights and eps in the {given!r} that it got as its trajectory, got them "
                    f"beside it"
                )
            ndim = given.domain_ndim
        else:
            given = backend.as_parameter(doors.to_core(given), "NonCartesianMRI", "trajectory")
            ndim = int(given.shape[-1]) if given.ndim else 0
        if ndim not in (2, 3):
            raise ShapeError(
                f"NonCartesianMRI expected a trajectory of shape (…, 2) or (…, 3), got {describe(self.trajectory)}"
            )
        maps = self.maps
        if doors.is_lazy(maps):
            check_map_shape(maps, ndim, "NonCartesianMRI")
        else:
            maps = checked_maps(maps, ndim, "NonCartesianMRI")
        sizes = tuple(int(n) for n in maps.shape[-ndim:])
        if not isinstance(given, NUFFT):
            given = NUFFT(given, sizes, weights, eps)
        elif given.image_shape != sizes:
            raise ShapeError(
                f"NonCartesianMRI expected maps whose last axes are {given.image_shape}, as {given!r} has them, got "
                f"{tuple(maps.shape)}"
            )
        self.__dict__.update(trajectory=given, maps=maps)

    @property
    def sensor_fields(self) -> Mapping[str, int]:  # type: ignore[override]
        return {"maps": -self.trajectory.domain_ndim - 1}

    @property
    def own_sensor_axis(self) -> int:  # type: ignore[override]
        """The coil's, before that of the samples."""
        return -2

    @property
    def domain(self) -> Images | Sensors:
        """That of the maps, which may not be in memory yet."""
        return replace(self._coils.domain, owner=self)

    @property
    def _coils(self) -> CoilMaps:
        made = object.__new__(CoilMaps)  # the maps are checked, and are not copied
        made.__dict__.update(maps=self.maps, ndim=self.trajectory.domain_ndim)
        return made

    def _together(self) -> LinearPhysics:
        if doors.is_lazy(self.maps):
            raise ParameterError(
                f"{self!r} expected maps in memory, got a Dask array: distribute(A, ctx) loads each coil's on its worker, or "
                f"compute them first"
            )
        made: LinearPhysics = self.trajectory @ self._coils
        return made

    def _summary(self) -> str:
        coils = counted(int(self.maps.shape[-self.trajectory.domain_ndim - 1]), "coil")
        return f"{coils}, {self.trajectory._summary()}"

    def _thumbnails(self) -> list[tuple[str, Any]]:
        coils = [] if doors.is_lazy(self.maps) else self._coils._thumbnails()
        result: list[tuple[str, Any]] = self.trajectory._thumbnails() + coils
        return result
