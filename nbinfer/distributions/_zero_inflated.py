"""What zero-inflated families share."""

from __future__ import annotations

from typing import Any

from nbinfer.distributions._function import density
from nbinfer.vectormath import exp, log, select, where_valid


@density
def inflated(k: Any, psi: Any, logp: Any, valid: Any) -> Any:
    r"""Log probability of k if a number comes with probability psi from a family that gives `logp` to k, and is else 0.

    The logarithm of :math:`1 - \psi + \psi e^{\log p}` for 0, and of :math:`\psi e^{\log p}` for other numbers. `valid`
    tells whether the parameters of that family are: `logp` may be ``-inf`` at 0 all the same.
    """
    # Where all come from the family nothing is added to an exponential that may underflow.
    zero = (k == 0) & ((psi < 1.0) | (logp > -700.0))
    weight = log(select(zero, 1.0 - psi + psi * exp(logp), psi))
    return where_valid(valid & (psi >= 0.0) & (psi <= 1.0), weight + select(zero, 0.0, logp))


@density
def cumulated(k: Any, psi: Any, logcdf: Any, valid: Any) -> Any:
    """Log of the probability of values up to k, `logcdf` being that of the family."""
    return where_valid(k >= 0, inflated(0, psi, logcdf, valid))


@density
def exceeded(k: Any, psi: Any, logsf: Any, valid: Any) -> Any:
    """Log of the probability of values beyond k, `logsf` being that of the family."""
    inside = k >= 0
    logp = select(inside, log(select(inside, psi, 1.0)) + logsf, 0.0)
    return where_valid((k == k) & valid & (psi >= 0.0) & (psi <= 1.0), logp)
