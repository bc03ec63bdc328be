"""ISMRMRD files, written by the ismrmrd package itself."""

import sys

import numpy as np
import pytest
from cases import raises

from daskphys.errors import MissingDependencyError, ParameterError
from daskphys.interop.ismrmrd import read_ismrmrd
from daskphys.physics import MultiCoilMRI, NonCartesianMRI
from daskphys.physics.mri import birdcage_maps, equispaced_mask, radial

ismrmrd = pytest.importorskip("ismrmrd")

HEADER = """<?xml version="1.0"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD" xmlns:xs="http://www.w3.org/2001/XMLSchema">
 <experimentalConditions><H1resonanceFrequency_Hz>63500000</H1resonanceFrequency_Hz></experimentalConditions>
 <encoding>
  <encodedSpace><matrixSize><x>{x}</x><y>{y}</y><z>{z}</z></matrixSize>
   <fieldOfView_mm><x>300</x><y>200</y><z>6</z></fieldOfView_mm></encodedSpace>
  <reconSpace><matrixSize><x>{x}</x><y>{y}</y><z>{z}</z></matrixSize>
   <fieldOfView_mm><x>300</x><y>200</y><z>6</z></fieldOfView_mm></reconSpace>
  <encodingLimits>
   <kspace_encoding_step_1><minimum>0</minimum><maximum>{last}</maximum><center>{centre}</center></kspace_encoding_step_1>
  </encodingLimits>
  <trajectory>{trajectory}</trajectory>
 </encoding>
</ismrmrdHeader>"""


def header(x, y, z=1, centre=None, trajectory="cartesian"):
    return HEADER.format(
        x=x, y=y, z=z, last=y - 1, centre=y // 2 if centre is None else centre, trajectory=trajectory
    )


def write(path, xml, lines):
    """A file with these lines: samples (coil, sample), and what else an acquisition says."""
    made = ismrmrd.Dataset(str(path), "dataset")
    made.write_xml_header(xml.encode())
    for samples, facts in lines:
        traj = facts.pop("traj", None)
        flags = facts.pop("flags", ())
        acquisition = ismrmrd.Acquisition.from_array(samples.astype(np.complex64), traj)
        acquisition.center_sample = facts.pop("center_sample", samples.shape[1] // 2)
        for flag in flags:
            acquisition.set_flag(flag)
        for name in ("discard_pre", "discard_post", "encoding_space_ref"):
            if name in facts:
                setattr(acquisition, name, facts.pop(name))
        for name, value in facts.items():
            setattr(acquisition.idx, name, value)
        made.append_acquisition(acquisition)
    made.close()
    return path


def random(rng, *shape):
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def test_a_cartesian_scan(tmp_path, rng):
    mask = equispaced_mask((20, 16), 2, 6).T[:16]  # lines vary along the first axis of (16, 20)
    x = random(rng, 16, 20)
    A = MultiCoilMRI(birdcage_maps(3, x.shape), mask)
    y = A(x)
    lines = [(y[:, i], {"kspace_encode_step_1": i}) for i in np.flatnonzero(mask[:, 0])]
    noise = (random(rng, 3, 7), {"flags": [ismrmrd.ACQ_IS_NOISE_MEASUREMENT]})
    others = [
        (random(rng, 3, 20), {"flags": [flag], "kspace_encode_step_1": 8})
        for flag in (ismrmrd.ACQ_IS_PHASE_STABILIZATION, ismrmrd.ACQ_IS_PHASE_STABILIZATION_REFERENCE)
    ]
    scan = read_ismrmrd(write(tmp_path / "scan.h5", header(20, 16), [noise, *others, *lines]))
    np.testing.assert_array_equal(scan.kspace, y)
    np.testing.assert_array_equal(scan.mask, mask)
    assert scan.kspace.dtype == np.complex64
    assert (scan.trajectory, scan.axes, scan.field_of_view) == (None, (), (6.0, 200.0, 300.0))
    assert repr(scan) == "Scan(kspace of (3, 16, 20), mask of (16, 20), 6 × 200 × 300 mm)"
    assert scan.header.experimentalConditions.H1resonanceFrequency_Hz == 63500000
    np.testing.assert_array_equal(MultiCoilMRI(birdcage_maps(3, x.shape), scan.mask)(x), scan.kspace)


def test_lines_for_calibration_alone_fill_what_no_line_of_the_image_does(tmp_path, rng):
    y, spare = random(rng, 2, 8, 10), random(rng, 2, 8, 10)
    lines = [(y[:, i], {"kspace_encode_step_1": i}) for i in range(0, 8, 2)]
    alone = {"flags": [ismrmrd.ACQ_IS_PARALLEL_CALIBRATION]}
    apart = [(spare[:, i] * sign, alone | {"kspace_encode_step_1": i}) for i in (3, 4) for sign in (0.5, 1.5)]
    scan = read_ismrmrd(write(tmp_path / "scan.h5", header(10, 8), [*apart, *lines]))
    np.testing.assert_array_equal(scan.kspace[:, ::2], y[:, ::2])
    np.testing.assert_allclose(scan.kspace[:, 3], spare[:, 3], atol=1e-6)
    assert scan.mask[:, 0].tolist() == [True, False, True, True, True, False, True, False]


def test_frames_slices_averages_and_partial_echoes(tmp_path, rng):
    y = random(rng, 2, 3, 4, 8, 10)  # repetition, slice, coil
    y[..., :2] = 0  # the echo begins late
    lines = [
        (
            y[r, s, :, i, 2:] * (1 + sign),
            {"kspace_encode_step_1": i, "repetition": r, "slice": s, "center_sample": 3},
        )
        for r in range(2)
        for s in range(3)
        for i in range(8)
        for sign in (0.5, -0.5)  # two averages
    ]
    scan = read_ismrmrd(write(tmp_path / "scan.h5", header(10, 8), lines))
    assert scan.axes == ("repetition", "slice")
    assert "axes repetition, slice, 6 × 200 × 300 mm" in repr(scan)
    np.testing.assert_allclose(scan.kspace, y, atol=1e-6)
    assert scan.mask.shape == (2, 3, 8, 10)
    assert not scan.mask[..., :2].any()
    assert scan.mask[..., 2:].all()


def test_a_volume_with_its_centre_elsewhere_reversed_and_with_samples_to_discard(tmp_path, rng):
    y = random(rng, 2, 4, 6, 8)
    lines = []
    for k in range(4):
        for i in range(1, 6):
            facts = {"kspace_encode_step_1": i - 1, "kspace_encode_step_2": k, "center_sample": 6}
            samples = np.pad(y[:, k, i], ((0, 0), (2, 1)))
            lines.append((samples, facts | {"discard_pre": 2, "discard_post": 1}))
    lines[0] = (lines[0][0].copy(), lines[0][1] | {"flags": [ismrmrd.ACQ_IS_REVERSE]})
    lines[0][0][:, 2:10] = y[:, 0, 1, ::-1]
    scan = read_ismrmrd(write(tmp_path / "scan.h5", header(8, 6, 4, centre=2), lines))
    y[:, :, 0] = 0
    np.testing.assert_array_equal(scan.kspace, y)
    assert scan.mask.sum() == 4 * 5 * 8


def test_a_trajectory(tmp_path, rng):
    k = radial(6, 20)
    maps, x = birdcage_maps(2, (12, 14)), random(rng, 12, 14)
    y = NonCartesianMRI(k, maps)(x).reshape(2, 6, 20)
    lines = [(y[:, i], {"traj": np.ascontiguousarray(k[i, :, ::-1], np.float32)}) for i in range(6)]
    scan = read_ismrmrd(write(tmp_path / "scan.h5", header(14, 12, trajectory="radial"), lines))
    np.testing.assert_array_equal(scan.kspace, y)
    np.testing.assert_array_equal(scan.trajectory, k.astype(np.float32))
    assert scan.mask is None
    again = NonCartesianMRI(scan.trajectory, maps)(x)
    np.testing.assert_allclose(again.reshape(2, 6, 20), y, atol=1e-4 * abs(y).max())


def test_bad_files(tmp_path, rng):
    line = random(rng, 2, 10), {"kspace_encode_step_1": 3}
    with raises(FileNotFoundError, "no.h5"):
        read_ismrmrd(tmp_path / "no.h5")
    (tmp_path / "text.h5").write_text("no such file format")
    with raises(ParameterError, "text.h5", "another or damaged"):
        read_ismrmrd(tmp_path / "text.h5")
    good = write(tmp_path / "good.h5", header(10, 8), [line])
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    with raises(ParameterError, "damaged.h5", "another or damaged"):
        read_ismrmrd(damaged)
    with raises(ParameterError, "'other'", "'dataset'", "good.h5"):
        read_ismrmrd(good, dataset="other")
    with raises(ParameterError, "encoding from 0 to 0", "got 1"):
        read_ismrmrd(good, encoding=1)
    with raises(ParameterError, "broken.h5", "another or damaged"):
        read_ismrmrd(write(tmp_path / "broken.h5", "<ismrmrdHeader>", [line]))
    with raises(ParameterError, "within the matrix (2, 10)", "(3,)"):
        read_ismrmrd(write(tmp_path / "small.h5", header(10, 2), [line]))
    with raises(ParameterError, "within the matrix (8, 6)", "samples -2 to 7"):
        read_ismrmrd(write(tmp_path / "short.h5", header(6, 8), [line]))
    with raises(ParameterError, "one number of coils", "[2, 3]"):
        read_ismrmrd(write(tmp_path / "coils.h5", header(10, 8), [line, (random(rng, 3, 10), {})]))
    with raises(ParameterError, "dimensions", "got 0"):
        read_ismrmrd(write(tmp_path / "spiral.h5", header(10, 8, trajectory="spiral"), [line]))
    noise = random(rng, 2, 10), {"flags": [ismrmrd.ACQ_IS_NOISE_MEASUREMENT]}
    with raises(ParameterError, "noise.h5", "got none"):
        read_ismrmrd(write(tmp_path / "noise.h5", header(10, 8), [noise]))


def test_without_the_library_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ismrmrd", None)
    with raises(MissingDependencyError, "ismrmrd", "pip install 'daskphys[ismrmrd]'"):
        read_ismrmrd(tmp_path / "scan.h5")
