"""Operators with a sensor axis of their own, on a cluster."""

import cloudpickle
import dask.array as da
import numpy as np
import pytest
import sensors
from cases import kernel, raises
from sensors import Coils, Pairs, PhasedCoils

from daskphys import optim
from daskphys.distributed import distribute
from daskphys.distributed.shared import fill_block, shared_by, stripped
from daskphys.errors import ParameterError, SensorError, ShapeError
from daskphys.physics import Blur, Diagonal, gaussian_blur, stack

MAPS = np.random.default_rng(1).uniform(0.5, 1.5, (5, 6, 7))
PHASED = PhasedCoils(MAPS * np.exp(1j * MAPS))


@pytest.fixture(scope="module", autouse=True)
def known_to_workers():
    """Worker processes do not import the tests' modules."""
    cloudpickle.register_pickle_by_value(sensors)
    yield
    cloudpickle.unregister_pickle_by_value(sensors)


@pytest.fixture(params=["threads", "processes"])
def ctx(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    "A", [Coils(MAPS), Pairs(MAPS), 2 * Pairs(MAPS), Coils(MAPS) @ Blur(kernel(3, 2)), PHASED]
)
def test_the_bits_of_the_plain_operator(A, ctx, rng):
    D = distribute(A, ctx)
    x = rng.standard_normal((2, 6, 7)).astype(np.float32)
    y = A(x)
    np.testing.assert_array_equal(D(x), y)
    np.testing.assert_array_equal(D.A_adjoint(y), A.A_adjoint(y))
    np.testing.assert_array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
    np.testing.assert_array_equal(D.A_dagger(y), A.A_dagger(y))
    assert D.compute_sqnorm((6, 7)) == A.compute_sqnorm((6, 7))
    np.testing.assert_array_equal(optim.cg(D, y, rtol=1e-4), optim.cg(A, y, rtol=1e-4))
    assert sorted(i for held in D.placement.values() for i in held) == D.local_indexes == [0, 1, 2, 3, 4]
    assert D.report().method.startswith("CG, ")
    plan = D.plan((2, 6, 7), calibrate=False)
    assert sorted(i for w in plan.workers for a, b in w.sensors for i in range(a, b)) == D.local_indexes
    np.testing.assert_array_equal((3 * D)(x), (3 * A)(x))


@pytest.mark.parametrize("A", [Pairs(MAPS), PHASED])
def test_lazily(A, ctx, rng):
    D = distribute(A, ctx)
    x = rng.standard_normal((4, 6, 7))
    lazy = da.from_array(x, chunks=(3, 6, 7))
    y = A(x)
    # Several clusters are open in this module; a lazy result of a distributed operator is computed by its own.
    with ctx.client.as_current():
        for operator in (A, D):
            made = operator(lazy)
            assert made.chunks == ((3, 1), A.counts, (6,), (7,))
            np.testing.assert_array_equal(made.compute(), y)
            np.testing.assert_array_equal(
                operator.A_adjoint(da.from_array(y, chunks=(2, 3, 6, 7))).compute(), A.A_adjoint(y)
            )
            np.testing.assert_array_equal(operator.A_adjoint_A(lazy).compute(), A.A_adjoint_A(x))


def test_parameters_in_a_dask_array_are_loaded_on_the_workers(ctx, rng):
    A = Coils(da.from_array(MAPS, chunks=(2, 6, 7)))
    D = distribute(A, ctx)
    assert "parts" not in vars(A)  # which would have the maps of all
    x = rng.standard_normal((6, 7))
    np.testing.assert_array_equal(D(x), Coils(MAPS)(x))
    assert D.parts.holding.bytes_sent == 0


@pytest.mark.parametrize("chunk", [1, 2, 3, 5])
def test_several_at_a_time_too(ctx, rng, chunk):
    """The last part is shorter than the others; Dask's chunks need not be theirs."""
    A, D = Pairs(MAPS), distribute(Pairs(da.from_array(MAPS, chunks=(chunk, 6, 7))), ctx)
    assert D.counts == A.counts == (2, 2, 1)
    x = rng.standard_normal((3, 6, 7))
    y = A(x)
    np.testing.assert_array_equal(D(x), y)
    np.testing.assert_array_equal(D.A_adjoint(y), A.A_adjoint(y))
    np.testing.assert_array_equal((2 * D)(x), (2 * A)(x))
    np.testing.assert_array_equal(optim.cg(D, y, rtol=1e-4), optim.cg(A, y, rtol=1e-4))
    np.testing.assert_array_equal(D[2:](x), y[:, 2:])
    np.testing.assert_array_equal(D[4:](x), y[:, 4:])
    assert D.parts.holding.bytes_sent == 0
    with ctx.client.as_current():
        lazy = da.from_array(x, chunks=(2, 6, 7))
        np.testing.assert_array_equal(D.A_adjoint(D(lazy)).compute(), A.A_adjoint(y))
    with raises(ShapeError, "5 sensors", "(3, 4, 6, 7)"):
        D.A_adjoint(y[:, 1:])


def test_a_slice_of_what_is_distributed(threads):
    D = distribute(Coils(MAPS), threads)
    np.testing.assert_array_equal(D[1:3](np.ones((6, 7))), MAPS[1:3])
    np.testing.assert_array_equal(D[-1](np.ones((6, 7))), MAPS[-1])
    D = distribute(Pairs(MAPS), threads)
    np.testing.assert_array_equal(D[2:](np.ones((6, 7))), MAPS[2:])
    with raises(ParameterError, "sensors 0, 2, 4", "before it is distributed"):
        D[1:3]


def test_what_is_distributed_says_sensors_and_parts(threads):
    for A, said in (
        (Coils(MAPS), "5 sensors: Sensitivity("),
        (Coils(MAPS[:1]), "1 sensor: Sensitivity("),
        (Coils(da.from_array(MAPS, chunks=2)), "5 sensors like Sensitivity("),
        (Pairs(MAPS), "5 sensors in 3 parts: Sensitivity("),
        (Pairs(MAPS[:2]), "2 sensors in 1 part: Sensitivity("),
        (Pairs(da.from_array(MAPS, chunks=2)), "5 sensors in 3 parts like Sensitivity("),
    ):
        assert repr(distribute(A, threads)).startswith(f"DistributedJoined({said}")
    D = distribute(Pairs(MAPS), threads)  # of a product of distributed operators the parts are no stack
    assert repr(D @ (D.H @ D)).startswith("JoinedStack(5 sensors in parts of DistributedPhysics(3 sensors: ")
    assert repr(2 * Pairs(MAPS)).startswith("JoinedStack(5 sensors in 3 parts: 2 * Sensitivity(")


def test_what_sensors_share_travels_once(ctx):
    mask = Diagonal(np.random.default_rng(0).uniform(1, 2, (128, 128)))
    A = stack(*[Blur(gaussian_blur(s)) @ mask for s in (1.0, 1.5, 2.0, 2.5)])
    D = distribute(A, ctx)
    x = np.ones((128, 128), np.float32)
    np.testing.assert_array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
    assert D.holding.bytes_sent == A.nbytes
    blocks = [A[i : i + 1] for i in range(4)]
    shared = shared_by(blocks)
    assert len(shared) == 1
    rest, used = stripped(blocks[2], shared)
    assert len(cloudpickle.dumps(rest)) < mask.nbytes / 10
    assert fill_block(rest, used, shared) == blocks[2]


def test_what_is_shared_is_told_from_it_however_the_stack_is_cut(threads):
    """Two arrays that are shared by one cut and not by the other; both operators are there at once."""
    first, second = (Diagonal(np.random.default_rng(i).uniform(1, 2, (96, 96))) for i in range(2))
    A = stack(*[Blur(gaussian_blur(1.0 + 0.1 * i)) @ m for i, m in enumerate((first, first, second, second))])
    x = np.ones((96, 96))
    one, two = distribute(A, threads, chunks=[2, 1, 1]), distribute(A, threads, chunks=1)
    for D in (one, two):
        np.testing.assert_array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))


def test_what_failed_once_can_be_tried_again(processes, tmp_path):
    """Although the error, whose traceback knows the futures, is kept."""
    flag = tmp_path / "there"

    def factory(index):
        if not flag.exists():
            raise OSError("not there yet")
        return Blur(gaussian_blur(1.0 + index))

    def again(index, made=factory):
        return made(index) if index else Blur(gaussian_blur(1.0))  # the client makes sensor 0

    with pytest.raises(SensorError) as kept:
        distribute(again, processes, num_operators=3)
    flag.touch()
    D = distribute(again, processes, num_operators=3)
    assert len(D) == 3
    assert "not there yet" in str(kept.value)
