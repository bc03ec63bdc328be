"""Operators and measurements come back from disk as they were."""

import shutil
import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
from cases import CASES, raises
from hypothesis import given, settings
from hypothesis import strategies as st

import daskphys
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import StorageError, StoreExistsError, StoreNotFoundError
from daskphys.physics import (
    Blur,
    Diagonal,
    FunctionOperator,
    LinearPhysics,
    Measurements,
    Shift,
    gaussian_blur,
    stack,
    value,
)
from daskphys.physics.mri import MultiCoilMRI, birdcage_maps
from daskphys.physics.noise import GaussianNoise
from daskphys.storage.classes import CLASSES

zarr = pytest.importorskip("zarr")


@value
class Gain(LinearPhysics):
    factor: float

    def _forward(self, x):
        return self.factor * x

    def _adjoint(self, y, shape):
        return self.factor * y


def holds_code(operator):
    return isinstance(operator, FunctionOperator)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_operator_comes_back_equal(case, tmp_path):
    if holds_code(case.operator):
        with raises(StorageError, repr(case.operator), "function"):
            case.operator.to_zarr(tmp_path / "A.zarr")
        assert not list(tmp_path.iterdir())
        return
    case.operator.to_zarr(tmp_path / "A.zarr")
    made = daskphys.open_physics(tmp_path / "A.zarr")
    assert made == case.operator
    assert hash(made) == hash(case.operator)
    assert repr(made) == repr(case.operator)
    assert [path.name for path in tmp_path.iterdir()] == ["A.zarr"]


def test_every_operator_of_the_list_may_be_named_in_a_file():
    names = {type(case.operator).__name__ for case in CASES} - {"FunctionOperator"}
    assert names <= set(CLASSES)


numbers = st.floats(-3, 3, allow_nan=False)


@settings(max_examples=20, deadline=None)
@given(
    shifts=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6),
    weights=st.lists(st.sampled_from([1.0, -2.5, 1j, 0.1, 3]), min_size=6, max_size=6),
    alike=st.booleans(),
    seed=st.one_of(st.none(), st.integers(0, 2**70)),
)
def test_stacks_come_back_bit_for_bit(tmp_path_factory, shifts, weights, alike, seed):
    rng = np.random.default_rng(0)
    sensors = []
    for number, (shift, weight) in enumerate(zip(shifts, weights, strict=False)):
        mask = Diagonal(rng.random((4, 5) if alike else (4, 5)[number % 2 :]).astype("float32"))
        sensors.append((weight * mask @ Shift(shift)).with_noise(GaussianNoise(0.1, seed=seed)))
    A = stack(*sensors)
    store = tmp_path_factory.mktemp("store") / "A.zarr"
    A.to_zarr(store)
    assert daskphys.open_physics(store) == A
    lazy = daskphys.open_physics(store, lazy=True)
    assert list(lazy) == list(A)
    assert list(lazy[::-1]) == list(A[::-1])


def test_an_array_that_sensors_share_is_written_once(tmp_path):
    mask = Diagonal(np.arange(1.0, 21.0).reshape(4, 5))
    stack(*[mask @ Shift((0.1 * i, 0.0)) for i in range(9)]).to_zarr(tmp_path / "A.zarr")
    assert len(zarr.open_group(tmp_path / "A.zarr", mode="r").attrs["daskphys"]["arrays"]) == 1


def test_thousands_of_sensors_are_opened_without_reading_them(tmp_path, monkeypatch):
    kernels = np.random.default_rng(0).random((10_000, 9, 9), dtype=np.float32)
    A = stack(*map(Blur, kernels))
    A.to_zarr(tmp_path / "A.zarr")
    read = []
    monkeypatch.setattr(
        zarr.Array,
        "__getitem__",
        lambda self, index, get=zarr.Array.__getitem__: read.append(index) or get(self, index),
    )
    lazy = daskphys.open_physics(tmp_path / "A.zarr", lazy=True)
    assert len(lazy) == 10_000
    assert len(read) == 1  # the chunk of sensor 0, which tells of all
    assert lazy[3] == A[3]
    assert len(read) == 1  # another sensor of that chunk
    x = np.ones((16, 16), np.float32)
    assert np.array_equal(lazy[:20].A_adjoint(lazy[:20](x)), A[:20].A_adjoint(A[:20](x)))


def test_an_operator_of_an_author_is_made_only_where_it_is_given(tmp_path):
    A = Gain(2.0) @ Blur(gaussian_blur(1.0))
    A.to_zarr(tmp_path / "A.zarr")
    with raises(StorageError, "Gain", "classes=[Gain]"):
        daskphys.open_physics(tmp_path / "A.zarr")
    assert daskphys.open_physics(tmp_path / "A.zarr", classes=[Gain]) == A


def test_an_operator_of_an_author_may_move_to_another_module(tmp_path, monkeypatch):
    """As one that was written in a notebook."""
    with monkeypatch.context() as patched:
        patched.setattr(Gain, "__module__", "notebook")
        Gain(2.0).to_zarr(tmp_path / "A.zarr")
    assert daskphys.open_physics(tmp_path / "A.zarr", classes=[Gain]) == Gain(2.0)


@value
class Holds(LinearPhysics):
    what: object

    def _forward(self, x):
        return x

    def _adjoint(self, y, shape):
        return y


@pytest.mark.parametrize(
    "what",
    [
        (np.float32(2.5), np.bool_(True), np.int8(3), np.complex64(1 + 2j)),
        (-0.0, complex(-0.0, 0.0), float("inf"), 10**30, True, None, "é"),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype="float16"),
        np.ones((2, 0), bool),
    ],
    ids=str,
)
def test_what_fields_hold(what, tmp_path):
    Holds(what).to_zarr(tmp_path / "A.zarr")
    made = daskphys.open_physics(tmp_path / "A.zarr", classes=[Holds])
    assert made == Holds(what)


def test_a_zero_has_a_sign(tmp_path):
    stack(Holds(0.0), Holds(-0.0)).to_zarr(tmp_path / "A.zarr")
    assert [repr(sensor.what) for sensor in daskphys.open_physics(tmp_path / "A.zarr", classes=[Holds])] == [
        "0.0",
        "-0.0",
    ]


def test_bytes_of_another_order(tmp_path):
    Holds(np.arange(3, dtype=">f4")).to_zarr(tmp_path / "A.zarr")
    assert np.array_equal(daskphys.open_physics(tmp_path / "A.zarr", classes=[Holds]).what, np.arange(3))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (np.array(["a"]), "<U1"),
        (np.array([None]), "object"),
        (np.ones(1, "longdouble"), "float128"),
        ({"a": 1}, "dict"),
        (b"x", "bytes"),
        (sorted, "the function sorted"),
    ],
)
def test_what_no_file_holds(what, said, tmp_path):
    with raises(StorageError, "cannot be written", said):
        Holds(what).to_zarr(tmp_path / "A.zarr")
    assert not list(tmp_path.iterdir())


def test_measurements_that_are_tensors(tmp_path):
    torch = pytest.importorskip("torch")
    Measurements([torch.ones(3, requires_grad=True), torch.zeros(2)]).to_zarr(tmp_path / "y.zarr")
    made = daskphys.open_measurements(tmp_path / "y.zarr")
    assert [array.tolist() for array in made] == [[1, 1, 1], [0, 0]]


def test_maps_of_coils_are_dask_arrays_where_reading_is_lazy(tmp_path):
    maps = birdcage_maps(6, (320, 256)).astype("complex64")
    lazy = MultiCoilMRI(da.from_array(maps, chunks=(2, -1, -1)), np.ones((320, 256)))
    A = MultiCoilMRI(maps, np.ones((320, 256)))
    lazy.to_zarr(tmp_path / "lazy.zarr")
    A.to_zarr(tmp_path / "A.zarr")
    assert daskphys.open_physics(tmp_path / "lazy.zarr") == A
    opened = daskphys.open_physics(tmp_path / "A.zarr", lazy=True)
    assert isinstance(opened.maps, da.Array)
    x = np.ones((320, 256), np.complex64)
    with DistributedContext(n_workers=2) as ctx:
        assert np.array_equal(distribute(opened, ctx)(x), A(x))


@pytest.mark.slow
def test_workers_read_their_own_sensors(tmp_path):
    """The client sends the name of the store, and neither reads nor sends a kernel."""
    kernels = np.random.default_rng(0).random((12, 33, 33))
    A = stack(*map(Blur, kernels))
    A.to_zarr(tmp_path / "A.zarr")
    x = np.random.default_rng(1).random((64, 64))
    with DistributedContext(n_workers=2, processes=True) as ctx:
        D = distribute(daskphys.open_physics(tmp_path / "A.zarr", lazy=True), ctx)
        assert np.array_equal(D.A_adjoint(D(x)), A.A_adjoint(A(x)))
        assert D.report().bytes_operators < kernels.nbytes / 100
        D.to_zarr(tmp_path / "D.zarr")
        E = distribute(lambda i: Blur(np.full((3, 3), i + 1.0)), ctx, num_operators=4)
        E.to_zarr(tmp_path / "E.zarr")
    assert daskphys.open_physics(tmp_path / "D.zarr") == A
    assert daskphys.open_physics(tmp_path / "E.zarr")[3] == Blur(np.full((3, 3), 4.0))


@pytest.mark.parametrize(
    "y",
    [
        Measurements([np.ones((2, 3)), np.ones(3, "complex64"), np.zeros((0, 2), bool)]),
        Measurements([np.array(3.0, "float32"), np.arange(3)]),
    ],
)
def test_measurements_come_back(y, tmp_path):
    y.to_zarr(tmp_path / "y.zarr")
    made = daskphys.open_measurements(tmp_path / "y.zarr")
    assert [a.dtype for a in made] == [a.dtype for a in y]
    assert all(np.array_equal(a, b) for a, b in zip(made, y, strict=True))


@pytest.mark.parametrize("lazy", [False, True])
def test_names_are_not_lost_in_silence(tmp_path, lazy):
    xr = pytest.importorskip("xarray")
    x = xr.DataArray(np.ones((32, 32)), dims=("y", "x"))
    y = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))(x.chunk() if lazy else x)
    with raises(StorageError, "names", "x.phys.forward(A).to_zarr(store)", "lambda a: a.data"):
        y.to_zarr(tmp_path / "y")
    assert not (tmp_path / "y").exists()
    y.map(lambda a: a.data).to_zarr(tmp_path / "y")
    assert np.array_equal(daskphys.open_measurements(tmp_path / "y")[0], y[0].values)


def test_lazy_measurements_are_written_a_chunk_at_a_time_and_read_lazily(tmp_path):
    x = da.ones((3, 16, 16), chunks=(1, 16, 16), dtype="float32")
    A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(1.0), "valid"))
    A(x).to_zarr(tmp_path / "y.zarr")
    lazy = daskphys.open_measurements(tmp_path / "y.zarr", lazy=True)
    expected = A(np.ones((3, 16, 16), np.float32))
    assert all(isinstance(a, da.Array) for a in lazy)
    assert all(np.array_equal(a.compute(), b) for a, b in zip(lazy, expected, strict=True))


def test_other_stores_than_folders(tmp_path):
    A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
    memory = zarr.storage.MemoryStore()
    A.to_zarr(memory)
    assert daskphys.open_physics(memory) == A
    with pytest.raises(StoreExistsError):
        A.to_zarr(memory)
    A[:1].to_zarr(memory, overwrite=True)
    assert daskphys.open_physics(memory) == A[:1]
    A.to_zarr(tmp_path / "A.zarr")
    shutil.make_archive(str(tmp_path / "A"), "zip", tmp_path / "A.zarr")
    with zarr.storage.ZipStore(tmp_path / "A.zip", mode="r") as packed:
        assert daskphys.open_physics(packed) == A
    for lazy in (False, True):
        assert daskphys.open_physics(tmp_path / "A.zip", lazy=lazy) == A
    y = A(np.ones((20, 20), np.float32))
    y.to_zarr(tmp_path / "y.zarr")
    shutil.make_archive(str(tmp_path / "y"), "zip", tmp_path / "y.zarr")
    for lazy in (False, True):
        read = daskphys.open_measurements(str(tmp_path / "y.zip"), lazy=lazy)
        assert all(isinstance(a, da.Array) == lazy for a in read)
        assert all(np.array_equal(np.asarray(a), b) for a, b in zip(read, y, strict=True))


def test_a_zip_that_is_none_is_cut_short_damaged_or_packs_the_folder_itself(tmp_path):
    Blur(gaussian_blur(1.0)).to_zarr(tmp_path / "A.zarr")
    shutil.make_archive(str(tmp_path / "A"), "zip", tmp_path / "A.zarr")
    shutil.make_archive(str(tmp_path / "folder"), "zip", tmp_path, "A.zarr")
    whole = (tmp_path / "A.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    start = whole.index(b"arrays/0/c/") + 40
    (tmp_path / "damaged.zip").write_bytes(whole[:start] + bytes(20) + whole[start + 20 :])
    # Python writes none that are encrypted; the flag alone makes it ask for a password.
    flagged = bytearray(whole)
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = flagged.find(mark)
        while start >= 0:
            flagged[start + at] |= 1
            start = flagged.find(mark, start + 1)
    (tmp_path / "locked.zip").write_bytes(flagged)
    for name, expected in (
        ("locked", "without a password"),
        ("cut", "cut short"),
        ("damaged", "damaged"),
        ("folder", "no zarr.json at its top"),
    ):
        with pytest.raises(StorageError, match=rf"{name}\.zip.*{expected}"):
            daskphys.open_physics(tmp_path / f"{name}.zip")
    with pytest.raises(StoreNotFoundError, match="not there"):
        daskphys.open_physics(tmp_path / "none.zip")


def test_zarr_is_loaded_when_a_store_is_opened():
    code = "import sys, daskphys; sys.exit('zarr' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
