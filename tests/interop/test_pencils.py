"""Fourier multipliers on chunks of the image's own axes: the numbers of NumPy, by pencils."""

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

from daskphys.distributed import distribute
from daskphys.errors import MemoryPlanError
from daskphys.interop import pencils
from daskphys.interop.pencils import Pencils
from daskphys.physics import Blur, FourierMultiplier, Measurements, gaussian_blur, stack
from daskphys.physics.spectra import transfer
from daskphys.physics.stencil import Stencil

RTOL = {"float32": 1e-6, "float64": 1e-12, "complex64": 1e-6, "complex128": 1e-12}

_rng = np.random.default_rng(3)


def kernel(*shape):
    """A kernel whose blur is well away from singular."""
    made = _rng.uniform(-1, 1, shape) / np.prod(shape[-2:])
    made[(..., *(n // 2 for n in shape[-2:]))] += 2.0
    return made


LARGE = {
    "blur": Blur(kernel(30, 24)),
    "stack": stack(Blur(kernel(30, 24)), Blur(kernel(25, 31)), Blur(kernel(3, 3))),
    "channels": stack(Blur(kernel(3, 33, 33)), Blur(kernel(21, 20))),
    "2A": 2 * Blur(kernel(30, 24)),
}


def image(dtype="float32", shape=(2, 3, 36, 35)):
    rng = np.random.default_rng(1)
    x = rng.normal(size=shape)
    return (x + 1j * rng.normal(size=shape) if dtype.startswith("c") else x).astype(dtype)


def lazy(x, side=9):
    return da.from_array(x, chunks=(1, 3, side, side))


@pytest.fixture(autouse=True)
def many_pencils(monkeypatch):
    monkeypatch.setattr(pencils, "PENCIL_BYTES", 1 << 11)


def check(result, eager, scheduler="threads", chunks=None):
    many = isinstance(eager, Measurements)
    assert isinstance(result, Measurements) == many
    for a, e in zip(list(result) if many else [result], list(eager) if many else [eager], strict=True):
        a.dask.validate()
        assert (a.shape, a.dtype) == (e.shape, e.dtype)
        assert (type(a._meta), a._meta.dtype) == (np.ndarray, e.dtype)
        assert chunks is None or a.chunks == chunks
        computed = a.compute(scheduler=scheduler)
        assert computed.dtype == e.dtype
        assert np.linalg.norm(computed - e) <= RTOL[e.dtype.name] * np.linalg.norm(e)


@pytest.mark.parametrize("dtype", list(RTOL))
@pytest.mark.parametrize("name", LARGE)
def test_large_kernels(name, dtype, never_computes):
    A, x = LARGE[name], image(dtype)
    X = lazy(x)
    y = A(x)
    with never_computes():
        Y = A(X)
        results = [Y, A.A_adjoint(Y), A.A_adjoint_A(X), A.A_dagger(Y), A.A_dagger(Y, rtol=0.5)]
    eager = [y, A.A_adjoint(y), A.A_adjoint_A(x), A.A_dagger(y), A.A_dagger(y, rtol=0.5)]
    for result, expected in zip(results, eager, strict=True):
        check(result, expected, chunks=X.chunks)


@pytest.mark.parametrize("dtype", list(RTOL))
def test_inverses_of_compact_operators(dtype):
    A = stack(Blur(gaussian_blur(0.4)), Blur(kernel(3, 4)))
    x = image(dtype)
    X, N = lazy(x), A.normal(x.shape)
    for multiplier in (N, N.inv(0.1), N.pinv(0.3), N.inv(0.1).H):
        check(multiplier(X), multiplier(x), chunks=X.chunks)
    check(N.A_adjoint_A(X), N.A_adjoint_A(x))
    check(A.A_dagger(A(X)), A.A_dagger(A(x)), chunks=X.chunks)


def test_a_multiplier_that_is_not_self_adjoint():
    x = image("complex64")
    shift = np.exp(-2j * np.pi * np.arange(18) * 3 / 35) * np.ones((3, 36, 18))
    M = FourierMultiplier(shift, (36, 35))
    check(M(lazy(x)), np.roll(x, 3, axis=-1))
    check(M.H(lazy(x)), np.roll(x, -3, axis=-1))
    check((2 * M)(lazy(x)), 2 * np.roll(x, 3, axis=-1))


def test_small_singular_values_are_cut_as_in_memory():
    """Two kernels with a zero in common: what is left of it by rounding must not be inverted."""
    A = stack(Blur([[1.0, -1.0]]), Blur([[0.0, 0.5, -0.5]]))  # the constant image is lost
    for dtype in ("float32", "float64"):
        x = image(dtype)
        result, expected = A.A_dagger(A(lazy(x))).compute(), A.A_dagger(A(x))
        assert np.linalg.norm(result - expected) <= 30 * RTOL[dtype] * np.linalg.norm(expected)
        assert abs(result.mean(-1)).max() < 1e-4


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_volumes(dtype):
    A = stack(*(Blur(_rng.normal(size=s), ndim=3) for s in ((9, 10, 8), (3, 3, 3))))
    x = image(dtype, (2, 12, 11, 14))
    X = da.from_array(x, chunks=(2, 5, 4, 6))
    check(A(X), A(x), chunks=X.chunks)
    check(A.A_adjoint(A(X)), A.A_adjoint(A(x)))
    check(A.A_adjoint_A(X), A.A_adjoint_A(x))
    N = A.normal(x.shape).inv(1.0)
    check(N(X), N(x))


def test_one_axis():
    A, x = Blur(_rng.normal(size=17), ndim=1), image(shape=(4, 30))
    X = da.from_array(x, chunks=(2, 10))
    check(A(X), A(x), chunks=X.chunks)
    check(A.A_adjoint_A(X), A.A_adjoint_A(x))


@pytest.mark.parametrize(
    ("size", "sizes"), [((3, 4), (12, 10)), ((15, 9), (8, 9)), ((40, 2), (7, 6)), ((70, 3), (90, 8))]
)
def test_transfer_functions(size, sizes):
    k = _rng.normal(size=size)
    placed = np.zeros([n * -(-s // n) for s, n in zip(size, sizes, strict=True)])
    placed[tuple(slice(n) for n in size)] = k
    folded = placed.reshape(-1, sizes[0], placed.shape[1] // sizes[1], sizes[1]).sum((0, 2))
    rolled = np.roll(folded, [-(n // 2) for n in size], (0, 1))
    part = transfer(Stencil(k, "circular", 2), sizes, ((1, 4),))
    np.testing.assert_allclose(part, np.fft.rfft2(rolled)[:, 1:4], atol=1e-12)


def test_a_mixture_of_kernels_tiles_where_it_can(never_computes):
    """Products and sums are taken apart into what has tiles and what has pencils."""
    A = stack(Blur(kernel(30, 24)), Blur(kernel(5, 5), "valid")) @ Blur(kernel(3, 3), "reflect")
    B = LARGE["blur"] + Blur(kernel(4, 4), "replicate")
    x = image()
    check(A(lazy(x)), A(x))
    check(A.A_adjoint(A(lazy(x))), A.A_adjoint(A(x)))
    check(B.A_adjoint_A(lazy(x)), B.A_adjoint_A(x))


def test_weighted_sums_of_large_kernels():
    A = stack(LARGE["blur"] + Blur(kernel(3, 3)), LARGE["blur"] + LARGE["blur"], Blur(kernel(3, 3)))
    x = image()
    N = A.normal(x.shape, weights=[0.5, 0.0, 3.0])
    check(N(lazy(x)), N(x))


def test_a_store_is_read_in_pencils(tmp_path):
    x = image()
    np.save(tmp_path / "x.npy", x)
    X = da.from_array(np.load(tmp_path / "x.npy", mmap_mode="r"), chunks=(1, 3, 9, 9))
    result = LARGE["blur"](X)
    assert X.name not in result.dask.layers
    check(result, LARGE["blur"](x), chunks=X.chunks)


def test_pencils_hold_no_more_than_they_may(monkeypatch):
    monkeypatch.setattr(pencils, "PENCIL_BYTES", 1 << 25)
    cut = Pencils(LARGE["blur"], da.zeros((16384, 16384), chunks=1024, dtype="float32"), 2)
    assert max(cut.rows) * 8193 * 8 <= 1 << 25
    assert max(cut.bands[0]) * 16384 * 8 <= 1 << 25
    assert (sum(cut.rows), sum(cut.bands[0])) == (16384, 8193)
    assert len(cut.rows) <= 140  # and not many more than needed
    volume = Pencils(LARGE["blur"], da.zeros((1024, 512, 512), chunks=128, dtype="float32"), 3)
    assert 1024 * max(volume.bands[0]) * max(volume.bands[1]) * 8 <= 1 << 25


def test_on_workers(threads, never_computes):
    A, x = LARGE["stack"], image()
    x = x[:1]
    D, X = distribute(A, threads), lazy(x, 18)
    y = A(x)
    with never_computes(threads):
        results = [D(X), D.A_adjoint(D(X)), D.A_adjoint_A(X), D.A_dagger(D(X))]
    for result, eager in zip(results, [y, A.A_adjoint(y), A.A_adjoint_A(x), A.A_dagger(y)], strict=True):
        check(result, eager, None)


@pytest.mark.slow
def test_peer_to_peer(processes):
    A, x = LARGE["stack"], image()[:1]
    X = lazy(x, 18)
    with dask.config.set({"array.rechunk.method": "p2p"}):  # as Dask itself chooses for many chunks
        result = A.A_dagger(A(X))
    assert any("p2p" in name for name in result.dask.layers)
    check(result, A.A_dagger(A(x)), None)


@pytest.mark.parametrize("limit", ["600 MiB", "8 GiB"])
def test_a_rechunk_that_cannot_fit_is_refused(limit):
    """Before anything runs: with P2P's own buffer, 16384² takes a worker of 600 MiB with it."""
    X = da.zeros((16384, 16384), chunks=1024, dtype="float32")
    A = Blur(kernel(3, 3))
    with (
        LocalCluster(n_workers=2, processes=False, memory_limit=limit, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        if limit == "8 GiB":
            assert A.A_dagger(X).shape == X.shape
            return
        with pytest.raises(
            MemoryPlanError, match=r"Blur.*needs .*iB.* available.*comm.buffer.*workers.*tiles"
        ) as e:
            A.A_dagger(X)
        assert e.value.needed > e.value.available
        assert client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) == 0


def counted(monkeypatch, client):
    """The names of what is asked of a client's cluster from here on."""
    calls = []
    for name in ("scheduler_info", "run"):
        original = getattr(client, name)

        def spy(*args, _name=name, _original=original, **kwargs):
            calls.append(_name)
            return _original(*args, **kwargs)

        monkeypatch.setattr(client, name, spy)
    return calls


def test_a_product_asks_the_scheduler_once_and_workers_only_the_first_time(monkeypatch):
    """Also where it is taken apart into sensors, which each have a rechunk of their own."""
    A, X = stack(LARGE["blur"], LARGE["2A"], LARGE["blur"].normal((36, 35))), lazy(image())
    with (
        LocalCluster(n_workers=1, processes=False, memory_limit="8 GiB", dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        calls = counted(monkeypatch, client)
        A(X)
        assert sorted(calls) == ["run", "scheduler_info"]
        A(X)
        assert sorted(calls) == ["run", "scheduler_info", "scheduler_info"]


def test_a_distributed_operator_asks_its_own_client(monkeypatch, threads):
    D, X = distribute(LARGE["stack"], threads), lazy(image())
    own = counted(monkeypatch, threads.client)
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as other,  # the default client now
    ):
        theirs = counted(monkeypatch, other)
        own.clear()
        D(X)
    assert "scheduler_info" in own
    assert theirs == []
