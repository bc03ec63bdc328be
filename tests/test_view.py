"""Sliders over measurements, their pictures, and the grid where there are no widgets; no browser is needed."""

import io
import sys

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from daskphys.errors import ParameterError, ShapeError, UnknownKeywordError
from daskphys.physics import Measurements
from daskphys.plotting import view


@pytest.fixture(autouse=True)
def no_pyplot():
    yield
    assert not plt.get_fignums()


def shown(figure):
    """What the first axes shows: the picture's numbers."""
    return np.asarray(figure.axes[0].images[0].get_array())


def picture(v):
    """The pixels of the widget's picture."""
    return np.asarray(Image.open(io.BytesIO(v._panel.picture.value)).convert("RGB"))


def counted(sensors, shape=(6, 5)):
    """Lazy measurements, sensor i of value i, and the list of those that were computed."""
    computed = []

    def make(i):
        computed.append(i)
        return np.full(shape, float(i))

    delayed = [dask.delayed(make)(i) for i in range(sensors)]
    return Measurements([da.from_delayed(d, shape, float) for d in delayed]), computed


# -- what is shown --------------------------------------------------------------------------------------------------


def test_a_slider_for_each_axis_in_front_of_the_image():
    y = np.random.default_rng(0).random((2, 3, 4, 6, 5))
    v = view(y)
    assert {name: s.max for name, s in v.sliders.items()} == {"axis 0": 1, "batch": 2, "sensor": 3}
    np.testing.assert_array_equal(shown(v.figure(1, 2, 3)), y[1, 2, 3])
    np.testing.assert_array_equal(shown(v.figure(1)), y[1, 0, 0])
    assert repr(v) == "View(axis 0: 2, batch: 3, sensor: 4; 6×5, float64)"


def test_moving_a_slider_draws_that_sensor():
    y = Measurements([np.eye(6), 1 - np.eye(6)])
    v = view(y)
    first = picture(v)
    v.sliders["sensor"].value = 1
    assert not np.array_equal(picture(v), first)
    v.sliders["sensor"].value = 0
    np.testing.assert_array_equal(picture(v), first)


def test_sensors_share_a_scale_so_that_they_can_be_compared():
    figure = view([np.full((4, 4), 1.0), np.full((4, 4), 3.0), np.zeros((4, 4))]).figure(1)
    assert figure.axes[0].images[0].get_clim() == (0.0, 3.0)
    assert view([np.eye(4)], vmin=-1, vmax=5).figure().axes[0].images[0].get_clim() == (-1.0, 5.0)


def test_complex_numbers_are_magnitudes_over_four_decades_if_asked():
    y = np.array([[3 + 4j, 0], [5j, 1e-9]])
    figure = view(y[None], scale="log").figure()
    np.testing.assert_array_equal(shown(figure), abs(y))
    assert figure.axes[0].images[0].get_clim() == pytest.approx((5e-4, 5.0))
    assert figure.axes[1].get_ylabel() == "magnitude"


def test_three_real_channels_of_measurements_are_colours():
    y = np.random.default_rng(0).random((3, 6, 5))
    v = view([y, y / 2])
    assert list(v.sliders) == ["sensor"]
    np.testing.assert_array_equal(shown(v.figure()), np.moveaxis(y, 0, -1))
    assert list(view([y, y], colour=False).sliders) == ["sensor", "channel"]
    assert list(view(y).sliders) == ["sensor"]  # three coils, say: one array has no colours unless asked
    assert not view(y, colour=True).sliders
    with pytest.raises(ParameterError, match="length 3"):
        view([1j * y], colour=True)


def test_sensors_may_differ_in_shape():
    v = view([np.ones((2, 6, 5)), np.zeros((3, 4)), np.arange(7.0)])
    assert {name: s.max for name, s in v.sliders.items()} == {"sensor": 2, "channel": 1}
    assert shown(v.figure(0, 1)).shape == (6, 5)
    assert shown(v.figure(1, 1)).shape == (3, 4)  # it has no such axis
    np.testing.assert_array_equal(v.figure(2).axes[0].lines[0].get_ydata(), np.arange(7.0))


def test_names_are_ours_or_xarrays():
    xarray = pytest.importorskip("xarray")
    x = xarray.DataArray(np.zeros((2, 4, 6, 5)), dims=("time", "coil", "y", "x"))
    figure = view(x).figure(1, 3)
    assert figure.axes[0].get_title() == "time 1 of 2, coil 3 of 4"
    assert (figure.axes[0].get_ylabel(), figure.axes[0].get_xlabel()) == ("y", "x")
    assert list(view(x.data, names=["frame", "receiver"]).sliders) == ["frame", "receiver"]


@pytest.mark.parametrize("make", [torch.tensor, lambda a: torch.tensor(a, requires_grad=True)])
def test_tensors(make):
    y = np.random.default_rng(0).random((2, 6, 5))
    np.testing.assert_allclose(shown(view(make(y)).figure(1)), y[1], rtol=1e-6)


def test_nothing_finite_and_all_the_same():
    for value in (np.nan, 2.0, 0.0):
        v = view([np.full((3, 3), value), np.full(3, value)], scale="log", figsize=(1, 1))
        assert shown(v.figure()).shape == (3, 3)
        assert v._repr_mimebundle_()["image/png"]


# -- lazily ---------------------------------------------------------------------------------------------------------


def test_lazy_measurements_are_computed_one_sensor_at_a_time():
    y, computed = counted(20)
    v = view(y)
    assert (computed, repr(v)) == ([], "View(sensor: 20; 6×5, float64, lazy)")
    assert type(v._repr_mimebundle_()["image/png"]) is bytes  # a notebook's own encoder takes nothing else
    assert computed == [0]
    v.sliders["sensor"].value = 7
    v.sliders["sensor"].value = 0
    assert computed == [0, 7]  # what was seen is kept
    assert not v.sliders["sensor"].continuous_update
    v.grid(3)
    assert computed == [0, 7, 1, 2]


def test_an_error_of_a_lazy_sensor_is_told_where_the_user_looks():
    def fail(_):
        raise ValueError("<no> file")

    bad = da.zeros((6, 5)).map_blocks(fail, meta=np.zeros((0, 0)))
    v = view(Measurements([da.ones((6, 5)), bad]))
    before = picture(v)
    v.sliders["sensor"].value = 1
    assert "ValueError: &lt;no&gt; file" in v._panel.message.value
    np.testing.assert_array_equal(picture(v), before)
    v.sliders["sensor"].value = 0
    assert v._panel.message.value == ""


# -- where there are no widgets -------------------------------------------------------------------------------------


def test_the_grid_says_how_many_more_there_are():
    v = view(np.zeros((11, 6, 5)), names=["coil"])
    figure = v.grid()
    assert [axes.get_title() for axes in figure.axes] == [f"coil {i} of 11" for i in range(8)]
    assert figure.get_supxlabel() == "and 3 more"
    assert not view(np.zeros((8, 6, 5))).grid().get_supxlabel()
    assert len([axes for axes in view(np.zeros((5, 6, 5))).grid().axes if axes.axison]) == 5


def test_without_ipywidgets_it_is_the_grid(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    v = view(np.zeros((3, 6, 5)))
    assert v.sliders == {}
    bundle = v._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png"}
    assert Image.open(io.BytesIO(bundle["image/png"])).width > 700


def test_with_widgets_the_grid_goes_along_for_who_cannot_show_them():
    bundle = view(np.zeros((3, 6, 5)))._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
    assert Image.open(io.BytesIO(bundle["image/png"])).width > 700


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "options", "error", "words"),
    [
        ([], {}, ParameterError, "at least, got none"),
        (np.float64(3), {}, ShapeError, "one axis at least"),
        ([np.ones(3), "text"], {}, ShapeError, "got str for sensor 1"),
        (np.zeros((0, 3)), {}, ShapeError, r"no empty ones, got shape \(0, 3\)"),
        (np.zeros((2, 3, 3)), {"names": "coil"}, ParameterError, "names= of 1 axes"),
        (np.zeros((2, 3, 3)), {"names": ["a", "b"]}, ParameterError, "names= of 1 axes"),
        (np.zeros((2, 3, 3)), {"scale": "lg"}, ParameterError, "did you mean 'log'"),
        (np.zeros((2, 3, 3)), {"cmap": "grey scale"}, ParameterError, "cmap"),
        (np.zeros((2, 3, 3)), {"figsize": 3}, ParameterError, "figsize"),
        (np.zeros((2, 3, 3)), {"figsise": 3}, UnknownKeywordError, "figsize"),
    ],
)
def test_bad_input(given, options, error, words):
    with pytest.raises(error, match=words):
        view(given, **options)


@pytest.mark.parametrize("index", [(2,), (-1,), (0, 0)])
def test_a_plane_that_is_not_there(index):
    with pytest.raises(ParameterError, match="has no plane"):
        view(np.zeros((2, 3, 3))).figure(*index)
