"""Where a merged AᴴA runs: beside the image, on a worker's GPU, or over the batch on all workers.  By cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from daskphys.graph.plan import Rates

Site = Literal["client", "workers"]

#: How many times faster workers must be by the estimate before an image is sent to them.
CLEARLY = 1.5


@dataclass(frozen=True)
class Choice:
    """Where to, and the seconds that the two ways are estimated to take (None: not worth estimating)."""

    site: Site
    client: float | None = None
    workers: float | None = None


def choose(
    flops: float,
    nbytes: int,
    batch: int,
    threads: Sequence[int],
    rates: Rates | None,
    *,
    gpu: bool = False,
    image_on_gpu: bool = False,
) -> Choice:
    """Where a product with a merged operator should run.

    Parameters
    ----------
    flops, nbytes
        Operations of the product, and bytes of the image.
    batch
        In how many pieces the image can be cut along a leading axis.
    threads
        Of each worker; a GPU counts as one.
    rates
        From the calibration; None where the workers run on this machine's own cores, which the client has too.
    gpu, image_on_gpu
        Whether workers compute on GPUs, and whether the image is on one here.

    Examples
    --------
    >>> from daskphys.distributed.site import choose
    >>> from daskphys.graph.plan import Rates
    >>> lan = Rates(flops=1e9, client_flops=2e9, wire=1e9, trip=0.01, task=1e-4)
    >>> choose(1e8, 1 << 20, 1, [4, 4], lan).site  # one image: a worker's thread is no faster than this machine
    'client'
    >>> choose(1e11, 1 << 30, 64, [4, 4, 4, 4], lan).site  # a batch, and 16 threads
    'workers'
    """
    # A CPU image and CPU workers on the same cores, or an image that is on a GPU already: nothing to gain.
    if rates is None or image_on_gpu or (batch == 1 and not gpu):
        return Choice("client")
    pieces = min(batch, sum(threads))
    rounds = -(-batch // pieces) / batch  # the part of the batch that the busiest thread has
    client = flops / rates.client_flops
    workers = rates.trip + pieces * rates.task + 2 * nbytes / rates.wire + flops * rounds / rates.flops
    return Choice("workers" if CLEARLY * workers < client else "client", client, workers)
