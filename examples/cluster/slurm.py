"""Workers from SLURM: a scheduler in this process, and jobs for the workers, which dask-jobqueue submits.

    pip install dask-jobqueue
    python slurm.py --queue normal --account physics --print-job    # shows the job and submits nothing
    python slurm.py --queue normal --account physics --jobs 4

Run it where jobs may be submitted and which compute nodes can reach: a login node that allows it, or a small job
of its own.  The jobs end when the script does.  dask-jobqueue knows PBS, LSF, SGE, HTCondor and OAR as well: their
classes take the same arguments.
"""

import argparse

from dask_jobqueue import SLURMCluster

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, gaussian_blur, stack

#: For the shell that starts the workers of a job.  glibc gives freed arrays back to the system at once, and each new
#: one is then paged in again; and one thread a task is enough, since Dask runs as many tasks as there are cores.
ENVIRONMENT = [
    "export MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_MMAP_THRESHOLD_=1073741824",
    "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1",
]


def read_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Blurs of a photograph on workers that SLURM starts.")
    parser.add_argument("--queue", help="the partition")
    parser.add_argument("--account", help="whom the time is charged to")
    parser.add_argument(
        "--interface", help="the network between the nodes, as in ib0 (default: SLURM's nodes' own)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many jobs")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of a job")
    parser.add_argument("--cores", type=int, default=8, help="cores of a job, which its workers share")
    parser.add_argument("--memory", default="32 GiB", help="memory of a job, which its workers share")
    parser.add_argument("--walltime", default="01:00:00", help="the longest that a job may take")
    parser.add_argument("--patience", type=float, default=3600, help="seconds to wait for the queue")
    parser.add_argument("--print-job", action="store_true", help="print a job's script, and submit nothing")
    return parser.parse_args()


def describe_jobs(arguments):
    """The cluster, which has no job yet."""
    return SLURMCluster(
        queue=arguments.queue,
        account=arguments.account,
        cores=arguments.cores,
        processes=arguments.workers,
        memory=arguments.memory,
        walltime=arguments.walltime,
        interface=arguments.interface,
        job_script_prologue=ENVIRONMENT,
        # A worker whose script has gone waits no longer than this.
        death_timeout=120,
        # The dashboard listens on this machine alone, on any port that is free.
        scheduler_options={"dashboard_address": "127.0.0.1:0"},
    )


def work(ctx):
    """Blurs in 12 directions, and the photograph that explains them best."""
    x = load_example("grace_hopper", img_size=256)
    A = stack(*[Blur(gaussian_blur((1.0, 3.0), angle=15 * k)) for k in range(12)])
    D = distribute(A, ctx)
    for worker, sensors in D.placement.items():
        print(f"{worker} holds sensors {sensors}")
    x_hat = D.A_dagger(D(x))
    print(f"largest error of the pseudo-inverse: {abs(x_hat - x).max():.1e}")


def main():
    """Ask for jobs, wait for their workers, work, and let them go."""
    arguments = read_arguments()
    with describe_jobs(arguments) as cluster:
        if arguments.print_job:
            print(cluster.job_script())
            return
        cluster.scale(jobs=arguments.jobs)
        print(f"{arguments.jobs} jobs submitted, dashboard at {cluster.dashboard_link}")
        # A queue may take longer than a context waits for its first worker.
        cluster.wait_for_workers(arguments.jobs * arguments.workers, timeout=arguments.patience)
        with DistributedContext(cluster=cluster) as ctx:
            print(f"{ctx.world_size} workers on {ctx.device}")
            work(ctx)


# Workers are started by jobs and import nothing from here; the guard keeps an import of this file from running it.
if __name__ == "__main__":
    main()
