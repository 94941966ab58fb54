"""Names of variables and statistics, and what to say when one is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbinfer.errors import NbinferError
from nbinfer.spelling import meant

#: Older spellings of statistics, understood wherever a statistic is asked for by name.
OLD_STATISTICS = {
    "mean_tree_accept": "acceptance_rate",
    "accept": "acceptance_rate",
    "depth": "tree_depth",
    "tree_size": "n_steps",
    "energy_change": "energy_error",
    "max_energy_change": "max_energy_error",
    "model_logp": "lp",
}

_MOST = 20  # names in one message


class UnknownNameError(NbinferError, KeyError):
    """A trace has no variable or statistic of that name."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would quote the whole message


def listed(names: Iterable[object]) -> str:
    """Join names for a message, at most twenty of them."""
    every = [str(name) for name in names]
    if len(every) > _MOST:
        every[_MOST:] = [f"and {len(every) - _MOST} more"]
    return ", ".join(every) or "none"


def has(group: Mapping[str, Any], name: Any) -> bool:
    """Tell whether there is something of that name, which may be anything."""
    return isinstance(name, str) and name in group


_TIMES = " NUTS and HamiltonianMC write it if they are asked to: nb.sample(model, timed=True)."


def unknown(kind: str, name: object, known: Iterable[str], argument: str = "", owner: str = "the trace") -> str:
    """Say that `name` is not known, what it may have meant, and what there is.

    Parameters
    ----------
    kind : str
        What was asked for, e.g. ``"variable"``.
    name : object
        What came.
    known : iterable of str
        The names there are.
    argument : str
        What the message begins with.
    owner : str
        Who does not have it.

    Returns
    -------
    message : str
        One or two sentences.
    """
    names = list(known)
    times = ("process_time_diff", "perf_counter_diff", "perf_counter_start")
    remedy = _TIMES if isinstance(name, str) and name in times else meant(name, names)
    return f"{argument}{owner} has no {kind} {name!r}; it has {listed(names)}.{remedy}"


def statistic(name: Any, known: Mapping[str, Any]) -> Any:
    """Return the stored name of a statistic; names that are stored win over old spellings."""
    return OLD_STATISTICS.get(name, name) if isinstance(name, str) and name not in known else name
