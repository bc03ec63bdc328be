"""Numbers that operators are multiplied by."""

from __future__ import annotations

import numbers
from typing import Any


def real_or_complex(scalar: Any) -> complex | None:
    """A scalar as a Python number: a NumPy scalar of float64 would lift float32 images to float64."""
    if not isinstance(scalar, numbers.Number) and getattr(scalar, "shape", None) != ():
        return None
    number = complex(scalar)
    return number.real if number.imag == 0 else number
