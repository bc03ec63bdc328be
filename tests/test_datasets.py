"""Images in all the forms that files have; nothing is downloaded."""

import gzip
import subprocess
import sys
import types
from pathlib import Path
from typing import ClassVar

import matplotlib
import numpy as np
import pytest
from PIL import Image

from daskphys import datasets
from daskphys.datasets import example_names, load_example
from daskphys.errors import (
    DeviceError,
    ImageError,
    ImageNotFoundError,
    MissingDependencyError,
    ParameterError,
    UnknownKeywordError,
)

MATPLOTLIB = ("grace_hopper", "logo2", "Minduka_Present_Blue_Pack", "mri_brain")
SCIKIT = [name for name in example_names() if name not in MATPLOTLIB]


def save(path, array, mode=None, **options):
    image = Image.fromarray(np.asarray(array))
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def load(path, **options):
    return load_example(path, **{"img_size": None, **options})


# --- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", example_names())
def test_every_known_name_loads(name):
    x = load_example(name, img_size=16)
    assert x.dtype == np.float32
    assert x.shape[:2] == (1, 3)
    assert min(x.shape[2:]) == 16
    assert x.min() >= 0
    assert x.max() <= 1
    assert np.ptp(x) > 0.05


def test_the_slice_of_a_head_is_grey_and_of_its_files_numbers():
    x = load_example("mri_brain", grayscale=True, img_size=None)
    assert (x.shape, x.dtype) == ((1, 1, 256, 256), np.float32)
    path = Path(matplotlib.get_data_path(), "sample_data", "s1045.ima.gz")
    numbers = np.frombuffer(gzip.decompress(path.read_bytes()), "<u2").reshape(256, 256)
    np.testing.assert_allclose(x[0, 0] * numbers.max(), numbers, rtol=1e-6)
    np.testing.assert_array_equal(load_example(path, img_size=None)[0, 2], x[0, 0])
    assert load_example("mri_brain", img_size=64).shape == (1, 3, 64, 64)


def test_names_are_sorted_and_hold_those_of_both_packages():
    names = example_names()
    assert names == sorted(names)
    assert {"grace_hopper", "astronaut", "camera", "coffee"} <= set(names)


def test_a_path_that_is_not_there_is_a_file_that_is_not_there(tmp_path):
    for name in (tmp_path / "sky.png", "./grace_hoper.jpg", "measured_at_night.tif"):
        with pytest.raises(ImageNotFoundError, match=r"there is no file '[^']*': check the path") as caught:
            load_example(name)
        assert "rocket" not in str(caught.value)
    with pytest.raises(ImageNotFoundError, match="did you mean 'grace_hopper'"):
        load_example("grace_hoper.jpg")


def test_a_name_may_have_its_extension():
    assert np.array_equal(load("grace_hopper"), load("grace_hopper.jpg"))


def test_the_default_keeps_the_aspect_of_grace_hopper():
    x = load_example("grace_hopper")
    assert x.shape == (1, 3, 600, 512)
    assert x.flags.c_contiguous
    assert x.flags.writeable


def test_pixels_are_those_of_the_file():
    path = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
    expected = np.asarray(Image.open(path)).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(load("grace_hopper")[0], expected, atol=1e-7)


def test_an_unknown_name_lists_the_nearest_and_all():
    with pytest.raises(ImageNotFoundError, match=r"did you mean 'grace_hopper'\?.*'astronaut'.*'rocket'"):
        load_example("grace_hoper")
    with pytest.raises(FileNotFoundError, match=r"'nowhere/at_all\.png'"):
        load_example(Path("nowhere", "at_all.png"))
    with pytest.raises(ImageNotFoundError):
        load_example("")


def test_without_scikit_image_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    assert "grace_hopper" in example_names()
    assert "astronaut" not in example_names()
    with pytest.raises(ImageNotFoundError, match=r"pip install 'daskphys\[notebooks\]'"):
        load_example("astronaut")


def test_a_missing_sample_folder_leaves_the_others(monkeypatch, tmp_path):
    monkeypatch.setattr(matplotlib, "get_data_path", lambda: str(tmp_path))
    assert example_names() == SCIKIT


def test_an_example_comes_before_a_file_of_the_same_name_unless_it_is_a_path(tmp_path, monkeypatch, colours):
    save(tmp_path / "coffee.png", colours)
    monkeypatch.chdir(tmp_path)
    assert load("coffee.png").shape == (1, 3, 400, 600)
    assert load("./coffee.png").shape == load(Path("coffee.png")).shape == (1, 3, 20, 30)


def test_home_is_expanded(tmp_path, monkeypatch, colours):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "mine.png", colours)
    assert load("~/mine.png").shape == (1, 3, 20, 30)


@pytest.mark.parametrize("name", [None, 3, ["grace_hopper"]])
def test_a_name_of_another_type(name):
    with pytest.raises(ParameterError, match="name"):
        load_example(name)


# --- kinds of files ----------------------------------------------------------------------------------------


def test_colour(tmp_path, colours):
    x = load(save(tmp_path / "x.png", colours))
    np.testing.assert_array_equal(x[0], (colours.transpose(2, 0, 1) / 255).astype(np.float32))


def test_luma(tmp_path, colours):
    x = load(save(tmp_path / "x.png", colours), grayscale=True)
    assert x.shape == (1, 1, 20, 30)
    np.testing.assert_allclose(x[0, 0], colours @ [0.299, 0.587, 0.114] / 255, atol=1e-6)


def test_grey_has_three_equal_channels_or_one(tmp_path, colours):
    path = save(tmp_path / "x.png", colours[..., 0])
    x = load(path)
    assert x.shape == (1, 3, 20, 30)
    assert np.array_equal(x[:, 0], x[:, 2])
    np.testing.assert_allclose(load(path, grayscale=True)[0, 0], colours[..., 0] / 255, atol=1e-6)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_is_black(tmp_path, mode):
    channels = Image.new(mode, (4, 1), (200,) * (len(mode) - 1) + (0,))
    for column, alpha in enumerate((0, 51, 255, 255)):
        channels.putpixel((column, 0), (200,) * (len(mode) - 1) + (alpha,))
    channels.save(tmp_path / "x.png")
    np.testing.assert_allclose(
        load(tmp_path / "x.png")[0, 1, 0], np.array([0, 40, 200, 200]) / 255, atol=1e-6
    )


@pytest.mark.parametrize("transparency", [None, 0, bytes([0, 255])])
def test_palette(tmp_path, transparency):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "x.png", **({} if transparency is None else {"transparency": transparency}))
    x = load(tmp_path / "x.png")
    first = [1, 0, 0] if transparency is None else [0, 0, 0]
    assert x[0, :, 0].T.tolist() == [first, [0, 0, 1]]


def test_one_bit(tmp_path):
    Image.new("1", (2, 2), 1).save(tmp_path / "x.png")
    assert load(tmp_path / "x.png").tolist() == np.ones((1, 3, 2, 2)).tolist()


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bits_are_kept(tmp_path, suffix):
    values = np.array([[0, 1, 257], [32768, 65534, 65535]], dtype=np.uint16)
    x = load(save(tmp_path / f"x.{suffix}", values), grayscale=True)
    np.testing.assert_allclose(x[0, 0], values / 65535, rtol=1e-7)


def test_32_bit_integers_count_as_16_bits_or_are_refused(tmp_path):
    fits = save(tmp_path / "fits.tif", np.array([[0, 65535]], dtype=np.int32))
    assert load(fits)[0, 0].tolist() == [[0, 1]]
    wider = save(tmp_path / "wider.tif", np.array([[-5, 70000]], dtype=np.int32))
    with pytest.raises(ImageError, match=r"wider.tif has values from -5 to 70000, outside \[0, 65535\]"):
        load(wider)


def test_floats_in_the_range_are_kept_and_others_refused(tmp_path):
    values = np.array([[0, 0.123456789, 1]], dtype=np.float32)
    assert np.array_equal(load(save(tmp_path / "x.tif", values))[0, 2], values)
    for bad in (1.5, -0.1, np.nan):
        with pytest.raises(ImageError, match="range of mode 'F'"):
            load(save(tmp_path / "bad.tif", np.full((2, 2), bad, dtype=np.float32)))


@pytest.mark.parametrize(
    ("mode", "suffix", "value", "expected"),
    [
        ("CMYK", "jpg", (0, 255, 0, 0), (1, 0, 1)),
        ("CMYK", "tif", (0, 255, 0, 0), (1, 0, 1)),
        ("YCbCr", "tif", (255, 128, 128), (1, 1, 1)),
        ("LAB", "tif", (255, 128, 128), (1, 1, 1)),
    ],
)
def test_other_colour_spaces(tmp_path, mode, suffix, value, expected):
    Image.new(mode, (16, 8), value).save(tmp_path / f"x.{suffix}")
    x = load(tmp_path / f"x.{suffix}")
    assert x.shape == (1, 3, 8, 16)
    np.testing.assert_allclose(x[0, :, 4, 8], expected, atol=0.02)


def test_the_camera_s_orientation_is_applied(tmp_path, colours):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    path = save(tmp_path / "x.png", colours, exif=exif)
    expected = np.rot90(colours, -1).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(load(path)[0], expected, atol=1e-7)


@pytest.mark.parametrize("suffix", ["gif", "tif"])
def test_the_first_frame_is_taken(tmp_path, suffix):
    frames = [Image.new("L", (4, 3), value) for value in (51, 255)]
    frames[0].save(tmp_path / f"x.{suffix}", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(load(tmp_path / f"x.{suffix}"), 0.2, atol=1e-6)


# --- files that are no images ------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "gif"])
def test_truncated(tmp_path, colours, suffix):
    path = save(tmp_path / f"cut.{suffix}", np.tile(colours, (5, 5, 1)))
    data = path.read_bytes()
    for length in (len(data) // 2, 20, 0):
        path.write_bytes(data[:length])
        with pytest.raises(ImageError, match=rf"cut.{suffix} cannot be read as an image"):
            load(path)


def test_text(tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(ImageError, match=r"notes\.png cannot be read as an image") as caught:
        load(tmp_path / "notes.png")
    assert not isinstance(caught.value, ImageNotFoundError)


def test_folder(tmp_path):
    with pytest.raises(ImageError, match=f"{tmp_path} is a folder"):
        load(tmp_path)


def test_no_regular_file():
    with pytest.raises(ImageError, match="no regular file"):
        load("/dev/null")


# --- sizes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "mode", "shape"),
    [
        (10, "resize", (10, 15)),
        (40, "resize", (40, 60)),
        (np.int64(20), "resize", (20, 30)),
        ((7, 9), "resize", (7, 9)),
        ([7, 9], "resize", (7, 9)),
        (1, "resize", (1, 2)),
        (10, "crop", (10, 10)),
        ((20, 30), "crop", (20, 30)),
        ((5, 8), "crop", (5, 8)),
        (None, "crop", (20, 30)),
        (None, "resize", (20, 30)),
    ],
)
@pytest.mark.parametrize("grayscale", [False, True])
def test_sizes(tmp_path, colours, size, mode, shape, grayscale):
    path = save(tmp_path / "x.png", colours)
    x = load_example(path, img_size=size, resize_mode=mode, grayscale=grayscale)
    assert x.shape == (1, 1 if grayscale else 3, *shape)
    assert x.flags.c_contiguous


def test_the_window_is_central(tmp_path, colours):
    path = save(tmp_path / "x.png", colours)
    expected = colours[5:15, 10:20].transpose(2, 0, 1) / 255
    np.testing.assert_allclose(load(path, img_size=10, resize_mode="crop")[0], expected, atol=1e-7)


def test_a_window_larger_than_the_image(tmp_path, colours):
    path = save(tmp_path / "small.png", colours)
    with pytest.raises(ParameterError, match=r"small\.png is 20×30, smaller than the window 25×25.*'resize'"):
        load(path, img_size=25, resize_mode="crop")


def test_resizing_is_antialiased_and_does_not_round_to_8_bits(tmp_path):
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (64, 32))
    x = load(save(tmp_path / "x.png", stripes), img_size=8)
    np.testing.assert_allclose(x[0, 0, :, 2:-2], 0.5, atol=0.02)
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    levels = load(save(tmp_path / "y.png", ramp), img_size=48)[0, 0, 0] * 255
    assert np.abs(levels - np.round(levels)).max() > 0.1


def test_overshoot_is_clipped(tmp_path):
    edge = np.repeat(np.array([[0, 255]], dtype=np.uint8), 4, axis=1).repeat(8, axis=0)
    x = load(save(tmp_path / "x.png", edge), img_size=64)
    assert x.min() == 0
    assert x.max() == 1


@pytest.mark.parametrize(
    "size",
    [0, -3, 2.5, 512.0, "512", True, 10**400, (5,), (5, 6, 7), (5, 0), (5, 2.0), (5, None), (True, 5), ()],
)
def test_bad_sizes(size):
    with pytest.raises(ParameterError, match="img_size"):
        load_example("grace_hopper", img_size=size)


def test_a_size_that_no_memory_holds():
    with pytest.raises(ParameterError, match=r"img_size=1000000 .* GiB here"):
        load_example("grace_hopper", img_size=1_000_000)


@pytest.mark.parametrize("mode", ["pad", None])
def test_unknown_mode(mode):
    with pytest.raises(ParameterError, match=r"resize_mode.*'crop', 'resize'"):
        load_example("grace_hopper", resize_mode=mode)


def test_a_misspelt_mode():
    with pytest.raises(ParameterError, match="did you mean 'resize'"):
        load_example("grace_hopper", resize_mode="reszie")


def test_unknown_keyword():
    with pytest.raises(UnknownKeywordError, match="did you mean 'grayscale'"):
        load_example("grace_hopper", greyscale=True)


# --- libraries and devices ---------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [None, "cpu"])
def test_torch(device):
    torch = pytest.importorskip("torch")
    for place in (device, None if device is None else torch.device(device)):
        x = load_example("grace_hopper", img_size=32, xp="torch", device=place)
        assert x.dtype == torch.float32
        assert x.device.type == "cpu"
        assert np.array_equal(x.numpy(), load_example("grace_hopper", img_size=32))


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cpu:x"])
def test_torch_without_the_device(device):
    pytest.importorskip("torch")
    with pytest.raises(DeviceError, match=device):
        load_example("grace_hopper", img_size=32, xp="torch", device=device)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_numpy_takes_the_cpu(device):
    assert isinstance(load_example("grace_hopper", img_size=8, device=device), np.ndarray)


def test_numpy_takes_no_gpu():
    with pytest.raises(DeviceError, match="xp='cupy' or xp='torch'"):
        load_example("grace_hopper", img_size=8, device="cuda")


@pytest.mark.parametrize(("xp", "extra"), [("torch", "torch"), ("cupy", "cuda12")])
def test_a_missing_library_names_its_extra(monkeypatch, xp, extra):
    monkeypatch.setitem(sys.modules, xp, None)
    with pytest.raises(MissingDependencyError, match=rf"daskphys\[{extra}\]"):
        load_example("grace_hopper", img_size=8, xp=xp)


class FakeDevice:
    """Stands for a machine with two GPUs."""

    used: ClassVar[list] = []

    def __init__(self, index):
        if index not in (None, 0, 1):
            raise RuntimeError("invalid device ordinal")
        self.used.append(index)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize(("device", "index"), [(None, None), ("cuda", None), ("cuda:1", 1)])
def test_cupy_places_on_the_device(monkeypatch, device, index):
    fake = types.SimpleNamespace(cuda=types.SimpleNamespace(Device=FakeDevice), asarray=np.asarray)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    assert load_example("grace_hopper", img_size=8, xp="cupy", device=device).shape == (1, 3, 9, 8)
    assert FakeDevice.used[-1] == index
    with pytest.raises(DeviceError, match="invalid device ordinal"):
        load_example("grace_hopper", img_size=8, xp="cupy", device="cuda:7")


@pytest.mark.parametrize("device", ["cpu", "cuda:", "cuda:x", "cuda0"])
def test_cupy_takes_gpus_only(device):
    with pytest.raises(DeviceError, match=device):
        load_example("grace_hopper", img_size=8, xp="cupy", device=device)


@pytest.mark.parametrize("xp", ["jax", "tensor", None])
def test_unknown_library(xp):
    with pytest.raises(ParameterError, match="'cupy', 'numpy', 'torch'"):
        load_example("grace_hopper", xp=xp)


def test_importing_the_module_imports_no_heavy_library():
    code = (
        "import sys, daskphys.datasets\n"
        "print([m for m in ('matplotlib', 'PIL', 'skimage', 'torch', 'cupy') if m in sys.modules])\n"
        "daskphys.datasets.load_example('astronaut', img_size=8)\n"
        "print([m for m in ('matplotlib.pyplot', 'skimage', 'torch', 'pooch') if m in sys.modules])\n"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout == "[]\n[]\n"


def test_public_names():
    assert datasets.__all__ == ["example_names", "load_example"]
