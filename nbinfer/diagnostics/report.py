"""What may be wrong with a run, said once and in words."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.arguments import instance, words
from nbinfer.diagnostics.edges import Edges
from nbinfer.diagnostics.effort import cost, metrics
from nbinfer.diagnostics.measure import MIN_DRAWS
from nbinfer.diagnostics.movement import stuck
from nbinfer.diagnostics.of_draws import Least, Quantities
from nbinfer.diagnostics.of_samplers import (
    Statistics,
    Targets,
    acceptance,
    divergences,
    energy,
    late_divergences,
    treedepth,
)
from nbinfer.diagnostics.problem import Findings, Kind, Problem, plural
from nbinfer.diagnostics.quantities import MANY, Measured, Run, cut_note, join, measure_run, read, spaced_note
from nbinfer.diagnostics.remedy import Remedy
from nbinfer.diagnostics.wanderers import flat
from nbinfer.errors import ConvergenceWarning, unseen
from nbinfer.model import Model
from nbinfer.spelling import public

#: Draws of a chain that a verdict rests on: sorting them all would take several times as long as to make them, and more
#: memory than a run to a file has.
MOST_DRAWS = 50_000


class Report(Findings):
    """The diagnostics' verdict on a run; ``print`` shows it.

    It is a collection of its problems: ``for problem in report``, ``len(report)``, and ``if report:`` when there are
    any.

    Attributes
    ----------
    problems : tuple of Problem
        At most one of each kind, the gravest first.
    notes : tuple of str
        What is no problem and still good to know.
    verdict : str
        What is said of a run without problems.
    measured : dict of str to Measured
        What the verdict rests on; `summary` takes it over.
    """

    def __init__(
        self, problems: Sequence[Problem], notes: Sequence[str], verdict: str, measured: dict[str, Measured]
    ) -> None:
        super().__init__(problems, notes, verdict)
        self.measured = measured

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


@public
def check(
    trace: Any,
    *,
    max_treedepth: int | None = None,
    target_accept: Targets = None,
    largest_step_size: Targets = None,
    parameters: Sequence[str] | None = None,
    model: Model | None = None,
) -> Report:
    """Look for everything that the diagnostics can find wrong with a run.

    Problems are: any divergence; R-hat above 1.01; bulk or tail ESS below 100 a chain; E-BFMI below 0.3; more than 5 %
    of a chain's draws at the tree-depth limit (fewer are mentioned); a mean acceptance that does not fit
    `target_accept`; draws that are not finite; parameters that never moved; fewer than four draws; an interruption.
    An R-hat or ESS that cannot be computed of draws that vary is the worst of all. Of more than ten chains, an ESS of
    1000 in all will do, and R-hat may be as large as sqrt(1 + 10 / draws). Where a run had superchains, R-hat is the
    nested one, `draws` are those of a superchain, and chains may be as short as one draw. Acceptance, and energies of
    chains shorter than 100 draws, are those of all of so many chains together.

    Where problems come from a short warm-up, from a funnel, or from a region that has held a chain, the first that this
    explains says so, and what helps. Notes tell what the metric has learnt of correlation, and what
    helps if half of the draws took more than 100 gradients.

    Of chains longer than 50,000 draws every so many are looked at, and effective sample sizes are those of these draws,
    no more than the whole has; the report says so. Draws that are not finite are looked for everywhere.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The run, or draws alone. Statistics that its sampler does not have are not looked at.
    max_treedepth : int, optional
        The limit, for the messages. Default: ``trace.attrs["max_treedepth"]``, if there.
    target_accept : float or sequence of float, optional
        What the step size was tuned to, of each sampler that has one; NaN if it was not tuned. Default:
        ``trace.attrs["target_accept"]``, if there.
    largest_step_size : float or sequence of float, optional
        What the step size was not raised above, of each of these samplers; NaN: no limit. A step at the limit is no
        problem, however often it is accepted. Default: ``trace.attrs["largest_step_size"]``, if there.
    parameters : sequence of str, optional
        Names of the parameters. The rest is derived from them and may be constant. Default:
        ``trace.attrs["parameters"]``, if there; of draws alone nobody knows, and what is constant is only mentioned
        unless all is.
    model : Model, optional
        The model, with which the report also tells where the density ends beside draws that diverged, if it does.

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
    of_run = getattr(trace, "attrs", None) or {}
    given = words("parameters", of_run.get("parameters", ()) if parameters is None else parameters)
    known = [name for name in given if name in run.posterior] or None
    names, measured = known or list(run.posterior), measure_run(run, run.posterior, 0.9, most=MOST_DRAWS)
    stats, quantities = Statistics(trace, run), Quantities(run, measured)
    targets = stats.for_samplers("target_accept", _given(target_accept, of_run, "target_accept"), 1.0)
    limits = stats.for_samplers("largest_step_size", _given(largest_step_size, of_run, "largest_step_size"), np.inf)
    usual, shown = int(of_run.get("usual_tune", 1000)), _shown_by(model, run, stats)
    remedy = Remedy(stats, measured, names, targets, of_run.get("tune"), usual, shown)
    notes, facts = list[str](), list[str]()
    found = [
        _interrupted(trace, run),
        _too_few(run, notes),
        quantities.not_finite(),
        divergences(stats, targets, run.posterior, names, remedy.take, facts),
        quantities.convergence(remedy.take, facts),
        stuck(run, measured, known, remedy.explains, notes),
        quantities.low_ess(remedy.take, facts),
        energy(stats, remedy.take, remedy.longer, facts),
        acceptance(stats, targets, limits, remedy.explains, remedy.longer),
    ]
    depth = _given(max_treedepth, of_run, "max_treedepth")
    found.append(treedepth(stats, depth, remedy.explains, not any(found), notes))
    problems = list(filter(None, found))
    costs = cost(stats, metrics(trace), run.posterior, names, targets, problems, remedy.explains)
    also = late_divergences(stats, targets), *costs, _length(of_run, quantities), cut_note(run), spaced_note(measured)
    verdict = f"No problems found: {', '.join(facts)}." if facts else "No problems found."
    return Report(problems, [*notes, *filter(None, also)], verdict, measured)


def least(trace: Any) -> Least:
    """Return how much the quantities of a run are known by, as its report would say it."""
    run = read(trace)
    return Quantities(run, measure_run(run, run.posterior, 0.9, most=MOST_DRAWS)).least()


def _length(of_run: Mapping[str, Any], quantities: Quantities) -> str | None:
    """Say what has ended a run that was to draw until it had drawn enough, and with what."""
    target, ended = of_run.get("target_ess"), of_run.get("ended_by", "an interruption")
    if target is None:
        return None
    return f"draws='auto' was ended by {ended}: {said_of(quantities.least(), target)}."


def said_of(found: Least, target: float) -> str:
    """Say how far a run is that is to reach an effective sample size."""
    if math.isnan(found.ess):
        return f"no quantity varies, so that none has an ESS of {target:g}"
    rhat = "" if math.isnan(found.rhat) else f", R-hat at most {np.ceil(1000 * found.rhat - 1e-9) / 1000:.3f}"
    return f"smallest ESS {math.floor(found.ess)} of {target:g} ({found.whose}){rhat}"


def _shown_by(model: Any, run: Run, stats: Statistics) -> Callable[[np.ndarray], tuple[str, str]] | None:
    """Return what says, from draws that diverged, what the density shows beside draws, with a name for that."""
    if model is None:
        return None
    instance("model", model, Model, "a Model")

    def said(diverging: np.ndarray) -> tuple[str, str]:
        edge = Edges(model, run.posterior, stats).text(diverging) if diverging.any() else ""
        return (edge, "The end of the density") if edge else (flat(model, run.posterior, stats), "The missing prior")

    return said


def _given(value: Any, of_run: Mapping[str, Any], name: str) -> Any:
    """Return a setting that was given, or else that of the run."""
    return of_run.get(name) if value is None else value


def _interrupted(trace: Any, run: Run) -> Problem | None:
    if not getattr(trace, "interrupted", False):
        return None
    done = run.done or ()
    if not run.is_ragged:
        message = f"The run was interrupted after {done[0] if done else 0} draws per chain."
    elif len(done) > MANY:
        message = f"The run was interrupted; finished draws are {min(done)} to {max(done)} per chain."
    else:
        counts = ", ".join(f"chain {chain}: {n}" for chain, n in zip(run.chain_ids, done, strict=True))
        message = f"The run was interrupted; finished draws are {counts}."
    return Problem(Kind.INTERRUPTED, sum(done), run.chain_ids, message)


def _too_few(run: Run, notes: list[str]) -> Problem | None:
    if not run.done:
        return None
    few = tuple(chain for chain, n in zip(run.chain_ids, run.done, strict=True) if n < MIN_DRAWS)
    if len(few) == len(run.done):
        what = "Effective" if run.superchains > 1 else "R-hat and effective"
        message = (
            f"No chain has more than {plural(max(run.done), 'draw')}. {what} sample sizes cannot be "
            f"computed from fewer than {MIN_DRAWS}: draw more."
        )
        return Problem(Kind.TOO_FEW_DRAWS, len(few), few, message)
    if few:
        notes.append(f"R-hat and ESS leave out {join('chain', few)}, with fewer than {MIN_DRAWS} draws.")
    if len(run.used) == 1:
        notes.append("R-hat cannot be computed from one chain: run at least two.")
    return None
