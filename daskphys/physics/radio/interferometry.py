"""Radio interferometry: visibilities of an image of the sky."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.normal import Diagonal
from daskphys.physics.radio import coordinates
from daskphys.physics.radio.gridder import LIGHT
from daskphys.physics.radio.visibilities import Visibilities, has_w, summary
from daskphys.physics.value import value

# ducc0 refuses accuracies below this one.
_FINEST = 2.1e-13

# Visibilities that are evaluated together, at least: for fewer the work around them is more than they are.
_TOGETHER = 1 << 14


@value
class Interferometry(JoinedPhysics):
    """``V = √(w / N) Σ I(l, m) exp(−2πi (u l + v m + w (n − 1)))``, with n = √(1 − l² − m²), for each visibility.

    I is a real image in flux a pixel (Jy/pixel), whose N pixels are at m = (row − rows//2) · cell_size and
    l = (column − columns//2) · cell_size: v and m go with rows, u and l with columns.  (So do FITS images, in which l
    falls along a row as a rule: turn those round, ``image[..., ::-1]``.)  Pixels of brightness (Jy/sr) would be divided
    by n first, once.  √(1/N) makes it orthonormal where (u, v) is the image's own grid of frequencies.

    Parameters
    ----------
    uvw : array, shape (rows, 3)
        (u, v, w) of each baseline at each time: in wavelengths, or with `frequencies` in metres.  These and the
        weights may be Dask arrays, which `distribute` loads on the workers; they are checked there.
    cell_size : float
        The size of a pixel, in radians (direction cosines).
    image_shape : (int, int)
        The image's rows and columns.
    frequencies : array, shape (channels,), optional
        Channel frequencies in Hz.
    weights : array, shape (rows,) or with frequencies (rows, channels), optional
        Imaging weights w of the visibilities, such as those of `briggs_weights`; not negative.  Their root is in A, so
        that AᴴA = FᴴWF: a measured visibility is multiplied by it first (`measurement`).
    eps : float, optional
        The relative accuracy of a product, at least 2.1e-13; by default 1e-12 in double and 1e-5 in single precision,
        which is what that reaches.  An `eps` below it is computed in double precision for single images too.
    wterm : bool
        Whether w counts; False takes it as 0.

    Raises
    ------
    ShapeError
        uvw that is not (rows, 3) or empty, weights of another number, another image, other visibilities.
    ParameterError
        NaN; ``|u|`` or ``|v|`` beyond 1 / (2 cell_size), Nyquist's limit; an image that reaches below the horizon while w is
        not 0; weights that are negative or, where they are in memory, all zero; frequencies that are not above 0; an
        `eps` out of range.
    DtypeError
        A complex image: the adjoint is a real part.
    MissingDependencyError
        ducc0 is not installed; this is found at the first product.

    Notes
    -----
    The measurement has shape (…, rows), with frequencies (…, rows, channels).  The sensor axis is that of rows, and
    runs of rows are evaluated together, each by one call of ducc0 in one thread; how long a run is depends on the
    operator alone (`sensors_a_part`), so that results have the same bits wherever runs are computed.

    The adjoint is the transpose to rounding, whatever `eps`.  Where w is 0 everywhere, or ``wterm=False``, AᴴA is the
    convolution with the point spread function, exactly: one `Toeplitz` operator, for any number of visibilities.  With w
    it is no convolution, and stays a product.

    References
    ----------
    A. R. Thompson, J. M. Moran and G. W. Swenson, "Interferometry and Synthesis in Radio Astronomy", 3rd ed. (2017),
    eq. 3.7 (the signs); P. Arras, M. Reinecke, R. Westermann and T. A. Enßlin, Astron. Astrophys. 646, A58 (2021), ducc0.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("ducc0")
    >>> from daskphys.physics import Interferometry
    >>> A = Interferometry([[0.0, 0.0, 0.0], [100.0, 20.0, 3.0]], cell_size=1e-3, image_shape=(64, 64))
    >>> x = np.zeros((64, 64))
    >>> x[32, 42] = 64.0  # a source of 64 Jy at l = 0.01: u = 100 wavelengths see it one turn of phase later
    >>> A(x).round(6)  # n − 1 is −5e−5 there, of which w = 3 makes a phase too
    array([1.+0.j      , 1.+0.000943j])
    >>> A[1], A.A_adjoint(A(x)).shape
    (Squeeze(1) @ Interferometry(1 row, 64×64 of 0.001), (64, 64))
    """

    uvw: Any
    cell_size: float
    image_shape: tuple[int, int]
    frequencies: Any = None
    weights: Any = None
    eps: float | None = None
    wterm: bool = True

    def __post_init__(self) -> None:
        owner = "Interferometry"
        uvw, cell = (
            coordinates.checked_uvw(self.uvw, owner, lazy=True),
            coordinates.checked_cell(self.cell_size, owner),
        )
        shape = coordinates.checked_shape(self.image_shape, owner)
        frequencies, weights = self.frequencies, self.weights
        if frequencies is not None:
            frequencies = coordinates.checked_frequencies(frequencies, owner)
        if weights is not None:
            channels = None if frequencies is None else int(frequencies.shape[0])
            weights = coordinates.checked_weights(weights, owner, int(uvw.shape[0]), channels, lazy=True)
        if not doors.is_lazy(uvw):
            waves = 1.0 if frequencies is None else float(backend.to_numpy(frequencies).max()) / LIGHT
            uv = backend.to_numpy(uvw)[:, :2] * waves
            coordinates.check_nyquist(uv, cell, owner, metres=frequencies is not None)
            if has_w(uvw, self.wterm):
                coordinates.check_horizon(cell, shape, owner)
        if self.eps is not None and not (
            isinstance(self.eps, numbers.Real) and _FINEST <= float(self.eps) < 1
        ):
            raise ParameterError(f"{owner} expected {_FINEST} <= eps < 1, got {self.eps!r}")
        if not isinstance(self.wterm, bool):
            raise ParameterError(f"{owner} expected wterm True or False, got {self.wterm!r}")
        self.__dict__.update(
            uvw=uvw, cell_size=cell, image_shape=shape, frequencies=frequencies, weights=weights
        )

    @property
    def sensor_fields(self) -> dict[str, int]:  # type: ignore[override]
        """The parameters that have one entry a row."""
        weighted = {} if self.weights is None else {"weights": -1 if self.frequencies is None else -2}
        return {"uvw": -2, **weighted}

    @property
    def sensors_a_part(self) -> int:  # type: ignore[override]
        """How many rows are evaluated together: about as many visibilities as pixels, without w as half of them.

        (2¹⁴ at least.)  The FFTs of a run are then a tenth of its work.  All runs have this length, but the last, which is
        hardly shorter: it costs as many FFTs as the others.
        """
        pixels = backend.size(self.image_shape)
        channels = 1 if self.frequencies is None else int(self.frequencies.shape[0])
        about = max(1, max(_TOGETHER, pixels if self.wterm else pixels // 2) // channels)
        return -(-len(self) // max(1, round(len(self) / about)))

    def _loaded(self, fields: Mapping[str, Any]) -> Self:
        """A run of rows; one of which all are flagged has weights that are all zero, as the whole may not have."""
        weights = fields.get("weights")
        if weights is None or bool(backend.namespace(weights).any(weights != 0)):
            return super()._loaded(fields)
        made = super()._loaded({**fields, "weights": weights + 1})
        return made._with({"weights": backend.lock(made.weights - 1)})

    def _together(self) -> Visibilities:
        self._check_here("uvw", "weights")
        xp = backend.namespace(self.uvw)
        points = backend.lock(xp.stack([self.uvw[:, i] for i in (1, 0, 2)], -1))
        return Visibilities(
            points,
            self.cell_size,
            self.image_shape,
            self.frequencies,
            self.weights,
            self.eps,
            self.wterm,
        )

    def _check_here(self, *names: str) -> None:
        """Refuse what needs parameters in memory."""
        for name in names:
            if doors.is_lazy(getattr(self, name)):
                raise ParameterError(
                    f"{self!r} expected {name} in memory, got a Dask array: distribute(A, ctx) loads each run's on its "
                    f"worker, or compute them first"
                )

    # -- what is measured, and the images of the field ----------------------------------------------------------

    def measurement(self, visibilities: Any) -> Any:
        """What A x is compared with, of visibilities as an instrument gives them (in Jy): ``√(w / N) · V``.

        Parameters
        ----------
        visibilities : array, shape (…, rows) or (…, rows, channels)
            Calibrated visibilities, of the sign that the class states.

        Raises
        ------
        ShapeError
            As many visibilities as A does not have.
        """
        samples = self._samples
        if tuple(np.shape(visibilities)[-len(samples) :]) != samples:
            raise ShapeError(
                f"{self!r}.measurement expected visibilities of shape (…, {', '.join(map(str, samples))}), got "
                f"{tuple(np.shape(visibilities))}"
            )
        self._check_here("weights")
        given = np.ones((len(self), 1)[: self.range_ndim]) if self.weights is None else self.weights
        roots = backend.namespace(given).sqrt(given / backend.size(self.image_shape))
        return Diagonal(roots).A(visibilities)

    def dirty_image(self, y: Any) -> Any:
        """``Aᴴ y`` in flux a beam: a source of 1 Jy far from others has its peak at 1.

        Parameters
        ----------
        y : array
            A measurement, as A gives it; of an instrument's visibilities, that of `measurement`.

        Raises
        ------
        ParameterError
            All weights are 0, as those of a slice of flagged rows may be.
        """
        return self.A_adjoint(y) / self._seen()

    def psf(self) -> Any:
        """The point spread function (dirty beam) at the phase centre, of the image's shape, with peak 1.

        The dirty image of a source of 1 Jy in the middle pixel; as that, it needs a weight that is not 0.
        """
        self._seen()
        rows, columns = self.image_shape
        source = np.zeros(self.image_shape)
        source[rows // 2, columns // 2] = 1.0
        return self.dirty_image(self.A(source))

    @property
    def beam_sum(self) -> float:
        """``Σ w / N``: AᴴA's response to a source in its own pixel."""
        self._check_here("weights")
        count = len(self) * (1 if self.frequencies is None else int(self.frequencies.shape[0]))
        if self.weights is None:
            return count / backend.size(self.image_shape)
        weights = backend.to_numpy(self.weights)
        return float(weights.sum()) * (count / weights.size) / backend.size(self.image_shape)

    def _seen(self) -> float:
        """`beam_sum` where it is not 0."""
        if not (beam := self.beam_sum):
            raise ParameterError(
                f"{self!r} expected at least one visibility that is not flagged for psf and dirty_image, which divide by "
                f"the sum of the weights, got weights that are all 0"
            )
        return beam

    @property
    def _samples(self) -> tuple[int, ...]:
        """The shape of a measurement."""
        rows = (len(self),)
        return rows if self.frequencies is None else (*rows, int(self.frequencies.shape[0]))

    def _summary(self) -> str:
        return summary(self, self._samples)
