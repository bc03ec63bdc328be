"""Operators as layers of networks."""

import copy
import io

import pytest
import torch
from cases import raises

from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import NotLinearError, ParameterError
from daskphys.interop.torch_module import PhysicsModule
from daskphys.physics import Blur, PhaseRetrieval, gaussian_blur, stack

A = stack(*[Blur(gaussian_blur(s)) for s in (0.6, 1.2)])


class Unrolled(torch.nn.Module):
    """A few steps of gradient descent, each with a learned correction."""

    def __init__(self, physics):
        super().__init__()
        self.measure, self.back = PhysicsModule(physics), PhysicsModule(physics, adjoint=True)
        self.steps = torch.nn.Parameter(torch.full((2,), 0.3))
        self.prior = torch.nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, y):
        x = self.back(y) / len(y)
        for step in self.steps:
            x = x - step * self.back([a - b for a, b in zip(self.measure(x), y, strict=True)])
            x = x + 0.1 * self.prior(x)
        return x


def trained(physics):
    torch.manual_seed(0)
    x = torch.rand(2, 1, 16, 16)
    net = Unrolled(physics)
    y = list(A(x))
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    losses = []
    for _ in range(8):
        optimiser.zero_grad()
        loss = (net(y) - x).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def test_an_unrolled_network_learns_the_same_on_a_cluster():
    losses = trained(A)
    assert losses[-1] < losses[0]
    with DistributedContext(n_workers=2) as ctx:
        on_workers = trained(distribute(A, ctx))
    assert on_workers == pytest.approx(losses, rel=1e-5)


def test_it_holds_no_parameters_and_goes_where_modules_go():
    module = PhysicsModule(A)
    assert not module.state_dict()
    assert not list(module.parameters())
    assert "Blur" in repr(torch.nn.Sequential(module))
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    x = torch.rand(1, 16, 16)
    for other in (again, copy.deepcopy(module), module.to("cpu").eval()):
        assert all(torch.equal(a, b) for a, b in zip(other(x), A(x), strict=True))


def test_bad_input():
    with raises(ParameterError, "PhysicsModule", "int"):
        PhysicsModule(3)
    with raises(NotLinearError, "PhaseRetrieval"):
        PhysicsModule(PhaseRetrieval(A[0]), adjoint=True)
