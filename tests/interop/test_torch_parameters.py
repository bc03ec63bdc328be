"""torch tensors as parameters, devices, and what bad tensors get."""

import numpy as np
import pytest
from interop.products import check_tensors

from daskphys import doors
from daskphys.distributed import distribute
from daskphys.errors import (
    DaskphysWarning,
    DeviceError,
    DtypeError,
    MissingDependencyError,
    ShapeError,
    UnsupportedArrayError,
)
from daskphys.physics import Blur, Measurements, gaussian_blur

torch = pytest.importorskip("torch")


@pytest.fixture
def x(image):
    return image.copy()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32])
def test_a_tensor_as_filter(dtype, x):
    kernel = (10 * torch.rand(3, 4, generator=torch.Generator().manual_seed(0))).to(dtype)
    A = Blur(filter=kernel)
    assert Blur(filter=kernel.numpy()) == A
    assert A.filter.dtype == np.float64
    check_tensors(A(torch.from_numpy(x)), Blur(kernel.numpy())(x))
    before = A.filter.copy()
    kernel.zero_()  # the operator has its own
    np.testing.assert_array_equal(A.filter, before)
    assert Blur(kernel.T) == Blur(kernel.T.numpy())


def test_a_filter_is_a_constant():
    kernel = torch.nn.Parameter(torch.rand(3, 3))
    with pytest.warns(DaskphysWarning, match=r"no gradient reaches this tensor.*x\.detach\(\)"):
        A = Blur(kernel)
    assert Blur(kernel.detach()) == A


def test_devices(blur, circular, x):
    cpu = torch.device("cpu")
    for device in (cpu, "cpu", torch.device("cpu", 0), torch.from_numpy(x).device):
        assert Blur(blur.filter, device=device) == blur
        assert circular.to(device) is circular
        assert gaussian_blur(2.0, device=device).shape == (1, 1, 15, 15)
    with pytest.raises(DeviceError, match="'meta'"):
        Blur(blur.filter, device=torch.device("meta"))


def test_distributed_to_a_device(circular, threads):
    D = distribute(circular, threads)
    assert D.to(torch.device("cpu")) is D


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_a_missing_gpu(blur):
    with pytest.raises((MissingDependencyError, DeviceError), match="cuda:0"):
        Blur(blur.filter, device=torch.device("cuda"))


# -- what bad input gets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.float16, torch.bfloat16])
def test_wrong_dtype(blur, circular, dtype):
    x = torch.ones(8, 8, dtype=dtype)
    message = rf"got {dtype}: cast it first, as in x\.to\(torch\.float32\)"
    with pytest.raises(DtypeError, match=r"Blur\(3×4, circular\) expected .*" + message):
        blur(x)
    with pytest.raises(DtypeError, match=message):
        circular.A_adjoint([x] * 3)
    assert blur(x.to(torch.float32)).dtype == torch.float32


def test_measurements_of_two_dtypes(circular):
    x = torch.ones(8, 8)
    with pytest.raises(DtypeError, match="float32, float64"):
        circular.A_adjoint([x, x.double(), x])


def test_kinds_are_not_mixed(circular, x):
    t = torch.from_numpy(x)
    for given in ([t, x, t], (x, t, x), Measurements([t, x, x])):
        with pytest.raises(UnsupportedArrayError, match=r"one kind of array, got .*torch\.Tensor"):
            circular.A_adjoint(given)


@pytest.mark.filterwarnings("ignore:Sparse CSR:UserWarning")
def test_tensors_without_memory_of_an_array(blur):
    dense = torch.ones(8, 8)
    for given in (dense.to_sparse(), dense.to_sparse_csr()):
        with pytest.raises(UnsupportedArrayError, match=r"Blur.* expected a dense tensor.*x\.to_dense\(\)"):
            blur(given)
        with pytest.raises(UnsupportedArrayError, match="dense tensor"):
            Blur(given)
    with pytest.raises(UnsupportedArrayError, match=r"CPU or CUDA device, got meta: x\.cpu\(\)"):
        blur(dense.to("meta"))


def test_parameters_that_numpy_has_not():
    with pytest.raises(DtypeError, match=r"bfloat16: cast it first, as in x\.to\(torch\.float32\)"):
        Blur(torch.ones(3, 3, dtype=torch.bfloat16))
    with pytest.raises(DtypeError, match="filter"):
        Blur(torch.ones(3, 3, dtype=torch.float16))


def test_wrong_shapes(blur, circular):
    with pytest.raises(ShapeError, match="at least 3×4"):
        blur(torch.ones(2, 2))
    with pytest.raises(ShapeError, match=r"got shape \(8,\)"):
        blur(torch.ones(8))
    with pytest.raises(ShapeError, match="positive integers"):
        blur(torch.ones(0, 8, 8))
    with pytest.raises(ShapeError, match="measurements of 3 sensors, got 2"):
        circular.A_adjoint([torch.ones(8, 8)] * 2)
    with pytest.raises(ShapeError, match=r"measurements of 3 sensors.* torch\.Tensor of shape \(3, 8, 8\)"):
        circular.A_adjoint(torch.ones(3, 8, 8))


def test_the_door_is_found_for_subclasses():
    assert doors.door_of(torch.nn.Parameter(torch.ones(2))) is doors.door_of(torch.ones(2))
