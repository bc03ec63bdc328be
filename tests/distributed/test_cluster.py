"""Finding GPUs, falling back from them, and guarding scripts that start processes."""

from __future__ import annotations

import sys
import textwrap
import types

import pytest

from daskphys.distributed import DistributedContext, distribute
from daskphys.distributed import cluster as clusters
from daskphys.errors import DeviceError, FallbackWarning, MissingDependencyError
from daskphys.physics import StackedPhysics


def driver(count: int) -> types.ModuleType:
    """NVML's Python package on a machine with `count` GPUs."""
    module = types.ModuleType("pynvml")
    module.nvmlInit = lambda: None  # type: ignore[attr-defined]
    module.nvmlDeviceGetCount = lambda: count  # type: ignore[attr-defined]
    return module


def without_gpu() -> bool:
    return bool(clusters.probe_gpu())


needs_no_gpu = pytest.mark.skipif(not without_gpu(), reason="this machine has a GPU that works")


def test_no_driver_means_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert clusters.gpu_count() == 0
    monkeypatch.setitem(sys.modules, "pynvml", driver(2))
    assert clusters.gpu_count() == 2


@needs_no_gpu
def test_a_gpu_that_cannot_be_used_is_said_once_and_reported(
    monkeypatch: pytest.MonkeyPatch, blurs: StackedPhysics
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver(1))
    monkeypatch.setitem(sys.modules, "dask_cuda", None)
    with pytest.warns(FallbackWarning, match="NVML sees 1") as caught:
        ctx = DistributedContext(n_workers=1)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with ctx:
        assert ctx.device == "cpu"
        assert "dask-cuda" in ctx.fallbacks[0]
        assert "fallback" in ctx._repr_html_()
        D = distribute(blurs, ctx)
        D.compute_norm((61, 48))
        assert D.report().notes == tuple(ctx.fallbacks)


def test_cuda_asked_for_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """dask-cuda is there and no driver is: dask-cuda itself would end in an error of NVML."""
    installed = types.ModuleType("dask_cuda")
    installed.LocalCUDACluster = lambda **_: pytest.fail("a cluster was started")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dask_cuda", installed)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(DeviceError, match="NVML sees none on this machine: cluster='auto'"):
        DistributedContext(cluster="cuda")


def test_cuda_asked_for_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask_cuda", None)
    with pytest.raises(MissingDependencyError, match="cuda13"):
        DistributedContext(cluster="cuda")
    with pytest.raises(MissingDependencyError, match="cuda13"):
        DistributedContext(device="cuda", n_workers=1)


@needs_no_gpu
def test_workers_without_the_device_that_was_asked_for(threads: DistributedContext) -> None:
    with pytest.raises(DeviceError, match="device='cuda'"):
        DistributedContext(client=threads.client, device="cuda")
    assert threads.client.status == "running"
    with DistributedContext(client=threads.client) as ctx:
        assert ctx.device == "cpu"


@pytest.mark.parametrize(
    ("source", "line", "guarded"),
    [
        ("ctx()\n", 1, False),
        ('if __name__ == "__main__":\n    ctx()\n', 2, True),
        ('if "__main__" == __name__:\n    with a:\n        ctx()\n', 3, True),
        ('def main():\n    ctx()\n\nif __name__ == "__main__":\n    pass\nmain()\n', 6, False),
        ("if True:\n    ctx()\n", 2, False),
    ],
)
def test_reading_a_guard(source: str, line: int, guarded: bool) -> None:
    assert clusters._guarded(textwrap.dedent(source), line) is guarded
