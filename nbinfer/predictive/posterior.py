"""Posterior predictive draws: what might have been observed, or will be, at each draw of a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import Progressbar
from nbinfer.errors import ModelError
from nbinfer.model import Model
from nbinfer.model.data import entries_of
from nbinfer.model.default import is_model, the_model
from nbinfer.model.definition import Definition
from nbinfer.predictive.draws import Draws, draws_of, named
from nbinfer.predictive.functions import label_in, observed_shapes, spelled, wanted
from nbinfer.predictive.new_data import check_reading, with_new_data
from nbinfer.predictive.over import Evaluated, evaluate, key_for, say_interrupted
from nbinfer.spelling import public_by_kind
from nbinfer.trace import Trace
from nbinfer.trace.groups import TraceGroup


@public_by_kind(model=is_model)
def sample_posterior_predictive(
    trace: Trace,
    model: Model | None = None,
    vars: str | Sequence[str] | None = None,
    *,
    var_names: str | Sequence[str] | None = None,
    random_seed: Any = None,
    progressbar: Progressbar = True,
    cores: int | None = None,
    data: Any = None,
    coords: Mapping[str, Any] | None = None,
) -> TraceGroup:
    """Predict what is observed, once at each draw of every chain.

    Parameters
    ----------
    trace : Trace
        Draws of the model's parameters: from `sample`, a file, or ``approx.sample``.
    model : Model, optional
        With functions that predict, given or derived from its likelihood. Default: that of the enclosing ``with``
        block.
    vars : str or sequence of str, optional
        What to predict. Derived quantities may be among them, computed with the data that count here. Default: all that
        the model predicts.
    var_names : str or sequence of str, optional
        PyMC's name of `vars`.
    random_seed : None, int, SeedSequence or Generator
        The same seed gives the same numbers, bit for bit, for any number of cores and whatever else is predicted.
    progressbar : bool or callable
        Whether to show progress, or a function that is told of it; as of `nbinfer.sample`.
    cores : int, optional
        Threads at most. Default: as many as there are cores.
    data : mapping of str to array_like, or table, optional
        New values of some of the model's data, of the same types and numbers of dimensions and of any lengths. Only
        what the predictions read need be given, and not what is observed: its lengths follow.
    coords : mapping of str to array_like, optional
        Labels along axes of the new data and of what is predicted for them, by the names in the model's ``dims``.
        Without any, axes that keep their length keep the model's labels; others are numbered.

    Returns
    -------
    group : TraceGroup
        Arrays (chain, draw, ...) by name, of kind "posterior_predictive"; with new data "predictions", with those in
        ``group.data``. It belongs to no trace yet. Rows that a chain has not reached, or that Ctrl-C has kept from
        being predicted, hold `nbinfer.trace.fill_value`.

    Raises
    ------
    ModelError
        If the model predicts nothing; if the trace is of another model; if a prediction has another shape than the data
        of its name, or another one at some draw than at the first; if new data are of another type, or lack an entry,
        or labels do not fit.
    IndexError
        If new data hold an index that is out of range.
    CompileError
        If a function cannot be compiled.

    See Also
    --------
    sample_ppc : The same in one row of samples.
    simulate : One prediction from one point.

    Examples
    --------
    >>> import numpy as np
    >>> import nbinfer as nb
    >>> def logp(p, d):
    ...     return -0.5 * (d.y[0] - p.mu) ** 2
    >>> def predict(p, d, rng):
    ...     return p.mu + rng.normal(0.0, 1.0, d.y.size)
    >>> model = nb.Model({"mu": nb.real()}, logp=logp, predict={"y": predict}, data={"y": [1.5]})
    >>> trace = nb.Trace({"mu": np.random.default_rng(1).normal(1.5, 1.0, (4, 500))})
    >>> predicted = nb.sample_posterior_predictive(trace, model, random_seed=1)
    >>> predicted["y"].shape
    (4, 500, 1)
    """
    argument, names = spelled(vars, var_names)
    own = named(the_model(model), whole=data is None)
    data = None if data is None else entries_of(data)
    functions = wanted(own, names, argument)
    definition = own if data is None else with_new_data(own, data, functions)
    draws = draws_of(own, trace)
    items = draws.items()
    axes = own.axes
    if data is not None:
        shapes = check_reading(own, definition, functions, label_in(own), draws.point(*items[["row", "draw"]][0]))
        axes = axes.replaced(shapes, coords)
    elif coords is not None:
        raise ModelError("coords are labels of new data, and no data are given; those of the model are its own")
    key, fixed = key_for(random_seed), definition.data if data is None else data
    values, done = predicted(definition, draws, functions, items, draws.places, key, progressbar, cores, fixed)
    if not done.all():
        say_interrupted(done, "draws were predicted from; the others hold nbinfer.trace.fill_value")
    axes = axes.of([*functions, *(data or ())])
    return TraceGroup(
        "posterior_predictive" if data is None else "predictions",
        {name: draws.by_chain(array) for name, array in values.items()},
        chain_ids=draws.chain_ids,
        dims=axes.dims,
        coords=axes.coords,
        attrs={} if done.all() else {"interrupted": True},
        data=None if data is None else {name: definition.data[name].array for name in data},
    )


def predicted(
    definition: Definition,
    draws: Draws,
    functions: Mapping[str, Callable[..., Any]],
    items: NDArray[Any],
    places: int,
    key: NDArray[np.uint64],
    progressbar: Progressbar,
    cores: int | None = None,
    fixed: Iterable[str] | None = None,
) -> Evaluated:
    """Predict at items, see `nbinfer.predictive.over.evaluate`; `fixed` are the data that tell shapes, else all do."""
    return evaluate(
        definition,
        draws,
        functions,
        items,
        places,
        key,
        cores=cores,
        progressbar=progressbar,
        label=label_in(definition),
        shapes=observed_shapes(definition, definition.data if fixed is None else fixed),
        what="predictions",
    )
