"""The functions that predict: which a model has, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nbinfer.arguments import words
from nbinfer.errors import ModelError
from nbinfer.model.definition import Definition
from nbinfer.trace.names import listed


def prediction_functions(definition: Definition) -> dict[str, Callable[..., Any]]:
    """Return the functions ``f(p, d, rng)`` by which a model draws what is observed, by name.

    Raises
    ------
    ModelError
        If there is none; it prints the one to write.
    """
    if not definition.predict:
        raise ModelError(f"{definition.title} has no function that predicts; {to_write(definition)}")
    return dict(definition.predict)


def to_write(definition: Definition) -> str:
    """Print the functions that a model lacks to predict its observed data."""
    observed = [name for name in definition.data if name in definition.likelihood] or ["y"]
    lines = ["write one that draws what is observed, and pass it to the model:", ""]
    for name in observed:
        shape = f", size=d.{name}.shape" if name in definition.data else ""
        lines += [f"    def predict_{name}(p, d, rng):", f"        return normal.random(rng, mu, sigma{shape})", ""]
    given = ", ".join(f"{name!r}: predict_{name}" for name in observed)
    return "\n".join([*lines, f"    nb.Model(..., predict={{{given}}})"])


def wanted(definition: Definition, vars: Any) -> dict[str, Callable[..., Any]]:
    """Return the functions to evaluate: all that predict, or those named, derived quantities among them."""
    if vars is None:
        return prediction_functions(definition)
    names = words("vars", vars)
    known: dict[str, Callable[..., Any]] = dict(definition.derived)
    if not names:
        raise ModelError("vars must name what to predict, got nothing")
    if any(name not in known for name in names):
        known |= prediction_functions(definition)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ModelError(
            f"vars names {listed(map(repr, unknown))}, which {definition.title} neither predicts nor derives; it has "
            f"{listed(known)}"
        )
    return {name: known[name] for name in names}


def observed_shapes(definition: Definition, names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the shape that predictions of some entries of the data must have."""
    return {name: definition.data[name].array.shape for name in names if name not in definition.derived}


def label_in(definition: Definition) -> Callable[[str], str]:
    """Return how messages call a function, from its name."""
    return lambda name: f"{'derived' if name in definition.derived else 'predict'} {name!r}"
