"""Laws of an operator in a stack, and of stacks, in double precision."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from daskphys.pairwise import PairwiseSum
from daskphys.physics.blockproducts import adjoint_parts, forward_each
from daskphys.physics.parts import Joined
from daskphys.physics.stack import StackedPhysics, stack
from daskphys.testing.probe import Probe, require, same_bits


def stacking(p: Probe) -> None:
    """stack(A, 2 A) measures what A and 2 A do, and its adjoint is the sum of theirs"""
    if not p.can_be_stacked:
        return
    S: Any = stack(p.A, 2 * p.A)
    x, y = p.input(), p.random(S.range_shape(p.shape), p.output_dtype)
    for sensor, made in zip(S, S.A(x), strict=True):
        p.near(made, sensor.A(x))
    p.near(S.A_adjoint(y), sum(sensor.A_adjoint(own) for sensor, own in zip(S, y, strict=True)))
    p.near(S.A_adjoint_A(x), sum(sensor.A_adjoint_A(x) for sensor in S))


def slicing(p: Probe) -> None:
    """a stack is a sequence of its operators: len, A[i], A[i:j], physics_list"""
    A = p.A
    if not isinstance(A, StackedPhysics):
        return
    x, n = p.input(), len(A)
    y = A.A(x)
    require(len(A.physics_list), n, "len(A.physics_list) is")
    require(list(A), A.physics_list, "list(A) is")
    require(stack(*A.physics_list), A, "stack(*A.physics_list) is")
    for i in (0, n - 1):
        same_bits(forward_each(A[i : i + 1], x, A.transform, i)[0], y[i])
    for i in (0, n - 1, -1):
        require(A[i], A.physics_list[i], f"A[{i}] is")
        p.near(A[i].A(x), y[i])  # alone it may take another FFT size than in the stack
    for part in (slice(0, 1), slice(n // 2, n), slice(None, None, -1)):
        require(A[part].physics_list, A.physics_list[part], f"A[{part}] is")
        p.near(A[part].A(x), y[part])


def cutting(p: Probe) -> None:
    """the bits of Aᴴ y for a stack do not depend on how its sensors are cut into blocks"""
    if not p.can_be_stacked:
        return
    A: Any = p.A
    S = A if isinstance(A, StackedPhysics) and len(A) > 2 else stack(A, 2 * A, -A, A, 0.3 * A)
    y = p.random(S.range_shape(p.shape), p.output_dtype)
    expected, n = S.A_adjoint(y), len(S)
    for cuts in ([0, 1, n], [0, n // 2, n], [*range(n), n], [0, n - 1, n]):
        blocks = [
            adjoint_parts(S[i:j], y[i:j], p.shape, S.transform, start=i) for i, j in itertools.pairwise(cuts)
        ]
        same_bits(S.transform.lower(PairwiseSum.join(blocks).total(), p.shape), expected)


def sensor_axis(p: Probe) -> None:
    """an operator with a sensor axis is cut along it: len, A[i], A[i:j], physics_list"""
    A = p.A
    if not isinstance(A, Joined):
        return
    x, n, after = p.input(), len(A), (slice(None),) * (-A.sensor_axis - 1)
    y = A.A(x)
    require(y.shape[A.sensor_axis], n, "the sensor axis has")
    require(len(A.physics_list), n, "len(A.physics_list) is")
    for i in (0, n - 1, -1):
        p.near(A[i].A(x), y[(..., i, *after)])
    same_bits(A.join(A.split(y)), y)
    cuts = [start for start, _ in A.bounds]
    for part in (slice(0, A.bounds[0][1]), slice(cuts[len(cuts) // 2], n)):
        require(len(A[part]), len(range(n)[part]), f"len(A[{part}]) is")
        p.near(A[part].A(x), y[(..., part, *after)])
    p.near(A.A_adjoint(y), sum(A[i].A_adjoint(y[(..., i, *after)]) for i in range(n)))


LAWS: tuple[Callable[[Probe], None], ...] = (stacking, slicing, cutting, sensor_axis)
