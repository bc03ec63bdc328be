"""The family of errors: each is the package's own and the built-in one that a NumPy user would catch."""

import inspect
import pickle

import numpy as np
import pytest

from daskphys import errors
from daskphys.errors import (
    ConvergenceWarning,
    DaskphysError,
    DaskphysWarning,
    FallbackWarning,
    UnknownKeywordError,
    checks_keywords,
    describe,
    nearest,
)

BUILT_IN = {
    "WorkersLostError": RuntimeError,
    "ContextClosedError": RuntimeError,
    "DeviceError": RuntimeError,
    "DtypeError": TypeError,
    "ImageError": ValueError,
    "ImageNotFoundError": FileNotFoundError,
    "MainGuardError": RuntimeError,
    "MemoryPlanError": MemoryError,
    "MissingDependencyError": ImportError,
    "NoWorkersError": TimeoutError,
    "NotClosedFormError": ValueError,
    "NotLinearError": TypeError,
    "ParameterError": ValueError,
    "SchedulerUnreachableError": ConnectionError,
    "SensorError": RuntimeError,
    "ShapeError": ValueError,
    "StorageError": ValueError,
    "StoreExistsError": FileExistsError,
    "StoreNotFoundError": FileNotFoundError,
    "UnknownKeywordError": TypeError,
    "UnsupportedArrayError": TypeError,
}

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]


@pytest.mark.parametrize(
    "cls", [c for c in CLASSES if issubclass(c, DaskphysError) and c is not DaskphysError]
)
def test_each_error_is_also_a_built_in_one(cls):
    assert issubclass(cls, BUILT_IN[cls.__name__])


def test_every_name_is_public_and_there_are_no_others():
    assert sorted(c.__name__ for c in CLASSES) == errors.__all__
    assert set(BUILT_IN) == {c.__name__ for c in CLASSES if issubclass(c, DaskphysError)} - {"DaskphysError"}


@pytest.mark.parametrize("cls", CLASSES)
def test_each_has_a_docstring_and_one_family(cls):
    assert cls.__doc__
    assert issubclass(cls, DaskphysError | DaskphysWarning)


@pytest.mark.parametrize("cls", CLASSES)
def test_messages_survive_pickling(cls):
    """Errors come back from workers."""
    twin = pickle.loads(pickle.dumps(cls("what was expected")))
    assert type(twin) is cls
    assert str(twin) == "what was expected"


def test_warnings_can_be_silenced_as_users():
    assert issubclass(ConvergenceWarning, UserWarning)
    assert issubclass(FallbackWarning, UserWarning)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("paddin", "did you mean 'padding'? known: 'filter', 'padding'"),
        ("filters", "did you mean 'filter'? known: 'filter', 'padding'"),
        ("xyz", "known: 'filter', 'padding'"),
        ("", "known: 'filter', 'padding'"),
    ],
)
def test_nearest(name, expected):
    assert nearest(name, ["padding", "filter"]) == expected


def test_nearest_of_nothing():
    assert nearest("a", []) == "known: none"


def test_unknown_keywords():
    @checks_keywords
    def blend(a, /, b, *, weight=1.0):
        """Its docstring."""
        return a, b, weight

    assert blend(1, 2, weight=3) == (1, 2, 3)
    assert blend(1, b=2) == (1, 2, 1.0)
    assert blend.__doc__ == "Its docstring."
    assert blend.__name__ == "blend"
    with pytest.raises(
        UnknownKeywordError, match=r"blend\(\) has no keyword 'wieght': did you mean 'weight'\?"
    ):
        blend(1, 2, wieght=3)
    with pytest.raises(UnknownKeywordError, match="no keyword 'a'"):
        blend(a=1, b=2)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        blend(1)


def test_unknown_keywords_of_a_method_never_suggest_self():
    class Mixer:
        @checks_keywords
        def mix(self, x):
            return x

    assert Mixer().mix(x=1) == 1
    with pytest.raises(UnknownKeywordError, match=r"Mixer\.mix\(\) has no keyword 'selfie': known: 'x'"):
        Mixer().mix(selfie=1)


def test_describe():
    assert describe(3) == "int"
    assert describe([1]) == "list"
    assert describe(np.ones((2, 3))) == "numpy.ndarray of shape (2, 3)"
    assert describe(np.float32(1)) == "numpy.float32 of shape ()"
    assert describe(pytest) == "module"
