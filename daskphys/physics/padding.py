"""Extension of an image at its borders, and its exact transpose.

``replicate`` repeats the border value; ``reflect`` mirrors the image without repeating the border; ``zero``
puts zeros.  Each is linear, one axis after the other, so the transpose folds each axis back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daskphys import backend

Widths = Sequence[tuple[int, int]]


def padded_shape(shape: tuple[int, ...], widths: Widths) -> tuple[int, ...]:
    """`shape` with the last axes longer by `widths` (before, after)."""
    head, tail = shape[: -len(widths)], shape[-len(widths) :]
    return (*head, *(n + a + b for n, (a, b) in zip(tail, widths, strict=True)))


def pad(x: Any, widths: Widths, mode: str) -> Any:
    """`x` extended along its last axes by `widths` (before, after)."""
    for axis, (before, after) in enumerate(widths, start=-len(widths)):
        x = _concat(
            [*_edges(x, axis, before, mode, end=False), x, *_edges(x, axis, after, mode, end=True)], axis
        )
    return x


def pad_transpose(y: Any, widths: Widths, mode: str) -> Any:
    """The transpose of `pad`: what was copied from an entry is added to it."""
    for axis, (before, after) in enumerate(widths, start=-len(widths)):
        n = y.shape[axis] - before - after
        inner = _part(y, axis, before, before + n)
        if mode != "zero":
            xp = backend.namespace(y)
            inner = backend.copy(inner)
            left, right = _part(y, axis, 0, before), _part(y, axis, before + n, before + n + after)
            if mode == "replicate":
                _add(inner, axis, 0, 1, xp.sum(left, axis=axis, keepdims=True))
                _add(inner, axis, n - 1, n, xp.sum(right, axis=axis, keepdims=True))
            else:
                _add(inner, axis, 1, 1 + before, xp.flip(left, axis=axis))
                _add(inner, axis, n - 1 - after, n - 1, xp.flip(right, axis=axis))
        y = inner
    return y


def _edges(x: Any, axis: int, width: int, mode: str, *, end: bool) -> list[Any]:
    if not width:
        return []
    xp, n = backend.namespace(x), x.shape[axis]
    if mode == "reflect":
        return [
            xp.flip(_part(x, axis, n - 1 - width, n - 1) if end else _part(x, axis, 1, 1 + width), axis=axis)
        ]
    shape = list(x.shape)
    shape[axis] = width
    if mode == "zero":
        return [backend.zeros(tuple(shape), x)]
    edge = _part(x, axis, n - 1, n) if end else _part(x, axis, 0, 1)
    return [xp.broadcast_to(edge, tuple(shape))]


def _index(x: Any, axis: int, start: int, stop: int) -> tuple[slice, ...]:
    return tuple(slice(start, stop) if i == axis % x.ndim else slice(None) for i in range(x.ndim))


def _part(x: Any, axis: int, start: int, stop: int) -> Any:
    return x[_index(x, axis, start, stop)]


def _add(x: Any, axis: int, start: int, stop: int, what: Any) -> None:
    index = _index(x, axis, start, stop)
    x[index] = x[index] + what


def _concat(parts: list[Any], axis: int) -> Any:
    return backend.concat(parts, axis) if len(parts) > 1 else parts[0]
