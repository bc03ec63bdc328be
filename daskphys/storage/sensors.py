"""Sensors that are read when they are asked for."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Protocol

from dask.base import tokenize

from daskphys.physics.physics import Physics


class Maker(Protocol):
    """Makes sensors; it pickles, and is a factory for `distribute`."""

    def __call__(self, index: int) -> Physics: ...

    def run(self, index: int) -> int:
        """Which run of alike sensors one is of."""


class StoredSensors(Sequence[Any]):
    """The sensors of a stack in a store, each read when it is asked for.

    Parameters
    ----------
    maker
        Makes one sensor.
    chosen
        The numbers of the sensors that these are.
    """

    def __init__(self, maker: Maker, chosen: range) -> None:
        self.maker = functools.partial(_made, maker, chosen)
        self._maker, self._chosen = maker, chosen

    @functools.cached_property
    def _first(self) -> dict[int, int]:
        """Of each run the first sensor that is one of these."""
        first: dict[int, int] = {}
        for own, index in enumerate(self._chosen):
            first.setdefault(self._maker.run(index), own)
        return first

    @functools.cached_property
    def kinds(self) -> tuple[Any, ...]:
        """One sensor of each run, which tells of all in it."""
        return tuple(self[own] for own in self._first.values())

    @property
    def unlike(self) -> tuple[int, ...]:
        """Those that may have other shapes than the first."""
        run = self._maker.run
        return tuple(own for own, i in enumerate(self._chosen) if run(i) != run(self._chosen[0]))

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return StoredSensors(self._maker, self._chosen[index])
        return self._maker(self._chosen[index])

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return ("StoredSensors", tokenize(self._maker), self._chosen)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredSensors) and self.__dask_tokenize__() == other.__dask_tokenize__()

    def __hash__(self) -> int:
        return hash(self.__dask_tokenize__())


def _made(maker: Maker, chosen: range, index: int) -> Physics:
    return maker(chosen[index])
