"""Metrics that are learnt in warm-up, as objects and by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import count
from nbinfer.engine.state import Memory
from nbinfer.errors import PositiveDefiniteError
from nbinfer.mcmc.adaptation import warmup
from nbinfer.mcmc.adaptation.regimes import FIRST, look_at
from nbinfer.mcmc.metric import kernel as metrics
from nbinfer.mcmc.metric.definite import coordinates, positive_diagonal, symmetric_and_positive, weakest
from nbinfer.mcmc.metric.kernel import Adaptation
from nbinfer.mcmc.metric.low_rank import most_of, window_of
from nbinfer.mcmc.metric.potential import Floats, QuadPotential
from nbinfer.spelling import public


class _Learnt(QuadPotential):
    """What metrics have in common that estimate a (co)variance from a first estimate and the draws."""

    def __init__(
        self, n: Any, initial_mean: Any, initial_weight: Any, adaptation_window: Any, random_seed: int | None
    ) -> None:
        super().__init__(n, random_seed)
        self._mean = None if initial_mean is None else np.array(initial_mean, np.float64)
        self._weight = float(initial_weight)
        self._window = adaptation_window
        if self._mean is not None and self._mean.shape != (self.n,):
            raise ValueError(f"initial_mean must have shape ({self.n},), n of them, got {self._mean.shape}.")
        if not 0.0 <= self._weight < np.inf:
            raise ValueError(f"initial_weight must be a number of draws, got {initial_weight!r}.")
        count("adaptation_window", adaptation_window, 2, 2**31)

    def initialise(self, metric: Memory, schedule: Memory, tune: float, position: Floats) -> None:
        super().initialise(metric, schedule, tune, position)
        n = position.shape[-1]
        inv_mass = self.first(n)[0]
        metric.estimators[..., :n] = position if self._mean is None else self._mean
        metric.estimators[..., n : n + inv_mass.size] = inv_mass.ravel() * self._weight
        metric.count_0 = self._weight

    def schedule(self, n: int, tune: float) -> dict[str, float]:
        return warmup.windows(tune, self._window, 1.0)

    def _estimate(self) -> tuple[Floats, float, Any]:
        """Return the sums of the estimator in use, and its count."""
        metric = self._memory.metric
        which = int(metric.foreground)
        size = metrics.estimator_size(self._size, self.adaptation)
        estimator = metric.estimators[which * size : (which + 1) * size]
        return estimator[self._size :], float(getattr(metric, f"count_{which}")), metric


@public
class QuadPotentialDiagAdapt(_Learnt):
    """A diagonal metric of variances, learnt from the draws.

    Parameters
    ----------
    n : int, optional
        Number of coordinates. Default: as many as the step moves.
    initial_mean : array_like, shape (n,), optional
        First estimate of the mean. Default: where the chain begins.
    initial_diag : array_like, shape (n,), optional
        First estimate of the variances. Default: ones.
    initial_weight : float
        How many draws the first estimate is worth.
    adaptation_window : int
        Each so many draws, what was learnt before the last window is forgotten.
    random_seed : int, optional
        Of the momenta that `random` returns.

    Notes
    -----
    In a run, a draw that repeats the one before teaches nothing.
    """

    adaptation = Adaptation.VARIANCE

    def __init__(
        self,
        n: int | None = None,
        initial_mean: ArrayLike | None = None,
        initial_diag: ArrayLike | None = None,
        initial_weight: float = 10,
        adaptation_window: int = 101,
        random_seed: int | None = None,
    ) -> None:
        super().__init__(n, initial_mean, initial_weight, adaptation_window, random_seed)
        self._diagonal = None if initial_diag is None else positive_diagonal("initial_diag", initial_diag)
        if self._diagonal is not None and self._diagonal.shape != (self.n,):
            raise ValueError(f"initial_diag must have shape ({self.n},), n of them, got {self._diagonal.shape}.")

    def first(self, n: int) -> tuple[Floats, Floats]:
        diagonal = np.ones(n) if self._diagonal is None else self._diagonal
        return diagonal, diagonal**-0.5

    def raise_ok(self, vmap: Sequence[str] | None = None) -> None:
        sums, draws, _ = self._estimate()
        spreads = np.sqrt(sums[: self._size] / max(draws, 1.0))
        bad = np.flatnonzero(~((spreads > 0.0) & np.isfinite(spreads)))
        if bad.size:
            raise PositiveDefiniteError(
                f"the draws have a standard deviation of {spreads[bad[0]]:g} at {coordinates(bad, vmap)}: no metric "
                "can be learnt from them.",
                bad,
            )


@public
class QuadPotentialDiagAdaptGrad(QuadPotentialDiagAdapt):  # numpydoc ignore=PR02
    """A diagonal metric of variances, and after 150 draws of 1 / (mean absolute gradient)².

    Parameters
    ----------
    n : int, optional
        Number of coordinates. Default: as many as the step moves.
    initial_mean : array_like, shape (n,), optional
        First estimate of the mean. Default: where the chain begins.
    initial_diag : array_like, shape (n,), optional
        First estimate of the variances. Default: ones.
    initial_weight : float
        How many draws the first estimate is worth.
    adaptation_window : int
        Each so many draws, what was learnt before the last window is forgotten; of gradients, each 100 draws.
    random_seed : int, optional
        Of the momenta that `random` returns.
    """

    adaptation = Adaptation.SLOPES


@public
class QuadPotentialFullAdapt(_Learnt):
    """A dense metric of the covariance, learnt from the draws.

    Parameters
    ----------
    n : int, optional
        Number of coordinates. Default: as many as the step moves.
    initial_mean : array_like, shape (n,), optional
        First estimate of the mean. Default: where the chain begins.
    initial_cov : array_like, shape (n, n), optional
        First estimate of the covariance. Default: the identity.
    initial_weight : float
        How many draws the first estimate is worth.
    adaptation_window : int
        After so many draws, what was learnt before the last window is forgotten.
    doubling : bool
        Whether each window is twice as long as the one before.
    random_seed : int, optional
        Of the momenta that `random` returns.

    Notes
    -----
    An estimate that is not positive definite is not used: the one before stays, and `raise_ok` tells.
    """

    adaptation = Adaptation.DENSE
    dense = 1

    def __init__(
        self,
        n: int | None = None,
        initial_mean: ArrayLike | None = None,
        initial_cov: ArrayLike | None = None,
        initial_weight: float = 10,
        adaptation_window: int = 101,
        doubling: bool = True,
        random_seed: int | None = None,
    ) -> None:
        super().__init__(n, initial_mean, initial_weight, adaptation_window, random_seed)
        self._growth = 2.0 if doubling else 1.0
        self._first = None if initial_cov is None else symmetric_and_positive("initial_cov", initial_cov)
        if self._first is not None and len(self._first[0]) != self.n:
            raise ValueError(f"initial_cov must have shape ({self.n}, {self.n}), got {self._first[0].shape}.")

    def first(self, n: int) -> tuple[Floats, Floats]:
        return (np.eye(n), np.eye(n)) if self._first is None else self._first

    def schedule(self, n: int, tune: float) -> dict[str, float]:
        return warmup.windows(tune, self._window, self._growth)

    def raise_ok(self, vmap: Sequence[str] | None = None) -> None:
        sums, draws, metric = self._estimate()
        if metric.failures == 0:
            return
        n = self._size
        products = np.tril(sums.reshape(n, n)) / max(draws - 1.0, 1.0)
        covariance = products + np.tril(products, -1).T
        reason, indices = weakest(covariance)
        raise PositiveDefiniteError(
            f"the covariance of the draws was {metric.failures} times not positive definite, and not used; now "
            f"{reason}, at {coordinates(indices, vmap)}.",
            indices,
        )


class _Fisher(QuadPotential):
    """The metric called 'fisher_diag': nutpie's."""

    adaptation = Adaptation.FISHER

    def schedule(self, n: int, tune: float) -> dict[str, float]:
        return warmup.phases(tune, 10)


class _FisherLowRank(_Fisher):
    """The metric called 'fisher': the same, and directions where the posterior is correlated."""

    keeps_all = False

    def directions(self, n: int, tune: float) -> int:
        learns = n > 1 and tune < np.inf and self.schedule(n, tune)["final_start"] >= FIRST  # outside of a run, none
        return most_of(n) if learns else 0

    def initialise(self, metric: Memory, schedule: Memory, tune: float, position: Floats) -> None:
        super().initialise(metric, schedule, tune, position)
        n = position.shape[-1]
        most = self.directions(n, tune)
        if most:
            low, regime = metric.low_rank, schedule.regime
            low.capacity, low.most, low.keeps_all = window_of(n, tune), most, self.keeps_all
            regime.following, regime.final_start = FIRST, schedule.final_start
        self.connect(metric)

    def connect(self, metric: Memory) -> None:
        """Write what learns directions, and for which metric; who learns none need not compile it."""
        if np.any(metric.low_rank.capacity):
            metric.low_rank.look, metric.low_rank.metric = look_at.address, metric.address


class _Dense(_FisherLowRank):
    """The metric called 'dense': the same with all directions."""

    keeps_all = True

    def directions(self, n: int, tune: float) -> int:
        return n if super().directions(n, tune) else 0


class FisherFrom(_FisherLowRank):
    """The metric called 'fisher', begun at variances that are known.

    Parameters
    ----------
    mean, variances : ndarray, shape (n,)
    weight : float
        How many draws they are worth.
    """

    def __init__(self, mean: Floats, variances: Floats, weight: float) -> None:
        super().__init__(len(mean))
        self._mean, self._variances, self._weight = mean, variances, weight

    def first(self, n: int) -> tuple[Floats, Floats]:
        return self._variances, self._variances**-0.5

    def initialise(self, metric: Memory, schedule: Memory, tune: float, position: Floats) -> None:
        super().initialise(metric, schedule, tune, position)
        n, weight = position.shape[-1], self._weight
        metric.keeps_first = 1
        # Draws vary by the variances and gradients by their inverses, around 0: so it is for a normal distribution.
        first = [self._mean, weight * self._variances, np.zeros(n), weight / self._variances]
        metric.estimators[..., : 4 * n] = np.concatenate(first)
        metric.count_0 = weight


#: The metrics that have a name.
NAMED: dict[str, Callable[[], QuadPotential]] = {
    "fisher": _FisherLowRank,
    "fisher_diag": _Fisher,
    "dense": _Dense,
    "diag": QuadPotentialDiagAdapt,
    "diag_grad": QuadPotentialDiagAdaptGrad,
    "unit": QuadPotential,
}
