"""`sample`: from a model to a trace."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbinfer.arguments import Progressbar, flag, shows
from nbinfer.engine.backends import CPU, check_backend, on_backend
from nbinfer.engine.chains import display_of_chains
from nbinfer.engine.task import finished
from nbinfer.live.asked import asked
from nbinfer.mcmc.arguments import (
    MOST_TUNE,
    chains_at_a_time,
    check_count,
    check_size,
    destination,
    is_tune,
    limits_for,
    ready,
    start_of,
    superchains_of,
    warm_up,
)
from nbinfer.mcmc.assign import assign, is_step, listed, separated
from nbinfer.mcmc.going_on import going_on, later
from nbinfer.mcmc.groups import checked_groups, with_groups
from nbinfer.mcmc.hamiltonian.init import check_iterations, check_scope, checked, initial_metric, initialised
from nbinfer.mcmc.length import first_look, goal_for, is_draws
from nbinfer.mcmc.options import options_for, with_named
from nbinfer.mcmc.running import Running
from nbinfer.mcmc.sampling import Sampling
from nbinfer.mcmc.shown import check_shown, view_of
from nbinfer.model.default import is_model
from nbinfer.random import seed_sequences
from nbinfer.spelling import public_by_kind
from nbinfer.trace import Trace
from nbinfer.trace.backend import Backend

if TYPE_CHECKING:
    from concurrent.futures import Executor


@public_by_kind(model=is_model, draws=is_draws, tune=is_tune, step=is_step)
def sample(
    model: Any = None,
    draws: int | str = 1000,
    tune: int | str | None = None,
    *,
    chains: int | None = 4,
    superchains: int | None = None,
    cores: int | None = None,
    step: Any = None,
    init: str = "auto",
    n_init: int = 200_000,
    start: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    trace: Sequence[str] | str | os.PathLike[str] | Backend | Trace | Any = None,
    chain_idx: int = 0,
    random_seed: Any = None,
    progressbar: Progressbar = True,
    discard_tuned_samples: bool = True,
    nuts_kwargs: Mapping[str, Any] | None = None,
    step_kwargs: Mapping[str, Mapping[str, Any]] | None = None,
    njobs: int | None = None,
    max_seconds: float | None = None,
    max_evals: int | None = None,
    target_ess: float | None = None,
    max_draws: int | None = None,
    executor: Executor | None = None,
    backend: str = CPU,
    groups: str | Sequence[str] | None = None,
    live_plot: bool | str = False,
    live_plot_kwargs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Trace:
    """Draw from the posterior of a model.

    Parameters
    ----------
    model : Model, optional
        Default: that of a step which has one, or of the enclosing ``with`` block. Without their names, model, draws,
        tune and step may stand in any order, ``sample(500, nb.Slice())``, as long as draws come before tune.
    draws : int or 'auto'
        Draws kept per chain. With 'auto' the run ends when it has drawn enough, see `target_ess`, or at a limit:
        `max_draws`, `max_seconds` or `max_evals`. ``trace.attrs["ended_by"]`` says at which, and the report with what
        effective sample size.
    tune : int, 'auto' or None
        Iterations of warm-up per chain, which come on top. Default 1000; if all variables are those of `ChEES` or
        `MAMS`, whose chains learn together, 100. With 'auto' a chain ends it once metric and
        step size have settled, or after 1000; `trace.tune_done` tells when. That is for NUTS or HamiltonianMC alone,
        with a metric that is learnt in warm-up; whatever else there is takes 1000, and so does init='map' or 'nuts'.
    chains : int or None
        Number of independent chains. None is 4.
    superchains : int, optional
        How many groups of chains begin at equal points: with so many the report has the nested R-hat, which can tell of
        many short chains whether they have forgotten where they began, as no other R-hat can. Chains must be a multiple
        of it. Default: each chain begins somewhere else.
    cores : int, optional
        Chains that run at the same time. Default: as many as there are chains and cores. No result depends on it.
    step : step method or sequence of step methods, optional
        Configured step methods, `NUTS` and its like, applied one after the other. Variables that they leave over, by
        default all, go to the method that samples them best: continuous ones to NUTS, as `init` and `nuts_kwargs` say,
        discrete ones to a Gibbs or a Metropolis step.
    init : str
        'auto' starts each chain at the initial point plus U(-1, 1) in every unconstrained coordinate, lets it climb
        from there by L-BFGS before the first transition of NUTS or `HamiltonianMC` in warm-up, as long as an iteration
        gains more than a nat per coordinate, 100 gradients at most, and learns the metric called 'fisher', see `NUTS`.
        'jitter+adapt_diag' and 'adapt_diag' learn the variances, with and without that jitter; nothing climbs. For the
        others, which want NUTS for all variables, see `init_nuts`. Discrete values begin all over their support. Where
        the density is zero a chain tries again, a hundred times in all, further out and closer in.
    n_init : int
        Draws of the run that init='nuts' makes first; iterations of a fit at most. The other initialisers make none.
    start : mapping or sequence of mappings, optional
        Constrained values by name, for all chains or one mapping per chain, or per superchain. Of what is missing,
        coordinates come from the initial point, discrete values from all over their support. It takes the place of what
        `init` begins at, whose metric holds all the same. From a given start nothing climbs; it is not jittered, but
        coordinates that are missing are where the density is zero.
    trace : sequence of str, str, PathLike, back end, object or Trace, optional
        Names of the parameters and derived quantities to keep; default: all. Or where draws go: the name of a file
        ending in .nc, .h5 or .hdf5, 'text', 'sqlite', an `HDF5`, `Text` or `SQLite`, which have names as well, or an
        object with ``setup``, ``record`` and ``close``. Or a trace to go on with: its chains begin at their last
        points, and what is returned has its draws and the new ones behind them.
    chain_idx : int
        Number of the first chain. Chain 2 is the same chain whether it is drawn alone or among others.
    random_seed : None, int, sequence of int, SeedSequence or Generator
        See `nbinfer.random.seed_sequences`. The same seed gives the same draws, bit for bit, for any number of cores.
    progressbar : bool or callable
        Show all chains on a terminal or in a notebook. Elsewhere a run that takes longer than ten seconds writes plain
        lines to standard error, one every ten seconds at most. False: not a byte. A function is called instead with a
        `nbinfer.engine.reported.Moment`, ten times a second at most and once at the end; if it raises, a warning says
        so, it is not called again, and the run goes on.
    discard_tuned_samples : bool
        If False, the draws of warm-up are kept as ``trace.warmup_posterior``. Their statistics always are.
    nuts_kwargs : mapping, optional
        Options of `NUTS`.
    step_kwargs : mapping, optional
        Options of the steps that are assigned automatically, by their lower-case names: ``{'nuts': {...}}``. Not
        together with `nuts_kwargs`.
    njobs : int, optional
        Old name of `cores`.
    max_seconds : float, optional
        Seconds of sampling after which the run ends, in warm-up too: each chain drops the draw that it is at. What
        comes before, compilation above all, does not count; with an `executor` what its processes do before their first
        draw does, for they begin while the time runs.
    max_evals : int, optional
        Evaluations of the run: of the gradient, of the log density or of a conditional. Each chain has an equal share,
        rounded up, and ends after the draw in which it has used that up, so that no result depends on time or cores.
    target_ess : float, optional
        Of draws='auto': the effective sample size that every quantity kept shall have, bulk and tail, all chains
        together, with an R-hat that the report finds nothing wrong with. It is looked at when there are 2.5 times as
        many draws, 50 in each chain at least, and again at each half as many more; so the same seed ends at the same
        draw, whatever the time and the number of cores. Default: 400.
    max_draws : int, optional
        Of draws='auto': draws per chain at most. Default: 20,000.
    executor : Executor, optional
        Draws the chains in other processes: one of `concurrent.futures`, or what has a ``submit`` like theirs. The
        draws are those that there would be without. Chains of a worker that has died are drawn again. The functions of
        the model must be at the top of a module, so that they can be pickled. Default: threads of this process.
    backend : {'cpu', 'cuda'}
        Where the chains are drawn. 'cuda' is a GPU of NVIDIA's, one thread for each chain, with the same random
        numbers: NUTS, HamiltonianMC, Slice and Metropolis, of continuous variables. It takes some thousand chains to be
        worth it.
    groups : str or sequence of str, optional
        What to compute of the draws at once, beside them in ``trace.groups``: 'log_likelihood', 'log_prior',
        'posterior_predictive'. What a model does not have is refused before the run.
    live_plot : bool or {'terminal', 'notebook', 'window'}
        Show draws while they are made. In a notebook that is a picture which is updated in place; in a terminal rows of
        text, below the bars; a window if pyplot is imported and opens windows; elsewhere rows of a log, one lot every
        ten seconds at most. No draw depends on it. It takes less than two percent of the time: rows of text stand where
        a picture will be until the run is long enough for one, or has ended.
    live_plot_kwargs : mapping, optional
        ``var_names``, as of `summary`, or 'lp', the log density; ``skip_first``, iterations that are left out, warm-up
        included (0); ``refresh_every``, iterations from one look to the next, at least (100); ``most``, how many
        quantities (6); ``figsize`` of pictures, in inches.
    **options : object
        Options of the steps that are assigned automatically, ``target_accept=0.9``; or of one of them by its
        lower-case name, ``nuts={'target_accept': 0.9}``, as it must be where two have an option of that name.

    Returns
    -------
    trace : Trace
        Draws of shape (chain, draw, ...), statistics, and in ``trace.report`` what the diagnostics say.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong; before anything is compiled.
    ImportError
        If `live_plot` needs matplotlib, and it is missing; before anything is compiled, too.
    FileExistsError, FileNotFoundError, PermissionError
        If a file for the draws cannot be made where it is wanted; also before anything is compiled.
    OSError
        If the disk has no room for them; before the first draw.
    MemoryError
        If chains and draws are more than the memory of this machine; before anything is compiled.
    CudaError
        With 'cuda', if there is no GPU, or what it needs is not installed, or its memory is too small; before the first
        draw.
    CompileError
        If a function of the model's cannot be compiled, for the GPU maybe; with the line.
    SamplingError
        If the log density is not finite at a start, or the run was stopped before it kept a draw.

    Warns
    -----
    ConvergenceWarning
        Once per kind of problem that the diagnostics find.
    PerformanceWarning
        If the gradient is made of finite differences; it says why. With 'cuda', if there are fewer than 1000 chains.
    DerivativeWarning
        If a derivative vanishes silently, for example at ``int(p.x)``; with the line.

    Notes
    -----
    Ctrl-C ends the run and returns what is finished (``trace.interrupted``), and so does a limit, whose name is
    ``trace.attrs["ended_by"]``. Pressed again, or during the diagnostics,
    it returns at once, without diagnostics; a function of the model's that hangs is left behind. Warnings turned into
    errors, and what a signal handler raises, have the draws as their attribute ``trace``. If a function raises,
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
    given = listed(step)  # once: an iterator is empty afterwards
    model = ready(model, given)
    goal = goal_for(draws, target_ess, max_draws)
    warm_up(tune)
    chains = 4 if chains is None else chains
    check_count("chains", chains, 1)
    superchains = superchains_of(superchains, chains, start)
    check_count("chain_idx", chain_idx, 0)
    shows("progressbar", progressbar)
    flag("discard_tuned_samples", discard_tuned_samples)
    view = asked(live_plot, live_plot_kwargs)
    cores = chains_at_a_time(cores, njobs, chains)
    init = checked(init)
    check_scope(init, model, given)
    check_iterations(init, n_init, 200_000)
    settings = with_named(options_for(nuts_kwargs, step_kwargs), options, model, given, sample)
    limits = limits_for(max_seconds, max_evals)
    if executor is not None:
        from nbinfer.engine.elsewhere import check_executor

        check_executor(executor)
    numbers: Sequence[int] = range(chain_idx, chain_idx + chains)
    before = trace if isinstance(trace, Trace) else None
    if before is not None:
        numbers, last, trace, superchains = going_on(model, before, chains, chain_idx, superchains)
        start = last if start is None else start
    taker, kept = destination(model, trace)
    kinds = checked_groups(groups, model, kept)
    if view is not None:
        check_shown(view, model, kept)
    planned = int(draws) if goal is None else first_look(goal, len(numbers), taker.thin, kept)

    steps = assign(model, given, settings)  # what is wrong with steps shows before an initialiser runs
    methods = [method for method, _ in separated(steps)]
    most, auto = warm_up(tune, max((method.usual_tune for method in methods), default=MOST_TUNE))
    if check_backend(backend) != CPU:
        on_backend(backend, "chains").check(model, methods, len(numbers), executor)
    check_size(model, len(numbers), most, planned, taker, kept)
    sequences = seed_sequences(random_seed, len(numbers))
    sequences = sequences if before is None else later(sequences, before)
    initial = initialised(init, model, sequences, numbers, n_init, progressbar, start)
    assigned = separated(assign(model, given, settings, {"nuts": initial_metric(initial, settings.get("nuts", {}))}))
    begin = start_of(initial.start, superchains) if start is None else start
    sampling = Sampling(
        model, assigned, draws=planned, tune=most, numbers=numbers, sequences=sequences, jitter=initial.jitter,
        climb=initial.climb, start=begin, kept=kept, discard=discard_tuned_samples, auto=auto, backend=backend,
        store=taker.open, superchains=superchains, goal=goal,
    )  # fmt: skip
    display = display_of_chains(progressbar, numbers, most, most + planned)
    live = None if view is None else view_of(sampling, display, view)
    sampling.load()
    run = Running(sampling, 1 if sampling.serial else cores, live or display, limits, executor, before)
    if live is not None:
        live.attend(run, sampling.chains.progress)
    if not kinds:  # nothing comes after the run that Ctrl-C could hit
        return finished(run)
    return with_groups(finished(run), model, kinds, random_seed=sequences[0], cores=cores, progressbar=progressbar)
