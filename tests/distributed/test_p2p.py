"""What Dask's rechunk between peers needs of a worker."""

import pytest

from daskphys.distributed.p2p import pencil_peak

M, G = 1 << 20, 1 << 30


def test_p2p_needs_what_was_measured():
    """16384² in float32: two workers of 1 GiB did it, two of 600 MiB were killed (with about 100 MiB of their own)."""
    slabs = ((1024,) * 16, (8193,))
    need = pencil_peak((16384, 8193), "complex64", slabs, workers=2)
    assert 600 * M < need + 100 * M < G


@pytest.mark.parametrize("change", [{"threads": 2}, {"comm_buffer": 2 * G, "workers": 1}, {"workers": 1}])
def test_p2p_needs_more_with_more_threads_and_fewer_workers(change):
    given = {"workers": 2, "threads": 1}
    slabs = ((1024,) * 16, (8193,))
    more = pencil_peak((16384, 8193), "complex64", slabs, **(given | change))
    assert more > pencil_peak((16384, 8193), "complex64", slabs, **given)


def test_p2p_needs_less_with_small_buffers_and_small_chunks():
    shape, slabs = (16384, 8193), ((1024,) * 16, (8193,))
    need = pencil_peak(shape, "complex64", slabs, workers=2)
    assert pencil_peak(shape, "complex64", slabs, workers=2, comm_buffer=64 * M) < need
    assert pencil_peak(shape, "complex64", ((512,) * 32, (8193,)), workers=2) < need
