"""Datasets and trees, the order of axes and sensors, and grids that are not even."""

import warnings

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from cases import raises

import daskphys.interop.xarray  # noqa: F401
from daskphys.errors import ConvergenceWarning, DaskphysWarning, ParameterError, ShapeError
from daskphys.physics import MRI, Blur, Crop, Diagonal, Downsampling, GaussianNoise, Tomography, stack

KERNELS = np.random.default_rng(0).random((12, 3, 2))  # whose axes are not each other's
ALIKE = stack(*[Blur(kernel) for kernel in KERNELS[:3]])
DIMS = ("y", "x")


def image(*shape, dims=("t", "y", "x")):
    rng = np.random.default_rng(1)
    coords = {dim: np.arange(n) for dim, n in zip(dims, shape, strict=True)}
    return xr.DataArray(rng.random(shape), coords, dims, "sky")


def test_each_variable_of_a_dataset_that_is_an_image():
    x = image(2, 16, 12)
    data = xr.Dataset({"sky": x, "power": x**2, "exposure": ("t", [1.0, 2.0])}, attrs={"title": "night"})
    y = data.phys.forward(ALIKE, dims=DIMS)
    assert list(y.data_vars) == ["sky", "power", "exposure"]
    assert y.attrs == data.attrs
    assert y.exposure.identical(data.exposure)
    for name in ("sky", "power"):
        xr.testing.assert_equal(y[name], data[name].phys.forward(ALIKE, dims=DIMS))
    images = y[["sky", "power"]]
    back, normal = images.phys.adjoint(ALIKE), data.phys.normal(ALIKE, dims=DIMS)
    for name in images.data_vars:
        assert np.array_equal(back[name].data, ALIKE.A_adjoint(ALIKE(data[name].data)))
        assert np.array_equal(normal[name].data, ALIKE.A_adjoint_A(data[name].data))
    xr.testing.assert_allclose(images.phys.pinv(ALIKE), data[["sky", "power"]], rtol=1e-6)
    assert not data.phys.forward(ALIKE, dims=DIMS, keep_attrs=False).attrs


def test_datasets_and_trees_can_stop_a_solver_early():
    x = image(2, 16, 12)
    A = stack(*[Blur(kernel, "valid") for kernel in KERNELS[:2]], Crop((0, 0), (8, 8), (16, 12)))
    tree = x.to_dataset().phys.forward(A)
    alike = stack(*[Blur(kernel, "valid") for kernel in KERNELS[:2]])
    data = x.to_dataset().phys.forward(alike)
    for made, B in ((tree.phys, A), (data.phys, alike)):
        with pytest.warns(ConvergenceWarning, match="2 iterations"):
            made.pinv(B, dims=DIMS, max_iter=2)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made.pinv(B, dims=DIMS, rtol=0.5)


def test_a_dataset_stays_lazy():
    data = image(2, 16, 12).to_dataset().chunk(t=1)
    with dask.config.set(scheduler="not a scheduler"):
        y = data.phys.forward(ALIKE)
        assert isinstance(y.phys.adjoint(ALIKE).sky.data, da.Array)
    assert y.chunksizes["t"] == (1, 1)


def test_trees_of_datasets_come_back_in_the_order_of_their_numbers():
    x = image(2, 16, 12)
    A = stack(*[Crop((i, 0), (i + 2 + i % 2, 12), (16, 12)) for i in range(12)])
    tree = xr.Dataset({"sky": x, "power": x**2}).phys.forward(A)
    assert list(tree.children) == [f"sensor_{i}" for i in range(12)]
    by_name = xr.DataTree.from_dict({name: tree[name].to_dataset() for name in sorted(tree.children)})
    assert list(by_name.children)[1] == "sensor_1"
    assert list(by_name.children)[2] == "sensor_10"
    back = by_name.phys.adjoint(A)
    for name, own in (("sky", x), ("power", x**2)):
        assert np.array_equal(back[name].data, A.A_adjoint(A(own.data)))


def test_measurements_are_turned_as_dims_say():
    """In images that are square a wrong order of axes would show in nothing but the numbers."""
    x = image(2, 12, 12)
    y = x.phys.forward(ALIKE)
    for method in ("adjoint", "pinv"):
        expected = getattr(y.phys, method)(ALIKE)
        turned = getattr(y.transpose("x", "y", "sensor", "t").phys, method)(ALIKE, dims=DIMS)
        xr.testing.assert_equal(turned, expected)
    fourier = MRI(np.random.default_rng(2).random((12, 12)) < 0.5)
    z = x.astype(complex).phys.forward(fourier)
    turned = z.transpose("k_x", "k_y", "t").phys.adjoint(fourier, dims=DIMS)
    xr.testing.assert_equal(turned, z.phys.adjoint(fourier))


def test_what_is_no_measurement_goes_with_those_that_are():
    x = image(2, 16, 12)
    data = xr.Dataset({"sky": x, "exposure": ("t", [1.0, 2.0]), "gain": 0.5})
    unlike = stack(*[Blur(kernel, "valid") for kernel in KERNELS[:2]], Crop((0, 0), (8, 8), (16, 12)))
    for A in (ALIKE, ALIKE[0], unlike):
        y = data.phys.forward(A, dims=DIMS)
        for back in (y.phys.adjoint(A), y.phys.adjoint(A, dims=DIMS)):
            assert list(back.data_vars) == ["sky", "exposure", "gain"]
            assert np.array_equal(back.sky.data, A.A_adjoint(A(x.data)))
            xr.testing.assert_identical(back.exposure.drop_vars("t"), data.exposure.drop_vars("t"))
            assert float(back.gain) == 0.5
    with raises(ParameterError, "variable 'sky'", "'sensor'", "x.phys.forward(A)"):
        data.phys.adjoint(ALIKE)
    seen = data.phys.forward(ALIKE, dims=DIMS).assign(
        each=("sensor", [1.0, 2.0, 3.0]), other=(("a", "t"), np.ones((5, 2)))
    )
    back = seen.phys.adjoint(ALIKE)
    for name in ("each", "other"):
        assert back[name].variable.equals(seen[name].variable)
    with raises(ParameterError, "variable 'infrared'", "'sensor'", "'camera'"):
        seen.assign(infrared=seen.sky.rename(sensor="camera")).phys.adjoint(ALIKE)
    some = data.assign(row=("y", np.arange(16.0)), lat_bnds=(("y", "nv"), np.ones((16, 2))))
    seen = some.phys.forward(ALIKE, dims=DIMS)
    for made in (seen, seen.phys.adjoint(ALIKE), some.phys.normal(ALIKE, dims=DIMS)):
        assert made.row.variable.equals(some.row.variable)
        assert made.lat_bnds.variable.equals(some.lat_bnds.variable)
    with raises(ParameterError, "different coordinates 'y'", "data.drop_vars('row')"):
        some.phys.forward(Downsampling("bilinear", 2), dims=DIMS)
    with raises(ParameterError, "'row' has 16 along 'y', and 'sky' has 8", "data.drop_vars('row')"):
        some.drop_vars("y").phys.forward(Downsampling("bilinear", 2), dims=DIMS)
    with raises(ShapeError, "variable 'bounds'", "dims= names the image's axes"):
        xr.Dataset({"sky": x, "bounds": (("t", "nv"), np.ones((2, 2)))}).phys.forward(ALIKE)


def test_what_does_not_fit_is_what_is_carried_along_whatever_comes_first():
    data = xr.Dataset({"rows": ("y", np.arange(16.0)), "sky": image(2, 16, 12).drop_vars("y")})
    for each in (data, data.assign_coords(y=np.arange(16))):
        with raises(ParameterError, "data.drop_vars('rows')"):
            each.phys.forward(Downsampling("bilinear", 2), dims=DIMS)


def test_tables_beside_measurements_stay_where_the_image_s_axes_are_named():
    x = image(2, 12, 12)
    data = xr.Dataset({"sky": x, "table": (("a", "b"), np.eye(12)), "bounds": (("t", "nv"), np.ones((2, 2)))})
    A = ALIKE[0]
    y = data.phys.forward(A, dims=DIMS)
    back = y.phys.adjoint(A, dims=DIMS)
    assert np.array_equal(back.sky.data, A.A_adjoint(A(x.data)))
    for name in ("table", "bounds"):
        assert back[name].identical(y[name])
    with raises(ParameterError, "same axes", "'table' with ['a', 'b']", "dims="):
        y.phys.adjoint(A)


def test_what_goes_with_measurements_whose_axes_have_names_of_their_own():
    x = image(2, 12, 12)
    data = xr.Dataset({"sky": x, "exposure": (("t", "band"), np.ones((2, 3)))})
    A = Tomography([0.0, 50.0, 20.0, 90.0], (12, 12))
    seen = data.phys.forward(A, dims=DIMS)
    for back in (seen.phys.adjoint(A), seen.phys.adjoint(A, dims=DIMS)):
        assert back.exposure.identical(seen.exposure)
        assert np.array_equal(back.sky.data, A.A_adjoint(A(x.data)))


def test_what_goes_with_unlike_sensors_comes_back_from_all_of_them():
    x = image(2, 16, 12)
    A = stack(*[Blur(kernel, "valid") for kernel in KERNELS[:2]], Crop((0, 0), (8, 8), (16, 12)))
    data = xr.Dataset({"sky": x, "exposure": ("t", [1.0, 2.0])}, attrs={"title": "night"})
    tree = data.phys.forward(A, dims=DIMS)
    for i in range(3):
        tree[f"sensor_{i}"]["gain"] = float(i)
        tree[f"sensor_{i}"]["count"] = xr.DataArray([i, i + 1], dims="t")
    tree["observer"] = "me"
    tree.attrs["place"] = "hill"
    back = tree.phys.adjoint(A)
    assert back.attrs == {**data.attrs, "place": "hill"}
    assert np.array_equal(back.sky.data, A.A_adjoint(A(x.data)))
    assert back.exposure.dims == ("t",)
    assert back.gain.values.tolist() == [0.0, 1.0, 2.0]
    assert back["count"].dims == ("sensor", "t")
    assert str(back.observer.values) == "me"
    assert tree.phys.adjoint(A, keep_attrs=False).attrs == {}
    tree["sensor_1"]["count"] = xr.DataArray(np.ones(3), dims="u")
    with raises(ShapeError, "'count'", "drop_vars"):
        tree.phys.adjoint(A)


def test_a_tree_of_a_store_that_lists_variables_in_another_order():
    x = image(2, 16, 12)
    tree = xr.Dataset({"sky": x, "power": x**2}).phys.forward(stack(ALIKE[0], Crop((0, 0), (8, 8), (16, 12))))
    nodes = {name: node.to_dataset() for name, node in tree.children.items()}
    nodes["sensor_1"] = nodes["sensor_1"][["power", "sky"]]
    A = stack(ALIKE[0], Crop((0, 0), (8, 8), (16, 12)))
    xr.testing.assert_equal(xr.DataTree.from_dict(nodes).phys.adjoint(A), tree.phys.adjoint(A))
    renamed = xr.DataTree.from_dict({"cam1": nodes["sensor_1"], "cam0": nodes["sensor_0"]})
    xr.testing.assert_equal(renamed.phys.adjoint(A), tree.phys.adjoint(A))


def test_coordinates_that_no_variable_has_stay():
    data = image(2, 16, 12).to_dataset().assign_coords(station=("station", ["a", "b"]))
    for made in (
        data.phys.forward(ALIKE),
        data.phys.normal(ALIKE),
        data.phys.forward(ALIKE).phys.adjoint(ALIKE),
    ):
        assert made.station.values.tolist() == ["a", "b"]


def test_each_variable_has_noise_of_its_own():
    x = image(2, 16, 12)
    data = xr.Dataset({"one": x, "two": x})
    A = ALIKE.with_noise(GaussianNoise(0.1))
    y, again = (data.phys.forward(A, seed=3) for _ in range(2))
    xr.testing.assert_identical(y, again)
    xr.testing.assert_equal(y.one.drop_vars("sensor"), x.phys.forward(A, seed=3).drop_vars("sensor"))
    difference = (y.one - y.two).values
    assert 0.1 < difference.std() < 0.2
    with raises(ParameterError, "seed"):
        data.phys.forward(A, seed=-1)


def test_names_that_no_dataset_can_hold():
    x = image(2, 16, 12)
    with raises(ParameterError, "'sensor'", "rename"):
        x.rename("sensor").to_dataset().phys.forward(ALIKE)
    unlike = stack(*[Blur(kernel, "valid") for kernel in KERNELS[:2]], Crop((0, 0), (8, 8), (16, 12)))
    with raises(ParameterError, "'y'", "rename"):
        x.rename("y").phys.forward(unlike)
    with raises(ParameterError, "'exposure' has 2 along 'sensor'"):
        xr.Dataset({"sky": x, "exposure": ("sensor", [1.0, 2.0])}).phys.forward(ALIKE, dims=DIMS)
    for wrong in (5, {"y", "x"}, [["y"], "x"]):
        with raises(ParameterError, "dims", "('y', 'x')"):
            x.phys.forward(ALIKE, dims=wrong)
    for wrong in (3, None):
        with raises(ParameterError, "sensor_dim"):
            x.phys.forward(ALIKE, sensor_dim=wrong)


def test_uneven_grids_are_told_where_neighbours_matter():
    x = image(2, 16, 12)
    uneven = x.assign_coords(y=np.arange(16.0) ** 2)
    for A in (ALIKE, ALIKE[0], Downsampling("bilinear", 2)):
        with pytest.warns(DaskphysWarning, match="'y'.*interp"):
            made = A(uneven)
    assert made.y.values.tolist() == (np.arange(0.0, 16, 2) ** 2).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Diagonal(2.0)(uneven)
        Downsampling(None, 2)(uneven)
        ALIKE(uneven.drop_vars("y"))
        ALIKE(
            x.assign_coords(y=np.float32(4.7e4) + np.arange(16, dtype="float32") / 3)
        )  # rounded, as in files
        ALIKE(x.assign_coords(y=np.datetime64("2026-01-01", "ns") + np.arange(16) * np.timedelta64(6, "h")))
    with raises(ParameterError, "sortby('y')"):
        ALIKE(x.isel(y=[1, 0, *range(2, 16)]))


def test_bad_datasets_and_trees():
    x = image(2, 16, 12)
    with raises(ParameterError, "no variable", "lat"):
        x.to_dataset().phys.forward(ALIKE, dims=("lat", "lon"))
    with raises(ShapeError, "3 sensors", "got 1"):
        xr.DataTree.from_dict({"sensor_0": x.to_dataset()}).phys.adjoint(ALIKE)
    with raises(ShapeError, "same variables", "sensor_1 with ['power']"):
        nodes = {"sensor_0": x.to_dataset(), "sensor_1": x.to_dataset(name="power")}
        xr.DataTree.from_dict(nodes).phys.adjoint(ALIKE)
    with raises(ShapeError, "without nodes"):
        xr.DataTree().phys.pinv(ALIKE)
    for names in (("left", "right", "top"), ("a_0", "b_0", "b_1"), ("sensor_0", "sensor_1", "other")):
        with raises(ParameterError, "sensor_0", repr(names[0]), "rename"):
            xr.DataTree.from_dict(dict.fromkeys(names, x.to_dataset())).phys.adjoint(ALIKE)
    with raises(ShapeError, "y.rename(t='sensor')"):
        ALIKE.A_adjoint(x)
    with raises(ShapeError, "one variable", "'sky', 'power'", "lambda node: node[['sky']]"):
        both = xr.Dataset({"sky": x, "power": x})
        ALIKE.A_adjoint(xr.DataTree.from_dict({f"sensor_{i}": both for i in range(3)}))
