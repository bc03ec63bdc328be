"""Stores that are no folders, and what is there already: nothing of others is ever removed."""

import sys
from pathlib import Path
from types import SimpleNamespace

import dask.array
import numpy as np
import pytest
from cases import raises

import daskphys
from daskphys.errors import MissingDependencyError, StorageError, StoreExistsError, StoreNotFoundError
from daskphys.physics import Blur, Diagonal, FunctionOperator, Measurements, stack

zarr = pytest.importorskip("zarr")
A = stack(*[Blur(np.random.default_rng(i).random((5, 5))) for i in range(3)])
UNWRITABLE = stack(Diagonal(np.ones(3)), FunctionOperator(abs, abs, (3,), (3,)))


@pytest.mark.parametrize("made", [lambda path: f"file://{path}", zarr.storage.LocalStore])
def test_other_names_of_a_folder(made, tmp_path):
    place = made(tmp_path / "A.zarr")
    A.to_zarr(place)
    assert daskphys.open_physics(place) == daskphys.open_physics(tmp_path / "A.zarr") == A
    with raises(StoreExistsError, str(tmp_path / "A.zarr")):
        A.to_zarr(place)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1").write_text("…")
    with raises(StoreExistsError, "not written by daskphys"):
        A.to_zarr(made(tmp_path / "thesis"), overwrite=True)
    assert (tmp_path / "thesis" / "chapter1").read_text() == "…"


def test_a_url_of_fsspec():
    url = "memory://test_a_url_of_fsspec"
    with raises(StoreNotFoundError, url):
        daskphys.open_physics(url)
    A.to_zarr(url)
    assert daskphys.open_physics(url) == A
    assert list(daskphys.open_physics(url, lazy=True)) == list(A)


def test_what_is_in_another_store_stays():
    store = zarr.storage.MemoryStore()
    zarr.create_group(store).create_array("mine", shape=3, dtype="f8")
    for overwrite, said in ((False, "not written by daskphys"), (True, "overwrite=True does not replace it")):
        with raises(StoreExistsError, said):
            A.to_zarr(store, overwrite=overwrite)
    assert list(zarr.open_group(store)) == ["mine"]
    array = zarr.storage.MemoryStore()
    zarr.create_array(array, shape=3, dtype="f8")
    with raises(StoreExistsError, "not written by daskphys"):
        A.to_zarr(array, overwrite=True)


def test_files_in_a_place_that_is_no_group_stay():
    """Of a file system that is not Zarr's alone."""
    files = pytest.importorskip("fsspec").filesystem("memory")
    url = "memory://thesis"
    files.pipe("/thesis/chapter1.txt", b"...")
    for overwrite in (False, True):
        for operator in (A, UNWRITABLE):
            with raises(StoreExistsError, "not written by daskphys"):
                operator.to_zarr(url, overwrite=overwrite)
    assert files.cat("/thesis/chapter1.txt") == b"..."
    A.to_zarr("memory://own")
    A[::-1].to_zarr("memory://own", overwrite=True)
    for key in ("notes.txt", "arrays/notes.txt"):
        files.pipe(f"/own/{key}", b"...")
        with raises(StoreExistsError, repr(key), "did not write"):
            A.to_zarr("memory://own", overwrite=True)
        assert files.cat(f"/own/{key}") == b"..."
        files.rm(f"/own/{key}")
    assert daskphys.open_physics("memory://own") == A[::-1]


@pytest.mark.parametrize("made", [zarr.storage.MemoryStore, dict, lambda: "memory://lazy"])
def test_what_is_read_from_a_store_can_replace_it(made):
    store = made()
    y = A(np.random.default_rng(0).random((20, 20)))
    y.to_zarr(store)
    for _ in range(2):
        lazy = daskphys.open_measurements(store, lazy=True)
        lazy.to_zarr(store, overwrite=True)
        assert all(np.array_equal(a, b) for a, b in zip(daskphys.open_measurements(store), y, strict=True))
    (lazy * 2.0).to_zarr(store, overwrite=True)
    assert np.array_equal(daskphys.open_measurements(store)[2], 2.0 * y[2])
    other = made() if not isinstance(store, str) else "memory://operator"
    operator = stack(*[Diagonal(np.random.default_rng(i).random((8, 8))) for i in range(4)])
    operator.to_zarr(other)
    daskphys.open_physics(other, lazy=True)[::-1].to_zarr(other, overwrite=True)
    assert daskphys.open_physics(other) == operator[::-1]
    with pytest.raises(StorageError):
        UNWRITABLE.to_zarr(other, overwrite=True)
    assert daskphys.open_physics(other) == operator[::-1]


def test_what_comes_while_a_store_that_cannot_be_moved_fails_stays():
    store = zarr.storage.MemoryStore()

    def block(a):
        zarr.create_array(store, name="mine", shape=3, dtype="f8")
        raise ValueError("no numbers")

    numbers = dask.array.ones(2, chunks=2).map_blocks(block, dtype=float, meta=np.empty(0))
    with pytest.raises(ValueError, match="no numbers"):
        Measurements([numbers]).to_zarr(store)
    assert zarr.open_array(store, path="mine").shape == (3,)
    assert all(key.startswith("mine/") for key in store._store_dict)


def test_of_two_that_replace_one_store_one_is_there_whole():
    store = zarr.storage.MemoryStore()
    A.to_zarr(store)
    y = A(np.ones((20, 20)))
    held = zarr.storage.MemoryStore()
    y.to_zarr(held)

    def block(a):
        (y * 2.0).to_zarr(held, overwrite=True)  # while the other is computed
        return a

    numbers = dask.array.ones(2, chunks=2).map_blocks(block, dtype=float, meta=np.empty(0))
    Measurements([numbers]).to_zarr(held, overwrite=True)
    assert daskphys.open_measurements(held)[0].tolist() == [1.0, 1.0]
    assert not any(".daskphys/" in key for key in held._store_dict)


class Full(zarr.storage.MemoryStore):
    """A store that has no room for the last things."""

    room = 10**9

    async def set(self, key, value, byte_range=None):
        if not key.startswith("."):
            self.room -= 1
            if self.room < 0:
                raise OSError("no space left")
        await super().set(key, value, byte_range)


def test_a_copy_that_fails_leaves_what_was_written_whole():
    store = Full()
    A.to_zarr(store)
    store.room = 3
    with raises(StorageError, "no space left", "is complete at"):
        A[::-1].to_zarr(store, overwrite=True)
    (staged,) = {key.split("/")[0] for key in store._store_dict if key.startswith(".")}
    assert daskphys.open_physics(zarr.storage.StorePath(store, staged)) == A[::-1]
    with raises(StorageError, "cut short"):
        daskphys.open_physics(store)
    store.room = 10**9
    A.to_zarr(store, overwrite=True)
    assert daskphys.open_physics(store) == A


def test_a_part_of_a_store_of_files_is_a_folder(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1").write_text("…")
    root = zarr.storage.LocalStore(tmp_path)
    with raises(StoreExistsError, str(tmp_path / "thesis")):
        A.to_zarr(zarr.storage.StorePath(root, "thesis"), overwrite=True)
    A.to_zarr(zarr.storage.StorePath(root, "A"))
    assert daskphys.open_physics(tmp_path / "A") == A


def test_places_that_cannot_be_written(tmp_path):
    with raises(StorageError, "cannot be written"):
        A.to_zarr(zarr.storage.LocalStore(tmp_path / "A", read_only=True))
    for url in ("file://there/A.zarr", f"file://{tmp_path}/run#3.zarr", f"file://{tmp_path}/run?3"):
        with raises(StorageError, url, "file:///folder"):
            A.to_zarr(url)
    A.to_zarr(f"file://localhost{tmp_path}/run%233.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["run#3.zarr"]


def test_what_fails_leaves_nothing_in_another_store():
    store = {}
    with pytest.raises(StorageError):
        UNWRITABLE.to_zarr(store)
    assert store == {}
    A.to_zarr(store)
    assert daskphys.open_physics(store) == A


def test_what_was_cut_short_in_another_store(monkeypatch):
    """A process that is killed cannot remove what it wrote; the mark comes last."""
    store = {}
    with monkeypatch.context() as patched:
        patched.setattr("zarr.storage.StorePath.delete", lambda self: _nothing())
        with pytest.raises(StorageError):
            UNWRITABLE.to_zarr(store)
    with raises(StorageError, "cut short"):
        daskphys.open_physics(store)
    A.to_zarr(store, overwrite=True)
    assert daskphys.open_physics(store) == A


async def _nothing():
    pass


@pytest.mark.parametrize("store", [None, 3])
def test_what_is_no_store(store):
    with raises(StorageError, repr(store), "written"):
        A.to_zarr(store)


def test_a_zip_is_read_and_not_written(tmp_path):
    with zarr.storage.ZipStore(tmp_path / "A.zip", mode="w") as packed:
        with raises(StorageError, "A.zip", "make_archive"):
            A.to_zarr(packed)
        zarr.create_group(packed)


def test_a_file_system_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    for use in (lambda: A.to_zarr("s3://bucket/A"), lambda: daskphys.open_physics("s3://bucket/A")):
        with raises(MissingDependencyError, "s3"):
            use()


@pytest.mark.parametrize("package", [None, SimpleNamespace(__version__="2.18.7")])
def test_zarr_is_missing_or_old(package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "zarr", package)
    for use in (lambda: A.to_zarr(tmp_path / "A"), lambda: daskphys.open_physics(tmp_path / "A")):
        with raises(MissingDependencyError, "pip install 'zarr>=3'"):
            use()
    assert not list(Path(tmp_path).iterdir())
