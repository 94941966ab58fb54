"""How NUTS begins where nothing else is said: starting points and metric, by the name of an initialiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.arguments import MOST, Progressbar, count, is_number, shows
from nbinfer.engine.chains import Chains, Placed, display_of_chains
from nbinfer.engine.driver import run
from nbinfer.engine.starts import starting_points
from nbinfer.engine.step import site_of
from nbinfer.mcmc.assign import assign
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.metric.adaptive import FisherFrom, QuadPotentialDiagAdapt, QuadPotentialDiagAdaptGrad
from nbinfer.mcmc.metric.definite import not_definite
from nbinfer.mcmc.metric.potential import QuadPotential, QuadPotentialDiag, QuadPotentialFull
from nbinfer.model import Model
from nbinfer.model.default import is_model, the_model
from nbinfer.model.foreign.entries import record_position
from nbinfer.optimize.curvature import hessian, position
from nbinfer.optimize.find import find_map
from nbinfer.random import Purpose, generator, key_of, seed_sequences
from nbinfer.spelling import check_options, meant, public_by_kind
from nbinfer.trace.columns import Column
from nbinfer.trace.store import MemoryStore

#: Initialisers that need nothing but the model: name -> (jitter, climb, name of the metric).
SIMPLE = {
    "auto": (True, True, None),
    "jitter+adapt_diag": (True, False, "diag"),
    "adapt_diag": (False, False, "diag"),
}
_VARIATIONAL = ("advi", "advi+adapt_diag", "advi+adapt_diag_grad", "advi_map")
_WHOLE = ("map", "nuts", "pathfinder", *_VARIATIONAL)
#: Those that make no draws and no iterations of a fit.
_AT_ONCE = (*SIMPLE, "map")
#: How many draws the variances of a fit are worth to a metric that learns on.
_FIT_WEIGHT = 50
_FIRST_SIGMA = float(np.log(2.0))
#: What of Pathfinder is enough for a start: its iterations at most, and the draws by which it judges and weighs.
_LONGEST_PATH, _JUDGED, _WEIGHED = 1000, 5, 50
#: How many draws its variances are worth; and draws of it until one has a density.
_PATHS_WEIGHT, _TRIES = 10, 100


class Initial(NamedTuple):
    """What an initialiser says.

    Attributes
    ----------
    start : list of dict, or None
        A point for each chain; None: the initial point.
    jitter : bool
        Whether chains without a point are jittered.
    climb : bool
        Whether those then climb, see `nbinfer.mcmc.hamiltonian.climb`.
    metric : str or QuadPotential, or None
        The initial metric of NUTS; None: its default.
    """

    start: list[dict[str, Any]] | None
    jitter: bool
    climb: bool
    metric: str | QuadPotential | None


def checked(init: Any) -> str:
    """Return the name of an initialiser in lower case.

    Raises
    ------
    TypeError
        If it is no str.
    NotImplementedError
        If there is none of that name.
    """
    if not isinstance(init, str):
        raise TypeError(f"init must be a str, got {type(init).__name__}.")
    known = (*SIMPLE, *_WHOLE)
    if init.lower() not in known:
        choices = ", ".join(map(repr, known))
        raise NotImplementedError(f"init={init!r} is not known; choose {choices}.{meant(init, known)}")
    return init.lower()


def check_iterations(init: str, n_init: int, default: int) -> None:
    """Require a length of an initialiser's run, and none but the default where the initialiser makes no run."""
    count("n_init", n_init, 2, MOST)
    if n_init != default and init in _AT_ONCE:
        longer = ", ".join(repr(name) for name in _WHOLE if name not in _AT_ONCE)
        raise ValueError(
            f"n_init={n_init} is how long an initialiser draws or fits, and init={init!r} does neither; leave it out, "
            f"or choose {longer} as init."
        )


def check_scope(init: str, model: Model, step: Sequence[Any]) -> None:
    """Raise ValueError if an initialiser is one for NUTS on all variables, and something else samples some of them."""
    if init in _WHOLE:
        if step:
            raise ValueError(
                f"init={init!r} sets up NUTS for all variables, but step= is given; pass start= and the step's metric= "
                "yourself, or take what nb.init_nuts returns."
            )
        _all_continuous(init, model)


def initial_metric(initial: Initial, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the initialiser's metric as an option of NUTS; none if it has none, or a user's options have one."""
    given = any(options.get(name) is not None for name in ("metric", "scaling", "potential"))
    return {} if given or initial.metric is None else {"metric": initial.metric}


def initialised(
    init: str,
    model: Model,
    sequences: Sequence[np.random.SeedSequence],
    numbers: Sequence[int],
    n_init: int,
    progressbar: Progressbar,
    start: Any = None,
) -> Initial:
    """Return how chains begin.

    Parameters
    ----------
    init : str
        Checked.
    model : Model
    sequences, numbers : sequences
        Seeds and numbers of the chains.
    n_init : int
        Draws of the run that init='nuts' makes; iterations of a fit at most.
    progressbar : bool or callable
    start : mapping or sequence of mapping, optional
        Where chains are to begin whatever is found: around the first of them, paths look for a metric.
    """
    if init in SIMPLE:
        return Initial(None, *SIMPLE[init])
    if init == "map":
        return _from_map(model, len(numbers), progressbar)
    if init == "pathfinder":
        first = start[0] if isinstance(start, list | tuple) and start else start
        return _from_paths(model, sequences, numbers, n_init, progressbar, first)
    if init in _VARIATIONAL:
        return _from_fit(init, model, sequences, numbers, n_init, progressbar)
    return _from_run(model, sequences, numbers, n_init, progressbar)


def _all_continuous(init: str, model: Model) -> None:
    discrete = [name for name, p in model.parameters.items() if p.support.discrete]
    if discrete:
        raise ValueError(
            f"init={init!r} sets up NUTS for all variables, but {', '.join(map(repr, discrete))} is discrete; call "
            "nb.sample without it, which gives every variable its step."
        )


def _from_map(model: Model, chains: int, progressbar: Progressbar) -> Initial:
    """Begin at the maximum of the density that NUTS sees, with the covariance that the curvature there means."""
    found = find_map(model, include_jacobian=True, progressbar=progressbar)
    point = {name: found[name] for name in model.parameters}
    bound = model.bind(1)
    precision, _ = hessian(bound, *position(bound, point), np.arange(model.dim))
    try:
        half = np.linalg.inv(np.linalg.cholesky(precision))
    except np.linalg.LinAlgError:
        names = [model.layout.coordinate_name(i) for i in range(model.dim)]
        error = not_definite("the curvature at the maximum", precision, names)
        error.add_note("init='map' fits no metric here; init='auto' learns one.")
        raise error from None
    return Initial([point] * chains, False, False, QuadPotentialFull(half.T @ half))


def _from_fit(
    init: str,
    model: Model,
    sequences: Sequence[np.random.SeedSequence],
    numbers: Sequence[int],
    n: int,
    progressbar: Progressbar,
) -> Initial:
    """Begin at draws of a fit of independent normal numbers, with their variances."""
    from nbinfer.variational import ADVI, CheckParametersConvergence  # most runs do without

    first = sequences[0]
    seed = np.random.SeedSequence(first.entropy, spawn_key=(*first.spawn_key, 2))
    at = find_map(model, include_jacobian=True, progressbar=progressbar) if init == "advi_map" else {}
    start = {name: at[name] for name in model.parameters if name in at}
    # From narrow normal numbers on, their widths change so little at first that the rules would take it for the end.
    inference = ADVI(model=model, random_seed=seed, start=start, start_sigma=_FIRST_SIGMA)
    inference.begin(callbacks=[CheckParametersConvergence(tolerance=1e-2, diff=d) for d in ("absolute", "relative")])
    approx = inference.run(n, progressbar, judged=False)
    mean, std = approx.mean, approx.std
    points = [
        model.constrain(mean + std * generator(key_of(s), 0, number, Purpose.START).standard_normal(model.dim))
        for s, number in zip(sequences, numbers, strict=True)
    ]
    if init == "advi+adapt_diag":
        metric: QuadPotential = QuadPotentialDiagAdapt(model.dim, mean, std**2, _FIT_WEIGHT)
    elif init == "advi+adapt_diag_grad":
        metric = QuadPotentialDiagAdaptGrad(model.dim, mean, std**2, _FIT_WEIGHT)
    else:
        metric = QuadPotentialDiag(std**2)
    return Initial(points, False, False, metric)


def mixture_of_paths(
    model: Model,
    sequence: np.random.SeedSequence,
    n: int = _LONGEST_PATH,
    progressbar: Progressbar = False,
    start: Any = None,
) -> Any:
    """Return what paths find from which chains are to begin.

    Parameters
    ----------
    model : Model
    sequence : SeedSequence
        Of the first chain.
    n : int
        Iterations of a path at most.
    progressbar : bool or callable
    start : mapping, optional
        Constrained values around which paths begin.

    Returns
    -------
    approx : Approximation
    """
    from nbinfer.variational import Pathfinder  # most runs do without

    seed = np.random.SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, 2))
    paths = Pathfinder(model=model, random_seed=seed, start=start, elbo_draws=_JUDGED, n_draws=_WEIGHED)
    return paths.run(min(n, _LONGEST_PATH), progressbar, judged=False)


def _from_paths(
    model: Model,
    sequences: Sequence[np.random.SeedSequence],
    numbers: Sequence[int],
    n: int,
    progressbar: Progressbar,
    start: Any,
) -> Initial:
    """Begin at draws of what paths have found, with its variances."""
    from nbinfer.variational.draws import draw  # most runs do without

    approx, bound = mixture_of_paths(model, sequences[0], n, progressbar, start), model.bind(1)
    fitting, points = approx.fitting(), []
    for sequence, number in zip(sequences, numbers, strict=True):
        for attempt in range(_TRIES):
            position = draw(fitting, key_of(sequence), number * _TRIES + attempt, 1).positions[0]
            logp, grad = bound.value_and_grad(position)
            if np.isfinite(logp) and np.isfinite(grad).all():
                break
        points.append(model.constrain(position))
    return Initial(points, False, False, FisherFrom(approx.mean, approx.std**2, _PATHS_WEIGHT))


def _from_run(
    model: Model,
    sequences: Sequence[np.random.SeedSequence],
    numbers: Sequence[int],
    draws: int,
    progressbar: Progressbar,
) -> Initial:
    """Begin at draws of a run of NUTS, with the covariance of all of them."""
    # The run has a seed of its own, so that no chain repeats its random numbers.
    first = sequences[0]
    key = key_of(np.random.SeedSequence(first.entropy, spawn_key=(*first.spawn_key, 1)))
    bound = model.bind(1)
    tune = draws // 2
    chains = Chains(bound, [Placed(NUTS(), site_of(bound, list(model.parameters)))], tune, [0], [key])
    chains.begin(0, *starting_points(bound, model, None, True, [key], [0])[0])
    positions = MemoryStore(1, tune, draws).array("unconstrained_posterior", "position", (model.dim,), float)
    chains.wire([Column(0, model.dim, None, positions)], [])
    chains[0].record_function = record_position.address  # unconstrained, in place of the model's row
    outcome = run(chains, tune + draws, 1, display_of_chains(progressbar, [0], tune, tune + draws))
    if outcome.error is not None:
        raise outcome.error
    covariance = np.cov(positions[0].T).reshape(model.dim, model.dim)
    chosen = [
        generator(key_of(s), 0, n, Purpose.START).integers(draws) for s, n in zip(sequences, numbers, strict=True)
    ]
    start = [model.constrain(positions[0, i]) for i in chosen]
    return Initial(start, False, False, QuadPotentialFull(covariance))


def _is_word(value: Any) -> bool:
    return isinstance(value, str)


@public_by_kind(model=is_model, init=_is_word, chains=is_number, n_init=is_number)
def init_nuts(
    init: str = "auto",
    chains: int = 1,
    n_init: int = 500_000,
    model: Model | None = None,
    random_seed: Any = None,
    progressbar: Progressbar = True,
    **kwargs: Any,
) -> tuple[list[dict[str, Any]], NUTS]:
    """Return starting points and a NUTS step for a model.

    Parameters
    ----------
    init : str
        'auto' starts at the initial point plus U(-1, 1) in every unconstrained coordinate and learns the metric called
        'fisher', see `NUTS`; 'jitter+adapt_diag' and 'adapt_diag' learn the variances, with and without that jitter,
        each chain from its own start. 'map' starts at the maximum of the density of the unconstrained parameters; its
        metric is the inverse of the curvature there. 'nuts' makes a run; chains start at its draws and its covariance
        is the metric. 'advi' fits independent normal numbers; chains start at draws of these and their variances are
        the metric, 'advi_map' likewise from the maximum on. With 'advi+adapt_diag' and 'advi+adapt_diag_grad' the
        metric learns on from them. 'pathfinder' starts at draws of what `Pathfinder` finds, and 'fisher' learns on from
        its variances.
    chains : int
        Number of starting points.
    n_init : int
        Draws of the run that 'nuts' makes, after half as many of warm-up; iterations of a fit at most.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, sequence of int, SeedSequence or Generator
        See `nbinfer.random.seed_sequences`.
    progressbar : bool or callable
        Show what takes long.
    **kwargs : object
        Options of `NUTS`. A metric among them takes the place of the initialiser's.

    Returns
    -------
    start : list of dict
        Constrained values by name, for each chain, from which none climbs, as it does in ``sample(init="auto")``.
    nuts : NUTS
        Pass both on: ``sample(model, step=nuts, start=start, chains=chains)``.

    Raises
    ------
    TypeError
        If `init` is no str.
    NotImplementedError
        If it is not known.
    ValueError
        If the model has discrete variables, or `vars` leaves some out.
    PositiveDefiniteError
        If the curvature or the covariance is not positive definite; it names the entries.

    Examples
    --------
    >>> import nbinfer as nb
    >>> def logp(p, d):
    ...     return -0.5 * (p.x - 1.0) ** 2 / 4.0
    >>> model = nb.Model({"x": nb.real()}, logp=logp)
    >>> start, nuts = nb.init_nuts("map", chains=2, model=model)
    >>> [round(point["x"], 6) for point in start]
    [1.0, 1.0]
    >>> nb.sample(model, 500, step=nuts, start=start, chains=2, random_seed=1)["x"].shape
    (2, 500)
    """
    name = checked(init)
    check_options("init_nuts()", kwargs, init_nuts, NUTS)
    model = the_model(model)
    model.definition.needs_all_data()
    count("chains", chains, 1, 2**31)
    check_iterations(name, n_init, 500_000)
    shows("progressbar", progressbar)
    _all_continuous(init, model)
    ((_, chosen), *_) = assign(model, NUTS(**kwargs))  # what is wrong with the options shows before anything runs
    left = set(model.parameters) - set(chosen)
    if left:
        raise ValueError(f"init_nuts sets up NUTS for all variables, but vars leaves out {', '.join(sorted(left))}.")
    sequences, numbers = seed_sequences(random_seed, chains), list(range(chains))
    initial = initialised(name, model, sequences, numbers, n_init, progressbar)
    nuts = NUTS(**{**initial_metric(initial, kwargs), **kwargs})
    if initial.start is not None:
        return initial.start, nuts
    keys = [key_of(s) for s in sequences]
    points = starting_points(model.bind(1), model, None, initial.jitter, keys, numbers)
    return [model.constrain(point.position) for point in points], nuts
