"""Half spectra, of which one stands for all: sums over the whole, and whether it is that of a real kernel."""

from __future__ import annotations

from typing import Any

from daskphys import backend

#: How far from Hermitian, relative to its norm, a kernel may be: non-uniform FFTs in single precision give 1e-5.
HERMITIAN = 1e-4


def is_half(spectrum: Any, sizes: tuple[int, ...]) -> bool:
    """Whether a spectrum of an image of `sizes` is in the layout of `scipy.fft.rfftn`."""
    return int(spectrum.shape[-1]) == sizes[-1] // 2 + 1


def off(spectrum: Any, sizes: tuple[int, ...]) -> float:
    """How far a half spectrum is from that of a real kernel, D(−k) = conj(D(k)), relative to its norm.

    The columns whose frequency along the last axis is its own opposite hold both of each pair; of all others the
    half layout holds one.
    """
    xp = backend.namespace(spectrum)
    columns = [spectrum[..., :1]] + ([] if sizes[-1] % 2 else [spectrum[..., -1:]])
    apart = own = 0.0
    for column in columns:
        other = column
        for axis in range(-len(sizes), -1):
            other = xp.roll(xp.flip(other, axis=axis), 1, axis=axis)
        other = xp.conj(other) if backend.is_complex(other) else other
        apart += float(xp.sum(abs(column - other) ** 2))
        own += float(xp.sum(abs(column) ** 2))
    if apart <= 1e-30 * own:  # rounding; the norm of the whole is more than that of these columns
        return 0.0
    return float((apart / float(xp.sum(abs(spectrum) ** 2))) ** 0.5)


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
