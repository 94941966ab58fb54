"""`sbc`: whether a sampler finds the parameters that data were made of (Talts et al. 2018)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, Progressbar, count, is_number, of_all, shows
from nbinfer.checks.ranks import places
from nbinfer.checks.result import Calibration
from nbinfer.engine.progress import counter_for
from nbinfer.errors import ConvergenceWarning, ModelError, SamplingError
from nbinfer.mcmc import sample
from nbinfer.mcmc.arguments import warm_up
from nbinfer.mcmc.assign import listed as steps_of
from nbinfer.mcmc.options import options_for, with_named
from nbinfer.model import Model
from nbinfer.model.default import is_model, the_model
from nbinfer.model.definition import Definition, called_term
from nbinfer.model.generative.priors import prior_draws_of
from nbinfer.model.missing import with_data
from nbinfer.predictive import sample_prior_predictive
from nbinfer.predictive.draws import named
from nbinfer.predictive.functions import prediction_functions
from nbinfer.random import seed_sequences
from nbinfer.spelling import meant, names_of, public_by_kind
from nbinfer.trace import Trace
from nbinfer.trace.names import listed

#: Options of a run that cannot be those of hundreds.
_OF_ONE_RUN = ("live_plot", "live_plot_kwargs", "trace", "groups")
#: The log density is one of the quantities; machine code and plain Python differ by so much.
_LP, _SAME = "lp", 1e-9


@public_by_kind(model=is_model, simulations=is_number)
def sbc(
    model: Model | None = None,
    simulations: int = 200,
    *,
    draws: int = 250,
    tune: int = 500,
    chains: int = 4,
    var_names: str | Sequence[str] | None = None,
    random_seed: Any = None,
    progressbar: Progressbar = True,
    cores: int | None = None,
    **options: Any,
) -> Calibration:
    """Calibrate a model and its sampler by simulation.

    Parameters are drawn from the prior, data from these parameters, and the posterior of the data is sampled. Over many
    such simulations the rank of each true parameter among the draws is uniform if prior, likelihood, predictions and
    sampler belong together; a rank that is too often extreme, or too often in the middle, tells of a posterior that is
    too narrow, or too wide.

    Parameters
    ----------
    model : Model, optional
        With a proper prior from which independent draws can be made, see `sample_prior_predictive`, and predictions of
        all its observed data. Default: that of the enclosing ``with`` block.
    simulations : int
        Number of data sets. A hundred see gross mistakes, a thousand a posterior that is a tenth too narrow.
    draws, tune, chains : int
        Of the run of each simulation.
    var_names : str or sequence of str, optional
        Parameters and derived quantities whose ranks are wanted; or, ``"~mu"``, those to leave out. Default: all, and
        the log density ``lp`` where the steps record it, which sees a sampler that ignores the data.
    random_seed : None, int, SeedSequence or Generator
        The same seed gives the same ranks, for any number of cores.
    progressbar : bool or callable
        Whether to count simulations, or a function that is told of them; as of `nbinfer.sample`.
    cores : int, optional
        Chains that run at the same time.
    **options : object
        Of `sample`: ``step``, ``target_accept``, and the like.

    Returns
    -------
    calibration : Calibration
        Ranks and p-values; ``print`` shows them.

    Raises
    ------
    ModelError
        If nothing is known that draws from the prior, or predicts an entry of the data; or likelihood terms have
        weights (`total_size`), or data have gaps or come in batches.
    ValueError, TypeError
        If an argument is wrong.

    See Also
    --------
    nbinfer.check_model : What a few evaluations find.

    Notes
    -----
    Draws are thinned to their ESS, quantity by quantity, and ties broken at random, see `Calibration`. Ctrl-C returns
    what is finished. Simulations whose run cannot start are left out, and reported.

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari & Gelman (2018), Validating Bayesian inference algorithms with simulation-based
    calibration. Modrák, Moon, Kim, Bürkner, Huurre, Faltejsková, Gelman & Vehtari (2023), on the log density as a
    quantity.

    Examples
    --------
    >>> import nbinfer as nb
    >>> from nbinfer.distributions import normal
    >>> def prior(p, d):
    ...     return normal.logpdf(p.mu, 0.0, 1.0)
    >>> def likelihood(p, d):
    ...     return normal.logpdf(d.y, p.mu, 1.0)
    >>> model = nb.Model({"mu": nb.real()}, prior=prior, likelihood={"y": likelihood}, data={"y": [0.0, 0.0]})
    >>> nb.sbc(model, 20, draws=50, tune=100, chains=2, random_seed=1).ranks["mu"].shape
    (20,)
    """
    count("simulations", simulations, 1, MOST)
    for name, value in (("draws", draws), ("chains", chains)):
        count(name, value, 1, MOST)
    shows("progressbar", progressbar)
    own = the_model(model)
    options["step"] = steps_of(options.get("step"))  # once: an iterator is empty afterwards
    _check_options(options, own, tune)
    definition = named(own)
    observed = _simulable(definition)
    names = _quantities(definition, var_names)
    of_prior, of_runs, rng = _seeds(random_seed)
    prior = sample_prior_predictive(
        simulations, Model.of(definition), [*definition.derived, *observed], of_prior, progressbar=False, cores=cores
    )
    runs = _Runs(definition, prior, observed, draws=draws, tune=tune, chains=chains, cores=cores, **options)
    found, counter = Calibration(simulations), counter_for(progressbar, "simulation", simulations)
    try:
        for i, seed in enumerate(of_runs.spawn(simulations)):
            counter.update(i, "")
            if not _add(found, runs, i, seed, names, rng):
                break
        counter.update(found.done + len(found.failed), "")
    except KeyboardInterrupt:
        found.interrupted = True
    finally:
        counter.close()
    return found.closed()


def _seeds(random_seed: Any) -> tuple[np.random.SeedSequence, np.random.SeedSequence, np.random.Generator]:
    """Return seeds of draws from the prior and of runs, and what breaks ties."""
    (sequence,) = seed_sequences(random_seed, 1)
    of_prior, of_runs, of_ties = np.random.SeedSequence(sequence.entropy, spawn_key=sequence.spawn_key).spawn(3)
    return of_prior, of_runs, np.random.default_rng(of_ties)


def _check_options(options: Mapping[str, Any], model: Model, tune: Any) -> None:
    """Require that options are those of a run, or of its steps, before anything is simulated."""
    warm_up(tune)
    for name in _OF_ONE_RUN:
        if options.get(name):
            raise ValueError(f"{name} is of one run, and sbc makes many, of which only ranks remain; leave it out.")
    named = {name: value for name, value in options.items() if name not in names_of(sample)}
    of_steps = options_for(options.get("nuts_kwargs"), options.get("step_kwargs"))
    with_named(of_steps, named, model, options["step"], sbc)


def _add(found: Calibration, runs: _Runs, i: int, seed: Any, names: Sequence[str], rng: np.random.Generator) -> bool:
    """Add a simulation; False if its run was interrupted."""
    try:
        trace, model = runs.sampled(i, seed)
    except SamplingError as error:
        found.failed.append((i, str(error)))
        return True
    if trace.interrupted:
        found.interrupted = True
        return False
    pairs = dict(runs.beside(trace, i, names))
    if _LP in trace.sample_stats and _LP in names and trace.sample_stats[_LP].ndim == 2:
        pairs[_LP] = trace.sample_stats[_LP], runs.log_density(model, i)
    found.add({name: places(*pair, rng, _SAME if name == _LP else 0.0) for name, pair in pairs.items()}, trace.report)
    return True


class _Runs:
    """Samples the posterior of each simulation's data."""

    def __init__(self, definition: Definition, prior: Trace, observed: Sequence[str], **options: Any) -> None:
        self._definition, self._prior, self._observed, self._options = definition, prior, observed, options

    def sampled(self, i: int, seed: np.random.SeedSequence) -> tuple[Trace, Model]:
        """Return the trace of a simulation, and the model with its data."""
        kinds = {name: self._definition.data[name].array.dtype for name in self._observed}
        data = {name: np.asarray(self._prior[name][0, i]).astype(kind) for name, kind in kinds.items()}
        model = Model.of(with_data(self._definition, data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return sample(model, random_seed=seed, progressbar=False, **self._options), model

    def truth(self, name: str, i: int) -> NDArray[Any]:
        """Return what a quantity of a simulation is."""
        return np.asarray(self._prior[name][0, i])

    def beside(self, trace: Trace, i: int, names: Sequence[str]) -> Iterator[tuple[str, tuple[Any, Any]]]:
        """Give the draws of each quantity, and the true value."""
        for name in names:
            if name in trace.posterior:
                yield name, (trace.posterior[name], self.truth(name, i))

    def log_density(self, model: Model, i: int) -> float:
        """Return the log density of the true parameters, as steps record it."""
        point = {name: self.truth(name, i) for name in model.parameters}
        return model.logp_unconstrained(model.unconstrain(point), model.layout.discrete_values(point))


def _simulable(definition: Definition) -> list[str]:
    """Return the entries of the data that are simulated; refuse a model of which not all is known that makes them."""
    definition.needs_all_data()
    title = definition.title
    if definition.missing:
        raise ModelError(f"data of {title} have gaps, {listed(map(repr, definition.missing))}; simulate complete data")
    if definition.total_size:
        raise ModelError(f"terms of {title} have weights (total_size), which no data are drawn by; leave them out")
    found = prior_draws_of(definition)
    reasons = {**found.improper, **found.reasons}
    if reasons:
        first, why = next(iter(reasons.items()))
        raise ModelError(
            f"sbc needs independent draws from the prior of {title}, and nothing is known that draws "
            f"{listed(map(repr, reasons))}. Of {first!r}: {why}. Pass functions f(p, d, rng), "
            f"prior_draw={{{first!r}: f}}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is not predicted is an error here
        predicted = prediction_functions(definition)
    unknown = [name for name in definition.likelihood if name not in predicted or name not in definition.data]
    if unknown:
        prediction_functions(definition, [name for name in unknown if name in definition.data])
        raise ModelError(
            f"sbc draws new data for each term of the likelihood of {title}, and {called_term(unknown[0])} is named "
            f"after no entry of the data: likelihood={{'y': ...}} with data={{'y': y}}"
        )
    return list(definition.likelihood)


def _quantities(definition: Definition, var_names: Any) -> list[str]:
    """Return the names of what is ranked."""
    known = [*definition.parameters, *definition.derived]
    known += [_LP] if _LP not in known else []
    names = of_all("var_names", var_names, known)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        near = meant(unknown[0], known) if unknown else ""
        raise ModelError(
            f"var_names must name parameters or derived quantities of {definition.title}, {listed(known)}; got "
            f"{listed(map(repr, names)) or 'none'}.{near}"
        )
    return names
