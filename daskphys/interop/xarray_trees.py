"""The accessor of trees, which hold measurements of unlike shapes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import xarray as xr

from daskphys.errors import checks_keywords
from daskphys.interop.xarray_images import Accessor, check_operator, image, no_measurements
from daskphys.interop.xarray_sensors import nodes_of


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
        nodes = nodes_of(self._tree, A)
        rest = no_measurements(nodes[0], A, None)
        made = {
            name: rest[name]
            if name in rest
            else image([node[name] for node in nodes], A, method, dims, keep_attrs, like)
            for name in nodes[0].data_vars
        }
        return next(iter(made.values())) if len(made) == 1 else xr.Dataset(made)
