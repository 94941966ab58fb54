"""DADVI: the Kullback-Leibler divergence made small at noise that stays the same, until it is at a minimum."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.arguments import MOST, count, is_number
from nbinfer.diagnostics.problem import Kind
from nbinfer.model import Model
from nbinfer.model.default import is_model
from nbinfer.optimize.lbfgs import Outcome
from nbinfer.random import key_of
from nbinfer.spelling import public, public_by_kind
from nbinfer.variational import fixed_noise
from nbinfer.variational.densities import FITTING
from nbinfer.variational.fitting import Settings
from nbinfer.variational.group import Group
from nbinfer.variational.inference import Inference
from nbinfer.variational.objective import ObjectiveFunction
from nbinfer.variational.operators import KL
from nbinfer.variational.report import Verdict, problem
from nbinfer.variational.sample_average import ENOUGH, SampleAverage, advance, is_flat
from nbinfer.variational.single_group import of_family
from nbinfer.variational.steps import ObjectiveUpdates
from nbinfer.variational.values import Shared

#: An iteration that gains so little, in nats, counts as one without gain.
TOLERANCE = 1e-9
#: Draws for the bound at fresh noise.
FRESH = 1000

_STUCK = problem(
    Kind.SEARCH,
    "The search has ended where no step along the gradient lowers the loss, though there is a slope: the gradient of "
    "the density is not its own, or it jumps there. nb.check_grad tells.",
)


class SampleAverageUpdates(ObjectiveUpdates):
    """Iterations of L-BFGS, which end at a minimum."""

    @property
    def why_not_kept(self) -> str:
        return "DADVI searches at fixed noise and cannot begin on its way; leave checkpoint out, or take nb.ADVI"

    def ends(self) -> bool:
        return int(self.fitting.rule.settled) >= ENOUGH

    def verdict(self, thorough: bool) -> Verdict:
        own, stuck = self.fitting.rule, False
        if self.ends() and own.outcome == Outcome.STUCK:
            stuck = not is_flat(own)
        converged, problems = self.ends() and not stuck, (_STUCK,) if stuck else ()
        if not thorough or not own.begun:
            return Verdict(converged, problems)
        fresh, beta = self._at_fresh_noise(), self.fitting.settings.beta
        if not len(fresh):
            return Verdict(converged, problems)
        error = float(fresh.std()) / math.sqrt(len(fresh))
        return Verdict(converged, problems, beta * float(own.search.logp - fresh.mean()), beta * error)

    def _at_fresh_noise(self) -> Any:
        """Return log p less log q of new draws, those that have a density."""
        approx, fitting = self.objective.approx, self.fitting
        found = approx.draw(FRESH, approx.next_sequence())
        fresh = fitting.densities.at(found.positions, FITTING, up_to_constants=True) - found.logq
        return fresh[np.isfinite(fresh)]


class SampleAverageObjective(ObjectiveFunction):
    """The divergence at noise that stays the same; made by calling the operator."""

    op: SampleAverageKL

    def updates(  # type: ignore[override]
        self,
        more_obj_params: Sequence[Shared] | None = None,
        more_updates: Mapping[Shared, Any] | None = None,
        more_replacements: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> ObjectiveUpdates:
        """Return the steps of a fit.

        Parameters
        ----------
        more_obj_params : sequence of Shared or array, optional
            Parameters that the user gave to groups, and that are to be moved, too.
        more_updates : mapping of Shared to object, optional
            Values, or functions that give them, that are set after each iteration.
        more_replacements : mapping of str to array_like, optional
            Data to take in the place of the model's.
        **others : object
            None.

        Returns
        -------
        updates : SampleAverageUpdates

        Raises
        ------
        TypeError
            For options of stochastic optimisers.
        """
        if others:
            raise TypeError(
                f"a fit at fixed noise takes no {', '.join(others)}: L-BFGS needs no optimiser and ends by itself; "
                "inf_kwargs has n_draws and noise."
            )
        approx, op = self.approx, self.op
        moved = self.moved(self.divided(more_obj_params, more_replacements)[1])
        rule = op.rule([*moved, *(group for group in approx.groups if group not in moved)])
        settings = Settings(rule, rule.n_draws, op.beta, op.estimator, advance=advance)
        fitting = approx.fitting(settings, moved, more_replacements)
        return SampleAverageUpdates(self, fitting, moved, more_updates)


@public
class SampleAverageKL(KL):
    """The Kullback-Leibler divergence at noise that stays the same, so that it is a function like any other [1]_.

    Parameters
    ----------
    approx : Approximation
        What is fitted.
    n_draws : int, optional
        Draws that the divergence is a mean over; even, for each has its mirror image. Default: 12 for each coordinate,
        30 at least. A family whose coordinates are made of k numbers each needs 2 k: full rank as many as twice its
        coordinates.
    noise : array_like, shape (n_draws, n_noise), optional
        Standard normal numbers to make draws of instead, one row for each draw.
    tolerance : float
        A fit ends after two iterations that gain no more than this, in nats.
    beta : float
        See `KL`.

    Raises
    ------
    ValueError
        If a number is out of range, or both `n_draws` and `noise` are given.

    References
    ----------
    .. [1] R. Giordano, M. Ingram and T. Broderick, "Black box variational inference with a deterministic objective:
       faster, more accurate, and even more black box", JMLR 25 (2024).
    """

    objective_class = SampleAverageObjective
    takes_batches = learns_data = False

    def __init__(
        self,
        approx: Any,
        n_draws: int | None = None,
        noise: Any = None,
        tolerance: float = TOLERANCE,
        beta: float = 1.0,
    ) -> None:
        super().__init__(approx, beta, "plain")  # a minimum has no other gradient than the whole one
        if n_draws is not None:
            count("n_draws", n_draws, 2, MOST)
            if n_draws % 2:
                raise ValueError(f"n_draws must be even, for draws come in pairs, got {n_draws}.")
            if noise is not None:
                raise ValueError("pass n_draws or noise, whose rows are the draws, not both.")
        if not is_number(tolerance) or not 0.0 <= tolerance < np.inf:
            raise ValueError(f"tolerance must be a number from 0 on, got {tolerance!r}.")
        self.n_draws, self.noise, self.tolerance = n_draws, noise, float(tolerance)

    def rule(self, groups: Sequence[Group]) -> SampleAverage:
        """Return the search over noise for these groups."""
        if self.noise is not None:
            rows = fixed_noise.given(self.noise, groups)
        else:
            n_draws = self.n_draws or fixed_noise.default_draws(self.approx.ndim)
            key = key_of(self.approx.next_sequence())
            rows = fixed_noise.balanced(key, len(self.approx.hist), n_draws, groups)
        return SampleAverage(noise=rows, antithetic=self.noise is None, tolerance=self.tolerance)


@public
class DADVI(Inference):
    """Deterministic ADVI: the bound at noise that stays the same, made large by L-BFGS until it is at its maximum [1]_.

    There is no learning rate, and a fit ends by itself: ``approx.report.converged`` tells. What the noise has to do
    with the result is in ``approx.report.gap``, by how much the bound falls where the noise is fresh.

    Parameters
    ----------
    local_rv : mapping, optional
        None: the method knows no local parameters.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.
    vfam : {'mean_field', 'full_rank', 'low_rank'}
        The family.
    rank : int, optional
        Of low_rank, see `LowRank`.
    n_draws : int, optional
        Draws that the bound is a mean over, see `SampleAverageKL`. Default: 12 for each coordinate, 30 at least.
    noise : array_like, shape (n_draws, n_noise), optional
        Standard normal numbers to make draws of instead.
    tolerance : float
        A fit ends after two iterations that gain no more than this, in nats.
    beta : float
        Weight of all but the likelihood, see `KL`.

    Raises
    ------
    ParametrizationError
        If the family cannot be fitted at so few draws.
    FitError
        If a draw where the fit begins has no density. Later ones only shorten a step.

    See Also
    --------
    Approximation.cov_lr : Covariance by linear response, which mends that of independent numbers.

    References
    ----------
    .. [1] R. Giordano, M. Ingram and T. Broderick, "Black box variational inference with a deterministic objective:
       faster, more accurate, and even more black box", JMLR 25 (2024).

    Examples
    --------
    >>> import numpy as np
    >>> import nbinfer as nb
    >>> precision = np.linalg.inv([[1.0, 0.9], [0.9, 1.0]])
    >>> model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x @ (d.P @ p.x), data={"P": precision})
    >>> approx = nb.DADVI(model=model, random_seed=1).fit(progressbar=False)
    >>> approx.report.converged, approx.std.round(3), approx.std_lr.round(3)
    (True, array([0.436, 0.436]), array([1., 1.]))
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
        vfam: str = "mean_field",
        rank: int | None = None,
        n_draws: int | None = None,
        noise: Any = None,
        tolerance: float = TOLERANCE,
        beta: float = 1.0,
    ) -> None:
        given = (local_rv, model, random_seed, start, start_sigma)
        approx = of_family(vfam, ("mean_field", "full_rank", "low_rank"), rank, *given)
        super().__init__(SampleAverageKL, approx, n_draws=n_draws, noise=noise, tolerance=tolerance, beta=beta)
