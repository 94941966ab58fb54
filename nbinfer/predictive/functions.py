"""The functions that predict: which a model has, and which of them are wanted."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable
from typing import Any

from nbinfer.arguments import words
from nbinfer.errors import ModelError, NbinferWarning, calls_above
from nbinfer.model.definition import Definition
from nbinfer.model.generative.predictions import how_to_predict, predictions_of
from nbinfer.spelling import meant
from nbinfer.trace.names import listed


def prediction_functions(
    definition: Definition, asked: Collection[str] = (), required: bool = True
) -> dict[str, Callable[..., Any]]:
    """Return the functions ``f(p, d, rng)`` by which a model draws what is observed, by name.

    Parameters
    ----------
    definition : Definition
        Of the model: they are those that it was given, and those derived from its likelihood.
    asked : collection of str
        Names that somebody asks for. Default: all, with a warning about observed data that nothing predicts.
    required : bool
        Whether there must be one.

    Raises
    ------
    ModelError
        If there is none, or one that is asked for is missing; it prints the one to write.
    """
    known = predictions_of(definition)
    missing = {name: how_to_predict(definition, name, f) for name, f in known.items() if isinstance(f, str)}
    found: dict[str, Callable[..., Any]] = {name: f for name, f in known.items() if name not in missing}
    if not known and required:
        why = "it has no likelihood to derive one from"
        observed = next((name for name in definition.data if name == "y"), "y")
        raise ModelError(how_to_predict(definition, observed, why))
    lacking = [message for name, message in missing.items() if name in asked]
    if lacking or (required and not found):
        raise ModelError("\n".join(lacking or missing.values()))
    if missing and not asked:
        warnings.warn("\n".join(missing.values()), NbinferWarning, calls_above())
    return found


def spelled(vars: Any, var_names: Any) -> tuple[str, list[str] | None]:
    """Return by which of two spellings names are given, and these; None where neither is."""
    if vars is not None and var_names is not None:
        raise TypeError("vars and var_names are the same option; pass vars.")
    argument, given = ("vars", vars) if var_names is None else ("var_names", var_names)
    return argument, None if given is None else words(argument, given)


def wanted(definition: Definition, names: list[str] | None, argument: str = "vars") -> dict[str, Callable[..., Any]]:
    """Return the functions to evaluate: all that predict, or those named, derived quantities among them."""
    if names is None:
        return prediction_functions(definition)
    known: dict[str, Callable[..., Any]] = dict(definition.derived)
    if not names:
        raise ModelError(f"{argument} must name what to predict, got nothing")
    if any(name not in known for name in names):
        known |= prediction_functions(definition, names)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ModelError(
            f"{argument} names {listed(map(repr, unknown))}, which {definition.title} neither predicts nor derives; it "
            f"has {listed(known)}.{meant(unknown[0], known)}"
        )
    return {name: known[name] for name in names}


def observed_shapes(definition: Definition, names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the shape that predictions of some entries of the data must have."""
    return {name: definition.data[name].array.shape for name in names if name not in definition.derived}


def label_in(definition: Definition) -> Callable[[str], str]:
    """Return how messages call a function, from its name."""
    return lambda name: f"{'derived' if name in definition.derived else 'predict'} {name!r}"
