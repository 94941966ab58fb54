"""Quantities of draws that exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nbinfer.arguments import Progressbar, flag, function, instance, mapping, words
from nbinfer.model import Model
from nbinfer.model.axes import Axes
from nbinfer.predictive.over import over_draws
from nbinfer.spelling import meant
from nbinfer.trace import Trace
from nbinfer.trace.axes import check_axes
from nbinfer.trace.names import listed


def compute(
    trace: Trace,
    model: Model,
    functions: Any,
    overwrite: bool,
    dims: Any,
    random_seed: Any,
    cores: int | None,
    progressbar: Progressbar,
) -> None:
    """Evaluate functions at the draws of a trace, and add what comes of it; see `Trace.compute`."""
    instance("model", model, Model, "a Model")
    wanted = _functions(model, functions, trace)
    taken = [name for name in wanted if name in trace.posterior]
    if taken and not flag("overwrite", overwrite):
        raise ValueError(f"the trace already has {listed(taken)}; pass overwrite=True to replace it")
    parameters = [name for name in taken if name in model.parameters]
    if parameters:
        raise ValueError(f"functions has {parameters[0]!r}, the name of a parameter; call it otherwise")
    known = {name: axes for name, axes in model.dims.items() if name in wanted}
    axes = Axes({**known, **Axes.given(dims, None, wanted).dims}, {**model.coords, **trace.coords})
    if not wanted:
        return
    axes = axes.of(wanted)
    check_axes([*trace.posterior, *wanted], {**trace.dims, **axes.dims})
    values = over_draws(
        model, trace, wanted, random_seed=random_seed, cores=cores, progressbar=progressbar, label=_label,
        check=axes.check,
    )  # fmt: skip
    trace.add_values(values, overwrite=True)
    trace.dims |= {name: list(of) for name, of in axes.dims.items()}
    trace.coords |= axes.coords


def _functions(model: Model, functions: Any, trace: Trace) -> Mapping[str, Callable[..., Any]]:
    """Return functions by name: those given, or of the model's derived quantities those named, or all that lack."""
    if functions is None:
        return {name: f for name, f in model.derived.items() if name not in trace.posterior}
    if isinstance(functions, Mapping):
        for name, f in functions.items():
            function(f"functions[{name!r}]", f)
        return mapping("functions", functions)
    names = words("functions", functions)
    unknown = [name for name in names if name not in model.derived]
    if unknown:
        raise ValueError(
            f"functions names {listed(map(repr, unknown))}, and the model derives {listed(model.derived)}; pass "
            f"{{name: f(p, d)}} for something else.{meant(unknown[0], model.derived)}"
        )
    return {name: model.derived[name] for name in names}


def _label(name: str) -> str:
    return f"functions[{name!r}]"
