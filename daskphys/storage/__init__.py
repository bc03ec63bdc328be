"""Operators and measurements on disk: arrays in Zarr, and JSON that says what they are."""

from daskphys import doors
from daskphys.storage.reading import open_measurements, open_physics
from daskphys.storage.writing import write

__all__ = ["open_measurements", "open_physics"]

doors.register_writer(write)
