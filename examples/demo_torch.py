r"""A stack of blurs on Dask workers, step by step.

A stacked operator

.. math::

    A x = \begin{bmatrix} A_1 x \\ \vdots \\ A_N x \end{bmatrix}

is what several sensors see of one image.  Here each of three sensors sees a photograph through a blur of its
own.  The workers of a Dask cluster hold the sensors, and the script shows that what they compute is, to the
last bit, what the plain operator computes in this process: the measurements :math:`A x`, the adjoint
:math:`A^T y`, which brings measurements back to one image, and the product :math:`A^T A x`.

The flow and the calls are those of scripts for ``deepinv.distributed``.  ``demo_numpy.py`` and
``demo_torch.py`` are one script: they differ in the array library they import, and in the library that the
photograph is loaded for.

Run it in the folder where the two pictures shall be.  Nothing else is needed: the cluster is a local one of
threads, which starts and ends with the script.
"""

# %%
# Imports
# -------

import torch

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, stack
from daskphys.physics.blur import gaussian_blur
from daskphys.plotting import plot

# %%
# The operator and the photograph
# -------------------------------
# One blur is a circular convolution with a Gaussian kernel.  There is no noise, so that results can be
# compared exactly.


def create_stacked_physics(device, img_size=1024):
    """Three blurs as one stacked operator, and a photograph whose shorter side has `img_size` pixels."""
    clean_image = load_example(
        "grace_hopper",
        xp="torch",
        grayscale=False,
        device=device,
        img_size=img_size,
        resize_mode="resize",
    )

    kernels = [
        gaussian_blur(sigma=1.0, device=str(device)),  # hardly visible
        gaussian_blur(sigma=2.5, device=str(device)),  # wide, and alike in all directions
        gaussian_blur(sigma=(1.5, 3.5), angle=30, device=str(device)),  # wide along an oblique line
    ]

    physics_list = []
    for kernel in kernels:
        physics = Blur(filter=kernel, padding="circular", device=str(device))
        physics = physics.to(device)
        physics_list.append(physics)

    return stack(*physics_list), clean_image


def print_differences(differences):
    """Print how far two results are apart, and stop where they are not equal."""
    mean = sum(difference.mean().item() for difference in differences) / len(differences)
    largest = max(difference.max().item() for difference in differences)
    print(f"  distributed minus plain: mean {mean:g}, max {largest:g}")
    equal = all(difference.max().item() == 0 for difference in differences)  # a NaN is not equal either
    assert equal, f"the distributed result differs from the plain one by up to {largest:g}"


# %%
# The cluster, and all that runs on it
# ------------------------------------
# One client commands all workers, so `rank` is always 0; it is asked for where a script that runs once per
# process would ask.

img_size = 512

with DistributedContext(seed=42) as ctx:
    if ctx.rank == 0:
        print(f"{ctx.world_size} workers that compute on {ctx.device}")

    # Make the operator here, in this process.
    stacked_physics, clean_image = create_stacked_physics(ctx.device, img_size=img_size)

    if ctx.rank == 0:
        kinds = [type(physics).__name__ for physics in stacked_physics.physics_list]
        print(f"image {tuple(clean_image.shape)}, {len(stacked_physics)} sensors: {', '.join(kinds)}")

    # Place its sensors on workers.
    distributed_physics = distribute(stacked_physics, ctx)

    if ctx.rank == 0:
        print(f"sensors that this client commands: {len(distributed_physics.local_indexes)}")

    # What the sensors see.
    measurements = distributed_physics(clean_image)

    measurements_ref = None
    if ctx.rank == 0:
        print(f"\nA x is {type(measurements).__name__} of {len(measurements)} arrays")
        for i, m in enumerate(measurements):
            print(f"  sensor {i}: {tuple(m.shape)}")
        measurements_ref = stacked_physics(clean_image)
        print_differences(
            [torch.abs(measurements[i] - measurements_ref[i]) for i in range(len(measurements))]
        )

    # Back from the measurements to one image.
    adjoint_result = distributed_physics.A_adjoint(measurements)

    if ctx.rank == 0:
        print(f"\nAᵀ y is {tuple(adjoint_result.shape)}, norm {torch.linalg.norm(adjoint_result).item():.4f}")
        assert measurements_ref is not None
        adjoint_ref = stacked_physics.A_adjoint(measurements_ref)
        print_differences([torch.abs(adjoint_result - adjoint_ref)])

    # Both at once: for circular blurs one merged operator does it, whatever the number of sensors.
    ata_result = distributed_physics.A_adjoint_A(clean_image)

    if ctx.rank == 0:
        print(f"\nAᵀA x is {tuple(ata_result.shape)}, norm {torch.linalg.norm(ata_result).item():.4f}")
        ata_ref = stacked_physics.A_adjoint_A(clean_image)
        print_differences([torch.abs(ata_result - ata_ref)])

    # Pictures.  Sums over three sensors are brighter than 1, so the last two are scaled to [0, 1].
    if ctx.rank == 0:
        plot(
            [clean_image, *measurements],
            titles=["Original"] + [f"Sensor {i + 1}" for i in range(len(measurements))],
            save_fn="distributed_physics_forward.png",
            figsize=(15, 4),
        )

        adjoint_vis = (adjoint_result - adjoint_result.min()) / (
            adjoint_result.max() - adjoint_result.min() + 1e-8
        )
        ata_vis = (ata_result - ata_result.min()) / (ata_result.max() - ata_result.min() + 1e-8)

        plot(
            [clean_image, adjoint_vis, ata_vis],
            titles=["Original", r"$A^T y$", r"$A^T A x$"],
            save_fn="distributed_physics_adjoint.png",
            figsize=(12, 4),
        )
        print("\nwrote distributed_physics_forward.png and distributed_physics_adjoint.png")
