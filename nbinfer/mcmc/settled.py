"""Steps that go on where the warm-up of a run has left them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.engine.step import StepMethod
from nbinfer.mcmc.hamiltonian.hmc import HamiltonianMC
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.metric.directions import QuadPotentialLowRank
from nbinfer.mcmc.metric.low_rank import SMALL
from nbinfer.mcmc.metric.potential import QuadPotential, QuadPotentialDiag, QuadPotentialFull
from nbinfer.trace.metric import Metric
from nbinfer.trace.names import listed
from nbinfer.trace.passing import SETTLED

_KINDS: dict[str, type[NUTS] | type[HamiltonianMC]] = {"nuts": NUTS, "hmc": HamiltonianMC}


def settled_step(trace: Any, chain: int | None, options: dict[str, Any]) -> StepMethod | list[StepMethod]:
    """Return what `Trace.settled_step` promises."""
    metrics = trace.metric if isinstance(trace.metric, tuple) else (trace.metric,) if trace.metric is not None else ()
    kinds = [_KINDS[name] for name in trace.attrs.get("steps", ()) if name in _KINDS]
    if not metrics or len(metrics) != len(kinds):
        raise ValueError(
            "the trace has no metric of a Hamiltonian step that could be used again: draw with NUTS or HamiltonianMC, "
            "whose metric is no function."
        )
    sizes = trace.step_size.reshape(len(trace.chain_ids), -1)
    is_number = isinstance(chain, int | np.integer) and not isinstance(chain, bool)
    if chain is not None and (not is_number or chain not in trace.chain_ids):
        raise ValueError(f"chain must be among {listed(trace.chain_ids)}, got {chain!r}.")
    steps: list[StepMethod] = []
    for k, (metric, kind) in enumerate(zip(metrics, kinds, strict=True)):
        row = _middle(sizes[:, k]) if chain is None else trace.chain_ids.index(chain)
        names = list(dict.fromkeys(metric.variables))
        settings: dict[str, Any] = {"vars": None if names == trace.attrs.get("parameters") else names}
        for name in ("target_accept", "max_treedepth", "path_length", "integrator"):
            value = trace.attrs.get(name)
            value = value[k] if isinstance(value, list) and len(value) == len(kinds) else value
            if name in kind.__dataclass_fields__ and value is not None and value == value:
                settings[name] = value
        settings |= {"metric": _fixed(metric, row), "adapt_step_size": False}
        settings["step_scale"] = float(sizes[row, k]) * metric.n**0.25
        steps.append(kind(**(settings | options)))
    return steps[0] if len(steps) == 1 else steps


def _middle(sizes: np.ndarray) -> int:
    """Return which of some step sizes is in the middle: no odd chain is chosen."""
    return int(np.argsort(sizes, kind="stable")[(len(sizes) - 1) // 2])


def _fixed(metric: Metric, row: int) -> QuadPotential:
    """Return the metric of a chain, by what gives velocities soonest."""
    n, rank = metric.n, int(metric.rank[row])
    if rank == 0:
        return QuadPotentialDiag(metric.scale[row] ** 2)
    if rank == n or n <= SMALL or 2 * rank >= n:
        return QuadPotentialFull(metric.inv_mass(metric.chain_ids[row]))
    return QuadPotentialLowRank(metric.scale[row], metric.directions[row], metric.eigenvalues[row])


SETTLED.append(settled_step)
