"""Gradients through operators: of a linear operator its adjoint, as often as one differentiates."""

import pytest

from daskphys.distributed import distribute
from daskphys.physics import Blur, stack

torch = pytest.importorskip("torch")
gradcheck, gradgradcheck = torch.autograd.gradcheck, torch.autograd.gradgradcheck

SIZE = (2, 6, 5)


def wants_grad(*shape, dtype=torch.float64, seed=0):
    made = torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    return made.requires_grad_()


def functions(A):
    """Products as functions of tensors alone, with the shapes of their arguments."""
    size = (3, 6, 5) if "3 of 3×3" in repr(A) else SIZE
    shapes = A.range_shape(size)
    many = isinstance(shapes[0], tuple)
    image, measured = [size], list(shapes) if many else [shapes]

    def flat(f):
        def call(*tensors):
            result = f(tensors if many and len(tensors) > 1 else tensors[0])
            return tuple(result) if many and not torch.is_tensor(result) else result

        return call

    return {
        "A": (flat(A.A), image),
        "A.H": (flat(A.A_adjoint), measured),
        "A_adjoint_A": (flat(A.A_adjoint_A), image),
        "A_A_adjoint": (flat(A.A_A_adjoint), measured),
        "(1-2j)A": (flat((1 - 2j) * A), image),
    }


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_gradcheck(operator, dtype):
    for f, shapes in functions(operator).values():
        inputs = [wants_grad(*shape, dtype=dtype, seed=i) for i, shape in enumerate(shapes)]
        assert gradcheck(f, inputs, fast_mode=True)
        assert gradgradcheck(f, inputs, fast_mode=True)


def test_gradcheck_of_every_entry(circular, mixed):
    for A in (circular, mixed):
        x = wants_grad(1, 5, 5)
        assert gradcheck(lambda x, A=A: tuple(A(x)), (x,))
        assert gradgradcheck(lambda x, A=A: tuple(A(x)), (x,))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_gradcheck_of_the_pseudo_inverse(merging, dtype):
    y = merging(torch.ones(SIZE))
    inputs = [wants_grad(*SIZE, dtype=dtype, seed=i) for i in range(1 if torch.is_tensor(y) else len(y))]

    def solve(*y):
        return merging.A_dagger(y if len(y) > 1 else y[0], rtol=0.3)

    assert gradcheck(solve, inputs, fast_mode=True)
    assert gradgradcheck(solve, inputs, fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_gradcheck_of_the_iterative_pseudo_inverse(dtype):
    A = stack(Blur([[0.1, 1.0, 0.3]], "reflect"), Blur([[0.2], [1.0]], "replicate"))
    for solver, count in ((A, 2), (A[0], 1)):
        inputs = [wants_grad(4, 5, dtype=dtype, seed=i) for i in range(count)]

        def solve(*y, solver=solver):
            return solver.A_dagger(y if len(y) > 1 else y[0])

        assert gradcheck(solve, inputs, fast_mode=True)
        assert gradgradcheck(solve, inputs, fast_mode=True)


QUICK = {"fast_mode": True, "check_undefined_grad": False}  # a call to the cluster takes milliseconds


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("A", torch.float64),
        ("A.H", torch.complex128),
        ("A_adjoint_A", torch.complex128),
        ("(1-2j)A", torch.float64),
    ],
)
def test_distributed_gradcheck(mixed, name, dtype, threads):
    f, shapes = functions(distribute(mixed, threads))[name]
    inputs = [wants_grad(*shape, dtype=dtype, seed=i) for i, shape in enumerate(shapes)]
    assert gradcheck(f, inputs, **QUICK)
    assert name == "(1-2j)A" or gradgradcheck(f, inputs, **QUICK)


def test_distributed_gradcheck_of_the_pseudo_inverse_and_the_tree(circular, threads):
    D = distribute(circular, threads)
    y = [wants_grad(*SIZE, seed=i) for i in range(3)]
    assert gradcheck(lambda *y: D.A_dagger(y, rtol=0.3), y, **QUICK)
    assert gradgradcheck(lambda *y: D.A_dagger(y, rtol=0.3), y, **QUICK)
    assert gradcheck(lambda x: D.A_adjoint_A(x, method="tree"), y[:1], **QUICK)


def test_gradients_on_processes(mixed, processes):
    D = distribute(mixed, processes)
    x = wants_grad(*SIZE, dtype=torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(D(x), mixed(x), strict=True))
    loss = sum((y**2).sum() for y in D(x))
    loss.backward()
    assert torch.equal(x.grad, D.A_adjoint(2 * D(x.detach())))


# -- what flows where --------------------------------------------------------------------------------------


@pytest.fixture(params=["plain", "distributed"])
def A(request, mixed):
    return mixed if request.param == "plain" else distribute(mixed, request.getfixturevalue("threads"))


def test_requires_grad_propagates(A):
    x = wants_grad(*SIZE, dtype=torch.float32)
    assert all(y.requires_grad and not y.is_leaf for y in A(x))
    assert not any(y.requires_grad for y in A(x.detach()))
    with torch.no_grad():
        assert not any(y.requires_grad for y in A(x))
    with torch.inference_mode():
        assert all(y.is_inference() for y in A(x))
    y = [t.detach() for t in A(x)]
    y[1].requires_grad_()
    assert A.A_adjoint(y).requires_grad
    assert (2 * A(x)).map(lambda t: t.requires_grad)[0]


def test_the_gradient_is_the_adjoint(A):
    x = wants_grad(*SIZE, dtype=torch.float32)
    y = A(x)
    v = y.map(lambda t: torch.rand(t.shape))
    torch.autograd.backward(list(y), list(v))
    assert torch.equal(x.grad, A.A_adjoint(v))
    assert x.grad.dtype == torch.float32


def test_outputs_that_the_loss_does_not_use(A):
    x = wants_grad(*SIZE, dtype=torch.float64)
    y = A(x)
    y[1].sum().backward()
    torch.testing.assert_close(x.grad, A[1].H(torch.ones(y[1].shape, dtype=x.dtype)))


def test_measurements_that_need_no_gradient(A):
    y = A(torch.rand(SIZE))
    y[2].requires_grad_()
    A.A_adjoint(y).sum().backward()
    assert y[0].grad is None
    assert y[1].grad is None
    torch.testing.assert_close(y[2].grad, A[2](torch.ones(SIZE)))


def test_inside_a_network(A):
    """The input is no leaf, the parameters are before and after the operator."""
    gain, bias = torch.nn.Parameter(torch.tensor(2.0)), torch.nn.Parameter(torch.tensor(0.5))
    x = torch.rand(SIZE)
    y = A(gain * x) * bias
    sum(t.sum() for t in y).backward()
    plain = sum(float(t.sum()) for t in A(x))
    assert float(gain.grad) == pytest.approx(0.5 * plain, rel=1e-5)
    assert float(bias.grad) == pytest.approx(2 * plain, rel=1e-5)


def test_a_parameter_as_image(A):
    image = torch.nn.Parameter(torch.rand(SIZE))
    A.A_adjoint_A(image).sum().backward()
    torch.testing.assert_close(image.grad, A.A_adjoint_A(torch.ones(SIZE)), rtol=1e-4, atol=1e-5)


def test_gradients_of_views(blur):
    """Gradients reach the memory behind expanded, conjugated and negated tensors."""
    x = wants_grad(6, 5)
    blur(x.expand(4, 6, 5)).sum().backward()
    torch.testing.assert_close(x.grad, 4 * blur.H(torch.ones(6, 5, dtype=x.dtype)))
    z = wants_grad(6, 5, dtype=torch.complex128)
    assert gradcheck(lambda z: blur(z.conj()), (z,), fast_mode=True)
    assert gradcheck(lambda z: blur(z.conj().imag), (z,), fast_mode=True)
    assert gradcheck(lambda z: blur(z.real.mT), (z,), fast_mode=True)


def test_a_real_image_of_a_complex_operator_has_a_real_gradient(blur):
    x = wants_grad(6, 5, dtype=torch.float32)
    y = ((1 + 2j) * blur)(x)
    assert y.dtype == torch.complex64
    y.abs().square().sum().backward()
    assert x.grad.dtype == torch.float32
    torch.testing.assert_close(x.grad, 10 * blur.A_adjoint_A(x.detach()), rtol=1e-4, atol=1e-4)


def test_the_norm_of_measurements_has_a_gradient(A):
    x = wants_grad(*SIZE)
    norm = A(x).norm()
    norm.backward()
    torch.testing.assert_close(x.grad, A.A_adjoint_A(x.detach()) / norm.detach())


def test_second_derivatives(circular):
    """The Hessian of ‖Ax‖²/2 is AᵀA."""
    x = wants_grad(6, 5)
    (gradient,) = torch.autograd.grad(sum((y**2).sum() for y in circular(x)) / 2, x, create_graph=True)
    v = torch.rand(6, 5, dtype=x.dtype)
    (product,) = torch.autograd.grad(gradient, x, v)
    torch.testing.assert_close(product, circular.A_adjoint_A(v))


def test_functional_transforms(mixed, circular):
    x = torch.rand(*SIZE, dtype=torch.float64)

    def loss(x):
        return sum((y**2).sum() for y in mixed(x)) / 2

    torch.testing.assert_close(torch.func.grad(loss)(x), mixed.A_adjoint_A(x))
    rows = torch.func.jacrev(lambda x: tuple(mixed(x)))(x[0])
    assert [r.shape[-2:] for r in rows] == [(6, 5)] * 3
    torch.testing.assert_close(torch.einsum("...ij,ij->...", rows[1], x[0]), mixed[1](x[0]))
    mapped = torch.func.vmap(lambda x: tuple(mixed(x)), in_dims=2, out_dims=2)(x.movedim(0, 2))
    assert all(torch.equal(a.movedim(2, 0), b) for a, b in zip(mapped, mixed(x), strict=True))
    y = circular(x)
    back = torch.func.vmap(lambda a, b, c: circular.A_adjoint([a, b, c]), in_dims=(0, None, 0))(
        y[0], y[1][0], y[2]
    )
    assert torch.equal(back, circular.A_adjoint([y[0], y[1][:1].expand(SIZE), y[2]]))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_forward_mode(A, circular):
    x, v = torch.rand(2, *SIZE, dtype=torch.float64)
    value, tangent = torch.func.jvp(lambda x: tuple(A(x)), (x,), (v,))
    assert all(torch.equal(a, b) for a, b in zip(value, A(x), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(tangent, A(v), strict=True))
    with torch.autograd.forward_ad.dual_level():
        y = list(circular(x))
        y[0] = torch.autograd.forward_ad.make_dual(y[0], v)  # the other two have no tangent
        tangent = torch.autograd.forward_ad.unpack_dual(circular.A_adjoint(y)).tangent
    torch.testing.assert_close(tangent, circular[0].H(v))


# -- training ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_cluster", [False, True])
def test_a_loop_that_learns(circular, threads, on_cluster):
    """Deblurring by gradient descent in float32: the image comes back."""
    A = distribute(circular, threads) if on_cluster else circular
    truth = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(0))
    y = A(truth)
    image = torch.nn.Parameter(torch.zeros_like(truth))
    optimizer = torch.optim.SGD([image], lr=1 / A.compute_sqnorm(truth))
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = sum(((a - b) ** 2).sum() for a, b in zip(A(image), y, strict=True)) / 2
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 1e-2 * losses[5] < 1e-2 * losses[0]
    assert image.dtype == image.grad.dtype == torch.float32
