"""Draws from the prior: given, or derived where it is a sum of family calls, each of a parameter of its own."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nbinfer.errors import ModelError
from nbinfer.model.generative.draws import draw_within, uniform_draw
from nbinfer.model.generative.families import IMPROPER
from nbinfer.model.generative.scope import Read, Scope, Underivable
from nbinfer.model.generative.sums import Part, Sum

if TYPE_CHECKING:
    from nbinfer.model.definition import Definition
    from nbinfer.model.layout import Parameter


class PriorDraws(NamedTuple):
    """What is known of how parameters come about.

    Attributes
    ----------
    functions : dict of str to callable
        ``f(p, d, rng)``, which draws a parameter given others. They stand in an order in which each finds what it reads
        among those before it.
    stages : list of list of str
        The same names; those of a stage need earlier stages only.
    reasons : dict of str to str
        Why there is none for a parameter.
    improper : dict of str to str
        For parameters whose prior is no probability distribution, why.
    """

    functions: dict[str, Any]
    stages: list[list[str]]
    reasons: dict[str, str]
    improper: dict[str, str]


class _Term(NamedTuple):
    """A summand of the prior that is no family call of a parameter: what it reads, and why it is in the way."""

    names: list[str]
    why: str


class _Improper(Underivable):
    """A prior that is no probability distribution."""


def prior_draws_of(definition: Definition) -> PriorDraws:
    """Return the functions that draw from the prior, and why others are missing.

    A function of `Model`'s `prior_draw` counts for its parameter; terms that cannot be read are left alone if they are
    about a parameter that has one.

    Parameters
    ----------
    definition : Definition
        Of the model.

    Raises
    ------
    ModelError
        If the prior is not apart from the likelihood, or functions that were given need each other.
    """
    if not definition.is_named or definition.logp_function is not None or not definition.has_terms:
        raise ModelError(
            f"{definition.title} has its prior and its likelihood in one function, so the prior alone is not known; "
            "pass prior and likelihood instead"
        )
    given = dict(definition.prior_draw)
    own, others = _read(definition)
    found: dict[str, Any] = {}
    needs: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    improper: dict[str, str] = {}
    for name, p in definition.parameters.items():
        if name in given:
            found[name], needs[name] = given[name], _needs_of(given[name], name, definition)
            continue
        blocking = [o for o in others if name in o.names and not any(n in given for n in o.names)]
        try:
            if blocking:
                raise Underivable(blocking[0].why)
            found[name], needs[name] = _drawn(definition, p, own.get(name, []))
        except _Improper as reason:
            improper[name] = str(reason)
        except Underivable as reason:
            reasons[name] = str(reason)
    stages = _stages(found, needs, reasons, given)
    order = [name for stage in stages for name in stage]
    return PriorDraws({name: found[name] for name in order}, stages, reasons, improper)


def _read(definition: Definition) -> tuple[dict[str, list[tuple[Sum, Part]]], list[_Term]]:
    """Return the family calls of each parameter, and everything else that the prior is made of."""
    own: dict[str, list[tuple[Sum, Part]]] = {}
    others: list[_Term] = []
    terms = {f"prior {n!r}": f for n, f in definition.named_prior.items()} or {"prior": definition.prior}
    for label, function in terms.items():
        if function is None:
            continue
        try:
            total = Sum(function)
        except Underivable as reason:
            others.append(_Term(_all_read(function, definition), f"{label} cannot be turned round: {reason}"))
            continue
        for leaf in (leaf for part in total.summands for leaf in part.leaves()):
            name = _parameter(total, leaf)
            if name in definition.parameters:
                own.setdefault(name, []).append((total, leaf))
                continue
            nodes = [*total.needed([leaf.node], total.before(leaf)), leaf.node]
            names = _names(total.reads(nodes, total.arguments[0]), definition.parameters)
            wanted = f"what is added here is no density of one parameter, such as normal.logpdf(p.{names[0]}, ...)"
            if names:
                why = total.fail(wanted, leaf.node)
                others.append(_Term(names, f"{label} cannot be turned round: {why}"))
    return own, others


def _parameter(total: Sum, leaf: Part) -> str:
    """Return the parameter that a call is the density of; '' if it is of none."""
    target = leaf.call.target if leaf.call else None
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        return target.attr if target.value.id == total.arguments[0] else ""
    return ""


def _names(reads: Iterable[Read], parameters: Mapping[str, Any]) -> list[str]:
    """Return the parameters that are read; all, where that cannot be told."""
    fields = [read.field for read in reads if read.values]
    return list(parameters) if "" in fields else [name for name in dict.fromkeys(fields) if name in parameters]


def _all_read(function: Any, definition: Definition) -> list[str]:
    """Return the parameters that a function reads; all, where that cannot be told."""
    try:
        scope = Scope(function)
    except Underivable:
        return list(definition.parameters)
    return _names(scope.reads(scope.body, scope.arguments[0]), definition.parameters)


def _needs_of(function: Any, name: str, definition: Definition) -> list[str]:
    """Return the parameters that a function that was given reads."""
    try:
        scope = Scope(function)
        reads = scope.reads(scope.body, scope.arguments[0])
    except Underivable:
        reads = []  # what it finds is checked when it runs
    if any(not read.field for read in reads):
        before = list(definition.parameters)
        return before[: before.index(name)]
    needs = _names(reads, definition.parameters)
    if name in needs:
        raise ModelError(f"prior_draw of {name!r} reads p.{name}, which it is to draw; it may read other parameters")
    return needs


def _drawn(definition: Definition, p: Parameter, calls: list[tuple[Sum, Part]]) -> tuple[Any, list[str]]:
    """Derive the function that draws a parameter; return with it what that reads."""
    proper = [(total, leaf) for total, leaf in calls if leaf.call is not None and leaf.call.name not in IMPROPER]
    flat = [leaf for _, leaf in calls if leaf.call is not None and leaf.call.name in IMPROPER]
    if not proper:
        what = f"its prior is {flat[0].call.name}" if flat and flat[0].call else "the prior has no term for it"
        function = uniform_draw(p.support)
        if function is None and p.support.name in ("real", "positive", "lower", "upper", "ordered", "positive_ordered"):
            raise _Improper(f"{what}, so that it is not normalised over {p.support!r}")
        if function is None or (flat and flat[0].call and flat[0].call.name != "flat"):
            raise Underivable(f"{what}, and nothing is known that draws from {p.support!r} evenly")
        return function, []
    (total, leaf), *more = proper
    if more:
        raise more[0][0].fail(f"p.{p.name} has two densities, which make another one together", more[0][1].node)
    function, reads = draw_within(definition, p, total, leaf)
    return function, _names(reads, definition.parameters)


def _stages(
    found: dict[str, Any], needs: dict[str, list[str]], reasons: dict[str, str], given: Mapping[str, Any]
) -> list[list[str]]:
    """Return names in stages, each of which needs those before it; give a reason for what needs itself."""
    while True:
        sorter = graphlib.TopologicalSorter({name: [n for n in needs[name] if n in found] for name in found})
        try:
            sorter.prepare()
        except graphlib.CycleError as error:
            circle = list(dict.fromkeys(error.args[1]))
            listed = ", ".join(map(repr, circle))
            if all(name in given for name in circle):
                raise ModelError(f"prior_draw: the functions of {listed} need each other") from None
            for name in circle:
                if name not in given:
                    reasons[name] = f"the prior gives {listed} each by the others"
                    del found[name]
            continue
        stages = []
        while sorter.is_active():
            ready = sorter.get_ready()
            stages.append([name for name in found if name in ready])
            sorter.done(*ready)
        return stages
