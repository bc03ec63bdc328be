"""Makes ``sigpy_mri.npz`` with SigPy, which does not install beside this project's NumPy: an environment of its own.

Made with SigPy 0.1.27, NumPy 2.3.5: ``python tests/reference/sigpy_mri.py``.
"""

import json
from pathlib import Path

import numpy as np
import sigpy as sp
from sigpy.mri import birdcage_maps
from sigpy.mri.app import EspiritCalib

CALIBRATION, KERNEL, CROP = 16, 5, 0.95

rng = np.random.default_rng(0)
flat, volume = birdcage_maps((5, 36, 32)), birdcage_maps((10, 6, 8, 7))
image = np.zeros((36, 32), complex)
image[5:31, 6:27] = 1 + rng.standard_normal((26, 21)) * np.exp(2j * np.pi * rng.random((26, 21)))
kspace = sp.fft(flat * image, axes=(-2, -1)).astype(np.complex64)
maps, eigenvalue = EspiritCalib(
    kspace,
    calib_width=CALIBRATION,
    kernel_width=KERNEL,
    crop=CROP,
    max_iter=2000,
    output_eigenvalue=True,
    show_pbar=False,
).run()
op = {"made by": f"sigpy {sp.__version__}", "calibration": CALIBRATION, "kernel": KERNEL, "crop": CROP}
np.savez_compressed(
    Path(__file__).with_suffix(".npz"),
    op=json.dumps(op),
    birdcage=flat.astype(np.complex64),
    birdcage_3d=volume.astype(np.complex64),
    kspace=kspace,
    maps=maps.astype(np.complex64),
    eigenvalue=eigenvalue.real.astype(np.float32),
)
