"""What may be wrong with a run, said once and in words."""

from __future__ import annotations

import enum
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbinfer.arguments import numbers
from nbinfer.diagnostics.acceptance import misses_target
from nbinfer.diagnostics.energy import bfmi
from nbinfer.diagnostics.measure import MIN_DRAWS
from nbinfer.diagnostics.quantities import Measured, Run, cut_note, join, labels, measure_run, read
from nbinfer.diagnostics.rhat import largest_rhat
from nbinfer.errors import ConvergenceWarning, unseen

RHAT_LIMIT = 1.01
ESS_PER_CHAIN = 100
BFMI_LIMIT = 0.3
#: Draws of one chain that may reach the tree-depth limit before it counts as a problem. It costs time, not truth.
TREEDEPTH_SHARE = 0.05
_WORST = 3


class Kind(enum.Enum):
    """What a `Problem` is about."""

    INTERRUPTED = "interrupted"
    TOO_FEW_DRAWS = "too few draws"
    NOT_FINITE = "draws not finite"
    DIVERGENCES = "divergences"
    CONVERGENCE = "R-hat"
    LOW_ESS = "effective sample size"
    BAD_ENERGY = "E-BFMI"
    BAD_ACCEPTANCE = "acceptance"
    TREEDEPTH = "tree depth"


@dataclass(frozen=True)
class Problem:
    """One kind of trouble.

    Attributes
    ----------
    kind : Kind
        What it is about.
    count : int
        How many draws, chains or quantities have it.
    chains : tuple of int
        Which chains have it; empty if it is no matter of single chains.
    message : str
        Counts, consequence and remedy in a few sentences.
    """

    kind: Kind
    count: int
    chains: tuple[int, ...]
    message: str


class Report:
    """The diagnostics' verdict on a run; ``print`` shows it.

    Attributes
    ----------
    problems : tuple of Problem
        At most one of each kind, the gravest first.
    notes : tuple of str
        What is no problem and still good to know.
    measured : dict of str to Measured
        What the verdict rests on; `summary` takes it over.
    """

    def __init__(
        self, problems: Sequence[Problem], notes: Sequence[str], verdict: str, measured: dict[str, Measured]
    ) -> None:
        self.problems = tuple(problems)
        self.notes = tuple(notes)
        self.measured = measured
        self._verdict = verdict

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return not self.problems

    def __str__(self) -> str:
        if self.ok:
            return "\n".join([self._verdict, *self.notes])
        count = len(self.problems)
        head = f"{count} {'problem' if count == 1 else 'problems'} found:"
        return "\n".join([head, *(f"- {problem.message}" for problem in self.problems), *self.notes])

    __repr__ = __str__

    def warn(self, stacklevel: int = 1) -> None:
        """Issue one `ConvergenceWarning` for each kind of problem.

        Parameters
        ----------
        stacklevel : int
            1 points at the line that calls `warn`, 2 at the caller of its function, and so on.
        """
        for problem in self.problems:
            with unseen():
                warnings.warn(problem.message, ConvergenceWarning, stacklevel=stacklevel + 1)


def check(
    trace: Any, *, max_treedepth: int | None = None, target_accept: float | Sequence[float] | None = None
) -> Report:
    """Look for everything that the diagnostics can find wrong with a run.

    Problems are: any divergence; R-hat above 1.01; bulk or tail ESS below 100 a chain; E-BFMI below 0.3; more than 5 %
    of a chain's draws at the tree-depth limit (fewer are mentioned); a mean acceptance that does not fit
    `target_accept`; draws that are not finite; fewer than four draws; an interruption.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The run, or draws alone. Statistics that its sampler does not have are not looked at.
    max_treedepth : int, optional
        The limit, for the messages. Default: ``trace.attrs["max_treedepth"]``, if there.
    target_accept : float or sequence of float, optional
        What the step size was tuned to, of each sampler that has one; NaN if it was not tuned. Default:
        ``trace.attrs["target_accept"]``, if there.

    Returns
    -------
    report : Report
        The verdict.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(4, 1000))
    >>> print(check({"mu": draws}))
    No problems found: R-hat at most 1.002, bulk ESS at least 4000, tail ESS at least 3400.
    """
    run = read(trace)
    if run.done is None:
        raise ValueError("all variables of a run must have the same numbers of chains and draws.")
    attrs = getattr(trace, "attrs", None) or {}
    max_treedepth = attrs.get("max_treedepth") if max_treedepth is None else max_treedepth
    target_accept = attrs.get("target_accept") if target_accept is None else target_accept
    if target_accept is not None:
        targets = numbers("target_accept", target_accept)
        if targets.ndim > 1 or not (np.isnan(targets) | ((targets > 0.0) & (targets < 1.0))).all():
            raise ValueError(
                f"target_accept must lie between 0 and 1, one number or one for each sampler, got {target_accept!r}."
            )
    measured = measure_run(run, run.posterior, 0.9)
    stats = _Statistics(trace, run)
    quantities = _Quantities(run, measured)

    notes: list[str] = []
    facts: list[str] = []
    found = [
        _interrupted(trace, run),
        _too_few(run, notes),
        quantities.not_finite(),
        _divergences(stats, target_accept, facts),
        quantities.convergence(facts),
        quantities.low_ess(facts),
        _energy(stats, facts),
        _acceptance(stats, target_accept),
        _treedepth(stats, max_treedepth, notes),
    ]
    note = cut_note(run)
    if note:
        notes.append(note)
    verdict = "No problems found" + (f": {', '.join(facts)}." if facts else ".")
    return Report([problem for problem in found if problem], notes, verdict, measured)


class _Statistics:
    """The samplers' statistics of finished draws after tuning, chain by chain."""

    def __init__(self, trace: Any, run: Run) -> None:
        self._stats = getattr(trace, "sample_stats", None) or {}
        self._done = run.done or ()
        self.chain_ids = run.chain_ids
        tune = self._stats.get("tune")
        self._tune = tune[:, :, 0] if tune is not None and np.ndim(tune) == 3 else tune  # all samplers tune together

    def __getitem__(self, name: str) -> list[np.ndarray] | None:
        """Return one array of flags for each chain, of any sampler, or None if no sampler has this statistic."""
        if name not in self._stats:
            return None
        values = np.asarray(self._stats[name])
        return self._by_chain(np.asarray(values.any(axis=2)) if values.ndim == 3 else values)

    def of_samplers(self, name: str) -> list[list[np.ndarray]]:
        """Return, for each sampler that has this statistic, one array of draws for each chain."""
        if name not in self._stats:
            return []
        values = np.asarray(self._stats[name])
        return [self._by_chain(column) for column in (np.moveaxis(values, 2, 0) if values.ndim == 3 else [values])]

    def _by_chain(self, values: np.ndarray) -> list[np.ndarray]:
        chains = []
        for i, n in enumerate(self._done):
            keep = slice(n) if self._tune is None else np.flatnonzero(np.asarray(self._tune[i][:n]) != 1)
            chains.append(values[i][keep])
        return chains


class _Quantities:
    """What was measured about all quantities together."""

    def __init__(self, run: Run, measured: dict[str, Measured]) -> None:
        records = [m.records.reshape(-1) for m in measured.values()]
        self._shapes = {name: m.records.shape for name, m in measured.items()}
        self._chains = len(run.used)
        self._records = np.concatenate(records) if records else None

    def _worst(self, values: np.ndarray, form: str) -> str:
        """Name the quantities of the largest values, or of the smallest if they come with a minus sign."""
        names = [label for name, shape in self._shapes.items() for label in labels(name, shape)]
        worst = np.argsort(-values, kind="stable")[:_WORST]
        return ", ".join(f"{names[i]} {format(abs(values[i]), form)}" for i in worst if not np.isnan(values[i]))

    def not_finite(self) -> Problem | None:
        if self._records is None:
            return None
        share = 1.0 - self._records["finite"]
        count = int((share > 0).sum())
        if not count:
            return None
        worst = self._worst(np.where(share > 0, 100 * share, np.nan), ".2g")
        message = (
            f"Some draws of {_of(count, share.size)} are infinite or NaN (per cent: {worst}). "
            "Nothing else is said about these quantities: look at the model."
        )
        return Problem(Kind.NOT_FINITE, count, (), message)

    def convergence(self, facts: list[str]) -> Problem | None:
        if self._records is None:
            return None
        rhat = largest_rhat(self._records)
        if np.isnan(rhat).all():
            return None
        count = int((rhat > RHAT_LIMIT).sum())
        if not count:
            facts.append(f"R-hat at most {math.ceil(1000 * np.nanmax(rhat) - 1e-9) / 1000:.3f}")
            return None
        message = (
            f"R-hat is above {RHAT_LIMIT} for {_of(count, rhat.size)} ({self._worst(rhat, '.3f')}). "
            "The chains disagree: run longer or reparameterise."
        )
        return Problem(Kind.CONVERGENCE, count, (), message)

    def low_ess(self, facts: list[str]) -> Problem | None:
        if self._records is None:
            return None
        limit = ESS_PER_CHAIN * self._chains
        low = np.zeros(self._records.size, bool)
        worst = []
        for kind in ("bulk", "tail"):
            ess = self._records[f"ess_{kind}"]
            if np.isnan(ess).all():
                continue
            low |= ess < limit
            if (ess < limit).any():
                worst.append(f"{kind}: {self._worst(np.where(ess < limit, -ess, np.nan), '.0f')}")
            else:
                facts.append(f"{kind} ESS at least {_round_down(float(np.nanmin(ess)))}")
        count = int(low.sum())
        if not count:
            return None
        message = (
            f"The effective sample size of {_of(count, low.size)} is below {limit}, which is {ESS_PER_CHAIN} per chain "
            f"({'; '.join(worst)}). Estimates are noisy and their errors uncertain: draw more."
        )
        return Problem(Kind.LOW_ESS, count, (), message)


def _interrupted(trace: Any, run: Run) -> Problem | None:
    if not getattr(trace, "interrupted", False):
        return None
    done = run.done or ()
    if not run.is_ragged:
        message = f"The run was interrupted after {done[0] if done else 0} draws per chain."
    else:
        counts = ", ".join(f"chain {chain}: {n}" for chain, n in zip(run.chain_ids, done, strict=True))
        message = f"The run was interrupted; finished draws are {counts}."
    return Problem(Kind.INTERRUPTED, sum(done), run.chain_ids, message)


def _too_few(run: Run, notes: list[str]) -> Problem | None:
    if not run.done:
        return None
    few = tuple(chain for chain, n in zip(run.chain_ids, run.done, strict=True) if n < MIN_DRAWS)
    if len(few) == len(run.done):
        message = (
            f"No chain has more than {_plural(max(run.done), 'draw')}. R-hat and effective sample sizes cannot be "
            f"computed from fewer than {MIN_DRAWS}: draw more."
        )
        return Problem(Kind.TOO_FEW_DRAWS, len(few), few, message)
    if few:
        notes.append(f"R-hat and ESS leave out {join('chain', few)}, with fewer than {MIN_DRAWS} draws.")
    if len(run.used) == 1:
        notes.append("R-hat cannot be computed from one chain: run at least two.")
    return None


def _divergences(stats: _Statistics, target_accept: float | Sequence[float] | None, facts: list[str]) -> Problem | None:
    diverging = stats["diverging"]
    if diverging is None:
        return None
    count, total, chains = _count(diverging, stats)
    if not count:
        facts.append("no divergences")
        return None
    targets = [] if target_accept is None else [f"{t:g}" for t in np.ravel(target_accept) if not np.isnan(t)]
    now = f" (now {', '.join(targets)})" if targets else ""
    message = (
        f"{count} of {total} draws diverged ({_percent(count, total)}). Estimates may be biased. "
        f"Raise target_accept{now} or reparameterise."
    )
    return Problem(Kind.DIVERGENCES, count, chains, message)


def _energy(stats: _Statistics, facts: list[str]) -> Problem | None:
    samplers = [[bfmi(chain)[0] for chain in chains] for chains in stats.of_samplers("energy")]
    if not samplers:
        return None
    values = np.fmin.reduce(np.array(samplers))  # of a chain, the worst of its samplers
    low = [i for i, value in enumerate(values) if value < BFMI_LIMIT]
    if not low:
        if np.isfinite(values).any():
            facts.append(f"E-BFMI at least {math.floor(100 * np.nanmin(values) + 1e-9) / 100:.2f}")
        return None
    chains = tuple(stats.chain_ids[i] for i in low)
    worst = ", ".join(f"{values[i]:.2f}" for i in low)
    message = (
        f"E-BFMI is below {BFMI_LIMIT} in {join('chain', chains)} ({worst}). The tails may be poorly explored: "
        "tune longer or reparameterise."
    )
    return Problem(Kind.BAD_ENERGY, len(low), chains, message)


def _acceptance(stats: _Statistics, target_accept: float | Sequence[float] | None) -> Problem | None:
    samplers = stats.of_samplers("acceptance_rate")
    if target_accept is None:
        return None
    targets = np.asarray(target_accept, float)
    if targets.ndim and len(targets) != len(samplers):
        raise ValueError(f"target_accept must be a number, or one for each of {len(samplers)} samplers, got {targets}.")
    targets = np.broadcast_to(targets, len(samplers))
    worst: set[int] = set()
    texts = []
    for accept, target in zip(samplers, targets, strict=True):
        bad = [i for i, values in enumerate(accept) if not np.isnan(target) and misses_target(values, target)]
        worst |= set(bad)
        if bad:
            rates = ", ".join(f"{np.nanmean(accept[i]):.2f}" for i in bad)
            chains = join("chain", tuple(stats.chain_ids[i] for i in bad))
            texts.append(f"The mean acceptance of {chains} ({rates}) does not fit target_accept = {target:g}.")
    if not texts:
        return None
    message = " ".join([*texts, "The step size is not adapted: tune longer."])
    return Problem(Kind.BAD_ACCEPTANCE, len(worst), tuple(stats.chain_ids[i] for i in sorted(worst)), message)


def _treedepth(stats: _Statistics, max_treedepth: int | None, notes: list[str]) -> Problem | None:
    reached = stats["reached_max_treedepth"]
    if reached is None:
        return None
    count, total, _ = _count(reached, stats)
    if not count:
        return None
    now = "" if max_treedepth is None else f" (max_treedepth = {max_treedepth})"
    text = f"{count} of {total} draws ({_percent(count, total)}) reached the tree-depth limit{now}."
    chains = tuple(
        chain
        for chain, values in zip(stats.chain_ids, reached, strict=True)
        if np.sum(values) > TREEDEPTH_SHARE * len(values)
    )
    if not chains:
        notes.append(text)
        return None
    message = f"{text} Sampling is slow, not wrong: raise max_treedepth or reparameterise."
    return Problem(Kind.TREEDEPTH, count, chains, message)


def _count(chains: list[np.ndarray], stats: _Statistics) -> tuple[int, int, tuple[int, ...]]:
    """Return how many draws have a flag, of how many, and which chains have any."""
    counts = [int(np.sum(values.astype(bool))) for values in chains]
    which = tuple(chain for chain, count in zip(stats.chain_ids, counts, strict=True) if count)
    return sum(counts), sum(len(values) for values in chains), which


def _of(count: int, total: int) -> str:
    return f"{count} of {_plural(total, 'quantity', 'quantities')}"


def _plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _percent(count: int, total: int) -> str:
    share = 100 * count / total
    return "< 0.1 %" if share < 0.1 else f"{share:.1f} %" if share < 10 else f"{share:.0f} %"


def _round_down(value: float) -> int:
    """Round down to two digits."""
    unit = 10 ** max(math.floor(math.log10(value)) - 1, 0) if value >= 1 else 1
    return int(value // unit * unit)
