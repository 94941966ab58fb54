"""The kernelised Stein gradient of an approximation, in parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count, flag, instance, positive
from nbinfer.errors import ParametrizationError
from nbinfer.spelling import public
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.stein.kernels import RadialKernel, rbf

Floats = NDArray[np.float64]


def joint_histogram(approx: Approximation) -> Floats:
    """Return the rows of the histograms of all groups, in the model's order, shape (n, ndim).

    Raises
    ------
    ParametrizationError
        If a group has no histogram, or they have different numbers of rows.
    """
    if not approx.all_histograms:
        raise ParametrizationError(f"particles are rows of histograms, and the approximation is {approx.short_title}.")
    rows = [group.params_dict["histogram"].get_value(borrow=True) for group in approx.groups]
    sizes = {len(each) for each in rows}
    if len(sizes) > 1:
        raise ParametrizationError(
            f"the histograms of all groups must have as many rows, one for each particle, got {sorted(sizes)}."
        )
    found = np.zeros((sizes.pop(), approx.ndim))
    for group, each in zip(approx.groups, rows, strict=True):
        found[:, group.coordinates] = each.reshape(len(each), -1)
    return found


@public
class Stein:
    r"""The direction in which particles, or draws, come to the posterior fastest, as a kernel sees it [1]_.

    .. math:: \phi_i = \frac1n \sum_j \Big[\frac1T k(x_j, x_i) \nabla\log p(x_j) + \nabla_{x_j} k(x_j, x_i)\Big]

    Parameters
    ----------
    approx : Approximation
        Whose particles or draws these are.
    kernel : Kernel or callable
        A function of points that returns `Kxy` and `dxkxy`.
    use_histogram : bool
        Whether the points are all rows of the histograms, where all groups have one; else they are draws.
    temperature : float
        What the density part is divided by, see `KSD`.
    draws : int
        How many draws, where the points are draws.
    random_seed : None, int, SeedSequence or Generator
        Of these. Default: the approximation's own stream goes on.

    Notes
    -----
    ``log p`` is divided by `Approximation.symbolic_normalizing_constant`, and so is the repulsive part, as in PyMC:
    `grad` is the direction divided by that constant, which is 1 unless `total_size` scales a term. `density_part_grad`
    has that division in `dlogp`. Everything is found when it is asked for; a fit makes no table of pairs.

    References
    ----------
    .. [1] Q. Liu and D. Wang, "Stein variational gradient descent: a general purpose Bayesian inference algorithm",
       NeurIPS (2016).

    Examples
    --------
    >>> import numpy as np
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    >>> approx = nb.Empirical(size=3, model=model, random_seed=1)
    >>> nb.Stein(approx, nb.RBF(bandwidth=1.0)).grad.shape
    (3, 1)
    """

    def __init__(
        self,
        approx: Approximation,
        kernel: Any = rbf,
        use_histogram: bool = True,
        temperature: float = 1.0,
        *,
        draws: int = 100,
        random_seed: Any = None,
    ) -> None:
        self.approx = instance("approx", approx, Approximation, "an Approximation")
        if not callable(kernel) or isinstance(kernel, type):
            raise TypeError(f"kernel must be a kernel, such as nb.RBF(), or a function of points, got {kernel!r}.")
        positive("temperature", temperature)
        count("draws", draws, 1, MOST)
        self.kernel, self.temperature = kernel, float(temperature)
        self.use_histogram = flag("use_histogram", use_histogram) and approx.all_histograms
        self._drawn = None if self.use_histogram else approx.draw(draws, random_seed).positions

    @classmethod
    def at(cls, approx: Approximation, kernel: Any, temperature: float, points: Floats) -> Stein:
        """Return the parts at points that are given, shape (n, ndim)."""
        made = cls(approx, kernel, False, temperature, draws=1, random_seed=0)
        made._drawn = np.asarray(points, np.float64)
        return made

    @property
    def _constant(self) -> float:
        return float(self.approx.symbolic_normalizing_constant)

    @property
    def input_joint_matrix(self) -> Floats:
        """The points, shape (n, ndim): particles as they are now, or draws."""
        return joint_histogram(self.approx) if self._drawn is None else self._drawn

    @property
    def approx_symbolic_matrices(self) -> list[Floats]:
        """The points by group, each of shape (n, ndim of the group)."""
        points = self.input_joint_matrix
        return [points[:, group.coordinates] for group in self.approx.groups]

    @property
    def logp_norm(self) -> Floats:
        """Log density at the points, divided by the normalising constant, shape (n,)."""
        found: Floats = self.approx.densities.at(self.input_joint_matrix) / self._constant
        return found

    @property
    def dlogp(self) -> Floats:
        """Its gradients, shape (n, ndim)."""
        points = np.ascontiguousarray(self.input_joint_matrix)
        _, grads = self.approx.densities.bound.values_and_grads(points)
        assert grads is not None
        found: Floats = grads / self._constant
        return found

    @property
    def Kxy(self) -> Floats:  # noqa: N802
        """Values of the kernel at all pairs of points, shape (n, n)."""
        found: Floats = self.kernel(self.input_joint_matrix)[0]
        return found

    @property
    def dxkxy(self) -> Floats:
        """Sums of its derivatives with respect to the first point of each pair, shape (n, ndim)."""
        found: Floats = self.kernel(self.input_joint_matrix)[1]
        return found

    @property
    def density_part_grad(self) -> Floats:
        """What pulls the points up the density, shape (n, ndim): ``Kxy @ dlogp``."""
        found: Floats = self.Kxy @ self.dlogp
        return found

    @property
    def repulsive_part_grad(self) -> Floats:
        """What pushes them apart, shape (n, ndim): `dxkxy` over the normalising constant."""
        return self.dxkxy / self._constant

    @property
    def grad(self) -> Floats:
        """The direction, shape (n, ndim): a mean over the points, so that more of them do not mean longer steps."""
        both = self.density_part_grad / self.temperature + self.repulsive_part_grad
        found: Floats = both / len(self.input_joint_matrix)
        return found

    @property
    def ksd(self) -> float:
        """The squared kernel Stein discrepancy of the points from the posterior, a mean over all pairs [2]_.

        It is 0 in the limit of points that are draws of the posterior, and needs no normalising constant.

        Raises
        ------
        NotImplementedError
            If the kernel does not know its second derivatives.

        References
        ----------
        .. [2] Q. Liu, J. Lee and M. Jordan, "A kernelized Stein discrepancy for goodness-of-fit tests", ICML (2016).
        """
        if not isinstance(self.kernel, RadialKernel):
            raise NotImplementedError(f"ksd needs second derivatives, which {self.kernel!r} lacks; take RBF or IMQ.")
        z, scores = self.input_joint_matrix, self.dlogp * self._constant
        squared, values, slopes, curves = self.kernel.weights(z)
        along = scores @ z.T - np.sum(scores * z, axis=1)[:, None]  # scores of i times the way from i to j
        both = values * (scores @ scores.T) - slopes * (along + along.T)
        return float(np.mean(both + z.shape[1] * slopes - squared * curves))
