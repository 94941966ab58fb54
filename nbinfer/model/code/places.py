"""Where generated code finds parameters: numbers in its text where these never change, else words that it reads.

Sizes of arrays are no part of the text. They reach it through the context, as data do, so that a model with more
coefficients runs by the same machine code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nbinfer.model.layout import Layout, Parameter


class Number(NamedTuple):
    """A number of a layout: what it is of, '' for the whole; which; its value; and whether types alone tell it."""

    name: str
    kind: str
    value: int
    known: bool


def _numbers(layout: Layout) -> Iterator[Number]:
    """Go through all numbers that generated code may ask for."""
    parameters = list(layout.parameters.values())
    alone = [not has_lengths(p) for p in parameters]
    whole = all(alone)
    yield Number("", "values", layout.values, whole or not any(map(moved, parameters)))
    yield Number("", "discrete", layout.discrete, whole or not any(p.support.discrete for p in parameters))
    yield Number("", "trial", layout.trial_start, whole or not any(map(moved, parameters)))
    start = 0
    for k, p in enumerate(parameters):
        before = all(alone[:k])
        for kind, place in (("q", p.q), ("x", p.x), ("z", p.z), ("constants", p.c)):
            yield Number(p.name, kind, place.start, before)
        yield Number(p.name, "row", start, before)
        start += p.elements
        yield Number(p.name, "gradient", layout.values + p.x.start, whole)
        yield Number(p.name, "bounds", layout.bounds_start + p.b.start, whole)
        yield Number(p.name, "slopes", layout.bounds_start + layout.bounds + p.b.start, whole)
        for kind, value in (("size", p.size), ("elements", p.elements), ("count", p.c.stop - p.c.start)):
            yield Number(p.name, kind, value, alone[k])
        for axis, length in enumerate(p.shape):
            yield Number(p.name, f"length {axis}", length, length == 1)
    yield Number("", "row", start, whole)


def has_lengths(p: Parameter) -> bool:
    """Tell whether a parameter has an axis whose length is no part of the text: any but one of one element."""
    return any(length != 1 for length in p.shape)


def words(layout: Layout) -> np.ndarray:
    """Return the numbers that generated code reads; as many for all layouts that have the same text."""
    return np.array([n.value for n in _numbers(layout) if not n.known] or [0], np.int64)


class Places:
    """Writes how generated code reaches the parameters of a layout."""

    def __init__(self, layout: Layout) -> None:
        self._texts: dict[tuple[str, str], str] = {}
        parameters = layout.parameters.values()
        names = ["q", *(["z"] if layout.discrete else []), *(["scratch"] if any(map(moved, parameters)) else [])]
        names += ["places"] if any(map(has_lengths, parameters)) else []
        #: Arguments by which generated code reaches parameters, and their gradients, too.
        self.read = ", ".join(names)
        self.reached = f"{self.read}, grad"
        word = 0
        for n in _numbers(layout):
            self._texts[n.name, n.kind] = str(n.value) if n.known else f"read_at(places, {word})"
            word += not n.known

    def number(self, kind: str, p: Parameter | None = None) -> str:
        """Write a number of a parameter, or of the layout."""
        return self._texts["" if p is None else p.name, kind]

    def shape(self, p: Parameter) -> list[str]:
        """Write the lengths of a value."""
        return [self.number(f"length {axis}", p) for axis in range(len(p.shape))]

    def value(self, p: Parameter) -> str:
        """Write the value: a number, or a view of an array."""
        array, kind = ("z", "z") if p.support.discrete else ("scratch", "x") if moved(p) else ("q", "q")
        return self.view(array, kind, p)

    def view(self, array: str, kind: str, p: Parameter) -> str:
        """Write a piece of a flat array as users' functions see it: a number, or a view."""
        start, shape = self.number(kind, p), self.shape(p)
        return part(array, start, shape) if shape else f"read_at({array}, {start})"

    def gradient(self, p: Parameter) -> str:
        """Write the array to which the derivative by the value is added: of numbers, one without axes."""
        return part(*self._gradient(p), self.shape(p))

    def added(self, p: Parameter) -> str:
        """Write that array, or the statement that adds ``{}`` to the derivative by a number."""
        return self.gradient(p) if p.shape else f"add_at({', '.join(self._gradient(p))}, {{}})"

    def _gradient(self, p: Parameter) -> tuple[str, str]:
        return ("scratch", self.number("gradient", p)) if moved(p) else ("grad", self.number("q", p))

    def flat(self, array: str, kind: str, p: Parameter, size: str = "elements", each: str = "0") -> str:
        """Write a piece of a flat array as a flat array: that of a parameter, or `each` of its length further on."""
        length = self.number(size, p)
        return part(array, plus(self.number(kind, p), times(each, length)), [length])

    def coordinates(self, p: Parameter, each: str = "0") -> str:
        """Write coordinates and values as flat arrays."""
        return f"{self.flat('q', 'q', p, 'size', each)}, {self.flat('scratch', 'x', p, each=each)}"

    def constants(self, p: Parameter, each: str = "0") -> str:
        """Write the constants of a transform as a flat array: in scratch memory if a bound is a function."""
        array, kind = ("scratch", "bounds") if p.support.bounds else ("constants", "constants")
        return self.flat(array, kind, p, "count", each)


def moved(p: Parameter) -> bool:
    """Tell whether a parameter has a transform, and thus a place in scratch memory."""
    return not (p.support.is_identity or p.support.discrete)


def part(array: str, start: str, shape: Sequence[str]) -> str:
    """Write a view of a piece of a flat array."""
    return f"part({array}, {start}, ({''.join(length + ', ' for length in shape).strip()}))"


def plus(*terms: str) -> str:
    """Write a sum, numbers added up."""
    known = sum(int(term) for term in terms if term.isdecimal())
    others = [term for term in terms if not term.isdecimal()]
    return " + ".join([*others, *([str(known)] if known or not others else [])])


def minus(text: str, other: str) -> str:
    """Write a difference, that of numbers as a number."""
    if text.isdecimal() and other.isdecimal():
        return str(int(text) - int(other))
    return text if other == "0" else f"{text} - {other}"


def times(*factors: str) -> str:
    """Write a product, numbers multiplied."""
    known = math.prod(int(factor) for factor in factors if factor.isdecimal())
    if known == 0:
        return "0"
    others = [f"({f})" if re.search(r" [+-] ", f) else f for f in factors if not f.isdecimal()]
    return " * ".join([*others, *([str(known)] if known != 1 or not others else [])])
