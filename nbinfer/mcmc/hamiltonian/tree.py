"""The trajectory of NUTS: a tree grown by doubling, without recursion.

The trajectory doubles until it turns, diverges or is as deep as it may be. Its next half is a subtree that grows point
by point. Each point is a leaf, one step on from the last; it may be chosen as the candidate; it is joined with the
subtrees of equal size that wait for it, which is where a turn shows. The two halves then do the same once more.

Phase points live in a pool of slots. A point is written once, by the step that reaches it, and is known by its slot
ever after: as an end of the tree, as an end of a subtree that waits for its sibling, as the proposal. Counts of uses
tell which slots are free.

Hoffman & Gelman (2014) is the tree; Betancourt (2017), appendix A, is how the draw is chosen. What a turn is, says
`nbinfer.mcmc.hamiltonian.turning`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import Record, floats_at, ints_at, kernel, load_acquire
from nbinfer.engine.state import State, floats, integers
from nbinfer.mcmc.hamiltonian import integrators
from nbinfer.mcmc.hamiltonian.phase import FIELDS, from_chain, momentum_of, point_at
from nbinfer.mcmc.hamiltonian.turning import joining_turns
from nbinfer.mcmc.metric.kernel import draw_momentum
from nbinfer.random import uniform


def slots_needed(max_treedepth: int) -> int:
    """Return how many points are alive at once: two per level, the tree's ends and proposal, the point under way."""
    return 2 * (max_treedepth + 1) + 6


def _per_slot(step: Any, site: Any) -> int:
    return slots_needed(step.max_treedepth)


def _per_level(step: Any, site: Any) -> int:
    return int(step.max_treedepth) + 1


#: One transition: settings, work space, the trajectory as far as it has grown, and what came of it.
TREE = State(
    fields={
        "integrator": "i8",
        "step_size": "f8",
        "energy_limit": "f8",  # Emax
        "symmetric": "i8",  # whether the symmetric acceptance statistic is wanted
        "slots": "i8",  # number of slots
        # The trajectory.
        "start_energy": "f8",
        "left": "i8",  # slot of the end that going back in time has reached
        "right": "i8",  # slot of the other end
        "proposal": "i8",  # slot of the point that will be the draw
        "weight": "f8",  # of the trajectory, relative to the starting point's
        # Its next half, a subtree of 2**depth points that is being built.
        "direction": "i8",  # 1: on from the right end, -1: back from the left
        "candidate": "i8",  # slot of its proposal; -1 before it has one
        "subtree_weight": "f8",  # of its points so far
        # The outcome.
        "accept_sum": "f8",  # acceptance probabilities, summed over the points
        "symmetric_sum": "f8",  # 2 min(1, a) / (1 + a), likewise, if `symmetric`
        "max_energy_error": "f8",  # of largest absolute value, signed
        "n_steps": "i8",
        "depth": "i8",
        "diverging": "i8",
        "unfinished": "i8",  # the trajectory would have gone on but for the limit on its depth
    },
    work={
        "points": floats(lambda step, site: FIELDS * site.n * _per_slot(step, site)),  # the slots
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

#: How growing ends. A half that turns, diverges or is stopped is left as it is, and no point of it can be the draw.
COMPLETE, TURNING, DIVERGING, STOPPED = 0, 1, 2, 3

_NOBODY = -1


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
    _plant(chain, metric, tree)
    outcome = COMPLETE
    while outcome == COMPLETE and tree.depth < max_depth:
        outcome = _double(chain, metric, tree)
    tree.diverging = outcome == DIVERGING
    tree.unfinished = outcome == COMPLETE
    return _NOBODY if outcome == STOPPED else tree.proposal


# What is called in one place is pasted there: calls would add 8 % to the instructions of a step in ten dimensions.


@kernel(inline=True)
def _plant(chain: Record, metric: Record, tree: Record) -> None:
    """Begin a trajectory of one point, where the chain is, with a new momentum."""
    n, start = chain.n, point(tree, chain.n, 0)
    from_chain(chain, start)
    kinetic = draw_momentum(metric, chain.words, momentum_of(start, n))
    integrators.prepare(n, metric, start)
    uses = ints_at(tree.uses, tree.slots)
    for slot in range(tree.slots):
        uses[slot] = 0
    uses[0] = 3
    tree.left = tree.right = tree.proposal = 0
    ints_at(tree.indices, tree.slots)[0] = 0
    floats_at(tree.logps, tree.slots)[0] = chain.logp
    floats_at(tree.energies, tree.slots)[0] = tree.start_energy = kinetic - chain.logp
    tree.weight = 1.0
    tree.accept_sum = tree.symmetric_sum = tree.max_energy_error = 0.0
    tree.n_steps = tree.depth = 0


@kernel(inline=True)
def _double(chain: Record, metric: Record, tree: Record) -> int:
    """Let the trajectory grow to twice its length in a random direction."""
    forward = uniform(chain.words) < 0.5
    tree.direction = 1 if forward else -1
    far, near = (tree.left, tree.right) if forward else (tree.right, tree.left)
    level = tree.depth
    outcome = _extend(chain, metric, tree, near)
    tree.depth += 1
    if outcome != COMPLETE:
        return outcome
    _prefer(chain, tree)
    first, last = ints_at(tree.firsts, level + 1)[level], ints_at(tree.lasts, level + 1)[level]
    turning = _turns(chain.n, metric, tree, far, near, first, last)
    _release(tree, near)
    _release(tree, first)
    if forward:
        tree.right = last
    else:
        tree.left = last
    return TURNING if turning else COMPLETE


@kernel
def _extend(chain: Record, metric: Record, tree: Record, edge: int) -> int:
    """Build the 2**depth points that follow `edge`; the ends end up in ``firsts[depth]`` and ``lasts[depth]``."""
    tree.candidate, tree.subtree_weight = _NOBODY, 0.0
    for number in range(1 << tree.depth):
        if load_acquire(chain.stop) != 0:
            return STOPPED
        edge, error = _leaf(chain, metric, tree, edge)
        if _diverges(tree, error):
            return DIVERGING
        _choose(chain, tree, edge, error)
        if _join(chain.n, metric, tree, number, edge) == TURNING:
            return TURNING
    return COMPLETE


@kernel(inline=True)
def _leaf(chain: Record, metric: Record, tree: Record, edge: int) -> tuple[int, float]:
    """Take a step from the point at the edge of the tree; return the slot that it leads to, and the energy error."""
    n, slot = chain.n, _free_slot(tree)
    origin, target = point(tree, n, edge), point(tree, n, slot)
    logp, kinetic = integrators.step(chain, metric, tree.integrator, tree.direction * tree.step_size, origin, target)
    indices = ints_at(tree.indices, tree.slots)
    indices[slot] = indices[edge] + tree.direction
    floats_at(tree.logps, tree.slots)[slot] = logp
    floats_at(tree.energies, tree.slots)[slot] = kinetic - logp
    tree.n_steps += 1
    chain.gradients += tree.integrator + 1
    error = kinetic - logp - tree.start_energy
    if abs(error) > abs(tree.max_energy_error):
        tree.max_energy_error = error
    return slot, error


@kernel
def _diverges(tree: Record, error: float) -> bool:
    """Tell whether a point's energy is too far above the start's.

    Only a rise diverges, and what is no number: a fall is how a chain that starts far out finds its way in.
    """
    return not -np.inf < error < tree.energy_limit


@kernel(inline=True)
def _choose(chain: Record, tree: Record, slot: int, error: float) -> None:
    """Let the newest point be the candidate with its share of the weight: uniform progressive sampling."""
    weight = math.exp(min(-error, _LARGEST_EXPONENT))
    accept = min(1.0, weight)
    tree.accept_sum += accept
    if tree.symmetric != 0:
        tree.symmetric_sum += 2.0 * accept / (1.0 + weight)
    tree.subtree_weight += weight
    if tree.candidate == _NOBODY or uniform(chain.words) * tree.subtree_weight < weight:
        if tree.candidate != _NOBODY:
            _release(tree, tree.candidate)
        _hold(tree, slot)
        tree.candidate = slot


@kernel(inline=True)
def _join(n: int, metric: Record, tree: Record, number: int, slot: int) -> int:
    """Join the newest point with each subtree of equal size that waits, as the bits of the point's number tell."""
    firsts, lasts = ints_at(tree.firsts, tree.depth + 1), ints_at(tree.lasts, tree.depth + 1)
    first, level = slot, 0
    _hold(tree, first)
    while (number >> level) & 1:
        if _turns(n, metric, tree, firsts[level], lasts[level], first, slot):
            return TURNING
        _release(tree, lasts[level])
        _release(tree, first)
        first = firsts[level]
        level += 1
    firsts[level], lasts[level] = first, slot
    _hold(tree, slot)
    return COMPLETE


@kernel(inline=True)
def _prefer(chain: Record, tree: Record) -> None:
    """Choose between the halves: biased progressive sampling, which prefers the newer one."""
    if uniform(chain.words) * tree.weight < tree.subtree_weight:
        _release(tree, tree.proposal)
        tree.proposal = tree.candidate
    else:
        _release(tree, tree.candidate)
    tree.weight += tree.subtree_weight


@kernel
def _turns(n: int, metric: Record, tree: Record, first_a: int, last_a: int, first_b: int, last_b: int) -> bool:
    """Tell whether joining span a and span b, which follows it, makes a turn; slots of the ends in building order."""
    reach = 0.5 * (tree.direction * tree.step_size)
    first, middle = point(tree, n, first_a), point(tree, n, last_a)
    return joining_turns(n, metric, reach, first, middle, point(tree, n, first_b), point(tree, n, last_b))


@kernel
def point(tree: Record, n: int, slot: int) -> int:
    """Return the address of a phase point."""
    return point_at(tree.points, n, slot)


@kernel
def _free_slot(tree: Record) -> int:
    """Return a slot that nobody uses."""
    uses = ints_at(tree.uses, tree.slots)
    slot = 0
    while uses[slot] != 0:
        slot += 1
    return slot


@kernel
def _hold(tree: Record, slot: int) -> None:
    ints_at(tree.uses, tree.slots)[slot] += 1


@kernel
def _release(tree: Record, slot: int) -> None:
    ints_at(tree.uses, tree.slots)[slot] -= 1
