"""`check_physics` passes operators of others that are right, and names the law that a wrong one breaks."""

import subprocess
import sys

import numpy as np
import pytest

from daskphys import backend
from daskphys.errors import ShapeError, UnsupportedArrayError
from daskphys.physics import LinearPhysics, value
from daskphys.physics.normal_kind import DIAGONAL
from daskphys.physics.spaces import Images
from daskphys.physics.transform import RealFFT
from daskphys.testing import check_physics, content, inverses, kinds, products, stacks

SHAPES = [(6,), (2, 5)]


@value
class Mirror(LinearPhysics):
    """The base of the wrong ones: turns the last axis round."""

    def _forward(self, x):
        return x[..., ::-1]

    def _adjoint(self, y, shape):
        return y[..., ::-1]


@value
class Window(LinearPhysics):
    """Right: keeps all samples but `cut`, and counts in a range of its own."""

    cut: int = 1

    def _forward(self, x):
        return x[..., self.cut :]

    def _adjoint(self, y, shape):
        pad = np.zeros((*shape[:-1], self.cut), y.dtype)
        return np.concatenate([pad, y], axis=-1)

    def _range_shape(self, shape):
        return (*shape[:-1], shape[-1] - self.cut)

    def _domain_shape(self, shape):
        return (*shape[:-1], shape[-1] + self.cut)


def test_right_operators_pass():
    check_physics(Mirror(), SHAPES)
    check_physics(-2.5 * Mirror(), SHAPES)


def test_a_right_operator_of_numpy_alone_breaks_only_the_law_of_other_libraries():
    with pytest.raises(AssertionError) as caught:
        check_physics(Window(), SHAPES)
    assert broken_laws(caught.value) == [
        "arrays of the array API standard come back as such, with the numbers of NumPy's"
    ]


def test_operators_of_numpy_alone_where_that_is_said():
    check_physics(Window(), SHAPES, portable=False)


def test_what_it_is_given_is_checked():
    with pytest.raises(UnsupportedArrayError, match="expected an operator, got int"):
        check_physics(3, SHAPES)
    for shapes in ([], (6, 7)):
        with pytest.raises(ShapeError, match="list of shapes"):
            check_physics(Mirror(), shapes)


def broken_laws(error):
    return [line.partition("“")[2].partition("”")[0] for line in str(error).splitlines()]


def wrong(**hooks):
    """A `Mirror` but for some hooks."""
    cls = value(type("Wrong", (Mirror,), {"__module__": __name__, **hooks}))
    globals()["Wrong"] = cls  # where pickle finds it
    return cls()


def set_first(x):
    x[..., 0] = 0
    return x


MERGES_NOT = {
    "normal_kind": property(lambda self: DIAGONAL),
    "_make_normal": lambda self, shape: self,
    "closed_form": True,
}

WRONG = {
    "⟨A x, y⟩ = ⟨x, Aᴴ y⟩": {"_adjoint": lambda self, y, shape: y},
    "A (a x + b z) = a A x + b A z": {"_forward": lambda self, x: x[..., ::-1] + 1},
    "shapes are those that range_shape and A.H.range_shape say": {
        "_range_shape": lambda self, shape: (*shape[:-1], 3)
    },
    "A x is zero where `_measured`, which broadcasts against it, is": {
        "_measured": property(lambda self: np.arange(6) % 2)
    },
    "results have the dtype of the input, or its complex one for an operator that is complex": {
        "_forward": lambda self, x: x[..., ::-1] * np.ones(1)  # NumPy lifts to double
    },
    "A_adjoint_A, A_A_adjoint, A_vjp and A.H agree with A and A_adjoint": {"_gram": lambda self, x: 2 * x},
    "a batch gives the same bits as each of its entries": {
        "_forward": lambda self, x: x[..., ::-1] if x.ndim == 1 else x[::-1, ..., ::-1]
    },
    "the same bits again, and with one FFT thread or two": {
        "_forward": lambda self, x: x[..., ::-1] * (1 + 1e-9 * np.random.default_rng().random())
    },
    "single precision agrees with double to 5e-6": {"_forward": lambda self, x: x[..., ::-1] + 1e4 - 1e4},
    "A.H.H is A": {"H": property(lambda self: wrong())},
    "an operator that went through pickle is the same operator": {"__reduce__": lambda self: (Mirror, ())},
    "operators are equal, hash and tokenise by content": {"__hash__": lambda self: id(self)},
    "repr is one line, and the HTML one is well-formed and shows it escaped": {
        "__repr__": lambda self: "two\nlines"
    },
    "compute_norm bounds ‖A x‖ / ‖x‖, and is the largest singular value": {
        "compute_sqnorm": lambda self, x, rtol=0.1: 4.0
    },
    "AᴴA A⁺y = Aᴴy, unless A_dagger warns that it did not converge": {
        "A_dagger": lambda self, y: 0.5 * y[..., ::-1]
    },
    "A.normal(shape) is AᴴA: self-adjoint and positive": {"normal": lambda self, shape: self},
    "2 A, A / 2, -A, A + A, A + A + A and A - A, and their adjoints, are what they say": {
        "__add__": lambda self, other: self
    },
    "(1j A) x = 1j (A x) and (1j A)ᴴ y = Aᴴ (-1j y)": {"_scaled": lambda self, number: self},
    "(A + A + 1j A) x = (2 + 1j) A x": {"_merge": lambda self, other: self},
    "A @ Aᴴ and Aᴴ @ A, and their adjoints, are what they say": {"__matmul__": lambda self, other: self},
    "where AᴴA merges, that of stack(A, 2 A, A) is one value and the sum of theirs": MERGES_NOT,
    "where AᴴA merges, its inv, pinv and norm are those of AᴴA where it has them, and `closed_form` says so": MERGES_NOT,
    "stack(A, 2 A) measures what A and 2 A do, and its adjoint is the sum of theirs": {
        "transform": property(lambda self: RealFFT(1))  # without the hooks that belong to it
    },
    "the bits of Aᴴ y for a stack do not depend on how its sensors are cut into blocks": {
        "_adjoint": lambda self, y, shape: y[..., ::-1] * (1 + 1e-9 * np.random.default_rng().random())
    },
    "what is no array, or has too few axes, is an error that says what was expected of which operator": {
        "apply_core": lambda self, x: self._forward(x)
    },
    "an integer or object input is a DtypeError that says what was expected of which operator": {
        "apply_core": lambda self, x: self._forward(x)
    },
    "a complex image to an operator of real images is a DtypeError that says what was expected": {
        "_adjoint_dtype": lambda self, dtype: backend.real_name(dtype),
        "domain": property(lambda self: Images(self, 1)),
    },
}


@pytest.mark.parametrize("law", WRONG)
def test_a_wrong_operator_is_told_its_law(law):
    operator = wrong(**WRONG[law])
    with pytest.raises(AssertionError) as caught:
        check_physics(operator, SHAPES)
    assert law in broken_laws(caught.value)
    assert str(caught.value).startswith(repr(operator))


def test_every_law_has_a_wrong_operator():
    laws = {law.__doc__ for module in (products, inverses, content, stacks, kinds) for law in module.LAWS}
    others = {  # of stacks, which authors do not write, and of libraries that take what NumPy gives
        stacks.slicing.__doc__,
        stacks.sensor_axis.__doc__,  # tests/physics/test_joined.py
        kinds.array_api.__doc__,  # tested with `Window`
        kinds.torch_tensors.__doc__,
        kinds.dask_arrays.__doc__,
    }
    assert laws - set(WRONG) == others
    assert set(WRONG) <= laws


def test_an_operator_that_writes_to_its_input():
    def careless(self, x):
        if not x.flags.writeable:  # as a C library would
            x = np.lib.stride_tricks.as_strided(x, writeable=True)
        x.flags.writeable = True
        x[..., 0] *= 2
        return x[..., ::-1].copy()

    with pytest.raises(AssertionError) as caught:
        check_physics(wrong(_forward=careless), SHAPES)
    assert broken_laws(caught.value)


def test_the_message_has_the_figures():
    with pytest.raises(AssertionError) as caught:
        check_physics(wrong(_adjoint=lambda self, y, shape: 1.5 * y[..., ::-1]), [(6,)], dtypes=["float32"])
    line = str(caught.value).splitlines()[0]
    assert line.startswith(
        "Wrong() breaks “⟨A x, y⟩ = ⟨x, Aᴴ y⟩” on float32 of shape (6,): relative difference "
    )
    assert line.endswith("expected at most 5.0e-06")


def test_it_needs_no_test_framework_and_none_of_the_optional_libraries():
    code = (
        "import sys\n"
        "for name in ('pytest', 'hypothesis', 'torch', 'array_api_strict'): sys.modules[name] = None\n"
        "from daskphys.physics import Blur, gaussian_blur; from daskphys.testing import check_physics\n"
        "check_physics(Blur(gaussian_blur(0.5)), [(8, 9)])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
