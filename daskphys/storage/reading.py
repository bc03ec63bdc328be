"""Reading operators and measurements from a store."""

from __future__ import annotations

import bisect
import functools
import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from daskphys.errors import StorageError, checks_keywords
from daskphys.physics.measurements import Measurements
from daskphys.physics.stack import stacked
from daskphys.storage import groups, places
from daskphys.storage.arrays import checked, digest_of, read
from daskphys.storage.classes import known_classes
from daskphys.storage.decoding import Decoder, damage_named, runs_of
from daskphys.storage.packed import unpacked
from daskphys.storage.sensors import StoredSensors


@checks_keywords
def open_physics(store: Any, *, lazy: bool = False, classes: Sequence[type] = ()) -> Any:
    """The operator that `A.to_zarr` wrote.

    A file holds arrays and JSON, and no code: opening a stranger's runs nothing of theirs.

    Parameters
    ----------
    store : path, URL or Zarr store
        Where it is.  A file whose name ends in .zip is read whole, also with `lazy`.
    lazy : bool
        False: in memory, equal to what was written.  True: the parameters of a stack of alike sensors are read a sensor at
        a time, at each product; those that an operator with a sensor axis (coils, visibilities) has for each sensor are Dask arrays.
        `daskphys.distributed.distribute` has either read on the workers, which must see the store where this process sees it.
    classes : sequence of class
        Operators of your own that the file may hold, whose code you trust.

    Returns
    -------
    Physics
        The operator.

    Raises
    ------
    StoreNotFoundError
        There is no such store.
    StorageError
        It is no store of an operator, is damaged, of a newer format, names a class that is not known, or points outside its
        folder.
    MissingDependencyError
        The package zarr is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import daskphys
    >>> from daskphys.physics import Blur, gaussian_blur, stack
    >>> A = stack(*[Blur(gaussian_blur(s)) for s in (1.0, 2.0, 3.0)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     A.to_zarr(f"{folder}/blurs.zarr")
    ...     daskphys.open_physics(f"{folder}/blurs.zarr") == A
    True
    """
    classes = (classes,) if isinstance(classes, type) else tuple(classes)
    with unpacked(store) as source:
        lazy = lazy and source is store  # a zip is closed again, so it is read whole
        group, said = groups.opened(source, "operator")
        stack = _lazy_stack(said, store, classes) if lazy else None
        if stack is not None:
            return stack
        reader = Reader(group, tuple(said["arrays"]), places.name(store), lazy)
        return _decoder(reader, classes).whole(said["operator"])


@checks_keywords
def open_measurements(store: Any, *, lazy: bool = False) -> Measurements:
    """The measurements that `y.to_zarr` wrote: one array a sensor.

    Parameters
    ----------
    store : path, URL or Zarr store
        Where they are.  A file whose name ends in .zip is read whole, also with `lazy`.
    lazy : bool
        Whether they are Dask arrays, read when they are needed.

    Returns
    -------
    Measurements
        Of NumPy arrays, or of Dask arrays.

    Raises
    ------
    StoreNotFoundError, StorageError, MissingDependencyError
        As `open_physics`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import daskphys
    >>> from daskphys.physics import Measurements
    >>> y = Measurements([np.ones((2, 2)), np.ones(3)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     y.to_zarr(f"{folder}/y.zarr")
    ...     daskphys.open_measurements(f"{folder}/y.zarr").shapes
    ((2, 2), (3,))
    """
    with unpacked(store) as source:
        group, said = groups.opened(source, "measurements")
        reader = Reader(group, tuple(said["arrays"]), places.name(store), lazy)
        numbers = said["measurements"]
        if not isinstance(numbers, list) or not all(isinstance(number, int) for number in numbers):
            raise StorageError(f"{places.name(store)} is damaged: its JSON does not list measurements")
        if source is not store:  # a zip is closed again, so it is read whole
            return Measurements(da.from_array(reader(n)) if lazy else reader(n) for n in numbers)
        return Measurements(reader.dask(n) if lazy else reader(n) for n in numbers)


@dataclass
class Reader:
    """The arrays of an open store, checked when they are first asked for."""

    group: Any
    listed: tuple[Any, ...]
    where: str
    lazy: bool
    _open: dict[int, Any] = field(default_factory=dict)
    _whole: dict[int, np.ndarray] = field(default_factory=dict)
    _chunks: dict[int, tuple[int, Any]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def array(self, number: int) -> Any:
        """The Zarr array of a number."""
        if number not in self._open:
            said = self.listed[number] if 0 <= number < len(self.listed) else None
            self._open[number] = checked(self.group, number, said, self.where)
        return self._open[number]

    def __call__(self, number: int, index: int | None = None) -> np.ndarray:
        """An array in memory, or entry `index` of its first axis."""
        with self._lock:
            if index is None or not self.lazy:
                if number not in self._whole:
                    self._whole[number] = self._read(number)
                return self._whole[number] if index is None else self._whole[number][index]
            array = self.array(number)
            chunk, within = divmod(index, array.chunks[0])
            kept = self._chunks.get(number)
            if kept is None or kept[0] != chunk:
                part = slice(chunk * array.chunks[0], (chunk + 1) * array.chunks[0])
                self._chunks[number] = kept = (chunk, read(array, part, self.where))
            return np.array(kept[1][within])

    def _read(self, number: int) -> np.ndarray:
        array = self.array(number)
        whole = read(array, ..., self.where)
        said = self.listed[number]
        if said["digest"] not in (None, digest_of(whole, said["axis"], array.chunks)):
            raise StorageError(f"{self.where} is damaged: array {number} has other entries than were written")
        return whole

    def along(self, number: int) -> Any:
        """An array that has one entry a sensor: a Dask array where it is large and reading is lazy."""
        array = self.array(number)
        if not self.lazy or array.nchunks <= 1:
            return self(number)
        return self.dask(number)

    def dask(self, number: int) -> Any:
        """An array as a Dask array, whose chunks are whole ones of the file."""
        return da.from_array(self.array(number))


@dataclass(eq=False)
class SensorOf:
    """Makes one sensor of a stack in a store: pickles as the store's name, and is a factory for `distribute`."""

    store: Any
    classes: tuple[type, ...]
    token: str

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return ("SensorOf", self.token)

    def __getstate__(self) -> dict[str, Any]:
        return {"store": self.store, "classes": self.classes, "token": self.token}

    @functools.cached_property
    def _opened(self) -> tuple[Decoder, list[Any], list[int]]:
        group, said = groups.opened(self.store, "operator")
        where = places.name(self.store)
        if tokenize(said) != self.token:
            raise StorageError(f"{where} is not what it was when it was opened: open it again")
        decoder = _decoder(Reader(group, tuple(said["arrays"]), where, lazy=True), self.classes)
        runs = runs_of(said["operator"], where)
        return decoder, runs, [0, *itertools.accumulate(run["count"] for run in runs)]

    def run(self, index: int) -> int:
        """Which run of alike sensors one is of."""
        return bisect.bisect_right(self._opened[2], index) - 1

    def __call__(self, index: int) -> Any:
        decoder, runs, starts = self._opened
        run = self.run(index)
        return decoder.whole(runs[run]["each"], index - starts[run])


def _decoder(reader: Reader, classes: tuple[type, ...]) -> Decoder:
    return Decoder(reader.where, known_classes(classes), reader, reader.along)


def _lazy_stack(said: Any, store: Any, classes: tuple[type, ...]) -> Any:
    """The stack of a file that holds one, without a look at its sensors but for the first of each kind; else None."""
    if not isinstance(said["operator"], dict) or "runs" not in said["operator"]:
        return None
    place = places.local(store)
    count = sum(run["count"] for run in runs_of(said["operator"], places.name(store)))
    maker = SensorOf(store if place is None else str(place), classes, tokenize(said))
    with damage_named(places.name(store)):
        return stacked(StoredSensors(maker, range(count)))
