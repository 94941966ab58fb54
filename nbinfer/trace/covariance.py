"""Covariance of the draws of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import words
from nbinfer.spelling import public
from nbinfer.trace.names import UnknownNameError, unknown

if TYPE_CHECKING:
    from nbinfer.trace.trace import Trace


@public
def trace_cov(trace: Trace, vars: str | Sequence[str] | None = None, model: Any = None) -> NDArray[np.float64]:
    """Return the covariance matrix of the draws of some variables.

    Parameters
    ----------
    trace : Trace
        Its finished draws of all chains are used.
    vars : str or sequence of str, optional
        Variables, flattened in this order, the last axis fastest. Default: the parameters of `model`, or
        without a model every variable.
    model : Model, optional
        Only asked for the names of its parameters.

    Returns
    -------
    cov : ndarray, shape (n, n)
        ``n`` is the number of scalars in the variables; divided by the number of draws minus one.

    Raises
    ------
    ValueError
        If no variable is named, or fewer than two draws are finished.

    Examples
    --------
    >>> from nbinfer.trace import Trace
    >>> trace = Trace({"x": np.array([[1.0, 2.0, 3.0]]), "y": np.array([[[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]]])})
    >>> trace_cov(trace, ["y", "x"])
    array([[ 1., -1.,  1.],
           [-1.,  1., -1.],
           [ 1., -1.,  1.]])
    """
    if not hasattr(trace, "get_values"):
        raise TypeError(f"trace must be a Trace, got {type(trace).__name__}.")
    if model is not None and not hasattr(model, "parameters"):
        raise TypeError(f"model must be an nbinfer.Model, got {type(model).__name__}.")
    if vars is None:
        vars = trace.varnames if model is None else list(model.parameters)
    names = words("vars", vars)
    if not names:
        raise ValueError("vars must name at least one variable, got none")
    draws = int(trace.draws_done.sum())
    if draws < 2:
        raise ValueError(f"a covariance needs at least 2 draws, the trace has {draws}")
    for name in names:
        if name not in trace.varnames:
            raise UnknownNameError(unknown("variable", name, trace.varnames, "vars: "))
    columns = [np.asarray(trace.get_values(name), np.float64).reshape(draws, -1) for name in names]
    return np.atleast_2d(np.cov(np.concatenate(columns, axis=1), rowvar=False))
