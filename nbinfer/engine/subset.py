"""A step that moves some of the coordinates: it sees a chain of its own that has only these.

The inner chain's density puts its coordinates among the others and calls the model's; so every step method works on
part of a position without knowing it.
"""

from __future__ import annotations

import numpy as np

from nbinfer.compile import Entry, call_density, call_step, entry, floats_at, ints_at, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.job import Status
from nbinfer.engine.state import Inner, Memory, State, address_of_rows, floats, integers, per_coordinate
from nbinfer.engine.step import Around, Site, StepMethod, fill_conditionals, pair_per_coordinate

SUBSET = State(
    fields={
        "function": "i8",  # the inner step
        "n": "i8",  # how many coordinates there are outside
        "density": "i8",  # the model's
        "value": "i8",
        "context": "i8",
        "last": "i8",  # coordinate that the trial position was last changed in
    },
    parts={
        "chain": State({name: Chain[name].str[1:] for name in Chain.names or ()}),  # its parts are those of others
        "position": floats(per_coordinate),  # of the inner chain
        "grad": floats(per_coordinate),
        "coordinates": integers(per_coordinate),  # where they are outside
        "pairs": integers(pair_per_coordinate),  # for the model's `conditional`
        "own": Inner(lambda engine: engine.inner),
    },
    work={
        "trial": floats(lambda engine, site: site.bound.dim),  # a whole position, and its gradient
        "whole_grad": floats(lambda engine, site: site.bound.dim),
    },
)
Subset = SUBSET.record

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
    logp = call_density(own.density, own.n, own.trial, own.whole_grad, own.context)
    whole, out = floats_at(own.whole_grad, own.n), floats_at(grad, n)
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
    inner.done, inner.tuning = chain.done, chain.tuning
    inner.gradients, inner.divergences, inner.step_size = chain.gradients, chain.divergences, chain.step_size
    inner.values = chain.values
    status = call_step(own.function, own.chain, own.own)
    chain.gradients, chain.divergences, chain.step_size = inner.gradients, inner.divergences, inner.step_size
    chain.values = inner.values
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
    state = SUBSET

    def __init__(self, inner: StepMethod) -> None:
        self.inner = inner

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write settings and first state."""
        own.coordinates[:] = site.coordinates
        own.position[:] = position
        own.chain.n, own.chain.tune = site.n, tune
        self.inner.initialise(own.own, site, tune, position)

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write what the inner chain shares with the outer one."""
        outer, inner = around.chain.record, own.chain
        own.function, own.n = self.inner.function.address, site.bound.dim
        own.density, own.value, own.context = outer["density"], outer["value"], outer["context"]
        for name in ("words", "number", "discrete", "n_discrete", "stop", "progress", "may_climb"):
            setattr(inner, name, outer[name])
        inner.density = inner.value = density.address
        inner.context = own.address
        inner.position, inner.grad = address_of_rows(own.position), address_of_rows(own.grad)
        fill_conditionals(own.pairs, around, site)
        self.inner.connect(own.own, around._replace(chain=inner, conditional=conditional.address), site)
