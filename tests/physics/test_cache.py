"""The memory of derived arrays: bounded, weak in its owners, safe for threads."""

import gc
import sys
import threading
import weakref

import array_api_strict
import numpy as np
import pytest

from daskphys.physics import Blur, gaussian_blur, stack
from daskphys.physics.cache import DerivedCache, derived


class Owner:
    pass


def floats(n):
    return lambda: np.zeros(n)


def held(cache):
    return sum(array.nbytes for array, _ in cache._entries.values())


def test_made_once_for_each_owner_and_key():
    cache, a, b, calls = DerivedCache(), Owner(), Owner(), []

    def make():
        calls.append(1)
        return np.zeros(1)

    first = cache.get(a, "k", make)
    assert cache.get(a, "k", make) is first
    assert cache.get(a, "other", make) is not first
    assert cache.get(b, "k", make) is not first
    assert len(calls) == 3
    assert cache.nbytes == 24


def test_the_oldest_goes_when_it_is_full():
    cache, owner, calls = DerivedCache(max_bytes=24), Owner(), []

    def get(key):
        return cache.get(owner, key, lambda: calls.append(key) or np.zeros(1))

    for key in "abc":
        get(key)
    get("a")  # used again, so that b is the oldest
    get("d")
    assert cache.nbytes == held(cache) == 24
    calls.clear()
    get("a"), get("c"), get("d")
    assert calls == []
    get("b")
    assert calls == ["b"]


def test_what_is_larger_than_all_of_it_is_not_kept():
    cache, owner = DerivedCache(max_bytes=24), Owner()
    cache.get(owner, "small", floats(2))
    assert cache.get(owner, "large", floats(4)).size == 4
    assert cache.nbytes == held(cache) == 16
    assert cache.get(owner, "exact", floats(3)).size == 3
    assert cache.nbytes == held(cache) == 24


def test_entries_go_with_their_owner():
    cache, a, b = DerivedCache(), Owner(), Owner()
    cache.get(a, "k", floats(2))
    cache.get(b, "k", floats(3))
    del a
    gc.collect()
    assert cache.nbytes == held(cache) == 24
    assert len(cache._owners) == 1


def test_evicted_keys_are_forgotten():
    cache, owner = DerivedCache(max_bytes=80), Owner()
    for key in range(1000):
        cache.get(owner, key, floats(1))
    assert len(cache._entries) == 10
    assert sum(len(keys) for keys in cache._owners.values()) == 10


def test_an_error_while_making_is_passed_on_and_forgotten():
    cache, owner = DerivedCache(), Owner()
    with pytest.raises(ZeroDivisionError):
        cache.get(owner, "k", lambda: 1 / 0)
    assert cache.get(owner, "k", floats(1)).size == 1


def test_arrays_of_the_array_api_standard():
    cache, owner = DerivedCache(), Owner()
    made = cache.get(owner, "k", lambda: array_api_strict.zeros((2, 3)))
    assert cache.get(owner, "k", lambda: None) is made
    assert cache.nbytes == 48


def test_making_may_need_the_cache():
    cache, owner = DerivedCache(), Owner()
    made = cache.get(owner, "outer", lambda: cache.get(owner, "inner", floats(1)) + 1)
    assert made.tolist() == [1.0]
    assert cache.nbytes == 16


def test_threads_get_one_entry_each_key():
    """Eight threads ask for the same few entries of owners that live and die, in a cache too small for all."""
    cache = DerivedCache(max_bytes=8 * 20)
    shared = [Owner() for _ in range(4)]
    start, failures = threading.Barrier(8), []

    def hammer(seed):
        rng = np.random.default_rng(seed)
        start.wait()
        try:
            for step in range(400):
                owner = shared[rng.integers(4)] if step % 3 else Owner()
                n = int(rng.integers(1, 5))
                got = cache.get(owner, n, lambda n=n: np.full(n, float(n)))
                assert got.tolist() == [float(n)] * n
                assert cache.nbytes <= cache.max_bytes
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    gc.collect()
    assert cache.nbytes == held(cache)
    assert {owner for owner, _ in cache._entries} <= {id(owner) for owner in shared}


def test_threads_share_what_the_first_of_them_made():
    cache, owner, start = DerivedCache(), Owner(), threading.Barrier(8)
    got = []

    def ask():
        start.wait()
        got.append(cache.get(owner, "k", floats(1000)))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(array is got[0] for array in got)
    assert cache.nbytes == 8000


def test_operators_are_freed_with_their_spectra():
    before = derived.nbytes
    A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
    x = np.ones((32, 32))
    A.A_adjoint_A(x), A.A_adjoint(A(x)), A.A_dagger(A(x))
    assert derived.nbytes > before
    gone = weakref.ref(A)
    del A
    gc.collect()
    assert gone() is None
    assert derived.nbytes == before


def test_many_threads_in_one_operator():
    """Spectra are made while other threads ask for them; every result has the same bits."""
    x = np.random.default_rng(0).standard_normal((24, 25))
    expected = Blur(gaussian_blur(1.5)).A_adjoint_A(x).tobytes()
    for _ in range(5):
        A, start, got = Blur(gaussian_blur(1.5)), threading.Barrier(6), []

        def work(A=A, start=start, got=got):
            start.wait()
            got.extend(A.A_adjoint_A(x).tobytes() for _ in range(10))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == [expected] * 60


def test_eviction_of_operators_that_own_entries(monkeypatch):
    """A merged operator is an entry, and its cast is an entry of its own: the first takes the second along."""
    from daskphys.physics import cache as module

    small = DerivedCache(max_bytes=40_000)
    for name in ("blur", "hooks", "normal.held"):
        monkeypatch.setattr(sys.modules[f"daskphys.physics.{name}"], "derived", small)
    A = Blur(np.ones((3, 3)) / 9)
    for _ in range(3):
        for n in range(8, 40):
            x = np.ones((n, n), np.float32)
            np.testing.assert_allclose(A.A_adjoint_A(x), x, rtol=1e-5)
    assert 0 < small.nbytes <= small.max_bytes
    assert small.nbytes == sum(size for _, size in small._entries.values())
    del A
    assert small.nbytes == 0
    assert module.derived is not small


def test_a_lower_limit_lets_go_of_what_is_above_it_at_once():
    class Owner: ...

    cache, owner = DerivedCache(max_bytes=1000), Owner()
    for key in range(3):
        cache.get(owner, key, lambda: np.ones(4))
    cache.limit(70)
    assert cache.nbytes == 64
