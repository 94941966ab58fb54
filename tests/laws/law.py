"""The law of every step: one transition from exact draws leaves exact draws. And mutants, which must break it.

Each of many exact draws makes one transition. Where the target is left invariant, the mean change of any function is
zero; the change's own standard error says how near. A mutant is a module's source with one line altered.

    method = HamiltonianMC(step_scale=0.8, adapt_step_size=False)
    assert_invariant(method, EXACT["student"]())
    broken = mutant(tmp_path, "0.5 * kinetic", "0.6 * kinetic", metric, hmc)
    assert_caught(broken.HamiltonianMC(step_scale=0.8, adapt_step_size=False), EXACT["student"]())
"""

import importlib.util
import itertools
import sys
from typing import NamedTuple

import numpy as np
import pytest

from nbinfer.compile import JIT, address_of, call_density, call_step, entry, floats_at, ints_at, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.chains import Chains
from nbinfer.random import key_of, start
from tests.laws.kit import whole

#: Exact draws that make a transition; plain Python makes fewer, and the law says less there.
COUNT = 200_000 if JIT else 200
CHUNK = 250_000  # draws at a time
MEMBERS = 8  # of a population
HOLDS, BREAKS = 4.0, 6.0


class Moved(NamedTuple):
    """Points before and after one transition.

    Positions have shape (count, dim), discrete values (count, n_discrete), log densities, as the chain has them,
    (count,).
    """

    positions: np.ndarray
    discrete: np.ndarray
    logp: np.ndarray
    new_positions: np.ndarray
    new_discrete: np.ndarray
    new_logp: np.ndarray

    @property
    def share(self):
        """Share of the draws that moved at all."""
        where = (self.positions != self.new_positions).any(1) | (self.discrete != self.new_discrete).any(1)
        return where.mean()


@entry("int64(intp, int64, intp, intp, intp, intp, int64, int64)")
def _move(chains_address, members, originals, positions, discretes, logps, count, at_once):
    """Put each of `count` groups of exact draws into the chains, and let each chain in turn make one transition."""
    chains, logp = ints_at(chains_address, members), floats_at(logps, 2 * members * count)
    for i in range(count):
        for m in range(members):
            chain, row = record_at(chains[m], Chain), i * members + m
            q, exact = floats_at(chain.position, chain.n), floats_at(positions + 8 * row * chain.n, chain.n)
            for k in range(chain.n):
                q[k] = exact[k]
            z, drawn = (
                ints_at(chain.discrete, chain.n_discrete),
                ints_at(discretes + 8 * row * chain.n_discrete, chain.n_discrete),
            )
            for k in range(chain.n_discrete):
                z[k] = drawn[k]
        for m in range(members):
            if at_once:  # what the others have made of themselves is not seen yet
                for other in range(members):
                    chain = record_at(chains[other], Chain)
                    q = floats_at(chain.position, chain.n)
                    exact = floats_at(originals + 8 * (i * members + other) * chain.n, chain.n)
                    for k in range(chain.n):
                        q[k] = exact[k]
            chain, row = record_at(chains[m], Chain), i * members + m
            chain.logp = call_density(chain.value, chain.n, chain.position, 0, chain.context)
            chain.gradient_known = 0
            chain.done = i
            logp[2 * row] = chain.logp
            steps = ints_at(chain.steps, 2 * chain.n_steps)
            for k in range(chain.n_steps):
                start(chain.words, i, m, 1024 + k)
                status = call_step(steps[2 * k], chains[m], steps[2 * k + 1])
                if status != 0:
                    return status
            logp[2 * row + 1] = chain.logp
            q, moved = floats_at(chain.position, chain.n), floats_at(positions + 8 * row * chain.n, chain.n)
            for k in range(chain.n):
                moved[k] = q[k]
            z, changed = (
                ints_at(chain.discrete, chain.n_discrete),
                ints_at(discretes + 8 * row * chain.n_discrete, chain.n_discrete),
            )
            for k in range(chain.n_discrete):
                changed[k] = z[k]
    return 0


def move_once(method, target, positions, discrete=None, *, seed=1, members=MEMBERS, at_once=False):
    """Let each draw make one transition after warm-up.

    Parameters
    ----------
    method : StepMethod or Placed or list of them
        Several are applied one after the other. A method alone moves everything.
    target : Target
    positions : ndarray, shape (count, dim)
        For a step of a population, groups of `MEMBERS` rows that follow each other move together.
    discrete : ndarray of int64, shape (count, n_discrete), optional
    seed : int
        Of the transitions.
    members : int
        Of a population.
    at_once : bool
        Whether the members of a population see each other where they were before any of them moved, which is wrong.

    Returns
    -------
    moved : Moved
    """
    methods = method if isinstance(method, list) else [method]
    steps = [m if hasattr(m, "site") else whole(m, target) for m in methods]
    members = members if any(step.method.population for step in steps) else 1
    discrete = np.zeros((len(positions), 0), np.int64) if discrete is None else discrete
    blocks = Chains(target, steps, 0, list(range(members)), [key_of(np.random.SeedSequence(seed))] * members)
    for c in range(members):
        blocks.begin(c, positions[c], 0.0, None, discrete[c])
    blocks.wire([], [])
    chains = np.array([address_of(row) for row in blocks.state], np.int64)
    new, new_discrete = np.array(positions, float), np.array(discrete, np.int64)
    count = len(new) // members
    logp, kept = np.zeros((count * members, 2)), count * members
    old = np.array(positions, float)
    addresses = [address_of(array) for array in (old, new, new_discrete, logp)]
    status = _move(address_of(chains), members, *addresses, count, at_once)
    assert status == 0
    return Moved(positions[:kept], discrete[:kept], logp[:, 0], new[:kept], new_discrete[:kept], logp[:, 1])


def functions_of(x, z, logp):
    """Functions that see location, spread, tails and dependence; `x` is standardised, `z` are small integers."""
    columns = [x, x**2, np.minimum(x**4, 50.0), np.abs(x) < 0.5, x[:, :-1] * x[:, 1:], logp[:, None]]
    columns += [z == value for value in range(8)]
    columns += [z[:, :-1] * z[:, 1:], np.prod(z, axis=1, keepdims=True)] if z.shape[1] else []
    columns += [(z[:, :1] == value) * x[:, :1] for value in range(3)] if z.shape[1] and x.shape[1] else []
    return np.concatenate([np.asarray(c, float) for c in columns], axis=1)


class _Changes:
    """Sums over the changes of `functions_of`, and their squares; members of a population count as one."""

    def __init__(self, members):
        self._members, self._scale = members, None
        self._sums, self._squares, self._count = 0.0, 0.0, 0

    def add(self, moved):
        if self._scale is None:
            self._scale = moved.positions.mean(0), moved.positions.std(0)
        centre, spread = self._scale
        before = functions_of((moved.positions - centre) / spread, moved.discrete, moved.logp)
        after = functions_of((moved.new_positions - centre) / spread, moved.new_discrete, moved.new_logp)
        changes = (after - before).reshape(-1, self._members, before.shape[1]).mean(1)
        self._sums = self._sums + changes.sum(0)
        self._squares = self._squares + (changes**2).sum(0)
        self._count += len(changes)

    @property
    def worst_z(self):
        mean = self._sums / self._count
        error = np.sqrt((self._squares / self._count - mean**2) / self._count)
        return np.max(np.abs(mean) / np.where(error == 0.0, np.inf, error))


def law(method, target, *, count=None, seed=1):
    """Move exact draws of a target once; return the worst z and the share of draws that moved."""
    methods = method if isinstance(method, list) else [method]
    population = any(getattr(m, "method", m).population for m in methods)
    changes, shares = _Changes(MEMBERS if population else 1), []
    left = count or COUNT * (MEMBERS if population and not JIT else 1)  # a handful of groups tells nothing
    while left > 0:
        rng = np.random.default_rng([seed, left])
        positions, discrete = target.draw(rng, min(left, CHUNK))
        moved = move_once(method, target, positions, discrete, seed=rng.integers(2**62))
        changes.add(moved)
        shares.append(moved.share)
        left -= CHUNK
    return changes.worst_z, np.mean(shares)


def assert_invariant(method, target, *, moves=0.2, count=None, seed=1):
    """Assert that a step leaves a target invariant, and that at least a share `moves` of the draws did move."""
    z, share = law(method, target, count=count, seed=seed)
    assert share > moves
    assert z < HOLDS


def assert_caught(method, target, *, count=None, seed=1):
    """Assert that the law sees that a step (a mutant) does not leave a target invariant."""
    z, _ = law(method, target, count=count, seed=seed)
    assert z > BREAKS


def one_now(mutants):
    """List mutants for a test that compiles each anew, for ten seconds or more: all but the first are slow."""
    first, *others = mutants
    return [first, *(pytest.param(name, marks=pytest.mark.slow) for name in others)]


def mutant(folder, old, new, *modules):
    """Return a copy of the last of some modules, in which one line of one of them is altered.

    Parameters
    ----------
    folder : Path
        Where the altered sources go.
    old, new : str
        What is replaced, and by what; `old` stands once in all of the modules' sources.
    *modules : module
        Each uses those before it: its copy finds their copies, and what it imports from them, in their place.
    """
    sources = {}
    for module in modules:
        with open(module.__file__, encoding="utf-8") as file:
            sources[module] = file.read()
    assert sum(source.count(old) for source in sources.values()) == 1
    sources = dict(itertools.dropwhile(lambda item: old not in item[1], sources.items()))  # the others stay as they are
    copies = {}
    for module, source in sources.items():
        path = folder / f"mutant_{module.__name__.rpartition('.')[2]}.py"
        path.write_text(source.replace(old, new), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        copy = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = copy  # dataclasses look there for the module of their fields
        try:
            spec.loader.exec_module(copy)
        finally:
            del sys.modules[path.stem]
        for name, value in vars(copy).items():
            for original, altered in copies.items():
                if value is original:
                    setattr(copy, name, altered)
                elif getattr(original, name, None) is value and getattr(value, "__module__", "") == original.__name__:
                    setattr(copy, name, getattr(altered, name))
        copies[module] = copy
    return copies[modules[-1]]
