"""The kernel Stein discrepancy as an operator: what becomes small is not a loss, but known by its direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import choice, dtype_of, flag, numbers, positive
from nbinfer.engine.backends import CPU, check_backend, on_backend
from nbinfer.engine.driver import Outcome, cores_for, run_for_now
from nbinfer.engine.progress import Display
from nbinfer.engine.team import work
from nbinfer.errors import ParametrizationError
from nbinfer.spelling import public, shown
from nbinfer.variational.approximation import Approximation
from nbinfer.variational.functions import TestFunction
from nbinfer.variational.group import Group
from nbinfer.variational.objective import ObjectiveFunction
from nbinfer.variational.operators import Operator
from nbinfer.variational.report import Verdict
from nbinfer.variational.stein.annealing import Annealing
from nbinfer.variational.stein.crew import Crew
from nbinfer.variational.stein.kernels import RadialKernel
from nbinfer.variational.stein.noise import Noise
from nbinfer.variational.stein.preconditioned import FOUND, Preconditioner, given_root
from nbinfer.variational.stein.stage import Stage
from nbinfer.variational.stein.stein import Stein, joint_histogram
from nbinfer.variational.stein.verdict import verdict_on
from nbinfer.variational.steps import ObjectiveUpdates
from nbinfer.variational.values import Shared

Floats = NDArray[np.float64]

#: What sums over pairs may be made in.
DTYPES = ("float64", "float32")
#: Cores at most that `cores` may name.


class SteinUpdates(ObjectiveUpdates):
    """Iterations that workers share out among themselves."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        op, fitting = self.objective.op, self.fitting
        assert isinstance(op, KSD) and self.objective.tf is not None
        is_drawn = not op.approx.all_histograms
        self.particle = None if is_drawn else joint_histogram(op.approx)[0]
        n = fitting.settings.n_draws if is_drawn else len(joint_histogram(op.approx))
        self._crew = Crew(fitting, self.objective.tf, op.temperature, n, is_drawn, op.dtype)
        self._crew.stages = op.stages(self._crew)
        self._cores = 1 if fitting.bound.serial else op.workers
        fitting.crew = self._crew

    def load(self) -> None:
        self._crew.load()
        work.load()

    def make_room(self, count: int) -> None:
        first = self.fitting.steps_made
        for stage in self._crew.stages:
            stage.make_room(int(self.fitting.fit.done), first, count)
        super().make_room(count)

    def advance(self, until: int, display: Display) -> Outcome:
        self.fitting.ask()
        return run_for_now(self.fitting, until, self._cores, display)

    def verdict(self, thorough: bool) -> Verdict:
        fitting = self.fitting
        if not thorough or self._crew.stein.is_drawn or not fitting.fit.done:
            return Verdict()
        if fitting.feeds and not (fitting.feeds.are_few and fitting.whole.is_exact):
            return Verdict()  # the forces of one batch are not those that are to vanish
        found = self._crew.look(fitting.whole if fitting.feeds else None)
        moves = any(stage.moves_at_rest for stage in self._crew.stages)
        return Verdict() if found is None else verdict_on(*found, judges_force=not moves)


def _check_factor(annealing: Any) -> None:
    """Require a function of the iteration."""
    if isinstance(annealing, type) or not callable(annealing):
        got = f"the class {annealing.__name__}" if isinstance(annealing, type) else shown(annealing)
        raise TypeError(f"annealing must be a function of the iteration, such as nb.CyclicAnnealing(), got {got}.")


@public
class KSDObjective(ObjectiveFunction):
    """The direction that the operator knows, pulled back to parameters; made by calling the operator.

    Of n points z that are all rows of histograms the gradient of these is minus the direction `Stein.grad`; of draws
    that of parameters is minus the sum of ``(dz_i / dparameters)^T grad_i``. `Stein.grad` is a mean over points, and no
    further division takes place; the documents print one by n for draws, which their source does not have. It matters
    to optimisers such as `adagrad_window` whose epsilon has the unit of a gradient.

    Parameters
    ----------
    op : KSD
        Of an approximation.
    tf : Kernel
        What it is applied to.

    Raises
    ------
    ParametrizationError
        If the operator is another.
    """

    op: KSD

    def __init__(self, op: Operator, tf: TestFunction | None) -> None:
        if not isinstance(op, KSD):
            raise ParametrizationError(f"op must be KSD, got {type(op).__name__}.")
        super().__init__(op, tf)

    @property
    def kind(self) -> type[ObjectiveUpdates]:
        if self.op.backend == CPU:
            return SteinUpdates
        updates: type[ObjectiveUpdates] = on_backend(self.op.backend, "particles").ParticleUpdates
        return updates

    @property
    def obj_params(self) -> list[Shared]:
        return self.approx.params if self.approx.all_histograms else super().obj_params

    def moved(self, more: Any, names: Sequence[str] = ()) -> list[Group]:
        """Return the groups whose parameters a fit moves: all, where they are particles."""
        return list(self.approx.groups) if self.approx.all_histograms else super().moved(more, names)

    def updates(  # type: ignore[override]
        self,
        obj_n_mc: int | None = None,
        more_obj_params: Sequence[Shared] | None = None,
        tf_n_mc: int | None = None,
        more_tf_params: Sequence[Shared] | None = None,
        **others: Any,
    ) -> ObjectiveUpdates:
        """Return the steps of a fit.

        Parameters
        ----------
        obj_n_mc : int, optional
            Draws of each iteration, where there are no particles. Default 1.
        more_obj_params : sequence of Shared or array, optional
            Parameters that the user gave to groups, and that are to be moved, too.
        tf_n_mc : None
            Not used.
        more_tf_params : None
            Not used.
        **others : object
            As in `ObjectiveFunction.updates`.

        Returns
        -------
        updates : SteinUpdates

        Raises
        ------
        ParametrizationError
            If all particles are equal, or there are fewer than two and their median distance is asked for.
        """
        if tf_n_mc is not None or more_tf_params or self.test_params:
            raise ParametrizationError(
                "a kernel has no parameters to maximise over, and tf_n_mc and more_tf_params mean nothing here."
            )
        if self.op.dtype != "float64" and not isinstance(self.tf, RadialKernel):
            raise ParametrizationError(
                f"dtype='{self.op.dtype}' means nothing to a kernel in plain Python, which is asked in float64; leave "
                "it out, or take nb.RBF(), nb.IMQ() or another RadialKernel."
            )
        spread = bool(getattr(self.tf, "needs_spread", False))
        if self.approx.all_histograms:
            if obj_n_mc is not None:
                raise ParametrizationError("all particles move in each iteration, and obj_n_mc means nothing here.")
            _check_particles(joint_histogram(self.approx), spread)
        elif spread and (obj_n_mc or 1) < 2:
            raise ParametrizationError(
                f"obj_n_mc must be at least 2, for the median distance of draws gives the bandwidth of {self.tf!r}, "
                f"got {obj_n_mc or 1}; take some hundred, or give the kernel a bandwidth."
            )
        return super().updates(obj_n_mc, more_obj_params=more_obj_params, **others)


def _check_particles(rows: Floats, spread: bool) -> None:
    if spread and len(rows) < 2:
        raise ParametrizationError(
            f"n_particles must be at least 2 for a kernel whose bandwidth is their median distance, got {len(rows)}; "
            "give it one, such as kernel=nb.RBF(bandwidth=1.0)."
        )
    if len(rows) > 1 and (rows == rows[0]).all():
        raise ParametrizationError(
            f"all {len(rows)} particles are equal, and equal particles never part; begin with jitter > 0."
        )


@public
class KSD(Operator):
    """The kernel Stein discrepancy of q from the posterior, by the direction in which it falls [1]_.

    Parameters
    ----------
    approx : Approximation
        What is fitted: particles, which are rows of histograms; or anything else, of which draws are taken.
    temperature : float
        What the density part of the direction is divided by. Above 1 particles come to lie further apart: up to the
        length of steps the repulsive part is multiplied by it. With a kernel that sees first and second moments alone
        their variance is `temperature` times that of the posterior. It widens what has collapsed in many dimensions, by
        an amount that has nothing to do with the posterior; it cures no collapse, and where there is none it makes
        variances wrong. Leave it at 1 unless you know the variance you want.
    cores : int, optional
        Threads that share gradients and kernel out among themselves. Default: all. The result does not depend on it.
    dtype : {'float64', 'float32'} or dtype
        Of the sums over pairs, see `SVGD`.
    noisy : bool
        Whether particles get the noise that keeps their spread, see `SVGD`.
    annealing : callable, optional
        ``factor(i)`` of the iteration i = 0, 1, ..., from 0 to 1, by which the density part is multiplied, see
        `CyclicAnnealing`.
    metric : {'diag', 'dense'} or array_like, optional
        The metric of kernel and forces, see `SVGD`.
    backend : {'cpu', 'cuda'}
        Where iterations are made, see `SVGD`.

    Raises
    ------
    ValueError
        If `temperature` is not positive, `dtype` another, or there is no such backend.
    ParametrizationError
        If `metric` is no precision of the parameters, or draws are to be noisy.

    References
    ----------
    .. [1] Q. Liu and D. Wang, "Stein variational gradient descent: a general purpose Bayesian inference algorithm",
       NeurIPS (2016).
    """

    has_test_function = True
    returns_loss = False
    require_logq = False
    objective_class = KSDObjective

    def __init__(
        self,
        approx: Approximation,
        temperature: float = 1.0,
        cores: int | None = None,
        *,
        dtype: Any = "float64",
        noisy: bool = False,
        annealing: Callable[[int], float] | None = None,
        metric: Any = None,
        backend: str = CPU,
    ) -> None:
        super().__init__(approx)
        self.backend = check_backend(backend)
        if self.backend != CPU:
            on_backend(self.backend, "particles").require()
        positive("temperature", temperature)
        cores = cores_for(cores)
        self.temperature, self.dtype = float(temperature), dtype_of("dtype", dtype, DTYPES)
        self.workers = cores if self.backend == CPU else 0
        self.noisy, self.annealing, self.metric = flag("noisy", noisy), annealing, metric
        if annealing is not None:
            _check_factor(annealing)
        if isinstance(metric, str):
            choice("metric", metric, FOUND)
        elif metric is not None:
            self.metric = numbers("metric", metric)
            given_root(self.metric, approx.ndim)
        if noisy and not approx.all_histograms:
            raise ParametrizationError(
                f"noisy=True is a matter of particles, and the approximation is {approx.short_title}."
            )

    def stages(self, crew: Crew) -> list[Stage]:
        """Return what an iteration does besides, in its order."""
        found: list[Stage] = []
        if self.annealing is not None:
            found.append(Annealing(crew, self.annealing))
        if self.metric is not None:
            found.append(Preconditioner(crew, self.metric))
        if self.noisy:
            found.append(Noise(crew))
        return found

    def apply(self, f: TestFunction | None, z: Floats) -> tuple[float, Floats, list[Floats]]:
        """Return minus the direction at draws, see `Stein.grad`, as the derivative of a value that nobody knows.

        Parameters
        ----------
        f : Kernel
        z : ndarray, shape (draws, dim)

        Returns
        -------
        value : float
            NaN.
        to_draws : ndarray, shape (draws, dim)
        to_function : list
            Empty.
        """
        return np.nan, -Stein.at(self.approx, f, self.temperature, z).grad, []

    def __call__(self, f: Any = None) -> Any:
        if isinstance(f, type):
            raise TypeError(f"kernel must be an object, such as nb.RBF(), got the class {f.__name__}.")
        return super().__call__(f)
