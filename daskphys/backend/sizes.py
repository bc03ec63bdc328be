"""What an FFT of a size costs, and sizes that cost less.

The estimate is that of pocketfft, the code behind `scipy.fft` and ducc0: a factor p of the length costs p
operations a sample, a large prime what Bluestein's convolution costs.  A pass over the memory is added, so that
short axes are not taken for free.  The estimate depends on the size alone: on another machine, or under load,
the choice is the same.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from math import prod

import scipy.fft

# Reading and writing a line, in operations a sample.  With it the estimate holds to 20 % among composite sizes
# from 128² to 800² (measured); sizes with large primes cost up to twice as much as it says.
_PASS = 8.0


@functools.lru_cache(maxsize=4096)
def _line_cost(n: int) -> float:
    """Operations a sample of an FFT of length `n`."""
    rest, cost, largest, p = n, 0.0, 1, 2
    while p * p <= rest:
        while rest % p == 0:
            cost += 2.0 if p == 2 else p if p <= 5 else 1.1 * p
            rest, largest = rest // p, max(largest, p)
        p += 1
    if rest > 1:
        cost += rest if rest <= 5 else 1.1 * rest
        largest = max(largest, rest)
    if largest**2 <= n or n < 50:
        return cost
    padded = scipy.fft.next_fast_len(2 * n - 1)
    return float(min(cost, 3.0 * _line_cost(padded) * padded / n))


def fft_cost(sizes: Sequence[int]) -> float:
    """Operations of an FFT of an image of `sizes`, in the units of pocketfft's own estimate."""
    return prod(sizes) * sum(_line_cost(n) + _PASS for n in sizes)


@functools.lru_cache(maxsize=1024)
def fast_length(least: int) -> int:
    """The length from `least` on that costs an FFT the fewest operations.

    Examples
    --------
    >>> from daskphys.backend import fast_length
    >>> fast_length(512), fast_length(781)
    (512, 800)
    """
    # The next one without a factor above 5: factors of 7 and 11, of which there is one before it, cost more than its
    # samples (539 against 540 a third, measured).
    longest = scipy.fft.next_fast_len(least, real=True)
    return min(range(least, longest + 1), key=lambda n: n * (_line_cost(n) + _PASS))


def fast_sizes(choices: Sequence[Sequence[int]], dearer: float) -> tuple[int, ...]:
    """The sizes, one from each axis' choices, whose FFT costs least.

    The first choice of each axis is the image's own length; others need a copy of the image, so that they must be
    cheaper by the factor `dearer`.
    """
    own = tuple(axis[0] for axis in choices)
    best = min(itertools.product(*choices), key=fft_cost)
    return best if fft_cost(best) * dearer < fft_cost(own) else own
