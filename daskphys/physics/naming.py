"""Errors in the name of the sensor that they come from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from daskphys.errors import DaskphysError, SensorError, ShapeError


@contextlib.contextmanager
def naming(index: int, sensor: Any) -> Iterator[None]:
    """Say in an exception which sensor it comes from."""
    try:
        yield
    except SensorError:
        raise
    except DaskphysError as error:
        raise type(error)(f"sensor {index}: {error}") from error
    except Exception as error:
        raise SensorError(
            f"sensor {index} ({sensor!r}) failed with {type(error).__name__}: {error}"
        ) from error


@contextlib.contextmanager
def naming_whole(owner: Any) -> Iterator[None]:
    """Say of which operator a part speaks that a shape does not fit: users gave the whole, and parts are not sensors."""
    try:
        yield
    except ShapeError as error:
        text = str(error).removeprefix("sensor 0: ")
        raise ShapeError(text if text.startswith(repr(owner)) else f"{owner!r}: {text}") from error
