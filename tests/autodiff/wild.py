"""Guards of random programs: zeros, infinities and NaN among the data, and what keeps them out of the result.

``{0}`` is a number or a vector that may depend on parameters, ``{w}`` a wild one.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from tests.autodiff.scope import Array, Scope

if TYPE_CHECKING:
    from tests.autodiff.expressions import Expressions
    from tests.autodiff.statements import Writer

#: What wild data are made of, the tame ones first.
_TAME = (1.0, 0.5, 2.0, 3.0)
_WILD = (0.0, 0.0, 0.0, -0.0, np.inf, -np.inf, np.nan, -1.0)

#: What may be infinite or NaN, or have such a derivative.
_RISKY = (
    "{0} * np.log({w})", "({0}) / {w}", "({0}) * {w}", "np.exp(({0}) * {w})", "np.sqrt({w} * ({0}))",
    "({0} - {w}) ** 2", "np.abs({0}) ** {w}", "{w} ** ({0})", "np.logaddexp({0}, {w})", "np.log1p({w} * ({0}))",
    "np.tanh(({0}) * {w})", "expit(({0}) / {w})", "np.arctan(({0}) / {w})", "1.0 / (1.0 + np.exp(-({0}) * {w}))",
    "np.exp(-((({0}) / {w}) ** 2))", "({w} * ({0}) + np.log({w})) * ({0})", "np.log({w} * np.exp({0}))",
    "({0}) / ({w} - {w})", "np.log({w} ** 2) * ({0})", "np.exp(({0}) * np.log({w}))", "({0}) ** 2 / {w} ** 2",
    "np.sqrt({w}) * ({0})", "np.logaddexp(({0}) * np.log({w}), {0})", "np.hypot({w} * ({0}), 0.0)",
    "log1pexp(({0}) * {w})", "np.sin(({0}) * {w})", "np.maximum(({0}) * np.log({w}), -3.0)",
    "np.clip(({0}) / {w}, -2.0, 2.0)", "np.abs(({0}) * {w}) ** 1.5", "({w} * ({0}) ** 2) ** 0.5", "({0}) * {w} ** -1",
    "normal.logpdf({w}, {0}, 1.5)", "normal.logpdf({0}, 0.3, {w})", "exponential.logpdf({w}, 1.5 + np.sin({0}))",
    "np.power({w}, {0})", "np.float_power(np.abs({0}), {w})", "np.log(np.abs({0})) * {w}", "np.expm1(({0}) * {w})",
)  # fmt: skip

#: Choices between what may be wild and what is not.
_CHOICES = (
    "(1.0 * np.where({ok}, {g}, {1}))", "({g} if {ok} else {1})", "select({ok}, {g}, {1})",
    "(1.0 * np.where(not {ok}, {1}, {g}))",
)  # fmt: skip
_ARRAY_CHOICES = ("np.where({ok}, {g}, {1})", "select({ok}, {g}, {1})", "np.where(~({ok}), {1}, {g})")

#: Conditions on the data, and on the result.
_BEFORE = ("{w} > 0.0", "np.isfinite({w})", "{w} >= 0.5", "np.isfinite(np.log({w}))")
_AFTER = ("np.isfinite({g})", "np.isfinite({g})", "np.abs({g}) < 1e3")

#: Powers and roots, at zero where their arguments are.
_POWERS = (
    "({0}) ** {i}", "pow({0}, {i})", "np.power({0}, {i})", "np.sqrt(({0}) ** 4)", "np.abs({0}) ** 2.5",
    "np.hypot(({0}) ** 2, 0.0)", "(({0}) * ({0})) ** 1.5", "({0}) ** ({i} + 1)", "np.exp(-np.sqrt(({0}) ** 2) ** 2)",
    "np.float_power({0}, {i})", "np.sqrt(({0}) ** 2 * 0.0)", "({0}) ** 0", "({0}) ** (2.0 * {i})",
    "np.logaddexp(np.log(({0}) ** 2), 0.3)", "np.exp(-1.0 / ({0}) ** 2)", "math.tanh(({0}) ** -2)",
)  # fmt: skip
_POWERS_OF_VECTORS = (
    "np.linalg.norm({0}) ** 2", "np.sum(({0}) ** np.arange(len({0})))", "np.prod({0})", "np.sum(np.cumprod({0}))",
    "np.exp(-np.linalg.norm({0}) ** 2)", "logsumexp(np.log(({0}) ** 2 + 0.0))", "np.sum(np.abs({0}) ** 1.5)",
    "np.sqrt(np.sum(({0}) ** 4))", "np.std({0}) ** 2", "np.sum(np.power({0}, np.arange(len({0}))))",
)  # fmt: skip


def wild_data(rng: np.random.Generator) -> np.ndarray:
    """Return four numbers, of which some are wild."""
    return np.where(rng.uniform(size=4) < 0.5, rng.choice(_TAME, 4), rng.choice(_WILD, 4))


def _chosen(r: random.Random, choices: tuple[str, ...], risky: str, other: str, w: str, name: str = "") -> str:
    """Write a choice; `name` is a variable that holds what may be wild."""
    g = name or f"({risky})"
    condition = r.choice(_AFTER if name or r.random() < 0.3 else _BEFORE).format(w=w, g=g)
    return r.choice(choices).format(other, other, ok=f"({condition})", g=g)


def guarded_number(writer: Expressions, scope: Scope, depth: int) -> str:
    """Write a number behind a guard, or a power."""
    r = writer.r
    if r.random() < 0.35:
        integers = ["0", "1", "2", "3", *(name for name, _ in scope.ints)] * 2
        integers += [f"{counts}[{writer.index(scope, 4)}]" for counts in scope.counts]
        return r.choice(_POWERS).format(writer.scalar(scope, depth + 1), i=r.choice(integers))
    if r.random() < 0.2:
        return r.choice(_POWERS_OF_VECTORS).format(writer.vector(scope, r.choice((3, 4)), depth + 1))
    w = f"{scope.wild}[{writer.index(scope, 4)}]"
    risky = r.choice(_RISKY).format(writer.scalar(scope, depth + 1), w=w)
    return _chosen(r, _CHOICES, risky, writer.scalar(scope, depth + 2), w)


def guarded_vector(writer: Expressions, scope: Scope, depth: int) -> str:
    """Write a vector of four elements behind a guard."""
    r, w = writer.r, scope.wild
    risky = r.choice(_RISKY).format(writer.vector(scope, 4, depth + 1), w=w)
    return _chosen(r, _ARRAY_CHOICES, risky, r.choice((writer.vector(scope, 4, depth + 2), "0.0")), w)


def guarded_statement(writer: Writer, scope: Scope, indent: int) -> None:
    """Write statements: what may be wild gets a name first."""
    way = writer.r.choice((_number, _number, _vector, _filled, _log_sum))
    way(writer, scope, indent)


def _number(writer: Writer, scope: Scope, indent: int) -> None:
    r, name = writer.r, writer.fresh("g")
    w = f"{scope.wild}[{writer.index(scope, 4)}]"
    writer.line(indent, f"{name} = {r.choice(_RISKY).format(writer.scalar(scope, 1), w=w)}")
    way = r.randrange(4)
    if way == 0:
        writer.line(indent, f"if np.isfinite({name}):")
        writer.line(indent + 1, f"lp += {r.choice(('{0}', '{0} * {1}')).format(name, writer.scalar(scope, 2))}")
    elif way == 1:
        writer.line(indent, f"lp += np.fmax(np.fmin({name}, 3.0), -3.0)")
    elif way == 2:
        writer.line(indent, f"lp -= math.tanh({_chosen(r, _CHOICES, '', writer.scalar(scope, 2), w, name)})")
    else:
        writer.line(indent, f"{name} = {_chosen(r, _CHOICES, '', writer.scalar(scope, 2), w, name)}")
        scope.numbers.append(name)


def _vector(writer: Writer, scope: Scope, indent: int) -> None:
    r, name = writer.r, writer.fresh("g")
    form = r.choice(_RISKY)
    writer.line(indent, f"{name} = {form.format(writer.vector(scope, 4, 1), w=scope.wild)}")
    _use(writer, scope, indent, name)


def _filled(writer: Writer, scope: Scope, indent: int) -> None:
    r, name, i = writer.r, writer.fresh("g"), writer.fresh("i")
    writer.line(indent, f"{name} = np.zeros(4)")
    writer.line(indent, f"for {i} in range(4):")
    inner = scope.inner()
    inner.ints.append((i, 4))
    risky = r.choice(_RISKY).format(writer.scalar(inner, 1), w=f"{scope.wild}[{i}]")
    writer.line(indent + 1, f"{name}[{i}] = {risky}")
    _use(writer, scope, indent, name)


def _use(writer: Writer, scope: Scope, indent: int, name: str) -> None:
    r, w = writer.r, scope.wild
    way = r.randrange(4)
    if way == 0:
        chosen = _chosen(r, _ARRAY_CHOICES, "", r.choice(("0.0", writer.vector(scope, 4, 2))), w, name)
        writer.line(indent, f"lp += np.sum({chosen})")
    elif way == 1:
        i = writer.fresh("i")
        writer.line(indent, f"for {i} in range(4):")
        writer.line(indent + 1, f"if np.isfinite({name}[{i}]):")
        writer.line(indent + 2, f"lp += {name}[{i}]")
    elif way == 2:
        first = r.randrange(3)
        writer.line(indent, f"if np.all(np.isfinite({name}[{first}:])):")
        writer.line(indent + 1, f"lp -= np.sum(np.tanh({name}[{first}:]))")
    else:
        clean = writer.fresh("g")
        writer.line(indent, f"{clean} = {_chosen(r, _ARRAY_CHOICES, '', writer.vector(scope, 4, 2), w, name)}")
        scope.arrays.append(Array(clean, (4,)))


def _log_sum(writer: Writer, scope: Scope, indent: int) -> None:
    """Add in logarithms, with -inf among the terms."""
    r, w = writer.r, scope.wild
    v, name, i = writer.vector(scope, 4, 1), writer.fresh("g"), writer.fresh("i")
    term = r.choice(("np.where({w} > 0.5, {v}, -np.inf)", "({v} + np.log({w}))", "({v} * np.log({w}))"))
    way = r.randrange(3)
    if way == 0:
        writer.line(indent, f"{name} = logsumexp({term.format(v=v, w=w)})")
    elif way == 1:
        terms = writer.fresh("g")
        writer.line(indent, f"{terms} = {term.format(v=v, w=w)}")
        writer.line(indent, f"{name} = np.max({terms}) + np.log(np.sum(np.exp({terms} - np.max({terms}))))")
    else:
        terms = writer.fresh("g")
        writer.line(indent, f"{terms} = {term.format(v=v, w=w)}")
        writer.line(indent, f"{name} = -math.inf")
        writer.line(indent, f"for {i} in range(4):")
        writer.line(indent + 1, f"{name} = np.logaddexp({name}, {terms}[{i}])")
    writer.line(indent, f"if np.isfinite({name}):")
    writer.line(indent + 1, f"lp += {name}")
