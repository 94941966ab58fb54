"""What is drawn: quantities of a trace, chain by chain, with what the diagnostics say of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import count
from nbinfer.diagnostics.quantities import Measured, Run, chosen_names, known_of, measure_run, read
from nbinfer.diagnostics.rhat import largest_rhat
from nbinfer.plots.look import shortened

MOST = 10_000  # panels or rows of one picture
#: What is said of a trace of which nothing can be drawn.
NO_DRAWS = "trace has no draws that could be shown."
#: What `nbinfer.diagnostics.check` calls too large.
LARGE_RHAT = 1.01


@dataclass(frozen=True, eq=False)
class Quantity:
    """One number of a model.

    Attributes
    ----------
    label : str
        With the labels of its axes.
    chains : list of ndarray, shape (draws,)
        All finished draws.
    common : ndarray, shape (chain, draw)
        Those that R-hat and ESS look at.
    record : record
        Of `nbinfer.diagnostics.measure.Measure`.
    rhat : float
    """

    label: str
    chains: list[NDArray[Any]]
    common: NDArray[Any]
    record: Any
    rhat: float

    @property
    def title(self) -> str:
        """Its name, short enough to stand above a panel."""
        return shortened(self.label, 18)

    @property
    def verdict(self) -> str:
        """R-hat and ESS in a few words, and how many draws are no numbers."""
        found = [] if math.isnan(self.rhat) else [f"R-hat {self.rhat:.2f}"]
        if math.isfinite(self.record["ess_bulk"]):
            found.append(f"ESS {self.record['ess_bulk']:.0f}")
        if self.record["finite"] < 1:
            found = [f"{_percent(1 - self.record['finite'])} not finite"]
        elif not self.record["sd"] > 0 and self.is_several:
            found = ["constant"]
        return ", ".join(found)

    @property
    def is_several(self) -> bool:
        """Whether there is more than one draw."""
        return sum(map(len, self.chains)) > 1

    @property
    def is_alarming(self) -> bool:
        """Whether somebody must look at it."""
        return self.rhat > LARGE_RHAT or self.record["finite"] < 1

    @property
    def is_discrete(self) -> bool:
        """Whether it takes whole numbers, and few of them."""
        if self.common.dtype.kind not in "biu":
            return False
        values = np.concatenate(self.chains)
        return bool(values.size) and int(values.max()) - int(values.min()) <= 60

    def finite(self, chain: int | None = None) -> NDArray[np.float64]:
        """Return the draws that are numbers: of one chain, or of all."""
        values = np.concatenate(self.chains) if chain is None else self.chains[chain]
        numbers = np.asarray(values, np.float64)
        return numbers[np.isfinite(numbers)]


def _percent(share: float) -> str:
    """Write a share; as 100 % or 0 % only what is all or nothing."""
    few, most = min(share, 1.0 - share) < 0.001, share > 0.5
    return (
        f"{'> 99.9' if most else '< 0.1'} %"
        if few and 0.0 < share < 1.0
        else f"{100 * share:{'.3g' if most else '.2g'}} %"
    )


@dataclass(frozen=True, eq=False)
class Chosen:
    """Quantities of a trace that are drawn.

    Attributes
    ----------
    quantities : list of Quantity
    chain_ids : list of int
    used : list of int
        Places of the chains that `Quantity.common` is of.
    note : str
        What is left out; '' if nothing.
    """

    quantities: list[Quantity]
    chain_ids: list[int]
    used: list[int]
    note: str


def choose(trace: Any, var_names: str | Sequence[str] | None, most: int, prob: float = 0.9) -> Chosen:
    """Return quantities of a trace, in its order; of too many those that mixed worst, one of each variable at least.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
    var_names : str or sequence of str or None
        As `nbinfer.summary` takes them.
    most : int
        How many quantities at most.
    prob : float
        Probability of the intervals of the records.
    """
    count("most", most, 1, MOST)
    run = read(trace)
    names = chosen_names(run, var_names)
    measured = measure_run(run, names, prob, known_of(trace))
    places = [(name, i) for name in names for i in range(measured[name].records.size)]
    if not names and run.posterior:
        raise ValueError("var_names leaves no variable of the trace to be shown.")
    if not places or not any(_count(run, measured[name]) for name in names):
        raise ValueError(NO_DRAWS)
    kept = _worst(measured, names, most) if len(places) > most else range(len(places))
    along = {name: run.labels(name) for name in {places[k][0] for k in kept}}
    found = [_quantity(run, measured[name], along[name][i], i) for name, i in (places[k] for k in kept)]
    note = ""
    if len(places) > most:
        each = ", one of each variable at least" if 1 < len(names) <= most else ""
        note = f"{most} of {len(places)} quantities, those that mixed worst{each}; var_names= and most= choose others"
    ids = list(run.chain_ids) or list(range(max(len(quantity.chains) for quantity in found)))
    return Chosen(found, ids, list(range(len(ids))) if run.done is None else run.used, note)


def _count(run: Run, of: Measured) -> int:
    """Return how many finished draws there are of a variable, of all chains."""
    return of.draws.shape[0] * of.draws.shape[1] if run.done is None else sum(run.done)


def _worst(measured: Mapping[str, Measured], names: Sequence[str], most: int) -> list[int]:
    """Return the places of quantities: draws that are not finite, large R-hat, small ESS; constant ones come last.

    Where there is room, the worst of each variable that varies is among them: who names a number beside a long vector
    wants to see it.
    """
    records = np.concatenate([measured[name].records.reshape(-1) for name in names])
    rhat = np.nan_to_num(largest_rhat(records), nan=1.0, posinf=np.inf)
    rhat[records["finite"] < 1] = np.inf
    ess = np.nan_to_num(records["ess_bulk"], nan=np.inf)
    order = np.lexsort((np.arange(len(records)), ess, -rhat))
    owner = np.repeat(np.arange(len(names)), [measured[name].records.size for name in names])[order]
    leads = np.zeros(len(records), bool)
    leads[np.unique(owner, return_index=True)[1]] = len(names) <= most
    leads &= records["sd"][order] != 0.0  # NaN of what is not finite
    return sorted(order[np.argsort(~leads, kind="stable")][:most].tolist())


def _quantity(run: Run, of: Measured, label: str, index: int) -> Quantity:
    draws = of.draws.reshape(*of.draws.shape[:2], -1)[:, :, index]
    record = of.records.reshape(-1)[index : index + 1]
    done = [len(chain) for chain in draws] if run.done is None else run.done
    chains = [chain[:n] for chain, n in zip(draws, done, strict=True)]
    common = draws if run.done is None else draws[run.used, : run.draws]
    return Quantity(label, chains, common, record[0], float(largest_rhat(record)[0]))


def diverging(trace: Any, chains: int) -> list[NDArray[np.int64]]:
    """Return at which draws trajectories diverged, chain by chain; at none where nobody has written it down."""
    stored = getattr(trace, "sample_stats", {}).get("diverging")
    if stored is None:
        return [np.zeros(0, np.int64)] * chains
    stored = np.asarray(stored, bool)
    flags: NDArray[Any] = np.any(stored, axis=tuple(range(2, stored.ndim)))  # of several steps any
    return [np.flatnonzero(chain[:n]) for chain, n in zip(flags, trace.draws_done, strict=True)]
