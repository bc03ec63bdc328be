"""Peers' processes: how they are started, asked and ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from daskphys import backend

#: Torch's threads sleep while they wait.  By default they spin: where another process wants the core a call then takes
#: a hundred times as long, and what spins after a call takes the core from whose turn is next.
WAITING = {"OMP_WAIT_POLICY": "passive"}

#: What libraries read the number of their threads from.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Environment:
    """Peers that live in an environment of their own, and how they are run there.

    Parameters
    ----------
    name
        What they are called where they are missing.
    option, variable
        The command's option and the environment variable that name the interpreter.
    script
        What the interpreter runs.
    modes
        How many processes each way of running it has; None is without ``torchrun``.
    """

    name: str
    option: str
    variable: str
    script: Path
    modes: Mapping[str, int | None]


DEEPINV = Environment(
    "deepinv",
    "--deepinv",
    "DASKPHYS_DEEPINV_PYTHON",
    _HERE / "deepinv_products.py",
    {"deepinv": None, "deepinv, 1 process": 1, "deepinv, 2 processes": 2},
)

#: Libraries that families of operators are compared with.
FAMILIES = Environment(
    "the families' peers",
    "--peers",
    "DASKPHYS_PEERS_PYTHON",
    _HERE / "family_products.py",
    {"the families' peers": None},
)


class PeerError(Exception):
    """A peer that did not start, did not answer, or answered with an error."""


class RefusedError(PeerError):
    """An error that a peer answered with; its process goes on."""


class PeerProcess:
    """A peer's script in processes of its own, which answer questions in turn with our own calls.

    Parameters
    ----------
    python
        The interpreter that has the peer's library.
    script
        What it runs: a file that serves the socket that it is given (`serving.py`).
    processes
        How many ``torchrun`` starts; None for one process without it.
    patience
        Seconds after which a question counts as unanswered.
    """

    def __init__(
        self, python: str, script: Path, processes: int | None = None, patience: float = 240.0
    ) -> None:
        self.patience = patience
        self._folder = tempfile.TemporaryDirectory(prefix="benchmark-peer-")
        self.folder = Path(self._folder.name)
        self._log = (self.folder / "log").open("w+b")
        threads = max(1, backend.threads_left() // (processes or 1))
        run = [] if processes is None else ["-m", "torch.distributed.run", "--standalone"]
        run += [] if processes is None else ["--nproc-per-node", str(processes)]
        address = str(self.folder / "socket")
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(address)
        self._server.listen(1)
        self._connection: socket.socket | None = None
        try:
            self._process = subprocess.Popen(
                [python, *run, str(script), address, "--threads", str(threads)],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env={
                    **os.environ,
                    **WAITING,
                    **dict.fromkeys(THREADS, str(threads)),
                    "PYTHONPATH": str(_HERE.parents[1]),
                },
                start_new_session=True,
            )
        except OSError as error:
            self._tidy()
            raise PeerError(f"{python} does not run: {error}") from error
        try:
            self._connection = self._accept()
            self._connection.settimeout(patience)
            self._answers = self._connection.makefile("r", encoding="utf-8")  # blocks for `patience` at most
            self.versions = self._answer("start")
        except PeerError:
            self.close()
            raise

    def _accept(self) -> socket.socket:
        """The peer's connection, once it has imported what it needs."""
        self._server.settimeout(1.0)
        end = time.monotonic() + self.patience
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(TimeoutError):
                return self._server.accept()[0]
        raise PeerError(f"did not start: {self.last_words()}")

    def ask(self, do: str, **question: Any) -> dict[str, Any]:
        """An answer to one question (a method of the script's `Peer`)."""
        assert self._connection is not None
        try:
            self._connection.sendall(json.dumps({"do": do, **question}).encode() + b"\n")
        except OSError as error:
            raise PeerError(f"{do}: the process has ended: {self.last_words()}") from error
        return self._answer(do)

    def _answer(self, do: str) -> dict[str, Any]:
        try:
            line = self._answers.readline()
        except TimeoutError as error:
            raise PeerError(f"{do}: no answer in {self.patience:g} s: {self.last_words()}") from error
        except OSError:
            line = ""
        if not line:
            raise PeerError(f"{do}: the process has ended: {self.last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RefusedError(f"{do}: {answer['error'].strip().splitlines()[-1]}")
        return answer

    def result(self, **question: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """What a product gives, and the rest of the answer."""
        path = self.folder / "result.npy"
        told = self.ask("result", path=str(path), **question)
        found = np.load(path)
        path.unlink()
        return found, told

    def last_words(self) -> str:
        """The last line of what the process has printed."""
        self._log.seek(0)
        lines = [line for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it printed nothing"

    def close(self) -> None:
        """End the process, politely if it listens."""
        if self._connection is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self._connection.sendall(b'{"do": "end"}\n')
                self._process.wait(20)
            self._answers.close()  # it holds the socket open too
            self._connection.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._tidy()

    def _tidy(self) -> None:
        self._server.close()
        self._log.close()
        self._folder.cleanup()


class Peers:
    """The ways of running an environment's peers, started when they are first asked for and kept until the end."""

    #: A way of running it that has failed so often is not tried again.
    TRIES = 2

    def __init__(self, python: str | None, environment: Environment = DEEPINV) -> None:
        self._python = python
        self.environment = environment
        self._running: dict[str, PeerProcess] = {}
        self._failures: dict[str, list[str]] = {mode: [] for mode in environment.modes}
        #: Versions of the libraries, once a process has told them.
        self.versions: dict[str, str] = {}

    def running(self) -> dict[str, PeerProcess]:
        """The processes that answer; those that do not run yet are started."""
        for mode, processes in self.environment.modes.items():
            if self._python is None or mode in self._running or len(self._failures[mode]) >= self.TRIES:
                continue
            try:
                self._running[mode] = PeerProcess(self._python, self.environment.script, processes)
                self.versions = self._running[mode].versions
            except PeerError as error:
                self._failures[mode].append(str(error))
        return dict(self._running)

    def lost(self, mode: str, error: PeerError) -> None:
        """End a process that failed, so that the others go on without it."""
        self._running.pop(mode).close()
        self._failures[mode].append(str(error))

    def notes(self) -> list[str]:
        """What there is to say about ways of running it that failed or are not there."""
        if self._python is None:
            of = self.environment
            return [
                f"{of.name}: not installed ({of.option}, or the variable {of.variable}, names the interpreter)"
            ]
        return [f"{mode}: failed: {why}" for mode, failed in self._failures.items() for why in failed]

    def close(self) -> None:
        """End all of them."""
        while self._running:
            self._running.popitem()[1].close()
