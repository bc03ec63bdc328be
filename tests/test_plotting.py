"""Figures are looked into, and saved files are read back by their pixels."""

import pickle
import subprocess
import sys
from collections.abc import Sequence

import dask.array as da
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from daskphys.errors import ParameterError, ShapeError, UnknownKeywordError, UnsupportedArrayError
from daskphys.plotting import plot


@pytest.fixture
def image():
    return np.random.default_rng(0).random((1, 3, 12, 16), dtype=np.float32)


def shown(figure, index=0):
    """What the axes' image holds; NaN where it is masked."""
    return np.ma.filled(figure.axes[index].images[0].get_array().astype(float), np.nan)


def size_of(path):
    with Image.open(path) as file:
        return file.size


# --- what is shown -----------------------------------------------------------------------------------------


def test_one_image(image):
    figure = plot(image)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 1
    np.testing.assert_allclose(shown(figure), image[0].transpose(1, 2, 0))
    assert not figure.axes[0].axison


@pytest.mark.parametrize("shape", [(6, 8), (1, 6, 8), (3, 6, 8), (1, 1, 6, 8), (1, 3, 6, 8), (4, 3, 6, 8)])
def test_shapes(shape):
    x = np.random.default_rng(1).random(shape)
    channels = np.moveaxis(x.reshape(-1, *x.shape[-3:])[0], 0, -1) if x.ndim > 2 else x
    expected = channels[..., 0] if channels.ndim == 3 and channels.shape[-1] == 1 else channels
    assert np.array_equal(shown(plot(x)), expected)


def test_several_images_titles_and_suptitle(image):
    figure = plot([image, image[0], image[0, 0]], titles=["a", "b", "c"], suptitle="all")
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c"]
    assert figure.get_suptitle() == "all"
    tops = {round(axes.get_position().y0, 6) for axes in figure.axes}
    assert len(tops) == 1


def test_any_sequence(image):
    class Three(Sequence):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return [image, image, image][index]

    assert len(plot(Three()).axes) == 3
    assert len(plot((image, image)).axes) == 2


def test_a_str_is_one_title(image):
    assert plot(image, titles="photograph").axes[0].get_title() == "photograph"


def test_values_in_the_range_are_not_stretched():
    x = np.array([[0.25, 0.5]])
    figure = plot(x)
    assert np.array_equal(shown(figure), x)
    assert figure.axes[0].images[0].get_clim() == (0, 1)


def test_rounding_beyond_the_range_is_clipped():
    assert shown(plot(np.array([[0.25, 1 + 1e-6], [-1e-6, 0.5]]))).tolist() == [[0.25, 1], [0, 0.5]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_values_beyond_the_range_are_scaled_each_by_its_own(dtype):
    first, second = np.array([[-2, 0, 2]], dtype=dtype), np.array([[10, 20, 50]], dtype=dtype)
    figure = plot([first, second])
    assert shown(figure, 0).tolist() == [[0, 0.5, 1]]
    assert shown(figure, 1).tolist() == [[0, 0.25, 1]]


def test_uint8_bool_and_constants():
    assert shown(plot(np.array([[0, 51, 255]], dtype=np.uint8))).tolist() == [[0, 0.2, 1]]
    assert shown(plot(np.array([[False, True]]))).tolist() == [[0, 1]]
    assert shown(plot(np.full((2, 2), 7.0))).tolist() == [[0, 0], [0, 0]]


def test_complex_is_shown_as_magnitude():
    x = np.array([[0.3 + 0.4j, -1j]], dtype=np.complex64)
    np.testing.assert_allclose(shown(plot(x)), [[0.5, 1]], rtol=1e-6)


def test_nan_and_infinity_in_grey():
    x = np.array([[np.nan, -1, 0, 3, np.inf, -np.inf]])
    figure = plot(x)
    np.testing.assert_array_equal(shown(figure), [[np.nan, 0, 0.25, 1, 1, 0]])
    assert figure._repr_png_()


def test_nan_in_colour_is_white(tmp_path):
    x = np.zeros((3, 4, 4))
    x[1, 0, 0] = np.nan
    figure = plot(x, save_fn=tmp_path / "x.png")
    assert shown(figure)[0, 0].tolist() == [1, 1, 1]
    assert shown(figure)[1, 1].tolist() == [0, 0, 0]


def test_nothing_but_nan(tmp_path):
    plot([np.full((4, 4), np.nan), np.full((3, 4, 4), np.nan)], save_fn=tmp_path / "x.png")


def test_the_input_is_not_changed():
    x = np.array([[-1.0, np.nan, 3.0]])
    before = x.copy()
    plot(x)
    np.testing.assert_array_equal(x, before)


# --- array libraries ---------------------------------------------------------------------------------------


def test_dask(image):
    assert np.array_equal(shown(plot(da.from_array(image, chunks=4))), shown(plot(image)))


def test_torch(image):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(image)
    expected = shown(plot(image))
    assert np.array_equal(shown(plot(tensor.clone().requires_grad_())), expected)
    assert np.array_equal(shown(plot([tensor.double()])), expected)
    np.testing.assert_allclose(shown(plot(tensor.bfloat16())), expected, atol=0.01)
    np.testing.assert_allclose(shown(plot((tensor * 1j).conj())), expected, atol=1e-6)
    np.testing.assert_allclose(shown(plot((tensor * -1j).conj().imag)), expected, atol=1e-6)


def test_xarray(image):
    xarray = pytest.importorskip("xarray")
    assert np.array_equal(shown(plot(xarray.DataArray(image).chunk())), shown(plot(image)))


def test_cupy_is_fetched(image):
    class Fake:
        __cuda_array_interface__: dict = {}  # noqa: RUF012
        shape = image.shape

        def get(self):
            return image

    assert np.array_equal(shown(plot(Fake())), shown(plot(image)))


# --- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figsize", "pixels"), [((15, 4), (1500, 400)), ((3, 3), (300, 300)), ((6.4, 4.8), (640, 480))]
)
@pytest.mark.parametrize("bbox", ["tight", None])
def test_a_saved_figure_has_the_exact_size(tmp_path, image, figsize, pixels, bbox):
    with matplotlib.rc_context({"savefig.bbox": bbox, "savefig.dpi": 50, "figure.dpi": 72}):
        plot([image] * 3, titles=list("abc"), save_fn=tmp_path / "x.png", figsize=figsize)
    assert size_of(tmp_path / "x.png") == pixels


def test_the_default_size_grows_with_the_images(tmp_path, image):
    plot([image] * 3, save_fn=str(tmp_path / "x.png"))
    assert size_of(tmp_path / "x.png") == (1200, 400)


def test_the_saved_picture_holds_the_image(tmp_path):
    plot(
        np.ones((1, 3, 8, 8)) * np.array([1.0, 0, 0])[:, None, None],
        save_fn=tmp_path / "x.png",
        figsize=(2, 2),
    )
    with Image.open(tmp_path / "x.png") as file:
        pixels = np.asarray(file.convert("RGB"))
    assert pixels[100, 100].tolist() == [255, 0, 0]
    assert pixels[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["x.pdf", "x.svg", "x.JPG"])
def test_other_formats(tmp_path, image, name):
    plot(image, save_fn=tmp_path / name)
    assert (tmp_path / name).stat().st_size > 100


def test_without_an_extension_it_is_png(tmp_path, image):
    plot(image, save_fn=tmp_path / "x")
    assert size_of(tmp_path / "x.png") == (400, 400)


def test_a_tiny_figure_does_not_warn(tmp_path, image):
    plot([image] * 3, titles=["a long title"] * 3, save_fn=tmp_path / "x.png", figsize=(1, 0.5))
    assert size_of(tmp_path / "x.png") == (100, 50)


def test_places_that_cannot_be_written(tmp_path, image):
    with pytest.raises(ParameterError, match=r"folder '.*nowhere' does not exist"):
        plot(image, save_fn=tmp_path / "nowhere" / "x.png")
    with pytest.raises(ParameterError, match="is a folder"):
        plot(image, save_fn=tmp_path)
    with pytest.raises(ParameterError, match=r"'x\.docx' has none of the extensions .*png"):
        plot(image, save_fn=tmp_path / "x.docx")
    assert not list(tmp_path.iterdir())


# --- errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("titles", [[], ["a"], ["a", "b", "c"], "ab"])
def test_wrong_number_of_titles(image, titles):
    with pytest.raises(ParameterError, match="titles for 2 images"):
        plot([image, image], titles=titles)


def test_no_images():
    with pytest.raises(ParameterError, match="no images"):
        plot([])


@pytest.mark.parametrize("shape", [(5,), (), (1, 1, 1, 4, 4), (0, 3, 4, 4), (0, 4)])
def test_wrong_shapes(image, shape):
    with pytest.raises(ShapeError, match="image 1 has shape"):
        plot([image, np.zeros(shape)])


@pytest.mark.parametrize("shape", [(2, 4, 4), (1, 8, 4, 4), (12, 16, 3)])
def test_wrong_channels(shape):
    with pytest.raises(ParameterError, match="select 1 or 3"):
        plot(np.zeros(shape))


@pytest.mark.parametrize("thing", ["photo.png", None, {"a": 1}, np.array([["a"]]), object()])
def test_what_is_no_array(thing):
    with pytest.raises(UnsupportedArrayError, match="image 0 is"):
        plot([thing])


def test_ragged_lists():
    with pytest.raises(UnsupportedArrayError, match="image 0 is list"):
        plot([[[1, 2], [3]]])


@pytest.mark.parametrize("figsize", [3, (1,), (1, 2, 3), (0, 4), (-1, 4), (np.nan, 4), (np.inf, 4), "big"])
def test_bad_figsize(image, figsize):
    with pytest.raises(ParameterError, match="figsize"):
        plot(image, figsize=figsize)


def test_bad_cmap_and_keyword(image):
    with pytest.raises(ParameterError, match="cmap: 'grey_'"):
        plot(image, cmap="grey_")
    with pytest.raises(UnknownKeywordError, match="did you mean 'titles'"):
        plot(image, title="a")


# --- pyplot, notebooks -------------------------------------------------------------------------------------


def test_no_pyplot_state_without_show(image, tmp_path):
    plt.close("all")
    backend = matplotlib.get_backend()
    plot([image] * 2, save_fn=tmp_path / "x.png")
    assert plt.get_fignums() == []
    assert matplotlib.get_backend() == backend


def test_show_uses_pyplot_once(monkeypatch, image):
    plt.close("all")
    calls = []
    monkeypatch.setattr(plt, "show", lambda: calls.append(plt.get_fignums()))
    with matplotlib.rc_context({"backend": "agg"}):
        figure = plot(image, show=True)
        assert calls == [[figure.number]]
        with pytest.raises(ParameterError):
            plot(np.zeros((2, 4, 4)), show=True)
        assert len(plt.get_fignums()) == 1
    plt.close(figure)


def test_a_notebook_can_draw_the_figure(image):
    assert plot(image)._repr_png_().startswith(b"\x89PNG")


def test_the_figure_can_be_pickled(image):
    again = pickle.loads(pickle.dumps(plot(image, titles="a")))
    assert again.axes[0].get_title() == "a"
    assert again._repr_png_().startswith(b"\x89PNG")


def test_importing_the_module_imports_no_matplotlib_and_plotting_no_pyplot(tmp_path):
    code = (
        "import sys, numpy, daskphys.plotting\n"
        "print([m for m in ('matplotlib', 'PIL', 'torch', 'cupy') if m in sys.modules])\n"
        f"daskphys.plotting.plot(numpy.eye(4), save_fn={str(tmp_path / 'x.png')!r})\n"
        "print([m for m in ('matplotlib.pyplot', 'torch') if m in sys.modules])\n"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout == "[]\n[]\n"
