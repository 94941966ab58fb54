"""Operators: what makes an objective out of a density and an approximation (Ranganath et al. 2016).

Inference minimises ``t(E[(O f)(z)])`` over the parameters of q, and where the test function f has parameters it
maximises over those. Of the operators here, KL needs no test function and runs in compiled code as a whole. One of a
user's own says, at draws z, what its value is and how it changes with z and with the parameters of f; draws, pull-backs
and optimisers are the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import choice, instance, positive
from nbinfer.errors import AEVBInferenceError, NbinferWarning, ParametrizationError, calls_above, unseen
from nbinfer.model import Model
from nbinfer.spelling import public
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.densities import needs_terms
from nbinfer.variational.functions import TestFunction
from nbinfer.variational.objective import ObjectiveFunction

Floats = NDArray[np.float64]


@public
class Operator:
    """Base of the operators.

    Parameters
    ----------
    approx : Approximation
        What is fitted.

    Raises
    ------
    ExplicitInferenceError
        If the operator needs the density of draws and `approx` has none.
    """

    #: Whether it is applied to a test function.
    has_test_function: ClassVar[bool] = False
    #: Whether its value is a loss.
    returns_loss: ClassVar[bool] = True
    #: Whether all of it runs in compiled code, which knows no other objective than that of `KL`.
    is_compiled: ClassVar[bool] = False
    #: Whether it needs log q.
    require_logq: ClassVar[bool] = True
    #: What it makes of itself and a test function.
    objective_class: ClassVar[type[ObjectiveFunction]] = ObjectiveFunction

    #: Whether its gradient knows entries of the data, and encoders, which draw by them.
    learns_data: ClassVar[bool] = False

    #: Whether data may come in batches, so that the objective is another in each iteration.
    takes_batches: ClassVar[bool] = True

    def __init__(self, approx: Approximation) -> None:
        self.approx = instance("approx", approx, Approximation, "an Approximation")
        if self.require_logq:
            for group in approx.groups:
                group.family.needs_logq(type(self).__name__)
        if approx.has_local and not self.supports_aevb:
            raise AEVBInferenceError(
                f"{type(self).__name__} knows no gradient by the data, of which encoders of local groups are "
                "functions; take nb.KLqp, or a method by it such as nb.ADVI."
            )

    @property
    def supports_aevb(self) -> bool:
        """Whether local groups will do: where the gradient knows the data, and no group is empirical."""
        return self.learns_data and not self.approx.any_histograms

    @property
    def model(self) -> Model:
        """The model."""
        model: Model = self.approx.model
        return model

    def apply(self, f: TestFunction | None, z: Floats) -> tuple[float, Floats, list[Floats]]:
        """Apply the operator to a test function, at draws.

        Parameters
        ----------
        f : TestFunction or None
        z : ndarray, shape (draws, dim)

        Returns
        -------
        value : float
            The expectation, a mean over draws, whose distance `T` is small where q is the posterior.
        to_draws : ndarray, shape (draws, dim)
            Derivatives of the expectation with respect to the draws.
        to_function : list of ndarray
            Those with respect to the parameters of `f`.
        """
        raise NotImplementedError

    def loss(self, f: TestFunction | None, draws: int, replacements: Mapping[str, Any] | None = None) -> float:
        """Return its value at new draws.

        Parameters
        ----------
        f : TestFunction or None
        draws : int
            How many.
        replacements : mapping of str to array_like, optional
            Data to take in the place of the model's.
        """
        if replacements:
            raise NotImplementedError(f"{type(self).__name__} takes no more_replacements.")
        value: float = self.T(self.apply(f, self.approx.draw(draws).positions)[0])
        return value

    @staticmethod
    def T(x: float) -> float:  # noqa: N802
        """Return the distance that an expectation means; itself, unless a subclass says otherwise."""
        return x

    def slope(self, value: float) -> float:
        """Return the derivative of `T`, which is derived unless a subclass says otherwise."""
        if type(self).T is Operator.T:
            return 1.0
        from nbinfer.autodiff import grad

        return float(grad(type(self).T)(float(value)))

    def logp(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return the mean of the model's log density over draws, see `Approximation.logp`."""
        return self.approx.logp(draws, random_seed, per_draw)

    def varlogp(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return that of the log prior."""
        return self.approx.varlogp(draws, random_seed, per_draw)

    def datalogp(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return that of the log likelihood."""
        return self.approx.datalogp(draws, random_seed, per_draw)

    def logq(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return that of the approximation's log density."""
        return self.approx.logq(draws, random_seed, per_draw)

    def __call__(self, f: Any = None) -> Any:
        """Return the objective of a test function.

        Parameters
        ----------
        f : TestFunction or callable, optional

        Returns
        -------
        objective : ObjectiveFunction

        Raises
        ------
        ParametrizationError
            If a test function is needed and not given.
        """
        name = type(self).__name__
        if self.has_test_function and f is None:
            raise ParametrizationError(f"{name} is applied to a test function, got none.")
        if not self.has_test_function and f is not None:
            with unseen():
                warnings.warn(f"{name} needs no test function; it is not used.", NbinferWarning, calls_above())
            f = None
        function = f if f is None or isinstance(f, TestFunction) else TestFunction.from_function(f)
        if function is not None:
            function.setup(self.approx)
        return self.objective_class(self, function)


@public
class KL(Operator):
    """The Kullback-Leibler divergence of q from the posterior, up to the evidence.

    Parameters
    ----------
    approx : Approximation
        What is fitted.
    beta : float
        Weight of log prior, log Jacobian and log q, that is of all but the likelihood: above 1 the approximation stays
        closer to the prior [1]_.
    estimator : {'stl', 'plain'}, optional
        Of the gradient: the path derivative [2]_, which is exact for every draw where q is the posterior, or the whole
        one. Default: 'stl' for the groups whose family has it, 'plain' for flows.

    Raises
    ------
    ValueError
        If `beta` is not positive, or `estimator` is 'stl' and a group is one of flows.
    ModelError
        If `beta` is not 1 and the density of the model is one piece.

    References
    ----------
    .. [1] C. P. Burgess et al., "Understanding disentangling in beta-VAE", arXiv:1804.03599 (2018).
    .. [2] G. Roeder, Y. Wu and D. Duvenaud, "Sticking the landing: simple, lower-variance gradient estimators for
       variational inference", NeurIPS (2017).
    """

    is_compiled = learns_data = True

    def __init__(self, approx: Approximation, beta: float = 1.0, estimator: str | None = None) -> None:
        super().__init__(approx)
        positive("beta", beta)
        if beta != 1.0:
            needs_terms(approx.model, f"beta = {beta:g}")
        self.beta, self.estimator = float(beta), self._checked(estimator)

    def _checked(self, estimator: str | None) -> str:
        families = [group.family for group in self.approx.groups]
        lacking = [family.short_name for family in families if "stl" not in family.estimators]
        if estimator is None:
            return "plain" if len(lacking) == len(families) else "stl"
        choice("estimator", estimator, ("stl", "plain"))
        if estimator == "stl" and lacking:
            raise ParametrizationError(
                f"estimator 'stl' needs the path derivative of log q, which {lacking[0]} lacks; take 'plain', or leave "
                "it out: then each group has the best that there is."
            )
        return estimator

    def loss(self, f: TestFunction | None, draws: int, replacements: Mapping[str, Any] | None = None) -> float:
        """Return minus the evidence lower bound at new draws, if beta is 1."""
        loss: float = self.approx.loss(draws, self.beta, replacements)
        return loss
