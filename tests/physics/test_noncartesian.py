"""Non-Cartesian MRI with several coils, against direct sums, and what a product with AᴴA takes."""

import dask.array as da
import numpy as np
import pytest
import torch
from cases import raises

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError
from daskphys.optim import cg, tikhonov
from daskphys.physics import NUFFT, NonCartesianMRI, block_diagonal
from daskphys.physics.mri import kooshball, radial, radial_density
from daskphys.testing import check_physics

RNG = np.random.default_rng(0)
K = radial(20, 24)


def complex_normal(*shape):
    return RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)


MAPS = complex_normal(4, 12, 11)


def direct(k, maps, x):
    """Each coil's samples by the sum itself, over pixels counted from the middle."""
    k = k.reshape(-1, k.shape[-1])
    grid = np.stack(np.meshgrid(*[np.arange(n) - n // 2 for n in x.shape], indexing="ij"), -1)
    waves = np.exp(-2j * np.pi * np.tensordot(k, grid, axes=(-1, -1)))
    return np.stack([(waves * (m * x)).sum(axis=tuple(range(1, waves.ndim))) for m in maps]) / np.sqrt(x.size)


def test_the_direct_sum():
    x = complex_normal(12, 11)
    np.testing.assert_allclose(NonCartesianMRI(K, MAPS)(x), direct(K, MAPS, x), atol=1e-11)


def test_the_direct_sum_of_a_volume():
    k, maps, x = kooshball(30, 8), complex_normal(2, 5, 6, 4), complex_normal(5, 6, 4)
    A = NonCartesianMRI(k, maps)
    np.testing.assert_allclose(A(x), direct(k, maps, x), atol=1e-11)
    np.testing.assert_allclose(A[1](x), direct(k, maps, x)[1], atol=1e-11)


def test_maps_of_each_entry_of_a_batch():
    maps, x = complex_normal(2, 3, 12, 11), complex_normal(2, 12, 11)
    A = NonCartesianMRI(K, maps)
    assert A(x).shape == (2, 3, 480)
    for own, seen, y in zip(maps, x, A(x), strict=True):
        np.testing.assert_allclose(y, direct(K, own, seen), atol=1e-11)
    np.testing.assert_array_equal(A[1:](x), A(x)[:, 1:])
    check_physics(A, [(2, 12, 11)], dtypes=["complex128"])


def test_a_product_with_the_normal_operator_is_two_ffts_a_coil_and_no_gridding(monkeypatch):
    w = radial_density(K, (12, 11))
    A, x = NonCartesianMRI(K, MAPS, weights=w), complex_normal(2, 12, 11)
    by_gridding = A.A_adjoint(A(x))
    A.A_adjoint_A(x)  # makes the kernel
    for name in ("forward", "adjoint", "__init__"):
        monkeypatch.setattr(backend.NonUniformFFT, name, lambda *given: pytest.fail("a gridding"))
    with backend.count_transforms() as count:
        got = A.A_adjoint_A(x)
    assert count.total == 2 * len(A)
    np.testing.assert_allclose(got, by_gridding, atol=1e-11)


def test_coils_share_the_trajectory_its_plan_and_its_kernel(monkeypatch):
    made = []
    real = backend.NonUniformFFT
    monkeypatch.setattr(backend, "NonUniformFFT", lambda *given: made.append(given) or real(*given))
    A = NonCartesianMRI(K, MAPS)
    y = A(complex_normal(12, 11))
    A.A_adjoint(y)
    for part in A:
        part(complex_normal(12, 11))
    with backend.fft_threads(1):  # two threads that need one kernel at once may both make it
        A.A_adjoint_A(complex_normal(12, 11))
    assert len(made) == 2
    assert A.parts.nbytes == A.trajectory.nbytes + MAPS.nbytes


def test_weights_are_those_of_the_weighted_problem():
    w, x = radial_density(K, (12, 11)), complex_normal(12, 11)
    A, F = NonCartesianMRI(K, MAPS, weights=w), NonCartesianMRI(K, MAPS)
    y = F(x)
    np.testing.assert_allclose(A(x), np.sqrt(w.ravel()) * y, atol=1e-12)
    np.testing.assert_allclose(A.A_adjoint(np.sqrt(w.ravel()) * y), F.A_adjoint(w.ravel() * y), atol=1e-12)
    np.testing.assert_allclose(cg(A, np.sqrt(w.ravel()) * y, rtol=1e-10), x, atol=1e-7)


def test_several_coils_give_what_one_does_not():
    """SENSE: a third of the spokes."""
    few, x = radial(7, 24), complex_normal(12, 11)
    many, one = NonCartesianMRI(few, MAPS), NonCartesianMRI(few, np.ones((1, 12, 11)))
    np.testing.assert_allclose(many.A_dagger(many(x)), x, atol=1e-6)
    assert np.linalg.norm(tikhonov(one, one(x), lam=1e-4) - x) > 0.3 * np.linalg.norm(x)


def test_a_transform_that_is_there_already():
    F = NUFFT(K, (12, 11), eps=1e-4)
    A = NonCartesianMRI(F, MAPS)
    assert A.trajectory is F
    assert NonCartesianMRI(K, MAPS, eps=1e-4) == A
    assert NonCartesianMRI(K, MAPS) != A


def test_its_page_shows_the_trajectory_and_the_coils():
    page = NonCartesianMRI(K, MAPS)._repr_html_()
    assert page.count("data:image/png;base64,") == 5
    lazy = NonCartesianMRI(K, da.from_array(MAPS, chunks=(1, 12, 11)))
    assert lazy._repr_html_().count("data:image/png;base64,") == 1
    assert repr(lazy) == "NonCartesianMRI(4 coils, 480 samples of 12×11)"
    with raises(ParameterError, "maps in memory", "Dask", "distribute(A, ctx)"):
        lazy(np.ones((12, 11)))
    assert NUFFT(kooshball(3, 4), (4, 4, 4))._thumbnails() == []


def test_frames_with_trajectories_of_their_own_are_blocks():
    frames = [complex_normal(12, 11) for _ in range(3)]
    A = NonCartesianMRI(K, MAPS)
    film = block_diagonal(*[NonCartesianMRI(K[6 * t : 6 * t + 6], A.maps) for t in range(3)])
    for t, (y, x) in enumerate(zip(film(frames), frames, strict=True)):
        np.testing.assert_allclose(y, direct(K[6 * t : 6 * t + 6], MAPS, x), atol=1e-11)
    assert all(block.maps is A.maps for block in film)


def test_tensors_as_parameters_and_images():
    A = NonCartesianMRI(torch.from_numpy(K), torch.from_numpy(MAPS))
    assert NonCartesianMRI(K, MAPS) == A
    x = complex_normal(12, 11)
    np.testing.assert_array_equal(A(torch.from_numpy(x)).numpy(), A(x))


def test_maps_in_single_precision_stay_so():
    assert NonCartesianMRI(K, MAPS.astype(np.complex64)).maps.dtype == np.complex64


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: NonCartesianMRI(K[..., :1], MAPS), ShapeError, ("(…, 2) or (…, 3)", "(20, 24, 1)")),
        (lambda: NonCartesianMRI(0.1, MAPS), ShapeError, ("(…, 2) or (…, 3)", "float")),
        (lambda: NonCartesianMRI(2 * np.pi * K, MAPS), ParameterError, ("Nyquist", "3.14")),
        (lambda: NonCartesianMRI(np.full((5, 2), np.nan), MAPS), ParameterError, ("NaN",)),
        (lambda: NonCartesianMRI(K, MAPS[0]), ShapeError, ("(…, coil, H, W)", "(12, 11)")),
        (lambda: NonCartesianMRI(kooshball(3, 4), MAPS), ShapeError, ("coil, D, H, W", "(4, 12, 11)")),
        (lambda: NonCartesianMRI(K, 0 * MAPS), ParameterError, ("all zeros", "coil 0")),
        (lambda: NonCartesianMRI(K, np.full_like(MAPS, np.inf)), ParameterError, ("finite maps",)),
        (lambda: NonCartesianMRI(NUFFT(K, (12, 12)), MAPS), ShapeError, ("(12, 12)", "(4, 12, 11)")),
        (lambda: NonCartesianMRI(NUFFT(K, (12, 11)), MAPS, eps=1e-3), ParameterError, ("beside it",)),
        (lambda: NonCartesianMRI(NUFFT(K[0, :, :1], (12,)), MAPS), ShapeError, ("(…, 2) or (…, 3)",)),
        (lambda: NonCartesianMRI(K, MAPS, weights=np.ones(5)), ShapeError, ("weights", "(5,)")),
        (lambda: NonCartesianMRI(K, MAPS)(np.ones((11, 12))), ShapeError, ("(12, 11)", "(11, 12)")),
        (lambda: NonCartesianMRI(K, MAPS).A_adjoint(np.ones((3, 480))), ShapeError, ("4 sensors",)),
        (lambda: NonCartesianMRI(K, MAPS).A_adjoint(np.ones((4, 48))), ShapeError, ("480 samples", "48")),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()
