"""Where an array of antennas samples the (u, v) plane."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError, checks_keywords
from daskphys.physics.radio.coordinates import real_array
from daskphys.physics.radio.gridder import LIGHT


@checks_keywords
def enu_to_equatorial(positions: Any, latitude: float) -> np.ndarray:
    """Positions (east, north, up) at a site as (X, Y, Z): X to the meridian, Y to the east, Z to the north pole.

    Parameters
    ----------
    positions : array, shape (antennas, 3)
        Metres.
    latitude : float
        Of the site, in radians.

    Returns
    -------
    array, shape (antennas, 3)
        Metres.

    Raises
    ------
    ShapeError
        Positions of another shape.
    ParameterError
        NaN; a latitude beyond the poles, as one in degrees is.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.radio import enu_to_equatorial
    >>> enu_to_equatorial([[0.0, 0.0, 1.0]], latitude=np.pi / 2).round(9)  # up, at the pole
    array([[0., 0., 1.]])
    """
    east, north, up = _positions(positions, "enu_to_equatorial").T
    angle = _angle(latitude, "enu_to_equatorial", "latitude", np.pi / 2)
    sin, cos = np.sin(angle), np.cos(angle)
    return np.stack([up * cos - north * sin, east, north * cos + up * sin], -1)


@checks_keywords
def itrf_to_equatorial(positions: Any, longitude: float | None = None) -> np.ndarray:
    """Geocentric positions (ITRF, ECEF) as (X, Y, Z) of the array's own meridian, which they are turned to.

    Parameters
    ----------
    positions : array, shape (antennas, 3)
        Metres.
    longitude : float, optional
        Of the meridian that hour angles refer to, in radians, east positive; by default that of the mean position.

    Returns
    -------
    array, shape (antennas, 3)
        Metres.

    Raises
    ------
    ShapeError
        Positions of another shape.
    ParameterError
        NaN; a longitude beyond a whole turn, as one in degrees is.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.radio import itrf_to_equatorial
    >>> itrf_to_equatorial([[0.0, 6.4e6, 0.0]], longitude=np.pi / 2).round(3) + 0.0  # on the meridian of 90° east
    array([[6400000.,       0.,       0.]])
    """
    x, y, z = _positions(positions, "itrf_to_equatorial").T
    turn = (
        np.arctan2(y.mean(), x.mean())
        if longitude is None
        else _angle(longitude, "itrf_to_equatorial", "longitude")
    )
    sin, cos = np.sin(turn), np.cos(turn)
    return np.stack([x * cos + y * sin, y * cos - x * sin, z], -1)


@checks_keywords
def uv_coverage(
    antenna_positions: Any,
    hour_angles: Any,
    declination: float,
    *,
    latitude: float | None = None,
    frequency: float | None = None,
) -> np.ndarray:
    """(u, v, w) of all baselines of an array that follows a source.

    u points to the east, v to the north and w to the source; a baseline (p, q), p < q, is the position of p less that
    of q, so that the other order has the conjugate visibility.

    Parameters
    ----------
    antenna_positions : array, shape (antennas, 3)
        Metres: with `latitude` (east, north, up) at the site, without it the equatorial (X, Y, Z) of
        `itrf_to_equatorial`.
    hour_angles : array, shape (times,)
        Radians, positive to the west.
    declination : float
        Of the source, in radians.
    latitude : float, optional
        Of the site, in radians.
    frequency : float, optional
        Hz; the result is in wavelengths then, else in metres.

    Returns
    -------
    array, shape (times · antennas · (antennas − 1) / 2, 3)
        The baselines (0, 1), (0, 2), …, (1, 2), … of the first hour angle, then those of the next.

    Raises
    ------
    ShapeError
        Fewer than two antennas, or positions or hour angles of another shape.
    ParameterError
        NaN; a declination or latitude beyond the poles; hour angles beyond a whole turn, as those in degrees are; a
        frequency that is not above 0.

    References
    ----------
    A. R. Thompson, J. M. Moran and G. W. Swenson, "Interferometry and Synthesis in Radio Astronomy", 3rd ed. (2017),
    eq. 4.1 (u, v, w of X, Y, Z) and 4.4 (the site's axes).

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.radio import uv_coverage
    >>> two = [[0.0, 0, 0], [100.0, 0, 0]]  # 100 m to the east of each other
    >>> uv_coverage(two, [0.0], declination=0.5, latitude=0.6).round(9) + 0.0
    array([[-100.,    0.,    0.]])
    """
    owner = "uv_coverage"
    if latitude is None:
        xyz = _positions(antenna_positions, owner)
    else:
        _positions(antenna_positions, owner)
        _angle(latitude, owner, "latitude", np.pi / 2)
        xyz = enu_to_equatorial(antenna_positions, latitude)
    hours = backend.to_numpy(real_array(hour_angles, owner, "hour_angles"))
    if hours.ndim != 1 or hours.size == 0:
        raise ShapeError(f"{owner} expected hour_angles of shape (times,), got {hours.shape}")
    _angle(float(hours[np.abs(hours).argmax()]), owner, "hour angle")
    if len(xyz) < 2:
        raise ShapeError(f"{owner} expected at least two antennas, got {len(xyz)}")
    delta = _angle(declination, owner, "declination", np.pi / 2)
    first, second = np.triu_indices(len(xyz), 1)
    x, y, z = (xyz[first] - xyz[second]).T
    sin_h, cos_h = np.sin(hours)[:, None], np.cos(hours)[:, None]
    sin_d, cos_d = np.sin(delta), np.cos(delta)
    towards = cos_h * x - sin_h * y  # in the equator's plane, to the source's meridian
    uvw = np.stack([sin_h * x + cos_h * y, cos_d * z - sin_d * towards, sin_d * z + cos_d * towards], -1)
    return uvw.reshape(-1, 3) * _waves(frequency, owner)


def _positions(given: Any, owner: str) -> np.ndarray:
    positions = backend.to_numpy(real_array(given, owner, "antenna positions"))
    if positions.ndim != 2 or positions.shape[1] != 3 or len(positions) == 0:
        raise ShapeError(f"{owner} expected antenna positions of shape (antennas, 3), got {positions.shape}")
    return positions


def _angle(given: Any, owner: str, name: str, largest: float = 2 * np.pi) -> float:
    if not isinstance(given, numbers.Real) or not abs(float(given)) <= largest * (1 + 1e-9):
        raise ParameterError(
            f"{owner} expected the {name} within ±{largest:.4g} radians, got {given!r}: degrees are np.radians(…)"
        )
    return float(given)


def _waves(frequency: Any, owner: str) -> float:
    """Wavelengths a metre."""
    if frequency is None:
        return 1.0
    if not isinstance(frequency, numbers.Real) or not 0 < float(frequency) < np.inf:
        raise ParameterError(f"{owner} expected a frequency above 0 Hz, got {frequency!r}")
    return float(frequency) / LIGHT
