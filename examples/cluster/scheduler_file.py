"""A cluster that is there: blurs of a photograph on workers that someone else has started.

On one machine of the cluster, start the scheduler; on each that shall compute, a worker (by hand, or by the
lines of a batch job).  The scheduler file must lie where all of them can read it:

    dask scheduler --scheduler-file scheduler.json
    dask worker --scheduler-file scheduler.json

Then, from any machine that reads the file, or that reaches the scheduler's address:

    python scheduler_file.py --scheduler-file scheduler.json
    python scheduler_file.py --address tcp://192.168.0.10:8786

Workers need daskphys installed, in the same version as here; they do not need this script.  A scheduler that
listens on a network can be used by everyone who reaches it: keep it inside the cluster, or see tls.py.
"""

import argparse

import numpy as np

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, gaussian_blur, stack


def read_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Blurs of a photograph on the workers of a Dask cluster.")
    cluster = parser.add_mutually_exclusive_group(required=True)
    cluster.add_argument("--scheduler-file", help="the file that the scheduler wrote")
    cluster.add_argument("--address", help="the address of the scheduler")
    parser.add_argument("--image", default="grace_hopper", help="an example's name, or an image file")
    parser.add_argument("--img-size", type=int, default=512, help="pixels of the shorter side")
    parser.add_argument("--sensors", type=int, default=8, help="how many blurs")
    return parser.parse_args()


def make_operator(sensors):
    """Blurs that are wide along one line each, in `sensors` directions."""
    angles = np.arange(sensors) * 180 / sensors
    return stack(*[Blur(gaussian_blur(sigma=(1.0, 3.0), angle=angle)) for angle in angles])


def check_equal(name, distributed, plain):
    """Print whether two results are equal, and end the script with exit code 1 if they are not."""
    equal = all(np.array_equal(a, b) for a, b in zip(distributed, plain, strict=True))
    print(f"{name:<14} {'equal to plain' if equal else 'DIFFERS from plain'}")
    if not equal:
        raise SystemExit(f"{name}: the distributed result differs from the plain one")


def main():
    """Run everything once, and compare."""
    arguments = read_arguments()
    with DistributedContext(address=arguments.address, scheduler_file=arguments.scheduler_file) as ctx:
        print(f"{ctx.world_size} workers on {ctx.device}, dashboard at {ctx.dashboard_link or '(none)'}")
        # Bits are the same on one kind of device, so the plain operator computes where the workers do.
        xp = "cupy" if ctx.device == "cuda" else "numpy"
        x = load_example(arguments.image, img_size=arguments.img_size, xp=xp)
        A = make_operator(arguments.sensors)
        D = distribute(A, ctx)
        for worker, sensors in D.placement.items():
            print(f"{worker} holds sensors {sensors}")

        y = D(x)
        check_equal("A", y, A(x))
        check_equal("Aᵀ", D.A_adjoint(y), A.A_adjoint(y))

        # Circular blurs merge: AᵀA of all sensors is one operator, applied here.
        merged = D.A_adjoint_A(x)
        check_equal("AᵀA", merged, A.A_adjoint_A(x))

        # The tree computes each sensor's part on its worker instead; it rounds in another order.
        tree = D.A_adjoint_A(x, method="tree")
        error = np.linalg.norm(tree - merged) / np.linalg.norm(merged)
        print(f"{'AᵀA by tree':<14} {error:.1e} from merged, relative")
        if not error <= 1e-6:
            raise SystemExit("AᵀA by the tree is not the merged one")

        print(f"\nThe last call:\n{D.report()}")


# What starts or uses processes stands under this guard, so that importing the file runs nothing.
if __name__ == "__main__":
    main()
