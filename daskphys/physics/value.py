"""Immutable values: operators are equal, hash, tokenise, pickle and print by their content."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self, TypeVar, cast, dataclass_transform

import numpy as np

from daskphys import backend
from daskphys.errors import checks_keywords

C = TypeVar("C", bound=type)


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(dataclasses.field,))
def value(cls: C) -> C:
    """Class decorator of operators and noise models: a frozen dataclass that is equal, hashed and sent by content.

    Arrays among the fields are made read-only (copied where somebody else may write to them), lists become tuples, and an unknown
    keyword is an error that gives the nearest name.

    Parameters
    ----------
    cls : type
        A subclass of `LinearPhysics`, `Physics` or `NoiseModel`, with annotated fields as of a dataclass.

    Returns
    -------
    type
        The same class as a frozen dataclass.

    Raises
    ------
    UnknownKeywordError
        When the class is called with a keyword that is no field.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import LinearPhysics, value
    >>> @value
    ... class Gain(LinearPhysics):
    ...     factor: float = 1.0
    ...     def _forward(self, x):
    ...         return self.factor * x
    ...     def _adjoint(self, y, shape):
    ...         return self.factor * y
    >>> Gain(2.0) == Gain(factor=2.0), Gain(2.0)(np.ones(2))
    (True, array([2., 2.]))
    >>> Gain(facto=2.0)
    Traceback (most recent call last):
    daskphys.errors.UnknownKeywordError: Gain() has no keyword 'facto': did you mean 'factor'? known: 'factor', 'noise_model'
    """
    made: Any = dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
    init = made.__init__

    @functools.wraps(init)
    def frozen_init(self: Value, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        for name, field in self._fields().items():
            if isinstance(field, np.ndarray) and field.flags.writeable:
                self.__dict__[name] = backend.frozen(field)
            elif isinstance(field, list):
                self.__dict__[name] = tuple(field)
        self._check()

    made.__init__ = checks_keywords(frozen_init, cls.__name__)
    return cast(C, made)


class Value:
    """Equality, hashing, Dask tokens, pickling and size of a frozen dataclass, from its fields alone.

    What a method keeps on the instance under a name that starts with an underscore (a digest, the adjoint)
    is no part of the value: it is not compared and does not travel.
    """

    def _fields(self) -> dict[str, Any]:
        if not dataclasses.is_dataclass(self) or _undecorated(type(self)):
            raise TypeError(
                f"{type(self).__qualname__} is no dataclass: decorate it with @daskphys.physics.value"
            )
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(cast(Any, self))}

    def _check(self) -> None:
        """Refuse what a base class knows to be wrong, after the author's own checks."""

    def _content(self) -> tuple[Any, ...]:
        """A hashable key of the content, the same in every process."""
        key: tuple[Any, ...] | None = self.__dict__.get("_content_key")
        if key is None:
            key = (_kind(cast(Any, type(self))), *(_key(v) for v in self._fields().values()))
            self.__dict__["_content_key"] = key
        return key

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Value) and type(self) is type(other) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return self._content()

    def __getstate__(self) -> dict[str, Any]:
        return self._fields()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for array in self._arrays():
            backend.lock(array)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # immutable; and what is bound to a cluster stays that, in a copy of the network that holds it

    def _arrays(self) -> Iterator[Any]:
        for field in self._fields().values():
            for item in field if isinstance(field, tuple) else (field,):
                if isinstance(item, Value):
                    yield from item._arrays()
                elif backend.is_array(item):
                    yield item

    @property
    def nbytes(self) -> int:
        """Bytes of all parameters (an array that two sensors share counts once)."""
        unique = {id(array): array for array in self._arrays()}
        return sum(backend.nbytes(a) for a in unique.values())

    def to(self, device: Any) -> Self:
        """The same value with its arrays on a device.

        Parameters
        ----------
        device : str or torch.device
            ``"cpu"``, ``"cuda"``, ``"cuda:1"``, …

        Returns
        -------
        Value
            Itself where its arrays are there already.

        Raises
        ------
        MissingDependencyError
            CuPy is not installed.
        DeviceError
            The machine has no such device.
        """
        name = backend.parse_device(device)
        if all(backend.device_of(array) == name for array in self._arrays()):
            return self
        return self._with({k: _moved(v, name) for k, v in self._fields().items()})

    def _with(self, fields: Mapping[str, Any]) -> Self:
        """The value with some other fields, which are known to be right: they are not checked again."""
        made = object.__new__(type(self))
        made.__dict__.update(self._fields() | dict(fields))
        return made


@functools.lru_cache(maxsize=256)
def _undecorated(cls: type) -> bool:
    """Whether the fields of a class are those of an abstract base, so that its own are not known."""
    return inspect.isabstract(next(c for c in cls.__mro__ if "__dataclass_fields__" in vars(c)))


@functools.lru_cache(maxsize=256)
def _kind(cls: Any) -> str:
    """The name of a class; of one that a session may define again, with a digest of its code."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    if cls.__module__ != "__main__":
        return name
    import cloudpickle

    return f"{name}-{hashlib.blake2b(cloudpickle.dumps(cls), digest_size=16).hexdigest()}"


def _key(item: Any) -> Any:
    if isinstance(item, Value):
        return item._content()
    if isinstance(item, np.generic):  # a number of NumPy's is that number
        return item.item()
    return backend.digest(item) if backend.is_array(item) else plain_key(item, _key)


def plain_key(item: Any, key: Callable[[Any], Any]) -> Any:
    """A hashable key of what Python's own containers hold, by the `key` of their items; else the item itself."""
    if isinstance(item, tuple):
        return tuple(map(key, item))
    if isinstance(item, list):
        return ("list", *map(key, item))
    if isinstance(item, set | frozenset):
        return frozenset(map(key, item))
    if isinstance(item, dict):  # equal whatever the order of its keys; which need not compare with each other
        return ("dict", *sorted(((key(k), key(v)) for k, v in item.items()), key=lambda pair: repr(pair[0])))
    return item


def _moved(item: Any, device: str) -> Any:
    if isinstance(item, Value):
        return item.to(device)
    if isinstance(item, tuple):
        return tuple(_moved(i, device) for i in item)
    return backend.to_device(item, device) if backend.is_array(item) else item
