"""torch tensors on a GPU, by CuPy on their own memory."""

import pytest
from interop.products import SEEN, SHORT, Witness, tensors

from daskphys.physics import Measurements

torch = pytest.importorskip("torch")
if torch.cuda.is_available():
    pytest.importorskip("cupy")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"),
]


@pytest.mark.parametrize("name", SHORT)
def test_on_a_gpu(operator, name, image):
    make, argument = SHORT[name]
    product = make(operator)
    given = tensors(image if argument == "x" else operator(image))
    moved = given.map(torch.Tensor.cuda) if isinstance(given, Measurements) else given.cuda()
    got, expected = product(moved), product(given)
    for g, e in zip(got, expected, strict=True) if isinstance(got, Measurements) else [(got, expected)]:
        assert g.device == torch.device("cuda:0")
        torch.testing.assert_close(g.cpu(), e)


def test_on_a_gpu_memory_and_gradients(blur):
    x = torch.rand(3, 8, 9, device="cuda", requires_grad=True)
    y = Witness()(x)
    came, went = SEEN.pop()
    assert came.data.ptr == x.data_ptr()
    assert y.data_ptr() == went.data.ptr
    blur(x).sum().backward()
    assert x.grad.device == x.device
    torch.testing.assert_close(x.grad.cpu(), blur.H(torch.ones(3, 8, 9)))
    double = torch.rand(4, 5, device="cuda", dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(blur, (double,))
