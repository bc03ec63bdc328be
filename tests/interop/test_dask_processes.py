"""Dask arrays through operators whose workers are other processes."""

import gc
import subprocess
import sys

import dask.array as da
import numpy as np
import pytest

from daskphys.distributed import distribute


@pytest.fixture
def X(image):
    return da.from_array(image, chunks=((2, 1, 1), 3, 12, 10))


def test_the_bits_of_numpy(stacked, image, X, processes, never_computes):
    D = distribute(stacked, processes, chunks=2)
    multiple = 2j * D  # has operators of its own, which are sent when it is made
    y = stacked(image)
    with never_computes(processes):
        lazy = [D(X), multiple(X), D.A_adjoint(D(X)), D.A_adjoint_A(X), D.A_A_adjoint(D(X))]
    tree = D.A_adjoint_A(X, method="tree")
    eager_tree = D.A_adjoint_A(image, method="tree")
    del D, multiple
    gc.collect()
    eager = [y, 2j * y, stacked.A_adjoint(y), stacked.A_adjoint_A(image), stacked.A_A_adjoint(y)]
    for result, expected in zip([*lazy, tree], [*eager, eager_tree], strict=True):
        computed = result.compute()
        assert type(computed) is type(expected)
        np.testing.assert_equal(list(computed), list(expected))


def test_plain_operators_travel_inside_the_graph(operator, image, X, processes):
    computed = operator.A_adjoint_A(X).compute()
    np.testing.assert_array_equal(computed, operator.A_adjoint_A(image))


def test_persisted_results_stay_on_the_workers(circular, image, X, processes):
    D = distribute(circular, processes)
    kept = D(X).persist()
    assert {len(task.key) for task in kept[0].dask.values()} == {5}  # futures of its own chunks alone
    np.testing.assert_equal(list(kept.compute()), list(circular(image)))
    np.testing.assert_array_equal(D.A_adjoint(kept).compute(), circular.A_adjoint(circular(image)))
    futures = processes.client.compute([D(X), D.A_adjoint(kept)])
    np.testing.assert_array_equal(processes.client.gather(futures)[1], circular.A_adjoint(circular(image)))


def test_names_are_the_same_in_every_process():
    code = (
        "import dask.array as da, numpy as np\n"
        "from daskphys.physics import Blur, stack\n"
        "A = stack(Blur(np.ones((2, 2))), Blur(np.eye(3), 'valid'))\n"
        "x = da.ones((2, 8, 8), chunks=(1, 8, 8), name='x')\n"
        "print([a.name for a in A(x)], A.A_adjoint(A(x)).name, A.A_adjoint_A(x).name, (2 * A[0])(x).name)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert "adjoint-" in outputs.pop()
