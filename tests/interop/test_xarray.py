"""xarray objects: names and coordinates go with the numbers, which are the operators' own."""

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from cases import raises
from hypothesis import given, settings
from hypothesis import strategies as st

import daskphys.interop.xarray  # noqa: F401
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import ConvergenceWarning, DtypeError, ParameterError, ShapeError, UnknownKeywordError
from daskphys.physics import Blur, Crop, Diagonal, Downsampling, gaussian_blur, stack
from daskphys.physics.mri import MultiCoilMRI, birdcage_maps
from daskphys.physics.radio import Interferometry
from daskphys.physics.tomography import Tomography

rng = np.random.default_rng(0)
CIRCULAR = stack(*[Blur(gaussian_blur(s)) for s in (0.5, 1.0, 1.5)])
RAGGED = stack(*[Blur(gaussian_blur(s), "valid") for s in (0.5, 1.0)])


def image(dims=("band", "y", "x"), dtype="float32"):
    sizes = {"t": 3, "band": 2, "y": 24, "x": 20}
    coords = {"band": ["red", "blue"], "y": np.arange(24) * 0.5, "x": 100.0 - np.arange(20), "t": [1, 2, 3]}
    return xr.DataArray(
        rng.random([sizes[d] for d in dims], dtype),
        {name: values for name, values in coords.items() if name in dims} | {"exposure": 0.25},
        dims,
        name="sky",
        attrs={"units": "Jy"},
    )


def test_numbers_names_and_coordinates_go_along():
    x = image()
    y = x.phys.forward(CIRCULAR)
    assert y.dims == ("sensor", "band", "y", "x")
    assert np.array_equal(y.data, np.stack(list(CIRCULAR(x.data))))
    assert all(y.coords[name].identical(x.coords[name]) for name in ("band", "y", "x"))
    assert (y.name, y.attrs, float(y.exposure)) == ("sky", {"units": "Jy"}, 0.25)
    back = y.phys.adjoint(CIRCULAR)
    assert back.dims == x.dims
    assert np.array_equal(back.data, CIRCULAR.A_adjoint(CIRCULAR(x.data)))
    assert x.phys.normal(CIRCULAR).coords.identical(x.coords)
    assert np.array_equal(x.phys.normal(CIRCULAR).data, CIRCULAR.A_adjoint_A(x.data))
    xr.testing.assert_allclose(y.phys.pinv(CIRCULAR), x, rtol=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.permutations(["t", "band", "y", "x"]), st.permutations(["y", "x"]))
def test_dimensions_are_found_by_name_in_any_order(order, own):
    x = image(tuple(order))
    y = x.phys.forward(CIRCULAR, dims=own)
    lead = [d for d in order if d not in own]
    assert y.dims == ("sensor", *lead, *own)
    assert np.array_equal(y.isel(sensor=1).data, CIRCULAR[1](x.transpose(*lead, *own).data))


@pytest.mark.parametrize("keep", [True, False, "default"])
def test_attributes_follow_xarrays_option(keep):
    x = image()
    with xr.set_options(keep_attrs=keep):
        assert bool(x.phys.forward(CIRCULAR).attrs) is (keep is not False)
        assert bool(x.phys.normal(CIRCULAR).attrs) is (keep is not False)
    assert not x.phys.forward(CIRCULAR, keep_attrs=False).attrs


def test_unlike_shapes_are_a_tree_and_come_back():
    x = image()
    tree = x.phys.forward(RAGGED)
    assert list(tree.children) == ["sensor_0", "sensor_1"]
    assert np.array_equal(tree["sensor_1/sky"].data, RAGGED[1](x.data))
    back = tree.phys.adjoint(RAGGED, like=x)
    assert np.array_equal(back.data, RAGGED.A_adjoint(RAGGED(x.data)))
    assert back.y.identical(x.y)
    with pytest.warns(ConvergenceWarning):
        assert tree.phys.pinv(RAGGED, dims=("y", "x")).dims == ("band", "y", "x")


@pytest.mark.parametrize("size", [3, 4])
def test_samples_that_are_left_keep_their_places(size):
    """A valid blur's samples are those of the circular one at the same coordinates."""
    x, kernel = image(dtype="float64"), rng.random((size, size))
    valid = x.phys.forward(Blur(kernel, "valid"))
    circular = x.phys.forward(Blur(kernel))
    xr.testing.assert_allclose(valid, circular.sel(y=valid.y, x=valid.x))
    for padding in ("circular", "valid"):
        coarse = x.phys.forward(Downsampling(kernel, 2, padding, image_shape=(24, 20)))
        xr.testing.assert_allclose(coarse, circular.sel(y=coarse.y, x=coarse.x))
        assert coarse.sizes["y"] == coarse.y.size > 9
    cut = x.phys.forward(Crop((2, 3), (9, 19), (24, 20)))
    xr.testing.assert_equal(cut, x.isel(y=slice(2, 9), x=slice(3, 19)))


def test_axes_that_the_operator_knows():
    x = image(("y", "x")).isel(y=slice(20))
    angles = np.linspace(0, 150, 6)
    y = x.phys.forward(Tomography(angles, (20, 20)))
    assert y.dims == ("angle", "detector")
    assert np.array_equal(y.angle, angles)
    assert y.angle.attrs == {"units": "degrees"}
    assert y.phys.adjoint(Tomography(angles, (20, 20)), like=x).y.identical(x.y)
    A = MultiCoilMRI(birdcage_maps(3, (20, 20)), np.ones((20, 20)))
    z = x.astype("complex64").phys.forward(A)
    assert z.dims == ("coil", "k_y", "k_x")
    assert "y" not in z.coords
    assert z.phys.adjoint(A).dims == ("y", "x")
    radio = Interferometry(rng.random((5, 3)), 1e-3, (20, 20), frequencies=np.array([1e9, 2e9]))
    v = x.phys.forward(radio)
    assert v.dims == ("baseline", "frequency")
    assert v.frequency.attrs == {"units": "Hz"}


def never(*_, **__):
    raise AssertionError("something was computed")


def test_dask_arrays_stay_lazy_and_keep_their_chunks():
    x = image(("t", "y", "x"))
    lazy = x.chunk(t=1)
    with dask.config.set(scheduler=never):
        y = lazy.phys.forward(CIRCULAR)
        back = y.phys.adjoint(CIRCULAR)
        tree = lazy.phys.forward(RAGGED)
    assert isinstance(y.data, da.Array)
    assert back.chunks[0] == (1, 1, 1)
    assert isinstance(tree["sensor_0/sky"].data, da.Array)
    assert np.array_equal(back.compute().data, CIRCULAR.A_adjoint(CIRCULAR(x.data)))


def test_inside_map_blocks_and_apply_ufunc():
    x = image(("t", "y", "x"))
    blur = CIRCULAR[0]
    expected = x.phys.forward(blur)
    lazy = x.chunk(t=1)
    xr.testing.assert_equal(
        xr.map_blocks(lambda block: block.phys.forward(blur), lazy, template=lazy).compute(), expected
    )
    core = {"input_core_dims": [["y", "x"]], "output_core_dims": [["y", "x"]], "keep_attrs": True}
    made = xr.apply_ufunc(blur, lazy, dask="parallelized", output_dtypes=[x.dtype], **core)
    xr.testing.assert_equal(made.compute(), expected)


def test_distributed_operators_and_a_pipeline_from_zarr_to_zarr(tmp_path):
    x = image(("t", "y", "x"))
    x.chunk(t=1).to_dataset().to_zarr(tmp_path / "x.zarr", zarr_format=2)
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(CIRCULAR, ctx)
        lazy = xr.open_zarr(tmp_path / "x.zarr").sky
        made = lazy.phys.forward(D).phys.pinv(D)
        made.to_dataset(name="sky").drop_encoding().to_zarr(tmp_path / "y.zarr", zarr_format=2)
        assert np.array_equal(x.phys.forward(D), x.phys.forward(CIRCULAR))
    xr.testing.assert_allclose(xr.open_zarr(tmp_path / "y.zarr").sky.compute(), x, rtol=1e-3)
    assert zarr.open_group(tmp_path / "y.zarr", mode="r")["sky"].chunks[0] == 1


def test_operators_called_on_arrays_give_arrays():
    x = image()
    y = CIRCULAR[0](x)
    assert isinstance(y, xr.DataArray)
    assert y.identical(x.phys.forward(CIRCULAR[0]))
    many = CIRCULAR(x)
    assert len(many) == 3
    assert many.stack().identical(x.phys.forward(CIRCULAR))
    back = CIRCULAR.A_adjoint(many)
    assert back.identical(x.phys.forward(CIRCULAR).phys.adjoint(CIRCULAR))


def test_bad_input():
    x = image()
    with raises(ParameterError, "Blur", "'lat'", "'band', 'y', 'x'"):
        x.phys.forward(CIRCULAR[0], dims=("lat", "x"))
    with raises(ParameterError, "once", "('x', 'x')"):
        x.phys.forward(CIRCULAR[0], dims=("x", "x"))
    with raises(ShapeError, "2 dimensions", "('y',)"):
        x.phys.forward(CIRCULAR[0], dims="y")
    twice = x.assign_coords(y=np.arange(24) // 2)
    with raises(ParameterError, "'y'", "drop_duplicates"):
        twice.phys.forward(CIRCULAR[0])
    twice.phys.forward(Diagonal(2.0))  # to which neighbours are nothing
    with raises(DtypeError, "int64"):
        x.astype("int64").phys.forward(CIRCULAR[0])
    with raises(ParameterError, "'sensor'", "sensor_dim"):
        x.phys.adjoint(CIRCULAR)
    radio = Interferometry(rng.random((5, 3)), 1e-3, (20, 20))
    seen = image(("y", "x")).isel(y=slice(20)).phys.forward(radio)
    with raises(ParameterError, "2 names", "('y',)"):
        seen.phys.adjoint(radio, dims="y")
    with raises(ShapeError, "like=", "y: 24"):
        seen.phys.adjoint(radio, like=image())
    with raises(ParameterError, "an operator", "shape (3,)"):
        x.phys.forward(np.ones(3))
    with raises(ShapeError, "one chunk", "x.chunk(y=-1, x=-1)"):
        x.chunk(y=12).phys.forward(Downsampling(None, 2))
    with raises(ShapeError, "5×5", "the last, 'band', 'x'", "dims= of x.phys"):
        x.transpose("y", "band", "x").phys.forward(CIRCULAR)
    with pytest.raises(ShapeError) as plain:  # nothing to name: they are all there is, or no image
        x[0].phys.forward(Diagonal(np.ones((10, 10))))
    assert "dimensions" not in str(plain.value)
    with raises(UnknownKeywordError, "forward() has no keyword 'dim'", "did you mean 'dims'"):
        x.phys.forward(CIRCULAR, dim=("y", "x"))


def test_accessors_say_what_they_do():
    x = image()
    assert repr(x.phys) == "<PhysAccessor: .forward(A), .adjoint(A), .normal(A), .pinv(A)>"
    assert repr(x.phys.forward(RAGGED).phys) == "<TreeAccessor: .adjoint(A), .pinv(A)>"
