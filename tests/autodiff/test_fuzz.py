"""Random programs, programs that were wrong once, and the fuzzer and the reducer themselves."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nbinfer.autodiff import absorbing, arrays, builder, emit, lazy, linalg, memory, positions, restoring, scatter
from nbinfer.autodiff.rules import RULES
from tests.autodiff.found import FOUND, Found
from tests.autodiff.fuzz import check, run
from tests.autodiff.programs import program
from tests.autodiff.reduce import failure, reduce
from tests.often import often


@pytest.mark.parametrize("first", often(range(0, 150, 30), 0, 30))
@pytest.mark.either
def test_random_programs(first: int) -> None:
    counts, failures = run(range(first, first + 30), sample=0)
    assert not failures, "\n".join(f"seed {seed}: {outcome.kind}: {outcome.detail}" for seed, outcome in failures)
    assert counts["ok"] >= 25


@pytest.mark.parametrize("first", range(0, 60, 30))
@pytest.mark.either
def test_random_programs_with_guards(first: int) -> None:
    counts, failures = run(range(first, first + 30), sample=0, wild=True)
    assert not failures, "\n".join(f"seed {seed}: {outcome.kind}: {outcome.detail}" for seed, outcome in failures)
    assert counts["ok"] >= 25


@pytest.mark.nojit
@pytest.mark.parametrize("seed", often([6, 9, 20, 28], 9, 28))
def test_compiled_programs(seed: int) -> None:
    outcome = check(program(seed), seed, compiled=True)
    assert outcome.kind == "ok", outcome.detail


@pytest.mark.either
@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.name)
def test_what_was_wrong_once(found: Found) -> None:
    header = "import math\nimport numpy as np\n"
    outcome = check(header + found.text, found.seed)
    assert outcome.kind == "ok", f"{outcome.kind}: {outcome.detail}"


def test_programs_depend_on_the_seed_alone() -> None:
    assert program(7) == program(7) != program(8)


# Mutants: the fuzzer must notice when a derivative is wrong -----------------------------------------------------------

Patch = Callable[[pytest.MonkeyPatch], None]


def _partials(name: str, *partials: str) -> Patch:
    return lambda patch: patch.setitem(RULES, name, RULES[name]._replace(partials=partials))


def _forget_sums(patch: pytest.MonkeyPatch) -> None:
    def add(self: Any, value: Any, text: str, begun: set[Any]) -> None:
        if self.takes(value):
            self.line(f"{value.bar} = {text}")
            begun.add(value)

    patch.setattr(emit.Emitter, "add", add)


def _pass_on_nothing(self: Any, op: Any, neighbours: list[Any], start: int) -> None:
    self.lines[start:start] = ["    " * self.indent + f"{name} = 0.0" for n in neighbours for name in n.names]


def _first_piece(self: Any, made: str, sizes: Any, index: Any) -> Any:
    found = self.places.get((made, *map(self.ident, sizes), self.ident(index)))
    return (0, found[1]) if made == "joined" and found is not None else found


def _from_the_second(b: Any, place: Any, count: Any) -> Any:
    found = lazy.Lazy(b, [count], lambda index: b.load(place, [b.scalar("add", index[0], b.constant(1))]), "i", cost=1)
    found.distinct = True
    return found


def _no_reverse(name: str) -> Patch:
    def mutate(patch: pytest.MonkeyPatch) -> None:
        primitive = getattr(linalg, name)
        patch.setitem(primitive.reverse, 0, primitive.reverse[0].replace("{bar0}", "{bar0}.copy()"))

    return mutate


MUTANTS: dict[str, Patch] = {
    "product, second factor": _partials("mul", "{1}", "-{0}"),
    "tanh, sign": _partials("tanh", "1.0 + {o} * {o}"),
    "quotient, sign": _partials("div", "{bar} / {1}", "({bar} / {1}) * {o}"),
    "maximum, first argument": _partials("max", "(1.0 if {0} < {1} else 0.0)", "(0.0 if {0} >= {1} else 1.0)"),
    "square, factor 2": _partials("square", "{0}"),
    "lgamma, sign": _partials("lgamma", "-_digamma({0})"),
    "exp, forgotten": _partials("exp", "1.0"),
    "adjoints of numbers are overwritten": _forget_sums,
    "adjoints are not cleared when an element is overwritten": lambda patch: patch.setattr(
        memory.Memory, "needs_clearing", lambda self, store: False
    ),
    "what is overwritten is not saved": lambda patch: patch.setattr(memory.Memory, "hazards", lambda self, block: {}),
    "all that loops read counts as final": lambda patch: patch.setattr(
        memory.Memory, "final", lambda self, loop, storage, reads: True
    ),
    "what is computed anew stays": lambda patch: patch.setattr(emit, "operations", lambda run: ()),
    "what a loop's last turn passes on is lost": lambda patch: patch.setattr(
        scatter.Scattering, "_pass_on", _pass_on_nothing
    ),
    "the first of two stores is undone first": lambda patch: patch.setattr(restoring, "reversed", iter, raising=False),
    "expressions of an array see later changes": lambda patch: patch.setattr(
        arrays.ArrayBuilder, "settled", lambda self, x: x
    ),
    "only the last adjoint of a loop's sum counts": lambda patch: patch.setattr(
        emit.Emitter, "_finish", lambda self, loop, begun: None
    ),
    "solve, no derivative by the matrix": _no_reverse("SOLVE"),
    "of what is joined, the second piece is the first": lambda patch: patch.setattr(
        builder.Builder, "place_in", _first_piece
    ),
    "adding at a position twice adds twice": lambda patch: patch.setattr(
        positions.Chosen, "distinct", property(lambda self: True, lambda self, value: None), raising=False
    ),
    "each turn of a loop counts as touching elements of its own": lambda patch: patch.setattr(
        memory.Memory, "apart", lambda self, loop, storage: True
    ),
    "a mask chooses the position after": lambda patch: patch.setattr(positions, "_first", _from_the_second),
}


@contextlib.contextmanager
def _mutated(name: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name](patch)
        yield


#: Those that only programs with guards and zeros can tell.
WILD_MUTANTS: dict[str, Patch] = {
    "an adjoint of 0 absorbs nothing": lambda patch: patch.setattr(
        absorbing.Absorbing, "absorbs", lambda self, op, position: False
    ),
    "no adjoint dies in an array": lambda patch: patch.setattr(
        absorbing.Absorbing, "_is_read", lambda self, storage, op: True
    ),
    "infinity to a power has no derivative": _partials("pow", "_power_slope({0}, {1})", "{o} * _log({0})"),
}


def _caught(first: int = 0, wild: bool = False) -> int | None:
    seeds = range(first, first + 200)
    return next((s for s in seeds if check(program(s, wild), s, points=1 + wild, zeros=wild).failed), None)


#: Where to begin, for mutants that few programs tell.
RARE = {
    "the first of two stores is undone first": 250,
    "adding at a position twice adds twice": 750,
    "infinity to a power has no derivative": 300,
}


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.either
def test_mutants_are_caught(name: str) -> None:
    with _mutated(name):
        assert _caught(RARE.get(name, 0)) is not None


@pytest.mark.parametrize("name", WILD_MUTANTS)
@pytest.mark.either
def test_mutants_are_caught_by_guards(name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        WILD_MUTANTS[name](patch)
        assert _caught(RARE.get(name, 0), wild=True) is not None


_LONG = """\
import math
import numpy as np

def helper(v, s):
    lp = 0.0
    for i in range(3):
        lp += math.sin(v[i]) * s
    return lp

def f(x, y, A, s, t, n, m):
    lp = 0.0
    a = np.zeros(n)
    for i in range(n):
        for j in range(m):
            if A[i, j] > 0.1:
                a[i] += A[i, j] * math.tanh(y[j] - s)
            else:
                a[i] -= math.exp(-x[i] ** 2)
        lp += a[i] * helper(y, t)
    v = np.sum(np.sin(a) * x)
    return lp - 0.5 * v * v
"""


@pytest.mark.either
def test_reduce_finds_the_cause() -> None:
    with _mutated("tanh, sign"):
        small = reduce(_LONG, failure(_LONG, 0), math.inf)
        assert check(small, 0).kind == "mismatch"
    assert check(small, 0).kind == "ok"
    assert "tanh" in small
    assert "helper" not in small
    assert len(small.splitlines()) <= 8
