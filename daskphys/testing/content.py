"""Laws of operators as values."""

from __future__ import annotations

import copy
import html
import pickle
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from dask.base import tokenize

from daskphys.physics.stack import stack
from daskphys.testing.probe import Probe, expect, require, same_bits


def adjoint_of_adjoint(p: Probe) -> None:
    """A.H.H is A"""
    expect(p.A.H.H is p.A, f"A.H.H is another object: {p.A.H.H!r}")


def copied(A: Any) -> Any:
    """Another operator with copies of all fields; to `copy` an operator, being immutable, is its own copy."""
    return A._with({name: copy.deepcopy(field) for name, field in A._fields().items()})


def equality(p: Probe) -> None:
    """operators are equal, hash and tokenise by content"""
    A = p.A
    twin = copied(A)
    require(twin, A, "a copy is")
    require(hash(twin), hash(A), "the hash of a copy is")
    require(tokenize(twin), tokenize(A), "the token of a copy is")
    others = [2 * A, -A, *([stack(A, A)] if p.can_be_stacked else [])]
    for other in others:
        expect(other != A, f"{other!r} equals it")
        expect(tokenize(other) != tokenize(A), f"{other!r} has its token")


def pickling(p: Probe) -> None:
    """an operator that went through pickle is the same operator"""
    twin, x, y = pickle.loads(pickle.dumps(p.A)), p.input(), p.output()
    require(twin, p.A, "it is")
    require(repr(twin), repr(p.A), "its repr is")
    require(tokenize(twin), tokenize(p.A), "its token is")
    expect(twin.H.H is twin, "A.H.H is another object")
    same_bits(twin.A(x), p.A.A(x))
    same_bits(twin.A_adjoint(y), p.A.A_adjoint(y))


def representation(p: Probe) -> None:
    """repr is one line, and the HTML one is well-formed and shows it escaped"""
    line, page = repr(p.A), p.A._repr_html_()
    expect(line != "", "repr is empty")
    expect(line.splitlines() == [line], f"repr has {len(line.splitlines())} lines")
    expect(html.escape(line) in page, "the HTML does not show the escaped repr")
    reader = _Tags()
    reader.feed(page)
    reader.close()
    require(reader.open, [], "unclosed tags are")


class _Tags(HTMLParser):
    """Follows tags as they open and close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("img", "br", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        require(tag, self.open.pop() if self.open else None, "a closing tag is")


LAWS: tuple[Callable[[Probe], None], ...] = (adjoint_of_adjoint, equality, pickling, representation)
