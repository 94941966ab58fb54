"""Draws as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.arguments import flag, of_all
from nbinfer.diagnostics.quantities import along, labels
from nbinfer.trace.arviz import required
from nbinfer.trace.names import UnknownNameError, listed, unknown

if TYPE_CHECKING:
    from nbinfer.trace.trace import Trace


def to_dataframe(trace: Trace, var_names: str | Sequence[str] | None, statistics: bool) -> Any:
    """Return the finished draws, one row each; see `Trace.to_dataframe`."""
    pandas = required("to_dataframe", "pandas")
    names = of_all("var_names", var_names, trace.varnames)
    for name in names:
        if name not in trace.posterior:
            raise UnknownNameError(unknown("variable", name, trace.posterior, "var_names: "))
    done = trace.draws_done
    columns: list[tuple[str, Any]] = [
        ("chain", np.repeat(trace.chain_ids, done)),
        ("draw", np.concatenate([np.arange(count) for count in done])),
    ]
    chosen = [(name, trace.get_values(name)) for name in names]
    if flag("statistics", statistics):
        chosen += [(name, trace.get_sampler_stats(name)) for name in trace.stat_names]
    for name, values in chosen:
        shape = values.shape[1:]
        entries = labels(name, shape, along(trace, name, shape))
        columns += zip(entries, values.reshape(len(values), len(entries)).T, strict=True)
    taken = [name for name, _ in columns]
    twice = [name for name in dict.fromkeys(taken) if taken.count(name) > 1] if len(set(taken)) < len(taken) else []
    if twice:
        raise ValueError(f"two columns would be called {listed(map(repr, twice))}; leave one out by var_names.")
    return pandas.DataFrame(dict(columns))
