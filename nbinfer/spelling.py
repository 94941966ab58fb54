"""Names as people write them: which one was meant, and what a public function says to a call that does not fit it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from inspect import Signature

Public = TypeVar("Public", bound=Callable[..., Any])

#: Our names of options, each with those that others have for it.
_ELSEWHERE: Mapping[str, str] = {
    "random_seed": "seed random_state rng key rng_key prng_key",
    "start": "initvals inits init_params initial_values initial_params init_values initial_point initval testval p0 x0",
    "tune": "warmup num_warmup n_warmup iter_warmup n_tune num_tune burn burnin burn_in n_burn tuning_steps",
    "draws": "num_samples n_samples nsamples samples iter iter_sampling num_draws n_draws n_iter iterations niter",
    "samples": "num_samples n_samples nsamples draws num_draws n_draws",
    "simulations": "n_sims num_simulations n_simulations sims samples",
    "n": "n_iter num_iter iter iterations niter n_iterations num_iterations steps num_steps n_steps maxiter draws",
    "chains": "n_chains num_chains nchains nwalkers n_walkers num_walkers",
    "cores": "n_jobs njobs n_cores num_cores parallel_chains workers n_workers num_workers threads",
    "target_accept": "adapt_delta delta target_accept_prob target_acceptance_rate target_acceptance accept",
    "max_treedepth": "max_tree_depth max_depth maxdepth max_num_doublings",
    "progressbar": "progress_bar progress show_progress verbose refresh tqdm",
    "discard_tuned_samples": "save_warmup keep_warmup discard_warmup keep_tuned",
    "trace": "backend idata",
    "groups": "idata_kwargs log_likelihood",
    "metric": "dense_mass mass_matrix inverse_mass_matrix preconditioner precondition preconditioning",
    "step": "kernel sampler nuts_sampler moves",
    "chain_idx": "chain_id chain",
    "var_names": "varnames variables parameters vars names pars",
    "vars": "var_names varnames variables parameters names",
    "path": "filename file fname name",
    "logp": "log_prob log_density logdensity log_prob_fn logdensity_fn potential_fn target lnprob",
    "logp_grad": "value_and_grad dlogp logp_dlogp",
    "parameters": "params variables vars",
    "data": "observed observations obs args",
    "derived": "deterministic deterministics generated generated_quantities transformed transformed_parameters",
    "dim": "ndim n_dim ndims size",
    "a": "lower low lo minimum",
    "b": "upper high hi maximum",
    "lo": "lower low minimum a",
    "hi": "upper high maximum b",
    "obj_optimizer": "optimizer optimiser opt optim",
    "obj_n_mc": "n_mc num_particles num_elbo_samples grad_samples n_draws",
    "n_particles": "num_particles particles num_stein_particles",
    "learning_rate": "lr step_size stepsize eta alpha",
    "step_scale": "step_size stepsize epsilon",
    "epsilon": "eps",
    "beta1": "b1 betas",
    "beta2": "b2",
    "sigma": "sd std stddev scale",
    "jitter": "start_sigma",
    "w": "width widths",
    "hdi_prob": "hpd_prob cred_mass alpha",
    "prob": "hdi_prob ci_prob hpd_prob cred_mass",
    "axes": "ax axs",
    "most": "max_subplots",
}

#: Our functions, classes and families, each with what does its job elsewhere.
_JOBS: Mapping[str, str] = {
    "check_model": "check_start_vals debug diagnose point_logps",
    "sbc": "SBC simulation_based_calibration",
    "sample": "MCMC EnsembleSampler run_mcmc",
    "fit": "SVI Trace_ELBO",
    "SVGD": "SteinVI",
    "stein_thinning": "stein_thin Stein_thinning stein_thinner",
    "ksd_test": "goodness_of_fit kernel_stein_test",
    "sample_posterior_predictive": "Predictive",
    "compute_log_likelihood": "log_likelihood",
    "cuda": "gpu GPU nvidia CUDA numba-cuda",
    "HamiltonianMC": "HMC",
    "ChEES": "chees chees_adaptation SNAPER GradientBasedTrajectoryLengthAdaptation",
    "MAMS": "adjusted_mclmc MCLMC MCHMC LAPS",
    "laplace": "double_exponential",
    "mixture": "log_mix log_mixture",
    "mvnormal": "multi_normal multi_normal_cholesky multi_normal_prec multivariate_normal MultivariateNormal mvn",
    "mvstudent_t": "multi_student_t multi_student_t_cholesky multivariate_t",
    "normal": "std_normal norm gaussian Gaussian",
    "wald": "inverse_gaussian InverseGaussian invgauss",
}

#: What others have under names that are near to none of ours, each with what does its job.
DONE_BY: Mapping[str, str] = {
    "Deterministic": "derived={'name': f} of nb.Model",
    "Potential": "one more term of prior= or logp= of nb.Model",
    "Data": "data= of nb.Model",
    "ConstantData": "data= of nb.Model",
    "MutableData": "data= of nb.Model, and model.set_data",
    "plot_trace": "nb.plots.trace(trace)",
    "plot_posterior": "nb.plots.density(trace)",
    "plot_density": "nb.plots.density(trace)",
    "densityplot": "nb.plots.density(trace)",
    "kdeplot": "nb.plots.density(trace)",
    "plot_forest": "nb.plots.forest(trace)",
    "forestplot": "nb.plots.forest(trace)",
    "plot_pair": "nb.plots.pair(trace)",
    "pairplot": "nb.plots.pair(trace)",
    "plot_energy": "nb.plots.energy(trace)",
    "energyplot": "nb.plots.energy(trace)",
    "plot_autocorr": "nb.plots.autocorr(trace)",
    "autocorrplot": "nb.plots.autocorr(trace)",
    "plot_ppc": "nb.plots.ppc(trace)",
    "plot_rank": "nb.plots.rank(trace)",
    "plot_ess": "nb.plots.ess(trace)",
    "plot_loo_pit": "nb.plots.loo_pit(trace)",
    "ess": "nbinfer.diagnostics.ess_bulk, or nb.summary(trace)",
    "rhat": "nbinfer.diagnostics.rhat, or nb.summary(trace)",
    "logsumexp": "nbinfer.vectormath.logsumexp",
    "expit": "nbinfer.vectormath.expit",
}

#: What to do where others have an option, and we have none.
_INSTEAD: Mapping[str, str] = {
    "learning_rate": "it is the optimiser's, obj_optimizer=nb.adam(learning_rate=...)",
    "lr": "it is the optimiser's, obj_optimizer=nb.adam(learning_rate=...)",
    "n_particles": "it is one of particles, nb.SVGD(n_particles=...), or of fit's inf_kwargs={'n_particles': ...}",
    "noisy": "it is one of particles, nb.SVGD(noisy=True), or of fit's inf_kwargs={'noisy': True}",
    "annealing": "it is one of particles, nb.SVGD(annealing=...), or of fit's inf_kwargs={'annealing': ...}",
    "return_inferencedata": "trace.to_arviz() makes one of any trace",
    "compute_convergence_checks": "they are always made, and trace.report has them",
    "live_plot": "nb.sample and nb.fit have it",
    "live_plot_kwargs": "nb.sample and nb.fit have them",
    "callback": "nb.iter_sample hands out each draw",
    "mp_ctx": "chains run in threads; executor= takes processes",
    "mode": "it chose Theano's way to compile, and Numba compiles everything",
    "compile_kwargs": "Numba compiles everything in one way",
    "thin": "every tenth draw of a trace is trace[::10]; nb.HDF5(path, thin=10) keeps no others",
    "thinning": "every tenth draw of a trace is trace[::10]; nb.HDF5(path, thin=10) keeps no others",
    "transform": "the support says it: nb.positive(), nb.interval(0, 1)",
    "control": "its entries are options of their own, target_accept=0.9",
}


def nearest(name: Any, known: Iterable[Any], alike: float = 0.6) -> str | None:
    """Return which of some names was meant by another one, or None if none is near.

    Parameters
    ----------
    name : object
        What was written.
    known : iterable of str
        What could have been.
    alike : float
        How much of both must be the same, from 0 to 1.

    Returns
    -------
    meant : str or None
    """
    names, word = [str(one) for one in known], str(name)
    plain = {_plain(one): one for one in reversed(names)}
    if _plain(word) in plain:
        return plain[_plain(word)]
    from difflib import get_close_matches  # only ever on the way to an error

    close = get_close_matches(word, names, 1, alike) or get_close_matches(_plain(word), plain, 1, alike)
    return None if not close else plain.get(close[0], close[0])


def meant(name: Any, known: Iterable[Any]) -> str:
    """Return the sentence that ends a message about a name that is not known; empty if none is near.

    Parameters
    ----------
    name : object
        What was written.
    known : iterable of str
        What could have been.

    Returns
    -------
    sentence : str
        It begins with a space.
    """
    names = [str(one) for one in known]
    near = next((ours for ours in names if str(name) in _JOBS.get(ours, "").split()), None) or nearest(name, names)
    return f" Did you mean {near!r}?" if near is not None else ""


def no_option(label: str, name: str, known: Iterable[str], also: Iterable[str] = ()) -> TypeError:
    """Return the error that says that there is no such option.

    Parameters
    ----------
    label : str
        Whose option, such as ``'sample()'``.
    name : str
        What was written.
    known : iterable of str
        What there is.
    also : iterable of str
        What may be meant, too, and is not listed.

    Returns
    -------
    error : TypeError
    """
    names = list(known)
    called = (ours for ours in names if name in _ELSEWHERE.get(ours, "").split())
    near, instead = next(called, None), _INSTEAD.get(name)
    if near is None and instead is None:  # a word that others have for something is seldom a misspelling of ours
        near = nearest(name, [*names, *also], 0.8 if name in _words() else 0.6)
    there = instead or f"it has {', '.join(names) or 'none'}"
    hint = f"did you mean {near!r}?" if near is not None else f"{there}."
    return TypeError(f"{label} has no option {name!r}; {hint}")


def _words() -> set[str]:
    """Return the names of options that we have somewhere, or others have for them."""
    return {*_ELSEWHERE, *" ".join(_ELSEWHERE.values()).split()}


def check_options(label: str, given: Collection[str], *functions: Callable[..., Any]) -> None:
    """Require that what is handed on to functions are options of one of them.

    Parameters
    ----------
    label : str
        Whose options, such as ``'fit()'``.
    given : collection of str
        Their names.
    *functions : callable
        Who takes options.

    Raises
    ------
    TypeError
        If one is none; with the nearest name.
    """
    known = names_of(*functions) if given else []
    for name in given:
        if name not in known:
            raise no_option(label, name, known)


def names_of(*functions: Callable[..., Any]) -> list[str]:
    """Return the names that arguments of functions have in a call.

    Parameters
    ----------
    *functions : callable

    Returns
    -------
    names : list of str
        Each once.
    """
    import inspect

    kinds = [p for function in functions for p in inspect.signature(function).parameters.values()]
    names = [p.name for p in kinds if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"]
    return list(dict.fromkeys(names))


def public(target: Public) -> Public:
    """Have a function, or a class with its methods that have options, say what a call should have been like.

    Nothing else changes: signature, documentation and pickles are those of the function.

    Parameters
    ----------
    target : function or class
        What users call.

    Returns
    -------
    target : function or class
    """
    if not isinstance(target, type):
        return _explained(target, {})  # type: ignore[return-value]
    for name, value in list(vars(target).items()):
        function = getattr(value, "__func__", value)
        if not isinstance(function, FunctionType) or (name.startswith("_") and name != "__init__"):
            continue
        if name == "__init__" or function.__defaults__ or function.__kwdefaults__:
            told = _explained(function, {})
            setattr(target, name, told if value is function else type(value)(told))
    return target


def public_by_kind(**kinds: Callable[[Any], bool]) -> Callable[[Public], Public]:
    """Make a function `public`, and have arguments without a name go where their type says.

    Parameters
    ----------
    **kinds
        By the name of an argument, what tells whether a value can only be meant for it. A value goes to the first of
        them that fits and has none yet; those that tell nothing go to what is left, in the order of the signature.

    Returns
    -------
    decorator : callable
    """
    return lambda function: _explained(function, kinds)  # type: ignore[return-value]


def _explained(function: Callable[..., Any], kinds: Mapping[str, Callable[[Any], bool]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if kinds and args:
            args, options = _by_kind(function, kinds, args, options)
        try:
            return function(*args, **options)
        except TypeError as error:
            began = error.__traceback__
            if began is None or began.tb_next is not None:  # raised by what the function does
                raise
            told = _misfit(function, args, options)
            if told is None:
                raise
        raise told from None

    return call


def _by_kind(
    function: Any, kinds: Mapping[str, Callable[[Any], bool]], args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call with their names, as far as types and places tell; what is left over as it is."""
    places = function.__code__.co_varnames[: function.__code__.co_argcount]
    own = args[:1] if places[0] == "self" else ()
    named: dict[str, Any] = {}
    rest = []
    for value in args[len(own) :]:
        fitting = [name for name, fits in kinds.items() if fits(value)]
        name = next((name for name in fitting if name not in named), None)
        if name is None:
            rest.append(value)
        elif name in options:
            raise _twice(_label(function, args), name, value)
        else:
            named[name] = value
    free = [name for name in places[len(own) :] if name not in named and name not in options]
    if len(rest) > len(free):
        return args, options
    for name, value in zip(free, rest, strict=False):
        if name in kinds and not kinds[name](value) and any(fits(value) for fits in kinds.values()):
            raise _too_many(_label(function, args), names_of(function), list(kinds), value)
    return own, named | dict(zip(free, rest, strict=False)) | options


def _misfit(function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]) -> TypeError | None:
    """Return why a call does not fit a signature, if it does not."""
    import inspect

    signature = inspect.signature(function)
    try:
        signature.bind(*args, **options)
    except TypeError:
        return _reason(_label(function, args), signature, args, options)
    return None


def _label(function: Callable[..., Any], args: Sequence[Any]) -> str:
    owner, _, name = function.__qualname__.rpartition(".")
    if name == "__init__":
        return f"{type(args[0]).__name__}()"
    return f"{owner.rpartition('.')[2]}.{name}()" if owner and "<locals>" not in function.__qualname__ else f"{name}()"


def _reason(label: str, signature: Signature, args: Sequence[Any], options: Mapping[str, Any]) -> TypeError:
    kinds = list(signature.parameters.values())
    if kinds and kinds[0].name in ("self", "cls"):
        kinds, args = kinds[1:], args[1:]
    names = [p.name for p in kinds if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if not any(p.kind == p.VAR_KEYWORD for p in kinds):
        for name in options:
            if name not in names:
                return no_option(label, name, names)
    places = [p.name for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    taken = dict(zip(places, args, strict=False))
    for name, value in taken.items():
        if name in options:
            return _twice(label, name, value)
    if len(args) > len(places):
        return _too_many(label, names, places, args[len(places)])
    needed = [p.name for p in kinds if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    lacking = [name for name in needed if name not in taken and name not in options]
    return TypeError(f"{label} needs {' and '.join(lacking)}; pass {', '.join(f'{name}=' for name in lacking)}.")


def _twice(label: str, name: str, value: Any) -> TypeError:
    return TypeError(
        f"{label} gets {name} twice: {shown(value)} without a name, and {name}=. Write the name of what {shown(value)} "
        f"is before it, or leave {name}= out."
    )


def _too_many(label: str, names: Sequence[str], places: Sequence[str], value: Any) -> TypeError:
    """Say that a value stands where none may without a name."""
    more = [f"{name}=" for name in names if name not in places]
    hint = f"write its name before it: {', '.join(more)}" if more else "leave it out"
    return TypeError(f"{label} takes {_first(places)}, got {shown(value)} besides; {hint}.")


def _first(places: Sequence[str]) -> str:
    """Say what may stand without its name."""
    return f"without names no more than {', '.join(places)}" if places else "nothing without its name"


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def shown(value: Any) -> str:
    """Return what came in, in one line of at most so many characters: of tables and the like what they are called."""
    text = repr(value)
    if "\n" in text:
        text = " ".join(text.split()) if hasattr(value, "dtype") else type(value).__name__
    if isinstance(value, str) and value.strip().replace(".", "", 1).isdecimal():
        text += ", a text, not a number"
    return text if len(text) <= 80 else f"{text[:77]}..."
