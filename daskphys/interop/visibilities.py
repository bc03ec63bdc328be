"""Visibilities of files that pyuvdata reads, as an xarray dataset."""

from __future__ import annotations

import os
from typing import Any

from daskphys.errors import MissingDependencyError, ParameterError

__all__ = ["read_visibilities"]


def read_visibilities(path: str | os.PathLike[str]) -> Any:
    """The visibilities of a file, in the signs and units of `Interferometry`.

    Parameters
    ----------
    path : path
        A UVFITS or UVH5 file, a measurement set, or another that ``pyuvdata.UVData.from_file`` knows by itself.

    Returns
    -------
    xarray.Dataset
        Without autocorrelations:

        - ``visibilities`` (polarization, row, channel), complex, in the file's own units;
        - ``weights`` (polarization, row, channel): how many samples each is the mean of, 0 where it is flagged;
        - ``uvw`` (row, axis), metres; ``time`` (row), Julian days; ``antenna_1`` and ``antenna_2`` (row);
        - ``frequency`` (channel), Hz; ``polarization``, as ``"xx"`` or ``"rr"``.

        Its attributes are the telescope's name and the phase centre's right ascension and declination in radians.

    Raises
    ------
    MissingDependencyError
        pyuvdata or xarray is not installed.
    ParameterError
        The file has no phase centre that follows the sky, or several: `UVData.phase` it first.

    Notes
    -----
    pyuvdata's (u, v, w) is the position of the second antenna less that of the first, for a visibility with the
    sign exp(+2πi …); here it is the negative, with exp(−2πi …).

    Examples
    --------
    >>> from daskphys.interop.visibilities import read_visibilities
    >>> data = read_visibilities("night.uvh5")  # doctest: +SKIP
    >>> A = Interferometry(data.uvw.values, cell_size=1e-4, image_shape=(256, 256),
    ...                    frequencies=data.frequency.values)  # doctest: +SKIP
    >>> dirty = A.dirty_image(A.measurement(data.visibilities.values))  # doctest: +SKIP
    """
    try:
        import xarray
        from pyuvdata import UVData
    except ImportError as error:
        raise MissingDependencyError(
            "read_visibilities needs pyuvdata and xarray: pip install 'daskphys[visibilities]'"
        ) from error
    data = UVData.from_file(os.fspath(path))
    centres = [data.phase_center_catalog[i] for i in sorted(set(data.phase_center_id_array.tolist()))]
    if len(centres) != 1 or centres[0]["cat_type"] != "sidereal":
        found = ", ".join(f"{c['cat_name']} ({c['cat_type']})" for c in centres)
        raise ParameterError(
            f"read_visibilities expected one sidereal phase centre in {os.fspath(path)}, got {found}: phase it first, "
            f"with UVData.phase"
        )
    data.select(ant_str="cross")
    axes = ("row", "channel", "polarization")
    weights = data.nsample_array * ~data.flag_array
    made = xarray.Dataset(
        {
            "visibilities": (axes, data.data_array),
            "weights": (axes, weights),
            "uvw": (("row", "axis"), -data.uvw_array, {"units": "m"}),
        },
        coords={
            "frequency": ("channel", data.freq_array, {"units": "Hz"}),
            "polarization": data.get_pols(),
            "time": ("row", data.time_array, {"units": "Julian days"}),
            "antenna_1": ("row", data.ant_1_array),
            "antenna_2": ("row", data.ant_2_array),
        },
        attrs={
            "telescope": data.telescope.name,
            "right_ascension": float(centres[0]["cat_lon"]),
            "declination": float(centres[0]["cat_lat"]),
            "units": data.vis_units,
        },
    )
    return made.transpose("polarization", "row", "channel", "axis")
