"""Batch-and-match: normal distributions by what draws and gradients of a batch say, without optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count, positive
from nbinfer.errors import ParametrizationError
from nbinfer.model import Model
from nbinfer.model.default import is_model
from nbinfer.spelling import public, public_by_kind
from nbinfer.variational.batches import FORMS, Matching, MatchingUpdates
from nbinfer.variational.fitting import Settings
from nbinfer.variational.inference import Inference
from nbinfer.variational.objective import ObjectiveFunction
from nbinfer.variational.operators import Operator
from nbinfer.variational.optimizers.rule import Rate
from nbinfer.variational.single_group import of_family
from nbinfer.variational.steps import ObjectiveUpdates
from nbinfer.variational.values import Shared

Floats = NDArray[np.float64]

#: Draws of a batch by default: at least, and at most; as many as there are coordinates between.
LEAST, MOST_DRAWS = 8, 64


class MatchingObjective(ObjectiveFunction):
    """The score-based divergence; made by calling the operator."""

    op: ScoreDivergence

    def updates(  # type: ignore[override]
        self,
        obj_n_mc: int | None = None,
        more_obj_params: Sequence[Shared] | None = None,
        more_updates: Mapping[Shared, Any] | None = None,
        more_replacements: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> ObjectiveUpdates:
        """Return the steps of a fit.

        Parameters
        ----------
        obj_n_mc : int, optional
            Draws of a batch. Default: the operator's.
        more_obj_params : sequence of Shared or array, optional
            Parameters that the user gave to the group, and that are to be moved, too.
        more_updates : mapping of Shared to object, optional
            Values, or functions that give them, that are set after each iteration.
        more_replacements : mapping of str to array_like, optional
            Data to take in the place of the model's.
        **others : object
            None.

        Returns
        -------
        updates : MatchingUpdates

        Raises
        ------
        TypeError
            For options of stochastic optimisers.
        """
        if others:
            raise TypeError(
                f"batch and match takes no {', '.join(others)}: it has no optimiser, and inf_kwargs has n_draws and "
                "learning_rate."
            )
        if obj_n_mc is not None:
            count("obj_n_mc", obj_n_mc, 1, MOST)
        approx, op, moved = self.approx, self.op, self.moved(self.divided(more_obj_params, more_replacements)[1])
        n_draws = obj_n_mc or op.n_draws
        settings = Settings(Matching(op.rates(n_draws)), n_draws, estimator="none")
        return MatchingUpdates(self, approx.fitting(settings, moved, more_replacements), moved, more_updates)


@public
class ScoreDivergence(Operator):
    """The mean square of the difference between the gradients of log q and log p, in standard units of q [1]_.

    Parameters
    ----------
    approx : Approximation
        What is fitted: one group, of family full_rank or low_rank.
    n_draws : int, optional
        Draws of a batch. Default: as many as there are coordinates, but 8 at least and 64 at most.
    learning_rate : float or callable, optional
        Lambda, how much a batch counts beside what was known before; or a function of i, the number of iterations so
        far that have not made the loss smaller by more than noise. Default: ``n_draws * dim / (i + 1)``.

    Raises
    ------
    ParametrizationError
        If what is fitted is no such approximation.

    References
    ----------
    .. [1] D. Cai, C. Modi, L. Pillaud-Vivien, C. C. Margossian, R. M. Gower, D. M. Blei and L. K. Saul, "Batch and
       match: black-box variational inference with a score-based divergence", ICML (2024).
    """

    objective_class = MatchingObjective
    takes_batches = False

    def __init__(self, approx: Any, n_draws: int | None = None, learning_rate: Rate | None = None) -> None:
        super().__init__(approx)
        if len(approx.groups) != 1:
            raise ParametrizationError(f"batch and match fits one group, got {len(approx.groups)}.")
        (group,) = approx.groups
        if not isinstance(group.family, tuple(FORMS)) or group.rowwise:
            raise ParametrizationError(
                f"batch and match fits normal distributions of family full_rank or low_rank, got {group.short_name}"
                f"{' by row' if group.rowwise else ''}; take method='advi' or 'dadvi' for others."
            )
        if n_draws is not None:
            count("n_draws", n_draws, 1, MOST)
        if learning_rate is not None and not callable(learning_rate):
            positive("learning_rate", learning_rate)
        self.n_draws = n_draws or min(max(LEAST, approx.ndim), MOST_DRAWS)
        self._learning_rate = learning_rate

    def loss(self, f: Any, draws: int, replacements: Mapping[str, Any] | None = None) -> float:
        """Return minus the evidence lower bound at new draws."""
        loss: float = self.approx.loss(draws, 1.0, replacements)
        return loss

    def rates(self, n_draws: int) -> Rate:
        """Return the learning rate of each iteration, for batches of so many draws."""
        first = float(n_draws * self.approx.ndim)
        return self._learning_rate or (lambda i: first / (i + 1.0))


@public
class BaM(Inference):
    """Batch and match: a normal distribution whose gradients agree with the posterior's at batches of its draws [1]_.

    Each iteration solves for mean and covariance; there is no step size to be found. If the posterior is a normal
    distribution, the fit is exact after a few iterations and ends; else it goes on to the last one, with ever smaller
    moves. ``hist`` has minus the evidence lower bound all the same.

    Parameters
    ----------
    local_rv : mapping, optional
        None: the method knows no local parameters.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: where a climb from unconstrained 0 ends.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1. As long as they are too wide
        for a batch to tell anything, the first iterations make them smaller.
    vfam : {'full_rank', 'low_rank'}
        The family. Iterations of low_rank take memory and time in proportion to the coordinates [2]_.
    rank : int, optional
        Of low_rank, see `LowRank`.
    n_draws : int, optional
        Draws of a batch. Default: as many as there are coordinates, but 8 at least and 64 at most.
    learning_rate : float or callable, optional
        How much a batch counts, see `ScoreDivergence`.

    Raises
    ------
    ParametrizationError
        If the family is another.

    References
    ----------
    .. [1] D. Cai, C. Modi, L. Pillaud-Vivien, C. C. Margossian, R. M. Gower, D. M. Blei and L. K. Saul, "Batch and
       match: black-box variational inference with a score-based divergence", ICML (2024).
    .. [2] C. Modi, D. Cai and L. K. Saul, "Batch, match, and patch: low-rank approximations for score-based variational
       inference", AISTATS (2025).

    Examples
    --------
    >>> import numpy as np
    >>> import nbinfer as nb
    >>> precision = np.linalg.inv([[1.0, 0.9], [0.9, 1.0]])
    >>> model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x @ (d.P @ p.x), data={"P": precision})
    >>> approx = nb.BaM(model=model, random_seed=1).fit(200, progressbar=False)
    >>> approx.report.converged, approx.cov.round(6)
    (True, array([[1. , 0.9],
           [0.9, 1. ]]))
    """

    @public_by_kind(model=is_model)
    def __init__(
        self,
        local_rv: Any = None,
        model: Model | None = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
        start_sigma: float | Mapping[str, Any] | None = None,
        *,
        vfam: str = "full_rank",
        rank: int | None = None,
        n_draws: int | None = None,
        learning_rate: Rate | None = None,
    ) -> None:
        given = (local_rv, model, random_seed, start, start_sigma)
        approx = of_family(vfam, ("full_rank", "low_rank"), rank, *given)
        super().__init__(ScoreDivergence, approx, None, n_draws=n_draws, learning_rate=learning_rate)
        self._climbs = start is None

    def begin(self, *args: Any, **kwargs: Any) -> None:
        super().begin(*args, **kwargs)
        assert isinstance(self._updates, MatchingUpdates)
        self._updates.climbs = self._climbs
