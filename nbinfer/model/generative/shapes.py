"""Looks at the shapes of a sum's parts, in one run in plain Python."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.model.evaluate import call, retrying
from nbinfer.model.generative.families import free_name
from nbinfer.model.generative.functions import made, returning, tuple_of
from nbinfer.model.generative.scope import Underivable
from nbinfer.model.generative.sums import Part, Sum

if TYPE_CHECKING:
    from nbinfer.model.definition import Definition


def look(total: Sum, definition: Definition) -> None:
    """Find the shape of each part, and which parts count more than once, unless they are known.

    Raises
    ------
    Underivable
        If the function raises, or a part has no shape.
    """
    if total.is_known:
        return
    if len(total.summands) == 1 and not total.summands[0].inner:  # the function's own value is that of the part
        total.look([np.shape(evaluated(definition, total.source.function))])
        return
    shape_of = free_name("shape_of", total)
    statements: list[ast.stmt] = []
    parts, names = total.all_parts(), []
    for position, statement in enumerate([*total.body, None]):
        for k, part in enumerate(parts):
            if part.position == position:
                names.append((k, free_name(f"shape_{k}", total)))
                shape = ast.Call(ast.Name(shape_of, ast.Load()), [part.node], [])
                statements.append(ast.Assign([ast.Name(names[-1][1], ast.Store())], shape))
        if statement is not None:
            statements.append(statement)
    shapes = tuple_of([ast.Name(name, ast.Load()) for _, name in sorted(names)])
    total.look(
        list(evaluated(definition, made(total, "shapes", [*statements, returning(shapes)], {shape_of: np.shape})))
    )


def evaluated(definition: Definition, function: Any, values: Mapping[str, Any] | None = None) -> Any:
    """Run a function of parameters and data in plain Python, at these values or where a model is tried.

    Raises
    ------
    Underivable
        If it raises.
    """
    try:
        if values is not None:
            return call(function, *definition.arguments(values))
        return retrying(lambda q: call(function, *definition.arguments(definition.constrain(q))), definition.dim)
    except Exception as error:
        raise Underivable(f"in plain Python it raises {type(error).__name__}: {error}") from error


def check_shape(definition: Definition, total: Sum, leaf: Part, shape: tuple[int, ...], what: str) -> None:
    """Require that a family call has one value for each draw, which counts once.

    Parameters
    ----------
    definition : Definition
        Of the model, whose function is run once in plain Python.
    total : Sum
        What it is part of.
    leaf : Part
        The call.
    shape : tuple of int
        Of what it is the density of.
    what : str
        How messages call that.

    Raises
    ------
    Underivable
        If it has not.
    """
    call = leaf.call
    assert call is not None
    if call.is_sum:
        return
    look(total, definition)
    if leaf.repeated is not None:
        raise total.fail(f"it is added to an array of shape {leaf.repeated}, and counts for each element", leaf.node)
    if leaf.shape != shape[: len(shape) - call.core]:
        raise total.fail(
            f"it has shape {leaf.shape}, and {what} has shape {shape}: draws are not independent", leaf.node
        )
