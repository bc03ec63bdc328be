"""Tomography against analytical integrals, scikit-image, dense matrices and ASTRA's own loops."""

from concurrent.futures import ThreadPoolExecutor

import astra
import numpy as np
import pytest
from cases import raises
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import iradon, radon

from daskphys import optim
from daskphys.errors import (
    ConvergenceWarning,
    DaskphysWarning,
    MissingDependencyError,
    ParameterError,
    ShapeError,
)
from daskphys.physics import Blur, Tomography, gaussian_blur
from daskphys.physics.cache import derived
from daskphys.physics.tomography import ellipse_sinogram, fbp, fbp_factors, shepp_logan
from daskphys.physics.tomography.backprojection import FILTERS, angle_weights
from daskphys.physics.tomography.scan import PROJECTORS

FAN = {"geometry": "fanbeam", "source_distance": 90.0, "detector_distance": 45.0}
KINDS = [(geometry, projector) for geometry, known in PROJECTORS.items() for projector in known]
ELLIPSE = [(1.0, 0.5, 0.25, 0.2, -0.3, 25.0)]


def beam(geometry):
    return FAN if geometry == "fanbeam" else {}


def far(got, expected):
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


def dense(A):
    n = A.image_shape[0] * A.image_shape[1]
    return A(np.eye(n).reshape(n, *A.image_shape)).reshape(n, -1).T


@pytest.mark.parametrize(("geometry", "projector"), KINDS)
@pytest.mark.parametrize("size", [100, 101])
def test_the_integrals_of_an_ellipse(geometry, projector, size):
    """In millimetres, off centre, turned: where it lies, how large it is, and which way angles go."""
    more = beam(geometry) | {"detector_spacing": 0.7}
    A = Tomography(np.arange(0, 360, 20.0), (size, size), pixel_size=0.5, projector=projector, **more)
    exact = ellipse_sinogram(A, ELLIPSE)
    y = A(shepp_logan(size, ELLIPSE))
    assert far(y, exact) < 0.025
    assert y.sum() == pytest.approx(exact.sum(), rel=2e-3)
    turned = Tomography(A.angles + 3.0, (size, size), pixel_size=0.5, projector=projector, **more)
    assert far(turned(shepp_logan(size, ELLIPSE)), exact) > 0.05


def test_an_image_that_is_no_square():
    A = Tomography(np.arange(0, 180, 15.0), (60, 100))
    image = np.zeros((100, 100))
    image[20:80] = shepp_logan(100, ELLIPSE)[20:80]
    whole = Tomography(A.angles, (100, 100), detectors=A.detectors)
    assert far(A(image[20:80]), whole(image)) < 1e-4


def test_scikit_image():
    angles, x = np.arange(0, 180, 5.0), shepp_logan(101)
    A = Tomography(angles, (101, 101), detectors=143)
    assert far(A(x), radon(x, angles, circle=False).T) < 0.02
    # scikit-image interpolates the filtered projections where we take the transpose.
    B = Tomography(angles, (101, 101), detectors=143, projector="strip")
    theirs = iradon(A(x).T, angles, circle=False, filter_name="hann")
    inside = np.hypot(*np.mgrid[-50:51, -50:51]) < 48
    assert far(fbp(B, A(x), "hann")[inside], theirs[inside]) < 0.02


@pytest.mark.parametrize(("geometry", "projector"), KINDS)
def test_the_loops_of_astra(geometry, projector, rng):
    """ASTRA called by hand, the matrix in both precisions, and its own loops behind `stored=False`."""
    more = beam(geometry) | {"detectors": 60, "detector_spacing": 1.5}
    A, B = (
        Tomography(np.arange(11) * 17.0, (30, 40), projector=projector, stored=s, **more)
        for s in (True, False)
    )
    x, y = rng.random((2, 30, 40)).astype(np.float32), rng.random((2, 11, 60)).astype(np.float32)
    scan = ("fanflat", 1.5, 60, np.deg2rad(A.angles), 90.0, 45.0)
    rays = astra.create_proj_geom(*(scan if geometry == "fanbeam" else ("parallel", *scan[1:4])))
    number = astra.create_projector(PROJECTORS[geometry][projector], rays, astra.create_vol_geom(30, 40))
    by_hand, back = np.empty((11, 60), np.float32), np.empty((30, 40), np.float32)
    astra.projector.direct_FP(number, x[1], out=by_hand)
    astra.projector.direct_BP(number, y[1], out=back)
    astra.projector.delete(number)
    np.testing.assert_allclose(A(x)[1], by_hand, atol=1e-5 * by_hand.max())
    np.testing.assert_allclose(A.A_adjoint(y)[1], back, atol=1e-5 * back.max())
    for v in (x, x + 1j * x[::-1]):
        np.testing.assert_allclose(B(v), A(v), atol=1e-5 * by_hand.max())
        np.testing.assert_allclose(B(v.astype(complex)), A(v.astype(complex)), atol=1e-12)
    left, right = np.vdot(B(x).astype(float), y), np.vdot(x.astype(float), B.A_adjoint(y))
    assert abs(left - right) < 1e-6 * abs(left)
    assert "sparse matrix" in A._method((30, 40))
    assert "at each product" in B._method((30, 40))


def test_the_transpose_to_rounding(rng):
    A = Tomography(np.arange(9) * 20.0, (12, 11), **FAN)
    M = dense(A)
    y = rng.standard_normal((3, *A.range_shape((12, 11))))
    np.testing.assert_allclose(A.A_adjoint(y).reshape(3, -1), y.reshape(3, -1) @ M, atol=1e-12)


def test_many_slices_have_the_bits_of_each(rng):
    """A pass through the matrix is shared by 32 of them."""
    A = Tomography(np.arange(10) * 18.0, (20, 20))
    x = rng.random((5, 9, 20, 20), dtype=np.float32)
    y, back = A(x), A.A_adjoint(A(x))
    for i in np.ndindex(5, 9):
        np.testing.assert_array_equal(y[i], A(x[i]))
        np.testing.assert_array_equal(back[i], A.A_adjoint(y[i]))


def test_slices_of_the_angles(rng):
    A = Tomography(np.arange(20) * 9.0, (15, 16))
    x = rng.random((15, 16))
    y = A(x)
    for part in (slice(3, 11), slice(None, None, -1), slice(0, 20, 7)):
        np.testing.assert_array_equal(A[part].angles, A.angles[part])
        np.testing.assert_allclose(A[part](x), y[part], rtol=1e-13)
    np.testing.assert_allclose(A[-1](x), y[-1], rtol=1e-13)
    assert A[2:4].detectors == A.detectors


def test_least_squares(rng):
    A = Tomography(np.arange(24) * 15.0, (8, 9), **FAN)
    y, M = rng.random(A.range_shape((8, 9))), dense(A)
    exact = np.linalg.lstsq(M, y.ravel(), rcond=None)[0]
    np.testing.assert_allclose(A.A_dagger(y).ravel(), exact, atol=1e-8 * np.abs(exact).max())
    damped = np.linalg.solve(M.T @ M + 0.3 * np.eye(72), M.T @ y.ravel())
    np.testing.assert_allclose(optim.tikhonov(A, y, lam=0.3, rtol=1e-12).ravel(), damped, atol=1e-9)
    assert A.compute_norm((8, 9)) == pytest.approx(np.linalg.norm(M, 2))
    assert A.normal_kind is None


def test_after_a_blur(rng):
    """A detector's blur and an object's: the algebra keeps the axis of angles."""
    A = Tomography(np.arange(10) * 18.0, (16, 16))
    B = Blur(gaussian_blur(0.8))
    x = rng.random((16, 16))
    np.testing.assert_allclose((A @ B)[3:](x), A(B(x))[3:], atol=1e-12)


# -- filtered back-projection ----------------------------------------------------------------------------------


TURN = np.arange(120) * 3.0


@pytest.mark.parametrize(
    ("angles", "more"),
    [
        (np.arange(120) * 1.5, {"projector": "line"}),
        (np.arange(120) * 1.5, {"projector": "linear"}),
        (np.arange(120) * 1.5, {"projector": "strip"}),
        (TURN, {}),
        (np.arange(120) * 111.246, {}),  # golden angles
        (TURN, FAN),
        (TURN, FAN | {"source_distance": 30.0}),
        (TURN, FAN | {"projector": "strip"}),
        (TURN[::-1] + 1.0, FAN | {"detector_distance": 0.0, "detector_spacing": 0.4, "stored": False}),
    ],
)
def test_filtered_back_projection_of_exact_integrals(angles, more):
    A = Tomography(angles, (64, 64), pixel_size=0.5, **more)
    x, y = shepp_logan(64), ellipse_sinogram(A)
    inside = np.hypot(*np.mgrid[-31.5:32, -31.5:32]) < 30
    errors = {name: fbp(A, y, name) - x for name in FILTERS}
    for error in errors.values():
        assert abs(error[inside].sum()) < 5e-3 * x.sum()
        assert abs(error[:32][inside[:32]].sum()) < 5e-3 * x.sum()
    rms = {name: np.sqrt(np.mean(e[inside] ** 2)) for name, e in errors.items()}
    assert max(rms["ramp"], rms["shepp-logan"]) < 0.075
    assert rms["ramp"] < rms["hamming"] < rms["hann"] < 0.11


def test_filters_are_the_ramp_times_their_windows():
    """By numerical integration over the band."""
    nu, t = np.linspace(-0.5, 0.5, 200_001), np.arange(-6, 7)
    windows = {
        "ramp": np.ones_like(nu),
        "shepp-logan": np.sinc(nu),
        "cosine": np.cos(np.pi * nu),
        "hamming": 0.54 + 0.46 * np.cos(2 * np.pi * nu),
        "hann": 0.5 + 0.5 * np.cos(2 * np.pi * nu),
    }
    assert windows.keys() == FILTERS.keys()
    for name, window in windows.items():
        values = np.abs(nu) * window * np.cos(2 * np.pi * t[:, None] * nu)
        expected = np.trapezoid(values, nu, axis=-1)
        np.testing.assert_allclose(FILTERS[name](t.astype(float)), expected, atol=1e-8)


def test_filtered_back_projection_of_many_slices_and_of_float32(rng):
    A = Tomography(np.arange(30) * 6.0, (20, 21))
    y = rng.random((2, 3, *A.range_shape((20, 21))))
    made = fbp(A, y)
    assert made.shape == (2, 3, 20, 21)
    np.testing.assert_allclose(made[1, 2], fbp(A, y[1, 2]), atol=1e-14)
    single = fbp(A, y.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, made, atol=1e-5 * np.abs(made).max())
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(fbp(A, torch.from_numpy(y)).numpy(), made)


@given(st.lists(st.floats(-720, 720), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_angles_weigh_what_they_stand_for(angles):
    for turn in (180.0, 360.0):
        weights = angle_weights(np.array(angles), turn)
        assert (weights >= 0).all()
        assert weights.sum() <= np.deg2rad(turn) * (1 + 1e-9)


def test_weights_of_angles():
    def weights(*angles):
        return np.rad2deg(angle_weights(np.array(angles), 180.0))

    np.testing.assert_allclose(weights(*range(0, 180, 15)), 15)
    np.testing.assert_allclose(weights(*range(7, 367, 15)), 7.5)
    np.testing.assert_allclose(weights(*range(0, 120, 2)), 2)  # a third is missing
    np.testing.assert_allclose(weights(40), 180)
    np.testing.assert_allclose(weights(0, 10, 30, 100, 170), [10, 15, 45, 70, 40])
    np.testing.assert_allclose(np.rad2deg(angle_weights(np.arange(24) * 15.0, 360.0)), 15)


def test_filtered_back_projection_of_what_is_no_scan():
    for other in (Blur(gaussian_blur(1.0)), 2 * Tomography([0.0], (8, 8)), "A"):
        with raises(ParameterError, "filtered back-projection", "Tomography", "tikhonov"):
            fbp_factors(other)
    with raises(ParameterError, "'ham'", "did you mean 'hamming'"):
        fbp(Tomography([0.0], (8, 8)), np.ones((1, 12)), "ham")


@pytest.mark.parametrize(
    ("angles", "parts"),
    [
        (np.arange(0, 90, 3.0), ["over 180°", "from 0° to 87°", "90°", "tikhonov"]),
        (np.deg2rad(np.arange(0, 180, 3.0)), ["over 180°", "3.14°", "np.rad2deg(angles)"]),
        (np.deg2rad(np.arange(0, 360, 3.0)), ["6.28°", "np.rad2deg(angles)"]),
    ],
)
def test_filtered_back_projection_of_some_angles_alone(angles, parts):
    """Of parallel rays it is an image with a wedge missing, which some want; of a fan it is no image."""
    A, fan = Tomography(angles, (16, 16)), Tomography(angles, (16, 16), **FAN)
    with pytest.warns(DaskphysWarning) as caught:
        fbp(A, np.ones(A.range_shape((16, 16))))
    assert [w.filename for w in caught] == [__file__]
    assert all(part in str(caught[0].message) for part in ("filtered back-projection", repr(A), *parts))
    with raises(ParameterError, "filtered back-projection", repr(fan), "over 360°"):
        fbp_factors(fan)


def test_filtered_back_projection_of_a_fan_from_one_side():
    fan = Tomography(np.arange(0, 180, 3.0), (16, 16), **FAN)
    with raises(ParameterError, "over 360°", "from 0° to 177°", "cover 180°", "tikhonov"):
        fbp(fan, np.ones(fan.range_shape((16, 16))))


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_filtered_back_projection_of_nan(kind):
    A = Tomography(np.arange(0, 180, 20.0), (16, 16))
    y = np.ones((2, *A.range_shape((16, 16))))
    y[1, 3, 4] = np.nan
    given = y if kind == "numpy" else pytest.importorskip("torch").from_numpy(y)
    with raises(ParameterError, "fbp of Tomography(", "finite", "NaN"):
        fbp(A, given)


# -- what is kept ------------------------------------------------------------------------------------------------


def test_matrices_are_kept_by_part(rng):
    A = Tomography(np.arange(20) * 9.0, (16, 16))
    x = rng.random((16, 16), dtype=np.float32)
    A(x)
    single = derived.nbytes_of(A.parts[0])
    assert 0 < single <= A.parts[0]._cost((16, 16), "float32").kept
    A(x.astype(float))
    double = derived.nbytes_of(A.parts[0])
    assert single < double <= 2 * A.parts[0]._cost((16, 16), "float64").kept
    B = Tomography(A.angles, (16, 16), stored=False)
    B(x), B(x.astype(float))
    assert derived.nbytes_of(B.parts[0]) == 0


def test_astra_keeps_nothing(rng, capfd):
    def listed():
        astra.projector.info(), astra.matrix.info(), astra.data2d.info()
        return capfd.readouterr().out

    before = listed()
    x = rng.random((2, 16, 16), dtype=np.float32)
    for stored in (True, False):
        A = Tomography(np.arange(20) * 9.0, (16, 16), stored=stored)
        A.A_adjoint(A(x))
    assert listed() == before
    with A.scan.opened(A.angles):
        assert listed() != before


@pytest.mark.parametrize("stored", [True, False])
def test_threads_at_once(stored, rng):
    """ASTRA's objects live in tables of the process."""
    x = rng.random((32, 32), dtype=np.float32)
    angles = np.arange(16) * 11.0
    expected = [Tomography(angles + i, (32, 32), stored=stored)(x) for i in range(4)]

    def product(i):
        return np.array_equal(Tomography(angles + i % 4, (32, 32), stored=stored)(x), expected[i % 4])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(product, range(40)))


@pytest.mark.parametrize(("geometry", "projector"), KINDS)
@pytest.mark.parametrize("spacing", [0.5, 1.0, 2.0])
def test_entries_are_estimated_from_above(geometry, projector, spacing):
    more = beam(geometry) | {"detector_spacing": spacing}
    A = Tomography(np.arange(8) * 23.0, (48, 40), projector=projector, **more)
    part = A.parts[0]
    found = part._matrix("float32").entries
    said = A.scan.entries(A.angles)
    assert found <= said <= 1.8 * found


def test_large_ones_are_not_stored():
    assert Tomography(np.arange(180.0), (512, 512)).stored
    large = Tomography(np.arange(720) / 4, (1024, 1024))
    assert not large.stored
    assert not large[:3].stored  # as the whole is
    assert Tomography(np.arange(720) / 4, (1024, 1024), stored=True).stored


# -- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: Tomography([], (8, 8)), ParameterError, ["at least one angle", "none"]),
        (lambda: Tomography([0.0, np.nan], (8, 8)), ParameterError, ["finite", "nan"]),
        (lambda: Tomography([1j], (8, 8)), ParameterError, ["real", "degrees"]),
        (lambda: Tomography(3.0, (8, 8)), ShapeError, ["(N,)", "degrees", "()"]),
        (lambda: Tomography([[0.0]], (8, 8)), ShapeError, ["(N,)", "(1, 1)"]),
        (lambda: Tomography([0.0], 8), ParameterError, ["image_shape", "(height, width)", "8"]),
        (lambda: Tomography([0.0], (8, 0)), ParameterError, ["image_shape", "positive"]),
        (lambda: Tomography([0.0], (8, 8), detectors=0), ParameterError, ["detectors", "positive", "0"]),
        (lambda: Tomography([0.0], (8, 8), detectors=2.5), ParameterError, ["detectors", "2.5"]),
        (lambda: Tomography([0.0], (8, 8), detector_spacing=-1), ParameterError, ["detector_spacing", "-1"]),
        (lambda: Tomography([0.0], (8, 8), pixel_size=np.inf), ParameterError, ["pixel_size", "inf"]),
        (lambda: Tomography([0.0], (8, 8), geometry="fan"), ParameterError, ["'fan'", "'fanbeam'"]),
        (lambda: Tomography([0.0], (8, 8), projector="siddon"), ParameterError, ["'siddon'", "'line'"]),
        (
            lambda: Tomography([0.0], (8, 8), projector="linear", **FAN),
            ParameterError,
            ["'strip'", "fanbeam"],
        ),
        (lambda: Tomography([0.0], (8, 8), source_distance=3.0), ParameterError, ["fanbeam", "parallel"]),
        (lambda: Tomography([0.0], (8, 8), geometry="fanbeam"), ParameterError, ["source_distance", "None"]),
        (
            lambda: Tomography([0.0], (90, 9), projector="strip", **FAN),
            ParameterError,
            ["25°", "30.", '"line"'],
        ),
        (lambda: Tomography([0.0], (200, 8), **FAN), ParameterError, ["outside", "100.08", "90"]),
        (lambda: Tomography([0.0], (8, 8), **FAN | {"detector_distance": -1}), ParameterError, ["-1"]),
        (lambda: Tomography([0.0], (8, 8), stored="yes"), ParameterError, ["stored", "'yes'"]),
        (lambda: Tomography([0.0], (8, 8))(np.ones((8, 9))), ShapeError, ["Tomography", "(8, 8)", "(8, 9)"]),
        (lambda: Tomography([0.0], (8, 8)).A_adjoint(np.ones((1, 9))), ShapeError, ["(1, 12)", "(1, 9)"]),
        (lambda: Tomography([0.0], (8, 8)).A_adjoint(np.ones((2, 12))), ShapeError, ["(1, 12)", "(2, 12)"]),
        (lambda: shepp_logan(0), ParameterError, ["shepp_logan", "0"]),
        (lambda: shepp_logan(8, [(1.0, 2.0)]), ShapeError, ["six numbers", "(1, 2)"]),
        (lambda: shepp_logan(8, [(1, 2), (3,)]), ShapeError, ["shepp_logan expected", "six numbers", "(3,)"]),
        (lambda: shepp_logan(8, [(1, 0, 1, 0, 0, 0)]), ParameterError, ["shepp_logan", "half axes above 0"]),
        (
            lambda: ellipse_sinogram(Tomography([0.0], (8, 8)), [(1, 1, 1, np.nan, 0, 0)]),
            ParameterError,
            ["ellipse_sinogram", "finite", "nan"],
        ),
        (
            lambda: fbp(Tomography([0.0], (8, 8)), np.ones((1, 10))),
            ShapeError,
            ["fbp of Tomography(1 angle", "(…, angle, detector)", "(…, 1, 12)", "(1, 10)"],
        ),
        (
            lambda: fbp(Tomography([0.0, 90.0], (8, 8)), np.ones((1, 12))),
            ShapeError,
            ["fbp of Tomography(2 angles", "(…, 2, 12)", "(1, 12)"],
        ),
        (lambda: ellipse_sinogram(3), ParameterError, ["Tomography", "int"]),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()


def test_without_astra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "astra", None)
    with raises(MissingDependencyError, "daskphys[tomography]"):
        Tomography([0.0], (8, 8))(np.ones((8, 8)))


def test_a_solver_that_stops_early_warns(rng):
    A = Tomography(np.arange(3) * 60.0, (12, 12))
    y = A(rng.random((12, 12)))
    with pytest.warns(ConvergenceWarning, match="residual"):
        optim.cg(A, y, max_iter=2)
