"""An operator from its JSON and arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from daskphys.errors import DaskphysError, MissingDependencyError, StorageError, describe
from daskphys.physics.checks import is_count
from daskphys.physics.physics import Physics
from daskphys.physics.stack import stacked
from daskphys.storage.classes import found

#: Gives the array of a number, or the entry of one sensor of it.
Arrays = Callable[[int, int | None], Any]


@contextlib.contextmanager
def damage_named(where: str) -> Iterator[None]:
    """Errors of this package alone, whatever a damaged file holds."""
    try:
        yield
    except (StorageError, MissingDependencyError):
        raise
    except DaskphysError as error:  # the operator's own check of its parameters
        raise StorageError(f"{where} is damaged: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise StorageError(
            f"{where} is damaged: its JSON does not describe an operator ({type(error).__name__}: {error})"
        ) from error


@dataclass(frozen=True)
class Decoder:
    """Makes what a file's JSON says.

    Parameters
    ----------
    where
        The file, as errors name it.
    classes
        Those that may be made, by their names.
    arrays
        ``arrays(number, index)`` gives an array, or entry `index` of its first axis.
    along
        Gives an array that has one entry for each sensor of an operator with a sensor axis.
    """

    where: str
    classes: Mapping[str, type]
    arrays: Arrays
    along: Callable[[int], Any]

    def whole(self, node: Any, index: int | None = None) -> Any:
        """What a JSON says, or an error of this package, whatever a damaged file holds."""
        with damage_named(self.where):
            made = self.made(node, index)
        if not isinstance(made, Physics):
            raise StorageError(
                f"{self.where} is damaged: expected an operator in its JSON, got {describe(made)}"
            )
        return made

    def made(self, node: Any, index: int | None = None) -> Any:
        """What a part of the JSON says; `index` is the sensor of a run."""
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if not isinstance(node, dict):
            raise StorageError(f"{self.where} is damaged: expected a value in its JSON, got {describe(node)}")
        if "class" in node:
            cls = found(node["class"], self.classes, self.where)
            if "runs" in node:
                return self._stack(node)
            return cls(**{name: self.made(field, index) for name, field in node["fields"].items()})
        if "tuple" in node:
            return tuple(self.made(item, index) for item in node["tuple"])
        if "array" in node:
            if "sensors" in node:
                return self.along(int(node["array"]))
            return self.arrays(int(node["array"]), index if "along" in node else None)
        if "each" in node:
            if index is None:
                raise StorageError(
                    f"{self.where} is damaged: a list of sensors' values outside a run of sensors"
                )
            return self.made(node["each"][index])
        if "float" in node:
            return float(node["float"])
        if "complex" in node:
            real, imaginary = node["complex"]
            return complex(self.made(real), self.made(imaginary))
        raise StorageError(f"{self.where} is damaged: its JSON has an entry of {', '.join(map(str, node))}")

    def _stack(self, node: Any) -> Any:
        runs = runs_of(node, self.where)
        return stacked(tuple(self.made(run["each"], i) for run in runs for i in range(run["count"])))


def runs_of(node: Any, where: str) -> list[Any]:
    """The runs of alike sensors of a stack's JSON."""
    runs = node["runs"]
    if not (
        isinstance(runs, list)
        and runs
        and all(isinstance(run, dict) and "each" in run and is_count(run.get("count")) for run in runs)
    ):
        raise StorageError(f"{where} is damaged: a stack in its JSON does not say which sensors it has")
    return runs
