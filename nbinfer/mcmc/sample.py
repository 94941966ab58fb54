"""`sample`: from a model to a trace."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from nbinfer.diagnostics import check
from nbinfer.errors import ConvergenceWarning, SamplingError
from nbinfer.mcmc.arguments import check_count, cores_for, kept_names, model_and_draws, options_for
from nbinfer.mcmc.assign import assign, listed, separated
from nbinfer.mcmc.chain import work
from nbinfer.mcmc.driver import Outcome, run
from nbinfer.mcmc.init import beginning, beside, check_scope, checked
from nbinfer.mcmc.progress import display_for
from nbinfer.mcmc.sampling import Sampling, raise_divergence
from nbinfer.mcmc.step import StepMethod
from nbinfer.random import seed_sequences
from nbinfer.trace import Trace


def sample(
    model: Any = None,
    draws: int = 1000,
    tune: int = 1000,
    *,
    chains: int = 4,
    cores: int | None = None,
    step: Any = None,
    init: str = "auto",
    n_init: int = 200_000,
    start: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    trace: Sequence[str] | None = None,
    chain_idx: int = 0,
    random_seed: Any = None,
    progressbar: bool = True,
    discard_tuned_samples: bool = True,
    nuts_kwargs: Mapping[str, Any] | None = None,
    step_kwargs: Mapping[str, Mapping[str, Any]] | None = None,
    njobs: int | None = None,
) -> Trace:
    """Draw from the posterior of a model.

    Parameters
    ----------
    model : Model, optional
        Default: the model of the enclosing ``with`` block. An int in this place means `draws`.
    draws : int
        Draws kept per chain.
    tune : int
        Iterations of warm-up per chain, which come on top.
    chains : int
        Number of independent chains.
    cores : int, optional
        Chains that run at the same time. Default: as many as there are chains and cores. No result depends on it.
    step : step method or sequence of step methods, optional
        Configured step methods, `NUTS` and its like, applied one after the other. Variables that they leave over, by
        default all, go to the method that samples them best: continuous ones to NUTS, as `init` and `nuts_kwargs` say,
        discrete ones to a Gibbs or a Metropolis step.
    init : {'auto', 'jitter+adapt_diag', 'adapt_diag', 'map', 'nuts'}
        'auto' starts each chain at the initial point plus U(-1, 1) in every unconstrained coordinate and learns a
        diagonal metric by Fisher divergence; the next two learn the variances, with and without that jitter. For the
        others, which want NUTS for all variables, see `init_nuts`. Discrete values begin all over their support.
        Where the density is zero a chain tries again, a hundred times in all, further out and closer in.
    n_init : int
        Draws of the run that init='nuts' makes first.
    start : mapping or sequence of mappings, optional
        Constrained values by name, for all chains or one mapping per chain. Of what is missing, coordinates come from
        the initial point, discrete values from all over their support. A given start is not jittered.
    trace : sequence of str, optional
        Names of the parameters and derived quantities to keep. Default: all.
    chain_idx : int
        Number of the first chain. Chain 2 is the same chain whether it is drawn alone or among others.
    random_seed : None, int, sequence of int, SeedSequence or Generator
        See `nbinfer.random.seed_sequences`. The same seed gives the same draws, bit for bit, for any number of cores.
    progressbar : bool
        Show all chains on a terminal or in a notebook. Nothing is shown elsewhere.
    discard_tuned_samples : bool
        If False, the draws of warm-up are kept as ``trace.warmup_posterior``. Their statistics always are.
    nuts_kwargs : mapping, optional
        Options of `NUTS`.
    step_kwargs : mapping, optional
        Options of the steps that are assigned automatically, by their lower-case names: ``{'nuts': {...}}``. Not
        together with `nuts_kwargs`.
    njobs : int, optional
        Old name of `cores`.

    Returns
    -------
    trace : Trace
        Draws of shape (chain, draw, ...), statistics, and in ``trace.report`` what the diagnostics say.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong; before anything is compiled.
    SamplingError
        If the log density is not finite at a start, or the run was stopped before it kept a draw.

    Warns
    -----
    ConvergenceWarning
        Once per kind of problem that the diagnostics find.
    PerformanceWarning
        If the gradient is made of finite differences; it says why.
    DerivativeWarning
        If a derivative vanishes silently, for example at ``int(p.x)``; with the line.

    Notes
    -----
    Ctrl-C ends the run and returns what is finished (``trace.interrupted``). If one of the model's functions raises,
    its exception arrives here with the point in its notes and the finished draws as its attribute ``trace``; failures
    of arithmetic at single points (FloatingPointError, ZeroDivisionError, OverflowError, LinAlgError) count as
    divergences.

    Examples
    --------
    >>> import nbinfer as nb
    >>> def logp(p, d):
    ...     return -0.5 * p.x**2
    >>> model = nb.Model(parameters={"x": nb.real()}, logp=logp)
    >>> trace = nb.sample(model, 500, random_seed=1)
    >>> trace["x"].shape
    (4, 500)
    """
    model, draws = model_and_draws(model, draws)
    check_count("draws", draws, 1)
    check_count("tune", tune, 0)
    check_count("chains", chains, 1)
    check_count("chain_idx", chain_idx, 0)
    check_count("n_init", n_init, 2)
    cores = cores_for(cores, njobs, chains)
    options = options_for(nuts_kwargs, step_kwargs)
    init = checked(init)
    given = listed(step)  # once: an iterator is empty afterwards
    check_scope(init, model, given)
    numbers = list(range(chain_idx, chain_idx + chains))
    sequences = seed_sequences(random_seed, chains)
    kept = kept_names(model, trace)

    assign(model, given, options)  # what is wrong with steps shows before an initialiser runs
    begin = beginning(init, model, sequences, numbers, n_init, progressbar)
    assigned = separated(assign(model, given, options, {"nuts": beside(begin, options.get("nuts", {}))}))
    job = Sampling(
        model, assigned, draws=draws, tune=tune, numbers=numbers, sequences=sequences,
        start=begin.start if start is None else start, jitter=begin.jitter, kept=kept, discard=discard_tuned_samples,
    )  # fmt: skip
    display = display_for(progressbar, numbers, tune, tune + draws)
    work.load()  # not in a worker: a compilation there would hide from Ctrl-C
    begun = time.perf_counter()
    cores = 1 if job.bound.serial else cores
    outcome = run(job.blocks, job.bound, tune + draws, cores, display, _on_divergence(job.methods))
    seconds = time.perf_counter() - begun
    result = job.trace(seconds, outcome.interrupted)
    _raise_if_failed(outcome, result, job)
    try:
        result.report = check(result)
    except KeyboardInterrupt:  # nothing finished is lost, the draws least of all
        warnings.warn("interrupted before the diagnostics; nbinfer.diagnostics.check(trace) makes them", stacklevel=2)
        return result
    try:
        result.report.warn(stacklevel=2)
    except Warning as warning:  # turned into an error by a filter
        warning.trace = result  # type: ignore[attr-defined]
        raise
    return result


def _on_divergence(methods: Sequence[StepMethod]) -> Any:
    def warn(chain: int, divergences: int) -> bool:
        warnings.warn(f"chain {chain}: {divergences} divergences so far.", ConvergenceWarning, stacklevel=4)
        return False

    return warn if any(getattr(method, "on_error", "") == "warn" for method in methods) else None


def _raise_if_failed(outcome: Outcome, trace: Trace, job: Sampling) -> None:
    """Raise what stopped a run, with the finished draws attached."""
    numbers, bound = trace.chain_ids, job.bound
    if outcome.error is not None:
        outcome.error.trace = trace  # type: ignore[attr-defined]
        if outcome.chain is not None:
            number, point = numbers[outcome.chain], bound.describe(outcome.position, discrete=outcome.discrete)
            outcome.error.add_note(f"in chain {number} at {point}; finished draws: error.trace")
        raise outcome.error
    if job.blocks.stops_at_divergence:
        raise_divergence(trace)
    if outcome.interrupted and not trace.draws_done.any():
        failure = SamplingError("stopped during warm-up, before a draw was kept. Statistics of warm-up: error.trace")
        failure.trace = trace
        raise failure
