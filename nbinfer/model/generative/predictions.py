"""Predictions: functions that draw observed data, derived from the likelihood where that is a sum of family calls."""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbinfer.errors import ModelError
from nbinfer.model.definition import called_term
from nbinfer.model.generative.families import FamilyCall, free_name
from nbinfer.model.generative.functions import made, returning, tuple_of
from nbinfer.model.generative.scope import Scope, Underivable
from nbinfer.model.generative.shapes import check_shape, evaluated
from nbinfer.model.generative.sums import Part, Sum

if TYPE_CHECKING:
    from nbinfer.model.definition import Definition


class Prediction(NamedTuple):
    """A derived prediction.

    Attributes
    ----------
    function : function
        ``f(p, d, rng)``, which draws the entry.
    parameters : function
        ``f(p, d)``, which returns a tuple of the family's parameters.
    cores : tuple of int
        How many axes of each parameter, the last ones, belong to one draw.
    core : int
        How many axes of a draw do.
    """

    function: types.FunctionType
    parameters: types.FunctionType
    cores: tuple[int, ...]
    core: int


def predictions_of(definition: Definition) -> dict[str, Any]:
    """Return for each observed entry the function that draws it, or why there is none.

    Parameters
    ----------
    definition : Definition
        Of the model.

    Returns
    -------
    predictions : dict of str to (callable or str)
        ``f(p, d, rng)`` by name: those of `predict` as they were given, the others derived from the likelihood. Entries
        are those that a likelihood term is named after, and those whose density a term with another name holds.
        Where none can be derived it is the reason, words that follow "since"; the name is then that of the term if it
        is not known which entry it is about.
    """
    found: dict[str, Any] = {name: _function(found) for name, found in derived(definition).items()}
    if definition.predict:  # which may well be what a term of another name is about
        found = {name: f for name, f in found.items() if name in definition.data or not isinstance(f, str)}
    return found | dict(definition.predict)


def derived(definition: Definition) -> dict[str, Prediction | str]:
    """Return what can be derived from each likelihood term, and why not where it cannot."""
    found: dict[str, Prediction | str] = {}
    for term, function in definition.likelihood.items():
        for name, prediction in _of_term(definition, term, function).items():
            if name in found:
                prediction = f"its density is in two terms of the likelihood, one of them {term!r}"
            found[name] = prediction
    return found


def _function(prediction: Prediction | str) -> Any:
    return prediction if isinstance(prediction, str) else prediction.function


def _of_term(definition: Definition, term: str, function: Any) -> dict[str, Prediction | str]:
    own = [term] if term in definition.data else []
    try:
        total = Sum(function)
        entries = list(dict.fromkeys([*own, *_entries(total)]))
        if not entries:
            raise Underivable(_no_entry(total), total.source.place(total.result))
    except Underivable as reason:
        return {term: f"{called_term(term)} cannot be turned round: {reason}"}
    found: dict[str, Prediction | str] = {}
    for name in entries:
        try:
            found[name] = _of_entry(definition, total, name)
        except Underivable as reason:
            found[name] = f"{called_term(term)} cannot be turned round: {reason}"
    return found


def _leaves(total: Sum) -> list[Part]:
    return [leaf for part in total.summands for leaf in part.leaves()]


def _entry(total: Sum, call: FamilyCall | None) -> str:
    """Return the entry of the data that a call is the density of; '' if it is of none."""
    target = call.target if call else None
    is_field = isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
    return target.attr if is_field and target.value.id == total.arguments[1] else ""  # type: ignore[union-attr]


def _entries(total: Sum) -> list[str]:
    return [name for leaf in _leaves(total) if (name := _entry(total, leaf.call))]


def _no_entry(total: Sum) -> str:
    if not any(leaf.call for leaf in _leaves(total)):
        return "it is no plain sum of calls such as normal.logpdf(d.y, ...), of nbinfer.distributions"
    return "no family call has an entry of the data for its first argument, as in normal.logpdf(d.y, ...)"


def _of_entry(definition: Definition, total: Sum, name: str) -> Prediction:
    """Derive the draw of one entry."""
    leaves = _leaves(total)
    own = [leaf for leaf in leaves if _entry(total, leaf.call) == name]
    _check_others(total, name, [leaf for leaf in leaves if leaf not in own])
    if not own:
        raise Underivable(_no_entry(total), total.source.place(total.result))
    if len(own) > 1:
        raise total.fail(f"d.{name} has two densities, which make another one together", own[1].node)
    leaf, call = own[0], own[0].call
    assert call is not None
    if call.generator is None:
        raise total.fail(f"{call.name} knows nothing that draws", leaf.node)
    shape = definition.data[name].array.shape
    check_shape(definition, total, leaf, shape, f"d.{name}")
    lengths = [_length(call.target, axis - len(shape)) for axis in range(len(shape))]
    arguments, needs = call.arguments(total, lengths)
    statements = total.needed(arguments, total.before(leaf))
    read = next((r for r in total.reads([*statements, *arguments], total.arguments[1]) if _is_of(r, name)), None)
    if read is not None:
        whole = "" if read.field else ", for all that can be told,"
        raise total.fail(f"a parameter of {call.name} depends{whole} on the values of d.{name} itself", read.node)
    return _written(total, call, name, shape, arguments, statements, needs)


def _is_of(read: Any, name: str) -> bool:
    return read.values and read.field in (name, "")


def _check_others(total: Sum, name: str, others: list[Part]) -> None:
    """Require that nothing else in the sum depends on the entry."""
    for leaf in others:
        statements = total.needed([leaf.node], total.before(leaf))
        read = next((r for r in total.reads([*statements, leaf.node], total.arguments[1]) if _is_of(r, name)), None)
        if read is not None:
            wanted = f"no plain call such as normal.logpdf(d.{name}, ...)"
            raise total.fail(f"what is added here depends on d.{name} and is {wanted}", leaf.node)


def _length(target: ast.expr, axis: int) -> ast.expr:
    shape = ast.Attribute(target, "shape", ast.Load())
    return ast.Subscript(shape, ast.UnaryOp(ast.USub(), ast.Constant(-axis)), ast.Load())


def _written(
    total: Sum,
    call: FamilyCall,
    name: str,
    shape: tuple[int, ...],
    arguments: list[ast.expr],
    statements: list[ast.stmt],
    needs: Mapping[str, Any],
) -> Prediction:
    """Write the function that draws, and the one that returns the parameters."""
    draw, more = call.draw(total)
    rng = free_name("rng", total)
    size: list[ast.expr] = []
    if len(shape) > call.core:
        whole = ast.Attribute(call.target, "shape", ast.Load())
        end = ast.UnaryOp(ast.USub(), ast.Constant(call.core))
        size = [ast.Subscript(whole, ast.Slice(None, end), ast.Load()) if call.core else whole]
    drawn = ast.Call(draw, [ast.Name(rng, ast.Load()), *arguments, *size], [])
    function = made(total, f"replicate_{name}", [*statements, returning(drawn)], {**needs, **more}, rng)
    parameters = made(total, f"parameters_of_{name}", [*statements, returning(tuple_of(arguments))], needs)
    return Prediction(function, parameters, call.generator.check.cores, call.core)


# ---- new data


def reads_values(function: Any, name: str) -> bool:
    """Tell whether a function of parameters and data may read the values of an entry, and not only its shape."""
    try:
        scope = Scope(function)
    except Underivable:
        return True
    return any(_is_of(read, name) for read in scope.reads(scope.body, scope.arguments[1]))


def placeholder_shape(before: Definition, now: Definition, name: str) -> tuple[int, ...]:
    """Return the shape that an observed entry has with new data that do not give it.

    An axis follows the family's parameters if one of them varies along it: if it has as many elements as the entry in
    the old data, it gets as many as there are in the new ones. Any other axis keeps its length. A number stays one.

    Parameters
    ----------
    before : Definition
        With the data of the run.
    now : Definition
        With the new data; the entry itself is the old one.
    name : str
        The entry.

    Returns
    -------
    shape : tuple of int

    Raises
    ------
    ModelError
        If it is not known how the entry comes about, or its own length is part of that; the message says to give it.
    IndexError
        If the new data hold an index that is out of range.
    """
    prediction = derived(before).get(name, "the model has no likelihood term for it")
    remedy = f"give {name!r} with the new data; only its shape counts"
    if isinstance(prediction, str):
        raise ModelError(f"the shape of {name!r} with new data is not known, since {prediction}\n{remedy}")
    old = before.data[name].array.shape
    try:
        seen = [_common(definition, prediction) for definition in (before, now)]
    except (Underivable, ValueError) as reason:
        if isinstance(reason.__cause__, IndexError):
            raise reason.__cause__ from None
        raise ModelError(f"the shape of {name!r} with new data is not known: {reason}\n{remedy}") from None
    outer = old[: len(old) - prediction.core]
    shape = list(outer)
    for axis in range(1, len(outer) + 1):
        lengths = [common[-axis] if axis <= len(common) else 0 for common in seen]
        if lengths[0] == outer[-axis]:
            shape[-axis] = lengths[1]
    return (*shape, *old[len(outer) :])


def _common(definition: Definition, prediction: Prediction) -> tuple[int, ...]:
    """Return the shape to which the parameters of a family broadcast."""
    values = evaluated(definition, prediction.parameters)
    shapes = [np.shape(value) for value in values]
    return np.broadcast_shapes(*(s[: len(s) - core] for s, core in zip(shapes, prediction.cores, strict=True)))


# ---- what to say


def how_to_predict(definition: Definition, name: str, reason: str) -> str:
    """Return the message that a prediction is missing: why, and the function to write.

    Parameters
    ----------
    definition : Definition
        Of the model.
    name : str
        The entry, or the likelihood term.
    reason : str
        What `predictions_of` has in place of a function.
    """
    datum = definition.data.get(name)
    entry = name if datum is not None else "y"
    shape = f"shape {datum.array.shape}" if datum is not None and datum.array.ndim else "a number"
    what = f"like d.{entry}, {shape}" if datum is not None else "an array like the observed data"
    return (
        f"{definition.title} has no prediction of {name!r}, since {reason}\n"
        f"Write the function that draws it, {what}, and give it to the model:\n\n"
        f"    def replicate_{entry}(p, d, rng):\n"
        f"        return normal.random(rng, p.mu, p.sigma{f', d.{entry}.shape' if shape != 'a number' else ''})\n\n"
        f'    nb.Model(..., predict={{"{entry}": replicate_{entry}}})'
    )
