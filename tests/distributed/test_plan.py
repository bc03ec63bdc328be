"""Plans against what really happens: tasks, bytes, transforms, peaks of real worker processes, and refusals."""

from __future__ import annotations

import gc
import os
import time

import dask.array as da
import numpy as np
import pytest
from distributed import LocalCluster

from daskphys import optim
from daskphys.distributed import DistributedContext, distribute, memory
from daskphys.distributed.cluster import WorkerInfo
from daskphys.distributed.memory import Peak, held_now, room
from daskphys.distributed.pricing import price
from daskphys.errors import (
    DtypeError,
    MemoryPlanError,
    NotClosedFormError,
    ParameterError,
    UnknownKeywordError,
)
from daskphys.physics import Blur, Diagonal, Identity, gaussian_blur, stack
from tests.cases import raises
from tests.operators import NonUniformFourier, points

M = 1 << 20
TREE, WORKERS = "A_adjoint_A by the tree", "A_adjoint_A on the workers"


def blurs_of(n, padding="circular"):
    return stack(*[Blur(gaussian_blur(1.0 + 0.1 * i), padding) for i in range(n)])


def run(D, method, x, y=None):
    if method == "A":
        return D(x)
    if method == "A_adjoint":
        return D.A_adjoint(y)
    return D.A_adjoint_A(x, method="tree" if method == TREE else "workers")


def task_keys(dask_scheduler=None):
    return [str(key) for key in dask_scheduler.tasks]


# -- what is planned is what is done ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["A", "A_adjoint", TREE])
@pytest.mark.parametrize("which", ["blurs", "mixed"])
def test_a_plan_has_the_tasks_transforms_and_bytes_of_the_call(processes, image, method, which, request):
    A = request.getfixturevalue(which)
    D, y = distribute(A, processes), A(image)
    plan = D.plan(y if method == "A_adjoint" else image, method, calibrate=False)
    run(D, method, image, y)
    run(D, method, image, y)  # spectra are there
    report = D.report()
    assert (plan.tasks, plan.transforms) == (report.tasks, report.transforms)
    assert (plan.sent, plan.returned) == (report.bytes_sent, report.bytes_returned)
    assert (
        abs(plan.between - report.bytes_between) <= 0.02 * report.bytes_between + 5000
    )  # Dask adds 1 kB a thing
    placed = {w.name: [i for start, stop in w.sensors for i in range(start, stop)] for w in plan.workers}
    assert placed == D.placement


UNLIKE = stack(
    Diagonal(np.linspace(0, 1, 61 * 48).reshape(61, 48)),
    *[Blur(gaussian_blur(1.0 + i)) for i in range(3)],
    Identity(0.5),
    Diagonal(np.linspace(1, 2, 48)),
)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("method", ["A_adjoint_A", WORKERS])
def test_a_plan_of_unlike_kinds_is_that_of_the_call(processes, image, method, chunked):
    """Sensor 0 is a mask, which needs no FFT; the merged operator has one of each kind and needs two."""
    D, how = distribute(UNLIKE, processes), "workers" if method == WORKERS else "auto"
    if chunked:
        plan = D.plan(da.from_array(image, chunks=(1, -1, -1)), method, calibrate=False)
        assert plan.transforms == 2 * 3
        return
    D.A_adjoint_A(image, method=how)
    plan = D.plan(image, method, calibrate=False)
    D.A_adjoint_A(image, method=how)
    report = D.report()
    assert (plan.tasks, plan.transforms) == (report.tasks, report.transforms)
    assert plan.transforms == (4 if how == "workers" else 2)
    assert (plan.sent, plan.returned) == (report.bytes_sent, report.bytes_returned)


def test_the_setup_of_unlike_kinds_moves_what_is_planned(processes, image):
    D = distribute(UNLIKE, processes)
    plan = D.plan(image.shape[1:], "normal", calibrate=False)
    D.normal(image.shape)
    report = D.report()
    assert plan.tasks == report.tasks
    assert abs(plan.between - report.bytes_between) <= 0.02 * report.bytes_between + 10_000
    assert abs(plan.returned - report.bytes_returned) <= 0.02 * report.bytes_returned + 10_000


def test_a_complex_result_of_a_merged_product_is_planned_and_reported(processes):
    rng = np.random.default_rng(0)
    D = distribute(stack(*[NonUniformFourier(points(40, 2, seed=i), (16, 17)) for i in range(3)]), processes)
    assert D.normal_kind.makes_complex
    x = rng.random((2, 16, 17), dtype=np.float32)
    D.A_adjoint_A(x, method="workers")
    plan = D.plan(x, WORKERS, calibrate=False)
    result = D.A_adjoint_A(x, method="workers")
    report = D.report()
    assert (
        (report.bytes_sent, report.bytes_returned) == (x.nbytes, result.nbytes) == (plan.sent, plan.returned)
    )
    assert result.nbytes == 2 * x.nbytes
    assert plan.transforms == report.transforms
    assert D.plan(x, TREE, calibrate=False).returned == result.nbytes


def test_a_plan_of_a_call_that_raises_raises(processes, image, mixed, blurs):
    D = distribute(mixed, processes)
    for method in (WORKERS, "normal"):
        with pytest.raises(NotClosedFormError):
            D.plan(image, method, calibrate=False)
    B = distribute(blurs, processes)
    for given in (np.ones((3, 61, 48), int), da.ones((3, 61, 48), chunks=-1, dtype="int64")):
        with pytest.raises(DtypeError, match="int64"):
            B.plan(given, calibrate=False)
    with pytest.raises(DtypeError, match="int64"):
        B.plan([np.ones((61, 48), int)] * 7, "A_adjoint", calibrate=False)
    with raises(UnknownKeywordError, "rtoll", "rtol"):
        B.A_dagger(B(image), rtoll=0.1)


def test_planning_submits_nothing_and_computes_nothing(processes, image, blurs):
    D = distribute(blurs, processes)
    before = set(processes.client.run_on_scheduler(task_keys))
    for method in ("A", "A_adjoint", "A_adjoint_A", TREE, WORKERS, "normal"):
        D.plan(image.shape, method, calibrate=False)
    assert set(processes.client.run_on_scheduler(task_keys)) == before
    with pytest.raises(ParameterError):
        D.report()  # it has run nothing


def test_an_estimate_calibrates_once_and_says_that_it_is_one(processes, image, blurs):
    D = distribute(blurs, processes)
    plan = D.plan(image)
    assert plan.seconds > 0
    assert "an estimate" in str(plan)
    assert processes.rates() is processes.rates()
    assert D.plan(image, calibrate=False).seconds is None


def test_a_plan_of_the_merged_operator_touches_no_worker(processes, image, blurs):
    plan = distribute(blurs, processes).plan(image, "A_adjoint_A", calibrate=False)
    assert (plan.tasks, plan.transforms, plan.where) == (0, 2, "merged, beside the image")
    assert any("made once" in note for note in plan.notes)


@pytest.mark.parametrize("method", ["A", "A_adjoint", TREE])
def test_a_plan_of_a_lazy_call_has_the_tasks_of_its_graph(processes, blurs, method):
    D = distribute(blurs, processes)
    x = da.zeros((5, 3, 61, 48), chunks=(2, 3, -1, -1), dtype="float32")
    plan = D.plan(x, method, calibrate=False)
    made = run(D, method, x, D(x))
    keys = set()
    for array in made if method == "A" else [made]:
        keys |= {str(k) for k in array.__dask_graph__().to_dict()}
    own = [k for k in keys if any(k.startswith(f"('{p}") for p in _PREFIXES[method])]
    assert plan.chunks == 3
    assert plan.tasks == len(own)
    assert plan.sent == 0


_PREFIXES = {"A": ("forward-", "sensor-"), "A_adjoint": ("adjoint-",), TREE: ("gram-",)}


def test_a_plan_is_a_table_html_and_a_dict(threads, image, blurs):
    plan = distribute(blurs, threads).plan(image, "A_adjoint", calibrate=False)
    found = dict(plan)
    assert found == plan.to_dict()
    assert found["tasks"] == plan.tasks
    assert found["workers"][0]["memory"]["total"] == plan.workers[0].memory.total
    assert found["fits"] is True
    text, page = str(plan), plan._repr_html_()
    for word in ("A_adjoint", "sensors", "peak", "may have"):
        assert word in text
        assert word in page
    assert "currentColor" in page  # the theme's own
    assert "share its memory" in text


def test_a_plan_of_processes_gives_each_its_own_memory(processes, image, blurs):
    plan = distribute(blurs, processes).plan(image, "A_adjoint", calibrate=False)
    assert not any("share" in note for note in plan.notes)


def test_a_plan_of_measurements_that_xarray_joined_is_that_of_the_list(threads, image, blurs):
    xr = pytest.importorskip("xarray")
    pytest.importorskip("daskphys.interop.xarray")
    D = distribute(blurs, threads)
    y = xr.DataArray(image, dims=("band", "y", "x")).phys.forward(blurs)
    tree = xr.DataTree.from_dict(
        {f"sensor_{i}": own.to_dataset(name="y") for i, own in enumerate(y.drop_vars("sensor"))}
    )
    expected = D.plan(blurs(image), "A_adjoint", calibrate=False)
    for joined in (y, tree):
        plan = D.plan(joined, "A_adjoint", calibrate=False)
        assert (plan.shape, plan.tasks, plan.sent) == (expected.shape, expected.tasks, expected.sent)


def test_a_plan_refuses_bad_input(threads, image, blurs):
    D = distribute(blurs, threads)
    with raises(ParameterError, "A_adjont", "A_adjoint"):
        D.plan(image, "A_adjont")
    with raises(ParameterError, "float16"):
        D.plan((8, 8), dtype="float16")


# -- peaks ----------------------------------------------------------------------------------------------------------


def reset_peak():
    """Let the process's peak begin anew; False where the system does not permit it."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        return False
    return True


def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


CASES = [
    ((3, 767, 512), 3, "A_adjoint"),
    ((3, 512, 512), 8, TREE),
    ((3, 512, 512), 32, "A"),
    ((3, 512, 512), 32, "A_adjoint"),
    ((2048, 2048), 8, "A"),
    ((2048, 2048), 8, TREE),
]


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="needs Linux's /proc")
@pytest.mark.parametrize(("shape", "n", "method"), CASES)
def test_the_measured_peak_is_within_a_quarter_of_the_plan(shape, n, method):
    A, x = blurs_of(n), np.ones(shape, np.float32)
    y = A(x) if method == "A_adjoint" else None
    with DistributedContext(n_workers=2, processes=True) as ctx:  # fresh ones: nobody else's pages are about
        D = distribute(A, ctx)
        plan = D.plan(x, method, calibrate=False)
        if not all(ctx.client.run(reset_peak).values()):
            pytest.skip("the system does not permit to reset a peak")
        run(D, method, x, y)
        names = {info.address: name for name, info in ctx.workers().items()}
        found = {names[address]: n for address, n in ctx.client.run(peak).items()}
    for worker in plan.workers:
        ratio = found[worker.name] / worker.memory.total
        assert 1 / 1.25 <= ratio <= 1.25, worker


def test_what_a_worker_has_is_asked_without_what_is_derived(processes, blurs, image):
    D = distribute(blurs, processes)
    before = processes.client.run(held_now, D.recipe.token)
    D(image)
    after = processes.client.run(held_now, D.recipe.token)
    for address, held in after.items():
        assert held.base > 50 * M  # an interpreter with NumPy and Dask
        assert held.derived == before[address].derived  # its own spectra are not other people's
        assert abs(held.base - before[address].base) < 20 * M


# -- refusals -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    """Two workers of 450 MB."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, memory_limit="450MB",
                     dashboard_address=":0", silence_logs=50) as cluster,
        DistributedContext(cluster=cluster) as ctx,
    ):  # fmt: skip
        yield ctx
    gc.collect()


def test_a_call_that_cannot_fit_is_refused_before_anything_is_submitted(small):
    A, x = blurs_of(16), np.ones((2048, 2048), np.float32)
    D = distribute(A, small)
    before = set(small.client.run_on_scheduler(task_keys))
    plan = D.plan(x, "A", calibrate=False)
    assert not plan.fits
    with pytest.raises(MemoryPlanError) as refused:
        D(x)
    assert refused.value.needed > refused.value.available == int(0.7 * 450e6)
    for part in ("MiB on the worker", "available", "more chunks", "more workers", "tiles"):
        assert part in str(refused.value)
    assert set(small.client.run_on_scheduler(task_keys)) == before
    for call in (
        plan.check,
        lambda: D.A_adjoint_A(x, method="tree"),
        lambda: D.A_adjoint(list(x[None].repeat(16, 0))),
        lambda: optim.lsmr(D, list(x[None].repeat(16, 0))),
    ):
        with pytest.raises(MemoryPlanError):
            call()


def test_a_lazy_call_whose_chunk_cannot_fit_is_refused(small):
    D = distribute(blurs_of(3, "valid"), small)
    x = da.zeros((1, 8000, 8000), chunks=-1, dtype="float32")
    for call in (D, D.A_adjoint_A):
        with raises(MemoryPlanError, "(1, 8000, 8000)", "more chunks"):
            call(x)
    D(da.zeros((16, 64, 64), chunks=(1, 64, 64), dtype="float32"))


def test_a_call_just_under_the_limit_runs_through(small):
    A, x = blurs_of(4), np.ones((2048, 1900), np.float32)
    D = distribute(A, small)
    plan = D.plan(x, "A_adjoint_A by the tree", calibrate=False)
    fullest = max(plan.workers, key=lambda w: w.memory.total).memory
    assert 0.75 * fullest.room < fullest.total <= fullest.room
    D.A_adjoint_A(x, method="tree")
    assert D.report().attempts == 1


def test_operators_that_cannot_fit_are_refused_before_anything_is_submitted(small):
    kernel = np.zeros((2100, 2048))
    kernel[0, 0] = 1.0
    A = stack(*[Blur(kernel + i) for i in range(20)])  # 33 MiB each, in double precision
    before = settled(small)
    with pytest.raises(MemoryPlanError, match=r"distribute.*Nothing was submitted") as refused:
        distribute(A, small)
    assert refused.value.needed == A.nbytes > refused.value.available == 2 * int(0.7 * 450e6)
    with pytest.raises(MemoryPlanError, match="the largest block"):
        distribute(A[:18], small, chunks=18)
    assert set(small.client.run_on_scheduler(task_keys)) == before


def settled(ctx):
    """The scheduler's tasks, once those of operators that earlier tests left are gone."""
    gc.collect()
    found, known = None, set(ctx.client.run_on_scheduler(task_keys))
    while found != known:
        time.sleep(0.2)
        found, known = known, set(ctx.client.run_on_scheduler(task_keys))
    return known


def test_a_worker_without_a_limit_refuses_nothing():
    assert room(WorkerInfo("tcp://h:1", 1, 0)) == 0
    assert Peak(1 << 60, 0, 0, 0).fits
    assert not Peak(10, 20, 30, 59).fits


def test_a_small_call_is_priced_once(threads, image, blurs, monkeypatch):
    D = distribute(blurs, threads)
    D(image)
    priced = []
    monkeypatch.setattr(memory, "price", lambda *what: priced.append(what) or price(*what))
    for _ in range(3):
        D(image)
    assert not priced
    D(image[:, :-1])
    assert len(priced) == 1


def ballast(mebibytes, dask_worker=None):
    dask_worker.ballast = np.ones(mebibytes << 20, np.uint8) if mebibytes else None


def told(ctx, address, reached):
    """Wait until the worker's last heartbeat says what `reached` wants."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if reached({w.address: w.used for w in ctx.workers().values()}[address] / M):
            return
        time.sleep(0.1)
    raise AssertionError("no such heartbeat")


def test_what_a_worker_holds_is_looked_at_anew(small):
    """A call that fitted is refused while another holds the memory, and runs again when it is free."""
    D, x = distribute(blurs_of(2), small), np.ones((1500, 1500), np.float32)
    small.client.run(ballast, 0)
    D(x)
    address = D.holding.blocks().homes[0]
    before = D.plan(x, calibrate=False)
    mine = max(w.memory.base for w in before.workers)
    size = (before.workers[0].memory.room - mine) // M - 20
    small.client.run(ballast, size, workers=[address])
    try:
        told(small, address, lambda used: used > mine / M + size - 20)
        with pytest.raises(MemoryPlanError):
            D(x)
        now = D.plan(x, calibrate=False)
        assert before.fits
        assert not now.fits
        assert max(w.memory.base for w in now.workers) > mine + (size - 20) * M
    finally:
        small.client.run(ballast, 0, workers=[address])
    D(x)  # whether or not the allocator has given the pages back: what it has free does not count


def test_the_vectors_of_a_solver_are_priced(small):
    """Lanczos holds 36 images in double precision, which AᴴA alone does not need."""
    D = distribute(stack(*[Blur(gaussian_blur(1.0 + i), padding="valid") for i in range(2)]), small)
    assert D.plan((1000, 1000), TREE, dtype="float64", calibrate=False).fits
    with pytest.raises(MemoryPlanError, match="Lanczos"):
        D.compute_norm((1000, 1000))


# -- where a merged product runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 3, 61, 48), (2, 61, 48), (61, 48)])
def test_a_merged_product_on_the_workers_has_the_bits_of_the_client(processes, blurs, shape):
    D, x = distribute(blurs, processes), np.random.default_rng(1).random(shape, dtype=np.float32)
    there = D.A_adjoint_A(x, method="workers")
    report, plan = D.report(), D.plan(x, WORKERS, calibrate=False)
    pieces = min(max(shape[:-2], default=1), 2)
    assert f"{pieces} pieces" in report.method if pieces > 1 else "on a worker" in report.method
    assert (report.tasks, report.transforms) == (pieces, 2 * pieces) == (plan.tasks, plan.transforms)
    assert (plan.sent, plan.returned) == (report.bytes_sent, report.bytes_returned)
    assert np.array_equal(there, D.A_adjoint_A(x, method="client"))
    assert np.array_equal(there, D.A_adjoint_A(x))
    assert "merged" in D.report().method


def test_local_workers_are_not_sent_a_batch_by_themselves(processes, blurs):
    D = distribute(blurs, processes)
    D.A_adjoint_A(np.ones((8, 61, 48), np.float32))
    assert D.report().tasks == 0


def test_what_does_not_merge_cannot_run_merged(processes, mixed, image):
    D = distribute(mixed, processes)
    for method in ("client", "workers"):
        with pytest.raises(NotClosedFormError):
            D.A_adjoint_A(image, method=method)


# -- chunks of the image's own axes ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["A", "A_adjoint", "A_adjoint_A", TREE])
@pytest.mark.parametrize("which", ["blurs", "mixed"])
def test_a_plan_on_tiles_has_the_tasks_of_its_graph(processes, method, which, request):
    A = request.getfixturevalue(which)
    D = distribute(A, processes)
    x = da.random.default_rng(0).random((2, 128, 96), chunks=(1, 32, 48)).astype("float32")
    asked = D(x) if method == "A_adjoint" else x
    plan = D.plan(asked, method, calibrate=False)
    made = (
        D.A(x)
        if method == "A"
        else D.A_adjoint(asked)
        if method == "A_adjoint"
        else D.A_adjoint_A(x, method="tree" if method == TREE else "auto")
    )
    before = len(asked.__dask_graph__().to_dict())
    assert plan.where == "on tiles"
    assert plan.tasks == len(made.__dask_graph__().to_dict()) - before
    assert plan.tasks == sum(w.tasks for w in plan.workers)
    assert plan.chunks == 2 * 4 * 2
    assert plan.sent == 0
    assert plan.returned == made.nbytes


def test_chunks_that_are_merged_are_noted(processes, blurs):
    x = da.zeros((128, 96), chunks=(4, 96), dtype="float32")
    D = distribute(blurs, processes)
    (note,) = [n for n in D.plan(x, "A", calibrate=False).notes if "merged into" in n]
    assert "32 chunks of 4 to 4" in note
    assert "samples of its neighbours" in note


def test_a_plan_of_pencils_knows_their_rechunk(processes):
    wide = np.random.default_rng(0).random((65, 65))
    D = distribute(stack(Blur(wide), Blur(wide[::-1])), processes)
    x = da.zeros((128, 128), chunks=(32, 128), dtype="float32")
    plan = D.plan(x, "A_adjoint_A", calibrate=False)
    assert "pencils" in plan.where
    assert plan.transforms == 2
    assert plan.tasks == len(D.A_adjoint_A(x).__dask_graph__().to_dict()) - len(x.__dask_graph__().to_dict())
    # Each of the two transforms moves the other worker's half of half a spectrum.
    assert plan.between == 2 * (128 * 65 * 8 // 2)


def test_what_cannot_be_planned_in_chunks_says_so(processes, mixed):
    x = da.zeros((128, 128), chunks=(32, 128), dtype="float32")
    mask = stack(Identity(), Diagonal(np.ones((1, 128))))
    with raises(ParameterError, "expected a product", "'normal'"):
        distribute(mask, processes).plan(x, "normal", calibrate=False)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["A", "A_adjoint_A"])
def test_the_plan_on_tiles_bounds_the_measured_peak(method):
    """Of an image whose chunks take no memory, and results that are not kept, on fresh worker processes."""
    with DistributedContext(n_workers=2, processes=True) as ctx:
        D = distribute(blurs_of(2), ctx)
        x = da.zeros((16384, 8192), chunks=4096, dtype="float32")
        plan = D.plan(x, method, calibrate=False)
        made = D(x)[0] if method == "A" else D.A_adjoint_A(x)
        made.map_blocks(smallest, dtype="float32", chunks=(1, 1)).compute()
        peaks = ctx.client.run(peak)
    planned = max(w.memory.total for w in plan.workers)
    assert 0.6 < max(peaks.values()) / planned < 1.05


def smallest(block):
    return block.min(keepdims=True)
