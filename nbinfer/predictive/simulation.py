"""One prediction from one point, in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nbinfer.arguments import mapping
from nbinfer.errors import ModelError
from nbinfer.model import Model
from nbinfer.model.code.of_draws import called, takes_generator
from nbinfer.model.default import is_model, the_model
from nbinfer.model.evaluate import describe_derived
from nbinfer.predictive.draws import named
from nbinfer.predictive.functions import label_in, observed_shapes, prediction_functions
from nbinfer.spelling import public_by_kind


@public_by_kind(model=is_model)
def simulate(model: Model | None, point: Mapping[str, Any], rng: Any = None) -> dict[str, Any]:
    """Draw what a model predicts at one point, once; nothing is compiled.

    Parameters
    ----------
    model : Model or None
        With functions that predict. None: that of the enclosing ``with`` block.
    point : mapping of str to array_like
        Constrained values of all parameters, such as ``trace.point(-1)``; what else it holds does not count.
    rng : Generator or int, optional
        Where randomness comes from; of an int, ``np.random.default_rng(rng)``.

    Returns
    -------
    predicted : dict of str to number or ndarray
        By name, in the order in which they are drawn.

    Raises
    ------
    ModelError
        If the model predicts nothing, or `point` is none of its own.
    TypeError, ValueError
        If `rng` is no generator, and none can be made of it.

    Examples
    --------
    >>> import nbinfer as nb
    >>> def predict(p, d, rng):
    ...     return rng.poisson(p.rate, 3)
    >>> model = nb.Model({"rate": nb.positive()}, logp=lambda p, d: -p.rate, predict={"y": predict})
    >>> nb.simulate(model, {"rate": 4.0}, rng=1)
    {'y': array([5, 3, 5])}
    """
    definition = named(the_model(model))
    functions, label = prediction_functions(definition), label_in(definition)
    given = {name: value for name, value in mapping("point", point).items() if name in definition.parameters}
    values = definition.layout.check(given, definition.data_tuple, partial=False)
    generator = _generator(rng)
    shapes = observed_shapes(definition, definition.data)
    found = {}
    for name, f in functions.items():
        value = called(f, (*definition.arguments(values), generator)[: 3 if takes_generator(f) else 2], label(name))
        shape, _ = describe_derived(value, label(name))
        if shape != shapes.get(name, shape):
            raise ModelError(f"{label(name)} must return the shape of data {name!r}, {shapes[name]}, got {shape}")
        found[name] = value
    return found


def _generator(rng: Any) -> np.random.Generator:
    if isinstance(rng, bool) or not (rng is None or isinstance(rng, int | np.integer | np.random.Generator)):
        raise TypeError(f"rng must be a numpy Generator or an int, got {type(rng).__name__}.")
    if isinstance(rng, int | np.integer) and rng < 0:
        raise ValueError(f"rng must be an int from 0 on, or a numpy Generator, got {rng}.")
    return np.random.default_rng(rng)
