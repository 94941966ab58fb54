"""Whether a trajectory turns back.

A span of the trajectory turns if the momentum at one of its ends points back along the way w between them, w·p ≤ 0,
where w leads from half a step before the one end to half a step beyond the other: up to the square of the step that is
the step times the sum of the velocities over the span, the criterion of [1]_, without a sum to keep. It is invariant
under any linear change of coordinates, since momenta transform like gradients. When two neighbouring spans join, three
spans are tested [2]_: the whole, and each half with the point next to it in the other half; the last two catch
trajectories that turn exactly between the halves.

References
----------
.. [1] M. Betancourt, "A conceptual introduction to Hamiltonian Monte Carlo", arXiv:1701.02434, appendix A.
.. [2] Stan, pull request 2800, "Additional U-turn checks" (2019).
"""

from __future__ import annotations

from nbinfer.compile import Record, floats_at, kernel
from nbinfer.mcmc.hamiltonian.phase import momentum_of, velocity_of
from nbinfer.mcmc.metric.kernel import DIAGONAL


@kernel
def joining_turns(n: int, metric: Record, reach: float, first_a: int, last_a: int, first_b: int, last_b: int) -> bool:
    """Tell whether joining span a and span b, which follows it, makes a turn.

    Parameters
    ----------
    n : int
        Dimension.
    metric : Metric record
    reach : float
        Half a step; negative where spans are built back in time.
    first_a, last_a, first_b, last_b : int
        Addresses of the phase points at the ends, in building order.
    """
    single = first_a == last_a and first_b == last_b
    if metric.dense != DIAGONAL:
        turning = _dense_span_turns(n, reach, first_a, last_b)
        if not (turning or single):
            turning = _dense_span_turns(n, reach, first_a, first_b)
            turning = turning or _dense_span_turns(n, reach, last_a, last_b)
        return turning
    if single:
        return _pair_turns(n, metric.inv_mass, reach, first_a, last_b)
    return _span_turns(n, metric.inv_mass, reach, first_a, last_a, first_b, last_b)


@kernel(reassociate=True)
def _pair_turns(n: int, inv_mass_address: int, reach: float, a: int, b: int) -> bool:
    inv_mass = floats_at(inv_mass_address, n)
    qa, pa, qb, pb = floats_at(a, n), floats_at(momentum_of(a, n), n), floats_at(b, n), floats_at(momentum_of(b, n), n)
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
    qa, pa = floats_at(first_a, n), floats_at(momentum_of(first_a, n), n)
    ra, sa = floats_at(last_a, n), floats_at(momentum_of(last_a, n), n)
    qb, pb = floats_at(first_b, n), floats_at(momentum_of(first_b, n), n)
    rb, sb = floats_at(last_b, n), floats_at(momentum_of(last_b, n), n)
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
    qa, pa, va = floats_at(a, n), floats_at(momentum_of(a, n), n), floats_at(velocity_of(a, n), n)
    qb, pb, vb = floats_at(b, n), floats_at(momentum_of(b, n), n), floats_at(velocity_of(b, n), n)
    at_a, at_b = 0.0, 0.0
    for i in range(n):
        way = qb[i] - qa[i] + reach * (va[i] + vb[i])
        at_a += way * pa[i]
        at_b += way * pb[i]
    return not min(reach * at_a, reach * at_b) > 0.0
