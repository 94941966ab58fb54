"""Writes the functions that draw one parameter from its prior."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.distributions import dirichlet, discrete_uniform, uniform
from nbinfer.model.generative.families import FamilyCall, free_name
from nbinfer.model.generative.functions import made, returning, tuple_of
from nbinfer.model.generative.scope import Read
from nbinfer.model.generative.shapes import check_shape, evaluated
from nbinfer.model.generative.sums import Part, Sum
from nbinfer.model.generative.within import (
    STRUCTURED,
    TRIES,
    Cut,
    all_inside,
    cut_of,
    ends,
    replace_outside,
    sorted_rows,
)

if TYPE_CHECKING:
    from nbinfer.model.definition import Definition
    from nbinfer.model.layout import Parameter
    from nbinfer.model.support.support import Support


def uniform_draw(support: Support) -> Any:
    """Return the function that draws evenly from a support that is bounded; None for any other."""
    low, high = (bound.reshape(support.shape)[()] for bound in ends(support))
    if support.name == "simplex":
        outer = support.shape[:-1]
        alpha = np.ones(support.shape)

        def draw(p: Any, d: Any, rng: Any) -> Any:
            return dirichlet.random(rng, alpha, outer)

        def draw_one(p: Any, d: Any, rng: Any) -> Any:
            return dirichlet.random(rng, alpha)

        return draw if outer else draw_one
    if support.name not in ("interval", "unit") and not support.discrete:
        return None
    if support.bounds or not np.all(np.isfinite(high - low)):
        return None
    family: Any = discrete_uniform if support.discrete else uniform
    random, least, greatest = family.random, low, high

    def between(p: Any, d: Any, rng: Any) -> Any:
        return random(rng, least, greatest)

    return between


def draw_within(definition: Definition, p: Parameter, total: Sum, leaf: Part) -> tuple[Any, list[Read]]:
    """Derive the draw of a parameter from a family call; return with it what that reads of the parameters.

    Raises
    ------
    Underivable
        If it cannot be drawn by itself.
    """
    call = leaf.call
    assert call is not None
    if call.generator is None:
        raise total.fail(f"{call.name} knows nothing that draws", leaf.node)
    check_shape(definition, total, leaf, p.shape, f"p.{p.name}")
    lengths: list[ast.expr] = [ast.Constant(length) for length in p.shape]
    arguments, needs = call.arguments(total, lengths)
    statements = total.needed(arguments, total.before(leaf))
    reads = total.reads([*statements, *arguments], total.arguments[0])
    if any(read.field in (p.name, "") for read in reads):
        raise total.fail(
            f"a parameter of {call.name} depends on p.{p.name} itself, for all that can be told", leaf.node
        )
    cut = _cut(definition, p, total, leaf, arguments, needs)
    return _written(p, total, call, cut, arguments, statements, needs), reads


def _cut(
    definition: Definition, p: Parameter, total: Sum, leaf: Part, arguments: list[ast.expr], needs: dict[str, Any]
) -> Cut | None:
    """Return how draws are brought into the support; None if they lie there."""
    call = leaf.call
    assert call is not None
    if p.support.name in STRUCTURED or call.name in STRUCTURED.values():
        if STRUCTURED.get(p.support.name) == call.name:
            return None
        raise total.fail(f"it is not known how {call.name} is drawn within {p.support!r}", leaf.node)
    if p.support.bounds:
        raise total.fail(f"the bounds of p.{p.name} depend on other parameters, whose density they change", leaf.node)
    before, argument = total.before(leaf), total.arguments[0]
    all_needed = [*total.needed(arguments, before), returning(tuple_of(arguments))]
    values = evaluated(definition, made(total, "parameters_of", all_needed, needs))
    varies = [bool(total.reads([*total.needed([a], before), a], argument)) for a in arguments]
    cut = cut_of(call, p.support, values, varies)
    if cut.rejects and any(varies):
        raise total.fail(
            f"{p.support!r} leaves out some of {call.name}, whose parameters have priors of their own: what is left of "
            "it counts in their density, too",
            leaf.node,
        )
    return cut if cut.rejects or cut.sorts else None


def _written(
    p: Parameter,
    total: Sum,
    call: FamilyCall,
    cut: Cut | None,
    arguments: list[ast.expr],
    statements: list[ast.stmt],
    needs: dict[str, Any],
) -> Any:
    """Write the function that draws."""
    draw, more = call.draw(total)
    rng = free_name("rng", total)
    outer = p.shape[: len(p.shape) - call.core]
    whole = cut is not None and cut.rejects and not p.shape  # rejection works on arrays
    sizes: list[ast.expr] = [ast.Constant(n) for n in ((1,) if whole else outer)]
    size: list[ast.expr] = [ast.Tuple(sizes, ast.Load())] if sizes else []
    drawn = ast.Call(draw, [ast.Name(rng, ast.Load()), *arguments, *size], [])
    body: list[ast.stmt] = [*statements, returning(drawn)]
    if cut is not None:
        names = {key: free_name(key, total) for key in ("within", "again", "x", "k", "sorted_rows", "renew", "is_in")}
        text = _lines(p, call, cut, names, ast.unparse(ast.fix_missing_locations(drawn)), bool(p.shape))
        body = [*statements, *ast.parse(text).body]
        more |= {names["within"]: (cut.low, cut.high), names["sorted_rows"]: sorted_rows}
        more |= {names["renew"]: replace_outside, names["is_in"]: all_inside}
    return made(total, f"draw_{p.name}", body, {**needs, **more}, rng)


def _lines(p: Parameter, call: FamilyCall, cut: Cut, names: dict[str, str], drawn: str, is_array: bool) -> str:
    """Write what draws until all lies inside, and sorts."""
    n = names
    result = n["x"] if is_array else f"{n['x']}[0]"
    result = f"{n['sorted_rows']}({result})" if cut.sorts else result
    if not cut.rejects:
        return f"{n['x']} = {drawn}\nreturn {result}"
    rest = f"{cut.row}, {n['within']}[0], {n['within']}[1], {cut.increasing}"
    failed = (
        f"prior draw of {p.name!r}: {TRIES} draws of {call.name} left some outside {p.support!r}; write the density "
        "as it is within the support, for example with truncated, or pass prior_draw"
    )
    return "\n".join(
        [
            f"{n['x']} = {drawn}",
            f"for {n['k']} in range({TRIES}):",
            f"    if {n['is_in']}({n['x']}, {rest}):",
            f"        return {result}",
            f"    {n['renew']}({n['x']}, {drawn}, {rest})",
            f"raise ValueError({failed!r})",
        ]
    )
