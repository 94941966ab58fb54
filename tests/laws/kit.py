"""What the tests of the samplers share: small targets as C functions, and a bare chain without a model."""

import numpy as np

from nbinfer import random
from nbinfer.compile import address_of, call_density, entry, floats_at, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.chains import Chains, Placed
from nbinfer.engine.step import Site
from nbinfer.engine.team import work
from nbinfer.engine.vectors import copy
from nbinfer.mcmc.hamiltonian import tree
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.hamiltonian.tree import Tree
from nbinfer.mcmc.metric.kernel import Metric
from nbinfer.mcmc.metric.potential import QuadPotentialFull
from nbinfer.random import generator, key_of
from nbinfer.trace.columns import Column
from nbinfer.trace.store import MemoryStore, columns_of_statistics


@entry("float64(int64, intp, intp, intp)")
def gaussian(n, position, grad, context):
    """N(0, S); the context holds the precision matrix, n x n."""
    q, precision = floats_at(position, n), floats_at(context, n * n)
    logp = 0.0
    for i in range(n):
        slope = 0.0
        for j in range(n):
            slope -= precision[i * n + j] * q[j]
        logp += 0.5 * slope * q[i]
        if grad != 0:
            floats_at(grad, n)[i] = slope
    return logp


@entry("float64(int64, intp, intp, intp)")
def student(n, position, grad, context):
    """Independent Student t with 5 degrees of freedom: a target whose trajectories are not ellipses."""
    q = floats_at(position, n)
    logp = 0.0
    for i in range(n):
        logp -= 3.0 * np.log1p(q[i] * q[i] / 5.0)
        if grad != 0:
            floats_at(grad, n)[i] = -6.0 * q[i] / (5.0 + q[i] * q[i])
    return logp


@entry("float64(int64, intp, intp, intp)")
def wall(n, position, grad, context):
    """N(0, 1) cut off at 0: beyond it the density is NaN."""
    q = floats_at(position, n)
    if grad != 0:
        floats_at(grad, n)[0] = -q[0]
    return -0.5 * q[0] * q[0] if q[0] > 0.0 else np.nan


@entry("int64(int64, intp, intp, intp)")
def plain_record(n, position, row, context):
    """The row is the position."""
    q, out = floats_at(position, n), floats_at(row, n)
    for i in range(n):
        out[i] = q[i]
    return 0


@entry("float64(intp)")
def _uniform(words):
    return random.uniform(words)


@entry("int64(intp, intp, int64)")
def _fill_normal(words, out, count):
    random.fill_normal(words, out, count)
    return 0


def uniform(words):
    """The next uniform number of a stream."""
    return _uniform(address_of(words))


def fill_normal(words, count):
    """The next normal numbers of a stream."""
    out = np.zeros(count)
    _fill_normal(address_of(words), address_of(out), count)
    return out


@entry("float64(intp, int64, intp, intp, intp)")
def _evaluate(density, n, position, grad, context):
    return call_density(density, n, position, grad, context)


class Target:
    """A density by address in place of a model's memory."""

    serial = False
    gradient_warning = ""
    n_discrete = 0
    lowest = highest = np.zeros(0, np.int64)

    def __init__(self, density, dim, context=None):
        self.dim = self.row_size = dim
        self._entry, self._context = density, None if context is None else np.ascontiguousarray(context, float)
        self.density = self.value_density = density.address
        self.record = plain_record.address

    def conditionals(self, names, discrete):
        return np.zeros((self.n_discrete if discrete else self.dim, 2), np.int64)

    def context(self, chain):
        return 0 if self._context is None else address_of(self._context)

    failed_chains = ()

    def value_and_grad(self, q):
        q, grad = np.array(q, float), np.zeros(self.dim)
        return _evaluate(self.density, self.dim, address_of(q), address_of(grad), self.context(-1)), grad


def whole(step, target):
    """A step on all coordinates and discrete values of a target."""
    ranges = (np.arange(target.n_discrete), target.lowest, target.highest)
    return Placed(step, Site(target, ("x",), np.arange(target.dim), *ranges))


def gaussian_target(covariance):
    return Target(gaussian, len(covariance), np.linalg.inv(covariance))


class BareChains:
    """Chains on a bare target with everything they draw in arrays."""

    def __init__(
        self, target, nuts=None, *, tune=0, draws=100, numbers=(0,), seed=1, starts=None, store=None, settles=False
    ):
        self.nuts, self.tune, self.draws = nuts or NUTS(), tune, draws
        keys = [key_of(np.random.SeedSequence(seed))] * len(numbers)
        chains, dim = len(numbers), target.dim
        self.store = store or MemoryStore(chains, tune, draws)
        self.blocks = Chains(target, [whole(self.nuts, target)], tune, list(numbers), keys, self.store.words, settles)
        self.warm, self.x = (self.store.array(group, "x", (dim,), float) for group in ("warmup_posterior", "posterior"))
        statistics = columns_of_statistics(self.store, [self.nuts.statistics])
        self.stats, self.warm_stats = (self.store.groups[group] for group in ("sample_stats", "warmup_sample_stats"))
        for c, number in enumerate(numbers):
            q = starts[c] if starts is not None else generator(keys[c], 0, number).uniform(-1, 1, dim)
            self.blocks.begin(c, q, *target.value_and_grad(q))
        self._target = target
        self.columns = [Column(0, dim, self.warm, self.x)], statistics, self.store.thin
        self.blocks.wire(*self.columns)

    def run(self, until=None):
        team = self.blocks.team(self.tune + self.draws if until is None else until)
        work(address_of(team))
        return self

    def own(self, chain=0):
        """What the first step keeps, by name."""
        return self.blocks.own(0, chain)


def transition_of(module):
    """Make the C function of one transition; `module` is `nbinfer.mcmc.hamiltonian.tree` or a mutant of it."""

    def transition(chain_address, metric_address, tree_address, words, max_depth, step_size, position):
        chain, own = record_at(chain_address, Chain), record_at(tree_address, Tree)
        chain.words, own.step_size = words, step_size
        slot = module.transition(chain, record_at(metric_address, Metric), own, max_depth)
        if slot >= 0:
            copy(chain.n, module.point(own, chain.n, slot), position)
        return slot

    return entry("int64(intp, intp, intp, intp, int64, float64, intp)")(transition)


_transition = transition_of(tree)


class Trajectories:
    """A bare chain that makes one transition of NUTS, and nothing else, from wherever it is put.

    Parameters
    ----------
    target : Target
    inv_mass : array_like, shape (n,) or (n, n)
    integrator : str
    transition : Entry, optional
        That of a mutant.
    """

    def __init__(self, target, inv_mass, integrator="leapfrog", transition=_transition):
        inv_mass = np.asarray(inv_mass, float)
        diagonal = inv_mass.ndim == 1
        self.metric = {"inv_mass": inv_mass, "root": inv_mass**-0.5 if diagonal else np.linalg.cholesky(inv_mass)}
        nuts = NUTS(
            metric="unit" if diagonal else QuadPotentialFull(inv_mass), integrator=integrator,
            accept_statistic="symmetric",
        )  # fmt: skip
        self.target, self.chains, self.transition = target, BareChains(target, nuts), transition
        self.own, self.blocks = self.chains.own(), self.chains.blocks
        self.tree = self.own.tree.record

    def move(self, q, words, max_depth, step_size):
        """Return the slot of the new point, -1 if stopped, and its position; the tree says what came of it."""
        self.blocks.begin(0, q, *self.target.value_and_grad(q))
        for name, value in self.metric.items():
            getattr(self.own.metric, name)[:] = value.ravel()
        position = np.full(len(q), np.nan)
        slot = self.transition(
            address_of(self.blocks.state[0]), self.own.metric.address, self.own.tree.address,
            address_of(words), max_depth, step_size, address_of(position),
        )  # fmt: skip
        return slot, position
