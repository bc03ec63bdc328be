"""One MPI job: rank 0 becomes the scheduler, rank 1 runs this script, and every other rank is a worker.

    pip install dask-mpi mpi4py
    mpiexec -n 6 python mpi.py        # four workers

In a batch job, where `srun` takes the place of mpiexec, nothing else has to be started, and the job ends with the
script.  Dask's messages go over TCP: MPI starts the processes and tells them where the scheduler is.
"""

import argparse

from dask_mpi import WorldTooSmallException, initialize
from distributed import Client
from mpi4py import MPI

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, gaussian_blur, stack


def read_arguments():
    """The command line, which every rank reads."""
    parser = argparse.ArgumentParser(description="Blurs of a photograph on the ranks of an MPI job.")
    parser.add_argument("--interface", help="the network between the nodes, as in ib0")
    parser.add_argument(
        "--threads", type=int, default=1, help="tasks that a worker runs at a time: its cores"
    )
    parser.add_argument("--memory", default="auto", help="of a worker, as in '16 GiB'")
    return parser.parse_args()


def work(ctx):
    """Blurs in 12 directions, and the photograph that explains them best."""
    x = load_example("grace_hopper", img_size=256)
    A = stack(*[Blur(gaussian_blur((1.0, 3.0), angle=15 * k)) for k in range(12)])
    D = distribute(A, ctx)
    for worker, sensors in D.placement.items():
        print(f"rank {worker} holds sensors {sensors}")
    x_hat = D.A_dagger(D(x))
    print(f"largest error of the pseudo-inverse: {abs(x_hat - x).max():.1e}")


def main():
    """Become what this rank is to be; only rank 1 gets past `initialize`."""
    arguments = read_arguments()
    try:
        initialize(
            interface=arguments.interface,
            nthreads=arguments.threads,
            memory_limit=arguments.memory,
            # This machine alone, on any port that is free.
            dashboard_address="127.0.0.1:0",
            worker_options={"dashboard_address": "127.0.0.1:0"},
        )
    except WorldTooSmallException as error:
        raise SystemExit(f"mpi.py: {error} Run it by mpiexec -n 3, or more.") from None
    # The client finds the scheduler by itself, and when it is closed `initialize` ends the other ranks.
    with Client() as client:
        client.wait_for_workers(MPI.COMM_WORLD.Get_size() - 2)  # the other ranks come one by one
        with DistributedContext(client=client) as ctx:
            port = client.scheduler_info()["services"]["dashboard"]
            print(
                f"{ctx.world_size} workers on {ctx.device}, dashboard at http://127.0.0.1:{port} where rank 0 is"
            )
            work(ctx)


if __name__ == "__main__":
    main()
