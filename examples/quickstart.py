"""The shortest whole example: three blurs of a photograph on Dask workers.

Run it with ``python examples/quickstart.py``.  It starts workers as threads, which need no
``if __name__ == "__main__":`` guard.
"""

import numpy as np

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, stack
from daskphys.physics.blur import gaussian_blur

with DistributedContext(seed=42) as ctx:  # a LocalCluster unless a cluster is given
    print(f"{ctx.world_size} workers on {ctx.device}, dashboard at {ctx.dashboard_link}")
    x = load_example("grace_hopper", img_size=512)  # (1, 3, H, W) float32 in [0, 1]
    A = stack(*[Blur(filter=k, padding="circular") for k in (
        gaussian_blur(sigma=1.0), gaussian_blur(sigma=2.5), gaussian_blur(sigma=(1.5, 3.5), angle=30))])  # fmt: skip
    D = distribute(A, ctx)
    y = D(x)  # Measurements: 3 arrays, one per sensor
    print(f"x is {x.shape} {x.dtype}, y is {y!r}")
    back, twice = D.A_adjoint(y), D.A_adjoint_A(x)  # each equals the plain A's result bit for bit
    print("A equal:  ", all(np.array_equal(a, b) for a, b in zip(y, A(x), strict=True)))
    print("Aᵀ equal: ", np.array_equal(back, A.A_adjoint(y)))
    print("AᵀA equal:", np.array_equal(twice, A.A_adjoint_A(x)))
