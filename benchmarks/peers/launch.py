"""deepinv's processes: how they are started, asked and ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from daskphys import backend

#: The interpreter of an environment that has deepinv.
VARIABLE = "DASKPHYS_DEEPINV_PYTHON"

#: How many processes each way of running deepinv has; None is without ``torchrun``.
MODES = {"deepinv": None, "deepinv, 1 process": 1, "deepinv, 2 processes": 2}

#: Torch's threads sleep while they wait.  By default they spin: where another process wants the core a call then takes
#: a hundred times as long, and what spins after a call takes the core from whose turn is next.
WAITING = {"OMP_WAIT_POLICY": "passive"}

_SCRIPT = Path(__file__).with_name("deepinv_products.py")


class PeerError(Exception):
    """A peer that did not start, did not answer, or answered with an error."""


class PeerProcess:
    """deepinv in processes of its own, which answer questions in turn with our own calls.

    Parameters
    ----------
    python
        The interpreter that has deepinv.
    processes
        How many ``torchrun`` starts; None for one process without it.
    patience
        Seconds after which a question counts as unanswered.
    """

    def __init__(self, python: str, processes: int | None, patience: float = 240.0) -> None:
        self.patience = patience
        self._folder = tempfile.TemporaryDirectory(prefix="benchmark-peer-")
        self.folder = Path(self._folder.name)
        self._log = (self.folder / "log").open("w+b")
        threads = max(1, backend.cpu_count() // (processes or 1))
        run = [] if processes is None else ["-m", "torch.distributed.run", "--standalone"]
        run += [] if processes is None else ["--nproc-per-node", str(processes)]
        address = str(self.folder / "socket")
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(address)
        self._server.listen(1)
        self._connection: socket.socket | None = None
        try:
            self._process = subprocess.Popen(
                [python, *run, str(_SCRIPT), address, "--threads", str(threads)],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env={**os.environ, **WAITING, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": ""},
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
            raise PeerError(f"{do}: {answer['error'].strip().splitlines()[-1]}")
        return answer

    def result(self, product: str, first: int = 1) -> tuple[np.ndarray, int | None]:
        """What a product gives (for A, the `first` sensors on an axis), and the products that a solver made."""
        path = self.folder / "result.npy"
        told = self.ask("result", product=product, path=str(path), first=first)
        found = np.load(path)
        path.unlink()
        return found, told["products"]

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
    """The ways of running deepinv, started when they are first asked for and kept until the end."""

    #: A way of running it that has failed so often is not tried again.
    TRIES = 2

    def __init__(self, python: str | None) -> None:
        self._python = python
        self._running: dict[str, PeerProcess] = {}
        self._failures: dict[str, list[str]] = {mode: [] for mode in MODES}
        #: deepinv's version and torch's in its environment, once a process has told them.
        self.versions: dict[str, str] = {}

    def running(self) -> dict[str, PeerProcess]:
        """The processes that answer; those that do not run yet are started."""
        for mode, processes in MODES.items():
            if self._python is None or mode in self._running or len(self._failures[mode]) >= self.TRIES:
                continue
            try:
                self._running[mode] = PeerProcess(self._python, processes)
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
            return [f"deepinv: not installed (--deepinv, or the variable {VARIABLE}, names its interpreter)"]
        return [f"{mode}: failed: {why}" for mode, failed in self._failures.items() for why in failed]

    def close(self) -> None:
        """End all of them."""
        while self._running:
            self._running.popitem()[1].close()
