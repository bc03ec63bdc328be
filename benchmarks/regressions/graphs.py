"""Task graphs, and calls on a cluster: how many tasks, how many bytes, how long."""

from __future__ import annotations

import cloudpickle
import dask
import dask.array as da

from benchmarks.timing import blurs, image
from daskphys.distributed import DistributedContext, distribute


class Graphs:
    """The graph of a product of N blurs with a lazy batch of eight images of 64×64, one a chunk."""

    params = (8, 128)
    param_names = ("sensors",)

    def setup(self, sensors: int) -> None:
        self.A = blurs(sensors)
        self.x = da.from_array(image(8, 64, 64), chunks=(1, 64, 64))
        self.y = self.A(self.x)

    def time_build_A(self, sensors: int) -> None:
        self.A(self.x)

    def track_tasks_A(self, sensors: int) -> int:
        return len(dict(self.y.__dask_graph__()))

    def track_tasks_A_adjoint(self, sensors: int) -> int:
        return len(dict(self.A.A_adjoint(self.y).__dask_graph__()))

    def track_tasks_A_adjoint_A(self, sensors: int) -> int:
        return len(dict(self.A.A_adjoint_A(self.x).__dask_graph__()))

    def track_bytes_A(self, sensors: int) -> int:
        """The optimised graph as it is sent, operators included."""
        (optimised,) = dask.optimize(self.y)
        return len(cloudpickle.dumps(dict(optimised.__dask_graph__())))


class Calls:
    """Calls on two workers that are threads, 767×512×3, three blurs."""

    def setup(self) -> None:
        self.ctx = DistributedContext(n_workers=2, processes=False)
        self.D, self.x = distribute(blurs(3), self.ctx), image(3, 767, 512)
        self.y = self.D(self.x)
        self.D.A_adjoint_A(self.x, method="tree")

    def teardown(self) -> None:
        self.ctx.close()

    def time_A(self) -> None:
        self.D(self.x)

    def time_A_adjoint(self) -> None:
        self.D.A_adjoint(self.y)

    def time_A_adjoint_A_by_the_tree(self) -> None:
        self.D.A_adjoint_A(self.x, method="tree")

    def track_tasks_A_adjoint_A_by_the_tree(self) -> int:
        self.D.A_adjoint_A(self.x, method="tree")
        return int(self.D.report().tasks)


class Import:
    """A fresh process that imports the package."""

    def timeraw_import(self) -> str:
        return "import daskphys"


for counted in (Graphs.track_tasks_A, Graphs.track_tasks_A_adjoint, Graphs.track_tasks_A_adjoint_A):
    counted.unit = "tasks"  # type: ignore[attr-defined]
Graphs.track_bytes_A.unit = "bytes"  # type: ignore[attr-defined]
Calls.track_tasks_A_adjoint_A_by_the_tree.unit = "tasks"  # type: ignore[attr-defined]
