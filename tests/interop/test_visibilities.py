"""Files of visibilities, written by pyuvdata itself: in its own environment, since it wants an older NumPy."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import raises

from daskphys.errors import MissingDependencyError, ParameterError
from daskphys.interop.visibilities import read_visibilities

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/visibilities.py"


def test_without_the_library_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyuvdata", None)
    with raises(MissingDependencyError, "pyuvdata", "pip install 'daskphys[visibilities]'"):
        read_visibilities(tmp_path / "night.uvh5")


@pytest.fixture
def night():
    pytest.importorskip("pyuvdata")
    pytest.importorskip("xarray")
    return runpy.run_path(str(EXAMPLE))["observation"]()


def test_the_dataset(night, tmp_path):
    night.flag_array[5, 1, 0] = True
    night.nsample_array[:] = 4.0
    night.write_uvh5(str(tmp_path / "night.uvh5"))
    data = read_visibilities(tmp_path / "night.uvh5")
    assert data.visibilities.dims == data.weights.dims == ("polarization", "row", "channel")
    assert dict(data.sizes) == {"polarization": 2, "row": 12 * 9 * 8 // 2, "channel": 2, "axis": 3}
    assert (data.antenna_1.values != data.antenna_2.values).all()
    assert data.attrs["declination"] == pytest.approx(0.5995)
    assert data.uvw.units == "m"
    night.select(ant_str="cross")
    flagged = night.flag_array[..., 0]
    np.testing.assert_array_equal(data.weights[0], 4.0 * ~flagged)
    assert flagged.sum() == 1
    np.testing.assert_array_equal(data.visibilities[1], night.data_array[..., 1])
    np.testing.assert_array_equal(data.uvw, -night.uvw_array)


def test_a_source_is_where_pyuvdata_put_it(night):
    """The output that docs/operators/radio.md shows: 9 cells of 1e-4 to the east, 5 to the north."""
    done = subprocess.run([sys.executable, "-W", "error", EXAMPLE], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    page = (ROOT / "docs/operators/radio.md").read_text("utf-8")
    assert f"```text\n{done.stdout}```" in page
    assert "rr: 1.000 Jy a beam at l = 0.0009, m = 0.0005" in done.stdout


def test_without_a_phase_centre_it_is_refused(night, tmp_path):
    night.unproject_phase()
    night.write_uvh5(str(tmp_path / "drift.uvh5"))
    with raises(ParameterError, "one sidereal phase centre", "unprojected", "UVData.phase"):
        read_visibilities(tmp_path / "drift.uvh5")
