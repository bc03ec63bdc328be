"""torch tensors through operators: the bits of NumPy, on the same memory."""

import dask.sizeof
import numpy as np
import pytest
from interop.products import SEEN, SHORT, Witness, check_tensors, tensors

from daskphys.distributed import distribute
from daskphys.errors import ShapeError
from daskphys.physics import LinearPhysics, Measurements, stack, value

torch = pytest.importorskip("torch")


@pytest.fixture
def x(image):
    return image.copy()


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("name", SHORT)
def test_the_bits_of_numpy(operator, name, dtype, x):
    make, argument = SHORT[name]
    x = x.astype(dtype) * (1 - 2j if dtype[0] == "c" else 1)
    given = x.astype(dtype) if argument == "x" else operator(x.astype(dtype))
    product = make(operator)
    check_tensors(product(tensors(given)), product(given))


@pytest.mark.parametrize("rtol", [None, 0.3])
def test_pseudo_inverse(merging, rtol, x):
    y = merging(x)
    check_tensors(merging.A_dagger(tensors(y), rtol), merging.A_dagger(y, rtol))


@pytest.mark.parametrize("name", SHORT)
def test_distributed(stacked, name, x, threads):
    make, argument = SHORT[name]
    product = make(distribute(stacked, threads))
    given = x if argument == "x" else stacked(x)
    check_tensors(product(tensors(given)), product(given))


def test_distributed_equals_plain(stacked, circular, x, threads):
    y = stacked(x)
    D = distribute(stacked, threads)
    check_tensors(D(tensors(x)), y)
    check_tensors(D.A_adjoint(tensors(y)), stacked.A_adjoint(y))
    check_tensors(D.A_adjoint_A(tensors(x)), stacked.A_adjoint_A(x))
    check_tensors(D.A_adjoint_A(tensors(x), method="tree"), D.A_adjoint_A(x, method="tree"))
    D = distribute(circular, threads)
    assert D.compute_norm(tensors(x)) == circular.compute_norm(x)
    check_tensors(D.A_dagger(tensors(circular(x))), circular.A_dagger(circular(x)))


def test_sequences_of_tensors_are_measurements(stacked, x):
    y = stacked(x)
    for kind in (list, tuple, Measurements):
        check_tensors(stacked.A_adjoint(kind(tensors(y))), stacked.A_adjoint(y))
        check_tensors(stacked.A_vjp(torch.from_numpy(x), kind(tensors(y))), stacked.A_adjoint(y))


def test_batches(stacked, x):
    whole = stacked(torch.from_numpy(x))
    for i in range(len(x)):
        one = stacked(torch.from_numpy(x[i]))
        assert [torch.equal(a[i], b) for a, b in zip(whole, one, strict=True)] == [True] * len(whole)


# -- memory ------------------------------------------------------------------------------------------------


@pytest.fixture
def seen():
    SEEN.clear()
    yield SEEN
    SEEN.clear()


def pointer(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("make", [lambda A: A, lambda A: A.H], ids=["A", "A.H"])
def test_no_copy(make, seen):
    x = torch.rand(3, 8)
    y = make(Witness())(x)
    ((came, went),) = seen
    assert type(came) is np.ndarray
    assert pointer(came) == x.data_ptr()
    assert y.data_ptr() == pointer(went)
    y[0, 0] = -1  # writable, and the operator's own result
    assert went[0, 0] == -1


def test_no_copy_of_measurements(seen):
    A = stack(Witness(), Witness())
    x = torch.rand(3, 8, requires_grad=True)
    y = A(x)
    assert [pointer(came) for came, _ in seen] == [x.data_ptr()] * 2
    assert [t.data_ptr() for t in y] == [pointer(went) for _, went in seen]
    seen.clear()
    A.A_adjoint(y)
    assert [pointer(came) for came, _ in seen] == [t.data_ptr() for t in y]


def test_tensors_of_any_layout_in_memory(blur, seen):
    base = torch.rand(8, 9, 7, dtype=torch.complex64)
    cases = [
        base.real.mT,
        base.real[::2, ::3],
        base.real[0].expand(4, 9, 7),
        base.conj(),
        base.conj().imag,
        torch.flip(base.real, (0,)),
        base.real.permute(1, 2, 0),
        torch.nn.Parameter(base.real.clone()).detach(),
    ]
    assert cases[3].is_conj()
    assert cases[4].is_neg()
    for given in cases:
        plain = given.resolve_conj().resolve_neg().numpy().copy()
        check_tensors(blur(given), blur(plain))
        check_tensors(Witness()(given), 2 * plain)
    assert seen[2][0].strides[0] == 0  # an expanded tensor is not made larger


@value
class Awkward(LinearPhysics):
    """Results that a tensor cannot share: backwards in memory, and forbidden to be written to."""

    kept: np.ndarray

    def _forward(self, x):
        return x[..., ::-1]

    def _adjoint(self, y, shape):
        return np.broadcast_to(self.kept, shape)


def test_results_that_a_tensor_cannot_share():
    kept = np.arange(4.0)
    kept.flags.writeable = False
    A = Awkward(kept)
    x = torch.arange(8.0, dtype=torch.float64).reshape(2, 4)
    assert A(x).tolist() == x.flip(-1).tolist()
    for shape in ((4,), (2, 4)):
        y = A.H(x.reshape(shape) if len(shape) > 1 else x[0])
        assert y.tolist() == np.broadcast_to(kept, shape).tolist()
        y.zero_()
        assert kept.tolist() == [0, 1, 2, 3]


@value
class Total(LinearPhysics):
    """The sum over one axis of length 4."""

    range_ndim = 0

    def _forward(self, x):
        return x.sum(-1)

    def _adjoint(self, y, shape):
        return np.broadcast_to(y[..., None], shape)

    def _range_shape(self, shape):
        return shape[:-1]

    def _domain_shape(self, shape):
        return (*shape, 4)


def test_scalars():
    """NumPy gives a sum over all axes as a scalar, which has no memory to share."""
    total = Total()(torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True))
    assert (total.shape, total.dtype, total.item()) == ((), torch.float32, 10)
    assert torch.equal(
        torch.autograd.grad(total, total.grad_fn.next_functions[0][0].variable)[0], torch.ones(4)
    )
    assert torch.equal(Total().H(torch.tensor(2.0)), torch.full((4,), 2.0))


def test_the_size_that_dask_sees():
    assert 4_000_000 <= dask.sizeof.sizeof(torch.zeros(1000, 1000)) < 4_010_000
    assert dask.sizeof.sizeof(Measurements([torch.zeros(1000, 500), torch.zeros(10)])) > 2_000_000


# -- measurements ------------------------------------------------------------------------------------------


def test_measurements_of_tensors(stacked, x):
    n, t = stacked(x), stacked(torch.from_numpy(x))
    check_tensors(2 * t - t / 4 + 1, 2 * n - n / 4 + 1)
    check_tensors(t + list(t), n + n)
    check_tensors(-t * t, -n * n)
    check_tensors(1 - t, 1 - n)
    check_tensors(t[1:], n[1:])
    check_tensors(t.map(abs), n.map(abs))
    for scalar in (np.float32(2), np.float64(2), torch.tensor(2.0)):  # none lifts float32
        check_tensors(scalar * t, 2 * n)
        check_tensors(t / scalar, n / 2)
    assert torch.is_tensor(t.norm())
    assert t.norm().item() == pytest.approx(n.norm(), rel=1e-6)
    assert t.shapes == n.shapes
    assert t.nbytes == n.nbytes
    assert "torch float32" in repr(t)


def test_measurements_stack(circular, mixed, x):
    t = circular(torch.from_numpy(x))
    check_tensors(t.stack(), circular(x).stack())
    with pytest.raises(ShapeError, match="one shape"):
        mixed(torch.from_numpy(x)).stack()
    with pytest.raises(ShapeError, match=r"scalar or measurements.*torch\.Tensor"):
        t * torch.from_numpy(x)
