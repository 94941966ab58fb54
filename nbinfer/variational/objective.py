"""Objectives: an operator with a test function, and how steps that make it small are set up."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbinfer.arguments import MOST, count, flag, mapping, positive, several
from nbinfer.errors import ExplicitInferenceError, NbinferWarning, ParametrizationError, calls_above, unseen
from nbinfer.spelling import public
from nbinfer.variational import nodes
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.course import Course
from nbinfer.variational.fitting import Settings
from nbinfer.variational.functions import TestFunction
from nbinfer.variational.group import Group
from nbinfer.variational.learnt import check as check_learnt
from nbinfer.variational.local import refuse_subsampled
from nbinfer.variational.optimizers import Rule, adagrad_window
from nbinfer.variational.optimizers.wrappers import rule_of
from nbinfer.variational.raabbvi import RAABBVI, rule_of_convergence
from nbinfer.variational.steps import ObjectiveUpdates, UpdatesInPython
from nbinfer.variational.values import Shared

if TYPE_CHECKING:
    from nbinfer.variational.operators import Operator


@public
class ObjectiveFunction:
    """An operator applied to a test function; made by calling the operator.

    Parameters
    ----------
    op : Operator
        Of an approximation.
    tf : TestFunction or None
        What it is applied to.
    """

    def __init__(self, op: Operator, tf: TestFunction | None) -> None:
        self.op, self.tf = op, tf

    @property
    def approx(self) -> Approximation:
        """What is fitted."""
        approx: Approximation = self.op.approx
        return approx

    @property
    def obj_params(self) -> list[Shared]:
        """Parameters of the approximation that a fit moves."""
        return [shared for group in self.approx.groups if not group.is_given for shared in group.params]

    @property
    def test_params(self) -> list[Shared]:
        """Parameters of the test function."""
        return [] if self.tf is None else list(self.tf.params)

    def updates(
        self,
        obj_n_mc: int | None = None,
        tf_n_mc: int | None = None,
        obj_optimizer: Any = None,
        test_optimizer: Any = adagrad_window,
        more_obj_params: Sequence[Shared | str] | None = None,
        more_tf_params: Sequence[Shared] | None = None,
        more_updates: Mapping[Shared, Any] | None = None,
        more_replacements: Mapping[str, Any] | None = None,
        total_grad_norm_constraint: float | None = None,
        convergence: Any = None,
    ) -> ObjectiveUpdates:
        """Return the steps of a fit.

        Parameters
        ----------
        obj_n_mc : int, optional
            Draws of each iteration. Default 1.
        tf_n_mc : int, optional
            Draws for a step of the test function. Default 1.
        obj_optimizer, test_optimizer : Rule or callable, optional
            Optimisers of the approximation and of the test function, such as ``nb.adam(learning_rate=0.01)``. Default:
            `adagrad_window`; or that of `convergence`.
        more_obj_params : sequence of str, Shared or array, optional
            What is to be moved, too: names of entries of the data, such as the weights of a decoder; and parameters
            that the user gave to groups. `Approximation.data` has the values of entries then, and the model its own.
        more_tf_params : sequence of Shared, optional
            Further parameters of the test function.
        more_updates : mapping of Shared to object, optional
            Values, or functions that give them, that are set after each step.
        more_replacements : mapping of str to array_like, optional
            Data to take in the place of the model's.
        total_grad_norm_constraint : float, optional
            The largest norm of all gradients together.
        convergence : {'raabbvi'} or RAABBVI, optional
            The rule that ends the fit before its last iteration.

        Returns
        -------
        updates : ObjectiveUpdates
            A mapping from each parameter to its optimiser. A call makes one step and sets ``loss``.

        Raises
        ------
        ExplicitInferenceError
            If the rule knows no distance between distributions of a family.
        ValueError
            If there is no rule of this name, or it cannot lower the learning rate.
        """
        if self.tf is None and (tf_n_mc is not None or more_tf_params):
            with unseen():
                warnings.warn(
                    "tf_n_mc and more_tf_params are of no use without a test function.", NbinferWarning, calls_above()
                )
        for name, number in (("obj_n_mc", obj_n_mc), ("tf_n_mc", tf_n_mc)):
            if number is not None:
                count(name, number, 1, MOST)
        if total_grad_norm_constraint is not None:
            positive("total_grad_norm_constraint", total_grad_norm_constraint)
        ends = rule_of_convergence(convergence)
        beta, estimator = getattr(self.op, "beta", 1.0), getattr(self.op, "estimator", "none")
        names, given = self.divided(more_obj_params, more_replacements, ends)
        rule, moved = _rule(obj_optimizer, ends), self.moved(given, names)
        workers = getattr(self.op, "workers", 0)
        settings = Settings(rule, obj_n_mc or 1, beta, estimator, total_grad_norm_constraint, workers=workers)
        fitting = self.approx.fitting(settings, moved, more_replacements, names)
        return self.kind(
            self,
            fitting,
            fitting.moved,
            more_updates,
            [*self.test_params, *(more_tf_params or ())],
            rule_of("test_optimizer", test_optimizer),
            tf_n_mc or 1,
            Course(ends, fitting) if ends else None,
        )

    @property
    def kind(self) -> type[ObjectiveUpdates]:
        """What makes the steps."""
        return ObjectiveUpdates if self.op.is_compiled else UpdatesInPython

    def divided(self, more: Any, replaced: Any, ends: Any = None) -> tuple[list[str], list[Any]]:
        """Return what of `more_obj_params` names entries of the data, and the parameters that were given to groups."""
        listed = [] if more is None else several("more_obj_params", more, "a list of names and of nb.shared values")
        names = list(dict.fromkeys(item for item in listed if isinstance(item, str)))
        if names and not self.op.learns_data:
            raise ParametrizationError(
                f"more_obj_params names {names[0]!r}, and {type(self.op).__name__} learns no entries of the data; "
                "nb.ADVI and other fits of KL do."
            )
        if names and ends is not None:
            raise ExplicitInferenceError(
                "convergence knows the distance between distributions, and not how far entries of the data are "
                "learnt; leave it out, or take nb.CheckParametersConvergence."
            )
        refuse_subsampled(self.approx.groups, self.approx.model)
        check_learnt(names, self.approx.model_now, nodes.named(self.approx.model, replaced))
        return names, [item for item in listed if not isinstance(item, str)]

    def moved(self, more: Any, names: Sequence[str] = ()) -> list[Group]:
        """Return the groups whose parameters a fit moves, those that `more_obj_params` has among them.

        Parameters
        ----------
        more : sequence of Shared or array, or None
        names : sequence of str
            Entries of the data that move, too.
        """
        wanted = [] if more is None else several("more_obj_params", more, "a sequence of nb.shared values")
        groups = [group for group in self.approx.groups if not group.is_given]
        for k, param in enumerate(wanted):
            owner = next((g for g in self.approx.groups if any(p is param for p in g.params)), None)
            owner = owner or next((g for g in self.approx.groups if any(p is param for p in g.given_arrays)), None)
            if owner is None:
                raise ParametrizationError(
                    f"more_obj_params[{k}] is no parameter of a group; pass what was given to nb.Group(params=...), or "
                    "the name of an entry of the data."
                )
            if owner not in groups:
                groups.append(owner)
        still = next((group for group in groups if not group.family.moves), None)
        if still is not None:
            raise ParametrizationError(
                f"no gradient moves the parameters of {still.short_name}, which approximates "
                f"{', '.join(still.names or ())}; take another family, or method={still.short_name!r}."
            )
        if not groups and not names:
            raise ParametrizationError(
                "no group has parameters to fit; pass those you gave as more_obj_params, and of encoders the names of "
                "the entries of the data that are their weights."
            )
        return groups

    def step_function(self, score: bool = False, fn_kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Return a function that makes one step of a fit.

        Parameters
        ----------
        score : bool
            Whether it returns the loss.
        fn_kwargs : mapping, optional
            None but ``{'profile': ...}``, which `Inference.run_profiling` heeds.
        **options : object
            Of `updates`.

        Returns
        -------
        step : callable
            Without arguments.

        Raises
        ------
        NotImplementedError
            If `score` is set and the operator has no loss.
        """
        check_function_options(fn_kwargs)
        if flag("score", score) and not self.op.returns_loss:
            raise NotImplementedError(f"{type(self.op).__name__} has no loss to return.")
        updates = self.updates(**options)

        def step() -> float | None:
            updates()
            return updates.loss if score else None

        return step

    def score_function(
        self,
        sc_n_mc: int | None = None,
        more_replacements: Mapping[str, Any] | None = None,
        fn_kwargs: Mapping[str, Any] | None = None,
    ) -> Callable[[], float]:
        """Return a function that gives the loss at new draws.

        Parameters
        ----------
        sc_n_mc : int, optional
            How many. Default 1.
        more_replacements : mapping, optional
            Data to take in the place of the model's.
        fn_kwargs : mapping, optional
            As in `step_function`.

        Returns
        -------
        score : callable
            Without arguments.

        Raises
        ------
        NotImplementedError
            If the operator has no loss.
        """
        check_function_options(fn_kwargs)
        if not self.op.returns_loss:
            raise NotImplementedError(f"{type(self.op).__name__} has no loss to return.")
        draws = 1 if sc_n_mc is None else sc_n_mc
        count("sc_n_mc", draws, 1, MOST)
        return lambda: self.op.loss(self.tf, draws, more_replacements)


def _rule(optimizer: Any, ends: RAABBVI | None) -> Rule:
    """Return the rule that moves parameters, as it is wanted where another one ends the fit."""
    if ends is not None:
        return ends.optimizer(optimizer)
    return rule_of("obj_optimizer", adagrad_window if optimizer is None else optimizer)


def check_function_options(fn_kwargs: Any) -> None:
    """Raise ValueError for options of compilation that mean nothing here."""
    unknown = [key for key in mapping("fn_kwargs", fn_kwargs) if key != "profile"]
    if unknown:
        raise ValueError(f"fn_kwargs names {unknown[0]!r}; there is 'profile' alone.")
