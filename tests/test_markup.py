"""HTML of notebooks: well-formed, escaped, without scripts, and of the theme's own colours."""

import re
from html.parser import HTMLParser

import dask.array as da
import numpy as np
import pytest

from daskphys.distributed.memory import Peak
from daskphys.distributed.placed import Placement
from daskphys.distributed.plan import Plan, WorkerPlan
from daskphys.markup import card, link, logarithmic, meter, sampled, table
from daskphys.physics import MRI, Blur, Measurements, gaussian_blur, stack
from daskphys.physics.normal import Diagonal, Toeplitz

HOSTILE = "<script>alert('x')</script> & \"quotes\""


class Page(HTMLParser):
    """Tags that are open, all that were seen, and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for seen, attrs in self.seen if seen == tag]


def shown():
    """One of everything that shows itself, without a cluster."""
    blurs = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
    peak = Peak(base=300, kept=100, call=200, room=1000)
    plan = Plan(
        "A",
        "A",
        "on workers",
        (4, 4),
        "float32",
        1,
        1,
        2,
        3,
        4,
        5,
        None,
        (WorkerPlan(0, ((0, 2),), 1, 2, peak),),
    )
    y = blurs(np.eye(16))
    mask = np.ones((16, 16))
    return {
        "stack": blurs,
        "adjoint": blurs.H,
        "normal": blurs.normal((16, 16)),
        "kspace": MRI(mask).normal((16, 16)),
        "diagonal": Diagonal(mask),
        "toeplitz": Toeplitz.from_kernel(np.ones((7, 7))),
        "sum": blurs.normal((16, 16)) + Diagonal(np.eye(16)),
        "gram": stack(Blur(gaussian_blur(1.0), padding="valid")).normal((16, 16)),
        "measurements": y,
        "complex": Measurements([1j * a for a in y]),
        "placement": Placement({"a": [0, 1]}, {"a": 8}),
        "plan": plan,
    }


@pytest.mark.parametrize("name", shown())
def test_it_is_well_formed_and_has_the_colours_of_the_theme(name):
    html = shown()[name]._repr_html_()
    page = Page(html)
    assert "--jp-" in html
    assert not re.search(
        r"#[0-9a-f]{3,8}\b|rgb\(|\b(black|white)\b", html.split("base64")[0].replace("white-space", "")
    )  # no colour of our own
    assert not page.all("script")
    assert not page.all("style")
    assert all(image["alt"] for image in page.all("img"))
    assert all(cell["scope"] in ("row", "col") for cell in page.all("th"))
    (group,) = [attrs for attrs in page.all("div") if attrs.get("role") == "group"]
    assert group["aria-label"]


@pytest.mark.parametrize(
    "html",
    [
        card(HOSTILE, [(HOSTILE, HOSTILE)], [(HOSTILE, np.eye(3))]),
        link(HOSTILE),
        meter(0.5, HOSTILE),
        table([HOSTILE, "n"], [[HOSTILE, HOSTILE]]),
        Placement({HOSTILE: [0]}, {HOSTILE: 1})._repr_html_(),
    ],
)
def test_all_text_is_escaped(html):
    page = Page(html)
    assert not page.all("script")
    assert HOSTILE in page.text


def test_numbers_stand_to_the_right_and_names_to_the_left():
    page = Page(table(["worker", "bytes", "peak"], [["tcp://a", "3 KiB", meter(0.3, "3 B")]]))
    sides = [re.search(r"text-align:(\w+)", attrs["style"])[1] for attrs in page.all("th") + page.all("td")]
    assert sides == ["left", "right", "right", "left", "right", "right"]


@pytest.mark.parametrize(("fraction", "width"), [(-1.0, 0), (0.37, 37), (1.8, 100)])
def test_a_meter_is_never_more_than_full(fraction, width):
    assert f"width:{width}%" in meter(fraction, "x")


def test_large_pictures_are_sampled():
    array = np.random.default_rng(0).random((1000, 300))
    small = sampled(array)
    assert small.shape == (63, 19)
    np.testing.assert_allclose(small[:-1, :-1], array[:992, :288].reshape(62, 16, 18, 16).mean((1, 3)))
    np.testing.assert_allclose(small[-1, -1], array[992:, 288:].mean())
    assert len(card("t", [], [("p", np.random.default_rng(0).random((2000, 2000)))])) < 10_000


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, 3.0, True])
def test_a_picture_may_be_constant_or_have_values_that_are_none(value):
    picture = np.array([[value, 0, 1]])
    assert "base64," in card("t", [], [("p", picture), ("q", np.full((2, 2), value))])


def test_logarithms_end_at_the_floor_and_of_zeros_too():
    np.testing.assert_allclose(logarithmic(np.array([[1e-9, 0.01, 10.0j]]), 3.0), [[-3.0, -3.0, 0.0]])
    assert np.all(logarithmic(np.zeros((2, 2))) == -3.0)


# -- what is shown ------------------------------------------------------------------------------------------------


def test_measurements_show_shapes_and_pictures_of_what_is_in_memory():
    y = Measurements([np.zeros((1, 3, 8, 9))] * 9 + [np.zeros(4)])
    page = Page(y._repr_html_())
    assert "9 of 1×3×8×9, 4" in page.text
    assert [image["alt"] for image in page.all("img")] == [f"sensor {i}" for i in range(8)]
    assert "2 sensors" in page.text


def test_measurements_that_are_lazy_are_not_computed():
    def fail(block):
        raise AssertionError("computed")

    lazy = da.zeros((8, 9)).map_blocks(fail, meta=np.zeros((0, 0)))
    assert not Page(Measurements([lazy])._repr_html_()).all("img")


def test_the_multiplier_has_frequency_zero_in_the_middle():
    ((_, picture),) = Blur(gaussian_blur(2.0)).normal((16, 17))._thumbnails()
    assert picture.shape == (16, 17)
    assert np.unravel_index(picture.argmax(), picture.shape) == (8, 8)
    np.testing.assert_allclose(picture[1:], picture[:0:-1, ::-1])  # D(−k) = D(k)


def test_the_kernel_of_a_toeplitz_operator_is_shown_around_lag_0():
    kernel = np.zeros((7, 9))
    kernel[3, 4], kernel[3, 5], kernel[3, 3] = 4, 2, 2
    ((_, picture),) = Toeplitz.from_kernel(kernel)._thumbnails()
    middle = tuple(n // 2 for n in picture.shape)
    assert np.unravel_index(picture.argmax(), picture.shape) == middle
    np.testing.assert_allclose(picture[middle[0], middle[1] - 1 : middle[1] + 2], np.log10([0.5, 1, 0.5]))


def test_a_placement_is_a_mapping():
    P = Placement({0: [0, 1, 2, 5], "b": [3]}, {0: 2048, "b": 100})
    assert P == {0: [0, 1, 2, 5], "b": [3]}
    assert dict(P) == {0: P[0], "b": [3]}
    assert repr(P) == "Placement({0: sensors 0…2, 5, 'b': sensor 3})"
    assert "2.0 KiB" in Page(P._repr_html_()).text
    assert "2 copies of each" in Placement({0: [0], 1: [0]}, {0: 1, 1: 1})._repr_html_()
