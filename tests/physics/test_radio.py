"""Radio interferometry, against direct sums over the pixels."""

import dask.array as da
import numpy as np
import pytest
from cases import raises
from hypothesis import given, settings
from hypothesis import strategies as st

from daskphys import optim
from daskphys.errors import DtypeError, FallbackWarning, ParameterError, ShapeError, UnknownKeywordError
from daskphys.physics import Interferometry, Toeplitz, stack
from daskphys.physics.radio import (
    VLA_LATITUDE,
    VLA_LONGITUDE,
    briggs_weights,
    enu_to_equatorial,
    itrf_to_equatorial,
    natural_weights,
    uniform_weights,
    uv_coverage,
    visibilities,
    vla_positions,
)

CELL = 2e-3
LIGHT = 299_792_458.0


def coordinates(rows, seed=0, w=0.5):
    """(u, v, w) up to Nyquist's limit, in wavelengths."""
    return np.random.default_rng(seed).uniform(-1, 1, (rows, 3)) * [0.5, 0.5, w] / CELL


def phases(uvw, shape, cell=CELL):
    """exp(−2πi (u l + v m + w (n − 1))), shape (rows, *shape): the measurement equation as it is written."""
    m, ell = ((np.arange(n) - n // 2) * cell for n in shape)
    m, ell = m[:, None], ell[None, :]
    n = np.sqrt(1 - ell**2 - m**2)
    u, v, w = (column[:, None, None] for column in uvw.T)
    return np.exp(-2j * np.pi * (u * ell + v * m + w * (n - 1)))


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.integers(1, 41), st.integers(1, 40)),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 99),
)
def test_products_are_the_direct_sums(shape, rows, wterm, seed):
    uvw = coordinates(rows, seed)
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal(shape), rng.standard_normal(rows) + 1j * rng.standard_normal(rows)
    A = Interferometry(uvw, CELL, shape, wterm=wterm)
    E = phases(uvw if wterm else uvw * [1, 1, 0], shape) / np.sqrt(x.size)
    np.testing.assert_allclose(A(x), np.einsum("rhw,hw->r", E, x), atol=1e-10 * np.abs(x).sum())
    back = np.einsum("rhw,r->hw", E.conj(), y).real
    np.testing.assert_allclose(A.A_adjoint(y), back, atol=1e-10 * np.abs(y).sum())


@pytest.mark.parametrize(
    ("dtype", "eps", "error"), [("float64", None, 2e-12), ("float32", None, 5e-6), ("float32", 1e-7, 3e-7)]
)
def test_the_accuracy_asked_for_and_an_exact_adjoint(dtype, eps, error, rng):
    uvw, shape = coordinates(300), (64, 50)
    A = Interferometry(uvw, CELL, shape, eps=eps)
    x = rng.standard_normal(shape).astype(dtype)
    y = A(x)
    assert y.dtype == np.result_type(dtype, np.complex64)
    exact = np.einsum("rhw,hw->r", phases(uvw, shape), x) / np.sqrt(x.size)
    assert np.linalg.norm(y - exact) < error * np.linalg.norm(exact)
    z = (rng.standard_normal(300) + 1j * rng.standard_normal(300)).astype(y.dtype)
    back = A.A_adjoint(z)
    assert back.dtype == dtype
    left, right = np.vdot(y.astype(complex), z).real, np.vdot(x.astype(float), back)
    limit = 1e-14 if dtype == "float64" else 1e-7
    assert abs(left - right) < limit * np.linalg.norm(y) * np.linalg.norm(z)


def test_channels_are_frequencies_of_metres(rng):
    metres, hertz = coordinates(50) * 0.2, np.array([1.0e9, 1.1e9, 1.3e9])
    weights = rng.random((50, 3))
    A = Interferometry(metres, CELL, (32, 40), hertz, weights)
    x = rng.random((2, 32, 40))
    y = A(x)
    assert y.shape == (2, 50, 3)
    for c, f in enumerate(hertz):
        one = Interferometry(metres * f / LIGHT, CELL, (32, 40), weights=weights[:, c])
        np.testing.assert_allclose(y[..., c], one(x), atol=1e-10)
        np.testing.assert_allclose(A[3:7](x)[..., c], one[3:7](x), atol=1e-10)
    shared = Interferometry(metres, CELL, (32, 40), hertz, weights[:, 0])
    np.testing.assert_allclose(shared(x)[..., 1] * np.sqrt(weights[:, 1] / weights[:, 0]), y[..., 1])
    assert shared.beam_sum == pytest.approx(3 * weights[:, 0].sum() / 1280)


def test_on_the_image_s_own_frequencies_it_is_the_orthonormal_fft(rng):
    n = 32
    k = np.fft.fftfreq(n, CELL)
    u, v = np.meshgrid(k, k)
    A = Interferometry(np.stack([u, v, 0 * u], -1).reshape(-1, 3), CELL, (n, n))
    x = rng.standard_normal((n, n))
    expected = np.fft.fft2(np.fft.ifftshift(x), norm="ortho")
    np.testing.assert_allclose(A(x).reshape(n, n), expected, atol=1e-10)
    np.testing.assert_allclose(A.A_adjoint_A(x), x, atol=1e-10)


def test_without_w_the_normal_is_the_convolution_with_the_beam(rng):
    weights = rng.random(400)
    A = Interferometry(coordinates(400) * [1, 1, 0], CELL, (32, 40), weights=weights)
    N = A.normal((32, 40))
    x = rng.random((2, 32, 40))
    assert isinstance(N, Toeplitz)
    np.testing.assert_allclose(N(x), A.A_adjoint(A(x)), atol=1e-10)
    assert N.diagonal().item() == pytest.approx(A.beam_sum)
    both = stack(A, Interferometry(coordinates(30, 1), CELL, (32, 40), wterm=False))
    np.testing.assert_allclose(both.normal((32, 40))(x), both.A_adjoint(both(x)), atol=1e-10)


def test_with_w_nothing_merges_and_nothing_is_approximated(rng):
    A = Interferometry(coordinates(60), CELL, (32, 32))
    assert A.normal_kind is None
    x = rng.random((32, 32))
    np.testing.assert_allclose(A.normal(x.shape)(x), A.A_adjoint(A(x)), atol=1e-12)


def test_runs_of_rows_depend_on_the_operator_alone(rng):
    n = (1 << 15) + 5
    A = Interferometry(coordinates(n), CELL, (32, 32))
    assert A.counts == ((1 << 14) + 3, (1 << 14) + 2)
    x = rng.random((32, 32), dtype=np.float32)
    y = A(x)
    first = A.counts[0]
    np.testing.assert_array_equal(A[:first](x), y[:first])
    np.testing.assert_allclose(A[7](x), y[7], rtol=1e-4, atol=1e-5)
    for wterm, together in ((True, 250 * 500), (False, 250 * 250)):
        made = Interferometry(coordinates(2 * together), CELL, (250, 500), wterm=wterm)
        assert made.counts == (together, together)
    many = Interferometry(coordinates(3), CELL, (32, 32), [LIGHT] * (1 << 14))
    assert many.counts == (1, 1, 1)


def test_a_slice_whose_rows_are_all_flagged_has_no_beam():
    weights = np.ones(30)
    weights[:10] = 0
    A = Interferometry(coordinates(30), CELL, (32, 40), weights=weights)
    flagged = A[:10]
    for image in (flagged.psf, lambda: flagged.dirty_image(np.zeros(10, complex))):
        with raises(ParameterError, repr(flagged), "at least one", "not flagged", "all 0"):
            image()
    assert flagged.beam_sum == 0
    assert A[5:15].psf().max() == pytest.approx(1)


def test_dirty_image_and_beam(rng):
    uvw, weights = coordinates(500), rng.uniform(0.5, 1.5, 500)
    A = Interferometry(uvw, CELL, (48, 64), weights=weights)
    beam = A.psf()
    assert beam.shape == (48, 64)
    assert beam[24, 32] == beam.max() == pytest.approx(1.0)
    E = phases(uvw, (48, 64))
    np.testing.assert_allclose(
        beam, np.einsum("rhw,r->hw", E.conj(), weights).real / weights.sum(), atol=1e-9
    )
    sky = np.zeros((48, 64))
    sky[20, 40] = 3.0
    seen = np.einsum("rhw,hw->r", E, sky)  # in Jy, as an instrument gives it
    np.testing.assert_allclose(A.measurement(seen), A(sky), atol=1e-10)
    dirty = A.dirty_image(A.measurement(seen))
    assert dirty.max() == dirty[20, 40] == pytest.approx(3.0)
    plain = Interferometry(uvw, CELL, (48, 64))
    np.testing.assert_allclose(plain.measurement(seen), plain(sky), atol=1e-10)
    with raises(ShapeError, "(…, 500)", "(3,)"):
        A.measurement(seen[:3])


def test_least_squares_find_the_sky(rng):
    A = Interferometry(coordinates(3000, w=0.2), CELL, (16, 16))
    x = rng.random((16, 16))
    np.testing.assert_allclose(optim.cg(A, A(x), rtol=1e-10), x, atol=1e-7)


# -- weights -----------------------------------------------------------------------------------------------


def density(uvw, shape):
    """Visibilities in each one's (u, v) cell, or mirrored into it: counted one by one."""
    cells = [tuple(np.rint(row[:2] * np.array(shape)[::-1] * CELL).astype(int)) for row in uvw]
    return np.array([sum(c in (other, (-other[0], -other[1])) for other in cells) for c in cells])


def test_weights_by_counting(rng):
    uvw, shape = coordinates(300) * 0.2, (64, 50)
    n = density(uvw, shape)
    assert n.max() > 2
    np.testing.assert_allclose(uniform_weights(uvw, CELL, shape), 1 / n)
    # Each cell has W = n for n visibilities: Σ W² over cells is Σ n over visibilities.
    f2 = 25.0 * len(n) / n.sum()
    np.testing.assert_allclose(briggs_weights(uvw, CELL, shape), 1 / (1 + f2 * n))
    natural = briggs_weights(uvw, CELL, shape, robust=5)
    np.testing.assert_allclose(natural, natural_weights(uvw), rtol=1e-6)
    uniform = briggs_weights(uvw, CELL, shape, robust=-5)
    np.testing.assert_allclose(uniform / uniform.sum(), (1 / n) / (1 / n).sum(), rtol=1e-6)
    # It does not matter in which order the antennas of a baseline are named.
    turned = np.where(rng.random((300, 1)) > 0.5, -uvw, uvw)
    np.testing.assert_allclose(briggs_weights(turned, CELL, shape), briggs_weights(uvw, CELL, shape))


def test_weights_of_channels_and_noise(rng):
    metres, hertz = coordinates(40) * 0.2, np.array([1.0e9, 1.2e9])
    noise = rng.random((40, 2))
    noise[3] = 0.0
    assert uniform_weights(metres, CELL, (32, 32), frequencies=hertz).shape == (40, 2)
    made = briggs_weights(metres, CELL, (32, 32), 0.5, frequencies=hertz, noise_weights=noise)
    flat = (metres[:, None] * hertz[:, None] / LIGHT).reshape(-1, 3)
    np.testing.assert_allclose(
        made.ravel(), briggs_weights(flat, CELL, (32, 32), 0.5, noise_weights=noise.ravel())
    )
    assert not uniform_weights(metres, CELL, (32, 32), frequencies=hertz, noise_weights=noise)[3].any()
    np.testing.assert_array_equal(natural_weights(metres, frequencies=hertz, noise_weights=noise), noise)


def test_robust_weights_trade_resolution_for_noise():
    uvw = uv_coverage(vla(), np.linspace(-0.5, 0.5, 8), 0.6, frequency=1.4e9)
    shape, cell = (128, 128), 1e-4
    widths, noises = [], []
    for robust in (-2.0, 0.0, 2.0):
        w = briggs_weights(uvw, cell, shape, robust)
        widths.append((Interferometry(uvw, cell, shape, weights=w, wterm=False).psf() > 0.5).sum())
        noises.append(np.sqrt((w**2).sum()) / w.sum())
    assert widths == sorted(widths)
    assert noises == sorted(noises, reverse=True)


# -- where antennas sample ---------------------------------------------------------------------------------


def vla():
    return itrf_to_equatorial(vla_positions(), VLA_LONGITUDE)


def rotation(axis, angle):
    i, j = [k for k in range(3) if k != axis]
    R = np.eye(3)
    R[i, i] = R[j, j] = np.cos(angle)
    R[i, j], R[j, i] = -np.sin(angle), np.sin(angle)
    return R


def test_coverage_by_unit_vectors(rng):
    """Against the axes of the (u, v, w) frame as vectors: w to the source, u to the east, v = w × u."""
    xyz, hours, dec = rng.standard_normal((4, 3)), np.array([-1.0, 0.3]), 0.7
    uvw = uv_coverage(xyz, hours, dec).reshape(2, 6, 3)
    for h, made in zip(hours, uvw, strict=True):
        # The meridian is in the plane Y = 0; hour angles grow to the west, where Y is negative.
        source = np.array([np.cos(dec) * np.cos(h), -np.cos(dec) * np.sin(h), np.sin(dec)])
        east = np.cross([0, 0, 1], source)
        east /= np.linalg.norm(east)
        frame = np.stack([east, np.cross(source, east), source])
        pairs = [(p, q) for p in range(4) for q in range(p + 1, 4)]
        np.testing.assert_allclose(made, [frame @ (xyz[p] - xyz[q]) for p, q in pairs], atol=1e-12)


def test_a_source_at_the_zenith_is_seen_by_the_ground_plan(rng):
    enu = rng.standard_normal((5, 3)) * 100
    uvw = uv_coverage(enu, [0.0], 0.6, latitude=0.6)
    p, q = np.triu_indices(5, 1)
    np.testing.assert_allclose(uvw, enu[p] - enu[q], atol=1e-10)
    np.testing.assert_allclose(uv_coverage(enu, [0.0], 0.6, latitude=0.6, frequency=LIGHT / 2), uvw / 2)


def test_local_and_geocentric_positions_agree(rng):
    """ITRF → (east, north, up) by rotations, and back by ours."""
    centred = vla_positions() - vla_positions().mean(0)
    lat, lon = VLA_LATITUDE, VLA_LONGITUDE
    east = np.array([-np.sin(lon), np.cos(lon), 0])
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    enu = centred @ np.stack([east, np.cross(up, east), up]).T
    assert np.abs(enu[:, 2]).max() < 10  # the plains of San Agustin are flat
    np.testing.assert_allclose(enu_to_equatorial(enu, lat), itrf_to_equatorial(centred, lon), atol=1e-9)


def test_the_vla_is_the_vla():
    """Three arms of nine stations, from 35 m to 1.03 km apart (NRAO's VLA Observational Status Summary)."""
    positions = vla_positions()
    assert positions.shape == (27, 3)
    p, q = np.triu_indices(27, 1)
    lengths = np.linalg.norm(positions[p] - positions[q], axis=1)
    assert 33 < lengths.min() < 45
    assert 1020 < lengths.max() < 1040
    # 0.1 m from where antennas ea06 and ea07, on N06 and E05, were in 2010, by their measurement set.
    for station, seen in (
        (23, (-1601162.591, -5041828.999, 3555095.8964)),
        (13, (-1601014.462, -5042086.252, 3554800.7998)),
    ):
        assert np.linalg.norm(positions[station] - seen) < 0.1


# -- bad input ---------------------------------------------------------------------------------------------

GOOD = {"uvw": coordinates(5), "cell_size": CELL, "image_shape": (32, 32)}


@pytest.mark.parametrize(
    ("bad", "error", "parts"),
    [
        ({"uvw": coordinates(5) * 2}, ParameterError, ("Nyquist", "250", "cell_size of at most")),
        ({"uvw": coordinates(5)[:, :2]}, ShapeError, ("(rows, 3)", "(5, 2)")),
        ({"uvw": np.zeros((0, 3))}, ShapeError, ("(rows, 3)", "(0, 3)")),
        ({"uvw": np.full((2, 3), np.nan)}, ParameterError, ("finite uvw", "NaN")),
        ({"uvw": coordinates(5) + 0j}, ParameterError, ("real uvw", "complex")),
        ({"cell_size": 0.0}, ParameterError, ("cell_size", "radians", "got 0.0")),
        ({"cell_size": "3 arcsec"}, ParameterError, ("cell_size", "radians", "3 arcsec")),
        ({"image_shape": (32,)}, ParameterError, ("two sizes", "(32,)")),
        ({"image_shape": (32, 0)}, ParameterError, ("two sizes", "(32, 0)")),
        ({"image_shape": (900, 900)}, ParameterError, ("horizon", "1.62", "wterm=False")),
        ({"frequencies": [0.0]}, ParameterError, ("above 0 Hz", "got 0")),
        ({"frequencies": 1e9}, ShapeError, ("(channels,)", "got ()")),
        ({"frequencies": [1e9]}, ParameterError, ("Nyquist", "metres with frequencies in Hz")),
        ({"weights": np.ones(4)}, ShapeError, ("weights of shape (5,)", "(4,)")),
        ({"weights": -np.ones(5)}, ParameterError, ("not negative", "-1")),
        ({"weights": np.zeros(5)}, ParameterError, ("not all zero", "from 0 to 0")),
        ({"eps": 1e-14}, ParameterError, ("2.1e-13 <= eps < 1", "1e-14")),
        ({"wterm": 1}, ParameterError, ("wterm True or False", "got 1")),
    ],
)
def test_bad_parameters(bad, error, parts):
    with raises(error, "Interferometry expected", *parts):
        Interferometry(**{**GOOD, **bad})


def test_real_visibilities_are_visibilities(rng):
    A = Interferometry(**GOOD)
    y = rng.random(5, dtype=np.float32)
    back = A.A_adjoint(y)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, A.A_adjoint(y + 0j))


def test_an_image_on_a_gpu_goes_there_and_back_with_one_warning(monkeypatch):
    monkeypatch.setattr(visibilities.backend, "on_gpu", lambda x: True)
    visibilities._warn_of_gpu.cache_clear()
    A = Interferometry(**GOOD)
    with pytest.warns(FallbackWarning, match="ducc0 on the CPU") as seen:
        A(np.ones((32, 32)))
    assert [w.filename for w in seen] == [__file__]
    A(np.ones((32, 32)))  # pytest makes a second one an error


def test_tensors_as_parameters():
    torch = pytest.importorskip("torch")
    given = {name: torch.from_numpy(a) for name, a in (("uvw", GOOD["uvw"]), ("weights", np.arange(5.0)))}
    assert Interferometry(**GOOD | given) == Interferometry(**GOOD, weights=np.arange(5.0))


def test_bad_arguments():
    A = Interferometry(**GOOD)
    with raises(ShapeError, f"{A!r}: Visibilities(5 rows", "(32, 32)", "(32, 31)"):
        A(np.ones((32, 31)))
    with raises(DtypeError, repr(A), "expected a real image", "complex128"):
        A(np.ones((32, 32)) + 0j)
    with raises(ShapeError, repr(A), "5 sensors", "(4,)"):
        A.A_adjoint(np.ones(4) + 0j)


@pytest.mark.parametrize("shape", [(5, 1), (5, 3), (1, 2), (6, 2), (2,)])
@pytest.mark.parametrize("weights", [None, np.ones(5)])
def test_visibilities_of_other_rows_or_channels_are_not_stretched(shape, weights):
    A = Interferometry(**GOOD | {"uvw": GOOD["uvw"] * 0.1}, frequencies=[LIGHT, 1.1 * LIGHT], weights=weights)
    with raises(ShapeError, repr(A), "measurement expected", "(…, 5, 2)", str(shape)):
        A.measurement(np.ones(shape, complex))
    assert A.measurement(np.ones((3, 5, 2), complex)).shape == (3, 5, 2)


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda: uv_coverage(np.ones((1, 3)), [0.0], 0.5), ("two antennas", "got 1")),
        (lambda: uv_coverage(np.ones((3, 2)), [0.0], 0.5), ("(antennas, 3)", "(3, 2)")),
        (lambda: uv_coverage(np.ones((3, 3)), 0.0, 0.5), ("(times,)", "got ()")),
        (lambda: uv_coverage(np.ones((3, 3)), [0.0], 34.0), ("declination", "got 34.0", "np.radians")),
        (lambda: uv_coverage(np.ones((3, 3)), [-60.0, 60.0], 0.5), ("hour angle", "got -60.0", "np.radians")),
        (lambda: uv_coverage(np.ones((3, 3)), [0.0], 0.5, latitude=3.0), ("uv_coverage", "latitude", "3.0")),
        (
            lambda: enu_to_equatorial(np.ones((3, 3)), 34.0),
            ("enu_to_equatorial expected the latitude", "34.0"),
        ),
        (lambda: uv_coverage(da.ones((3, 3)), [0.0], 0.5), ("antenna positions in memory", "Dask array")),
        (lambda: natural_weights(da.ones((3, 3))), ("natural_weights expected uvw in memory", "Dask array")),
        (lambda: Interferometry(**GOOD, frequencies=da.ones(2)), ("frequencies in memory", "Dask array")),
        (lambda: uv_coverage(np.ones((3, 3)), [0.0], 0.5, frequency=0), ("above 0 Hz", "got 0")),
        (lambda: uv_coverage(np.full((3, 3), np.nan), [0.0], 0.5), ("finite", "NaN")),
        (lambda: briggs_weights(coordinates(5), CELL, (8, 8), np.nan), ("finite robust", "nan")),
        (lambda: uniform_weights(coordinates(5) * 3, CELL, (8, 8)), ("uniform_weights expected", "Nyquist")),
    ],
)
def test_bad_coverage_and_weights(call, parts):
    with raises((ShapeError, ParameterError), "expected", *parts):
        call()


def test_unknown_keywords():
    with raises(UnknownKeywordError, "briggs_weights", "'robustness'", "'robust'"):
        briggs_weights(GOOD["uvw"], CELL, (8, 8), robustness=0)
    with raises(UnknownKeywordError, "uv_coverage", "'lattitude'", "'latitude'"):
        uv_coverage(np.ones((3, 3)), [0.0], 0.5, lattitude=0.6)
