"""Doors for arrays of other libraries, each imported when the first of its arrays comes."""

from dask.base import normalize_token
from dask.sizeof import sizeof

from daskphys import doors


def _torch() -> None:
    from daskphys.interop import torch

    torch.register()


def _dask() -> None:
    from daskphys.interop import dask

    dask.register()


def _xarray() -> None:
    from daskphys.interop import xarray

    xarray.register()


doors.register_lazy("torch", _torch)
doors.register_lazy("dask", _dask)
doors.register_lazy("xarray", _xarray)
sizeof.register_lazy("torch", _torch)
normalize_token.register_lazy("torch", _torch)
