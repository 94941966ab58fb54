"""How well a model predicts: an estimate of the expected log predictive density, with what it is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.diagnostics.pointwise import Floats

#: Above, an observation's effective number of parameters is too large for WAIC (section 2.2 of Vehtari et al. 2017).
LARGEST_P = 0.4


@dataclass(frozen=True, repr=False, eq=False)
class ELPD:
    """Expected log pointwise predictive density of new data, estimated from the data at hand.

    Attributes
    ----------
    kind : str
        "loo" or "waic": how it was estimated.
    name : str
        The observed variable; several are joined by " + ".
    elpd, se : float
        The estimate, in nats; the larger the better. Its standard error; NaN for one observation.
    p : float
        Effective number of parameters.
    n, n_draws : int
        Numbers of observations, and of draws of all chains.
    pointwise, p_pointwise : ndarray, shape (*shape)
        What each observation contributes to `elpd` and to `p`; the shape is that of the observed variable.
    pareto_k : ndarray, shape (*shape), or None
        Shape of the tail of each observation's weights, for "loo". -inf: all draws have the same weight. NaN: no
        verdict.
    good_k : float
        Up to here an estimate is good: ``min(1 - 1 / log10(n_draws), 0.7)``. NaN for "waic".
    observed : ndarray, shape (*shape), or None
        The observed values, if they are known.

    Examples
    --------
    >>> import numpy as np, nbinfer as nb
    >>> rng = np.random.default_rng(1)
    >>> mu = rng.normal(0.0, 0.3, (4, 1000, 1))
    >>> y = rng.normal(0.0, 1.0, 10)
    >>> nb.loo({"y": -0.5 * (y - mu) ** 2 - 0.5 * np.log(2 * np.pi)})
    LOO of y: 10 observations, 4000 draws
    <BLANKLINE>
              estimate    SE
    elpd_loo    -17.89  3.13
    p_loo         1.41
    <BLANKLINE>
    Pareto k of every observation is good: at most 0.31, and the limit is 0.70.
    """

    kind: str
    name: str
    pointwise: Floats
    p_pointwise: Floats
    n_draws: int
    pareto_k: Floats | None = None
    observed: NDArray[Any] | None = None

    @property
    def elpd(self) -> float:
        """The estimate."""
        return float(self.pointwise.sum())

    @property
    def se(self) -> float:
        """Its standard error."""
        return standard_error(self.pointwise)

    @property
    def p(self) -> float:
        """Effective number of parameters."""
        return float(self.p_pointwise.sum())

    @property
    def n(self) -> int:
        """Number of observations."""
        return self.pointwise.size

    @property
    def good_k(self) -> float:
        """Up to which k an estimate is good (section 3.2.4 of Vehtari et al. 2024)."""
        if self.pareto_k is None:
            return math.nan
        return min(1.0 - 1.0 / math.log10(self.n_draws), 0.7) if self.n_draws > 1 else 0.7

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Whether an observation's estimate is not to be trusted, shape (*shape).

        For "loo" where k is above `good_k` or there is no verdict, for "waic" where `p_pointwise` is above 0.4.
        """
        if self.pareto_k is None:
            return self.p_pointwise > LARGEST_P
        return ~(self.pareto_k <= self.good_k)

    @property
    def n_bad(self) -> int:
        """How many estimates of single observations are not to be trusted."""
        return int(self.bad.sum())

    @property
    def problem(self) -> str:
        """What is wrong with the estimate, and what helps; '' if nothing is."""
        if not self.n_bad:
            return ""
        share = f"{self.n_bad} of {self.n} observations of {self.name}"
        if self.pareto_k is None:
            return f"p_waic is above {LARGEST_P} for {share}: WAIC is unreliable there. Use nbinfer.loo."
        unknown = ", or cannot be estimated," if np.isnan(self.pareto_k).any() else ""
        return (
            f"Pareto k is above {self.good_k:.2f}{unknown} for {share}: LOO is unreliable there, and likely too good. "
            "Draw more, look at these observations (pareto_k), or take a model that expects outliers."
        )

    def __repr__(self) -> str:
        rows = [("elpd", f"{self.elpd:.2f}", f"{self.se:.2f}"), ("p", f"{self.p:.2f}", "")]
        width = len(f"elpd_{self.kind}")
        before, after = max(len("estimate"), *(len(value) for _, value, _ in rows)), max(len(rows[0][2]), 2)
        lines = [f"{self.kind.upper()} of {self.name}: {self.n} observations, {self.n_draws} draws", ""]
        lines.append(f"{'':{width}}  {'estimate':>{before}}  {'SE':>{after}}")
        for name, value, error in rows:
            lines.append(f"{f'{name}_{self.kind}':{width}}  {value:>{before}}  {error:>{after}}".rstrip())
        return "\n".join([*lines, "", *self._verdict()])

    def _verdict(self) -> list[str]:
        if self.pareto_k is None:
            return [self.problem or f"p_waic of every observation is at most {LARGEST_P}."]
        if not self.n_bad:
            largest = f"{self.pareto_k.max(initial=-np.inf):.2f}"
            return [f"Pareto k of every observation is good: at most {largest}, and the limit is {self.good_k:.2f}."]
        k, limit = self.pareto_k, f"{self.good_k:.2f}"
        counts = {
            f"good      (-inf, {limit}]": k <= self.good_k,
            f"bad       ({limit}, 1]": (k > self.good_k) & (k <= 1.0),
            "very bad  (1, inf)": k > 1.0,
            "unknown": np.isnan(k),
        }
        width = len(str(self.n))
        table = [f"{name:22}  {w.sum():{width}}  {100 * w.mean():5.1f} %" for name, w in counts.items() if w.any()]
        return ["Pareto k", *table]


def standard_error(pointwise: Floats) -> float:
    """Return the standard error of a sum over observations."""
    return math.sqrt(pointwise.size * float(pointwise.var())) if pointwise.size > 1 else math.nan
