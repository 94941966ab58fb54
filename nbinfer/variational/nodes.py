"""Functions of parameters and data, evaluated over draws in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import mapping
from nbinfer.compile import readonly
from nbinfer.compile.python_functions import python_function
from nbinfer.errors import ModelError
from nbinfer.model import Model
from nbinfer.model.layout import Parameter
from nbinfer.model.missing import filled
from nbinfer.spelling import meant
from nbinfer.streaming import Feed


def function_of(model: Model, node: Any) -> Callable[..., Any]:
    """Return the function that a node means.

    Parameters
    ----------
    model : Model
    node : callable or str
        ``f(p, d)``, or the name of a parameter or derived quantity.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If the name is of nothing that is drawn.
    """
    if callable(node):
        return python_function(node)  # type: ignore[no-any-return]
    if not isinstance(node, str):
        raise TypeError(f"node must be a function f(p, d) or a name, got {type(node).__name__}.")
    if node in model.parameters:
        return lambda p, d: getattr(p, node)
    if node in model.derived:
        return python_function(model.derived[node])  # type: ignore[no-any-return]
    known = ", ".join([*model.parameters, *model.derived])
    if node in model.data or node in model.likelihood:
        raise ValueError(
            f"node {node!r} is observed, and does not depend on draws; pass a function of the parameters that gives "
            "its mean, or one that draws predictions."
        )
    raise ValueError(f"node must be a function f(p, d), or one of {known}; got {node!r}.")


def named(model: Model, replacements: Mapping[Any, Any] | None) -> dict[Any, Any]:
    """Return replacements by name, where those of data that come in batches may be by what gives these.

    Parameters
    ----------
    model : Model
    replacements : mapping of str or Feed to array_like, or None
    """
    names = {feed: name for name, feed in model.definition.feeds.items()}
    return {
        names.get(key, key) if isinstance(key, Feed) else key: value
        for key, value in mapping("more_replacements", replacements).items()
    }


def evaluated(
    model: Model, function: Callable[..., Any], positions: NDArray[np.float64], replacements: Mapping[str, Any] | None
) -> NDArray[Any]:
    """Return what a function gives at each of some unconstrained positions, shape (positions, ...).

    Parameters
    ----------
    model : Model
    function : callable
    positions : ndarray, shape (k, dim)
    replacements : mapping of str to array_like or None
        Values that take the place of parameters or data.

    Raises
    ------
    TypeError
        If a replacement comes in batches.
    ValueError
        If a replacement is of nothing that the model has.
    """
    given = {name: _array(name, value) for name, value in named(model, replacements).items()}
    data = model.data_tuple
    fields = getattr(data, "_fields", ())
    unknown = [name for name in given if name not in model.parameters and name not in fields]
    if unknown:
        known = [*model.parameters, *fields]
        near = meant(unknown[0], known)
        raise ValueError(f"more_replacements names {unknown[0]!r}, which is none of {', '.join(known)}.{near}")
    if fields:
        data = data._replace(**{name: value for name, value in given.items() if name in fields})
    of_parameters = {name: value for name, value in given.items() if name in model.parameters}
    layout = model.layout
    found = []
    missing = {name: places for name, places in model.definition.missing.items() if name not in given}
    for q in positions:
        values = layout.image(q, model.data_tuple)[0]
        p = layout.as_tuple(values)._replace(**of_parameters)
        found.append(np.asarray(function(readonly(p), filled(data, missing, values | of_parameters))))
    return np.array(found)


def _array(name: str, value: Any) -> NDArray[Any]:
    if isinstance(value, Feed):
        what, remedy = value.describe()["what"], value.describe()["remedy"].removeprefix(".") or "batch"
        raise TypeError(f"more_replacements[{name!r}] must be an array, got {what}; pass its {remedy}.")
    return np.asarray(value)


def with_data(model: Model, replacements: Mapping[str, Any] | None) -> Model:
    """Return a model with other data; itself, if there are none.

    Parameters
    ----------
    model : Model
    replacements : mapping of str to array_like or None
        By the names of data.

    Raises
    ------
    ValueError
        If a name is of no data.
    """
    given = named(model, replacements)
    if not given:
        return model
    unknown = [name for name in given if name not in model.definition.data]
    if unknown:
        known, near = ", ".join(model.definition.data) or "none", meant(unknown[0], model.definition.data)
        raise ValueError(
            f"more_replacements names {unknown[0]!r}, which is no data of the model; there are {known}.{near}"
        )
    other = Model.of(model.definition)
    other.set_data(**given)
    check_shapes("more_replacements", model.parameters, other.parameters)
    return other


def check_shapes(label: str, before: Mapping[str, Parameter], now: Mapping[str, Parameter]) -> None:
    """Raise ModelError if other data lack another number of values: these are parameters.

    Parameters
    ----------
    label : str
        What gave the data.
    before, now : mapping of str to Parameter
        Of the model with the data that it had, and with these.
    """
    one, other = ({name: p.shape for name, p in each.items()} for each in (before, now))
    for name in {**one, **other}:
        if one.get(name) != other.get(name):
            raise ModelError(
                f"{label} changes how many values are missing: {name} has shape {one.get(name, (0,))} in this "
                f"approximation, and {other.get(name, (0,))} with such data. Make a new approximation for them."
            )
