"""The GPUs of one machine: dask-cuda starts one worker process for each.

    pip install 'daskphys[cuda13]'      # or cuda12
    python gpus.py                      # ends with the reason where no GPU can be used
    python gpus.py --fall-back          # says the reason, and computes on the CPU

`DistributedContext()` with nothing given does the latter by itself, with a warning where there are GPUs that do not
work.  GPUs of several machines: start `dask cuda worker --scheduler-file scheduler.json` on each, and use
scheduler_file.py.
"""

import argparse

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import DeviceError, MissingDependencyError
from daskphys.physics import Blur, gaussian_blur, stack


def read_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Blurs of a photograph on the GPUs of this machine.")
    parser.add_argument("--fall-back", action="store_true", help="take the CPU where no GPU can be used")
    return parser.parse_args()


def start(fall_back):
    """A worker a GPU; else, if that will do, workers on the CPU."""
    try:
        return DistributedContext(cluster="cuda")
    except (DeviceError, MissingDependencyError) as error:
        if not fall_back:
            raise SystemExit(f"gpus.py: {error}") from None
        print(f"on the CPU, since {error}")
        return DistributedContext(cluster="local")


def work(ctx):
    """Blurs in 12 directions, and the photograph that explains them best."""
    # Where the workers compute on GPUs, so does this process.
    x = load_example("grace_hopper", img_size=256, xp="cupy" if ctx.device == "cuda" else "numpy")
    A = stack(*[Blur(gaussian_blur((1.0, 3.0), angle=15 * k)) for k in range(12)])
    D = distribute(A, ctx)
    for worker, sensors in D.placement.items():
        print(f"worker {worker} holds sensors {sensors}")
    x_hat = D.A_dagger(D(x))
    print(f"largest error of the pseudo-inverse: {float(abs(x_hat - x).max()):.1e}")


def main():
    """Start workers, work, and stop them."""
    arguments = read_arguments()
    with start(arguments.fall_back) as ctx:
        print(f"{ctx.world_size} workers on {ctx.device}, dashboard at {ctx.dashboard_link}")
        work(ctx)


# Worker processes import this file again, and must not run it.
if __name__ == "__main__":
    main()
