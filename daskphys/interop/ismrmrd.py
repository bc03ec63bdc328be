"""Raw data of MRI scanners in the ISMRMRD format, as arrays for `MultiCoilMRI` and `NonCartesianMRI`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from daskphys.errors import MissingDependencyError, ParameterError

__all__ = ["Scan", "read_ismrmrd"]

#: Acquisitions that are no samples of the image: noise, navigators, phase correction, feedback, dummies, phase
#: stabilization.
_OTHER = (19, 23, 24, 26, 27, 28, 29, 30, 31)
_CALIBRATION, _REVERSE = 20, 22

#: Counters that are axes of a Cartesian measurement, where they have more than one value.
_FRAMES = ("repetition", "set", "phase", "contrast", "slice")

#: Acquisitions that are read at once.
_RUN = 256


#: K-space, mask, trajectory, and what the leading axes count.
_Read = tuple[np.ndarray, np.ndarray | None, np.ndarray | None, tuple[str, ...]]


@dataclass(frozen=True, repr=False)
class Scan:
    """What a file holds of one encoding space.

    Parameters
    ----------
    kspace : array, complex64
        (…, coil, H, W) or (…, coil, D, H, W), frequency zero at ``n // 2``, the read-out along W; lines that were
        measured several times are averaged.  Lines that are for calibration alone stand where no line of the image is.
        Of a trajectory that is not Cartesian (coil, line, sample), in the order of the file.
    mask : bool array or None
        Which frequencies were sampled, without the coil axis; None where there is a trajectory.
    trajectory : array (line, sample, d), float32, or None
        Of a trajectory that is not Cartesian: where samples are, along (H, W) or (D, H, W), in the file's units.
    axes : tuple of str
        What the axes of `kspace` before the coils' count: those of "repetition", "set", "phase", "contrast" and
        "slice" that have more than one value.
    field_of_view : tuple of float
        Millimetres along (D, H, W).
    header : object
        The XML header, as the ismrmrd package reads it.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.interop.ismrmrd import Scan
    >>> Scan(np.zeros((8, 64, 64), np.complex64), np.ones((64, 64), bool), None, (), (5.0, 220.0, 220.0), None)
    Scan(kspace of (8, 64, 64), mask of (64, 64), 5 × 220 × 220 mm)
    """

    kspace: np.ndarray
    mask: np.ndarray | None
    trajectory: np.ndarray | None
    axes: tuple[str, ...]
    field_of_view: tuple[float, float, float]
    header: Any

    def __repr__(self) -> str:
        arrays = {"kspace": self.kspace, "mask": self.mask, "trajectory": self.trajectory}
        shapes = [f"{name} of {a.shape}" for name, a in arrays.items() if a is not None]
        axes = [f"axes {', '.join(self.axes)}"] if self.axes else []
        return f"Scan({', '.join([*shapes, *axes])}, {' × '.join(f'{n:g}' for n in self.field_of_view)} mm)"


def read_ismrmrd(path: str | os.PathLike[str], dataset: str = "dataset", encoding: int = 0) -> Scan:
    """Read the measurement of an ISMRMRD file.

    Parameters
    ----------
    path : path
        An HDF5 file.
    dataset : str
        The group in it.
    encoding : int
        Which of the header's encoding spaces.

    Returns
    -------
    Scan
        K-space, mask or trajectory, and what the axes are.

    Raises
    ------
    MissingDependencyError
        The ismrmrd package is not installed.
    FileNotFoundError
        There is no such file.
    ParameterError
        The file is no HDF5 file or is damaged, has no such dataset or no acquisitions, or its header and its
        acquisitions contradict each other.

    References
    ----------
    S. J. Inati et al., "ISMRM Raw data format: a proposed standard for MRI raw datasets", Magn. Reson. Med. 77 (2017).

    Examples
    --------
    >>> from daskphys.interop.ismrmrd import read_ismrmrd
    >>> from daskphys.physics import MultiCoilMRI
    >>> from daskphys.physics.mri import espirit_maps
    >>> scan = read_ismrmrd("scan.h5")  # doctest: +SKIP
    >>> A = MultiCoilMRI(espirit_maps(scan.kspace), scan.mask)  # doctest: +SKIP
    """
    try:
        import h5py
        from ismrmrd import xsd
    except ImportError as error:
        raise MissingDependencyError("read_ismrmrd needs ismrmrd: pip install 'daskphys[ismrmrd]'") from error
    name = os.fspath(path)
    if not os.path.exists(name):
        raise FileNotFoundError(f"read_ismrmrd expected a file, got {name}, which does not exist")
    try:
        with h5py.File(name, "r") as file:
            group = file.get(dataset)
            if not isinstance(group, h5py.Group) or "xml" not in group or "data" not in group:
                raise ParameterError(
                    f"read_ismrmrd expected a dataset {dataset!r} with a header and acquisitions in {name}, got "
                    f"{', '.join(map(repr, file)) or 'an empty file'}"
                )
            header = xsd.CreateFromDocument(group["xml"][0])
            return _Reader(name, header, encoding, group["data"]).scan()
    except (ParameterError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # h5py's, the XML parser's and NumPy's own, of a file that is not what it should be
        raise ParameterError(
            f"read_ismrmrd expected an ISMRMRD file, got {name}, which is another or damaged: {error}"
        ) from error


def _flagged(head: Any, flag: int) -> bool:
    """Whether an acquisition has a flag, which the format counts from 1."""
    return bool(int(head["flags"]) & (1 << (flag - 1)))


class _Reader:
    """Reads the acquisitions of one encoding space."""

    def __init__(self, name: str, header: Any, encoding: int, data: Any) -> None:
        if not 0 <= encoding < len(header.encoding):
            raise ParameterError(
                f"read_ismrmrd expected an encoding from 0 to {len(header.encoding) - 1}, as {name} has, got {encoding}"
            )
        self.name, self.header, self.space, self.data = name, header, header.encoding[encoding], data
        heads = data["head"]
        wanted = heads["encoding_space_ref"] == encoding
        for flag in _OTHER:
            wanted &= heads["flags"] & np.uint64(1 << (flag - 1)) == 0
        self.chosen, self.heads = np.flatnonzero(wanted), heads[wanted]
        if not len(self.chosen):
            raise ParameterError(
                f"read_ismrmrd expected acquisitions of encoding {encoding} in {name}, got none"
            )
        counts = {int(n) for n in self.heads["active_channels"]}
        if len(counts) > 1:
            raise ParameterError(
                f"read_ismrmrd expected acquisitions of one number of coils in {name}, got {sorted(counts)}"
            )
        self.coils = counts.pop()

    def scan(self) -> Scan:
        """All of it."""
        fov = self.space.encodedSpace.fieldOfView_mm
        kind = getattr(self.space.trajectory, "value", self.space.trajectory)
        read = self._cartesian if kind == "cartesian" else self._along_a_trajectory
        kspace, mask, trajectory, axes = read()
        return Scan(kspace, mask, trajectory, axes, (fov.z, fov.y, fov.x), self.header)

    def _acquisitions(self) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
        """Header, points (sample, dimension) and samples (coil, sample) of each."""
        for start in range(0, len(self.chosen), _RUN):
            rows = self.data[self.chosen[start : start + _RUN]]
            for row in rows:
                head, count = row["head"], int(row["head"]["number_of_samples"])
                samples = np.ascontiguousarray(row["data"], np.float32).view(np.complex64)
                keep = slice(int(head["discard_pre"]), count - int(head["discard_post"]))
                points = np.asarray(row["traj"], np.float32).reshape(count, -1)
                yield head, points[keep], samples.reshape(self.coils, count)[:, keep]

    def _cartesian(self) -> _Read:
        matrix, limits = self.space.encodedSpace.matrixSize, self.space.encodingLimits
        volume = (matrix.z,) if matrix.z > 1 else ()
        sizes = (*volume, matrix.y, matrix.x)
        names = tuple(n for n in _FRAMES if self.heads["idx"][n].max() > 0)
        frames = tuple(int(self.heads["idx"][n].max()) + 1 for n in names)
        kspace = np.zeros((*frames, self.coils, *sizes), np.complex64)
        times = np.zeros((*frames, *sizes), np.uint16)
        places = [(matrix.z, limits.kspace_encoding_step_2)] if volume else []
        places.append((matrix.y, limits.kspace_encoding_step_1))
        calibration = []
        for head, _, samples in self._acquisitions():
            index = head["idx"]
            steps = [index["kspace_encode_step_2"]] * len(volume) + [index["kspace_encode_step_1"]]
            at = [
                int(step) + n // 2 - (n // 2 if limit is None else int(limit.center))
                for step, (n, limit) in zip(steps, places, strict=True)
            ]
            first = matrix.x // 2 - (int(head["center_sample"]) - int(head["discard_pre"]))
            here = (*at, first, first + samples.shape[1] - 1)
            if min(here) < 0 or any(i >= n for i, n in zip((*at, here[-1]), sizes, strict=True)):
                raise ParameterError(
                    f"read_ismrmrd expected lines within the matrix {sizes} that the header of {self.name} says, got one "
                    f"at {tuple(at)} with the samples {first} to {here[-1]}"
                )
            if _flagged(head, _REVERSE):  # `center_sample` counts in the order of the others
                samples = samples[:, ::-1]
            frame = tuple(int(index[n]) for n in names)
            line = (*at, slice(first, first + samples.shape[1]))
            if _flagged(head, _CALIBRATION):
                calibration.append((frame, line, samples))
                continue
            kspace[(*frame, slice(None), *line)] += samples
            times[(*frame, *line)] += 1
        imaged = times > 0
        for frame, line, samples in calibration:
            free = ~imaged[(*frame, *line)]
            kspace[(*frame, slice(None), *line)] += samples * free
            times[(*frame, *line)] += free
        coil_axis = len(frames)
        kspace /= np.expand_dims(np.maximum(times, 1), coil_axis).astype(np.float32)
        return kspace, times > 0, None, names

    def _along_a_trajectory(self) -> _Read:
        lines, points = [], []
        for _, where, samples in self._acquisitions():
            if where.shape[1] not in (2, 3):
                raise ParameterError(
                    f"read_ismrmrd expected a trajectory of 2 or 3 dimensions with each acquisition of {self.name}, "
                    f"whose header says {self.space.trajectory}, got {where.shape[1]}"
                )
            lines.append(samples)
            points.append(where[:, ::-1])  # along the axes of an array: the file says x first
        lengths = {p.shape for p in points}
        if len(lengths) > 1:
            raise ParameterError(
                f"read_ismrmrd expected acquisitions of one length in {self.name}, got {sorted(lengths)}"
            )
        return np.stack(lines, axis=1), None, np.stack(points), ()
