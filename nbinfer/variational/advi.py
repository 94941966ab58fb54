"""The inferences that make the Kullback-Leibler divergence small, by the family that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nbinfer.model import Model
from nbinfer.model.default import is_model
from nbinfer.spelling import public, public_by_kind
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.inference import Inference
from nbinfer.variational.operators import KL
from nbinfer.variational.single_group import FullRank, LowRank, MeanField, NormalizingFlow


@public
class KLqp(Inference):
    """Make the Kullback-Leibler divergence of an approximation from the posterior small [1]_.

    Parameters
    ----------
    approx : Approximation or type
        What is fitted.
    beta : float
        Weight of all but the likelihood, see `KL`.
    estimator : {'stl', 'plain'}, optional
        Of the gradient, see `KL`.

    References
    ----------
    .. [1] R. Ranganath, J. Altosaar, D. Tran and D. M. Blei, "Operator variational inference", NeurIPS (2016).
    """

    def __init__(self, approx: Any, beta: float = 1.0, estimator: str | None = None) -> None:
        super().__init__(KL, approx, None, beta=beta, estimator=estimator)


@public
class ADVI(KLqp):
    """Automatic differentiation variational inference with independent normal numbers [1]_.

    Parameters
    ----------
    local_rv : mapping, optional
        Encoders of local parameters by name, ``{"z": {"mu": f, "rho": g}}``: each becomes a local group, see `Group`.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.
    beta : float
        Weight of all but the likelihood, see `KL`.
    estimator : {'stl', 'plain'}
        Of the gradient [2]_, see `KL`.

    References
    ----------
    .. [1] A. Kucukelbir et al., "Automatic differentiation variational inference", JMLR 18 (2017).
    .. [2] G. Roeder, Y. Wu and D. Duvenaud, "Sticking the landing: simple, lower-variance gradient estimators for
       variational inference", NeurIPS (2017).

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * (p.x - 1.0) ** 2 / 0.25)
    >>> inference = nb.ADVI(model=model, random_seed=1)
    >>> approx = inference.fit(1500, obj_optimizer=nb.adam(learning_rate=0.01), progressbar=False)
    >>> float(approx.mean[0].round(2)), float(approx.std[0].round(2))
    (1.0, 0.5)
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
        beta: float = 1.0,
        estimator: str = "stl",
    ) -> None:
        super().__init__(MeanField(local_rv, model, random_seed, start, start_sigma), beta, estimator)


@public
class FullRankADVI(KLqp):
    """Automatic differentiation variational inference with one normal distribution [1]_.

    Parameters
    ----------
    local_rv : mapping, optional
        Encoders of local parameters by name, ``{"z": {"mu": f, "rho": g}}``: each becomes a local group, see `Group`.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.
    beta : float
        Weight of all but the likelihood, see `KL`.
    estimator : {'stl', 'plain'}
        Of the gradient [2]_, see `KL`.

    References
    ----------
    .. [1] A. Kucukelbir et al., "Automatic differentiation variational inference", JMLR 18 (2017).
    .. [2] G. Roeder, Y. Wu and D. Duvenaud, "Sticking the landing: simple, lower-variance gradient estimators for
       variational inference", NeurIPS (2017).
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
        beta: float = 1.0,
        estimator: str = "stl",
    ) -> None:
        super().__init__(FullRank(local_rv, model, random_seed, start, start_sigma), beta, estimator)

    @classmethod
    def from_mean_field(cls, approx: Approximation, beta: float = 1.0, estimator: str = "stl") -> FullRankADVI:
        """Begin where a fit of independent numbers has ended.

        Parameters
        ----------
        approx : Approximation
            That fit.
        beta : float
            See `KL`.
        estimator : {'stl', 'plain'}
            See `KL`.

        Returns
        -------
        inference : FullRankADVI
        """
        local = {(group.names or ("",))[0]: group.params_given for group in approx.groups if group.is_local}
        made = cls(local, approx.model, approx.next_sequence(), beta=beta, estimator=estimator)
        made.approx.learn_from(approx)
        before, group = approx.groups[0], made.approx.groups[0]
        if not group.is_local:
            first = group.family.first_values(group.extent, before.mean, before.std)
            for name, shared in group.params_dict.items():
                shared.set_value(np.reshape(first[name], shared.shape))
        return made


@public
class LowRankADVI(KLqp):
    """Automatic differentiation variational inference with a diagonal and a few directions, see `LowRank`.

    Parameters
    ----------
    local_rv : mapping, optional
        Encoders of local parameters by name, ``{"z": {"mu": f, "rho": g}}``: each becomes a local group, see `Group`.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.
    start : mapping of str to array_like, optional
        Constrained values to begin the means at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations of the unconstrained coordinates to begin with. Default 0.1.
    beta : float
        Weight of all but the likelihood, see `KL`.
    estimator : {'stl', 'plain'}
        Of the gradient, see `KL`.
    rank : int, optional
        Number of directions. Default: 5, or as many as there are coordinates.
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
        beta: float = 1.0,
        estimator: str = "stl",
        rank: int | None = None,
    ) -> None:
        super().__init__(
            LowRank(local_rv, model, random_seed, start, start_sigma, **({} if rank is None else {"rank": rank})),
            beta,
            estimator,
        )


@public
class NFVI(KLqp):
    """Variational inference with normalizing flows [1]_.

    Parameters
    ----------
    flow : str
        The formula, see `NormalizingFlow`.
    local_rv : mapping, optional
        Encoders of local parameters by name, ``{"z": {"mu": f, "rho": g}}``: each becomes a local group, see `Group`.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of first values, fits and draws.
    start : mapping of str to array_like, optional
        Constrained values that the last loc begins at. Default: unconstrained 0.
    start_sigma : float or mapping of str to array_like, optional
        What the last scale begins at. Default 0.1.
    beta : float
        Weight of all but the likelihood, see `KL`.
    estimator : {'plain'}, optional
        Of the gradient, see `KL`.
    jitter : float
        Standard deviation of first values of the other layers.

    References
    ----------
    .. [1] D. J. Rezende and S. Mohamed, "Variational inference with normalizing flows", ICML (2015).

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x[0] ** 2 - 2.0 * (p.x[1] - p.x[0] ** 2) ** 2)
    >>> inference = nb.NFVI("coupling*4-scale-loc", model=model, random_seed=1, start_sigma=0.5)
    >>> approx = inference.fit(10, obj_optimizer=nb.adam(learning_rate=0.01), progressbar=False)
    >>> approx.flow.formula
    'coupling-coupling-coupling-coupling-scale-loc'
    """

    @public_by_kind(model=is_model)
    def __init__(
        self,
        flow: str = "scale-loc",
        local_rv: Any = None,
        model: Model | None = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
        start_sigma: float | Mapping[str, Any] | None = None,
        *,
        beta: float = 1.0,
        estimator: str | None = None,
        jitter: float = 1.0,
    ) -> None:
        super().__init__(
            NormalizingFlow(flow, local_rv, model, random_seed, start, start_sigma, jitter), beta, estimator
        )
