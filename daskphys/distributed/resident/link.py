"""Messages between two workers of a solve, over one of Dask's own connections.

The worker above asks, the worker below answers.  A connection belongs to one solve: when either side closes it or
dies, the other is told at once by its operating system, and what the solve keeps below goes with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from distributed.comm import Comm
from distributed.core import connect
from distributed.protocol import to_serialize

from daskphys.distributed.resident.part import Sums
from daskphys.pairwise import Partial

#: The operation under which workers take connections of solves.
OPERATION = "daskphys-solve"

#: Seconds after which a worker that takes no connection counts as lost.
CONNECT = 5.0


class PeerLost(OSError):
    """A worker of a solve is gone, or has not what it should have."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(address, why)
        self.address, self.why = address, why

    def __str__(self) -> str:
        return f"worker {self.address}: {self.why}"


class Link:
    """The connection to a worker below.

    Attributes
    ----------
    sent : int
        Bytes written so far (0 between threads of one process, which pass references).
    """

    def __init__(self, address: str, comm: Comm) -> None:
        self.address, self._comm, self.sent = address, comm, 0

    @classmethod
    async def open(cls, worker: Any, address: str, **what: Any) -> Link:
        """Connect to the worker at `address`, and let it begin with `what`."""
        try:
            comm = await connect(address, timeout=CONNECT, **worker.connection_args)
        except OSError as error:
            raise PeerLost(address, str(error)) from error
        link = cls(address, comm)
        try:
            await comm.write(
                {"op": OPERATION, "reply": False, **{k: to_serialize(v) for k, v in what.items()}}
            )
            await link.answer()
        except OSError as error:
            comm.abort()
            raise PeerLost(address, str(error)) from error
        except BaseException:
            comm.abort()
            raise
        return link

    @property
    def by_reference(self) -> bool:
        """Whether arrays are passed, not copied."""
        return _same_process(self._comm)

    async def ask(self, what: str, **arrays: Any) -> Any:
        """Send a question, and wait for the answer."""
        try:
            self.sent += await write(self._comm, {"ask": what, **arrays})
        except OSError as error:
            raise PeerLost(self.address, str(error)) from error
        return await self.answer()

    async def answer(self) -> Any:
        """The next answer; what failed below is raised here."""
        try:
            message = await self._comm.read()
        except OSError as error:
            raise PeerLost(self.address, str(error)) from error
        if "failed" in message:
            raise message["failed"]
        return message

    def abort(self) -> None:
        """Close the connection at once."""
        self._comm.abort()


async def write(comm: Comm, message: dict[str, Any]) -> int:
    """Send a message whose arrays are not copied; the bytes on the wire.

    Dask receives the first array of a message together with its head, at an odd address (`aligned` says why that
    matters): an empty one goes first.
    """
    wrapped = {k: to_serialize(v) if isinstance(v, _SENT_APART) else v for k, v in message.items()}
    sent = await comm.write({"first": to_serialize(np.empty(0, np.uint8)), **wrapped})
    return 0 if _same_process(comm) else int(sent)


_SENT_APART = (np.ndarray, BaseException)


def _same_process(comm: Comm) -> bool:
    """Whether a connection passes references."""
    return str(comm.peer_address).startswith("inproc://")


def aligned(a: np.ndarray) -> np.ndarray:
    """An array at an address that fits its numbers, a copy where need be: NumPy may sum others in another order."""
    return np.require(a, requirements="A")


def packed(sums: Sums) -> dict[str, Any]:
    """Partial sums as a message: each array in a frame of its own."""
    message: dict[str, Any] = {}
    for name, parts in (("image", sums.images), ("square", sums.squares)):
        message[f"{name}s"] = [(part.start, part.stop, part.owned) for part in parts]
        message |= {f"{name}-{n}": part.value for n, part in enumerate(parts)}
    return message


def unpacked(message: dict[str, Any], received: bool) -> Sums:
    """Partial sums from a message; what was `received` by the wire is nobody else's."""

    def parts(name: str) -> list[Partial]:
        return [
            Partial(start, stop, message[f"{name}-{n}"], owned or received)
            for n, (start, stop, owned) in enumerate(message[f"{name}s"])
        ]

    return Sums(parts("image"), parts("square"))
