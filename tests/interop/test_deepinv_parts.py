"""Modules of torch taken apart and put together again, and physics of deepinv as they are: by its interface alone, which
does not need deepinv."""

import pickle
import sys
import threading

import numpy as np
import pytest
import torch
from cases import raises

from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import (
    DaskphysWarning,
    FallbackWarning,
    MissingDependencyError,
    ParameterError,
    ShapeError,
    StorageError,
)
from daskphys.interop.deepinv import from_deepinv, to_deepinv
from daskphys.interop.deepinv_operator import wrapped
from daskphys.interop.deepinv_parts import parts_of
from daskphys.physics import Identity, stack
from daskphys.testing import check_physics

rng = np.random.default_rng(0)


class Rolled(torch.nn.Module):
    """A physics with the methods of deepinv's, whose numbers are in a buffer, a parameter, a closure and a list."""

    def __init__(self, image=(2, 5, 4), shift=1):
        super().__init__()
        self.img_size = image
        weights = torch.rand(image[-1], generator=torch.Generator().manual_seed(shift))
        self.register_buffer("weights", weights)
        self.gain = torch.nn.Parameter(torch.tensor(1.5), requires_grad=False)
        self.listed = [torch.tensor(0.5), weights]
        inner = torch.tensor(1 / 3, dtype=torch.float64).float()
        self.scale = lambda x: x * inner
        self.dtype = torch.float32
        self.shift = shift
        self.calls = 0

    def factor(self):
        return self.weights * self.gain * self.listed[0]

    def A(self, x):
        self.calls += 1
        assert x.ndim == 4
        return self.scale((x * self.factor()).roll(self.shift, -1)).to(
            self.dtype if not x.is_complex() else x.dtype
        )

    def A_adjoint(self, y):
        return self.scale(y).roll(-self.shift, -1) * self.factor()


class Transformed(torch.nn.Module):
    """Complex images and measurements."""

    img_size = (3, 4)

    def A(self, x):
        return torch.fft.fft(x, norm="ortho")[..., :3]

    def A_adjoint(self, y):
        return torch.fft.ifft(torch.nn.functional.pad(y, (0, 1)), norm="ortho")


class OfReals(Transformed):
    """Real images and complex measurements."""

    def A_adjoint(self, y):
        return super().A_adjoint(y).real


def test_the_laws_hold_in_both_precisions():
    A = wrapped(Rolled(), None)
    check_physics(A, [(2, 5, 4), (3, 2, 5, 4)])
    x = rng.random((2, 2, 5, 4))
    module = Rolled()
    single = module.factor().detach().double()
    expected = np.roll(x * single.numpy(), 1, -1) / 3
    assert (
        np.abs(A(x) / expected - 1).max() < 1e-7
    )  # the parameters are those of single precision, and 1/3 is one
    assert A(x.astype("float32")).dtype == np.float32
    assert repr(A) == "DeepinvPhysics(Rolled, 2×5×4 → 2×5×4)"


@pytest.mark.parametrize("physics", [Transformed, OfReals])
def test_complex_measurements(physics):
    A = wrapped(physics(), None)
    check_physics(A, [(3, 4), (2, 3, 4)])
    assert A.of_real_images is (physics is OfReals)
    x = rng.random((3, 4))
    assert np.allclose(A(x), np.fft.fft(x, norm="ortho")[..., :3])


def test_it_is_its_content():
    """Two modules of the same numbers are one operator, in each process and after calls."""
    A, B, other = (wrapped(Rolled(shift=n), None) for n in (1, 1, 2))
    x = rng.random((2, 5, 4))
    assert A == B
    assert other != A
    kept = A(x)
    again = pickle.loads(pickle.dumps(A))
    assert again == A
    assert np.array_equal(again(x), kept)
    assert A.nbytes == 4 * (4 + 1 + 1 + 1)  # each tensor once


def test_arrays_travel_beside_the_pickle():
    A = wrapped(Rolled((1, 3, 100_000)), None)
    buffers = []
    head = pickle.dumps(A, protocol=5, buffer_callback=buffers.append)
    assert len(head) < 20_000
    assert sum(memoryview(b).nbytes for b in buffers) == A.nbytes


def test_the_module_itself_is_left_as_it_was():
    module = Rolled()
    A = wrapped(module, None)
    A(rng.random((2, 5, 4)))
    module.weights.zero_()
    assert module.calls == 0
    assert A(np.ones((2, 5, 4))).max() > 0


def test_each_thread_has_a_module_and_all_share_tensors():
    parts = parts_of(Rolled(), "test")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(parts.module(torch.device("cpu"), "float64")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(module) for module in found}) == 8
    assert len({id(module.weights) for module in found}) == 1
    assert found[0].weights.dtype == torch.float64


@pytest.mark.slow
def test_it_runs_on_worker_processes():
    A = stack(*(wrapped(Rolled(shift=n), None) for n in range(4)))
    x = rng.random((3, 2, 5, 4))
    with DistributedContext(n_workers=2, processes=True) as ctx:
        D = distribute(A, ctx)
        y = D(x)
        for own, plain in zip(y, A(x), strict=True):
            assert np.array_equal(own, plain)
        assert np.array_equal(D.A_adjoint(y), A.A_adjoint(y))


def test_gradients():
    A = wrapped(Rolled(), None)
    x = torch.rand(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(A, x)
    assert torch.autograd.gradgradcheck(A, x)


class Bad(Rolled):
    def A(self, x):
        return super().A(x) + self.bias

    bias = 1.0


class Several(Rolled):
    def A(self, x):
        return x, x


class Narrow(Rolled):
    def A_adjoint(self, y):
        return y[..., :2]


class Twice(Rolled):
    def A_adjoint(self, y):
        return 2 * super().A_adjoint(y)


class Coarse(Rolled):
    def A(self, x):
        return super().A(x).float()


def test_bad_physics():
    with raises(ParameterError, "not zero at zero", "Bad"):
        wrapped(Bad(), None)
    with raises(ParameterError, "one tensor", "Several", "tuple"):
        wrapped(Several(), None)
    with raises(ShapeError, "A_adjoint of Narrow", "(2, 5, 2)"):
        wrapped(Narrow(), None)
    with raises(ShapeError, "(2, 5, 7)", "image_shape="):
        wrapped(Rolled(), (2, 5, 7))
    with raises(ShapeError, "image_shape=(C, H, W)"):
        wrapped(Rolled(), "large")
    with raises(ShapeError, "(2, 5, 4)", "(2, 5, 3)", "image_shape"):
        wrapped(Rolled(), None)(np.ones((2, 5, 3)))
    unsendable = Rolled()
    unsendable.lock = threading.Lock()
    with raises(ParameterError, "cloudpickle", "factory", "lock"):
        wrapped(unsendable, None)


def test_a_parameter_that_learns_is_told():
    module = Rolled()
    module.weights.requires_grad_()
    with pytest.warns(DaskphysWarning, match="no gradient reaches this tensor"):
        A = wrapped(module, None)
    assert wrapped(Rolled(), None) == A


def test_a_graph_of_torch_func_is_refused_and_stays_as_it_is():
    module = Rolled()
    _, backwards = torch.func.vjp(module.A, torch.ones(1, 2, 5, 4))
    module.A_adjoint = lambda y: backwards(y)[0]
    y = torch.rand(1, 2, 5, 4)
    before = module.A_adjoint(y)
    with raises(ParameterError, "torch.func", "img_size"):
        wrapped(module, None)
    assert torch.equal(module.A_adjoint(y), before)


def test_classes_of_a_session_stay_as_they_are():
    """Where it was made, a class that cannot be imported would be set anew by its own pickle."""
    space = {"torch": torch, "__name__": "session"}
    exec(
        "class Own(torch.nn.Module):\n    img_size = (2, 3)\n    def A(self, x):\n        return gain * x\n    A_adjoint = A\n"
        "gain = 2.0",
        space,
    )
    kind = space["Own"]
    methods = dict(vars(kind))
    A = wrapped(kind(), None)
    assert np.array_equal(A(np.ones((2, 3))), 2 * np.ones((2, 3)))
    assert dict(vars(kind)) == methods


def test_an_adjoint_that_is_none_is_told():
    with pytest.warns(DaskphysWarning, match="Twice, whose A_adjoint is not the adjoint"):
        wrapped(Twice(), None)


def test_a_physics_of_single_precision_says_so():
    A = wrapped(Coarse(), None)
    with pytest.warns(FallbackWarning, match="computes in torch.float32"):
        assert A(np.ones((2, 5, 4))).dtype == np.float64


def test_it_is_not_written_to_disk(tmp_path):
    with pytest.raises(StorageError):
        wrapped(Rolled(), None).to_zarr(tmp_path / "a.zarr")
    assert not list(tmp_path.iterdir())


def test_without_deepinv(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepinv", None)
    with raises(MissingDependencyError, "from_deepinv", "python -m pip install deepinv"):
        from_deepinv(Rolled())
    with raises(MissingDependencyError, "to_deepinv", "python -m pip install deepinv"):
        to_deepinv(Identity())
    with raises(ParameterError, "to_deepinv", "int"):
        to_deepinv(3)
