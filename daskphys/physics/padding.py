"""Extension of an image at its borders, and its exact transpose.

``circular`` is the periodic image; ``replicate`` repeats the border value; ``reflect`` mirrors the image without
repeating the border; ``zero`` puts zeros.  Each is linear, one axis after the other, so the transpose folds each
axis back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daskphys import backend

Widths = Sequence[tuple[int, int]]


def padded_shape(shape: tuple[int, ...], widths: Widths, spare: Sequence[int] = ()) -> tuple[int, ...]:
    """`shape` with the last axes longer by `widths` (before, after), and by `spare` zeros after those."""
    head, tail = shape[: -len(widths)], shape[-len(widths) :]
    spare = spare or (0,) * len(widths)
    return (*head, *(n + a + b + s for n, (a, b), s in zip(tail, widths, spare, strict=True)))


def pad(x: Any, widths: Widths, mode: str, spare: Sequence[int] = ()) -> Any:
    """`x` extended along its last axes by `widths` (before, after), and then by `spare` zeros."""
    shape = padded_shape(tuple(x.shape), widths, spare)
    if shape == tuple(x.shape):
        return x
    y = backend.zeros(shape, x)
    ndim = len(widths)
    sizes = tuple(x.shape[-ndim:])
    y[(..., *(slice(b, b + n) for n, (b, _) in zip(sizes, widths, strict=True)))] = x
    if mode != "zero":
        for axis, (n, (before, after)) in enumerate(zip(sizes, widths, strict=True), start=-ndim):
            for start, stop, source in _borders(y, axis, n, before, after, mode):
                y[_index(y, axis, start, stop)] = source
    return y


def pad_transpose(y: Any, widths: Widths, mode: str, spare: Sequence[int] = ()) -> Any:
    """The transpose of `pad`: what was copied from an entry is added to it."""
    spare = spare or (0,) * len(widths)
    for axis, ((before, after), more) in enumerate(zip(widths, spare, strict=True), start=-len(widths)):
        if not before + after + more:
            continue
        n = y.shape[axis] - before - after - more
        inner = backend.copy(_part(y, axis, before, before + n))
        left, right = _part(y, axis, 0, before), _part(y, axis, before + n, before + n + after)
        xp = backend.namespace(y)
        if mode == "circular":
            _add(inner, axis, n - before, n, left)
            _add(inner, axis, 0, after, right)
        elif mode == "replicate":
            _add(inner, axis, 0, 1, xp.sum(left, axis=axis, keepdims=True))
            _add(inner, axis, n - 1, n, xp.sum(right, axis=axis, keepdims=True))
        elif mode == "reflect":
            _add(inner, axis, 1, 1 + before, xp.flip(left, axis=axis))
            _add(inner, axis, n - 1 - after, n - 1, xp.flip(right, axis=axis))
        y = inner
    return y


def _borders(y: Any, axis: int, n: int, before: int, after: int, mode: str) -> list[tuple[int, int, Any]]:
    """What to write from where to where, for an image of `n` samples that begins at `before`."""
    xp, end = backend.namespace(y), before + n
    if mode == "circular":
        left, right = _part(y, axis, n, end), _part(y, axis, before, before + after)
    elif mode == "replicate":
        left, right = _part(y, axis, before, before + 1), _part(y, axis, end - 1, end)
    else:
        left = xp.flip(_part(y, axis, before + 1, 2 * before + 1), axis=axis)
        right = xp.flip(_part(y, axis, end - 1 - after, end - 1), axis=axis)
    return [
        (start, stop, source)
        for start, stop, source in ((0, before, left), (end, end + after, right))
        if stop > start
    ]


def _index(x: Any, axis: int, start: int, stop: int) -> tuple[slice, ...]:
    return tuple(slice(start, stop) if i == axis % x.ndim else slice(None) for i in range(x.ndim))


def _part(x: Any, axis: int, start: int, stop: int) -> Any:
    return x[_index(x, axis, start, stop)]


def _add(x: Any, axis: int, start: int, stop: int, what: Any) -> None:
    if stop > start:
        index = _index(x, axis, start, stop)
        x[index] = x[index] + what
