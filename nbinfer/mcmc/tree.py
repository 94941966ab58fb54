"""The trajectory of NUTS: a tree grown by doubling, without recursion.

Phase points live in a pool of slots. A point is written once, by the step that reaches it, and is known by its slot
ever after: as an end of the tree, as an end of a subtree that waits for its sibling, as the proposal. Counts of uses
tell which slots are free.

A span of the trajectory turns if the momentum at one of its ends points back along the way w between them, w·p ≤ 0,
where w leads from half a step before the one end to half a step beyond the other: up to the square of the step that is
the step times the sum of the velocities over the span, the criterion of [2]_, without a sum to keep. It is invariant
under any linear change of coordinates, since momenta transform like gradients. When two neighbouring spans join, three
spans are tested [3]_: the whole, and each half with the point next to it in the other half; the last two catch
trajectories that turn exactly between the halves.

References
----------
.. [1] M. D. Hoffman and A. Gelman, "The No-U-Turn Sampler", JMLR 15 (2014).
.. [2] M. Betancourt, "A conceptual introduction to Hamiltonian Monte Carlo", arXiv:1701.02434, appendix A.
.. [3] Stan, pull request 2800, "Additional U-turn checks" (2019).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import Record, floats_at, ints_at, kernel, load_acquire
from nbinfer.mcmc import integrators
from nbinfer.mcmc.metric import draw_momentum, velocity
from nbinfer.mcmc.state import State, floats, integers
from nbinfer.random import uniform


def slots_needed(max_treedepth: int) -> int:
    """Return how many points are alive at once: two per level, the tree's ends and proposal, the point under way."""
    return 2 * (max_treedepth + 1) + 6


def _per_slot(step: Any, site: Any) -> int:
    return slots_needed(step.max_treedepth)


def _per_level(step: Any, site: Any) -> int:
    return int(step.max_treedepth) + 1


#: One transition: settings, work space, and what came of it.
TREE = State(
    fields={
        "integrator": "i8",
        "step_size": "f8",
        "energy_limit": "f8",  # Emax
        "symmetric": "i8",  # whether the symmetric acceptance statistic is wanted
        "slots": "i8",  # number of slots
        # The outcome.
        "start_energy": "f8",
        "weight": "f8",  # of the subtree under construction, relative to the starting point's
        "candidate": "i8",  # its proposal
        "accept_sum": "f8",  # acceptance probabilities, summed over the points
        "symmetric_sum": "f8",  # 2 min(1, a) / (1 + a), likewise, if `symmetric`
        "max_energy_error": "f8",  # of largest absolute value, signed
        "n_steps": "i8",
        "depth": "i8",
        "diverging": "i8",
        "unfinished": "i8",  # the trajectory would have gone on but for the limit on its depth
    },
    work={
        # The slots: position, momentum, gradient, velocity (dense metric only) each.
        "points": floats(lambda step, site: 4 * site.n * _per_slot(step, site)),
        "uses": integers(_per_slot),
        "indices": integers(_per_slot),  # signed number of steps from the start
        "logps": floats(_per_slot),
        "energies": floats(_per_slot),
        "firsts": integers(_per_level),  # slot of the first point of the subtree that waits there, in building order
        "lasts": integers(_per_level),  # slot of its last point
    },
)
Tree = TREE.record

# exp of it, summed over any trajectory, stays finite. A fall of the energy by more has a probability below 1e-282: to
# hold the weight there is exact in double precision.
_LARGEST_EXPONENT = 650.0

COMPLETE, TURNING, DIVERGING, STOPPED = 0, 1, 2, 3


@kernel
def point(tree: Record, n: int, slot: int) -> int:
    """Return the address of a phase point."""
    address: int = tree.points + 32 * n * slot
    return address


@kernel
def _free_slot(tree: Record) -> int:
    """Take a slot that nobody uses."""
    uses = ints_at(tree.uses, tree.slots)
    slot = 0
    while uses[slot] != 0:
        slot += 1
    uses[slot] = 1
    return slot


@kernel
def _turns(n: int, metric: Record, reach: float, first_a: int, last_a: int, first_b: int, last_b: int) -> bool:
    """Tell whether joining span a and its successor b, given by their ends, makes a turn.

    `reach` is half a step, signed like the direction of building.
    """
    if metric.dense != 0:
        turning = _dense_span_turns(n, reach, first_a, last_b)
        if not turning and (first_a != last_a or first_b != last_b):
            turning = _dense_span_turns(n, reach, first_a, first_b) or _dense_span_turns(n, reach, last_a, last_b)
        return turning
    if first_a == last_a and first_b == last_b:
        return _pair_turns(n, metric.inv_mass, reach, first_a, first_b)
    return _span_turns(n, metric.inv_mass, reach, first_a, last_a, first_b, last_b)


@kernel(reassociate=True)
def _pair_turns(n: int, inv_mass_address: int, reach: float, a: int, b: int) -> bool:
    inv_mass = floats_at(inv_mass_address, n)
    qa, pa, qb, pb = floats_at(a, n), floats_at(a + 8 * n, n), floats_at(b, n), floats_at(b + 8 * n, n)
    at_a, at_b = 0.0, 0.0
    for i in range(n):
        way = qb[i] - qa[i] + reach * inv_mass[i] * (pa[i] + pb[i])
        at_a += way * pa[i]
        at_b += way * pb[i]
    return not min(reach * at_a, reach * at_b) > 0.0


@kernel(reassociate=True)
def _span_turns(
    n: int, inv_mass_address: int, reach: float, first_a: int, last_a: int, first_b: int, last_b: int
) -> bool:
    inv_mass = floats_at(inv_mass_address, n)
    qa, pa = floats_at(first_a, n), floats_at(first_a + 8 * n, n)
    ra, sa = floats_at(last_a, n), floats_at(last_a + 8 * n, n)
    qb, pb = floats_at(first_b, n), floats_at(first_b + 8 * n, n)
    rb, sb = floats_at(last_b, n), floats_at(last_b + 8 * n, n)
    whole_a, whole_b, left_a, left_b, right_a, right_b = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        half = reach * inv_mass[i]
        before_a, beyond_b = qa[i] - half * pa[i], rb[i] + half * sb[i]
        whole = beyond_b - before_a
        left = qb[i] + half * pb[i] - before_a
        right = beyond_b - ra[i] + half * sa[i]
        whole_a += whole * pa[i]
        whole_b += whole * sb[i]
        left_a += left * pa[i]
        left_b += left * pb[i]
        right_a += right * sa[i]
        right_b += right * sb[i]
    least = min(min(reach * whole_a, reach * whole_b), min(reach * left_a, reach * left_b))
    least = min(least, min(reach * right_a, reach * right_b))
    return not least > 0.0


@kernel(reassociate=True)
def _dense_span_turns(n: int, reach: float, a: int, b: int) -> bool:
    """The same for one span, with the velocities that a dense metric leaves behind each point."""
    qa, pa, va = floats_at(a, n), floats_at(a + 8 * n, n), floats_at(a + 24 * n, n)
    qb, pb, vb = floats_at(b, n), floats_at(b + 8 * n, n), floats_at(b + 24 * n, n)
    at_a, at_b = 0.0, 0.0
    for i in range(n):
        way = qb[i] - qa[i] + reach * (va[i] + vb[i])
        at_a += way * pa[i]
        at_b += way * pb[i]
    return not min(reach * at_a, reach * at_b) > 0.0


@kernel
def _extend(chain: Record, metric: Record, tree: Record, edge: int, sign: float, depth: int) -> int:
    """Build the 2**depth points that follow `edge`; the ends end up in ``firsts[depth]`` and ``lasts[depth]``."""
    n = chain.n
    uses, indices = ints_at(tree.uses, tree.slots), ints_at(tree.indices, tree.slots)
    logps, energies = floats_at(tree.logps, tree.slots), floats_at(tree.energies, tree.slots)
    firsts, lasts = ints_at(tree.firsts, depth + 1), ints_at(tree.lasts, depth + 1)
    reach = 0.5 * sign * tree.step_size
    tree.weight = 0.0
    candidate = -1
    current = edge
    for leaf in range(1 << depth):
        if load_acquire(chain.stop) != 0:
            return STOPPED
        target = _free_slot(tree)
        logp, kinetic = integrators.step(
            chain, metric, tree.integrator, sign * tree.step_size, point(tree, n, current), point(tree, n, target)
        )
        indices[target] = indices[current] + (1 if sign > 0.0 else -1)
        if leaf > 0:
            uses[current] -= 1
        current = target  # its one use is being current
        error = kinetic - logp - tree.start_energy
        tree.n_steps += 1
        chain.gradients += tree.integrator + 1
        logps[current] = logp
        energies[current] = kinetic - logp
        if abs(error) > abs(tree.max_energy_error):
            tree.max_energy_error = error
        # Only a rise diverges, and what is no number: a fall is how a chain that starts far out finds its way in.
        if not -np.inf < error < tree.energy_limit:
            tree.candidate = current
            return DIVERGING
        weight = math.exp(min(-error, _LARGEST_EXPONENT))
        accept = min(1.0, weight)
        tree.accept_sum += accept
        if tree.symmetric != 0:
            tree.symmetric_sum += 2.0 * accept / (1.0 + weight)
        # Uniform progressive sampling within the subtree: each point is the candidate with its share of the weight.
        tree.weight += weight
        if candidate < 0 or uniform(chain.words) * tree.weight < weight:
            if candidate >= 0:
                uses[candidate] -= 1
            candidate = current
            uses[candidate] += 1
            tree.candidate = candidate
        # Join with every subtree of equal size that waits, as the bits of the leaf's number tell.
        first, level = current, 0
        uses[first] += 1
        while (leaf >> level) & 1:
            first_a, last_a = point(tree, n, firsts[level]), point(tree, n, lasts[level])
            if _turns(n, metric, reach, first_a, last_a, point(tree, n, first), point(tree, n, current)):
                return TURNING
            uses[lasts[level]] -= 1
            uses[first] -= 1
            first = firsts[level]
            level += 1
        firsts[level] = first
        lasts[level] = current
        uses[current] += 1
    uses[current] -= 1
    return COMPLETE


@kernel
def transition(chain: Record, metric: Record, tree: Record, max_depth: int) -> int:
    """Draw a new point of the chain.

    Parameters
    ----------
    chain : Chain record
        Not changed but for its count of gradients and its random stream.
    metric : Metric record
    tree : Tree record
        Receives the outcome.
    max_depth : int
        Doublings at most.

    Returns
    -------
    slot : int
        Where the new point is; -1 if the chain was asked to stop.
    """
    n = chain.n
    uses, indices = ints_at(tree.uses, tree.slots), ints_at(tree.indices, tree.slots)
    logps, energies = floats_at(tree.logps, tree.slots), floats_at(tree.energies, tree.slots)
    for slot in range(tree.slots):
        uses[slot] = 0
    left = right = proposal = 0
    uses[0] = 3
    start = point(tree, n, 0)
    copy(chain.position, start, n)
    copy(chain.grad, start + 16 * n, n)
    kinetic = draw_momentum(metric, chain.words, start + 8 * n)
    if metric.dense != 0:
        velocity(metric, start + 8 * n, start + 24 * n)
    indices[0] = 0
    logps[0] = chain.logp
    energies[0] = kinetic - chain.logp
    tree.start_energy = energies[0]
    tree.accept_sum = 0.0
    tree.symmetric_sum = 0.0
    tree.max_energy_error = 0.0
    tree.n_steps = 0
    tree.depth = 0
    tree.diverging = 0
    tree.unfinished = 1
    weight = 1.0
    while tree.depth < max_depth:
        forward = uniform(chain.words) < 0.5
        sign = 1.0 if forward else -1.0
        depth = tree.depth
        outcome = _extend(chain, metric, tree, right if forward else left, sign, depth)
        if outcome == STOPPED:
            return -1
        tree.depth += 1
        if outcome != COMPLETE:
            tree.diverging = 1 if outcome == DIVERGING else 0
            tree.unfinished = 0
            break
        first, last = ints_at(tree.firsts, depth + 1)[depth], ints_at(tree.lasts, depth + 1)[depth]
        # Biased progressive sampling at the top: the newer half is preferred.
        if uniform(chain.words) * weight < tree.weight:
            uses[proposal] -= 1
            proposal = tree.candidate
        else:
            uses[tree.candidate] -= 1
        weight += tree.weight
        far, near = (left, right) if forward else (right, left)
        turning = _turns(
            n, metric, 0.5 * sign * tree.step_size,
            point(tree, n, far), point(tree, n, near), point(tree, n, first), point(tree, n, last),
        )  # fmt: skip
        uses[near] -= 1
        uses[first] -= 1
        if forward:
            right = last
        else:
            left = last
        if turning:
            tree.unfinished = 0
            break
    return proposal


@kernel
def copy(source: int, target: int, count: int) -> None:
    """Copy `count` float64 from one address to another."""
    values, copies = floats_at(source, count), floats_at(target, count)
    for i in range(count):
        copies[i] = values[i]
