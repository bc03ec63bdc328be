"""An encrypted cluster, which lets in only who shows its certificate.

Make certificates once (tls_certificates.py says what they are), and have the scheduler and the workers use them:

    python tls_certificates.py certificates
    export DASK_CONFIG=$PWD/certificates/tls.yaml
    dask scheduler --scheduler-file scheduler.json --dashboard-address 127.0.0.1:8787
    dask worker --scheduler-file scheduler.json

Give ca.pem and client.pem to those who may use it.  They say so in the script, as here, and need no DASK_CONFIG:

    python tls.py --certificates certificates --scheduler-file scheduler.json

or they set DASK_CONFIG too, and every other script, and the command line, works unchanged: that is the better way
where all use one configuration.  The dashboard is not encrypted; above it listens on its own machine alone.
"""

import argparse
from pathlib import Path

from distributed import Client, Security

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, gaussian_blur, stack


def read_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Blurs of a photograph on an encrypted cluster.")
    parser.add_argument(
        "--certificates", type=Path, required=True, help="the folder of ca.pem and client.pem"
    )
    cluster = parser.add_mutually_exclusive_group(required=True)
    cluster.add_argument("--scheduler-file", help="the file that the scheduler wrote")
    cluster.add_argument("--address", help="the address of the scheduler, tls://HOST:PORT")
    return parser.parse_args()


def connect(arguments):
    """A client that shows its certificate, and that talks to nobody without one of the same authority."""
    security = Security(
        tls_ca_file=str(arguments.certificates / "ca.pem"),
        tls_client_cert=str(arguments.certificates / "client.pem"),  # with its key in the same file
        require_encryption=True,
    )
    return Client(arguments.address, scheduler_file=arguments.scheduler_file, security=security)


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
    """Work by a client of one's own, which the context leaves open."""
    arguments = read_arguments()
    with connect(arguments) as client, DistributedContext(client=client) as ctx:
        print(f"{ctx.world_size} workers on {ctx.device} by {client.scheduler.address}")
        work(ctx)


if __name__ == "__main__":
    main()
