"""A bounded memory of what operators derive for an image shape (spectra, merged normal operators)."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from daskphys import backend

#: Bytes that one process keeps.  Past it the oldest entries go, and are made again when they are needed.
MAX_BYTES = 1 << 30


class DerivedCache:
    """Least-recently-used, bounded in bytes, weak in its owners and safe for threads.

    An entry belongs to an operator (its owner) and goes with it.  Two threads that need the same entry at
    once may both make it; one of the two is kept, and they are equal.

    Parameters
    ----------
    max_bytes
        The bound; a single larger entry is made and returned, but not kept.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.cache import DerivedCache
    >>> class Owner: ...
    >>> cache, owner = DerivedCache(max_bytes=100), Owner()
    >>> cache.get(owner, "ones", lambda: np.ones(4)).sum()
    np.float64(4.0)
    >>> cache.nbytes
    32
    >>> del owner
    >>> cache.nbytes
    0
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._entries: OrderedDict[tuple[int, Hashable], tuple[Any, int]] = OrderedDict()
        self._owners: dict[int, set[Hashable]] = {}  # the keys of each living owner
        self._lock = threading.RLock()
        self.nbytes = 0

    def get(self, owner: Any, key: Hashable, make: Callable[[], Any]) -> Any:
        """The entry `key` of `owner`, from `make` when it is not there."""
        full = (id(owner), key)
        with self._lock:
            if full in self._entries:
                self._entries.move_to_end(full)
                return self._entries[full][0]
        made = make()
        size = backend.nbytes(made) if backend.is_array(made) else int(made.nbytes)
        released = []  # what goes is freed after the books are closed: it may own entries itself
        with self._lock:
            if full in self._entries:
                return self._entries[full][0]
            if size > self.max_bytes:
                return made
            if id(owner) not in self._owners:
                self._owners[id(owner)] = set()
                weakref.finalize(owner, self._forget, id(owner)).atexit = False
            self._owners[id(owner)].add(key)
            released += self._evicted(room_for=size)  # first: `nbytes`, read at any time, is in bounds
            self._entries[full] = (made, size)
            self.nbytes += size
        return made

    def _evicted(self, room_for: int = 0) -> list[Any]:
        """Take out the oldest entries until the rest fits; the caller, who has the lock, frees them after it."""
        taken = []
        while self.nbytes + room_for > self.max_bytes:
            (owner_id, old_key), old = self._entries.popitem(last=False)
            self._owners.get(owner_id, set()).discard(old_key)
            self.nbytes -= old[1]
            taken.append(old)
        return taken

    def nbytes_of(self, owner: Any) -> int:
        """Bytes of the entries of one owner."""
        with self._lock:
            keys = self._owners.get(id(owner), ())
            return sum(entry[1] for key in keys if (entry := self._entries.get((id(owner), key))) is not None)

    def limit(self, max_bytes: int) -> None:
        """Keep at most so much from now on, and no more than before: the process has less memory than was thought."""
        with self._lock:
            self.max_bytes = min(self.max_bytes, max_bytes)
            released = self._evicted()
        del released  # freed outside the lock, for what goes may own entries itself

    def _forget(self, owner_id: int) -> None:
        released = []
        with self._lock:
            for key in self._owners.pop(owner_id, ()):
                if (entry := self._entries.pop((owner_id, key), None)) is not None:
                    self.nbytes -= entry[1]
                    released.append(entry)


#: The one cache of this process.
derived = DerivedCache()
