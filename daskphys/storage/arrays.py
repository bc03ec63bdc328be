"""The arrays of a store: numbered, in chunks that hold whole sensors, with checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.errors import StorageError, describe
from daskphys.storage import computed

#: Sensors share a chunk up to so many bytes; one chunk of an array without sensors has at most `_LARGE`.
_CHUNK = 1 << 20
_LARGE = 1 << 26


#: What a file may hold; extended precision differs from machine to machine.
_DTYPES = frozenset(np.dtype(code).name for code in "?bhilqBHILQefdFD")


class Writer:
    """Writes arrays into a Zarr group, numbers them, and knows what to say of each."""

    def __init__(self, group: Any) -> None:
        self.group = group
        self._known: dict[str, int] = {}
        self._lazy: list[tuple[Any, Any]] = []
        #: dtype, shape, axis and digest of each array.
        self.listed: list[dict[str, Any]] = []

    def add(self, array: Any, axis: int = 0) -> int:
        """The number of an array; one that is there already is not written again.

        `axis` counts sensors, or is the one that large arrays are cut along.
        """
        if doors.is_lazy(array):
            return self._later(array, axis)
        array = in_memory(array)
        digest = f"{axis} {backend.digest(array)}"
        if digest not in self._known:
            stream = self.stream(array, array.shape, axis % max(array.ndim, 1))
            for index in stream.chunks():
                stream.put(index, np.asarray(array[index]))
            self._known[digest] = stream.end()
        return self._known[digest]

    def _later(self, array: Any, axis: int) -> int:
        """The number of an array that is computed and written when all are known."""
        axis %= max(array.ndim, 1)
        array, chunks = computed.cut(array, axis)
        number = len(self.listed)
        made = create(self.group, f"arrays/{number}", array.shape, chunks, native(array))
        self._lazy.append((array, made))
        said = {"dtype": made.dtype.name, "shape": list(array.shape), "axis": axis, "digest": None}
        self.listed.append(said)
        return number

    def finish(self) -> list[dict[str, Any]]:
        """What to say of each array, when what is lazy has been computed: all at once, for arrays may share work."""
        computed.store(self._lazy, self.group.store)
        for _, made in self._lazy:
            if present(made) != made.nchunks:
                raise StorageError(
                    f"{made.store_path} was not written by all workers ({present(made)} of {made.nchunks} chunks are there): "
                    f"they must see the store under the name that this process has for it"
                )
        return self.listed

    def stream(self, like: Any, shape: tuple[int, ...] | None = None, axis: int = 0) -> Stream:
        """An array to be written part by part: of `shape`, or with a sensor axis before the axes of `like`."""
        return Stream(self, native(like), tuple(like.shape), shape, axis)


class Stream:
    """One array that is written part by part along an axis, with its digest."""

    def __init__(
        self,
        writer: Writer,
        dtype: np.dtype,
        like: tuple[int, ...],
        shape: tuple[int, ...] | None,
        axis: int,
    ) -> None:
        self._writer, self._axis = writer, axis
        grows = shape is None
        whole = (0, *like) if shape is None else tuple(shape)
        one = dtype.itemsize * backend.size(whole[:axis] + whole[axis + 1 :])
        per = max(1, (_CHUNK if grows or axis or len(whole) > 1 else _LARGE) // max(1, one))
        self._per = per if grows or not whole else max(1, min(per, whole[axis]))
        self._shape, self._waiting = whole, list[np.ndarray]()
        chunks = tuple(self._per if i == axis else max(1, n) for i, n in enumerate(whole))
        self._number = len(writer.listed)
        writer.listed.append({})
        self._array = create(writer.group, f"arrays/{self._number}", whole, chunks, dtype)
        self._hash = hashlib.blake2b(digest_size=16)

    def chunks(self) -> Iterator[Any]:
        """The parts of an array whose shape is known, as indexes."""
        if not self._shape:
            yield ()
            return
        for start in range(0, self._shape[self._axis], self._per):
            yield (
                *(slice(None),) * self._axis,
                slice(start, min(start + self._per, self._shape[self._axis])),
            )

    def put(self, index: Any, part: np.ndarray) -> None:
        """Write one part."""
        part = part.astype(self._array.dtype, copy=False)  # its bytes may have another order
        self._hash.update(part.tobytes())  # in C order, whatever that of its memory
        self._array[index] = part

    def append(self, entry: Any) -> None:
        """The next sensor's entry."""
        self._waiting.append(in_memory(entry))
        if len(self._waiting) == self._per:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            n = self._shape[0]
            self._shape = (n + len(self._waiting), *self._shape[1:])
            self._array.resize(self._shape)
            self.put(slice(n, self._shape[0]), np.stack(self._waiting))
            self._waiting = []

    def end(self) -> int:
        """The number of the array, which is complete."""
        self._flush()
        self._writer.listed[self._number] = {
            "dtype": self._array.dtype.name,
            "shape": list(self._shape),
            "axis": self._axis,
            "digest": self._hash.hexdigest(),
        }
        return self._number


def in_memory(array: Any) -> np.ndarray:
    """An array of any library as one of NumPy; a tensor's gradients are no part of it."""
    array = array.detach() if hasattr(array, "detach") else array
    return np.asarray(backend.to_numpy(doors.to_core(array)))


def native(array: Any) -> np.dtype:
    """The dtype of an array in a file, in this machine's order of bytes."""
    dtype: np.dtype = np.dtype(array.dtype).newbyteorder("=")
    if dtype.name not in _DTYPES:
        raise StorageError(
            f"an array of {array.dtype} cannot be written: a file holds truth values, and integers, real and complex numbers "
            f"of at most double precision"
        )
    return dtype


def create(group: Any, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: np.dtype) -> Any:
    """An empty Zarr array whose chunks have checksums, and are all written, so that a missing one is noticed."""
    from zarr.codecs import Crc32cCodec, ZstdCodec

    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        config={"write_empty_chunks": True},
    )


def checked(group: Any, number: int, said: Any, where: str) -> Any:
    """The Zarr array of a number, which must be what the file's JSON says of it, with all its chunks there."""
    try:
        array = group[f"arrays/{number}"]
        dtype, shape, axis, digest = (said[name] for name in ("dtype", "shape", "axis", "digest"))
        shape, got = tuple(shape), tuple(array.shape)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise StorageError(
            f"{where} is damaged: its array {number} is not there or no array ({describe(error)}): get a whole copy"
        ) from error
    check_numbers(array, where)
    if (np.dtype(array.dtype).name, got) != (dtype, shape):
        raise StorageError(
            f"{where} is damaged: expected array {number} of {dtype} {shape}, got {array.dtype} {got}"
        )
    if type(axis) is not int or not 0 <= axis < max(1, len(got)) or not isinstance(digest, str | None):
        raise StorageError(f"{where} is damaged: it does not say how array {number} is cut")
    if present(array) != array.nchunks:
        raise StorageError(
            f"{where} is damaged: array {number} has {present(array)} of {array.nchunks} chunks: get a whole copy"
        )
    return array


def check_numbers(array: Any, where: str) -> None:
    """Refuse a Zarr array whose reading might run code: objects, and codecs of other packages."""
    if np.dtype(array.dtype).name not in _DTYPES:
        raise StorageError(f"{where}: {array.path} has dtype {array.dtype}, and only numbers are read")
    codecs = [c for c in (*array.filters, array.serializer, *array.compressors) if c is not None]
    if not all(type(codec).__module__.startswith(("zarr.codecs", "numcodecs")) for codec in codecs):
        raise StorageError(f"{where}: {array.path} has codecs that are not Zarr's own: {codecs}")
    if any(getattr(codec, "codec_id", "") == "pickle" for codec in codecs):
        raise StorageError(f"{where}: {array.path} is pickled, and a pickle may run any code")


def present(array: Any) -> int:
    """How many chunks of a Zarr array are there; its own count takes time in the square of them."""
    from zarr.core.sync import sync

    store, path = array.store, array.path
    grid = [-(-n // size) for n, size in zip(array.shape, array.chunks, strict=True)]

    async def keys() -> set[str]:
        return {key async for key in store.list_prefix(f"{path}/")}

    def is_chunk(key: str) -> bool:
        head, *index = key.removeprefix(f"{path}/").split("/")
        known = head == "c" and len(index) == len(grid) and all(map(str.isdecimal, index))
        return known and all(int(i) < n for i, n in zip(index, grid, strict=True))

    return sum(map(is_chunk, sync(keys())))


def read(array: Any, index: Any, where: str) -> np.ndarray:
    """A part of a Zarr array in memory, or an error that names the file where its checksum or length is wrong."""
    try:
        return np.asarray(array[index])
    except (ValueError, RuntimeError, OSError) as error:  # each codec has its own way to say it
        raise StorageError(
            f"{where} is damaged: {array.path} cannot be read ({error}): get a whole copy"
        ) from error


def digest_of(whole: np.ndarray, axis: int, chunks: tuple[int, ...]) -> str:
    """The digest of an array as `Stream` takes it: chunk by chunk along `axis`."""
    made = hashlib.blake2b(digest_size=16)
    n = chunks[axis] if chunks else 1
    for start in range(0, whole.shape[axis] if chunks else 1, n):
        part = whole[(*(slice(None),) * axis, slice(start, start + n))] if chunks else whole
        made.update(part.tobytes())
    return made.hexdigest()
