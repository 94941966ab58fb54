"""`sample`: from a model to a trace."""

from __future__ import annotations

import datetime
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer._version import __version__
from nbinfer.autodiff.errors import DerivativeWarning
from nbinfer.diagnostics import check
from nbinfer.errors import ConvergenceWarning, PerformanceWarning, SamplingError
from nbinfer.mcmc.arrays import posterior_arrays, statistics_arrays
from nbinfer.mcmc.assign import assign, separated
from nbinfer.mcmc.blocks import Blocks, Placed
from nbinfer.mcmc.chain import work
from nbinfer.mcmc.driver import Outcome, available_cores, run
from nbinfer.mcmc.init import beginning, check_scope, checked
from nbinfer.mcmc.progress import display_for
from nbinfer.mcmc.starts import starting_points
from nbinfer.mcmc.step import StepMethod, site_of
from nbinfer.model import Model, default_model
from nbinfer.random import key_of, seed_sequences
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
        others, which want NUTS for all variables, see `init_nuts`.
    n_init : int
        Draws of the run that init='nuts' makes first.
    start : mapping or sequence of mappings, optional
        Constrained values by name, for all chains or one mapping per chain. What is missing comes from the initial
        point. A given start is not jittered.
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
    >>> def logp_grad(p, d, grad):
    ...     grad.x[()] -= p.x
    ...     return -0.5 * p.x**2
    >>> model = nb.Model(parameters={"x": nb.real()}, logp=logp, logp_grad=logp_grad)
    >>> trace = nb.sample(model, 500, random_seed=1)
    >>> trace["x"].shape
    (4, 500)
    """
    model, draws = _model_and_draws(model, draws)
    _count("draws", draws, 1)
    _count("tune", tune, 0)
    _count("chains", chains, 1)
    _count("chain_idx", chain_idx, 0)
    _count("n_init", n_init, 2)
    cores = _cores(cores, njobs, chains)
    options = _options(nuts_kwargs, step_kwargs)
    init = checked(init)
    check_scope(init, model, step)
    numbers = list(range(chain_idx, chain_idx + chains))
    sequences = seed_sequences(random_seed, chains)
    keys = [key_of(s) for s in sequences]
    kept = _kept_names(model, trace)

    assign(model, step, options)  # what is wrong with steps shows before an initialiser runs
    begin = beginning(init, model, sequences, numbers, n_init, progressbar)
    start = begin.start if start is None else start
    assigned = separated(assign(model, step, options, {"nuts": begin.nuts}))
    bound = model.bind(chains)
    steps = [Placed(method, site_of(bound, names)) for method, names in assigned]
    for placed in steps:
        placed.method.check(placed.site)
    gradient = any(method.uses_gradient for method, _ in assigned)
    if gradient:
        _warn_of_gradient(bound)
    points = starting_points(bound, model, start, begin.jitter, keys, numbers, gradient)
    if gradient:
        bound.check_gradient(points[0].position)

    blocks = Blocks(bound, steps, tune, numbers, keys)
    for c, point in enumerate(points):
        blocks.begin(c, *point)
    posterior, warm_posterior, columns = posterior_arrays(bound, kept, chains, tune, draws, discard_tuned_samples)
    stats, warm_stats, stat_columns = statistics_arrays(steps, chains, tune, draws)
    blocks.wire(columns, stat_columns)

    methods = [method for method, _ in assigned]
    display = display_for(progressbar, numbers, tune, tune + draws)
    work.load()  # not in a worker: a compilation there would hide from Ctrl-C
    begun = time.perf_counter()
    outcome = run(blocks, bound, tune + draws, 1 if bound.serial else cores, display, _on_divergence(methods))
    seconds = time.perf_counter() - begun

    done = blocks.progress["draw"].copy()
    result = Trace(
        posterior=posterior,
        sample_stats=stats,
        warmup_posterior=warm_posterior,
        warmup_sample_stats=warm_stats,
        observed_data=model.observed,
        draws_done=np.maximum(done - tune, 0),
        tune_done=np.minimum(done, tune),
        chain_ids=numbers,
        attrs=_attributes(sequences, seconds, methods, tune, blocks.progress["gradients"]),
        interrupted=outcome.interrupted,
    )
    _raise_if_failed(outcome, result, methods, numbers, bound)
    try:
        result.report = check(result, **_settings(methods, "max_treedepth", "target_accept"))
    except KeyboardInterrupt:  # nothing finished is lost, the draws least of all
        warnings.warn("interrupted before the diagnostics; nbinfer.diagnostics.check(trace) makes them", stacklevel=2)
        return result
    try:
        result.report.warn(stacklevel=2)
    except Warning as warning:  # turned into an error by a filter
        warning.trace = result  # type: ignore[attr-defined]
        raise
    return result


def _model_and_draws(model: Any, draws: Any) -> tuple[Model, Any]:
    if isinstance(model, int | np.integer) and not isinstance(model, bool):
        return default_model(), model
    if model is None:
        return default_model(), draws
    if not isinstance(model, Model):
        raise TypeError(f"model must be an nbinfer.Model, got {type(model).__name__}. Wrap a function in Model.flat.")
    return model, draws


def _count(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")


def _cores(cores: Any, njobs: Any, chains: int) -> int:
    if cores is not None and njobs is not None:
        raise ValueError("cores and njobs are the same option; pass cores.")
    wanted = cores if cores is not None else njobs
    if wanted is None:
        return min(chains, available_cores())
    _count("cores", wanted, 1)
    return min(int(wanted), chains)


def _options(nuts_kwargs: Any, step_kwargs: Any) -> dict[str, dict[str, Any]]:
    """Return what the user sets on steps that are assigned automatically."""
    if nuts_kwargs is not None and step_kwargs is not None:
        raise ValueError("pass nuts_kwargs or step_kwargs, not both.")
    given = {"nuts": nuts_kwargs} if nuts_kwargs is not None else step_kwargs if step_kwargs is not None else {}
    name = "nuts_kwargs" if nuts_kwargs is not None else "step_kwargs"
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} must be a mapping, got {type(given).__name__}.")
    for key, value in given.items():
        if not isinstance(value, Mapping):
            what = name if nuts_kwargs is not None else f"step_kwargs[{key!r}]"
            raise TypeError(f"{what} must be a mapping, got {type(value).__name__}.")
    return {key: dict(value) for key, value in given.items()}


def _kept_names(model: Model, trace: Any) -> set[str] | None:
    if trace is None:
        return None
    if isinstance(trace, str) or not isinstance(trace, Sequence) or not all(isinstance(n, str) for n in trace):
        raise TypeError(
            f"trace must be a list of names to keep, got {trace!r}. Other back-ends come with a later version."
        )
    known = [*model.parameters, *model.derived]
    unknown = [name for name in trace if name not in known]
    if unknown:
        raise ValueError(f"trace names {unknown[0]!r}, which the model lacks; it has {', '.join(known)}.")
    return set(trace)


def _warn_of_gradient(bound: Any) -> None:
    if bound.gradient_warning:
        warnings.warn(bound.gradient_warning, PerformanceWarning, stacklevel=3)
    for message in bound.derivative_warnings:
        warnings.warn(message, DerivativeWarning, stacklevel=3)


def _settings(methods: Sequence[StepMethod], *names: str) -> dict[str, Any]:
    """Return settings of the first step that has them."""
    found: dict[str, Any] = {}
    for name in names:
        values = [getattr(method, name) for method in methods if hasattr(method, name)]
        if values:
            found[name] = values[0]
    return found


def _on_divergence(methods: Sequence[StepMethod]) -> Any:
    def warn(chain: int, divergences: int) -> bool:
        warnings.warn(f"chain {chain}: {divergences} divergences so far.", ConvergenceWarning, stacklevel=4)
        return False

    def stop(chain: int, divergences: int) -> bool:
        return True

    wanted = {getattr(method, "on_error", "summary") for method in methods}
    return stop if "raise" in wanted else warn if "warn" in wanted else None


def _attributes(
    sequences: Sequence[np.random.SeedSequence],
    seconds: float,
    methods: Sequence[StepMethod],
    tune: int,
    gradients: np.ndarray,
) -> dict[str, Any]:
    entropies = [[s.entropy, *s.spawn_key] if s.spawn_key else s.entropy for s in sequences]
    one = all(e == entropies[0] for e in entropies)
    return {
        "inference_library": "nbinfer",
        "inference_library_version": __version__,
        "creation_library": "nbinfer",
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "sample_dims": ["chain", "draw"],
        "sampling_time": seconds,
        "seed": entropies[0] if one else entropies,
        "gradients": [int(g) for g in gradients],  # evaluations per chain, warm-up and search of the step size included
        "tune": tune,
        "steps": [method.name for method in methods],
    } | _settings(methods, "target_accept", "max_treedepth")


def _raise_if_failed(
    outcome: Outcome, trace: Trace, methods: Sequence[StepMethod], numbers: Sequence[int], bound: Any
) -> None:
    """Raise what stopped a run, with the finished draws attached."""
    if outcome.error is not None:
        outcome.error.trace = trace  # type: ignore[attr-defined]
        if outcome.chain is not None:
            number, point = numbers[outcome.chain], bound.describe(outcome.position, discrete=outcome.discrete)
            outcome.error.add_note(f"raised by the model in chain {number} at {point}; finished draws: error.trace")
        raise outcome.error
    stops = any(getattr(method, "on_error", "") == "raise" for method in methods)
    if outcome.interrupted and stops and trace.sample_stats["diverging"].any():
        failure = SamplingError(
            "stopped at the first divergence, as on_error='raise' asks; finished draws: error.trace"
        )
        failure.trace = trace
        raise failure
    if outcome.interrupted and not trace.draws_done.any():
        failure = SamplingError("stopped during warm-up, before a draw was kept. Statistics of warm-up: error.trace")
        failure.trace = trace
        raise failure
