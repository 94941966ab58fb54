"""What an ensemble learns together after each draw of warm-up: step size, length of the trajectories, metric.

Four phases, see `nbinfer.engine.team`: sums over blocks of chains, their means, sums of what these are needed for, and
what is learnt of it. Blocks are of one size and added up in order, so that nothing depends on the number of workers.

The criterion of the length is ChEES, the change in the estimator of the expected square [1]_: with starts q, ends q'
and momenta p' there, and means over all chains marked by a bar, its slope along the logarithm of the length is

    t · mean of a · (‖q' - q̄'‖² - ‖q - q̄‖²) · (q' - q̄')·p',

where t is the length of this path, a its probability of acceptance, by which means are weighted, and norms are those of
the inverse metric. The product with p' needs none: a momentum is a slope along positions. Adam [2]_ climbs along it.
Where paths go round, the criterion has a maximum in each turn, and Adam may end in any. The criterion per length has
its greatest in the first: its slope has ¼ (‖q' - q̄'‖² - ‖q - q̄‖²)² less.

References
----------
.. [1] M. D. Hoffman, A. Radul and P. Sountsov, "An adaptive-MCMC scheme for setting trajectory lengths in Hamiltonian
   Monte Carlo", AISTATS (2021).
.. [2] D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR (2015).
"""

from __future__ import annotations

import math

from nbinfer.compile import Record, entry, floats_at, kernel, record_at
from nbinfer.engine.job import Status
from nbinfer.engine.team import block_of, members_of
from nbinfer.engine.vectors import add
from nbinfer.mcmc.adaptation import step_size as step_sizes
from nbinfer.mcmc.adaptation.step_size import DualAveraging
from nbinfer.mcmc.ensemble.state import Ensemble

_KEEPS = 0.95  # what a running mean of squared slopes keeps (beta 2 of Adam; there is no momentum)
_MOST_CHANGE = 0.35  # of the logarithm of the length
_FORGETS = 0.5  # the weight of update k in an average is k**-_FORGETS
_LEAST_VARIANCE = 1e-20
_LEAST_ACCEPT = 0.01  # in a harmonic mean: no chain counts for more than a hundred others

_OK = int(Status.OK)


@kernel
def momentum_at(point: int, n: int) -> int:
    """Return the address of the momentum there."""
    return point + 8 * n


@kernel
def grad_at(point: int, n: int) -> int:
    """Return the address of the gradient there."""
    return point + 16 * n


@kernel
def origin_of(point: int, n: int) -> int:
    """Return the address of the position where the path began."""
    return point + 24 * n


@kernel
def _clear(address: int, count: int) -> None:
    values = floats_at(address, count)
    for i in range(count):
        values[i] = 0.0


@entry("int64(intp, int64, int64)")
def total(context: int, row: int, piece: int) -> int:
    """Add up the starts and the ends of a block of chains; what diverged has no end."""
    block, members = block_of(context), members_of(context)
    count = len(members)
    first = record_at(members[row * block], Ensemble)
    if first.tuning == 0:
        return _OK
    n = first.n
    _clear(first.sums, 2 * n)
    first.weight = first.inverse_accept = first.whole = 0.0
    for k in range(row * block, min((row + 1) * block, count)):
        own = record_at(members[k], Ensemble)
        add(n, 1.0, origin_of(own.point, n), first.sums)
        if own.diverging == 0:
            add(n, own.accept, own.point, first.sums + 8 * n)
            first.weight += own.accept
            first.inverse_accept += 1.0 / max(own.accept, _LEAST_ACCEPT)
            first.whole += 1.0
    return _OK


@entry("int64(intp, int64, int64)")
def centre(context: int, row: int, piece: int) -> int:
    """Make means of the sums; the leader keeps them."""
    block, members = block_of(context), members_of(context)
    count = len(members)
    leader = record_at(members[0], Ensemble)
    if leader.tuning == 0:
        return _OK
    n = leader.n
    for k in range(block, count, block):
        own = record_at(members[k], Ensemble)
        add(2 * n, 1.0, own.sums, leader.sums)
        leader.weight += own.weight
        leader.inverse_accept += own.inverse_accept
        leader.whole += own.whole
    means = floats_at(leader.sums, 2 * n)
    for i in range(n):
        means[i] /= count
    for i in range(n, 2 * n):
        means[i] /= max(leader.weight, _LEAST_VARIANCE)
    return _OK


@kernel(reassociate=True)
def _slope(n: int, point: int, means_address: int, scale_address: int, path: float, own_share: float) -> float:
    """Return the slope of the criterion along the logarithm of the length of one path."""
    end, momentum = floats_at(point, n), floats_at(momentum_at(point, n), n)
    origin, means = floats_at(origin_of(point, n), n), floats_at(means_address, 2 * n)
    scale = floats_at(scale_address, n)
    change, along = 0.0, 0.0
    for i in range(n):
        now, before = end[i] - means[n + i], origin[i] - means[i]
        change += (now * now - before * before) / (scale[i] * scale[i])
        along += now * momentum[i]
    return change * (path * along - own_share * change)


@kernel
def _add_squares(n: int, origin_address: int, means_address: int, squares_address: int) -> None:
    origin, means, squares = floats_at(origin_address, n), floats_at(means_address, n), floats_at(squares_address, n)
    for i in range(n):
        away = origin[i] - means[i]
        squares[i] += away * away


@entry("int64(intp, int64, int64)")
def measure(context: int, row: int, piece: int) -> int:
    """Add up over a block of chains what needs the means: the slope of the criterion, squares of the starts."""
    block, members = block_of(context), members_of(context)
    count = len(members)
    leader, first = record_at(members[0], Ensemble), record_at(members[row * block], Ensemble)
    if leader.tuning == 0:
        return _OK
    n, own_share = leader.n, 0.25 if leader.by_rate != 0 else 0.0
    squares = first.sums + 16 * n
    _clear(squares, n)
    first.slope = 0.0
    for k in range(row * block, min((row + 1) * block, count)):
        own = record_at(members[k], Ensemble)
        _add_squares(n, origin_of(own.point, n), leader.sums, squares)
        if own.diverging == 0:
            slope = own.accept * _slope(n, own.point, leader.sums, leader.scale, own.path, own_share)
            first.slope += slope if math.isfinite(slope) else 0.0
    return _OK


@entry("int64(intp, int64, int64)")
def learn(context: int, row: int, piece: int) -> int:
    """Learn from a draw of all chains."""
    block, members = block_of(context), members_of(context)
    count = len(members)
    leader = record_at(members[0], Ensemble)
    if leader.tuning == 0:
        return _OK
    n = leader.n
    for k in range(block, count, block):
        own = record_at(members[k], Ensemble)
        add(n, 1.0, own.sums + 16 * n, leader.sums + 16 * n)
        leader.slope += own.slope
    leader.count += 1.0
    if leader.adapts_step_size != 0:
        accept = leader.weight / count
        if leader.harmonic != 0 and leader.whole > 0.0:  # what diverges would make it 0
            accept = leader.whole / leader.inverse_accept * leader.whole / count
        step_sizes.learn(record_at(leader.averaging, DualAveraging), accept)
    if leader.adapts_length != 0 and leader.weight > 0.0:
        _learn_length(leader, leader.slope / leader.weight)
    if leader.adapts_metric != 0:
        _learn_metric(leader, count)
    return _OK


@kernel
def _learn_length(leader: Record, slope: float) -> None:
    """Climb the criterion by a step of Adam on the logarithm of the length."""
    if not math.isfinite(slope * slope):
        return
    leader.slope_square += (1.0 - _KEEPS) * (slope * slope - leader.slope_square)
    typical = math.sqrt(leader.slope_square / (1.0 - _KEEPS**leader.count))
    change = leader.rate * slope / typical if typical > 0.0 else 0.0
    size = step_sizes.step_size(record_at(leader.averaging, DualAveraging), True)
    log_length = math.log(leader.length) + min(max(change, -_MOST_CHANGE), _MOST_CHANGE)
    log_length = min(max(log_length, math.log(size)), math.log(size * leader.max_steps))
    leader.length = math.exp(log_length)
    leader.log_length_bar += leader.count**-_FORGETS * (log_length - leader.log_length_bar)


@kernel
def _learn_metric(leader: Record, count: int) -> None:
    """Average the variances among the chains, the latest most."""
    n, weight = leader.n, leader.count**-_FORGETS
    scale, squares = floats_at(leader.scale, n), floats_at(leader.sums + 16 * n, n)
    for i in range(n):
        variance = squares[i] / (count - 1)
        if _LEAST_VARIANCE < variance < math.inf:
            scale[i] = math.sqrt(scale[i] * scale[i] + weight * (variance - scale[i] * scale[i]))
