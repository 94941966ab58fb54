"""What steps share that visit discrete values one after the other: the order, and the density at another value.

Where a model gives the log density of what depends on one value alone (``conditional``), that is evaluated; else the
whole density is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.compile import Record, floats_at, ints_at, kernel, record_at
from nbinfer.mcmc.chain import conditional_at
from nbinfer.mcmc.step import Site, Wiring
from nbinfer.random import uniform

#: The discrete values that a step visits.
Sweep = np.dtype(
    [
        ("k", "i8"),  # how many
        ("shuffles", "i8"),  # whether their order is drawn anew in each iteration
        ("order", "i8"),  # address of k int64
        ("discrete", "i8"),  # addresses of indices and range of the values
        ("lowest", "i8"),
        ("highest", "i8"),
        ("conditionals", "i8"),  # address of k pairs: C function or 0, and the index that it is given
    ],
    align=True,
)


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


def layout(site: Site) -> dict[str, int]:
    """Return the parts of a block that a sweep needs, in 8-byte fields."""
    k = len(site.discrete)
    fields = {"sweep": Sweep.itemsize // 8, "conditionals": 2 * k}
    return fields | dict.fromkeys(("order", "discrete", "lowest", "highest"), k)


def initialise(parts: Mapping[str, np.ndarray], site: Site, order: Any) -> None:
    """Write settings and first state."""
    sweep = parts["sweep"].view(Sweep)[0]
    sweep["k"], sweep["shuffles"] = len(site.discrete), isinstance(order, str)
    parts["order"][:] = np.arange(len(site.discrete)) if isinstance(order, str) else order
    for name in ("discrete", "lowest", "highest"):
        parts[name][:] = getattr(site, name)


def wire(wiring: Wiring, site: Site) -> None:
    """Write addresses."""
    sweep = record_at.py_func(wiring.parts["sweep"], Sweep)
    for name in ("order", "discrete", "lowest", "highest", "conditionals"):
        sweep[name] = wiring.parts[name]
    pairs = ints_at.py_func(wiring.parts["conditionals"], 2 * len(site.discrete)).reshape(-1, 2)
    pairs[:] = site.bound.conditionals(site.names, True)


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


@kernel
def write_row(address: int, chain: Record, first: float, second: float) -> None:
    """Write a row of statistics: two of the step's own, log density, whether it is warm-up."""
    row = floats_at(address, 4)
    row[0], row[1], row[2], row[3] = first, second, chain.logp, chain.tuning
