"""`check_model`: what is wrong with a model, said before its run."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from nbinfer.arguments import count
from nbinfer.checks import findings
from nbinfer.checks.probe import Point, Probe, improper
from nbinfer.diagnostics.problem import Findings, Kind, Problem, plural, two_digits
from nbinfer.engine.driver import cores_for
from nbinfer.errors import ModelError, NbinferWarning
from nbinfer.mcmc.arguments import warm_up
from nbinfer.model import Model
from nbinfer.model.bound import Bound
from nbinfer.model.code.of_draws import called
from nbinfer.model.default import is_model, the_model
from nbinfer.predictive.draws import named
from nbinfer.predictive.functions import label_in, observed_shapes, prediction_functions
from nbinfer.random import key_of, seed_sequences
from nbinfer.spelling import public_by_kind

#: Gradients of an iteration of NUTS: of a density that is easy to move in, and of one that is not.
EASY, HARD = 7, 255
#: Seconds over which evaluations are timed.
_TIMED = 0.005
#: Evaluations between two looks at the clock.
_AT_ONCE = 16


class ModelReport(Findings):
    """What `check_model` found; ``print`` shows it.

    It is a collection of its problems: ``for problem in report``, ``len(report)``, and ``if report:`` when there are
    any.

    Attributes
    ----------
    problems : tuple of Problem
        The gravest first.
    notes : tuple of str
        What is no problem and still good to know, the cost of a run among it.
    verdict : str
        What is said of a model without problems.
    seconds_per_gradient : float
        Of one evaluation, without compilation; of the density alone where no parameter is continuous. NaN if it cannot
        be evaluated.
    seconds : tuple of float
        Estimates of the time of the run: with 7 gradients an iteration, and with 255.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        notes: Sequence[str],
        seconds_per_gradient: float = np.nan,
        seconds: tuple[float, float] = (np.nan, np.nan),
    ) -> None:
        super().__init__(problems, notes, "No problems found with the model.")
        self.seconds_per_gradient, self.seconds = seconds_per_gradient, seconds


@public_by_kind(model=is_model)
def check_model(
    model: Model | None = None,
    *,
    draws: int = 1000,
    tune: int | str | None = None,
    chains: int = 4,
    cores: int | None = None,
    random_seed: Any = 0,
) -> ModelReport:
    """Look for what is wrong with a model before its run.

    The model is compiled and evaluated where chains would begin, near there, and at draws from its prior where it is
    known how to draw them. Problems are: functions that cannot be run or compiled; a density that is not finite where
    chains begin; a gradient that central differences contradict, that is not finite where the density is, or of which a
    part vanishes silently; a density that is random; one that ends within the supports, with the bound to declare;
    arrays that broadcast, and predictions that are not of the shape of their data; parameters that the density does not
    depend on; data that are NaN or infinite; scales of parameters that differ by a million; gradients by differences.

    Parameters
    ----------
    model : Model, optional
        Default: that of the enclosing ``with`` block.
    draws : int
        Of the run whose time is estimated, as are the next two.
    tune : int, 'auto' or None
        Default: as many iterations as `nbinfer.sample` takes; of 'auto' these are the most.
    chains : int
        Number of chains.
    cores : int, optional
        Chains that run at the same time. Default: as many as there are cores.
    random_seed : None, int, SeedSequence or Generator
        Of the points that are tried.

    Returns
    -------
    report : ModelReport
        Problems, notes, and the cost of a gradient.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong. What is wrong with the model is a problem of the report.

    See Also
    --------
    nbinfer.sbc : Whether a sampler finds the parameters that data were made of.

    Notes
    -----
    It cannot see what only a run shows: several modes, funnels, and correlations. Parameters of which more than 2000
    coordinates move are not moved one by one. The time is that of gradients alone, and of NUTS: seven an iteration
    where scales are learnt well, 255 where the posterior is hard to move in.

    Examples
    --------
    >>> import nbinfer as nb
    >>> from nbinfer.distributions import normal
    >>> def logp(p, d):
    ...     return normal.logpdf(p.x, 0.0, p.sigma)
    >>> model = nb.Model({"x": nb.real(), "sigma": nb.real(), "rest": nb.real()}, logp=logp)
    >>> [problem.kind.value for problem in nb.check_model(model)]
    ['support', 'parameters without effect']
    """
    count("draws", draws, 1, 2**48)
    most = warm_up(tune).tune
    count("chains", chains, 1, 2**20)
    cores = cores_for(cores)
    own = the_model(model)
    sequences = seed_sequences(random_seed, chains)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            bound = own.bind()
            bound.value_and_grad(np.zeros(bound.dim))  # makes the machine code
        except Exception as error:
            message = f"Nothing can be run: {findings.raised(error)}"
            return ModelReport([findings.problem(Kind.FUNCTIONS, 1, message)], [])
    keys = [key_of(sequence) for sequence in sequences]
    probe = Probe(own, bound, keys[0], np.random.default_rng(sequences[0]))
    notes: list[str] = []
    found = _looked_for(probe, keys, [one.message for one in said if one.category is NbinferWarning], notes)
    each, seconds = _time(probe, (most + draws) * chains, min(chains, cores))
    notes.append(_cost(bound, each, seconds, f"{chains} × {most + draws} iterations"))
    return ModelReport(found, notes, each, seconds)


def _looked_for(probe: Probe, keys: Sequence[Any], said: Sequence[Any], notes: list[str]) -> list[Problem]:
    """Return the problems of a model that can be evaluated; what was said when it was bound is among them."""
    found = [
        findings.start(probe, keys),
        findings.gradient(probe),
        findings.vanishing(probe),
        findings.random(probe),
        findings.support(probe),
        *(findings.problem(Kind.SHAPES, 1, findings.ended(str(message))) for message in said),
        _predictions(probe.model),
        findings.without_effect(probe),
        findings.data(probe),
        findings.scale(probe, notes),
        _differences(probe.bound),
    ]
    if not said:
        findings.columns(probe, notes)
    notes += improper(probe.model.definition)
    return [one for one in found if one]


def _differences(bound: Bound) -> Problem | None:
    message = bound.gradient_warning
    return findings.problem(Kind.COST, bound.dim, findings.ended(message)) if message and bound.dim else None


def _predictions(model: Model) -> Problem | None:
    """Look whether what the model predicts has the shape of the data."""
    try:
        definition = named(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            functions = prediction_functions(definition, required=False)
    except ModelError:
        return None
    values, rng = model.initial_point(), np.random.default_rng(0)
    shapes = observed_shapes(definition, [name for name in functions if name in definition.data])
    label = label_in(definition)
    for name, f in functions.items():
        try:
            got = np.shape(called(f, (*definition.arguments(values), rng), label(name)))
        except Exception:  # it is the prediction's own matter
            continue
        if got != shapes.get(name, got):
            return findings.problem(
                Kind.SHAPES,
                1,
                f"The model predicts {got} of {name!r}, which has shape {shapes[name]}: parameters and data broadcast "
                "to what is not observed, and the likelihood adds up all of it. Give both sides one shape.",
            )
    return None


def _time(probe: Probe, iterations: int, at_once: int) -> tuple[float, tuple[float, float]]:
    """Return seconds of a gradient and of a run."""
    point = probe.finite[0] if probe.finite else probe.near[0]
    each = min(_timed(probe.bound, point) for _ in range(3))
    parallel = 1 if probe.bound.serial else at_once
    low, high = (each * iterations * gradients / parallel for gradients in (EASY, HARD))
    return each, (low, high)


def _timed(bound: Bound, point: Point) -> float:
    """Return seconds of one evaluation, the mean of many."""
    positions, evaluations, began = np.tile(point.q, (_AT_ONCE, 1)), 0, time.perf_counter()
    while True:
        if bound.dim and not bound.n_discrete:
            bound.values_and_grads(positions)
            evaluations += _AT_ONCE
        else:
            bound.value_and_grad(point.q, point.discrete)
            evaluations += 1
        passed = time.perf_counter() - began
        if passed > _TIMED:
            return passed / evaluations


def _cost(bound: Bound, each: float, seconds: tuple[float, float], run: str) -> str:
    if not bound.dim:
        return f"The density takes {_duration(each)} to evaluate."
    low, high = map(_duration, seconds)
    return (
        f"A gradient takes {_duration(each)}, {plural(bound.dim, 'coordinate')}. {run} of NUTS take about {low} with "
        f"{EASY} gradients each, and {high} with {HARD}, as where the posterior is hard to move in."
    )


def _duration(seconds: float) -> str:
    """Write a time with two digits."""
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size or unit == "µs":
            return f"{two_digits(seconds / size)} {unit}"
    raise AssertionError
