"""Inference: an operator and an approximation, and how one is fitted to the other."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, Progressbar, count, fits, flag, positive, shows
from nbinfer.engine.elsewhere import check_executor
from nbinfer.engine.gradients import gradient_warnings
from nbinfer.engine.progress import display_for
from nbinfer.engine.task import finished
from nbinfer.errors import NbinferWarning
from nbinfer.live.asked import Asked, asked
from nbinfer.live.iterations import Losses, Particles
from nbinfer.live.watched import watched
from nbinfer.spelling import check_options, public
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.callbacks import listed
from nbinfer.variational.checkpoint.keeping import Checkpoint, file_for
from nbinfer.variational.checkpoint.recipe import Given, recipe_of
from nbinfer.variational.elsewhere import RunElsewhere, part_of
from nbinfer.variational.local import doubts
from nbinfer.variational.objective import ObjectiveFunction, check_function_options
from nbinfer.variational.operators import Operator
from nbinfer.variational.running import Run, described
from nbinfer.variational.steps import ObjectiveUpdates

Floats = NDArray[np.float64]


@public
class Inference:
    """Fit an approximation by making an operator's objective small.

    Parameters
    ----------
    op : type
        The operator, a subclass of `Operator`.
    approx : Approximation or type
        What is fitted, or its class, whose defaults then hold.
    tf : TestFunction or callable, optional
        What the operator is applied to, if it needs that.
    **kwargs : object
        Options of the operator.

    Attributes
    ----------
    approx : Approximation
        What is fitted.
    hist : ndarray, shape (iterations,)
        Losses so far.
    asked : text or None
        What makes the inference again, of one that `nbinfer.fit` has made, see `nbinfer.engine.written`.

    Raises
    ------
    TypeError
        If `op` is no operator, or `approx` no approximation.
    """

    def __init__(self, op: Any, approx: Any, tf: Any = None, **kwargs: Any) -> None:
        if not isinstance(op, type) or not issubclass(op, Operator):
            raise TypeError(f"op must be a subclass of Operator, got {op!r}.")
        if isinstance(approx, type) and issubclass(approx, Approximation):
            approx = approx()  # type: ignore[call-arg]
        if not isinstance(approx, Approximation):
            raise TypeError(f"approx must be an Approximation or its class, got {type(approx).__name__}.")
        self.approx = approx
        self.objective = op(approx, **kwargs)(tf)
        self._updates: ObjectiveUpdates | None = None
        self._callbacks: list[Callable[..., Any]] = []
        self._notes: list[tuple[str, type[Warning]]] = []
        self.asked: Any = None

    @property
    def hist(self) -> Floats:
        return self.approx.hist

    def fit(
        self,
        n: int = 10_000,
        score: bool | None = None,
        callbacks: Sequence[Callable[..., Any]] | None = None,
        progressbar: Progressbar = True,
        *,
        fn_kwargs: Mapping[str, Any] | None = None,
        checkpoint: Any = None,
        max_seconds: float | None = None,
        executor: Executor | None = None,
        live_plot: bool | str = False,
        live_plot_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Approximation:
        """Fit the approximation.

        Parameters
        ----------
        n : int
            Iterations.
        score : bool, optional
            Whether losses are kept. Default: if the operator has any.
        callbacks : sequence of callable, optional
            Each called as ``callback(approx, losses, i)`` after every iteration i = 1, 2, ..., or after each multiple
            of its attribute `every`. StopIteration ends the fit.
        progressbar : bool or callable
            Show iterations and the mean loss; or a function that is told of them, as of `nbinfer.sample`.
        fn_kwargs : mapping, optional
            As in `run_profiling`.
        checkpoint : str, PathLike or HDF5, optional
            A file, named .nc, .h5 or .hdf5, that takes losses and snapshots while the fit runs, so that
            `nbinfer.resume` goes on with it bit for bit, whatever has ended it. One that exists is refused, unless it
            is ``nb.HDF5(path, overwrite=True)``.
        max_seconds : float, optional
            How long iterations may be made; what there is then is returned, with one warning.
        executor : Executor, optional
            What makes the iterations, in another process, of `concurrent.futures`: the same approximation as without.
            Of callbacks, which are called there, what ``state()`` returns comes back. Ctrl-C does not wait for it.
        live_plot : bool or {'terminal', 'notebook', 'window'}
            Show losses, or particles, while iterations are made; as of `nbinfer.sample`.
        live_plot_kwargs : mapping, optional
            As of `nbinfer.sample`; `skip_first` and `refresh_every` count iterations, and `var_names` is of particles.
        **kwargs : object
            Options of `ObjectiveFunction.updates`: obj_n_mc, obj_optimizer, more_obj_params,
            total_grad_norm_constraint, convergence, ....

        Returns
        -------
        approx : Approximation
            With ``hist``, ``khat`` and ``report``.

        Raises
        ------
        FitError
            If parameters are not finite after a step, or more than 5 % of the last 1000 draws have no density. The
            approximation is as it was before that step.
        FileExistsError, FileNotFoundError, IsADirectoryError, PermissionError
            If `checkpoint` cannot be made.
        TypeError
            If an executor's processes cannot be sent the model, or callbacks.
        NotImplementedError, StreamingError
            If the fit is none that a file can keep: by a generator, of RAABBVI, DADVI, BaM or Pathfinder.

        Warns
        -----
        ConvergenceWarning
            If k-hat is above 0.7, or a rule of convergence did not end the fit.
        NbinferWarning
            If `max_seconds` has ended it.

        Notes
        -----
        Ctrl-C ends the fit and returns what there is. What a callback or a function of the model raises arrives here,
        and the approximation keeps its state.
        """
        check_options("fit()", kwargs, type(self).fit, type(self.objective).updates, ObjectiveFunction.updates)
        check_function_options(fn_kwargs)
        count("n", n, 0, MOST)
        fits(8.0 * n, f"losses of {n} iterations", "take fewer")
        if executor is not None and checkpoint is not None:
            raise ValueError("checkpoint is written where a fit is made, and executor makes it elsewhere; drop one.")
        file = None if checkpoint is None else file_for(checkpoint)
        seconds = limit("max_seconds", max_seconds)
        view = asked(live_plot, live_plot_kwargs)
        other = None if executor is None else check_executor(executor)
        self.begin(score, callbacks, **kwargs)
        updates = self.updates
        if updates.fitting.feeds.are_few and not self.approx.has_local:
            _ = updates.fitting.whole  # what is wrong with all data together is to be said before the fit
        shows("progressbar", progressbar)
        kept = None
        if file is not None:
            recipe = recipe_of(self, updates, Given(n, score, self._callbacks, kwargs))
            kept = Checkpoint.begun(file, n, recipe, self.approx, updates, self._callbacks)
        part = None if other is None else part_of(self, score, self._callbacks, kwargs, n, seconds)
        return self.run_for(n, progressbar, checkpoint=kept, seconds=seconds, executor=other, part=part, view=view)

    def forget(self) -> None:
        """Forget the last fit; the approximation stays."""
        self._updates, self._callbacks, self._notes = None, [], []

    @property
    def updates(self) -> ObjectiveUpdates:
        """The steps of the last fit.

        Raises
        ------
        TypeError
            If there was none.
        """
        if self._updates is None:
            raise TypeError("refine goes on with a fit, and there was none; call fit first.")
        return self._updates

    def go_on(
        self, checkpoint: Checkpoint, until: int, progressbar: Progressbar, max_seconds: float | None
    ) -> Approximation:
        """Go on with the fit of a file, which was set up.

        Parameters
        ----------
        checkpoint : Checkpoint
        until : int
            Its last iteration.
        progressbar : bool or callable
        max_seconds : float or None
            As in `fit`.

        Returns
        -------
        approx : Approximation
        """
        return self.run_for(until - int(self.updates.fitting.fit.done), progressbar, True, checkpoint, max_seconds)

    def begin(
        self,
        score: bool | None = None,
        callbacks: Sequence[Callable[..., Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        """Set up a fit: a new optimiser, callbacks.

        Parameters
        ----------
        score : bool, optional
            As in `fit`.
        callbacks : sequence of callable, optional
            As in `fit`.
        **kwargs : object
            As in `fit`.
        """
        scored = self._scored(score)
        self._callbacks = listed(callbacks)
        self._updates = self.objective.updates(**kwargs)
        if not self.objective.op.takes_batches:
            self._updates.fitting.needs_all_data()
        self._updates.fitting.keeps_losses = scored
        self._updates.fitting.check_start(self._updates.particle)
        self._notes = gradient_warnings(self._updates.fitting.bound)
        learns = self.approx.has_learnt or kwargs.get("more_obj_params") is not None
        problems = [*self._updates.fitting.feeds.problems, *doubts(self.approx.groups, self.approx.model, learns)]
        self._notes += [(message, NbinferWarning) for message in problems]
        if score and not scored:
            self._notes.append((f"{type(self.objective.op).__name__} has no loss to keep.", NbinferWarning))

    def refine(self, n: int, progressbar: Progressbar = True) -> Approximation:
        """Go on with the last fit: its optimiser, callbacks and random numbers, as if it had not ended.

        Parameters
        ----------
        n : int
            Further iterations.
        progressbar : bool or callable
            As in `fit`.

        Returns
        -------
        approx : Approximation

        Raises
        ------
        TypeError
            If there was no fit.
        """
        count("n", n, 0, MOST)
        fits(8.0 * n, f"losses of {n} iterations", "take fewer")
        return self.run(n, progressbar)

    def run_profiling(self, n: int = 1000, score: bool | None = None, **kwargs: Any) -> dict[str, float]:
        """Fit for some iterations and say what took how long.

        Parameters
        ----------
        n : int
            Iterations.
        score : bool, optional
            As in `fit`.
        **kwargs : object
            Options of `ObjectiveFunction.updates`.

        Returns
        -------
        profile : dict of str to float
            Seconds for an iteration (``iteration``), for an evaluation of the model's gradient (``gradient``), and for
            all iterations (``total``); and their number (``iterations``).
        """
        count("n", n, 1, MOST)
        check_function_options(kwargs.pop("fn_kwargs", None))
        self.begin(score, **kwargs)
        assert self._updates is not None
        self._updates.load()
        done, begin = len(self.hist), time.perf_counter()
        self.run(n, False, judged=False)
        total = time.perf_counter() - begin
        made = max(len(self.hist) - done, 1)
        bound, position = self._updates.fitting.bound, self._updates.fitting.centre
        bound.value_and_grad(position)
        begin = time.perf_counter()
        for _ in range(n):
            bound.value_and_grad(position)
        gradient = (time.perf_counter() - begin) / n
        return {"iterations": float(made), "total": total, "iteration": total / made, "gradient": gradient}

    def _scored(self, score: bool | None) -> bool:
        returns = self.objective.op.returns_loss
        return returns if score is None else flag("score", score) and returns

    def run(self, n: int, progressbar: Progressbar = True, judged: bool = True) -> Approximation:
        """Make so many iterations of the fit that was set up.

        Parameters
        ----------
        n : int
            Iterations.
        progressbar : bool or callable
            As in `fit`.
        judged : bool
            Whether to find k-hat afterwards, and to warn.

        Returns
        -------
        approx : Approximation
        """
        return self.run_for(n, progressbar, judged)

    def run_for(
        self,
        n: int,
        progressbar: Progressbar,
        judged: bool = True,
        checkpoint: Checkpoint | None = None,
        seconds: float | None = None,
        executor: Executor | None = None,
        part: bytes | None = None,
        view: Asked | None = None,
    ) -> Approximation:
        """Make so many iterations of the fit that was set up.

        Parameters
        ----------
        n, progressbar, judged : object
            As of `run`.
        checkpoint : Checkpoint, optional
            The file of the fit.
        seconds : float, optional
            How long iterations may be made.
        executor : Executor, optional
            What makes them elsewhere.
        part : bytes, optional
            What it is sent.
        view : Asked, optional
            What is to be shown meanwhile.

        Returns
        -------
        approx : Approximation
        """
        updates = self.updates
        shows("progressbar", progressbar)
        fitting = updates.fitting
        updates.make_room(n)
        updates.load()  # not in the thread that runs: a compilation there would hide from Ctrl-C
        until = int(fitting.fit.done) + n
        describe = functools.partial(described, fitting)
        display = display_for(progressbar, [self.approx.short_title], until, "it", describe)
        live = None if view is None else watched(display, self._source(view), view)
        given = self.approx, updates, self._callbacks, until, live or display, judged, checkpoint, seconds
        task = Run(*given) if executor is None or part is None else RunElsewhere(executor, part, *given)
        while self._notes:  # once, not when a fit is refined
            task.say(*self._notes.pop(0))
        if live is not None:
            live.attend(task, fitting.progress)
        return finished(task)

    def _source(self, view: Asked) -> Losses | Particles:
        """Return what a view shows of a fit."""
        return Particles(self.approx, view) if self.approx.all_histograms else Losses(self.updates.fitting, view)


def limit(name: str, seconds: Any) -> float | None:
    """Return how long something may take."""
    if seconds is not None:
        positive(name, seconds)
    return None if seconds is None else float(seconds)
