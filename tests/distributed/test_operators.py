"""What a distributed operator reports, refuses, and how it fails."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from dask.base import tokenize
from dask.sizeof import sizeof
from distributed import futures_of, wait

from daskphys import optim
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import (
    DaskphysError,
    DaskphysWarning,
    DeviceError,
    DtypeError,
    MissingDependencyError,
    ParameterError,
    SensorError,
    ShapeError,
)
from daskphys.markup import span
from daskphys.pairwise import Partial
from daskphys.physics import (
    Blur,
    LinearPhysics,
    Measurements,
    StackedPhysics,
    block_diagonal,
    gaussian_blur,
    stack,
    value,
)


@value
class Broken(LinearPhysics):
    """Works until it sees an image whose first entry is negative."""

    domain_ndim = 2

    def _forward(self, x: Any) -> Any:
        if float(x[(0,) * x.ndim]) < 0:
            raise RuntimeError("the shutter is stuck")
        return 1 * x

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return 1 * y


def test_a_worker_exception_names_sensor_and_operator(threads: DistributedContext, image: np.ndarray) -> None:
    good = Blur(np.ones((3, 3)))
    D = distribute(stack(good, good, Broken(), good), threads, chunks=2)
    D(image)
    for call in (D, D.A_adjoint_A):
        with pytest.raises(SensorError, match=r"sensor 2 \(Broken\(\)\).*RuntimeError: the shutter is stuck"):
            call(-image)
    D(image)


def test_a_failing_factory(threads: DistributedContext) -> None:
    def raising(index: int) -> Blur:
        return (
            Blur(np.ones((3, 3)) / ((index - 3 and 1) or 0.0))
            if index != 2
            else Blur(np.full((3, 3), np.nan))
        )

    with pytest.raises(ParameterError, match=r"sensor 2: .*NaN"):
        distribute(raising, threads, num_operators=3)

    def other(index: int) -> Any:
        return Blur(np.ones((3, 3))) if index < 4 else "a string"

    with pytest.raises(SensorError, match=r"sensor 4.*str"):
        distribute(other, threads, num_operators=6)


def test_bad_input(threads: DistributedContext, blurs: StackedPhysics, image: np.ndarray) -> None:
    D = distribute(blurs, threads)
    with pytest.raises(DtypeError, match=r"DistributedPhysics.*int64.*astype"):
        D((image * 255).astype(np.int64))
    with pytest.raises(ShapeError, match="kernel"):
        D(image[:, :4, :4])
    with pytest.raises(ShapeError, match=r"7 sensors.*got 3"):
        D.A_adjoint(D(image)[:3])
    with pytest.raises(ShapeError, match="sensor 1"):
        D.A_adjoint([a[..., : 48 - i] for i, a in enumerate(D(image))])
    with pytest.raises(ParameterError, match="'auto', 'tree'"):
        D.A_adjoint_A(image, method="merged")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="immutable"):
        D.bounds = ()
    with pytest.raises(DaskphysError, match="pickled"):
        pickle.dumps(D)


@pytest.mark.parametrize("chunks", [0, -1, 1.5, "many", (3, 3), (8,), (7, 0)])
def test_bad_chunks(threads: DistributedContext, blurs: StackedPhysics, chunks: Any) -> None:
    with pytest.raises(ParameterError, match="chunks"):
        distribute(blurs, threads, chunks=chunks)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (Blur(np.ones((3, 3))), r"stack\(A"),
        ([Blur(np.ones((3, 3))), 3], "at position 1"),
        ([], "at least one"),
        (42, "a stack, a list"),
        (lambda i: i, "num_operators"),
    ],
)
def test_what_cannot_be_distributed(threads: DistributedContext, what: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        distribute(what, threads)


def test_other_refusals(threads: DistributedContext, blurs: StackedPhysics) -> None:
    with pytest.raises(ParameterError, match="DistributedContext"):
        distribute(blurs, threads.client)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="replicas from 1 to 3"):
        distribute(blurs, threads, replicas=4)
    for n in (True, 0, 2.0):
        with pytest.raises(ParameterError, match=rf"expected num_operators, .*, got {n}$"):
            distribute(lambda i: Blur(np.ones((3, 3))), threads, num_operators=n)
    assert len(distribute(lambda i: blurs[i], threads, num_operators=np.int64(2))) == 2  # type: ignore[call-overload]
    for again in (blurs, block_diagonal(blurs[0]), blurs.H):
        with pytest.raises(ParameterError, match="not distributed yet"):
            distribute(distribute(again, threads), threads)
    with pytest.raises(ParameterError, match="7 operators"):
        distribute(blurs, threads, num_operators=6)
    with pytest.raises(ParameterError, match=r"num_operators.*got True"):
        distribute(lambda index: blurs[index], threads, num_operators=True)


def test_a_slice_without_sensors(threads: DistributedContext, blurs: StackedPhysics) -> None:
    for D in (distribute(blurs, threads), distribute(lambda i: blurs[i], threads, num_operators=7)):
        with pytest.raises(ParameterError, match="expected at least one"):
            D[2:2]


def test_a_list_is_a_stack(threads: DistributedContext, blurs: StackedPhysics, image: np.ndarray) -> None:
    D = distribute(blurs.physics_list, threads)
    assert distribute(blurs, threads) == D
    np.testing.assert_array_equal(D(image)[6], blurs(image)[6])


def test_large_operators_are_named(threads: DistributedContext, blurs: StackedPhysics) -> None:
    with (
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 kB"}),
        pytest.warns(DaskphysWarning, match="factory"),
    ):
        distribute(blurs, threads)


def test_placement_uses_every_worker(threads: DistributedContext, blurs: StackedPhysics) -> None:
    placement = distribute(blurs, threads).placement
    assert set(placement) == set(threads.workers())
    assert sorted(i for held in placement.values() for i in held) == list(range(7))
    # Neighbours stay together.
    assert all(held == list(range(held[0], held[-1] + 1)) for held in placement.values())
    # As many sensors as a worker has threads, however large their kernels are.
    uneven = stack(*[Blur(np.ones((n, n))) for n in (3, 3, 31)])
    assert [len(held) for held in distribute(uneven, threads).placement.values()] == [1, 1, 1]


def test_the_report(threads: DistributedContext, blurs: StackedPhysics, image: np.ndarray) -> None:
    D = distribute(blurs, threads)
    with pytest.raises(ParameterError, match="run nothing"):
        D.report()
    D(image)
    D(image)
    report = D.report()
    # One task a worker; the second call finds the spectra: a transform a task of the image, and one back a sensor.
    assert (report.method, report.tasks, report.transforms) == ("A", 3, 3 + 7)
    assert {e.worker: list(range(*e.block)) for e in report.blocks} == D.placement
    assert report.bytes_sent >= image.nbytes
    assert report.bytes_returned >= 7 * image.nbytes
    assert report.attempts == 1
    y = D(image)
    D.A_adjoint(y)
    report = D.report()
    # Sums are taken in the Fourier domain: N + 1 transforms.
    assert (report.method, report.tasks, report.transforms) == ("A_adjoint", 4, 8)
    assert all(span(held[0], held[-1] + 1) in str(report) for held in D.placement.values())
    assert "<table" in report._repr_html_()
    D.A_adjoint_A(image)
    D.A_adjoint_A(image)
    assert (D.report().tasks, D.report().transforms) == (0, 2)


def test_block_calls_share_a_transform(
    threads: DistributedContext, blurs: StackedPhysics, image: np.ndarray
) -> None:
    D = distribute(blurs, threads, chunks=7)
    D(image)
    D(image)
    assert D.report().transforms == 1 + 7


def test_appearance(threads: DistributedContext, blurs: StackedPhysics) -> None:
    D = distribute(blurs, threads)
    assert "\n" not in repr(D)
    html = D._repr_html_()
    assert html.count("data:image/png") == 7
    assert "worker" in html
    assert "dashboard" in threads._repr_html_()


def test_visualize(threads: DistributedContext, blurs: StackedPhysics, tmp_path: Path) -> None:
    pytest.importorskip("graphviz")
    import shutil

    D = distribute(blurs, threads)
    with pytest.raises(ParameterError, match="'A_adjoint'"):
        D.visualize("adjoint")
    target = tmp_path / "graph"
    if shutil.which("dot") is None:
        with pytest.raises(MissingDependencyError, match="dot"):
            D.visualize(filename=str(target))
        return
    for method in ("A", "A_adjoint", "A_adjoint_A", "normal"):
        D.visualize(method, filename=str(target), format="svg")
        text = (tmp_path / "graph.svg").read_text()
        assert text.count("<ellipse") + text.count("<polygon") > 7
        assert "sensors" in text or "sensor" in text


def test_visualize_without_graphviz(
    threads: DistributedContext, blurs: StackedPhysics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(MissingDependencyError, match=r"daskphys\[notebooks\]"):
        distribute(blurs, threads).visualize()


def test_sizes_and_tokens(blurs: StackedPhysics, image: np.ndarray) -> None:
    assert sizeof(blurs) >= blurs.nbytes
    assert sizeof([Partial(0, 1, image)]) >= image.nbytes
    assert sizeof(Measurements([image, image])) >= 2 * image.nbytes
    code = (
        "from daskphys.physics import Blur, gaussian_blur, stack; from dask.base import tokenize;"
        "print(tokenize(stack(*[Blur(gaussian_blur((0.5 + 0.3 * i, 1.0), angle=20 * i)) for i in range(7)])))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == tokenize(blurs)
    assert tokenize(blurs) != tokenize(blurs[:6])


def test_ragged_factories_are_refused(threads: DistributedContext, image: np.ndarray) -> None:
    D = distribute(lambda i: Blur(np.ones((3 + i, 3)), "valid"), threads, num_operators=3)
    for call in (D, D.A_adjoint_A):
        with pytest.raises(
            ShapeError, match=r"sensor [12] .*of sensor 0, \(3, 59, 46\); got \(3, 5[78], 46\)"
        ):
            call(image)
    y = Measurements(3 * [np.ones((3, 59, 46), np.float32)])
    for solve in (D.A_dagger, functools.partial(optim.cg, D), functools.partial(optim.lsmr, D)):
        with pytest.raises(
            ShapeError, match=r"sensor [12] .*of sensor 0, \(3, 59, 46\); got \(3, 5[78], 46\)"
        ):
            solve(y)
    with pytest.raises(ShapeError, match=r"sensors? 1.*got \(3, 58, 46\)|got \(3, 58, 46\) for sensor 1"):
        D.A_adjoint([image[:, : 59 - i, :46] for i in range(3)])


def test_slices_keep_replicas_and_build_nothing_here(threads: DistributedContext, image: np.ndarray) -> None:
    D = distribute(lambda i: Blur(np.ones((3, 3)) * (1 + i)), threads, num_operators=6, replicas=2)
    part = D[1:6:2]
    assert part.holding.replicas == 2
    assert part.holding.bytes_sent == 0
    np.testing.assert_array_equal(part(image)[1], D(image)[3])


def test_devices_and_distributed_operators_in_stacks(
    threads: DistributedContext, blurs: StackedPhysics
) -> None:
    D = distribute(blurs, threads)
    assert D.to("cpu") is D
    for wrong in ("cuda", "banana"):
        with pytest.raises(DeviceError):
            D.to(wrong)
    with pytest.raises(ParameterError, match="not distributed yet"):
        distribute([D], threads)
    for give in (lambda: stack(D, blurs[0]), lambda: blurs @ blurs):
        with pytest.raises((ParameterError, ShapeError), match="one"):
            give()


def test_a_closed_context_can_still_be_shown(blurs: StackedPhysics) -> None:
    with DistributedContext(n_workers=1) as ctx:
        D = distribute(blurs, ctx)
    assert "closed" in D._repr_html_()


REDEFINED = """
from daskphys import optim
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import LinearPhysics, stack, value
import numpy as np
x = np.ones((2, 2))
with DistributedContext(n_workers=1) as ctx:
    for factor in (1.0, 5.0):
        @value
        class Gain(LinearPhysics):
            def _forward(self, x, factor=factor):
                return factor * x
            def _adjoint(self, y, shape, factor=factor):
                return factor * y
        D = distribute(stack(Gain()), ctx)
        assert float(D(x)[0][0, 0]) == factor, D(x)
"""


def test_a_class_defined_again_is_another_class() -> None:
    """As in a notebook: its second definition must not run the first one's code."""
    subprocess.run([sys.executable, "-c", REDEFINED], check=True, timeout=60)


def test_tasks_of_lazy_results_run_where_their_sensors_are(processes):
    """Dask loses annotations when it fuses a graph, and would send all to the worker that has the image."""
    A = stack(*[Blur(gaussian_blur(1.0 + 0.1 * i), "reflect") for i in range(4)])
    D = distribute(A, processes, chunks=2)
    names = {info.address: name for name, info in processes.workers().items()}
    with processes.client.as_current():
        for seed in range(3):  # from the second on, the scheduler knows that tasks are short and copies long
            x = da.random.default_rng(seed).random((2048, 2048), dtype=np.float32, chunks=-1).persist()
            wait(x)
            placed = D.placement
            y = D(x).persist()
            wait(list(y))
            for i, one in enumerate(y):
                (holders,) = processes.client.who_has(futures_of(one)).values()
                assert {names[at] for at in holders} == {n for n, sensors in placed.items() if i in sensors}
            assert len(placed) == 2
            assert D.placement == placed
