"""The log density at constrained values, called from Python often: machine code that takes the place of plain Python.

It is the density of a model that differs in its supports: where each is the whole line, coordinates are the values.
"""

from __future__ import annotations

import ctypes
import dataclasses
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.compile import JIT, Entry, address_of, call_density, entry, floats_at, ints_at
from nbinfer.compile.files import file_digest
from nbinfer.compile.modules import generated_module
from nbinfer.errors import unseen
from nbinfer.model.code import generate
from nbinfer.model.code.shells import SIGNATURES
from nbinfer.model.compiled import CompiledBound
from nbinfer.model.layout import Layout, Parameter
from nbinfer.model.support.supports import real

if TYPE_CHECKING:
    from nbinfer.model.definition import CompiledDefinition

#: Calls after which machine code is looked for, and after which it is made: by then plain Python has taken as long.
LOOKED_FOR, MADE = 50, 10_000

#: Supports whose elements each lie strictly between two numbers, with what of their constants these are.
_LIMITS: dict[str, Callable[[np.ndarray], Any]] = {
    "real": lambda c: (-np.inf, np.inf),
    "positive": lambda c: (0.0, np.inf),
    "lower": lambda c: (c, np.inf),
    "upper": lambda c: (-np.inf, c),
    "interval": lambda c: c[:-1].reshape(2, -1),
}

#: Memory of a call: the address of its table, continuous values, discrete ones, the table.
_Memory = tuple[int, np.ndarray, np.ndarray, np.ndarray]

_log = logging.getLogger(__name__)


#: What `at_values` reads: addresses of values and of their limits, how many, the density, its context and its failures.
VALUES, LIMITS, COUNT, DENSITY, CONTEXT, FAILURES, WORDS = range(7)


@entry("float64(intp)")
def at_values(table: int) -> float:
    """C function: a density where each value lies strictly between its limits and it does not fail; else NaN."""
    words = ints_at(table, WORDS)
    n, failures = words[COUNT], ints_at(words[FAILURES], 1)
    x, low = floats_at(words[VALUES], n), floats_at(words[LIMITS], n)
    high = floats_at(words[LIMITS] + 8 * n, n)
    for i in range(n):
        if not low[i] < x[i] < high[i]:
            return np.nan
    before = failures[0]
    value = call_density(words[DENSITY], n, words[VALUES], 0, words[CONTEXT])
    return value if failures[0] == before else np.nan


class AtPoints:
    """The log density of a model at points, once it has been asked for often.

    Parameters
    ----------
    definition : CompiledDefinition
        Of the model.
    """

    def __init__(self, definition: CompiledDefinition) -> None:
        self._definition = definition
        self._count = 0
        self._short: Callable[[Any], float | None] | None = None
        layout = definition.layout
        # Where a bound is a function, where there are batches, or a gradient alone: in plain Python.
        self._possible = JIT and definition.has_terms and not layout.dependent and not definition.feeds

    def __call__(self, point: Any) -> float | None:
        """Return the log density at a point; None where that takes plain Python, and its checks."""
        if self._short is not None:
            return self._short(point)
        if self._possible:
            self._count += 1
            if self._count == LOOKED_FOR or self._count == MADE:
                self._prepare(self._count == MADE)
        return None

    def _prepare(self, may_compile: bool) -> None:
        try:
            bound, value = self._code()
            known = all(part.place.path.exists() for part in (value, at_values))
            if may_compile and not known:
                with unseen():
                    _log.warning(
                        "compiling the log density of %s, after %d calls of logp", self._definition.title, MADE
                    )
            if may_compile or known:
                value.load()
                self._short = self._short_call(bound, value)
        except Exception as reason:  # plain Python goes on
            self._possible = False
            _log.info("logp of %s stays plain Python: %s", self._definition.title, reason)

    def _code(self) -> tuple[CompiledBound, Entry]:
        """Return memory, and the C function of the density without transforms."""
        given = self._definition
        supports = {p.name: p.support if p.support.discrete else real(p.shape) for p in given.parameters.values()}
        nothing: dict[str, Any] = {name: {} for name in ("derived", "predict", "prior_draw", "conditional")}
        definition = dataclasses.replace(given, layout=Layout(supports), logp_grad=None, grad=None, **nothing)
        facts = given.facts()._replace(derived={})
        plan = definition.plan(facts, False)._replace(learnt=())
        content = file_digest(definition.content(False), "without derivatives")
        module = generated_module(generate.source(plan), content, definition.names(False), SIGNATURES)
        return CompiledBound(definition, 1, facts), module.entry("value")

    def _memory_for(self, bound: CompiledBound, entry: Entry) -> Callable[[], _Memory]:
        """Return what makes memory for a call."""
        lowest, limits = bound.discrete(1).copy(), _limits(self._definition.layout)
        self._kept = bound, limits  # which code reads by address
        words = np.zeros(WORDS, np.int64)
        words[COUNT], words[DENSITY], words[LIMITS] = bound.dim, entry.address, address_of(limits)
        words[CONTEXT], words[FAILURES] = bound.context(1), bound.status(1)

        def new() -> _Memory:
            table, q = words.copy(), np.zeros(bound.dim)
            table[VALUES] = address_of(q)
            return address_of(table), q, lowest.copy(), table

        return new

    def _short_call(self, bound: CompiledBound, entry: Entry) -> Callable[[Any], float | None]:
        # A closure: its variables are found in half the time of attributes.
        new, lock, count = self._memory_for(bound, entry), threading.Lock(), len(self._definition.parameters)
        discrete, is_mixed = bound.discrete(1), bool(bound.discrete(1).size)
        call = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t)(at_values.address)
        places = bound.definition.parameters
        takers = [(p.name, _taker(p, places[p.name])) for p in self._definition.parameters.values()]
        # Memory of calls, of which several may be under way. What a call left in the middle is not given back.
        free: list[_Memory] = []

        def short(point: Any) -> float | None:
            if type(point) is not dict or len(point) != count:
                return None
            try:
                table, q, z, _ = lent = free.pop()
            except IndexError:
                table, q, z, _ = lent = new()
            try:
                for name, take in takers:
                    if not take(point[name], q, z):
                        return None
            except (KeyError, ValueError, OverflowError):  # plain Python says what is wrong
                return None
            with lock:  # whatever is in the context's memory is that of one call
                if is_mixed:
                    discrete[:] = z
                value = call(table)
            free.append(lent)
            # What is not finite may be an exception in plain Python.
            return value if value - value == 0.0 else None

        return short


def _limits(layout: Layout) -> np.ndarray:
    """Return lower and upper limits of all continuous values, one after the other."""
    limits = [np.full((2, p.elements), [[-np.inf], [np.inf]]) for p in layout.continuous]
    for p, both in zip(layout.continuous, limits, strict=True):
        if p.support.transform in _LIMITS:
            both[0], both[1] = _LIMITS[p.support.transform](p.support.constants)
    return np.ascontiguousarray(np.concatenate([*limits, np.empty((2, 0))], axis=1))


def _taker(given: Parameter, place: Parameter) -> Callable[[Any, np.ndarray, np.ndarray], bool]:
    """Return what writes a value to flat memory, or says that it takes a closer look.

    Parameters
    ----------
    given : Parameter
        With its support.
    place : Parameter
        The same, with its place among all values.
    """
    support, shape, discrete = given.support, given.shape, given.support.discrete
    into = place.z if discrete else place.q
    start = into.start

    def number(value: Any, q: np.ndarray, z: np.ndarray) -> bool:
        if type(value) is not float and type(value) is not np.float64 and type(value) is not int:
            return False
        q[start] = value
        return True

    def array(value: Any, q: np.ndarray, z: np.ndarray) -> bool:
        if type(value) is not np.ndarray or value.dtype != np.float64 or value.shape != shape:
            return False
        q[into] = value if len(shape) == 1 else value.ravel()
        return True

    def anything(value: Any, q: np.ndarray, z: np.ndarray) -> bool:
        (z if discrete else q)[into] = np.ravel(support.check(value))
        return True

    if discrete or support.transform not in _LIMITS:
        return anything
    return array if shape else number
