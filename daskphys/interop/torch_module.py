"""Operators as `torch.nn.Module`, for networks that hold them."""

from __future__ import annotations

from typing import Any

import torch

from daskphys.errors import NotLinearError, ParameterError, describe
from daskphys.physics.base import LinearPhysics
from daskphys.physics.physics import Physics

__all__ = ["PhysicsModule"]


class PhysicsModule(torch.nn.Module):  # type: ignore[misc]
    """An operator, plain or distributed, as a layer of a network: ``module(x)`` is A(x), with gradients.

    It has no trainable parameters and nothing in its ``state_dict``: an operator is a constant.

    Parameters
    ----------
    A : Physics
        The operator.
    adjoint : bool
        Whether the layer is Aᴴ, which takes measurements: a tensor, or of a stack a list of them.

    Raises
    ------
    ParameterError
        `A` is no operator.
    NotLinearError
        Its adjoint is asked for and it is not linear.

    Examples
    --------
    >>> import torch
    >>> from daskphys.interop.torch_module import PhysicsModule
    >>> from daskphys.physics import Blur, gaussian_blur
    >>> blur = PhysicsModule(Blur(gaussian_blur(1.0)))
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3, padding=1), blur)
    >>> loss = net(torch.ones(2, 1, 16, 16)).square().mean()
    >>> loss.backward()
    >>> net[0].weight.grad.shape, list(blur.parameters())
    (torch.Size([1, 1, 3, 3]), [])
    """

    def __init__(self, A: Physics, adjoint: bool = False) -> None:
        super().__init__()
        if not isinstance(A, Physics):
            raise ParameterError(f"PhysicsModule expected an operator of daskphys, got {describe(A)}")
        if adjoint and not isinstance(A, LinearPhysics):
            raise NotLinearError(
                f"PhysicsModule expected a linear operator for adjoint=True, got {A!r}: A.A_vjp(x, v) is its gradient"
            )
        self.A, self.adjoint = A, adjoint

    def forward(self, x: Any) -> Any:
        """A(x), with noise where A has a noise model; or Aᴴ x.

        Parameters
        ----------
        x : torch.Tensor or sequence of torch.Tensor
            An image; for the adjoint a measurement.

        Returns
        -------
        torch.Tensor or Measurements
            With gradients.
        """
        return self.A.A_adjoint(x) if self.adjoint else self.A(x)

    def extra_repr(self) -> str:
        """What ``print(network)`` shows of it.

        Returns
        -------
        str
            The operator.
        """
        return f"{self.A!r}{', adjoint' if self.adjoint else ''}"
