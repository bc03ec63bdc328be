"""The axes that operators give to their results: every operator of the list, and each family's places."""

import numpy as np
import pytest
import xarray as xr
from cases import CASES, REALS, raises

import daskphys.interop.xarray  # noqa: F401
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import ParameterError
from daskphys.interop.xarray_axes import measured
from daskphys.optim import tikhonov
from daskphys.physics import (
    MRI,
    NUFFT,
    Blur,
    Crop,
    Diagonal,
    Downsampling,
    GaussianNoise,
    Interferometry,
    LinearPhysics,
    MatrixOperator,
    Measurements,
    MultiCoilMRI,
    NonCartesianMRI,
    SpectralResponse,
    Tomography,
    Upsampling,
    block_diagonal,
    gaussian_blur,
    pansharpening,
    stack,
    value,
)
from daskphys.physics.blockdiagonal import BlockDiagonal
from daskphys.physics.mri import birdcage_maps, radial

DIMS = ("band", "y", "x")
ANGLES = np.linspace(0.0, 170.0, 20)


def image(*shape, dtype="float64", steps=(1, 0.5, -2.0)):
    """An image with a coordinate on each axis, and one that is none of its own axes."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal(shape)
    data = data + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else data
    dims = ("t", *DIMS)[-len(shape) :] if len(shape) <= 4 else tuple(f"d{i}" for i in range(len(shape)))
    units = dict(zip(DIMS, steps, strict=True))
    coords = {
        d: (d, 3 + units.get(d, 1) * np.arange(n), {"units": "mm"}) for d, n in zip(dims, shape, strict=True)
    }
    return xr.DataArray(data.astype(dtype), coords | {"exposure": 0.25}, dims, "sky", {"note": "kept"})


def named(shape):
    """An image, or measurements of such."""
    if shape and isinstance(shape[0], tuple):
        return Measurements(image(*own) for own in shape)
    return image(*shape)


def numbers(x):
    return x.map(lambda a: a.data) if isinstance(x, Measurements) else x.data


def listed(x):
    return list(x) if isinstance(x, Measurements) else [x]


def check_alike(named, plain):
    for own, expected in zip(listed(named), listed(plain), strict=True):
        assert isinstance(own, xr.DataArray)
        assert np.array_equal(own.data, expected, equal_nan=True)
        assert len(set(own.dims)) == own.ndim


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_operator_gives_names_to_what_it_gives(case):
    """And to what its adjoint gives, whose shape is the image's; the numbers are those of plain arrays."""
    A, x = case.operator.with_noise(None), named(case.shapes[0])
    y, plain = A(x), A(numbers(x))
    check_alike(y, plain)
    if isinstance(A, LinearPhysics):
        check_alike(A.A_adjoint(y), A.A_adjoint(plain))
        check_alike(A.A_adjoint_A(x), A.A_adjoint_A(numbers(x)))
    else:
        assert A.A_vjp(x, y).coords.identical(x.coords)


# -- places ------------------------------------------------------------------------------------------------------


def test_products_sums_and_multiples_have_the_places_of_their_parts():
    """A valid blur's samples are those of the circular one at the same coordinates, whatever it is made into."""
    x, kernel = image(2, 24, 20), np.random.default_rng(1).random((4, 5))
    valid, circular = Blur(kernel, "valid"), Blur(kernel)
    down, crop = Downsampling(None, 2), Crop((2, 3), (12, 16), (24, 20))
    for A, B in [
        (2 * valid, 2 * circular),
        (valid @ circular, circular @ circular),
        (valid + Blur(np.ones((4, 5)), "valid"), circular + Blur(np.ones((4, 5)))),
        (crop @ circular, circular),
        (Downsampling(kernel, 2, "valid", image_shape=(24, 20)), circular),
        (down @ circular, circular),
        (stack(valid)[0], circular),
    ]:
        y, full = A(x), B(x)
        assert y.sizes["y"] < 24
        xr.testing.assert_allclose(y, full.sel(y=y.y, x=y.x), rtol=1e-10)
    per_band = Blur(np.random.default_rng(2).random((2, 4, 5)), "valid")
    assert per_band(x).band.identical(x.band)
    assert SpectralResponse([[0.5, 0.5]])(x).sizes == {"band": 1, "y": 24, "x": 20}
    assert "band" not in SpectralResponse(np.eye(2))(x).coords
    fine = Upsampling("bilinear", 2)(image(8, 6, steps=(1, 2, 4)).assign_coords(x=4 * np.arange(6)))
    assert fine.x.values.tolist() == list(range(0, 24, 2))


def test_an_adjoint_has_the_image_s_places_where_they_follow():
    x = image(2, 12, 8).assign_coords(
        y=5 + 2 * np.arange(12), x=np.datetime64("2026-01-01", "ns") + np.arange(8) * np.timedelta64(6, "h")
    )
    for A in (Blur(gaussian_blur(0.3), "valid"), Downsampling("bilinear", 2), Crop((1, 2), (9, 8), (12, 8))):
        back = A.A_adjoint(A(x))
        assert back.coords.identical(x.coords), A
    decimal = image(2, 12, 8)  # of which the adjoint's would differ in the last bits
    back = Downsampling("bilinear", 2).A_adjoint(Downsampling("bilinear", 2)(decimal))
    assert set(back.coords) == {"band", "exposure"}
    assert (decimal - back).shape == decimal.shape
    mixed = stack(Blur(gaussian_blur(0.3)), Downsampling("bilinear", 2))
    assert mixed.A_adjoint(mixed(decimal)).coords.identical(decimal.coords)


def test_frequencies_are_those_of_the_image_s_units():
    """A plane wave of f cycles a millimetre has its peak at k = f."""
    x = image(16, 10)
    wave = np.exp(2j * np.pi * (0.25 * x.y - 0.1 * x.x)).transpose("y", "x")
    for A in (MRI(np.ones((16, 10))), MultiCoilMRI(np.ones((2, 16, 10)), np.ones((16, 10)))):
        y = A(wave)
        peak = abs(y.isel(coil=1) if "coil" in y.dims else y)
        at = peak.isel(peak.argmax(("k_y", "k_x")))
        assert (float(at.k_y), float(at.k_x)) == (0.25, pytest.approx(-0.1))
        assert y.k_y.attrs == {"units": "1/mm"}
        assert A.A_adjoint(y).dims == ("y", "x")
        assert not {"y", "k_y"} & set(A.A_adjoint(y).coords)
    plain = MRI(np.ones((16, 10)))(wave.drop_vars(("y", "x")))
    assert plain.k_x.attrs == {"units": "1/sample"}
    assert plain.k_x.values[5] == 0.0
    samples = NUFFT([[0.125, 0.2], [0.1, 0.0]], (16, 10))(wave)
    assert samples.dims == ("sample",)
    assert samples.k_y.values.tolist() == [0.25, 0.2]
    assert abs(samples[0]) == pytest.approx(160**0.5)
    assert NUFFT([[0.125, 0.2]], (16, 10)).A_adjoint(samples[:1]).dims == ("y", "x")


def test_frames_stay_frames_in_kspace():
    x = image(3, 16, 16, dtype="complex128")
    A = MultiCoilMRI(birdcage_maps(2, (16, 16)), np.ones((3, 16, 16)))
    y = A(x)
    assert y.dims == ("band", "coil", "k_y", "k_x")
    assert y.band.identical(x.band)
    assert y.coil.values.tolist() == [0, 1]
    one = A[1](x)
    assert one.dims == ("band", "k_y", "k_x")
    other = NonCartesianMRI(radial(4, 16), birdcage_maps(2, (16, 16)))(x)
    assert other.dims == ("band", "coil", "sample")
    assert other.k_x.dims == ("sample",)


def test_projections_and_visibilities_know_their_places():
    x = image(16, 16)
    A = Tomography(ANGLES, (16, 16), detector_spacing=0.5)
    for B in (A, 2 * A, A @ Diagonal(np.ones((16, 16)))):  # parts of eight angles, where it is made anew
        y = B(x)
        assert y.dims == ("angle", "detector")
        assert y.angle.values.tolist() == ANGLES.tolist()
        assert y.angle.attrs == {"units": "degrees"}
        assert np.diff(y.detector.values).tolist() == [0.5] * (y.sizes["detector"] - 1)
    assert float(A[3](x).angle) == ANGLES[3]
    assert A.A_adjoint(y).dims == ("y", "x")
    uvw = np.random.default_rng(0).random((5, 3))
    radio = Interferometry(uvw, 1e-3, (16, 16), frequencies=[1e9, 2e9])
    v = radio(x)
    assert v.dims == ("baseline", "frequency")
    assert v.frequency.values.tolist() == [1e9, 2e9]
    assert v.frequency.attrs == {"units": "Hz"}
    for i, name in enumerate("uvw"):
        assert v[name].values.tolist() == uvw[:, i].tolist()
        assert (2 * radio)(x)[name].equals(v[name])
    sky = radio.A_adjoint(v)
    assert sky.dims == ("y", "x")
    assert float(sky.l.isel(x=10)) == pytest.approx(2e-3)
    rows = MatrixOperator(np.ones((4, 16)))(x)
    assert rows.dims == ("y", "row")
    assert rows.y.identical(x.y)


def test_distributed_operators_know_what_plain_ones_know():
    x = image(2, 16, 16)
    with DistributedContext(n_workers=2) as ctx:
        for A in (
            stack(Blur(gaussian_blur(0.3), "valid"), Downsampling("bilinear", 2)),
            Tomography(ANGLES, (16, 16)),
            MultiCoilMRI(birdcage_maps(3, (16, 16)), np.ones((16, 16))),
            block_diagonal(Blur(gaussian_blur(0.3), "valid"), Blur(gaussian_blur(0.3))),
        ):
            D = distribute(A, ctx)
            given = Measurements([x, x]) if isinstance(A, BlockDiagonal) else x
            for own, expected in zip(listed(D(given)), listed(A(given)), strict=True):
                assert own.coords.identical(expected.coords)
                assert own.dims == expected.dims
        factory = distribute(crops, ctx, num_operators=2)
        first, second = factory(x)
        assert first.y.identical(x.y[:8])
        assert "y" not in second.coords  # it is not the first one's
        xr.testing.assert_equal(second.drop_vars("band"), crops(1)(x).drop_vars(("band", "y")))


def crops(index):
    return Crop((4 * index, 0), (8 + 4 * index, 16), (16, 16))


# -- solvers, noise, authors ---------------------------------------------------------------------------------------


def test_solvers_and_noise_keep_names():
    x = image(2, 16, 16)
    A = stack(Blur(gaussian_blur(0.5)), Blur(gaussian_blur(1.0)))
    y = A(x)
    assert tikhonov(A, y, 1e-3).coords.identical(x.coords)
    assert np.array_equal(tikhonov(A, y, 1e-3).data, tikhonov(A, numbers(y), 1e-3))
    joined = x.phys.forward(A)  # is taken wherever measurements are
    assert tikhonov(A, joined.transpose(..., "sensor"), 1e-3).identical(tikhonov(A, y, 1e-3))
    ragged = stack(A[0], Downsampling(None, 2))
    for solve in (ragged.A_adjoint, lambda y: tikhonov(ragged, y, 1e-3)):
        assert np.array_equal(solve(x.phys.forward(ragged)).data, solve(numbers(ragged(x))))
    noisy = A.with_noise(GaussianNoise(0.1))
    assert np.array_equal(noisy(x, seed=3)[1].data, noisy(x.data, seed=3)[1])
    assert np.array_equal(x.phys.forward(noisy, seed=3).data, np.stack(list(noisy(x.data, seed=3))))


@value
class Halved(LinearPhysics):
    """Sums of neighbours along the last axis."""

    def _forward(self, x):
        return x[..., ::2] + x[..., 1::2]

    def _adjoint(self, y, shape):
        return y.repeat(2, axis=-1)

    def _range_shape(self, shape):
        return (*shape[:-1], shape[-1] // 2)

    def _domain_shape(self, shape):
        return (*shape[:-1], shape[-1] * 2)


def test_operators_of_one_s_own():
    """Names stay, places go with their number; `register` says more."""
    x = image(4, 6)
    assert Halved()(x).dims == ("y", "x")
    assert set(Halved()(x).coords) == {"y", "exposure"}

    @value
    class Named(Halved):
        pass

    @measured.register
    def _(A: Named, x):
        return x.renewed(A, 1, [("pair", x.shape[-1] // 2)], {"pair": ("pair", [0.5, 2.5, 4.5], {})})

    assert Named()(x).pair.values.tolist() == [0.5, 2.5, 4.5]
    assert (2 * Named())(x).dims == ("y", "pair")


def test_names_that_the_result_would_have_twice():
    x = image(16, 16).rename(y="angle")
    A = Tomography(ANGLES, (16, 16))
    assert A(x).dims == ("angle", "detector")  # the image's own axis is gone
    with raises(ParameterError, "Tomography", "'angle'", "rename"):
        A(image(2, 16, 16).rename(band="angle"))
    with raises(ParameterError, "'angle'"):
        A(image(16, 16).assign_coords(angle=30.0))
    with raises(ParameterError, "sensor_dim"):
        image(2, 16, 16).rename(band="sensor").phys.forward(stack(Blur(gaussian_blur(1.0))))


def test_ragged_stacks_of_bands():
    x = image(3, 16, 16, dtype=REALS[0])
    tree = x.phys.forward(pansharpening([0.3, 0.3, 0.4], 4), sensor_dim="camera")
    assert list(tree.children) == ["camera_0", "camera_1"]
    assert tree["camera_1"].band.identical(x.band)
    assert tree["camera_1"].x.identical(x.x[::4])
    assert "band" not in tree["camera_0"].coords
