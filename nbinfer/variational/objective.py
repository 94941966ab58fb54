"""Objectives: an operator with a test function, and the steps that make it small."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count, flag, instance, mapping, positive, several
from nbinfer.engine.driver import Outcome, run_alone
from nbinfer.engine.progress import Display, Silent
from nbinfer.errors import NbinferWarning, ParametrizationError, VariationalInferenceError, unseen
from nbinfer.variational import pulling
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.fitting import Fitting, Settings
from nbinfer.variational.functions import TestFunction
from nbinfer.variational.group import Group
from nbinfer.variational.optimizers import Rule, adagrad_window, total_norm_constraint
from nbinfer.variational.optimizers.updates import Updates
from nbinfer.variational.optimizers.wrappers import rule_of
from nbinfer.variational.report import Verdict
from nbinfer.variational.values import Shared

if TYPE_CHECKING:
    from nbinfer.variational.operators import Operator

Floats = NDArray[np.float64]


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
        obj_optimizer: Any = adagrad_window,
        test_optimizer: Any = adagrad_window,
        more_obj_params: Sequence[Shared] | None = None,
        more_tf_params: Sequence[Shared] | None = None,
        more_updates: Mapping[Shared, Any] | None = None,
        more_replacements: Mapping[str, Any] | None = None,
        total_grad_norm_constraint: float | None = None,
    ) -> ObjectiveUpdates:
        """Return the steps of a fit.

        Parameters
        ----------
        obj_n_mc : int, optional
            Draws of each iteration. Default 1.
        tf_n_mc : int, optional
            Draws for a step of the test function. Default 1.
        obj_optimizer, test_optimizer : Rule or callable
            Optimisers of the approximation and of the test function, such as ``nb.adam(learning_rate=0.01)``.
        more_obj_params : sequence of Shared or array, optional
            Parameters that the user gave to groups, and that are to be moved, too.
        more_tf_params : sequence of Shared, optional
            Further parameters of the test function.
        more_updates : mapping of Shared to object, optional
            Values, or functions that give them, that are set after each step.
        more_replacements : mapping of str to array_like, optional
            Data to take in the place of the model's.
        total_grad_norm_constraint : float, optional
            The largest norm of all gradients together.

        Returns
        -------
        updates : ObjectiveUpdates
            A mapping from each parameter to its optimiser. A call makes one step and sets ``loss``.
        """
        if self.tf is None and (tf_n_mc is not None or more_tf_params):
            with unseen():
                warnings.warn("tf_n_mc and more_tf_params are of no use without a test function.", NbinferWarning, 2)
        for name, number in (("obj_n_mc", obj_n_mc), ("tf_n_mc", tf_n_mc)):
            if number is not None:
                count(name, number, 1, MOST)
        if total_grad_norm_constraint is not None:
            positive("total_grad_norm_constraint", total_grad_norm_constraint)
        settings = Settings(
            rule_of("obj_optimizer", obj_optimizer),
            obj_n_mc or 1,
            getattr(self.op, "beta", 1.0),
            getattr(self.op, "estimator", "none"),
            total_grad_norm_constraint,
            workers=getattr(self.op, "workers", 0),
        )
        moved = self.moved(more_obj_params)
        fitting = self.approx.fitting(settings, moved, more_replacements)
        return self.kind(
            self,
            fitting,
            moved,
            more_updates,
            [*self.test_params, *(more_tf_params or ())],
            rule_of("test_optimizer", test_optimizer),
            tf_n_mc or 1,
        )

    @property
    def kind(self) -> type[ObjectiveUpdates]:
        """What makes the steps."""
        return ObjectiveUpdates if self.op.is_compiled else _InPython

    def moved(self, more: Any) -> list[Group]:
        """Return the groups whose parameters a fit moves, those that `more_obj_params` names among them."""
        wanted = [] if more is None else several("more_obj_params", more, "a sequence of nb.shared values")
        groups = [group for group in self.approx.groups if not group.is_given]
        for k, param in enumerate(wanted):
            owner = next((g for g in self.approx.groups if any(p is param for p in g.params)), None)
            owner = owner or next((g for g in self.approx.groups if any(p is param for p in g.given_arrays)), None)
            if owner is None:
                raise ParametrizationError(
                    f"more_obj_params[{k}] is no parameter of a group; pass what was given to nb.Group(params=...)."
                )
            if owner not in groups:
                groups.append(owner)
        still = next((group for group in groups if not group.family.moves), None)
        if still is not None:
            raise ParametrizationError(
                f"no gradient moves the parameters of {still.short_name}, which approximates "
                f"{', '.join(still.names or ())}; take another family, or method={still.short_name!r}."
            )
        if not groups:
            raise ParametrizationError("no group has parameters to fit; pass those you gave as more_obj_params.")
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


class ObjectiveUpdates(dict[Shared, Rule]):
    """The steps of a fit, by parameter, in compiled code; a call makes one.

    Parameters
    ----------
    objective : ObjectiveFunction
        What becomes small.
    fitting : Fitting
        Memory of the approximation.
    moved : sequence of Group
        Those whose parameters move.
    more : mapping of Shared to object, optional
        What is set after each step.
    test_params : sequence of Shared
        Parameters of the test function.
    test_rule : Rule, optional
        Their optimiser.
    test_draws : int
        Draws for their steps.

    Attributes
    ----------
    loss : float
        Of the last step.
    """

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(
        self,
        objective: ObjectiveFunction,
        fitting: Fitting,
        moved: Sequence[Group],
        more: Mapping[Any, Any] | None = None,
        test_params: Sequence[Shared] = (),
        test_rule: Rule | None = None,
        test_draws: int = 1,
    ) -> None:
        super().__init__({shared: fitting.settings.rule for group in moved for shared in group.params})
        if test_rule is not None:
            self.update(dict.fromkeys(test_params, test_rule))
        self._more = dict(mapping("more_updates", more))
        for param in self._more:
            instance("a key of more_updates", param, Shared, "made by nb.shared")
        self.objective, self.fitting = objective, fitting
        self._test_params, self._test_rule, self._test_draws = list(test_params), test_rule, test_draws
        self.loss = np.nan

    @property
    def every(self) -> int | None:
        """Iterations after which Python must be asked; None: never."""
        return 1 if self._more else None

    @property
    def is_done(self) -> bool:
        """Whether the method knows that it is at its end."""
        return False

    def verdict(self, thorough: bool) -> Verdict:
        """Return what the method says at the end of a fit.

        Parameters
        ----------
        thorough : bool
            Whether evaluations of the density are worth it.
        """
        return Verdict()

    def load(self) -> None:
        """Compile what makes iterations, unless that is done."""
        self.fitting.settings.advance.load()

    def make_room(self, count: int) -> None:
        """Make ready for further iterations.

        Parameters
        ----------
        count : int
        """
        self.go_on()
        self.fitting.make_room(count)

    def go_on(self) -> None:
        """Take data that the model was given since.

        Raises
        ------
        VariationalInferenceError
            If the approximation has another fit since.
        """
        if self.objective.approx.fitting() is not self.fitting:
            raise VariationalInferenceError("another fit has taken over the approximation since; begin anew.")

    def advance(self, until: int, display: Display) -> Outcome:
        """Advance to an iteration, for which there is room.

        Parameters
        ----------
        until : int
        display : Display
        """
        return run_alone(self.fitting, self.fitting.settings.advance, until, display)

    def set_more(self) -> None:
        """Set what is to be set after each step."""
        for param, value in self._more.items():
            param.set_value(value() if callable(value) else value)

    def __call__(self) -> None:
        """Make one step."""
        self.make_room(1)
        outcome = self.advance(int(self.fitting.fit.done) + 1, Silent())
        if outcome.error is not None:
            raise outcome.error
        self.set_more()
        self.loss = float(self.fitting.hist[-1])


class _InPython(ObjectiveUpdates):
    """Steps of an operator that Python has to ask at each of them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._test: Updates | None = None
        if self._test_rule is not None and self._test_params:
            self._test = Updates(self._test_rule, [lambda *values: None] * len(self._test_params), self._test_params)

    def advance(self, until: int, display: Display) -> Outcome:
        fitting, outcome = self.fitting, Outcome()
        job = fitting.fit
        try:
            while job.done < until and not fitting.stop[0]:
                self._step()
                display.update(fitting.progress)
        except Exception as error:
            outcome.error = error
        outcome.interrupted = bool(job.done < until)
        return outcome

    def _step(self) -> None:
        op, tf, fitting = self.objective.op, self.objective.tf, self.fitting
        done = int(fitting.fit.done)
        draws = pulling.draw(fitting, done, fitting.settings.n_draws)
        value, to_draws, _ = op.apply(tf, draws)
        pulling.pull(fitting, done, op.slope(value) * np.asarray(to_draws))
        status = pulling.move(fitting)
        if status:
            fitting.fit.status = status
            raise fitting.failure(0)[0]
        if self._test is not None:
            draws = pulling.draw(fitting, done, self._test_draws)
            expectation, _, slopes = op.apply(tf, draws)
            slopes = [op.slope(expectation) * np.asarray(slope) for slope in slopes]
            if fitting.settings.largest_norm is not None:
                slopes = total_norm_constraint(slopes, fitting.settings.largest_norm)
            self._test.step([-slope for slope in slopes])  # upwards
        fitting.losses[done] = op.T(value)
        fitting.fit.done = fitting.progress["done"][0] = done + 1


def check_function_options(fn_kwargs: Any) -> None:
    """Raise ValueError for options of compilation that mean nothing here."""
    unknown = [key for key in mapping("fn_kwargs", fn_kwargs) if key != "profile"]
    if unknown:
        raise ValueError(f"fn_kwargs names {unknown[0]!r}; there is 'profile' alone.")
