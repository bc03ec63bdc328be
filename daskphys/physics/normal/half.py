"""Sums over a whole spectrum of which one half, or all, is stored."""

from __future__ import annotations

from typing import Any

from daskphys import backend


def is_half(spectrum: Any, sizes: tuple[int, ...]) -> bool:
    """Whether a spectrum of an image of `sizes` is in the layout of `scipy.fft.rfftn`."""
    return int(spectrum.shape[-1]) == sizes[-1] // 2 + 1


def mean(spectrum: Any, sizes: tuple[int, ...]) -> Any:
    """The mean over all frequencies, with axes of length 1 in place of theirs: the kernel's entry at lag 0.

    In the half layout every column stands for two, but the first one, and the last one of an even size.
    """
    xp = backend.namespace(spectrum)
    axes = tuple(range(-len(sizes), 0))

    def total(part: Any) -> Any:
        return xp.sum(part, axis=axes, keepdims=True)

    if not is_half(spectrum, sizes):
        return total(spectrum) / backend.size(sizes)
    whole = 2 * total(spectrum) - total(spectrum[..., :1])
    if sizes[-1] % 2 == 0:
        whole = whole - total(spectrum[..., -1:])
    # The columns that are not stored are conjugates of those that are.
    return (xp.real(whole) if backend.is_complex(whole) else whole) / backend.size(sizes)


def completed(spectrum: Any, sizes: tuple[int, ...]) -> Any:
    """The whole of a real spectrum in the half layout, where D(-k) = D(k)."""
    xp, ndim = backend.namespace(spectrum), len(sizes)
    rest = xp.flip(spectrum[..., 1 : (sizes[-1] + 1) // 2], axis=-1)
    for axis in range(-ndim, -1):
        rest = xp.roll(xp.flip(rest, axis=axis), 1, axis=axis)
    return backend.concat([spectrum, rest], -1)
