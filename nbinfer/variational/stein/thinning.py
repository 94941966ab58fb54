"""Stein thinning: those few draws that stand for the posterior best, of any that there are.

References
----------
.. [1] M. Riabiz, W. Y. Chen, J. Cockayne, P. Swietach, S. A. Niederer, L. Mackey and C. J. Oates, "Optimal thinning of
   MCMC output", J. Roy. Stat. Soc. B 84 (2022).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count
from nbinfer.model import Model
from nbinfer.model.default import the_model
from nbinfer.spelling import public
from nbinfer.trace import Trace
from nbinfer.variational.densities import Densities
from nbinfer.variational.stein.discrepancy import Coordinates, checked, in_metric
from nbinfer.variational.stein.drawn import drawn, run_pass
from nbinfer.variational.stein.kernels import RadialKernel, imq
from nbinfer.variational.stein.passes import Pass, Quiet

Floats = NDArray[np.float64]


@public
def stein_thinning(
    draws: Any,
    n: int,
    model: Model | None = None,
    *,
    kernel: Any = imq,
    metric: Any = "diag",
    cores: int | None = None,
) -> Trace:
    """Choose those draws that stand for the posterior best, one after the other [1]_.

    Each is the one that makes the kernel Stein discrepancy of those chosen smallest. Gradients at all draws are
    evaluated first, so that it does not matter how the draws came about: warm-up may be among them, a chain may have
    been too short, or a sampler biased. A draw may be chosen more than once.

    Parameters
    ----------
    draws : Trace, mapping of str to array_like, shape (chain, draw, ...), or array_like, shape (draws, dim)
        Draws of all parameters; an array has unconstrained positions.
    n : int
        How many to choose.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    kernel : RadialKernel
        Default: `IMQ` whose bandwidth is half the median squared distance over log(draws + 1), "sclmed" of [1]_.
    metric : {'diag', 'dense'} or array_like, optional
        Coordinates that kernel and gradients are taken in, as of `SVGD`: each in a scale of its own by default, as [1]_
        has it; 'dense' is its "smpcov", but by draws and gradients together; an array is a precision. None: those of
        the model, unconstrained.
    cores : int, optional
        Threads; default: all. The result does not depend on it.

    Returns
    -------
    trace : Trace
        One chain of the chosen draws, in the order of their choice, with derived quantities. Its statistics
        ``source_chain`` and ``source_draw`` tell where each stands in `draws`, and ``ksd`` the squared discrepancy of
        those up to it.

    Raises
    ------
    ModelError
        If the model has discrete parameters, or density or gradient is not finite at a draw; it says at which.
    TypeError, ValueError
        If these are no draws of the model, or the kernel does not know its second derivatives.

    Notes
    -----
    Of m draws it takes m n evaluations of the kernel, and m gradients.

    References
    ----------
    .. [1] M. Riabiz, W. Y. Chen, J. Cockayne, P. Swietach, S. A. Niederer, L. Mackey and C. J. Oates, "Optimal thinning
       of MCMC output", J. Roy. Stat. Soc. B 84 (2022).

    Examples
    --------
    >>> import numpy as np
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real(1)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    >>> draws = np.random.default_rng(1).normal(0.5, 1.0, size=(1000, 1))
    >>> thinned = nb.stein_thinning(draws, 30, model)
    >>> bool(abs(thinned["x"].mean()) < 0.1)
    True
    """
    workers = checked(kernel, cores)
    count("n", n, 1, MOST)
    model = the_model(model)
    found = drawn(draws, model, workers)
    chosen, values = _chosen(in_metric(found, kernel, metric), n, kernel, workers)
    picked = np.arange(1, n + 1)
    statistics = {
        "ksd": 2.0 * np.cumsum(values) / picked**2,
        "source_chain": found.chain[chosen],
        "source_draw": found.draw[chosen],
    }
    quantities = Densities(model).values_at(found.points[chosen])
    return Trace(
        {name: value[None] for name, value in quantities.items()},
        {name: value[None] for name, value in statistics.items()},
        **model.shown,
        attrs={"parameters": list(model.parameters), "inference_method": "Stein thinning"},
    )


def _chosen(where: Coordinates, n: int, kernel: RadialKernel, cores: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the draws that are chosen, and half of each one's pair with itself with its pairs with those before."""
    points, scores, bandwidth = where
    values, slopes, _ = kernel.of_squared(np.zeros(1), bandwidth)
    halves = 0.5 * (values[0] * np.sum(scores**2, axis=1) + slopes[0] * points.shape[1])
    chosen, best = np.zeros(n, np.int64), np.zeros(n)
    passing = Pass(Quiet, points, scores, cores)
    passing.take(kernel, bandwidth, points, scores)
    passing.choose(halves, chosen, best)
    run_pass(passing, n, cores)
    return chosen, best
