"""Threads: how many a call may use, and work spread over them.

A block of a distributed call runs with one thread, since Dask runs as many as the worker has; a plain operator
uses every core.  Whoever computes what, nothing here adds or reorders a single operation: the bits are the same.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Below this many elements an item is done before a second thread has begun (measured: 256² loses on a busy machine,
# 512² gains; benchmarks/products.py).
_SPREAD_SIZE = 1 << 17

# Many smaller ones are worth a thread together (measured: 32 of 256² gain, 8 do not).
_SPREAD_TOTAL = 1 << 20

_threads: ContextVar[int | None] = ContextVar("daskphys_threads", default=None)


@contextlib.contextmanager
def fft_threads(n: int) -> Iterator[None]:
    """Let FFTs on the CPU use `n` threads inside the block (this thread only); else they use every core."""
    token = _threads.set(max(1, n))
    try:
        yield
    finally:
        _threads.reset(token)


def cpu_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_left() -> int:
    """How many threads the caller may use."""
    allowed = _threads.get()
    return cpu_count() if allowed is None else allowed


def spread(call: Callable[[Item], Result], items: Sequence[Item], size: int) -> list[Result]:
    """``[call(item) for item in items]``, side by side where threads are left and an item is worth one.

    The threads are shared out: in whole rounds each item has ``threads // items`` of them, and the items of a
    last round that is not full have more.  All together never use more than `threads_left`.

    Parameters
    ----------
    call
        What to do; safe for threads.
    items
        The items, begun in this order.
    size
        Elements of one item: small ones stay in this thread, unless they are many.

    Raises
    ------
    Exception
        That of the first item that failed.

    Examples
    --------
    >>> from daskphys.backend import spread
    >>> spread(abs, [-1, 2, -3], size=1 << 20)
    [1, 2, 3]
    """
    many = size >= _SPREAD_SIZE // 4 and size * len(items) >= _SPREAD_TOTAL
    threads = threads_left() if (size >= _SPREAD_SIZE or many) and len(items) > 1 else 1
    if threads == 1 or _uarray is None:
        return [call(item) for item in items]
    whole = len(items) - len(items) % min(threads, len(items))
    return _round(call, items[:whole], threads) + _round(call, items[whole:], threads)


def _round(call: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    runners = min(threads, len(items))
    if runners < 2:
        return [call(item) for item in items]
    results: dict[int, Result] = {}
    errors: dict[int, BaseException] = {}
    queue, lock = iter(enumerate(items)), threading.Lock()

    def run() -> None:
        with fft_threads(threads // runners):
            while True:
                with lock:
                    entry = None if errors else next(queue, None)
                if entry is None:
                    return
                index, item = entry
                try:
                    results[index] = call(item)
                except BaseException as error:
                    errors[index] = error

    def helped(state: Any) -> None:
        with _uarray.set_state(state):
            run()

    state = _uarray.get_state()
    helpers = [_pool().submit(copy_context().run, helped, state) for _ in range(runners - 1)]
    run()  # this thread is one of the runners: a busy pool delays nobody, and nesting cannot lock
    for helper in helpers:
        if not helper.cancel():
            helper.result()
    if errors:
        raise errors[min(errors)]
    return [results[index] for index in range(len(items))]


try:  # what `scipy.fft.set_backend` sets belongs to a thread: helpers take it over from their caller
    from scipy._lib import uarray as _uarray
except ImportError:  # then nothing is spread, and the user's choice holds
    _uarray = None

_made: list[ThreadPoolExecutor] = []
_making = threading.Lock()


def _pool() -> ThreadPoolExecutor:
    with _making:
        if not _made:
            _made.append(ThreadPoolExecutor(cpu_count(), thread_name_prefix="daskphys"))
        return _made[0]


def _forget() -> None:
    """In a forked child: the threads of the pool stayed with the parent."""
    global _making
    _made.clear()
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
