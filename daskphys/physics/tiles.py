"""A compact operator on a part of an image: which samples a part needs, and what they give.

Every border is brought to one case.  The image is extended at the borders that the part touches (wrapped,
repeated, mirrored; by whoever supplies the samples for the periodic one) and convolved without borders.  The
transpose convolves with the flipped kernel and folds back what was extended.

Positions are those of the image.  A measurement's sample lies where its kernel's centre does, so that those
of a ``valid`` blur begin at the kernel's reach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from daskphys import backend
from daskphys.physics.blur import Blur
from daskphys.physics.cache import derived
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.padding import pad, pad_transpose
from daskphys.physics.stencil import Stencil

Box = tuple[tuple[int, int], ...]  # start and stop on each spatial axis


@dataclass(frozen=True)
class Local:
    """A compact operator for images of `sizes`.

    Parameters
    ----------
    stencil
        The operator.
    sizes
        The image's spatial shape.
    owner
        What the spectra of the kernel are kept for (`daskphys.physics.cache`).

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Blur
    >>> from daskphys.physics.tiles import Local
    >>> A = Blur(np.ones((3, 3)), "reflect")
    >>> x = np.random.default_rng(0).random((8, 9))
    >>> local, tile = Local(A.stencil, (8, 9), A), ((0, 4), (3, 9))
    >>> local.image_part(tile)
    ((0, 5), (2, 9))
    >>> bool(np.allclose(local.forward(x[0:5, 2:9], tile), A(x)[0:4, 3:9]))
    True
    """

    stencil: Stencil
    sizes: tuple[int, ...]
    owner: Any

    @property
    def image(self) -> Box:
        """Where the image has samples."""
        return tuple((0, n) for n in self.sizes)

    @property
    def range(self) -> Box:
        """Where the measurement has samples."""
        if self.stencil.padding != "valid":
            return self.image
        return tuple((a, n - b) for n, (a, b) in zip(self.sizes, self.stencil.reach, strict=True))

    def image_part(self, box: Box) -> Box:
        """The part of the image that the part `box` of A x needs; of a periodic one it may lie beyond the border."""
        return self._clipped(self._around(box), self.image)

    def range_part(self, box: Box) -> Box:
        """The part of y that the part `box` of Aᴴ y needs."""
        return self._clipped(self._around(self._unfolded(box), back=True), self.range)

    def normal_part(self, box: Box) -> Box:
        """The part of the image that the part `box` of AᴴA x needs."""
        return self.image_part(self.range_part(box))

    def forward(self, x: Any, box: Box) -> Any:
        """The part `box` of A x, from the part `image_part` of x."""
        widths = _beyond(self.image_part(box), self._around(box))
        if any(map(any, widths)):
            x = pad(x, widths, self.stencil.padding)
        return self._inner(False)(x)

    def adjoint(self, y: Any, box: Box) -> Any:
        """The part `box` of Aᴴ y, from the part `range_part` of y."""
        unfolded = self._unfolded(box)
        widths = _beyond(self.range_part(box), self._around(unfolded, back=True))
        x = self._inner(True)(pad(y, widths, "zero") if any(map(any, widths)) else y)
        folds = _beyond(box, unfolded)
        return pad_transpose(x, folds, self.stencil.padding) if any(map(any, folds)) else x

    def normal(self, x: Any, box: Box) -> Any:
        """The part `box` of AᴴA x, from the part `normal_part` of x."""
        return self.adjoint(self.forward(x, self.range_part(box)), box)

    def cost(self, product: str, box: Box, lead: tuple[int, ...], dtype: str) -> Cost:
        """What the part `box` of a `product` costs ("forward", "adjoint" or "normal"), with these leading axes."""
        if product == "normal":
            if self.stencil.padding == "circular":
                return Local(self.stencil.normal(), self.sizes, self.owner).cost("forward", box, lead, dtype)
            first = self.cost("forward", self.range_part(box), lead, dtype)
            return first.then(self.cost("adjoint", box, lead, dtype))
        back = product == "adjoint"
        wider = self._around(self._unfolded(box) if back else box, back=back)
        shape = (*lead, *(stop - start for start, stop in wider))
        inner = _Inner.of(self.stencil, back)
        made = inner.real._cost(shape, dtype)
        if inner.imag is not None:
            made = made.beside(inner.imag._cost(shape, dtype)).then(Cost(result=2 * made.result))
        padded = self._beyond_parts(product, box, wider)
        return replace(made, workspace=made.workspace + padded * nbytes(shape, dtype))

    def _beyond_parts(self, product: str, box: Box, wider: Box) -> bool:
        """Whether the argument is extended beyond the part that is given, into an array of its own."""
        given = self.range_part(box) if product == "adjoint" else self.image_part(box)
        return given != wider

    def _around(self, box: Box, *, back: bool = False) -> Box:
        reach = [(after, before) if back else (before, after) for before, after in self.stencil.reach]
        return tuple((start - a, stop + b) for (start, stop), (a, b) in zip(box, reach, strict=True))

    def _unfolded(self, box: Box) -> Box:
        """`box` with the samples beyond the border that were copied from its own."""
        if self.stencil.padding in ("circular", "valid"):
            return box
        reach = zip(box, self.sizes, self.stencil.reach, strict=True)
        return tuple((start - a * (start == 0), stop + b * (stop == n)) for (start, stop), n, (a, b) in reach)

    def _clipped(self, box: Box, limits: Box) -> Box:
        return box if self.stencil.padding == "circular" else clipped(box, limits)

    def _inner(self, transposed: bool) -> Callable[[Any], Any]:
        """The convolution without borders, with the kernel or its flipped conjugate."""
        made: _Inner = derived.get(
            self.owner, ("inner", transposed), lambda: _Inner.of(self.stencil, transposed)
        )
        return made


@dataclass(frozen=True)
class _Inner:
    """Convolution without borders with a real or complex kernel; kept, so that its spectra are kept too."""

    real: Blur
    imag: Blur | None
    nbytes: int

    @classmethod
    def of(cls, stencil: Stencil, transposed: bool) -> _Inner:
        kernel, xp = stencil.kernel, backend.namespace(stencil.kernel)
        if transposed:
            kernel = xp.conj(xp.flip(kernel, axis=tuple(range(-stencil.ndim, 0))))
        parts = [xp.real(kernel), xp.imag(kernel)] if backend.is_complex(kernel) else [kernel]
        blurs = [Blur(backend.copy(part), "valid", stencil.ndim) for part in parts]
        return cls(blurs[0], blurs[1] if len(blurs) == 2 else None, sum(b.nbytes for b in blurs))

    def __call__(self, x: Any) -> Any:
        y = self.real._forward(x)
        return y if self.imag is None else y + 1j * self.imag._forward(x)


def clipped(box: Box, limits: Box) -> Box:
    """What of `box` lies within `limits`."""
    return tuple((max(a, low), min(b, high)) for (a, b), (low, high) in zip(box, limits, strict=True))


def _beyond(box: Box, wider: Box) -> list[tuple[int, int]]:
    """How far `wider` goes beyond `box` on both sides of each axis."""
    return [(a - c, d - b) for (a, b), (c, d) in zip(box, wider, strict=True)]
