"""Groups that a run computes of its draws at its end, so that they need not be asked for afterwards."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from typing import Any

from nbinfer.arguments import choice, words
from nbinfer.errors import NbinferWarning, calls_above
from nbinfer.model import Model
from nbinfer.trace import Trace
from nbinfer.trace.names import listed

#: Kinds of groups that a run may compute.
KINDS = ("log_likelihood", "log_prior", "posterior_predictive")

#: What sees whether a model has a group, from kind and model; and what computes it, from kind, trace, model and
#: options. They stand above runs, and come here by themselves.
COMPUTING: list[tuple[Callable[..., None], Callable[..., Any]]] = []


def checked_groups(groups: Any, model: Model, kept: Collection[str] | None) -> list[str]:
    """Return the kinds of groups that a run is to compute.

    Parameters
    ----------
    groups : object
        What the user gave.
    model : Model
    kept : collection of str or None
        Names that the trace keeps; None for all.

    Raises
    ------
    ValueError, TypeError, ModelError
        If one of them is none, or cannot be computed of what the trace will keep.
    """
    if groups is None:
        return []
    kinds = list(dict.fromkeys(words("groups", groups)))
    left_out = [name for name in model.parameters if kept is not None and name not in kept]
    if kinds and left_out:
        raise ValueError(
            f"groups are computed of all parameters, and trace leaves out {listed(map(repr, left_out))}; keep these, "
            "or leave groups out."
        )
    for kind in kinds:
        choice("groups", kind, KINDS)
        COMPUTING[0][0](kind, model)
    return kinds


def with_groups(trace: Trace, model: Model, kinds: Collection[str], **options: Any) -> Trace:
    """Add groups to the trace of a run. Whatever happens, the trace is not lost."""
    for kind in kinds:
        try:
            trace.add_group(COMPUTING[0][1](kind, trace, model, **options), overwrite=True)
        except KeyboardInterrupt:
            warnings.warn(f"interrupted: the trace has no group {kind!r}.", NbinferWarning, calls_above())
            break
        except Exception as error:
            error.trace = trace  # type: ignore[attr-defined]
            raise
    return trace
