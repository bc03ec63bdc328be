"""An observation written by pyuvdata, read as an xarray dataset, and imaged: ``python examples/visibilities.py``.

Needs ``pip install 'daskphys[interferometry,visibilities]'``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from astropy.coordinates import EarthLocation
from pyuvdata import Telescope, UVData

from daskphys.interop.visibilities import read_visibilities
from daskphys.physics import Interferometry
from daskphys.physics.radio import VLA_LATITUDE, VLA_LONGITUDE, vla_positions

CELL = 1e-4


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "night.uvh5"
        observation().write_uvh5(str(path))
        data = read_visibilities(path)
    print(f"{data.telescope}, declination {np.degrees(data.declination):.2f}°:", dict(data.sizes))
    A = Interferometry(data.uvw.values, CELL, (64, 64), data.frequency.values)
    dirty = A.dirty_image(A.measurement(data.visibilities.values))
    for name, image in zip(data.polarization.values, dirty, strict=True):
        row, column = np.unravel_index(image.argmax(), image.shape)
        l, m = (column - 32) * CELL, (row - 32) * CELL  # noqa: E741
        print(f"{name}: {image.max():.3f} Jy a beam at l = {l:.4f}, m = {m:.4f}")


def observation() -> UVData:
    """A source of 1 and 3 Jy in two polarisations, seen by nine of the VLA's antennas.

    It is put into the phase centre, which pyuvdata then moves 5 cells to the south and 9 to the west.
    """
    positions = vla_positions()[::3] - vla_positions().mean(0)
    telescope = Telescope.new(
        name="VLA",
        location=EarthLocation.from_geodetic(*np.degrees([VLA_LONGITUDE, VLA_LATITUDE]), 2124),
        instrument="VLA",
        antenna_positions=dict(enumerate(positions)),
        mount_type="alt-az",
        feeds=["r", "l"],
        feed_angle=[0.0, 0.0],
    )
    made = UVData.new(
        freq_array=np.array([1.40e9, 1.45e9]),
        polarization_array=["rr", "ll"],
        times=2460000.0 + np.arange(12) * 0.01,
        telescope=telescope,
        do_blt_outer=True,
        channel_width=1e6,
        integration_time=10.0,
        vis_units="Jy",
        empty=True,
    )
    ra, dec = float(made.lst_array.mean()), 0.6
    phase(made, "source", ra, dec)
    made.data_array[:] = [1.0, 3.0]
    phase(made, "field", ra - 9 * CELL / np.cos(dec), dec - 5 * CELL)
    return made


def phase(data: UVData, name: str, ra: float, dec: float) -> None:
    data.phase(lon=ra, lat=dec, cat_name=name, phase_frame="icrs", cat_type="sidereal")


if __name__ == "__main__":
    main()
