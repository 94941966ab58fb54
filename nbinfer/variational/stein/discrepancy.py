"""The kernel Stein discrepancy of draws: a mean of the Stein kernel over all pairs of them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import choice, flag
from nbinfer.engine.driver import cores_for
from nbinfer.errors import ParametrizationError
from nbinfer.model import Model
from nbinfer.model.default import the_model
from nbinfer.spelling import public
from nbinfer.variational.stein.drawn import Drawn, drawn, run_pass
from nbinfer.variational.stein.kernels import RadialKernel, imq, median_bandwidth
from nbinfer.variational.stein.passes import Pass, Quiet
from nbinfer.variational.stein.preconditioned import FOUND, found_root, given_root

Floats = NDArray[np.float64]

#: Draws at most whose distances give the bandwidth.
_FOR_MEDIAN = 1000
#: Numbers of a table of pairs that are there at once.
_AT_ONCE = 2**22


class Coordinates(NamedTuple):
    """Draws and scores where the kernel sees them.

    Attributes
    ----------
    points, scores : ndarray, shape (n, dim)
    bandwidth : float
        Of the kernel.
    """

    points: Floats
    scores: Floats
    bandwidth: float


def in_metric(found: Drawn, kernel: RadialKernel, metric: Any) -> Coordinates:
    """Return draws and scores in the coordinates of a metric, and the kernel's bandwidth there.

    Raises
    ------
    ParametrizationError
        If the metric is none, or all draws are equal.
    """
    points, scores = found.points, found.scores
    if metric is not None:
        root, inverse = _root(metric, points, scores)
        is_dense = root.ndim > 1
        points = points @ inverse.T if is_dense else points * inverse
        scores = scores @ root if is_dense else scores * root
    bandwidth = kernel.bandwidth
    if bandwidth is None:
        some = points[:: -(-len(points) // _FOR_MEDIAN)]
        bandwidth = median_bandwidth(some) * math.log(len(some) + 1.0) / math.log(len(points) + 1.0)
    if not 0.0 < bandwidth < math.inf:
        raise ParametrizationError(
            f"the median distance of the draws gives the bandwidth {bandwidth:g}, for most of them are equal; give the "
            "kernel one, such as nb.IMQ(0.5)."
        )
    return Coordinates(points, scores, float(bandwidth))


def _root(metric: Any, points: Floats, scores: Floats) -> tuple[Floats, Floats]:
    if not isinstance(metric, str):
        return given_root(metric, points.shape[1])
    choice("metric", metric, FOUND)
    try:
        return found_root(points, scores, metric == "dense")
    except (FloatingPointError, np.linalg.LinAlgError):
        raise ParametrizationError(
            f"metric={metric!r}: draws or gradients hardly differ in a coordinate; take metric=None, or give the "
            "precision."
        ) from None


def checked(kernel: Any, cores: int | None) -> int:
    """Check what all functions of draws take; return the number of workers."""
    if not isinstance(kernel, RadialKernel):
        raise TypeError(
            f"kernel must be one that knows its second derivatives, nb.IMQ(), nb.RBF() or another RadialKernel, got "
            f"{kernel!r}."
        )
    return cores_for(cores)


class Pairs:
    """The Stein kernel of all pairs of some draws, some rows at a time.

    Parameters
    ----------
    where : Coordinates
    kernel : RadialKernel
    cores : int
    """

    def __init__(self, where: Coordinates, kernel: RadialKernel, cores: int) -> None:
        self.n, self._cores = len(where.points), cores
        self._pass = Pass(Quiet, where.points, where.scores, cores)
        self._pass.take(kernel, where.bandwidth, where.points, where.scores)

    def __iter__(self) -> Any:
        """Yield the number of the first row, and rows."""
        size = max(1, _AT_ONCE // self.n)
        for first in range(0, self.n, size):
            table = np.zeros((min(size, self.n - first), self.n))
            self._pass.tabulate(first, table)
            run_pass(self._pass, 1, self._cores)
            yield first, table


@public
def ksd(
    draws: Any,
    model: Model | None = None,
    *,
    kernel: Any = imq,
    metric: Any = None,
    unbiased: bool = False,
    cores: int | None = None,
) -> float:
    """Return the squared kernel Stein discrepancy of draws from the posterior [1]_ [2]_.

    It is a mean of the Stein kernel over all pairs of draws, and needs no normalising constant. Of draws of the
    posterior it goes to 0; of a kernel with bandwidth it goes to 0 for no others.

    Parameters
    ----------
    draws : Trace, mapping of str to array_like, shape (chain, draw, ...), or array_like, shape (n, dim)
        Of all parameters; an array has unconstrained positions.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    kernel : RadialKernel
        Default: `IMQ`, whose tails see what others do not, with the documents' bandwidth.
    metric : {'diag', 'dense'} or array_like, optional
        Coordinates that kernel and gradients are taken in, as of `SVGD`; then no unit matters. Default: those of the
        model, unconstrained.
    unbiased : bool
        Whether pairs of a draw with itself are left out: the mean is then right for any number of draws, and may be
        negative.
    cores : int, optional
        Threads; default: all. The result does not depend on it.

    Returns
    -------
    ksd : float
        Squared. It takes n² pairs of n draws, each some ten multiplications for each coordinate.

    Raises
    ------
    ModelError
        If the model has discrete parameters, or density or gradient is not finite at a draw; it says at which.
    TypeError, ValueError
        If these are no draws of the model, or the kernel does not know its second derivatives.

    References
    ----------
    .. [1] Q. Liu, J. Lee and M. Jordan, "A kernelized Stein discrepancy for goodness-of-fit tests", ICML (2016).
    .. [2] J. Gorham and L. Mackey, "Measuring sample quality with kernels", ICML (2017).

    Examples
    --------
    >>> import numpy as np
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real(1)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    >>> draws = np.random.default_rng(1).normal(0.5, 1.0, size=(1000, 1))
    >>> round(nb.ksd(draws, model, kernel=nb.RBF(1.0)), 2)
    0.12
    """
    flag("unbiased", unbiased)
    workers = checked(kernel, cores)
    found = drawn(draws, the_model(model), workers)
    total, itself, n = 0.0, 0.0, len(found.points)
    for first, rows in Pairs(in_metric(found, kernel, metric), kernel, workers):
        total += float(rows.sum())
        itself += float(np.trace(rows[:, first : first + len(rows)]))
    return (total - itself) / (n * (n - 1)) if unbiased else total / n**2
