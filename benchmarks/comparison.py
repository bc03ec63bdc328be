"""The products of daskphys against the same mathematics by hand and by deepinv, on one machine, in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.peers import hand
from benchmarks.problems import Problem, relative
from benchmarks.rivals import AGREES, Rivals, add_rows
from benchmarks.timing import TIMES, Bench, Case
from daskphys.physics.stack import StackedPhysics

#: How AᵀA grows with the sensors is shown on this image.
GROWTH = (3, 512, 512)

#: So many sensors' results of A are compared.
CHECKED = 8

PROBLEMS = (
    Problem(3, (3, 767, 512)),
    Problem(3, GROWTH),
    Problem(8, GROWTH),
    Problem(32, GROWTH),
    Problem(128, GROWTH),
    Problem(8, (2048, 2048)),
    Problem(8, (128, 128, 128), ndim=3),
    Problem(8, (16, 3, 256, 256)),
)


def merged_growth(bench: Bench) -> Case:
    sizes = (1, 8) if bench.quick else (1, 3, 8, 32, 128)
    x = Problem(1, GROWTH).image()
    case = Case("growth", f"AᵀA merged for more and more sensors, all in turns, 512²×3 float32 ({TIMES})")
    operators = {n: Problem(n, GROWTH).operator() for n in sizes}
    calls: dict[str, Callable[[], Any]] = {
        f"N={n}": lambda A=A: A.A_adjoint_A(x) for n, A in operators.items()
    }
    times = bench.time(calls | {"bare pair": lambda: hand.pair(x, x.shape[-2:])}, seconds=12)
    case.timings["AᵀA merged, growth"] = times
    for name in times.rounds:
        row = {"AᵀA merged": name, "time": times.ms(name), "÷ N=1": times.ratio(name, "N=1")}
        case.rows.append(row | {"÷ bare pair": times.ratio(name, "bare pair")})
    return case


def products_of(problem: Problem) -> Callable[[Bench], Case]:
    """The case that compares A, Aᵀ and AᵀA on a problem."""

    def compare(bench: Bench) -> Case:
        case = Case(problem.name, f"A, Aᵀ and AᵀA, {problem.label}, float32 ({TIMES})")
        A, x = problem.operator(), problem.image()
        y = A(x)
        calls = in_process(A, x, y, problem.space)
        ours = {"A": np.stack(list(y[:CHECKED])), "Aᵀ": A.A_adjoint(y), "AᵀA": A.A_adjoint_A(x)}
        for product, variants in calls.items():
            agree(product, variants, ours[product])
        with Rivals.of(bench, A, x, list(calls)) as rivals:
            for product, variants in calls.items():
                rivals.check(product, ours[product])
                times = rivals.time(product, variants, seconds=5)
                case.timings[f"{product}, {problem.label}"] = times
                add_rows(case, product, times, rivals.chosen)
        if "torch by hand" not in calls["A"]:
            case.notes.append("torch by hand: not installed")
        case.notes += bench.peers.notes()
        return case

    compare.__name__ = problem.name
    return compare


def in_process(
    A: StackedPhysics, x: np.ndarray, y: Any, space: tuple[int, ...]
) -> dict[str, dict[str, Callable[[], Any]]]:
    """What runs in this process, by product and by whose it is."""
    by_hand = hand.numpy_by_hand(A, space)
    found: dict[str, dict[str, Callable[[], Any]]] = {
        "A": {"daskphys": lambda: A(x), "NumPy by hand": lambda: by_hand.A(x)},
        "Aᵀ": {"daskphys": lambda: A.A_adjoint(y), "NumPy by hand": lambda: by_hand.At(y)},
        "AᵀA": {
            "daskphys": lambda: A.A_adjoint_A(x),
            "bare pair": lambda: hand.pair(x, space),
            "NumPy by hand": lambda: by_hand.AtA(x),
        },
    }
    torch = hand.torch_by_hand(A, space)
    if torch is not None:
        found["A"]["torch by hand"] = lambda: torch.A(x)
        found["Aᵀ"]["torch by hand"] = lambda: torch.At(y)
        found["AᵀA"]["torch by hand"] = lambda: torch.AtA(x)
    return found


def agree(product: str, variants: Mapping[str, Callable[[], Any]], ours: np.ndarray) -> None:
    """All but the bare pair are the same mathematics."""
    for name, call in variants.items():
        if name not in ("daskphys", "bare pair"):
            theirs = call()
            if isinstance(theirs, list):
                theirs = np.stack([np.asarray(a) for a in theirs[: len(ours)]])
            far = relative(np.asarray(theirs).reshape(ours.shape), ours)
            assert far < AGREES, f"{product}, {name}: relative difference {far:.2g}"


CASES = (merged_growth, *map(products_of, PROBLEMS))
