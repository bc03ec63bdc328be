"""Arrays of the core in all their forms, a foreign namespace on a cluster, and what is no array."""

import array_api_strict
import numpy as np
import pytest
from interop.products import Mirror

from daskphys.distributed import distribute
from daskphys.errors import ShapeError, UnsupportedArrayError
from daskphys.physics import Measurements

PRODUCTS = {
    "A": (lambda A: A, "x"),
    "A.H": (lambda A: A.H, "y"),
    "A_adjoint_A": (lambda A: A.A_adjoint_A, "x"),
    "A_A_adjoint": (lambda A: A.A_A_adjoint, "y"),
    "2A": (lambda A: 2 * A, "x"),
}


def pairs(one, other):
    return zip(one, other, strict=True) if isinstance(one, Measurements) else [(one, other)]


# -- a library that follows the array API standard and nothing else -----------------------------------------


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("where", ["plain", "distributed"])
def test_a_foreign_namespace(stacked, name, image, where, threads):
    make, argument = PRODUCTS[name]
    A = stacked if where == "plain" else distribute(stacked, threads)
    given = image if argument == "x" else stacked(image)
    foreign = given.map(array_api_strict.asarray) if argument == "y" else array_api_strict.asarray(given)
    got, expected = make(A)(foreign), make(stacked)(given)
    for g, e in pairs(got, expected):
        assert type(g) is type(array_api_strict.asarray(0.0))
        assert g.dtype == array_api_strict.float32
        np.testing.assert_allclose(np.from_dlpack(g), e, rtol=1e-4, atol=1e-5)


def test_a_foreign_namespace_on_workers_has_the_bits_of_numpy(stacked, image, threads):
    """Workers compute on NumPy, whatever came."""
    x = array_api_strict.asarray(image)
    D = distribute(stacked, threads)
    for got, expected in (
        (D(x), stacked(image)),
        (D.A_adjoint(D(x)), stacked.A_adjoint(stacked(image))),
        (D.A_adjoint_A(x, method="tree"), D.A_adjoint_A(image, method="tree")),
    ):
        for g, e in pairs(got, expected):
            assert type(g) is type(x)
            np.testing.assert_array_equal(np.from_dlpack(g), e)


def test_a_foreign_filter(blur, image):
    from daskphys.physics import Blur

    foreign = Blur(array_api_strict.asarray(blur.filter))
    np.testing.assert_allclose(foreign(image), blur(image), rtol=1e-5)


# -- forms of NumPy arrays ---------------------------------------------------------------------------------


@pytest.fixture
def forms(image, tmp_path):
    """The same image in memory of many forms."""
    np.save(tmp_path / "image.npy", image)
    frozen = image.copy()
    frozen.flags.writeable = False
    padded = np.zeros((4, 3, 24, 30), np.float32)
    padded[:, :, ::2, ::-3] = image
    return {
        "big-endian": image.astype(">f4"),
        "memory-mapped": np.load(tmp_path / "image.npy", mmap_mode="r"),
        "read-only": frozen,
        "Fortran order": np.asfortranarray(image),
        "transposed": np.ascontiguousarray(image.mT).mT,
        "strided": padded[:, :, ::2, ::-3],
        "unaligned": np.frombuffer(b"0" + image.tobytes(), np.float32, offset=1).reshape(image.shape),
    }


FORMS = ["big-endian", "memory-mapped", "read-only", "Fortran order", "transposed", "strided", "unaligned"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", ["plain", "distributed"])
def test_forms_of_arrays(stacked, image, forms, form, where, threads):
    A = stacked if where == "plain" else distribute(stacked, threads)
    x, before = forms[form], forms[form].tobytes()
    np.testing.assert_array_equal(x, image)
    y = A(x)
    for got, expected in (
        (y, stacked(image)),
        (A.A_adjoint(y), stacked.A_adjoint(stacked(image))),
        (A.A_adjoint_A(x), stacked.A_adjoint_A(image)),
    ):
        for g, e in pairs(got, expected):
            assert type(g) is np.ndarray
            assert g.dtype == np.float32
            assert g.dtype.isnative
            np.testing.assert_array_equal(g, e)
    assert x.tobytes() == before  # nobody writes to what came in


def test_measurements_of_different_forms(circular, image):
    y = circular(image)
    mixed = [y[0].astype(">f4"), np.asfortranarray(y[1]), y[2]]
    np.testing.assert_array_equal(circular.A_adjoint(mixed), circular.A_adjoint(y))


@pytest.mark.parametrize("shape", [(0, 8, 8), (3, 0, 8), (8, 0), (0,)])
def test_no_elements(circular, shape, threads):
    for A in (circular, circular[0], distribute(circular, threads)):
        for product in (A, A.A_adjoint_A):
            with pytest.raises(ShapeError, match=r"Physics|Blur") as error:
                product(np.zeros(shape, np.float32))
            assert str(shape) in str(error.value)


# -- what is no array --------------------------------------------------------------------------------------


class Frame:
    """It has columns and a shape, and even a conversion to an array, but it is none."""

    shape = (8, 8)
    dtype = np.dtype("float32")
    columns = ("a", "b")

    def __array__(self, dtype=None, copy=None):
        return np.ones(self.shape, dtype or self.dtype)


@pytest.mark.parametrize("where", ["plain", "distributed"])
@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (None, "NoneType"),
        (1.0, "float"),
        ("image.png", "str"),
        (Frame(), r"Frame of shape \(8, 8\)"),
        ({}, "dict"),
    ],
)
def test_what_is_no_array(circular, thing, name, where, threads):
    A = circular if where == "plain" else distribute(circular, threads)
    message = (
        rf"sensors.* expected an array \(NumPy, CuPy, torch, Dask\), got .*{name}: convert it first, as in np"
    )
    for product in (A, A.A_adjoint_A):
        with pytest.raises(UnsupportedArrayError, match=message):
            product(thing)
    with pytest.raises(UnsupportedArrayError, match=message):
        A.A_adjoint([thing] * 3)


def test_masked_arrays(blur, image):
    """An FFT would drop the mask without a word."""
    with pytest.raises(UnsupportedArrayError, match=r"expected an array .*MaskedArray of shape"):
        blur(np.ma.masked_array(image, mask=image > 0.5))


def test_lists_of_numbers(blur, circular):
    with pytest.raises(UnsupportedArrayError, match=r"expected an array .*, got float"):
        circular.A_adjoint([1.0, 2.0, 3.0])
    for numbers in ([1.0, 2.0, 3.0], [[1.0, 2.0], [3.0, 4.0]], (1.0,)):
        with pytest.raises(
            UnsupportedArrayError, match=r"Blur.* expected an array.*, got (list|tuple|float)"
        ):
            blur(numbers)


def test_several_arrays_in_place_of_one(blur, image):
    with pytest.raises(ShapeError, match="expected one array, got list with 2 entries"):
        blur([image, image])
    with pytest.raises(ShapeError, match=r"expected one array, got .*Measurements with 1 entries"):
        blur(Measurements([image]))


def test_one_thing_in_place_of_several(circular, image):
    for thing in (None, image, 1.0):
        with pytest.raises(
            ShapeError, match=r"measurements of 3 sensors .*, got one .*: give one array a sensor"
        ):
            circular.A_adjoint(thing)


def test_kinds_are_not_mixed(circular, image):
    with pytest.raises(UnsupportedArrayError, match=r"one kind of array, got .*NoneType"):
        circular.A_adjoint([image, None, image])
    with pytest.raises(UnsupportedArrayError, match=r"one kind of array, got .*array_api_strict"):
        circular.A_adjoint([image, array_api_strict.asarray(image), image])


def test_an_author_gets_native_arrays():
    big = np.arange(3, dtype=">f4")
    assert Mirror()(big).dtype == np.float32
    assert Mirror()(big).dtype.isnative
    assert Mirror()(big).tolist() == [2, 1, 0]
