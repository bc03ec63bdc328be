"""Operators with a sensor axis of their own."""

import dask.array as da
import numpy as np
import pytest
from cases import CASES, kernel, raises
from sensors import Coils, Pairs, Sensitivity

from daskphys.errors import ParameterError, ShapeError
from daskphys.physics import Blur, JoinedPhysics, stack, value
from daskphys.physics.base import Composed
from daskphys.physics.parts import Joined, JoinedStack
from daskphys.testing import check_physics

MAPS = np.random.default_rng(1).uniform(0.5, 1.5, (5, 6, 7))
SHAPES = ((6, 7), (2, 6, 7))


@pytest.mark.parametrize(
    "A", [Coils(MAPS), Pairs(MAPS), Coils(MAPS + 0.5j * MAPS[::-1])], ids=["1", "2", "complex"]
)
def test_laws(A):
    check_physics(A, SHAPES)


@pytest.mark.parametrize("kind", [Coils, Pairs])
def test_laws_of_what_the_algebra_makes(kind):
    A = kind(MAPS)
    B = Blur(kernel(3, 2))
    for made in (A @ B, 2 * A, A + kind(MAPS[::-1]), stack(A, B), A[1], A[4:0:-1]):
        check_physics(made, SHAPES)
    assert all(isinstance(made, JoinedStack) for made in (A @ B, 2 * A, A + A))


def test_the_array_is_that_of_all_sensors_at_once(rng):
    x = rng.standard_normal((2, 6, 7))
    for A in (Coils(MAPS), Pairs(MAPS)):
        np.testing.assert_array_equal(A(x), Sensitivity(MAPS)(x))
        np.testing.assert_allclose(A.A_adjoint_A(x), (MAPS**2).sum(0) * x)


@pytest.mark.parametrize(
    "A",
    [case.operator for case in CASES if isinstance(case.operator, Joined)],
    ids=lambda A: type(A).__name__,
)
def test_axes_of_the_domain_are_said_alike(A):
    assert A.domain_ndim == A.domain.ndim
    assert (2 * A).domain_ndim == A.domain_ndim


def test_slices_of_any_kind():
    A = Pairs(MAPS)
    x = np.ones((6, 7))
    for index in (slice(1, 4), slice(None, None, -1), slice(4, None, -2), slice(-2, None)):
        np.testing.assert_array_equal(A[index](x), MAPS[index])
    assert A[:] is A
    with raises(ParameterError, "Pairs", "at least one sensor"):
        A[3:3]
    with pytest.raises(IndexError):
        A[5]


@pytest.mark.parametrize(
    "index", [slice(2, None), slice(1, 3), slice(None, None, -1), slice(0, 1), slice(4, None, -2)]
)
def test_slices_of_what_the_algebra_makes(index):
    A = 2 * Pairs(MAPS)
    np.testing.assert_array_equal(A[index](np.ones((6, 7))), 2 * MAPS[index])


@pytest.mark.parametrize("kind", [Coils, Pairs])
def test_weights_of_sensors(kind, rng):
    x = rng.standard_normal((6, 7))
    w = [0.0, 1.0, 2.0, 0.5, 3.0]
    got = kind(MAPS).normal((6, 7), weights=w)(x)
    np.testing.assert_allclose(got, np.tensordot(w, MAPS**2, 1) * x)


def test_a_measurement_of_too_few_sensors():
    with raises(ShapeError, "Coils", "5 sensors along axis -3", "(4, 6, 7)"):
        Coils(MAPS).A_adjoint(np.ones((4, 6, 7)))


@value
class Exposures(JoinedPhysics):
    """The image once for each time and gain."""

    times: np.ndarray
    gains: np.ndarray
    sensor_fields = {"times": -1, "gains": -1}  # noqa: RUF012

    def _together(self):
        return Sensitivity((self.times * self.gains)[:, None, None] * np.ones((1, 6, 7)))


@pytest.mark.parametrize("lazy", [False, True], ids=["numpy", "dask"])
@pytest.mark.parametrize("n", [4, 7])
def test_parameters_of_unlike_numbers_of_sensors(n, lazy):
    gains = da.ones(n, chunks=2) if lazy else np.ones(n)
    assert len(Exposures(np.ones(n), gains)) == n
    with raises(ShapeError, "Exposures", "times of 5 (axis -1)", f"gains of {n} (axis -1)"):
        Exposures(np.ones(5), gains)


def test_parameters_without_a_sensor_axis():
    with raises(ShapeError, "Exposures", "gains", "one entry a sensor along axis -1", "float"):
        Exposures(np.ones(5), 2.0)
    with raises(ShapeError, "Coils", "maps", "axis -3", "shape (6, 7)"):
        Coils(MAPS[0])


def test_least_squares_and_norm(rng):
    A = Pairs(MAPS)
    x = rng.standard_normal((6, 7))
    np.testing.assert_allclose(A.A_dagger(A(x)), x, rtol=1e-6)
    assert A.compute_norm((6, 7)) == pytest.approx(np.sqrt((MAPS**2).sum(0).max()))


def test_a_product_uses_the_merged_operator_of_its_left_factor(rng):
    """Two transforms of each image between, and not four."""
    from daskphys import backend

    A = Blur(kernel(3, 2)) @ Sensitivity(MAPS)
    x = rng.standard_normal((6, 7))
    A.A_adjoint_A(x)
    with backend.count_transforms() as count:
        got = A.A_adjoint_A(x)
    assert isinstance(A, Composed)
    assert count.total == 2
    np.testing.assert_allclose(got, A.A_adjoint(A(x)), atol=1e-12)


def test_a_wrong_slice_breaks_its_law():
    class Wrong(Coils):
        def _chosen(self, sensors):
            return super()._chosen(
                range(sensors.stop - 1, sensors.start - 1, -1) if sensors.start else sensors
            )

    with pytest.raises(AssertionError, match="cut along it"):
        check_physics(Wrong(MAPS), SHAPES)
