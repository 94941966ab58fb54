"""A step that moves some of the coordinates: it sees a chain of its own that has only these.

The inner chain's density puts its coordinates among the others and calls the model's; so every step method works on
part of a position without knowing it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nbinfer.compile import Entry, call_density, call_step, entry, floats_at, ints_at, record_at
from nbinfer.mcmc.chain import Chain, Status
from nbinfer.mcmc.step import Site, StepMethod, Wiring, fill_conditionals

#: What the step around another keeps.
Subset = np.dtype(
    [
        ("function", "i8"),  # the inner step, its state and its chain
        ("own", "i8"),
        ("chain", "i8"),
        ("coordinates", "i8"),  # address of the indices of the inner chain's coordinates
        ("n", "i8"),  # how many there are outside
        ("trial", "i8"),  # address of a whole position, and of its gradient
        ("grad", "i8"),
        ("density", "i8"),  # the model's
        ("value", "i8"),
        ("context", "i8"),
        ("pairs", "i8"),  # address of (function, index) per coordinate, for the model's `conditional`
        ("last", "i8"),  # coordinate that the trial position was last changed in
    ],
    align=True,
)

_OK = int(Status.OK)


@entry("float64(int64, intp, intp, intp)")
def density(n: int, position: int, grad: int, context: int) -> float:
    """Return the model's density at the other coordinates and these, with the gradient by these."""
    own = record_at(context, Subset)
    q, trial, coordinates = floats_at(position, n), floats_at(own.trial, own.n), ints_at(own.coordinates, n)
    for i in range(n):
        trial[coordinates[i]] = q[i]
    if grad == 0:
        return call_density(own.value, own.n, own.trial, 0, own.context)
    logp = call_density(own.density, own.n, own.trial, own.grad, own.context)
    whole, out = floats_at(own.grad, own.n), floats_at(grad, n)
    for i in range(n):
        out[i] = whole[coordinates[i]]
    return logp


@entry("float64(int64, intp, intp, intp)")
def conditional(n: int, position: int, i: int, context: int) -> float:
    """Return the log density of what depends on one of these coordinates, where one at a time is tried."""
    own = record_at(context, Subset)
    q, trial, coordinates = floats_at(position, n), floats_at(own.trial, own.n), ints_at(own.coordinates, n)
    trial[coordinates[own.last]] = q[own.last]
    trial[coordinates[i]] = q[i]
    own.last = i
    pairs = ints_at(own.pairs, 2 * n)
    return call_density(pairs[2 * i], own.n, own.trial, pairs[2 * i + 1], own.context)


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Let the inner step move its chain, and put the result among the other coordinates."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Subset)
    inner = record_at(own.chain, Chain)
    position, trial = floats_at(chain.position, chain.n), floats_at(own.trial, chain.n)
    q, coordinates = floats_at(inner.position, inner.n), ints_at(own.coordinates, inner.n)
    for i in range(chain.n):
        trial[i] = position[i]
    for i in range(inner.n):
        q[i] = position[coordinates[i]]
    inner.logp, inner.gradient_known = chain.logp, 0
    inner.draw, inner.tuning = chain.draw, chain.tuning
    inner.gradients, inner.divergences, inner.step_size = chain.gradients, chain.divergences, chain.step_size
    status = call_step(own.function, own.chain, own.own)
    chain.gradients, chain.divergences, chain.step_size = inner.gradients, inner.divergences, inner.step_size
    if status != _OK:
        return status
    for i in range(inner.n):
        position[coordinates[i]] = q[i]
    chain.logp, chain.gradient_known = inner.logp, 0
    return _OK


class SubsetStep:
    """A step method on some of a model's coordinates, as the engine sees it.

    Parameters
    ----------
    inner : StepMethod
        The method itself, which takes the inner chain for a whole one.
    """

    function: Entry = step

    def __init__(self, inner: StepMethod) -> None:
        self.inner = inner

    def layout(self, site: Site) -> Mapping[str, int]:
        """Return the parts of the block: those of the inner step, its chain, and its coordinates."""
        mine = {
            "own": Subset.itemsize // 8,
            "chain": Chain.itemsize // 8,
            "position": site.n,
            "grad": site.n,
            "coordinates": site.n,
            "pairs": 2 * site.n,
        }
        return mine | {f"inner {name}": count for name, count in self.inner.layout(site).items()}

    def workspace(self, site: Site) -> Mapping[str, int]:
        """Return the memory no draw depends on."""
        mine = {"trial": site.bound.dim, "whole grad": site.bound.dim}
        return mine | {f"inner {name}": count for name, count in self.inner.workspace(site).items()}

    def initialise(self, parts: Mapping[str, np.ndarray], site: Site, tune: int, position: np.ndarray) -> None:
        """Write settings and first state."""
        parts["coordinates"][:] = site.coordinates
        parts["position"].view(np.float64)[:] = position
        inner = parts["chain"].view(Chain)[0]
        inner["n"], inner["tune"] = site.n, tune
        self.inner.initialise(_inner(parts), site, tune, position)

    def wire(self, wiring: Wiring, site: Site, outer: Any) -> None:
        """Write addresses; `outer` is the record of the chain around."""
        parts = wiring.parts
        own = record_at.py_func(parts["own"], Subset)
        own.function, own.own, own.chain = self.inner.function.address, parts["inner own"], parts["chain"]
        own.coordinates, own.n = parts["coordinates"], site.bound.dim
        own.trial, own.grad = wiring.work["trial"], wiring.work["whole grad"]
        own.density, own.value, own.context = outer["density"], outer["value"], outer["context"]
        inner = record_at.py_func(parts["chain"], Chain)
        for name in ("words", "number", "discrete", "n_discrete", "stop", "progress"):
            inner[name] = outer[name]
        inner.density = inner.value = density.address
        inner.context, inner.position, inner.grad = parts["own"], parts["position"], parts["grad"]
        own.pairs = parts["pairs"]
        fill_conditionals(ints_at.py_func(parts["pairs"], 2 * site.n).reshape(-1, 2), wiring, site)
        inner_wiring = wiring._replace(parts=_inner(parts), work=_inner(wiring.work), conditional=conditional.address)
        self.inner.wire(inner_wiring, site)


def _inner(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("inner "): part for name, part in parts.items() if name.startswith("inner ")}
