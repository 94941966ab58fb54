"""What steps share that visit discrete values one after the other: the order, and the density at another value.

Where a model gives the log density of what depends on one value alone (``conditional``), that is evaluated; else the
whole density is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbinfer.compile import Record, ints_at, kernel
from nbinfer.engine.chain import conditional_at
from nbinfer.engine.state import Memory, State, integers, per_discrete
from nbinfer.engine.step import Site, pair_per_discrete
from nbinfer.random import uniform

#: The discrete values that a step visits.
SWEEP = State(
    fields={
        "k": "i8",  # how many
        "shuffles": "i8",  # whether their order is drawn anew in each iteration
    },
    parts={
        "order": integers(per_discrete),
        "discrete": integers(per_discrete),  # indices and range of the values
        "lowest": integers(per_discrete),
        "highest": integers(per_discrete),
        "conditionals": integers(pair_per_discrete),  # C function or 0, and the index that it is given
    },
)
Sweep = SWEEP.record


@kernel
def shuffle(sweep: Record, stream: int) -> None:
    """Draw a new order, if it is random (Fisher and Yates)."""
    order = ints_at(sweep.order, sweep.k)
    if sweep.shuffles == 0:
        return
    for i in range(sweep.k - 1, 0, -1):
        j = np.int64(uniform(stream) * (i + 1))
        order[i], order[j] = order[j], order[i]


@kernel
def log_density(chain: Record, sweep: Record, which: int) -> float:
    """Return the log density, up to what does not depend on one of the values, at the values as they are."""
    return conditional_at(chain, sweep.conditionals, which, chain.position)


@kernel
def log_density_now(chain: Record, sweep: Record, which: int) -> float:
    """Return the same where the chain is, where it is known already if it is the whole density."""
    if ints_at(sweep.conditionals, 2 * sweep.k)[2 * which] == 0:
        logp: float = chain.logp
        return logp
    return log_density(chain, sweep, which)


def initialise(sweep: Memory, site: Site, order: Any) -> None:
    """Write settings and first state."""
    sweep.k, sweep.shuffles = len(site.discrete), isinstance(order, str)
    sweep.order[:] = np.arange(len(site.discrete)) if isinstance(order, str) else order
    for name in ("discrete", "lowest", "highest"):
        getattr(sweep, name)[:] = getattr(site, name)


def connect(sweep: Memory, site: Site) -> None:
    """Write the functions of the model's conditionals."""
    sweep.conditionals[:] = site.bound.conditionals(site.names, True).ravel()


def check_order(label: str, order: Any, site: Site | None = None) -> None:
    """Require 'random' or a permutation of the values that are visited."""
    if isinstance(order, str):
        if order != "random":
            raise ValueError(f"order of {label} must be 'random' or a permutation, got {order!r}.")
        return
    wanted = "a permutation of 0 … k - 1" if site is None else f"a permutation of 0 … {len(site.discrete) - 1}"
    is_list = (
        isinstance(order, Sequence | np.ndarray)
        and getattr(order, "shape", None) != ()
        and all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in order)
    )
    if not is_list or sorted(order) != list(range(len(order) if site is None else len(site.discrete))):
        raise ValueError(f"order of {label} must be 'random' or {wanted}, got {order!r}.")
