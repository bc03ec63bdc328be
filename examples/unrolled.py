"""An unrolled network trained through a distributed operator: ``python examples/unrolled.py`` (``pip install 'daskphys[torch]'``)."""

from __future__ import annotations

import argparse

import torch
from torch import nn

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.interop.torch_module import PhysicsModule
from daskphys.physics import Blur, GaussianNoise, gaussian_blur, stack


class Unrolled(nn.Module):
    """A few iterations of gradient descent on ½ ‖A x − y‖², each followed by a small network that all share."""

    def __init__(self, A, iterations: int = 3, channels: int = 8) -> None:
        super().__init__()
        self.A, self.back = PhysicsModule(A), PhysicsModule(A, adjoint=True)
        self.sensors = len(A)
        self.steps = nn.Parameter(torch.full((iterations,), 1 / self.sensors))
        self.prior = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, 3, 3, padding=1)
        )
        nn.init.zeros_(self.prior[-1].weight)  # which begins as no correction at all
        nn.init.zeros_(self.prior[-1].bias)

    def forward(self, y):
        x = self.back(y) / self.sensors
        for step in self.steps:
            misfit = [seen - given for seen, given in zip(self.A(x), y, strict=True)]
            x = x - step * self.back(misfit)
            x = x + self.prior(x)
        return x


def crops(image: torch.Tensor, n: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Some parts of a photograph, at random places."""
    corners = [
        torch.randint(0, length - size, (n,), generator=generator).tolist() for length in image.shape[-2:]
    ]
    return torch.stack([image[:, i : i + size, j : j + size] for i, j in zip(*corners, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--size", type=int, default=40)
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    image = load_example("grace_hopper", img_size=256, xp="torch")[0]
    blurs = [Blur(gaussian_blur(sigma)) for sigma in (1.0, (0.5, 2.0), (2.0, 0.5))]
    A = stack(*blurs)
    test = crops(image, 4, options.size, generator)

    with DistributedContext(n_workers=2, seed=0) as ctx:
        D = distribute(A, ctx)
        camera = D.with_noise(
            GaussianNoise(0.02)
        )  # the network itself goes through the operator without noise
        net = Unrolled(D)
        seen = camera(test, seed=1)
        optimiser = torch.optim.Adam(net.parameters(), 3e-3)
        for step in range(options.steps + 1):
            if step % 6 == 0:
                with torch.no_grad():
                    print(
                        f"step {step:3d}: loss on other crops {(net(seen) - test).square().mean():.6f}",
                        flush=True,
                    )
            x = crops(image, 4, options.size, generator)
            optimiser.zero_grad()
            (net(camera(x, seed=step + 2)) - x).square().mean().backward()
            optimiser.step()

        # Each product has the bits of the plain operator; torch adds gradients up in an order of its own.
        plain = Unrolled(A)
        plain.load_state_dict(net.state_dict())
        for each in (net, plain):
            each.zero_grad()
            (each(seen) - test).square().mean().backward()
        pairs = zip(net.parameters(), plain.parameters(), strict=True)
        difference = max(float((a.grad - b.grad).abs().max() / b.grad.abs().max()) for a, b in pairs)
        print(f"gradients through the cluster and through the plain operator differ by {difference:.1e}")


if __name__ == "__main__":
    main()
