"""Measurements in another order than operators give them: refused where names or numbers tell, and never taken silently."""

import numpy as np
import pytest
import xarray as xr
from cases import CASES, raises

import daskphys.interop.xarray  # noqa: F401
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import ParameterError, ShapeError
from daskphys.optim import tikhonov
from daskphys.physics import (
    MRI,
    NUFFT,
    Blur,
    Crop,
    LinearPhysics,
    Measurements,
    MultiCoilMRI,
    SpectralResponse,
    Tomography,
    block_diagonal,
    stack,
)

KERNELS = np.random.default_rng(0).random((3, 3, 2))  # whose axes are not each other's
ALIKE = stack(*map(Blur, KERNELS))
UNLIKE = stack(Blur(KERNELS[0], "valid"), Blur(np.random.default_rng(1).random((4, 5)), "valid"))
DIMS = ("y", "x")
FOURIER = MRI(np.random.default_rng(2).random((12, 12)) < 0.5)


def image(dims=("t", *DIMS), scale=1.0):
    sizes = {"t": 2, "y": 12, "x": 12}
    coords = {dim: (1.0 if dim == "t" else scale) * np.arange(sizes[dim]) for dim in dims}
    return xr.DataArray(np.random.default_rng(1).random([sizes[dim] for dim in dims]), coords, dims, "sky")


def test_axes_in_another_order_than_those_of_an_image_like_them():
    """What the error says to do is right, whichever of the two was turned."""
    x = image()
    y = x.phys.forward(ALIKE)
    expected = y.phys.adjoint(ALIKE)
    xr.testing.assert_equal(y.phys.adjoint(ALIKE, like=x), expected)
    turned = y.transpose(..., "x", "y")
    with raises(ParameterError, "dims=('y', 'x') if it was transposed"):
        turned.phys.adjoint(ALIKE, like=x)
    xr.testing.assert_equal(turned.phys.adjoint(ALIKE, dims=("y", "x"), like=x), expected)
    other = x.transpose("x", "y", "t")
    with raises(ParameterError, "dims=('y', 'x') if the measurement is as x.phys.forward gave it"):
        y.phys.adjoint(ALIKE, like=other)
    xr.testing.assert_equal(y.phys.adjoint(ALIKE, dims=("y", "x"), like=other), expected)
    z = x.astype(complex).phys.forward(FOURIER)
    with raises(ParameterError, "like=", "('y', 'x')"):
        z.transpose("t", "k_x", "k_y").phys.pinv(FOURIER, like=x)
    for wrong in (x.data, x.to_dataset()):
        with raises(ParameterError, "like=", "DataArray"):
            y.phys.adjoint(ALIKE, like=wrong)


def test_names_of_which_some_are_there():
    y = image().phys.forward(ALIKE)
    for dims in (("x", "row"), ("column", "y"), ("y", "xx")):
        with raises(ParameterError, "('y', 'x')", str(dims)):
            y.phys.adjoint(ALIKE, dims=dims)
    renamed = y.phys.adjoint(ALIKE, dims=("row", "column"))
    assert renamed.dims == ("t", "row", "column")
    assert renamed.row.equals(y.y.rename(y="row"))
    x = image()
    for like in (
        x.isel(t=0).transpose("x", "y").rename(y="row"),
        x.isel(t=0).transpose("x", "y").rename(y="z"),
    ):
        with raises(ParameterError, "like="):
            y.phys.adjoint(ALIKE, like=like)
    like = x.rename(x="column")
    assert y.phys.adjoint(ALIKE, like=like).dims == ("t", "y", "column")


@pytest.mark.parametrize(
    "numbers", [[2, 0, 1], [2.0, 0.0, 1.0], np.array([2, 0, 1], object), [0, 1, 1], [4, 3, 2]]
)
def test_sensors_whose_numbers_do_not_go_up(numbers):
    y = image().phys.forward(ALIKE)
    other = y.assign_coords(sensor=numbers)
    for made in (lambda: other.phys.adjoint(ALIKE), lambda: tikhonov(ALIKE, other, lam=0.1)):
        with raises(ParameterError, "sensor = ", "y.drop_vars('sensor')") as caught:
            made()
        assert ("y.sortby('sensor')" in str(caught.value)) == (sorted(numbers) == [0, 1, 2])
    xr.testing.assert_equal(other.drop_vars("sensor").phys.adjoint(ALIKE), y.phys.adjoint(ALIKE))


def test_sensors_that_are_chosen_or_sorted_or_have_labels():
    y = image().phys.forward(ALIKE)
    expected = y.phys.adjoint(ALIKE)
    xr.testing.assert_equal(y.isel(sensor=[2, 0, 1]).sortby("sensor").phys.adjoint(ALIKE), expected)
    part = y.isel(sensor=[1, 2])
    assert part.sensor.values.tolist() == [1, 2]
    xr.testing.assert_equal(part.phys.adjoint(ALIKE[1:]), ALIKE[1:].A_adjoint(list(part.drop_vars("sensor"))))
    labels = y.assign_coords(sensor=["left", "right", "top"])  # which say no order
    xr.testing.assert_equal(labels.phys.adjoint(ALIKE), expected)


def test_places_that_go_another_way_than_those_of_an_image_like_them():
    x = image(scale=0.5)
    for A in (ALIKE, UNLIKE, ALIKE[0]):
        y = x.phys.forward(A)
        flipped = (
            xr.DataTree.from_dict(
                {n: node.to_dataset().sortby("y", ascending=False) for n, node in y.children.items()}
            )
            if isinstance(y, xr.DataTree)
            else y.sortby("y", ascending=False)
        )
        with raises(ParameterError, "'y'", "y.sortby('y', ascending=True)"):
            flipped.phys.adjoint(A, like=x)
        back = flipped.phys.adjoint(A, like=x.sortby("y", ascending=False))
        assert back.y.values.tolist() == x.y.values[::-1].tolist()


def test_other_places_than_those_of_an_image_like_them():
    x = image(scale=0.5)
    for A in (ALIKE, ALIKE[0]):
        y = x.phys.forward(A)
        rolled = y.assign_coords(x=(y.x + 3) % 6 - 3).sortby("x")  # as longitudes are
        with raises(ParameterError, "places of like= along 'x'", "y.drop_vars('x')"):
            rolled.phys.adjoint(A, like=x)
        own = rolled.phys.adjoint(A, like=x.assign_coords(x=rolled.x.values))
        assert own.x.equals(rolled.x)
        close = y.assign_coords(x=y.x.astype("float32") * np.float32(1 + 1e-7))
        assert close.phys.adjoint(A, like=x).x.equals(x.x)
        assert y.drop_vars("x").phys.adjoint(A, like=x).x.equals(x.x)
    valid = Blur(KERNELS[0], "valid")
    window = image().phys.forward(valid).assign_coords(y=np.arange(10) + 5)
    with raises(ParameterError, "places of like= along 'y'"):
        window.phys.adjoint(valid, like=image())


def test_sensors_at_other_places():
    x = image(scale=0.5)
    ys = list(ALIKE(x))
    rolled = ys[1].assign_coords(x=(ys[1].x + 3) % 6 - 3).sortby("x")
    for made in (lambda y: ALIKE.A_adjoint(y), lambda y: tikhonov(ALIKE, y, lam=0.1)):
        for y in ([ys[0], rolled, ys[2]], [ys[0].drop_vars("x"), ys[1], rolled]):
            with raises(ParameterError, "'x' to be the same", "sensor 1"):
                made(y)
        kept = made([ys[0], ys[1].assign_coords(x=ys[1].x.astype("float32")), ys[2]])
        assert kept.x.equals(x.x)
    windows = stack(Crop((0, 0), (8, 12), (12, 12)), Crop((4, 0), (12, 12), (12, 12)))
    assert windows.A_adjoint(windows(x)).dims == ("t", "y", "x")  # whose places are their own


def test_channels_that_a_mixture_makes_have_places_of_their_own():
    R = stack(*[SpectralResponse(np.random.default_rng(i).random((2, 2))) for i in range(2)])
    x = image().rename(t="band")
    y = [own.assign_coords(band=w) for own, w in zip(R(x), ([410.0, 520.0], [450.0, 550.0]), strict=True)]
    assert np.array_equal(R.A_adjoint(y), R.A_adjoint([own.data for own in y]))


def test_places_in_single_precision_are_those_they_are():
    x = image().assign_coords(y=(4.5e6 + np.arange(12)).astype("float32"))
    y = x.phys.forward(ALIKE[0])
    with raises(ParameterError, "places of like="):
        y.phys.adjoint(ALIKE[0], like=x.assign_coords(y=x.y + np.float32(2)))
    whole = image()
    near = whole.assign_coords(y=np.arange(12) * 0.1 * 10, x=np.arange(12.0))
    assert whole.phys.forward(ALIKE[0]).phys.adjoint(ALIKE[0], like=near).y.equals(near.y)


def test_arrays_with_too_few_axes_get_the_operator_s_own_error():
    x = image().astype(complex)
    coils = MultiCoilMRI(np.ones((2, 12, 12)) + 0j, np.ones((12, 12)))
    for A, y in (
        (coils, x.phys.forward(coils).isel(t=0, coil=0)),
        (ALIKE[0], x.isel(t=0, y=0)),
        (FOURIER, x.isel(t=0, y=0)),
    ):
        with raises(ShapeError, "axes"):
            y.phys.adjoint(A)
    B = block_diagonal(ALIKE[0], ALIKE[1])
    with raises(ShapeError, "one array for each of its blocks"):
        xr.concat([x, x], "sensor").phys.adjoint(B)


def test_what_differs_between_sensors_costs_no_other_coordinate():
    x = image()
    y = x.phys.forward(ALIKE).assign_coords(platform=("sensor", ["a", "b", "c"]))
    for made in (
        ALIKE.A_adjoint([y.isel(sensor=i) for i in range(3)]),
        y.phys.adjoint(ALIKE),
        tikhonov(ALIKE, list(y), lam=0.1),
    ):
        assert {"t", "y", "x"} <= set(made.coords)
        assert "platform" not in made.coords


@pytest.mark.parametrize("A", [ALIKE, ALIKE[0]], ids=["stack", "one"])
def test_places_up_and_down(A):
    y = image().phys.forward(A)
    shuffled = y.isel(y=np.random.default_rng(3).permutation(12))
    for method in ("adjoint", "pinv"):
        with raises(ParameterError, "'y'", "sortby('y')"):
            getattr(shuffled.phys, method)(A)
    xr.testing.assert_equal(shuffled.sortby("y").phys.adjoint(A), y.phys.adjoint(A))
    z = image().astype(complex).phys.forward(FOURIER)
    with raises(ParameterError, "k_y"):
        z.isel(k_y=[1, 0, *range(2, 12)]).phys.adjoint(FOURIER)
    down = (
        image().astype(complex).sortby("y", ascending=False)
    )  # frequencies of an axis that goes down go down
    seen = down.phys.forward(FOURIER)
    assert seen.k_y.values[0] > 0
    assert np.array_equal(seen.phys.adjoint(FOURIER), FOURIER.A_adjoint(FOURIER(down.data)))


def test_coils_and_angles_are_in_the_operator_s_order():
    rng = np.random.default_rng(4)
    M = MultiCoilMRI(rng.random((2, 12, 12)) + 0j, np.ones((12, 12)))
    k = image().astype(complex).phys.forward(M)
    with raises(ParameterError, "coil = 1, 0", "y.sortby('coil')"):
        k.isel(coil=[1, 0]).phys.adjoint(M)
    with raises(ParameterError, "'coil' where 't' is", "transpose"):
        k.transpose("coil", "t", "k_y", "k_x").phys.adjoint(M, dims=DIMS)
    T = Tomography([0.0, 50.0, 20.0, 90.0], (12, 12))
    y = image().phys.forward(T)
    assert y.phys.adjoint(T).dims == ("t", "y", "x")
    with raises(ParameterError, "angle = 0.0, 20.0, 50.0", "y.sel(angle=x.phys.forward(A).angle)"):
        y.sortby("angle").phys.adjoint(T)
    xr.testing.assert_equal(y.sortby("angle").sel(angle=y.angle).phys.adjoint(T), y.phys.adjoint(T))
    with raises(ParameterError, "theta = 0.0, 20.0, 50.0", "y.isel(theta="):
        y.rename(angle="theta").sortby("theta").phys.adjoint(T)
    with DistributedContext(n_workers=2, processes=False) as ctx:
        for A, seen in ((M, k), (T, y)):
            D = distribute(A, ctx)
            assert np.allclose(seen.phys.adjoint(D), seen.phys.adjoint(A))
        with raises(ParameterError, "angle = 0.0, 20.0, 50.0"):
            y.sortby("angle").phys.adjoint(D)


def test_unlike_sensors_that_contradict_each_other():
    x = image(scale=0.5)
    tree = x.phys.forward(UNLIKE)
    node = tree["sensor_1"].to_dataset()
    for other, said in (
        (node.transpose("t", "x", "y"), "one order"),
        (node.isel(t=[1, 0]), "'t' to be the same"),
        (node.assign_coords(t=[5.0, 6.0]), "'t' to be the same"),
        (node.sortby("y", ascending=False), "'y' to go one way"),
    ):
        changed = xr.DataTree.from_dict({"sensor_0": tree["sensor_0"].to_dataset(), "sensor_1": other})
        with raises(ParameterError, said, "sensor 1"):
            changed.phys.adjoint(UNLIKE)
        with raises(ParameterError, said, "sensor 1"):
            tikhonov(UNLIKE, changed, lam=0.1)
        with raises(ParameterError, said, "sensor 1"):
            UNLIKE.A_adjoint([tree["sensor_0"].sky, other.sky])


def test_a_stacked_dimension_is_carried_along():
    x = xr.concat([image(), image()], xr.Variable("run", [0, 1])).stack(p=("run", "t")).transpose("p", *DIMS)
    for A in (ALIKE, ALIKE[0]):
        back = x.phys.forward(A).phys.adjoint(A)
        assert back.p.equals(x.p)
        assert np.array_equal(back.data, A.A_adjoint(A(x.data)))
    assert x.phys.forward(ALIKE).phys.adjoint(ALIKE, like=x).p.equals(x.p)


def test_frequencies_of_a_trajectory_are_in_its_order():
    N = NUFFT(np.random.default_rng(5).uniform(-0.5, 0.5, (40, 2)), (12, 12))
    z = image(scale=-0.5).astype(complex).phys.forward(N)
    assert z.phys.adjoint(N).dims == ("t", "y", "x")
    with raises(ParameterError, "k_y = ", "y.isel(sample="):
        z.isel(sample=np.random.default_rng(6).permutation(40)).phys.adjoint(N)
    down = NUFFT(np.stack([np.linspace(0.45, -0.45, 20)] * 2, 1), (12, 12))
    x = image(scale=0.5).astype(complex)
    assert x.phys.forward(down).phys.adjoint(down, like=x).y.equals(x.y)
    x = image(scale=-0.5).astype(complex)
    y = x.phys.forward(FOURIER)
    xr.testing.assert_allclose(y.phys.adjoint(FOURIER, like=x), FOURIER.A_adjoint_A(x))
    turned = y.sortby("k_y")
    for made in (
        lambda: turned.phys.adjoint(FOURIER),
        lambda: y.isel(k_x=slice(None, None, -1)).phys.pinv(FOURIER),
    ):
        with raises(ParameterError, "k_", "y.isel(k_"):
            made()
    with raises(ParameterError, "y.sortby('k_y', ascending=False)"):
        turned.phys.adjoint(FOURIER, like=x)
    odd = MRI(np.random.default_rng(2).random((11, 11)) < 0.5)
    x = x.isel(y=slice(11), x=slice(11))
    with raises(ParameterError, "y.sortby('k_y', ascending=False)"):  # nothing else tells
        x.phys.forward(odd).sortby("k_y").phys.adjoint(odd, like=x)


def test_operators_that_end_in_a_way_back():
    y = image().phys.forward(ALIKE[0])
    shuffled = y.isel(y=np.random.default_rng(3).permutation(12))
    for operator in (ALIKE[0].H, 2.0 * ALIKE[0].H, ALIKE[1] @ ALIKE[0].H):
        operator(y)
        with raises(ParameterError, "sortby('y')"):
            operator(shuffled)


def test_blocks_and_sums_that_end_in_a_way_back():
    x = image()
    B = block_diagonal(ALIKE[0], ALIKE[1])
    y = B([x, x])
    shuffled = y[1].isel(y=np.random.default_rng(3).permutation(12))
    B.A_adjoint(y)
    with raises(ParameterError, "sortby('y')"):
        B.A_adjoint([y[0], shuffled])
    S = ALIKE[0].H + ALIKE[1].H
    S(y[0])
    with raises(ParameterError, "sortby('y')"):
        S(shuffled)


def test_identifiers_of_the_user_s_own_get_no_advice_to_sort_them():
    y = image().phys.forward(ALIKE).assign_coords(sensor=[700, 500, 400])
    with raises(ParameterError, "sensor = 700, 500, 400", "y.drop_vars('sensor')") as caught:
        y.phys.adjoint(ALIKE)
    assert "sortby" not in str(caught.value)


def test_names_and_places_of_the_user_s_own_are_no_order():
    """What does not say that it is another order is taken as it comes."""
    x = image()
    bare = x.phys.forward(ALIKE).drop_vars(["y", "x"])
    like = x.sortby("y", ascending=False)
    assert bare.phys.adjoint(ALIKE, like=like).y.equals(like.y)
    T = Tomography(np.arange(5) * 111.25 % 180, (12, 12))
    y = x.phys.forward(T)
    expected = y.phys.adjoint(T)
    own = y.rename(angle="projection").assign_coords(projection=[9.0, 7.0, 5.0, 6.0, 1.0])
    for given in (
        own,
        y.assign_coords(angle=np.arange(5) * 111.25),
        y.drop_vars("angle").assign_coords(time=("angle", [3.0, 1.0, 2.0, 5.0, 4.0])),
        y.assign_coords(detector=-y.detector * 0.1 + 7),
    ):
        assert np.array_equal(given.phys.adjoint(T), expected)
    small = x.astype("float32").assign_coords(y=np.arange(12, dtype="uint8"))
    valid = Blur(KERNELS[0], "valid")
    back = small.isel(y=slice(0, 12)).phys.forward(valid).phys.adjoint(valid)
    assert back.y.values.tolist() == list(range(12))
    moved = small.phys.forward(valid).assign_coords(y=np.arange(10, dtype="uint8")).phys.adjoint(valid)
    assert "y" not in moved.coords  # its first place would be less than an unsigned number can be
    nodes = [image(scale=0.5).phys.forward(UNLIKE[i]) for i in range(2)]
    nodes[1] = nodes[1].assign_coords(t=nodes[1].t.astype("float32") * np.float32(0.1))
    nodes[0] = nodes[0].assign_coords(t=nodes[0].t * 0.1)
    UNLIKE.A_adjoint(nodes)


PLACES = {
    "times that go down": lambda n: (
        np.datetime64("2026-01-01", "ns") + np.arange(n) * np.timedelta64(1, "D")
    )[::-1],
    "uneven, down": lambda n: np.logspace(0, 2, n)[::-1],
    "unsigned": lambda n: np.arange(n, dtype="uint8"),
    "single precision": lambda n: np.float32(0.1) * np.arange(n, dtype="float32"),
    "labels": lambda n: np.array([f"s{i}" for i in range(n)]),
}


@pytest.mark.filterwarnings("ignore:.*takes all steps of the coordinate:daskphys.errors.DaskphysWarning")
@pytest.mark.parametrize(
    "case", [c for c in CASES if isinstance(c.operator, LinearPhysics)], ids=lambda case: case.name
)
def test_what_forward_gives_is_never_refused(case):
    """Whatever the image's places are, with and without the image that it is like."""
    A, shape = case.operator.with_noise(None), case.shapes[0]
    if shape and isinstance(shape[0], tuple):
        return  # measurements, which are no image
    numbers = np.random.default_rng(0).standard_normal(shape).astype(case.dtypes[-1])
    expected = A.A_adjoint(A(numbers))
    if isinstance(expected, Measurements):
        return
    dims = tuple(f"d{i}" for i in range(len(shape)))
    for made in PLACES.values():
        x = xr.DataArray(numbers, {d: made(n) for d, n in zip(dims, shape, strict=True)}, dims)
        y = x.phys.forward(A)
        like = x if expected.shape == numbers.shape else None
        for back in (y.phys.adjoint(A), y.phys.adjoint(A, like=like)):
            assert np.allclose(back, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
