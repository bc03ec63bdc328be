"""Physics of deepinv as operators and back, against deepinv itself; skipped where that is not installed.

It wants a torch and a torchvision of its own: `benchmarks/README.md` says how to make the environment.
"""

import warnings

import numpy as np
import pytest
import torch
from cases import raises
from tensors import close

from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import (
    DaskphysWarning,
    FallbackWarning,
    NotLinearError,
    ParameterError,
    ShapeError,
)
from daskphys.interop.deepinv import from_deepinv, to_deepinv
from daskphys.physics import (
    ComplexGaussianNoise,
    LinearPhysics,
    stack,
)
from daskphys.testing import check_physics

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    deepinv = pytest.importorskip("deepinv")
    from deepinv import physics as theirs
    from deepinv.utils import TensorList

    from benchmarks.deepinv_families import FAMILIES, KERNEL, MASK, SIZE, WEIGHTS


def made(name):
    """The physics, the operator, and the physics of the operator."""
    family = FAMILIES[name]
    physics = family.make()
    A = from_deepinv(physics, image_shape=family.shape)
    return physics, A, to_deepinv(A, complex_channels=family.complex_channels)


def like(y):
    return TensorList([torch.randn_like(t) for t in y]) if isinstance(y, TensorList) else torch.randn_like(y)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_product_is_that_of_deepinv(name):
    physics, A, back = made(name)
    kind = FAMILIES[name].ours or "DeepinvPhysics"
    assert type(A).__name__ == kind
    x = torch.randn(2, *FAMILIES[name].shape)
    y = physics.A(x)
    v = like(y)
    close(back.A(x), y)
    close(back(x), y)
    close(back.A_adjoint(v), physics.A_adjoint(v))
    close(back.A_adjoint_A(x), physics.A_adjoint(y))
    assert back.adjointness_test(x) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_keeps_the_laws_as_it_is(name):
    shape = FAMILIES[name].shape
    A = from_deepinv(FAMILIES[name].make(), image_shape=shape, native=False)
    check_physics(A, [shape, (2, *shape)])


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_distributed(name, threads):
    """Beside another sensor, on the same images; the bits are those of the plain stack."""
    shape = FAMILIES[name].shape
    A = stack(*(from_deepinv(FAMILIES[name].make(), image_shape=shape) for _ in range(2)))
    x = torch.randn(1, *shape)
    x = torch.complex(*x.movedim(1, 0)) if FAMILIES[name].complex_channels else x
    D = distribute(A, threads)
    y = D.A(x)
    for own, plain in zip(y, A.A(x), strict=True):
        assert torch.equal(own, plain)
    assert torch.equal(D.A_adjoint(y), A.A_adjoint(y))


@pytest.mark.slow
def test_worker_processes():
    physics = theirs.stack(
        *(theirs.Tomography(angles, 16, normalize=False) for angles in ([0.0, 30.0], [60.0, 90.0]))
    )
    A = from_deepinv(physics, image_shape=(1, 16, 16))
    x = torch.rand(1, 1, 16, 16)
    with DistributedContext(n_workers=2, processes=True) as ctx:
        back = to_deepinv(distribute(A, ctx))
        close(back.A(x), physics.A(x))
        close(back.A_adjoint(physics.A(x)), physics.A_adjoint(physics.A(x)))


def test_mri_beside_another_sensor_is_taken_as_it_is():
    physics = theirs.stack(theirs.MRI(MASK), theirs.Inpainting((2, 16, 18), mask=0.5))
    A = from_deepinv(physics, image_shape=(2, 16, 18))
    assert [type(s).__name__ for s in A] == ["DeepinvPhysics", "Inpainting"]
    close(to_deepinv(A).A(torch.ones(1, 2, 16, 18)), physics.A(torch.ones(1, 2, 16, 18)))


@pytest.mark.filterwarnings("ignore::UserWarning")  # torchkbnufft's own
def test_real_images_with_complex_measurements(threads):
    pytest.importorskip("torchkbnufft")
    physics = theirs.RadioInterferometry((16, 16), 6 * torch.rand(2, 30) - 3)
    A = from_deepinv(physics, image_shape=(1, 16, 16))
    assert A.of_real_images
    x = torch.rand(2, 1, 16, 16)
    y = A(x)
    close(y, physics.A(x))
    close(A.A_adjoint(y), physics.A_adjoint(y))
    D = distribute(stack(A, A), threads)
    assert torch.equal(D.A_adjoint(D.A(x)), stack(A, A).A_adjoint(stack(A, A).A(x)))
    x.requires_grad_()
    to_deepinv(A).A(x).abs().square().sum().backward()
    close(x.grad, 2 * physics.A_adjoint(physics.A(x.detach())), 1e-5)


class Squared(theirs.Physics):
    """A physics of one's own: A, and nothing of its derivative."""

    def __init__(self, power):
        super().__init__()
        self.register_buffer("power", torch.tensor(power))

    def A(self, x, **_):
        return x.abs() ** self.power


@pytest.mark.parametrize("kind", ["squared", "phase retrieval"])
def test_physics_that_are_not_linear(kind, threads):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of complex modules
        physics = Squared(3.0) if kind == "squared" else theirs.RandomPhaseRetrieval(40, (1, 4, 5))
    A = from_deepinv(physics, image_shape=(1, 4, 5))
    assert not isinstance(A, LinearPhysics)
    x = torch.rand(2, 1, 4, 5)
    v = torch.rand_like(physics.A(x + 0j if kind != "squared" else x))
    x = x if kind == "squared" else x * (1 + 0.5j)
    close(A.A(x), physics.A(x))
    close(A.A_vjp(x, v), physics.A_vjp(x, v))
    check_physics(A, [(1, 4, 5), (2, 1, 4, 5)])
    both = stack(A, from_deepinv(theirs.Denoising(theirs.ZeroNoise())))
    D = distribute(both, threads)
    for own, plain in zip(D.A(x), both.A(x), strict=True):
        assert torch.equal(own, plain)
    assert torch.equal(D.A_vjp(x, D.A(x)), both.A_vjp(x, both.A(x)))


def test_a_stack_of_both_kinds():
    A = from_deepinv(theirs.stack(Squared(2.0), theirs.Blur(KERNEL, padding="circular")), image_shape=SIZE)
    assert [type(s).__name__ for s in A] == ["DeepinvNonlinear", "Blur"]
    with raises(NotLinearError, "to_deepinv"):
        to_deepinv(A)


def test_double_precision():
    physics = theirs.Tomography(7, 16, normalize=True)
    A = from_deepinv(physics, image_shape=(1, 16, 16))
    x = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    single = A(x.float())
    assert A(x).dtype == torch.float64
    with pytest.warns(FallbackWarning, match="computes in torch.float32"):  # deepinv's automatic adjoint
        from_deepinv(theirs.LinearPhysics(A=lambda x, **_: 2 * x, img_size=(4, 4))).A_adjoint(
            torch.ones(4, 4).double()
        )
    close(A(x).float(), single, 1e-5)
    assert torch.autograd.gradcheck(A, x.requires_grad_())


# -- noise ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        theirs.GaussianNoise(0.2),
        theirs.UniformNoise(0.3),
        theirs.LaplaceNoise(0.2),
        theirs.PoissonNoise(0.1),
        theirs.PoissonNoise(0.1, normalize=False),
        theirs.PoissonGaussianNoise(0.1, 0.2),
        theirs.SaltPepperNoise(0.1, 0.2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_noise_has_the_same_moments(model):
    physics = theirs.Denoising(model)
    A = from_deepinv(physics)
    x = torch.full((1, 1, 400, 400), 0.7)
    ours, deepinvs = A(x, seed=0), physics(x)
    assert abs(ours.mean() - deepinvs.mean()) < 0.01
    assert abs(ours.var() - deepinvs.var()) < 0.02 * deepinvs.var() + 1e-3


def test_noise_of_mri_is_complex_and_where_something_is_measured():
    physics = theirs.MRI(MASK, noise_model=theirs.GaussianNoise(0.1))
    A = from_deepinv(physics)
    assert isinstance(A.noise_model, ComplexGaussianNoise)
    assert A.noise_model.sigma == pytest.approx(0.1)
    y = A(torch.zeros(16, 18, dtype=torch.complex64), seed=0)
    assert torch.equal(y != 0, MASK > 0)
    assert torch.equal(physics(torch.zeros(1, 2, 16, 18))[0, 0] != 0, MASK > 0)


def test_noise_without_a_counterpart_is_told():
    with pytest.warns(DaskphysWarning, match="left out the noise of Denoising, GammaNoise"):
        assert from_deepinv(theirs.Denoising(theirs.GammaNoise())).noise_model is None
    with pytest.warns(DaskphysWarning, match="left out the noise of Blur, GaussianNoise"):
        from_deepinv(theirs.Blur(KERNEL, noise_model=theirs.GaussianNoise(torch.tensor([0.1, 0.2]))))
    with pytest.warns(DaskphysWarning, match="left out the sensor model of Blur"):
        from_deepinv(theirs.Blur(KERNEL, sensor_model=torch.sign))


# -- bad input -----------------------------------------------------------------------------------------------------


def test_bad_input():
    with raises(ParameterError, "from_deepinv", "int"):
        from_deepinv(3)
    with raises(ShapeError, "Haze", "image_shape=(C, H, W)"):
        from_deepinv(theirs.Haze())
    with raises(ParameterError, "filter is None", "physics.update(filter=…)"):
        from_deepinv(theirs.Blur())
    with raises(ShapeError, "SpaceVaryingBlur", "image_shape=(C, H, W)"):
        from_deepinv(theirs.SpaceVaryingBlur(torch.rand(1, 1, 2, 3, 4), WEIGHTS), native=False)
    with raises(ParameterError, "adjoint_function", "img_size", "factory"):
        A = lambda x, **_: x.roll(1, -1)  # noqa: E731
        from_deepinv(theirs.LinearPhysics(A, theirs.adjoint_function(A, (1, *SIZE))), image_shape=SIZE)
    with pytest.warns(DeprecationWarning, match="reduction=mean"):
        mean = theirs.StackedLinearPhysics([theirs.Decolorize()] * 2, reduction="mean")
    with raises(ParameterError, "reduction='sum'", "physics_list"):
        from_deepinv(mean)


def test_an_adjoint_that_is_none_is_told():
    with pytest.warns(DaskphysWarning, match="whose A_adjoint is not the adjoint"):
        from_deepinv(
            theirs.Tomography(7, 16, normalize=False, adjoint_via_backprop=False), image_shape=(1, 16, 16)
        )


def test_numbers_of_numpy_too():
    A = from_deepinv(FAMILIES["tomography"].make(), image_shape=(1, 16, 16))
    assert isinstance(A(np.ones((1, 16, 16))), np.ndarray)


@pytest.mark.parametrize(
    "make",
    [
        lambda: theirs.Blur(torch.rand(1, 1, 3, 3), padding="constant"),
        lambda: theirs.Downsampling((1, 16, 18), filter=torch.rand(1, 1, 4, 4), factor=2, padding="constant"),
    ],
)
def test_borders_that_only_deepinv_has(make):
    physics = make()
    x = torch.rand(1, 1, 16, 18)
    A = from_deepinv(physics, image_shape=(1, np.int64(16), np.int64(18)))
    assert torch.equal(A(x), physics.A(x))


def test_functions_of_an_instance_are_its_own():
    physics = theirs.Blur(torch.rand(1, 1, 3, 3), padding="circular")
    physics.A = lambda x, **_: 3 * x
    physics.A_adjoint = lambda y, **_: 3 * y
    x = torch.rand(1, 1, 16, 18)
    assert torch.equal(from_deepinv(physics, image_shape=(1, 16, 18))(x), 3 * x)
