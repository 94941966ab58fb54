"""What the draws of all quantities say: whether they are finite, R-hat, effective sample sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nbinfer.diagnostics.measure import MIN_DRAWS
from nbinfer.diagnostics.problem import Kind, Problem, of, round_down, sentence
from nbinfer.diagnostics.quantities import MANY, Measured, Run
from nbinfer.diagnostics.rhat import largest_rhat

RHAT_LIMIT = 1.01
ESS_PER_CHAIN = 100
#: With more chains than `MANY`, the effective sample size is enough when it is enough for so many, and short chains are
#: no trouble by themselves: R-hat of chains in equilibrium, of n draws each and an autocorrelation time of t, is about
#: sqrt(1 + 2 (t - 1) / n), however many there are [1]_. A time of 6 passes. Of superchains the draws of all members
#: count.
#:
#: .. [1] D. Vats and C. Knudson, "Revisiting the Gelman-Rubin diagnostic", Statistical Science 36, 518 (2021).
_SLACK = 10.0
_WORST = 3


def _up(rhat: Any) -> Any:
    """Round R-hat up to three digits, so that what is above a limit reads as above it."""
    return np.ceil(1000 * rhat - 1e-9) / 1000


class Least(NamedTuple):
    """How much all quantities of a run are known by.

    Attributes
    ----------
    ess : float
        The smallest effective sample size, bulk or tail; NaN if no quantity varies.
    whose : str
        Of what it is: ``"tail of tau"``.
    rhat : float
        The largest R-hat; NaN of one chain.
    agree : bool
        Whether that is no problem.
    """

    ess: float
    whose: str
    rhat: float
    agree: bool


class Quantities:
    """What was measured about all quantities together.

    Parameters
    ----------
    run : Run
    measured : dict of str to Measured
    """

    def __init__(self, run: Run, measured: dict[str, Measured]) -> None:
        records = [m.records.reshape(-1) for m in measured.values()]
        self._run, self._names = run, list(measured)
        self._chains, self._draws = len(run.used), run.draws
        self._records = np.concatenate(records) if records else np.zeros(0, float)
        self._varies = np.zeros(0, bool)
        if records:
            # What is constant has no R-hat and no ESS; `Movement` looks at it. What varies must have both.
            self._varies = (self._records["finite"] == 1.0) & (self._records["sd"] != 0.0)

    def _worst(self, values: np.ndarray, form: str) -> str:
        """Name the quantities of the largest values, or of the smallest if they come with a minus sign."""
        names = [label for name in self._names for label in self._run.labels(name)]
        worst = np.argsort(-values, kind="stable")[:_WORST]
        return ", ".join(f"{names[i]} {format(abs(values[i]), form)}" for i in worst if not np.isnan(values[i]))

    def _rhat(self) -> np.ndarray:
        """Return the R-hat of each quantity; one that cannot be computed is the largest of all."""
        rhat = largest_rhat(self._records)
        rhat[self._varies & np.isnan(rhat)] = np.inf
        return rhat

    @property
    def _rhat_limit(self) -> float:
        """How large an R-hat is no problem."""
        if self._chains <= MANY:
            return RHAT_LIMIT
        members = self._chains // self._run.superchains if self._run.superchains > 1 else 1
        return max(RHAT_LIMIT, math.sqrt(1.0 + _SLACK / (members * max(self._draws, 1))))

    def _ess(self, kind: str) -> np.ndarray:
        """Return the effective sample size of each quantity; one that cannot be computed counts as none."""
        ess = np.array(self._records[f"ess_{kind}"])
        if kind == "bulk":  # few distinct values may have no tail
            ess[self._varies & np.isnan(ess)] = 0.0
        return ess

    def least(self) -> Least:
        """Return how much all of them are known by; what is constant or not finite is left out."""
        if not self._varies.any():
            return Least(math.nan, "", math.nan, False)
        names = [label for name in self._names for label in self._run.labels(name)]
        ess = {kind: np.where(self._varies, self._ess(kind), np.nan) for kind in ("bulk", "tail")}
        kind = min(ess, key=lambda kind: np.nanmin(ess[kind], initial=np.inf))
        which = int(np.nanargmin(ess[kind]))
        rhat = float(np.max(self._rhat()[self._varies])) if self._chains > 1 else math.nan
        return Least(
            float(ess[kind][which]), f"{kind} of {names[which]}", rhat, math.isnan(rhat) or rhat <= self._rhat_limit
        )

    def not_finite(self) -> Problem | None:
        """Look for draws that are infinite or NaN."""
        if not self._varies.size:
            return None
        share = 1.0 - self._records["finite"]
        count = int((share > 0).sum())
        if not count:
            return None
        worst = self._worst(np.where(share > 0, 100 * share, np.nan), ".3g")
        message = (
            f"Some draws of {of(count, share.size)} are infinite or NaN (per cent: {worst}). "
            "Nothing else is said about these quantities: look at the model."
        )
        return Problem(Kind.NOT_FINITE, count, (), message)

    def convergence(self, cure: Callable[[], str], facts: list[str]) -> Problem | None:
        """Look for chains that disagree; an R-hat that cannot be computed is the largest of all."""
        nested = self._run.superchains > 1
        if not self._varies.any() or self._chains < 2 or self._draws < (1 if nested else MIN_DRAWS):
            return None
        rhat, limit = self._rhat(), self._rhat_limit
        label = "nested R-hat" if nested else "R-hat"
        count = int((rhat > limit).sum())
        if not count:
            if not np.isnan(rhat).all():
                facts.append(f"{label} at most {_up(np.nanmax(rhat)):.3f}")
            return None
        short = self._draws < ESS_PER_CHAIN and not nested
        worst = self._worst(np.where(rhat > limit, _up(rhat), np.nan), ".3f")
        message = (
            f"{label[0].upper()}{label[1:]} is above {limit:.3g} for {of(count, rhat.size)} ({worst}). "
            f"The {'super' if nested else ''}chains disagree{', or are too short to tell' if short else ''}"
            f"{sentence(cure()) or ': run longer or reparameterise.'}"
        )
        return Problem(Kind.CONVERGENCE, count, (), message)

    def low_ess(self, cure: Callable[[], str], facts: list[str]) -> Problem | None:
        """Look for few effective draws; an effective sample size that cannot be computed counts as none."""
        if not self._varies.any() or self._draws < MIN_DRAWS:
            return None
        limit = ESS_PER_CHAIN * min(self._chains, MANY)
        low = np.zeros(self._records.size, bool)
        worst = []
        for kind in ("bulk", "tail"):
            ess = self._ess(kind)
            if np.isnan(ess).all():
                continue
            low |= ess < limit
            if (ess < limit).any():
                worst.append(f"{kind}: {self._worst(np.where(ess < limit, -np.floor(ess), np.nan), '.0f')}")
            else:
                facts.append(f"{kind} ESS at least {round_down(float(np.nanmin(ess)))}")
        count = int(low.sum())
        if not count:
            return None
        per_chain = f", which is {ESS_PER_CHAIN} per chain" if self._chains <= MANY else ""
        short = f"Chains of {self._draws} draws are too short to say much" if self._draws < ESS_PER_CHAIN else ""
        message = (
            f"The effective sample size of {of(count, low.size)} is below {limit}{per_chain} ({'; '.join(worst)}). "
            f"{short or 'Estimates are noisy and their errors uncertain'}"
            f"{sentence(cure()) or ': draw more.'}"
        )
        return Problem(Kind.LOW_ESS, count, (), message)
