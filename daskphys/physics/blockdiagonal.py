"""Operators that stand on a diagonal or in a row: one array for each of them comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError, checks_keywords, describe
from daskphys.physics.base import LinearPhysics, PseudoInverse
from daskphys.physics.cost import Cost, all_of
from daskphys.physics.measurements import Measurements
from daskphys.physics.naming import naming
from daskphys.physics.noise.adding import SensorNoise
from daskphys.physics.noise.model import NoiseModel, Seeds
from daskphys.physics.spaces import Images, Sensors, check_as_many, shape_of
from daskphys.physics.stack import StackedPhysics, stack
from daskphys.physics.value import value


def block_diagonal(*operators: Any) -> BlockDiagonal:
    """The operator that applies each of `operators` to an array of its own: ``yᵢ = Aᵢ xᵢ``.

    It takes and gives `Measurements`, one array an operator (`scipy.sparse.block_diag` and PyLops's `BlockDiag` are the
    same on flat vectors).  Block-diagonal operators among them are laid flat.

    Parameters
    ----------
    *operators : LinearPhysics
        Each takes and gives one array.

    Returns
    -------
    BlockDiagonal
        With one block an operator; `distribute` takes it.

    Raises
    ------
    ParameterError
        Nothing is given, or something that is no operator on one array.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Diagonal, MatrixOperator, block_diagonal
    >>> B = block_diagonal(Diagonal(np.array([1.0, 2.0])), MatrixOperator(np.ones((1, 3))))
    >>> list(B([np.ones(2), np.ones(3)]))
    [array([1., 2.]), array([3.])]
    """
    flat: list[LinearPhysics] = []
    for operator in _checked("block_diagonal", operators):
        flat.extend(operator.blocks if isinstance(operator, BlockDiagonal) else (operator,))
    return BlockDiagonal(tuple(flat))


def hstack(*operators: Any) -> LinearPhysics:
    """The operator that adds up what each of `operators` makes of an array of its own: ``y = Σᵢ Aᵢ xᵢ``.

    It takes `Measurements`, one array an operator, and gives one array (`scipy.sparse.hstack` and PyLops's `HStack` are
    the same on flat vectors): the adjoint of ``stack(A.H, B.H, …)``, whose sums it has.

    Parameters
    ----------
    *operators : LinearPhysics
        Each takes one array, and gives one of the shape that the others give.

    Returns
    -------
    LinearPhysics
        The horizontal stack.

    Raises
    ------
    ParameterError
        Nothing is given, or something that is no operator on one array.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Identity, MatrixOperator, hstack
    >>> B = hstack(Identity(), MatrixOperator(np.ones((2, 3))))
    >>> B([np.array([1.0, 2.0]), np.ones(3)]), [a.shape for a in B.A_adjoint(np.ones(2))]
    (array([4., 5.]), [(2,), (3,)])
    """
    result: LinearPhysics = stack(*(operator.H for operator in _checked("hstack", operators))).H
    return result


def _checked(name: str, operators: tuple[Any, ...]) -> tuple[LinearPhysics, ...]:
    if not operators:
        raise ParameterError(f"{name}() expected at least one operator, got none")
    for position, given in enumerate(operators):
        if not isinstance(given, LinearPhysics):
            raise ParameterError(
                f"{name}() expected operators, got {describe(given)} at position {position}: unpack a list, as in "
                f"{name}(*operators)"
            )
        whole = name == "block_diagonal" and isinstance(given, BlockDiagonal)
        if not whole and not (isinstance(given.domain, Images) and isinstance(given.range, Images)):
            raise ParameterError(
                f"{name}() expected operators that take and give one array each, got {given!r} at position {position}"
            )
    return operators


@value
class BlockDiagonal(LinearPhysics):
    """The block-diagonal operator of operators, made by `block_diagonal`.

    All that is asked of it is asked of its blocks: products, AᴴA, least squares, norms, and the closed forms of those
    that have them.  Products, sums and multiples with such of as many blocks are block-diagonal.
    """

    blocks: tuple[LinearPhysics, ...]

    def __post_init__(self) -> None:
        if self.noise_model is not None:
            raise ParameterError(
                f"a block-diagonal operator expected no noise model, for each block has its own, got {self.noise_model!r}: "
                f"write block_diagonal(A, B, …).with_noise(model)"
            )

    @property
    def physics_list(self) -> list[LinearPhysics]:
        """The blocks."""
        return list(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: Any) -> Any:
        """One block, or the block-diagonal operator of a slice of them."""
        if not isinstance(index, slice):
            return self.blocks[index]
        if not self.blocks[index]:
            raise ParameterError(f"a slice of {self!r} expected at least one block, got none")
        return self._made(self.blocks[index])

    def _made(self, blocks: tuple[LinearPhysics, ...]) -> BlockDiagonal:
        """An operator of other blocks, which lives where this one does."""
        return BlockDiagonal(blocks)

    def __iter__(self) -> Iterator[LinearPhysics]:
        return iter(self.blocks)

    # -- algebra: block by block ---------------------------------------------------------------------------

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, BlockDiagonal | StackedPhysics):
            if len(other) != len(self):
                raise ShapeError(f"{self!r} @ {other!r}: expected {len(self)} operators, got {len(other)}")
            made = tuple(a @ b for a, b in zip(self, other, strict=True))
            return self._made(made) if isinstance(other, BlockDiagonal) else StackedPhysics(made)
        return super().__matmul__(other)

    def _scaled(self, number: complex) -> BlockDiagonal:
        return self._made(tuple(number * block for block in self))

    def _merge(self, other: Any) -> BlockDiagonal | None:
        if not isinstance(other, BlockDiagonal):
            return None
        check_as_many(self, other)
        return self._made(tuple(a + b for a, b in zip(self, other, strict=True)))

    # -- shapes --------------------------------------------------------------------------------------------

    @property
    def domain(self) -> Sensors:
        return Sensors(self, tuple(block.domain for block in self))

    @property
    def range(self) -> Sensors:
        return Sensors(self, tuple(block.range for block in self))

    def _range_shape(self, shape: Any) -> Any:
        return self._each(lambda block, own: block._range_shape(own), shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self._each(lambda block, own: block._domain_shape(own), shape)

    def _result_dtype(self, dtype: str) -> str:
        """The widest of the blocks'."""
        return self._widest({block._result_dtype(dtype) for block in self}, dtype)

    def _adjoint_dtype(self, dtype: str) -> str:
        return self._widest({block._adjoint_dtype(dtype) for block in self}, dtype)

    @staticmethod
    def _widest(names: set[str], dtype: str) -> str:
        return names.pop() if len(names) == 1 else backend.complex_name(dtype)

    # -- products ------------------------------------------------------------------------------------------

    def _each(self, call: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
        """`call` of each block and its part of each argument."""
        made = []
        for index, (block, *own) in enumerate(zip(self.blocks, *arguments, strict=True)):
            with naming(index, block):
                made.append(call(block, *own))
        return tuple(made)

    def _products(self, product: Callable[[LinearPhysics, Any], Any], x: Any) -> Measurements:
        """A product of each block with its own array, side by side where threads are left."""

        def one(item: tuple[int, tuple[LinearPhysics, Any]]) -> Any:
            index, (block, own) = item
            with naming(index, block):
                return product(block, own)

        size = 0 if backend.on_gpu(x[0]) else min(backend.size(a.shape) for a in x)
        return Measurements(backend.spread(one, list(enumerate(zip(self.blocks, x, strict=True))), size))

    def _forward(self, x: Any) -> Measurements:
        return self._products(forward, x)

    def _adjoint(self, y: Any, shape: Any) -> Measurements:
        return self._products(adjoint, y)

    def _gram(self, x: Any) -> Measurements:
        return self._products(gram, x)

    # -- noise: each block has its own -----------------------------------------------------------------------

    @property
    def _noise_models(self) -> tuple[NoiseModel | None, ...]:
        models = tuple(block.noise_model for block in self)
        return models if any(models) else ()

    def _noisy(self, x: Any, seeds: Seeds) -> Measurements:
        return Measurements(SensorNoise(seeds).added(self, self._forward(x)))

    @property
    def _noiseless(self) -> BlockDiagonal:
        return self  # what the algebra makes, it makes of the blocks

    def with_noise(self, noise_model: NoiseModel | None) -> BlockDiagonal:
        if noise_model is None and not self._noise_models:
            return self
        return self._made(tuple(block.with_noise(noise_model) for block in self))

    # -- AᴴA, inverses and norms ---------------------------------------------------------------------------

    @checks_keywords
    def normal(self, shape: Any, weights: Any = None) -> LinearPhysics:
        shape = self._image_shape(shape)
        if weights is not None:
            return super().normal(shape, weights)
        return self._made(self._each(lambda block, own: block.normal(own), shape))

    normal.__doc__ = LinearPhysics.normal.__doc__

    @property
    def closed_form(self) -> bool:
        """Whether `inv`, `pinv` and `norm` of all blocks have a closed form."""
        return all(block.closed_form for block in self)

    def inv(self, lam: float) -> LinearPhysics:
        """(A + lam I)⁻¹, of self-adjoint blocks that have a closed form of it."""
        return self._made(self._each(lambda block: block.inv(lam)))

    def pinv(self, rtol: float | None = None) -> LinearPhysics:
        """A⁺, of self-adjoint blocks that have a closed form of it: singular values are cut block by block."""
        return self._made(self._each(lambda block: block.pinv(rtol)))

    def norm(self) -> float:
        """The largest singular value, of blocks that have a closed form of it."""
        return float(max(self._each(lambda block: block.norm())))

    @checks_keywords
    def A_dagger(
        self, y: Any, rtol: float | None = None, *, max_iter: int | None = None, progress: bool = False
    ) -> Any:
        asked = self._inversion(rtol, max_iter, progress)
        return doors.apply(self._made(tuple(PseudoInverse(block, *asked) for block in self)), y)

    A_dagger.__doc__ = LinearPhysics.A_dagger.__doc__

    @checks_keywords
    def compute_sqnorm(self, x_or_shape: Any, rtol: float = 1e-10) -> float:
        shape = self._image_shape(x_or_shape)
        return float(max(self._each(lambda block, own: block.compute_sqnorm(own, rtol), shape)))

    compute_sqnorm.__doc__ = LinearPhysics.compute_sqnorm.__doc__

    # -- what they cost ------------------------------------------------------------------------------------

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return all_of(self._each(lambda block, own: block._cost(own, dtype), shape))

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        return all_of(self._each(lambda block, own: block._adjoint_cost(own, dtype), shape))

    def _gram_cost(self, shape: Any, dtype: str) -> Cost:
        return all_of(self._each(lambda block, own: block._gram_cost(own, dtype), shape))

    def _summary(self) -> str:
        names = [repr(block) for block in self.blocks[:3]]
        return f"{', '.join(names)}{', …' if len(self) > 3 else ''}"


def forward(block: LinearPhysics, x: Any) -> Any:
    """A x."""
    return block._forward(x)


def adjoint(block: LinearPhysics, y: Any) -> Any:
    """Aᴴ y."""
    return block._adjoint(y, block._domain_shape(shape_of(y)))


def gram(block: LinearPhysics, x: Any) -> Any:
    """AᴴA x, by the merged normal operator where there is one."""
    return block._normal(shape_of(x))._forward(x) if block._by_normal else block._gram(x)
