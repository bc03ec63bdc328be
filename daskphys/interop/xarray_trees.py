"""The accessor of trees, which hold measurements of unlike shapes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import xarray as xr

from daskphys.errors import ShapeError, checks_keywords
from daskphys.interop.xarray_frames import keeps_attrs
from daskphys.interop.xarray_images import Accessor, check_operator, image
from daskphys.interop.xarray_sensors import SENSOR, alike, joined, nodes_of
from daskphys.interop.xarray_variables import ancillary, gathered


@xr.register_datatree_accessor("phys")
class TreeAccessor(Accessor):
    """Measurements of unlike shapes, as `PhysAccessor.forward` gives them: ``tree.phys.adjoint(A)``.

    Parameters
    ----------
    tree : xarray.DataTree
        With a node for each sensor, all with the same variables; the numbers at the end of their names give the order.

    Raises
    ------
    ParameterError
        From its methods: the image's axes are not known.
    ShapeError
        From its methods: a shape does not fit the operator, or the tree is no tree of sensors.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import daskphys.interop.xarray
    >>> from daskphys.physics import Blur, gaussian_blur, stack
    >>> x = xr.DataArray(np.ones((32, 32)), dims=("y", "x"), coords={"y": np.arange(32)}, name="sky")
    >>> A = stack(Blur(gaussian_blur(1.0), "valid"), Blur(gaussian_blur(2.0), "valid"))
    >>> tree = x.phys.forward(A)
    >>> [dict(node.sizes) for node in tree.children.values()]
    [{'y': 24, 'x': 24}, {'y': 18, 'x': 18}]
    >>> tree.phys.adjoint(A).y.equals(x.y)
    True
    """

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    @checks_keywords
    def adjoint(
        self,
        A: Any,
        dims: str | Sequence[Any] | None = None,
        keep_attrs: bool | None = None,
        like: xr.DataArray | None = None,
    ) -> Any:
        """Aᴴ y.

        Parameters
        ----------
        A, dims, keep_attrs, like
            As of `PhysAccessor.adjoint`.

        Returns
        -------
        xarray.DataArray or xarray.Dataset
            An image; where nodes have several variables a dataset of images.
        """
        check_operator(A, "adjoint")
        return self._images(A, A.A_adjoint, dims, keep_attrs, like)

    @checks_keywords
    def pinv(
        self,
        A: Any,
        dims: str | Sequence[Any] | None = None,
        keep_attrs: bool | None = None,
        like: xr.DataArray | None = None,
        *,
        rtol: float | None = None,
        max_iter: int | None = None,
    ) -> Any:
        """A⁺ y.

        Parameters
        ----------
        A, dims, keep_attrs, like
            As of `PhysAccessor.adjoint`.
        rtol, max_iter
            As of ``A.A_dagger``.

        Returns
        -------
        xarray.DataArray or xarray.Dataset
            An image; where nodes have several variables a dataset of images.
        """
        check_operator(A, "pinv")
        return self._images(
            A, functools.partial(A.A_dagger, rtol=rtol, max_iter=max_iter), dims, keep_attrs, like
        )

    def _images(self, A: Any, method: Any, dims: Any, keep_attrs: bool | None, like: Any) -> Any:
        nodes = list(nodes_of(self._tree, A).values())
        first = nodes[0]
        rest = ancillary(first, A, None, dims)
        made = {}
        for name in first.data_vars:
            each = [node[name] for node in nodes]
            made[name] = _shared(A, each) if name in rest else image(each, A, method, dims, keep_attrs, like)
        root = self._tree.to_dataset()
        if len(made) == 1 and not root.data_vars:
            return next(iter(made.values()))
        more = {name: own for name, own in root.data_vars.items() if name not in made}
        attrs = {**root.attrs, **first.attrs} if keeps_attrs(keep_attrs) else {}
        return gathered(first.assign(more), {**made, **more}, {*rest, *more}, attrs)


def _shared(A: Any, each: list[xr.DataArray]) -> xr.DataArray:
    """A variable that goes along: as it is where all sensors have the same, else with the sensors' dimension."""
    if all(own.variable.equals(each[0].variable) for own in each[1:]):
        return each[0]
    if alike(each):
        return joined(each, SENSOR)
    raise ShapeError(
        f"{A!r} got the variable {each[0].name!r}, which is no measurement, in {len({own.shape for own in each})} shapes: leave it "
        f"out, as in tree.map_over_datasets(lambda node: node.drop_vars({each[0].name!r}))"
    )
