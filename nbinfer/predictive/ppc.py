"""Posterior predictive samples in one row: of one model, or of several by their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, Progressbar, count, is_number, numbers, several
from nbinfer.errors import ModelError
from nbinfer.model import Model
from nbinfer.model.default import is_model, the_model
from nbinfer.model.definition import Definition
from nbinfer.predictive.draws import Draws, draws_of, items, named
from nbinfer.predictive.functions import prediction_functions, spelled, wanted
from nbinfer.predictive.over import key_for, say_interrupted
from nbinfer.predictive.posterior import predicted
from nbinfer.random import Purpose, generator
from nbinfer.spelling import public, public_by_kind
from nbinfer.trace import Trace
from nbinfer.trace.names import listed

Samples = dict[str, NDArray[Any]]

#: Bits of the number of a draw in a stream; those above tell repeats of it apart.
_DRAW_BITS = 40
_MOST_REPEATS = 1 << 63 - _DRAW_BITS


@public_by_kind(model=is_model, samples=is_number)
def sample_ppc(
    trace: Trace,
    samples: int | None = None,
    model: Model | None = None,
    vars: str | Sequence[str] | None = None,
    size: int | tuple[int, ...] | None = None,
    random_seed: Any = None,
    progressbar: Progressbar = True,
) -> Samples:
    """Predict what is observed, in one row of samples.

    Parameters
    ----------
    trace : Trace
        Draws of the model's parameters.
    samples : int, optional
        So many draws, of all chains, are chosen with replacement. Default: each draw once, chain after chain; the
        numbers are then those of `sample_posterior_predictive`.
    model : Model, optional
        With functions that predict. Default: that of the enclosing ``with`` block.
    vars : str or sequence of str, optional
        What to predict. Default: all that the model predicts.
    size : int or tuple of int, optional
        Predictions to make from each draw. Default: one, without an axis of its own.
    random_seed : None, int, SeedSequence or Generator
        The same seed gives the same numbers, bit for bit, for any number of cores.
    progressbar : bool or callable
        Whether to show progress, or a function that is told of it; as of `nbinfer.sample`.

    Returns
    -------
    predicted : dict of str to ndarray, shape (samples, [size,] ...)
        After Ctrl-C the samples that are finished, with a warning.

    Raises
    ------
    ModelError, CompileError
        As of `sample_posterior_predictive`.

    See Also
    --------
    sample_posterior_predictive : The same by chain and draw, also for new data.
    sample_ppc_w : Of several models.
    """
    definition = named(the_model(model))
    functions = wanted(definition, spelled(vars, None)[1])
    repeats = _sizes(size)
    draws, key, each = draws_of(definition, trace), key_for(random_seed), math.prod(repeats)
    rows, in_chain = draws.finished
    if samples is None:
        chains, streams = np.asarray(draws.chain_ids, np.int64)[rows], in_chain
    else:
        count("samples", samples, 1, MOST)
        chosen = _choice(key, 0).integers(len(rows), size=samples)
        rows, in_chain, chains, streams = (
            rows[chosen],
            in_chain[chosen],
            np.zeros(samples, np.int64),
            np.arange(samples),
        )
    total = len(rows)
    rows, in_chain, chains, streams = (np.repeat(a, each) for a in (rows, in_chain, chains, streams))
    streams = streams | np.tile(np.arange(each), total) << _DRAW_BITS
    work = items(rows, in_chain, chains, streams, np.arange(total * each))
    values, done = predicted(definition, draws, functions, work, len(work), key, progressbar)
    whole = np.asarray(done.reshape(total, each).all(axis=1))
    shaped = {name: array.reshape(total, *repeats, *array.shape[1:]) for name, array in values.items()}
    if whole.all():
        return shaped
    say_interrupted(whole, "samples were predicted; the others are left out")
    return {name: array[whole] for name, array in shaped.items()}


@public
def sample_ppc_w(
    traces: Sequence[Trace] | Mapping[str, Trace],
    samples: int | None = None,
    models: Sequence[Model] | Mapping[str, Model] | None = None,
    weights: Any = None,
    random_seed: Any = None,
    progressbar: Progressbar = True,
) -> Samples:
    """Predict what is observed by several models, each as often as its weight says.

    For each sample a model is drawn with the probability that is its weight, then a draw of that model's trace, then a
    prediction from it.

    Parameters
    ----------
    traces : sequence or mapping of str to Trace
        Of each model.
    samples : int, optional
        How many. Default: as many as the shortest trace has draws.
    models : sequence or mapping of str to Model, optional
        In the order of the traces, or by the same names. Default: for all of them that of the enclosing ``with`` block.
    weights : array_like or mapping of str to float, optional
        Of each model, from 0 on; only their ratios count. Default: equal ones.
    random_seed : None, int, SeedSequence or Generator
        The same seed gives the same numbers, bit for bit, for any number of cores.
    progressbar : bool or callable
        Whether to show progress, or a function that is told of it; as of `nbinfer.sample`.

    Returns
    -------
    predicted : dict of str to ndarray, shape (samples, ...)
        Of each variable that the models predict.

    Raises
    ------
    ValueError
        If there are not as many models or weights as traces, if a weight is negative or all are zero, or if the models
        predict different variables, or have different data of these.
    ModelError, CompileError
        As of `sample_posterior_predictive`.
    KeyboardInterrupt
        After Ctrl-C: what there is would not have these weights.

    See Also
    --------
    sample_ppc : Of one model.

    Notes
    -----
    PyMC3 put together a pool in which each model had a whole number of draws; a model of small weight had none. Here
    weights hold exactly in expectation.
    """
    traces_, models_, weights_ = _matched(traces, models, weights)
    definitions = [named(the_model(model, "models")) for model in models_]
    functions = [prediction_functions(definition) for definition in definitions]
    _check_alike(definitions, functions)
    labels = [f"traces[{name!r}]" for name in (traces if isinstance(traces, Mapping) else range(len(traces_)))]
    draws = [draws_of(d, t, label) for d, t, label in zip(definitions, traces_, labels, strict=True)]
    key = key_for(random_seed)
    total = min(int(each.done.sum()) for each in draws) if samples is None else samples
    count("samples", total, 1, MOST)
    rng = _choice(key, 1)
    which, within = _drawn(weights_, rng.random(total)), rng.random(total)
    found: Samples = {}
    for k in np.unique(which):
        mine = np.flatnonzero(which == k)
        values, done = _of_one(definitions[k], draws[k], functions[k], int(k), mine, within[mine], key, progressbar)
        if not done.all():  # what there is would be of the first models only
            raise KeyboardInterrupt
        for name, array in values.items():
            _put(found, name, array, mine, total)
    return found


def _of_one(
    definition: Definition,
    draws: Draws,
    functions: Mapping[str, Any],
    number: int,
    samples: NDArray[np.int64],
    within: NDArray[np.float64],
    key: NDArray[np.uint64],
    progressbar: Progressbar,
) -> tuple[Samples, NDArray[np.bool_]]:
    """Predict by one of several models; `within` tells, in [0, 1), which draw of its trace each sample is made from."""
    rows, in_chain = draws.finished
    chosen = np.minimum((within * len(rows)).astype(np.int64), len(rows) - 1)
    work = items(rows[chosen], in_chain[chosen], number, samples, np.arange(len(samples)))
    return predicted(definition, draws, functions, work, len(work), key, progressbar)


def _put(found: Samples, name: str, array: NDArray[Any], samples: NDArray[np.int64], total: int) -> None:
    """Put the samples of one model among those of all."""
    if name not in found:
        found[name] = np.empty((total, *array.shape[1:]), array.dtype)
    if found[name].shape[1:] != array.shape[1:]:
        raise ModelError(
            f"models must predict {name!r} of one shape to be mixed, got {found[name].shape[1:]} and {array.shape[1:]}"
        )
    found[name] = found[name].astype(np.result_type(found[name], array), copy=False)
    found[name][samples] = array


def _choice(key: NDArray[np.uint64], number: int) -> np.random.Generator:
    return generator(key, 0, number, Purpose.CHOICE)


def _drawn(weights: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the model of each sample; one of weight 0 never."""
    possible = np.flatnonzero(weights > 0.0)
    steps = np.cumsum(weights[possible] / weights.sum())
    at = np.searchsorted(steps, uniform, side="right")
    return possible[np.minimum(at, len(possible) - 1)]


def _sizes(size: Any) -> tuple[int, ...]:
    """Return the lengths of the axes of repeats."""
    if size is None:
        return ()
    found = several("size", size, "an int or several") if isinstance(size, Sequence) else [size]
    for length in found:
        count("size", length, 1, _MOST_REPEATS)
    if math.prod(map(int, found)) > _MOST_REPEATS:
        raise ValueError(f"size must be {_MOST_REPEATS} predictions from a draw at most, got {size}.")
    return tuple(int(length) for length in found)


def _matched(traces: Any, models: Any, weights: Any) -> tuple[list[Any], list[Any], NDArray[np.float64]]:
    """Return traces, models and weights in one order, as many of each; by name, if traces have names."""
    if isinstance(traces, Mapping):
        names = list(traces)
        models = models if models is None else _by_name("models", models, names)
        weights = weights if weights is None else _by_name("weights", weights, names)
        traces = list(traces.values())
    traces = several("traces", traces, "a sequence of traces")
    if not traces:
        raise ValueError("traces must hold a trace, got none.")
    models = [None] * len(traces) if models is None else several("models", models, "a sequence of models")
    weights = np.ones(len(traces)) if weights is None else numbers("weights", weights)
    if len(models) != len(traces) or weights.shape != (len(traces),):
        raise ValueError(
            f"there must be a model and a weight for each of the {len(traces)} traces, got {len(models)} models and "
            f"weights of shape {weights.shape}."
        )
    if not (np.isfinite(weights).all() and (weights >= 0.0).all() and weights.any()):
        raise ValueError(f"weights must be finite numbers from 0 on, at least one above 0, got {weights.tolist()}.")
    return traces, models, weights / weights.max()


def _by_name(argument: str, values: Any, names: Sequence[str]) -> list[Any]:
    if not isinstance(values, Mapping):
        raise TypeError(f"{argument} must be a mapping, as traces is, got {type(values).__name__}.")
    if set(values) != set(names):
        raise ValueError(f"{argument} must have the names of traces, {listed(names)}, got {listed(values)}.")
    return [values[name] for name in names]


def _check_alike(definitions: Sequence[Definition], functions: Sequence[Mapping[str, Any]]) -> None:
    """Require that models predict the same variables, and observed the same values of them."""
    first = definitions[0]
    for definition, own in zip(definitions, functions, strict=True):
        if set(own) != set(functions[0]):
            raise ValueError(
                f"models must predict the same variables, got {listed(functions[0])} of {first.title} and "
                f"{listed(own)} of {definition.title}."
            )
        for name in own:
            pair = [d.data[name].array if name in d.data else None for d in (first, definition)]
            if not _equal(*pair):
                raise ValueError(
                    f"models must have the same data {name!r}, got different ones in {first.title} and "
                    f"{definition.title}."
                )


def _equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    return a is b or np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f")
