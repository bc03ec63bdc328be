"""Files that are damaged, newer, not ours or not safe: clear errors, and nothing half written."""

import contextlib
import json
import os
import pickle
import shutil

import dask.array
import numpy as np
import pytest
from cases import raises
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import daskphys
from daskphys.errors import (
    DaskphysError,
    MissingDependencyError,
    ParameterError,
    StorageError,
    StoreExistsError,
    StoreNotFoundError,
    UnknownKeywordError,
)
from daskphys.physics import Blur, Diagonal, FunctionOperator, Measurements, stack
from daskphys.storage.single import open_array

zarr = pytest.importorskip("zarr")
A = stack(*[Blur(np.random.default_rng(i).random((5, 5))) for i in range(3)])


@pytest.fixture
def store(tmp_path):
    A.to_zarr(tmp_path / "A.zarr")
    return tmp_path / "A.zarr"


def edit(store, change):
    """Let `change` edit what the file says of itself."""
    text = json.loads((store / "zarr.json").read_text())
    change(text["attributes"]["daskphys"])
    (store / "zarr.json").write_text(json.dumps(text))


def chunk(store):
    return next(path for path in sorted((store / "arrays" / "0" / "c").rglob("*")) if path.is_file())


def operator(said):
    return said["operator"]["runs"][0]["each"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.update(format=2, version="9.0"), ("format 2", "9.0", "update daskphys")),
        (lambda s: s.update(format="x"), ("damaged", "format")),
        (lambda s: s.update(kind="picture"), ("picture",)),
        (lambda s: s.pop("operator"), ("damaged",)),
        (lambda s: s.update(operator=[1]), ("damaged",)),
        (lambda s: operator(s).update({"class": "os.system"}), ("os.system", "may not be made")),
        (lambda s: operator(s).update({"class": "posix:system"}), ("posix:system", "classes=[system]")),
        (lambda s: operator(s).pop("fields"), ("damaged", "fields")),
        (lambda s: operator(s)["fields"].update(padding="wobbly"), ("damaged", "wobbly")),
        (lambda s: operator(s)["fields"].update(colour=1), ("damaged", "colour")),
        (lambda s: operator(s)["fields"].update(filter={"array": 7}), ("array 7",)),
        (lambda s: operator(s)["fields"].update(filter={"array": "../../x"}), ("damaged",)),
        (lambda s: operator(s)["fields"].update(filter={"pickle": "gASV"}), ("damaged", "pickle")),
        (lambda s: operator(s)["fields"].update(ndim={"each": [2]}), ("damaged",)),
        (lambda s: s["arrays"][0].update(shape=[9]), ("damaged", "array 0", "(9,)")),
        (lambda s: s.update(arrays=3), ("damaged",)),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_edited_json(change, said, lazy, store):
    edit(store, change)
    with raises(StorageError, str(store), *said):
        list(daskphys.open_physics(store, lazy=lazy))


def test_other_entries_than_were_written(store):
    edit(store, lambda said: said["arrays"][0].update(digest="00"))
    with raises(StorageError, str(store), "array 0 has other entries"):
        daskphys.open_physics(store)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_missing_chunk_is_no_zeros(lazy, store):
    chunk(store).unlink()
    with raises(StorageError, str(store), "0 of 1 chunks"):
        list(daskphys.open_physics(store, lazy=lazy))


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("cut", [True, False])
def test_a_cut_or_changed_chunk(lazy, cut, store):
    path = chunk(store)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data[: len(data) // 2] if cut else data)
    with raises(StorageError, str(store), "damaged"):
        list(daskphys.open_physics(store, lazy=lazy))


def test_links_are_not_followed_out_of_the_folder(store, tmp_path):
    secret = tmp_path / "secret"
    shutil.copy(chunk(store), secret)
    chunk(store).unlink()
    os.symlink(secret, chunk_place := store / "arrays" / "0" / "c" / "0" / "0" / "0")
    assert chunk_place.exists()
    with raises(StorageError, "outside its folder", "secret"):
        daskphys.open_physics(store)


def test_cut_json(store):
    text = (store / "zarr.json").read_text()
    (store / "zarr.json").write_text(text[: len(text) // 2])
    with raises(StorageError, str(store), "holds no operator"):
        daskphys.open_physics(store)


class Boom:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (print, ("a pickle was opened",))


@pytest.mark.parametrize(
    "coded", [{"filters": [{"id": "pickle", "protocol": 5}]}, {"compressor": {"id": "pickle"}}]
)
@pytest.mark.parametrize("dtype", ["<f8", "|O"])
def test_a_store_of_the_old_format_whose_codec_is_pickle(coded, dtype, tmp_path, capsys):
    """Version 2 of Zarr lets a file ask for it."""
    said = {
        "format": 1,
        "kind": "operator",
        "operator": {"class": "Diagonal", "fields": {"diagonal": {"array": 0}}},
    }
    said["arrays"] = [{"dtype": "float64", "shape": [3], "axis": 0, "digest": None}]
    folder = tmp_path / "A.zarr" / "arrays" / "0"
    folder.mkdir(parents=True)
    for group in (tmp_path / "A.zarr", folder.parent):
        (group / ".zgroup").write_text('{"zarr_format": 2}')
    (tmp_path / "A.zarr" / ".zattrs").write_text(json.dumps({"daskphys": said}))
    array = {"zarr_format": 2, "shape": [3], "chunks": [3], "dtype": dtype, "order": "C", "fill_value": 0}
    array |= {"filters": None, "compressor": None} | coded
    (folder / ".zarray").write_text(json.dumps(array))
    (folder / "0").write_bytes(pickle.dumps(Boom()))
    for use in (daskphys.open_physics, lambda path: open_array(path / "arrays" / "0").compute()):
        with raises(StorageError, str(tmp_path)):
            use(tmp_path / "A.zarr")
    assert capsys.readouterr().out == ""


def test_codecs_of_other_packages(store, monkeypatch):
    monkeypatch.setattr("zarr.codecs.ZstdCodec.__module__", "somewhere")
    with raises(StorageError, str(store), "codecs that are not Zarr's own"):
        daskphys.open_physics(store)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 9),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(
        [
            [],
            {},
            [1],
            {"array": 0},
            {"array": 0, "along": 0},
            {"tuple": []},
            {"each": [1]},
            {"class": "Blur", "fields": {}},
        ]
    ),
)


def places(node):
    """Where each part of a JSON is: what holds it, and its key there."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from places(node[key])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("kind", ["operator", "measurements"])
def test_whatever_the_json_says_errors_are_ours(kind, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "store.zarr"
    what = A if kind == "operator" else Measurements([np.ones((2, 3)), np.ones(4)])
    what.to_zarr(folder)
    reader = daskphys.open_physics if kind == "operator" else daskphys.open_measurements

    def damage(said):
        holder, key = data.draw(st.sampled_from(list(places(said))))
        holder[key] = data.draw(JUNK)

    edit(folder, damage)
    for lazy in (False, True):
        with contextlib.suppress(DaskphysError):
            list(reader(folder, lazy=lazy))


def test_a_package_that_an_operator_needs(store, monkeypatch):
    def needs(self):
        raise MissingDependencyError("needs the package finufft")

    monkeypatch.setattr(Blur, "_check", needs)
    with pytest.raises(MissingDependencyError):
        daskphys.open_physics(store)


def test_what_is_no_store(tmp_path):
    with raises(StoreNotFoundError, "nowhere"):
        daskphys.open_physics(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("hello")
    for name in ("empty", "file"):
        with raises(StorageError, name):
            daskphys.open_physics(tmp_path / name)


def test_measurements_and_operators_are_told_apart(store, tmp_path):
    with raises(StorageError, "open_physics reads it"):
        daskphys.open_measurements(store)
    Measurements([np.ones(2)]).to_zarr(tmp_path / "y.zarr")
    with raises(StorageError, "open_measurements reads it"):
        daskphys.open_physics(tmp_path / "y.zarr")


def test_nothing_is_replaced_unasked_and_nothing_of_others_ever(store, tmp_path):
    B = Diagonal(2.0)
    with raises(StoreExistsError, str(store), "overwrite=True"):
        B.to_zarr(store)
    assert daskphys.open_physics(store) == A
    B.to_zarr(store, overwrite=True)
    assert daskphys.open_physics(store) == B
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1").write_text("…")
    with raises(StoreExistsError, "not written by daskphys"):
        B.to_zarr(tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter1").read_text() == "…"


@pytest.mark.parametrize(
    "place",
    [
        "notes.txt",
        "arrays/notes.txt",
        "arrays/0/notes.txt",
        "arrays/0/c/notes.txt",
        "arrays/77/zarr.json",
        ".git",
    ],
)
def test_a_store_with_a_file_of_the_users_own_is_not_replaced(store, place):
    (store / place).parent.mkdir(exist_ok=True)
    (store / place).write_text("…")
    with raises(
        StoreExistsError, repr(place), "did not write", "overwrite=True does not replace it"
    ) as caught:
        A.to_zarr(store, overwrite=True)
    assert not caught.value.replaceable
    assert (store / place).read_text() == "…"
    assert daskphys.open_physics(store) == A
    (store / place).rename(store / ".DS_Store")  # which Finder leaves
    A[::-1].to_zarr(store, overwrite=True)
    assert daskphys.open_physics(store) == A[::-1]


def test_a_store_with_more_attributes_or_of_an_unknown_kind_is_not_replaced(store):
    with raises(StoreExistsError, "the attribute 'note'"):
        zarr.open_group(store).attrs["note"] = "mine"
        A.to_zarr(store, overwrite=True)
    del zarr.open_group(store).attrs["note"]
    for kind in ("future", ["operator"]):
        edit(store, lambda said, kind=kind: said.update(kind=kind))
        for what in (A, Measurements([np.ones(2)])):
            with raises(StoreExistsError, f"kind is {kind!r}"):
                what.to_zarr(store, overwrite=True)


def test_a_link_to_a_store_is_not_replaced(store, tmp_path):
    (tmp_path / "link").symlink_to(store)
    with raises(StoreExistsError, "is a link"):
        A[::-1].to_zarr(tmp_path / "link", overwrite=True)
    assert daskphys.open_physics(tmp_path / "link") == A


def computed(then):
    """Measurements that, when they are computed, are not the only thing that comes."""

    def block(a):
        then()
        return a

    numbers = dask.array.ones(2, chunks=2)
    return Measurements([numbers.map_blocks(block, dtype=float, meta=np.empty(0))])


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_comes_while_a_store_is_written_stays(tmp_path, overwrite):
    place = tmp_path / "y.zarr"

    def then():
        place.mkdir()
        (place / "precious.txt").write_text("…")

    y = computed(then)
    assert not place.exists()
    with raises(StoreExistsError, "not written by daskphys"):
        y.to_zarr(place, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["y.zarr"]
    assert [path.name for path in place.iterdir()] == ["precious.txt"]


def test_of_two_that_write_one_store_the_second_is_refused(tmp_path):
    first = Measurements([np.array([2.0, 3.0])])
    with raises(StoreExistsError, "is there already"):
        computed(lambda: first.to_zarr(tmp_path / "z")).to_zarr(tmp_path / "z")
    assert daskphys.open_measurements(tmp_path / "z")[0].tolist() == [2.0, 3.0]


def test_a_move_that_fails_leaves_what_was_there(store, tmp_path, monkeypatch):
    rename = os.rename

    def failing(source, target):
        if str(source).endswith("new"):
            raise OSError("no space left")
        rename(source, target)

    monkeypatch.setattr("os.rename", failing)
    with raises(StorageError, "no space left"):
        A[::-1].to_zarr(store, overwrite=True)
    assert daskphys.open_physics(store) == A
    assert [path.name for path in tmp_path.iterdir()] == ["A.zarr"]


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_names_that_no_file_can_have(name, tmp_path):
    with raises(StorageError, "cannot be written"):
        A.to_zarr(tmp_path / name)


def test_operators_are_not_replaced_by_measurements_nor_they_by_operators(store, tmp_path):
    y = Measurements([np.ones(2)])
    with raises(StoreExistsError, "its kind is 'operator', not 'measurements'"):
        y.to_zarr(store, overwrite=True)
    y.to_zarr(tmp_path / "y.zarr")
    y.to_zarr(tmp_path / "y.zarr", overwrite=True)
    with raises(StoreExistsError, "its kind is 'measurements', not 'operator'"):
        A.to_zarr(tmp_path / "y.zarr", overwrite=True)
    assert daskphys.open_physics(store) == A
    memory = zarr.storage.MemoryStore()
    A.to_zarr(memory)
    with raises(StoreExistsError, "its kind is 'operator'"):
        y.to_zarr(memory, overwrite=True)
    zarr.open_group(memory).create_array("mine", shape=3, dtype="f8")
    with raises(StoreExistsError, "'mine/zarr.json'"):
        A.to_zarr(memory, overwrite=True)


def test_a_place_under_a_file(tmp_path):
    (tmp_path / "file").write_text("…")
    with raises(StorageError, "is a file, not a folder", "file'"):
        A.to_zarr(tmp_path / "file" / "deeper" / "A.zarr")


def test_what_fails_leaves_what_was_there(store):
    with pytest.raises(StorageError):
        stack(Diagonal(np.ones(3)), FunctionOperator(abs, abs, (3,), (3,))).to_zarr(store, overwrite=True)
    assert daskphys.open_physics(store) == A
    assert [path.name for path in store.parent.iterdir()] == ["A.zarr"]


def test_a_file_that_changes_after_it_was_opened(store):
    lazy = daskphys.open_physics(store, lazy=True)
    assert lazy[0] == A[0]
    A[::-1].to_zarr(store, overwrite=True)
    again = lazy[:2]
    with raises(StorageError, "is not what it was"):
        pickle.loads(pickle.dumps(again))[1]


def test_arguments(store, tmp_path):
    with raises(ParameterError, "overwrite=True or False, got 'no'"):
        A.to_zarr(store, overwrite="no")
    (tmp_path / "empty").mkdir()
    A.to_zarr(tmp_path / "empty")  # where nothing is to be lost
    with raises(ParameterError, "@value", "classes="):
        daskphys.open_physics(store, classes=int)
    with raises(UnknownKeywordError, "lazy"):
        daskphys.open_physics(store, lasy=True)
    with raises(ParameterError, "classes"):
        daskphys.open_physics(store, classes=[int])
