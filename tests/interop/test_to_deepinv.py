"""Operators as physics of deepinv, plain and distributed; skipped where deepinv is not installed."""

import copy
import pickle
import warnings

import cloudpickle
import numpy as np
import pytest
import torch
from cases import raises
from tensors import close

from daskphys.distributed import DistributedPhysics, distribute
from daskphys.errors import NotLinearError, UnknownKeywordError
from daskphys.interop.deepinv import from_deepinv, to_deepinv
from daskphys.physics import Blur, Downsampling, GaussianNoise, PhaseRetrieval, gaussian_blur, stack

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    deepinv = pytest.importorskip("deepinv")
    from deepinv import physics as theirs
    from deepinv.utils import TensorList

    from benchmarks.deepinv_families import KERNEL, MAPS, MASK

torch.manual_seed(0)
A = stack(Blur(gaussian_blur(0.5)), Blur(gaussian_blur(1.0)))
RAGGED = stack(Blur(gaussian_blur(0.5), "valid"), Downsampling("bilinear", 2))


@pytest.fixture(params=["plain", "distributed"])
def place(request, threads):
    return (lambda A: A) if request.param == "plain" else (lambda A: distribute(A, threads))


def test_what_is_asked_of_the_whole_stack_is_exact(place):
    physics = to_deepinv(place(A))
    x = torch.rand(1, 1, 32, 32, dtype=torch.float64)
    assert isinstance(physics, theirs.StackedLinearPhysics)
    assert len(physics) == len(physics.physics_list) == 2
    y = physics(x)
    assert isinstance(y, TensorList)
    close(physics[1](x), y[1])
    close(physics.A_dagger(y), x, 1e-6)
    close(physics.A_dagger(y, solver="CG", tol=1e-8, max_iter=500), x, 1e-3)
    assert physics.compute_sqnorm(x).item() == pytest.approx(2.0)
    assert physics.compute_norm(x[0], squared=False).item() == pytest.approx(2**0.5)
    z = torch.rand_like(x)
    ours = physics.prox_l2(z, y, 3.0)
    close(physics.A_adjoint_A(ours) + ours / 3, physics.A_adjoint(y) + z / 3, 1e-10)
    close(ours, physics.prox_l2(z, y, 3.0, solver="CG", tol=1e-10), 1e-5)
    close(physics.prox_l2(None, y, 3.0), physics.prox_l2(0.0, y, 3.0))


def test_a_norm_without_a_closed_form(place):
    physics = to_deepinv(place(RAGGED))
    exact = RAGGED.compute_sqnorm((32, 32))
    assert physics.compute_sqnorm(torch.zeros(1, 32, 32)).item() == pytest.approx(exact, rel=1e-5)


def test_gradients(place):
    x = torch.rand(1, 1, 12, 12, dtype=torch.float64, requires_grad=True)
    for operator in (A, RAGGED):
        physics = to_deepinv(place(operator))
        assert torch.autograd.gradcheck(lambda x, p=physics: tuple(p.A(x)), x, fast_mode=True)
        y = [t.detach().requires_grad_() for t in physics.A(x)]
        assert torch.autograd.gradcheck(
            lambda *y, p=physics: p.A_adjoint(TensorList(list(y))), y, fast_mode=True
        )
    physics = to_deepinv(place(A))
    y = [t.detach().requires_grad_() for t in physics.A(x)]
    assert torch.autograd.gradcheck(lambda *y: physics.A_dagger(TensorList(list(y))), y, fast_mode=True)
    y, z = physics.A(x.detach()), torch.rand_like(x).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: physics.prox_l2(z, y, 2.0), z, fast_mode=True)


def test_gradients_reach_a_learned_weight_of_prox():
    physics = to_deepinv(A)
    x = torch.rand(1, 1, 12, 12)
    gamma = torch.tensor(2.0, requires_grad=True)
    physics.prox_l2(torch.zeros_like(x), physics.A(x), gamma).sum().backward()
    assert gamma.grad.abs() > 0


def test_the_optimisers_of_deepinv_run_on_it(place):
    physics = to_deepinv(place(A))
    x = torch.rand(1, 1, 16, 16)
    solver = deepinv.optim.optim_builder(
        "PGD",
        data_fidelity=deepinv.optim.StackedPhysicsDataFidelity([deepinv.optim.L2()] * 2),
        prior=deepinv.optim.TVPrior(n_it_max=5),
        params_algo={"stepsize": 0.5, "lambda": 1e-4},
        max_iter=60,
    )
    found = solver(physics(x), physics)
    start = physics.A_adjoint(physics(x)) / 2
    assert (found - x).norm() < 0.7 * (start - x).norm()


def unfolded(physics):
    """The losses of an unfolded network of deepinv's while it learns."""
    torch.manual_seed(0)
    x = torch.rand(2, 1, 16, 16)
    y = TensorList([t.detach() for t in A.A(x)])
    model = deepinv.optim.PGD(
        data_fidelity=deepinv.optim.StackedPhysicsDataFidelity([deepinv.optim.L2()] * 2),
        prior=deepinv.optim.PnP(deepinv.models.DnCNN(1, 1, depth=3, nf=4, pretrained=None)),
        stepsize=[0.4, 0.3],
        g_param=0.05,
        max_iter=2,
        unfold=True,
    )
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = (model(y, physics) - x).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def test_an_unfolded_network_of_deepinv_learns_the_same_through_it(place):
    blurs = [theirs.Blur(torch.tensor(np.array(b.filter)).float()[None, None], padding="circular") for b in A]
    expected = unfolded(theirs.stack(*blurs))
    assert expected[-1] < expected[0]
    assert unfolded(to_deepinv(place(A))) == pytest.approx(expected, rel=1e-4)


def test_copies(place):
    physics = to_deepinv(place(A))
    x = torch.rand(1, 1, 16, 16)
    for other in (copy.deepcopy(physics), physics.clone(), physics.to("cpu")):
        close(other.A(x), physics.A(x))
    if not isinstance(physics.operator, DistributedPhysics):
        again = pickle.loads(cloudpickle.dumps(physics))
        assert type(again) is type(physics)
        close(again.A(x), physics.A(x))
    physics.set_noise_model(theirs.GaussianNoise(0.1, rng=torch.Generator().manual_seed(0)), 0)
    close(physics.clone()(x), physics(x))  # with a generator in the same state
    assert not [key for key in physics.state_dict() if "noise" not in key]
    assert "Blur(5×5, circular)" in repr(to_deepinv(A[0]))


def test_an_axis_of_sensors_of_its_own_is_one_tensor(threads):
    physics = theirs.MultiCoilMRI(MASK, MAPS)
    back = to_deepinv(distribute(from_deepinv(physics), threads), complex_channels=True)
    assert not isinstance(back, theirs.StackedLinearPhysics)
    x = torch.randn(2, 2, 16, 18)
    close(back.A(x), physics.A(x))
    assert back.compute_sqnorm(x[0], tol=1e-4).item() == pytest.approx(
        physics.compute_sqnorm(x[:1], max_iter=1000, tol=1e-7, verbose=False).item(), rel=1e-3
    )


def test_noise_of_an_operator_comes_along():
    physics = to_deepinv(
        stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0))).with_noise(GaussianNoise(0.1))
    )
    x = torch.zeros(1, 1, 64, 64)
    assert [round(float(t.std()), 1) for t in physics(x)] == [0.1, 0.1]
    assert all(torch.equal(t, torch.zeros_like(t)) for t in physics.A(x))
    physics.set_noise_model(theirs.GaussianNoise(0.5), 0)
    assert [round(float(t.std()), 1) for t in physics(x)] == [0.5, 0.1]
    one = to_deepinv(Blur(gaussian_blur(1.0)))
    one.set_noise_model(theirs.GaussianNoise(0.1))
    assert round(float(one(x, sigma=0.7).std()), 1) == 0.7


def test_bad_input():
    with raises(NotLinearError, "to_deepinv", "PhaseRetrieval"):
        to_deepinv(PhaseRetrieval(Blur(gaussian_blur(1.0))))
    with raises(UnknownKeywordError, "A()", "'filtre'"):
        to_deepinv(Blur(gaussian_blur(1.0))).A(torch.ones(1, 1, 16, 16), filtre=KERNEL)
    with raises(UnknownKeywordError, "A_adjoint()", "'sigma'"):
        to_deepinv(A).A_adjoint(A.A(torch.ones(1, 1, 16, 16)), sigma=0.1)
