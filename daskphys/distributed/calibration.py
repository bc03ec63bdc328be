"""How fast a cluster is: a tenth of a second of measuring, once for each context."""

from __future__ import annotations

import time
import uuid
from typing import Any

import numpy as np
from distributed import Client

from daskphys import backend
from daskphys.graph.plan import Rates
from daskphys.physics.cost import fft_flops

#: Seconds that the rate of FFTs is measured for, on each worker and on the client.
FFT_SECONDS = 0.02

_SIDE = 512  # of the image that is transformed: neither in the core's own cache nor far beyond the shared one
_MESSAGE = 4 << 20  # bytes that are sent to find the bandwidth
_TASKS = 32


def fft_rate(device: str, threads: int | None) -> float:
    """Operations a second of real FFTs there and back on `device`, by so many threads (None: all)."""
    x = backend.to_device(np.ones((_SIDE, _SIDE), np.float32), device)

    def there_and_back() -> None:
        backend.to_numpy(backend.irfftn(backend.rfftn(x, 2), x.shape)[:1, :1])  # a GPU has then done it

    with backend.fft_threads(backend.cpu_count() if threads is None else threads):
        there_and_back()
        begin, runs = time.perf_counter(), 0
        while time.perf_counter() < begin + FFT_SECONDS:
            there_and_back()
            runs += 1
        return runs * 2 * fft_flops(x.shape, 2) / (time.perf_counter() - begin)


def calibrate(client: Client, device: str) -> Rates:
    """Measure the workers of `client`: all at once, and then the way to one of them.

    Of several workers the slowest FFT counts, of several tries the fastest trip and the fastest message.
    """
    addresses = list(client.scheduler_info(n_workers=-1)["workers"])
    run = f"calibrate-{uuid.uuid4().hex[:8]}"
    rates = client.gather(
        [client.submit(fft_rate, device, 1, key=f"{run}-fft-{i}", workers=[a], allow_other_workers=True)
         for i, a in enumerate(addresses)]
    )  # fmt: skip
    trips = [_seconds(lambda i=i: client.submit(_nothing, key=f"{run}-trip-{i}").result()) for i in range(3)]
    many = _seconds(lambda: client.gather(client.map(_nothing, range(_TASKS), key=f"{run}-task")))
    message = np.ones(_MESSAGE, np.uint8)
    # A message of nothing takes the trip alone.
    empty, full = (
        min(_seconds(lambda x=x: client.scatter(x, workers=addresses[:1], hash=False)) for _ in range(2))
        for x in (message[:1], message)
    )
    return Rates(
        flops=min(rates),
        client_flops=fft_rate("cpu", None),
        wire=_MESSAGE / max(full - empty, 1e-5),
        trip=min(trips),
        task=max(0.0, many - min(trips)) / _TASKS,
    )


def _nothing(_: Any = None) -> None:
    return None


def _seconds(do: Any) -> float:
    begin = time.perf_counter()
    do()
    return time.perf_counter() - begin
