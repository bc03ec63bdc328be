"""The conventions are those of the reference vectors."""

import numpy as np
import pytest

from daskphys.physics import Blur, gaussian_blur, stack

BLURS = [
    *(f"blur2d_{padding}_{i}" for padding in ("circular", "valid", "replicate", "reflect") for i in range(3)),
    "blur3d_circular",
    "blur3d_valid",
]


def agrees(got, expected, tolerance=1e-5):
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    assert np.max(np.abs(got - expected)) <= tolerance * np.max(np.abs(expected))


@pytest.mark.parametrize("name", BLURS)
def test_blur(name, reference):
    case = reference(name)
    A = Blur(case["filter"], padding=case.op["padding"])
    agrees(A(case["x"]), case["y"])
    agrees(A.A_adjoint(case["v"]), case["Atv"])
    agrees(A.A_adjoint_A(case["x"]), case["AtAx"])
    agrees(A.A_vjp(case["x"], case["v"]), case["Atv"])


@pytest.mark.parametrize("name", BLURS)
def test_filters_with_fewer_axes_mean_the_same(name, reference):
    case = reference(name)
    A = Blur(case["filter"][0], padding=case.op["padding"], ndim=case["filter"].ndim - 2)
    agrees(A(case["x"]), case["y"])


@pytest.mark.parametrize("i", range(4))
def test_gaussian_blur(i, reference):
    case = reference(f"gaussian_blur_{i}")
    kernel = gaussian_blur(sigma=case.op["sigma"], angle=case.op["angle"])
    agrees(kernel.astype(np.float32), case["kernel"])


@pytest.fixture(scope="module")
def demo(reference):
    """The stack of the demo, and its vectors."""
    case = reference("stack_blurs")
    kernels = [gaussian_blur(s, a) for s, a in zip(case.op["sigma"], case.op["angle"], strict=True)]
    return stack(*map(Blur, kernels)), case


def test_stack(demo):
    A, case = demo
    y = A(case["x"])
    assert len(y) == 3
    for i in range(3):
        agrees(y[i], case[f"y{i}"])
    agrees(A.A_adjoint(y), case["Aty"])
    agrees(A.A_adjoint_A(case["x"]), case["AtAx"])
    agrees(A.A_A_adjoint(y)[0], case["AAty0"])


def test_norm_of_the_stack(demo):
    A, case = demo
    assert A.compute_sqnorm(case["x"]) == pytest.approx(float(case["sqnorm"]), rel=1e-3)
    assert A.compute_norm(case["x"].shape) ** 2 == pytest.approx(float(case["sqnorm"]), rel=1e-3)


def test_least_squares_of_the_stack(demo):
    """The problem is ill-posed, so residuals are compared: ours is no larger than that of the reference."""
    A, case = demo
    y = [case[f"y{i}"] for i in range(3)]
    wide = [a.astype(np.float64) for a in y]

    def residual(x):
        back = A.A_adjoint(wide)
        return np.linalg.norm(A.A_adjoint_A(x.astype(np.float64)) - back) / np.linalg.norm(back)

    assert residual(A.A_dagger(y)) <= residual(case["A_dagger_y"])
    assert residual(A.A_dagger(wide)) < 1e-12
