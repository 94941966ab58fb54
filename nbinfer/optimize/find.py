"""Points and curvatures of a model: the maximum of its density, the Hessian there, a scaling for steps."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import Progressbar, choice, count, flag, function, is_number, shows, words
from nbinfer.engine.progress import counter_for
from nbinfer.engine.starts import Start, starting_points
from nbinfer.engine.step import site_of
from nbinfer.errors import ConvergenceWarning, calls_above, unseen
from nbinfer.model import Model
from nbinfer.model.code.generate import DIFFERENCE_STEP
from nbinfer.model.default import is_model, the_model
from nbinfer.optimize import curvature
from nbinfer.optimize.words import of_end, of_start, tell_of_flat
from nbinfer.spelling import check_options, public_by_kind

Floats = NDArray[np.float64]

#: SciPy's methods -> whether they use gradients, and options that find more digits than SciPy's defaults do.
METHODS: dict[str, tuple[bool, dict[str, float]]] = {
    "l-bfgs-b": (True, {"ftol": 1e-13, "gtol": 1e-8}),
    "bfgs": (True, {"gtol": 1e-7}),
    "cg": (True, {"gtol": 1e-7}),
    "newton-cg": (True, {"xtol": 1e-10}),
    "tnc": (True, {}),
    "slsqp": (True, {"ftol": 1e-12}),
    "nelder-mead": (False, {"xatol": 1e-8, "fatol": 1e-10}),
    "powell": (False, {"xtol": 1e-8, "ftol": 1e-12}),
}
_DROP = 100.0  # nats below the worst point so far, where a point counts that has no density


class _Enough(Exception):
    """The limit on evaluations is reached."""


class _Objective:
    """Minus the log density of some coordinates, with its gradient; remembers the best point."""

    def __init__(self, bound: Any, start: Start, coordinates: NDArray[np.int64], jacobian: bool, limit: int) -> None:
        self._bound, self._coordinates, self._jacobian, self._limit = bound, coordinates, jacobian, limit
        self.discrete = start.discrete if len(start.discrete) else None
        self.best, self.logp, self.slope = start.position, -np.inf, np.nan
        self.evaluations, self._worst = 0, -np.inf

    def with_grad(self, x: Floats) -> tuple[float, Floats]:
        """Return minus the log density, and its gradient; where there is none, a value that drives the search back."""
        q = self._position(x)
        logp, grad = self._bound.value_and_grad(q, self.discrete)
        if not self._jacobian:
            logp, grad = logp - self._log_jacobian(q), grad - self._jacobian_grad(q)
        grad = grad[self._coordinates]
        if not np.isfinite(logp) or not np.isfinite(grad).all():
            return self._worst + _DROP, np.zeros(len(x))
        self._remember(q, logp, float(np.abs(grad).max()))
        return -logp, -grad

    def value(self, x: Floats) -> float:
        """Return minus the log density."""
        q = self._position(x)
        logp = self._bound.value(q, self.discrete) - (0.0 if self._jacobian else self._log_jacobian(q))
        if not np.isfinite(logp):
            return self._worst + _DROP
        self._remember(q, logp, np.nan)
        return float(-logp)

    def _position(self, x: Floats) -> Floats:
        if self.evaluations >= self._limit:
            raise _Enough
        self.evaluations += 1
        q = self.best.copy()
        q[self._coordinates] = x
        return q

    def _remember(self, q: Floats, logp: float, slope: float) -> None:
        self._worst = max(self._worst, -logp)
        if logp > self.logp:
            self.best, self.logp, self.slope = q, logp, slope

    def _log_jacobian(self, q: Floats) -> float:
        return float(self._bound.definition.log_jacobian(q, self.discrete))

    def _jacobian_grad(self, q: Floats) -> Floats:
        """Return the gradient of the log Jacobian determinant."""
        layout = self._bound.definition.layout
        return self._differences(q) if layout.dependent else _pulled_back(layout, q)

    def _differences(self, q: Floats) -> Floats:
        """Return it where bounds depend on other parameters."""
        grad = np.empty(len(q))
        for i in range(len(q)):
            above, below = q.copy(), q.copy()
            above[i] += DIFFERENCE_STEP * max(1.0, abs(q[i]))
            below[i] -= DIFFERENCE_STEP * max(1.0, abs(q[i]))
            grad[i] = (self._log_jacobian(above) - self._log_jacobian(below)) / (above[i] - below[i])
        return grad


def _pulled_back(layout: Any, q: Floats) -> Floats:
    """Return it where they do not: it is what a pullback adds to a gradient of zero."""
    grad = np.zeros(len(q))
    with np.errstate(all="ignore"):
        for p in layout.continuous:
            value, constants = np.empty(p.elements), p.support.constants
            p.support.forward.py_func(q[p.q], value, constants)
            p.support.pullback.py_func(q[p.q], value, constants, np.zeros(p.elements), grad[p.q])
    return grad


@public_by_kind(model=is_model)
def find_map(
    model: Model | None = None,
    start: Mapping[str, Any] | None = None,
    *,
    vars: str | Sequence[str] | None = None,
    method: str = "L-BFGS-B",
    include_jacobian: bool = False,
    maxeval: int = 5000,
    callback: Callable[[dict[str, Any], float], Any] | None = None,
    progressbar: Progressbar = True,
    return_raw: bool = False,
    **options: Any,
) -> Any:
    """Find the point of highest density.

    Parameters
    ----------
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    start : mapping of str to array_like, optional
        Constrained values by name; what is missing is at the initial point.
    vars : str or sequence of str, optional
        Variables to move. Default: all continuous ones. Discrete variables stay where they start.
    method : str
        One of SciPy's: 'L-BFGS-B', 'BFGS', 'CG', 'Newton-CG', 'TNC', 'SLSQP', and 'Nelder-Mead' and 'Powell', which use
        no gradient.
    include_jacobian : bool
        False: the maximum of the density of the parameters as they are named. True: of the unconstrained ones, which is
        the density that samplers see; for a parameter without bounds the two are the same.
    maxeval : int
        Evaluations at most.
    callback : callable, optional
        ``callback(point, logp)`` is called once per iteration; StopIteration ends the search.
    progressbar : bool or callable
        Show evaluations, log density and largest slope; or a function that is told of them, as of `nbinfer.sample`.
    return_raw : bool
        Return SciPy's result as well, over the unconstrained coordinates that moved; None if the search was cut short.
    **options : object
        For SciPy's method: ``gtol=1e-6``.

    Returns
    -------
    point : dict of str to value
        Constrained values and derived quantities. Ctrl-C returns the best so far.

    Raises
    ------
    ValueError
        If an argument is wrong.
    SamplingError
        If the density is not finite at the start.

    Warns
    -----
    ConvergenceWarning
        If the search ended before it was at a maximum.

    Examples
    --------
    >>> import numpy as np
    >>> import nbinfer as nb
    >>> def logp(p, d):  # 61 of 100, with a Beta(2, 2) prior
    ...     return 62 * np.log(p.theta) + 40 * np.log(1 - p.theta)
    >>> model = nb.Model({"theta": nb.unit()}, logp=logp)
    >>> round(nb.find_map(model)["theta"], 6)
    0.607843
    """
    model = the_model(model)
    choice("method", getattr(method, "lower", lambda: method)(), METHODS)
    flag("include_jacobian", include_jacobian)
    shows("progressbar", progressbar)
    flag("return_raw", return_raw)
    if callback is not None:
        function("callback", callback)
    count("maxeval", maxeval, 1, 2**62)
    bound = model.bind(1)
    (begin,) = starting_points(bound, model, start, False, [np.zeros(2, np.uint64)], [0], disperse=False)
    bound.check_gradient(begin.position, begin.discrete)
    coordinates = _coordinates(bound, vars)
    objective = _Objective(bound, begin, coordinates, include_jacobian, maxeval)
    display = counter_for(progressbar, "evaluation")

    def show(*_: Any) -> None:
        display.update(objective.evaluations, f"logp {objective.logp:.6g}, slope {objective.slope:.2g}")
        if callback is not None:
            callback(model.constrain(objective.best, objective.discrete), objective.logp)

    try:
        raw, ended = _minimise(objective, begin.position[coordinates], method.lower(), options, show)
    finally:
        display.close()
    problem = (
        of_end(bound, objective, begin.position, coordinates, ended)
        if ended
        else of_start(bound, objective, begin.position, coordinates)
    )
    if problem:
        with unseen():
            warnings.warn(problem, ConvergenceWarning, calls_above())
    values = model.constrain(objective.best, objective.discrete)
    point = values | model.derived_values(values)
    return (point, raw) if return_raw else point


def _minimise(objective: _Objective, start: Floats, method: str, options: Any, show: Any) -> tuple[Any, str]:
    """Run SciPy's method; return its result, and why it ended if not at a minimum."""
    from scipy.optimize import OptimizeWarning, minimize

    uses_gradient, precise = METHODS[method]
    target = objective.with_grad if uses_gradient else objective.value
    jac = uses_gradient or None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Unknown solver options", OptimizeWarning)
            raw = minimize(target, start, method=method, jac=jac, callback=show, options={**precise, **options})
    except OptimizeWarning as error:  # before the first evaluation
        unknown = str(error).partition(": ")[2].split(", ")
        check_options("find_map()", unknown, find_map)
        raise
    except _Enough:
        return None, f"maxeval={objective.evaluations} evaluations were not enough"
    except StopIteration:
        return None, ""
    except KeyboardInterrupt:
        return None, "interrupted"
    # At the limit of rounding a line search finds nothing lower, and says so.
    flat = objective.slope <= 1e-5 * max(1.0, abs(objective.logp))
    return raw, "" if raw.success or flat or raw.status == 99 else str(raw.message)


@public_by_kind(model=is_model)
def find_hessian(
    point: Mapping[str, Any], vars: str | Sequence[str] | None = None, model: Model | None = None
) -> Floats:
    """Return the curvature of the log density at a point, −∇²logp.

    Parameters
    ----------
    point : mapping of str to array_like
        Constrained values by name; what is missing is at the initial point.
    vars : str or sequence of str, optional
        Variables whose rows and columns are wanted. Default: all continuous ones.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.

    Returns
    -------
    hessian : ndarray, shape (n, n)
        On the unconstrained scale, with the Jacobian of the transforms: the precision of the normal distribution that
        fits there. By differences of gradients, 4 n of them, and 4 for each coordinate whose scale is far from 1.

    Warns
    -----
    NbinferWarning
        If the density does not curve in some coordinates, or has a kink there.

    Examples
    --------
    >>> import nbinfer as nb
    >>> def logp(p, d):
    ...     return -0.5 * (p.x**2 / 4.0 + p.y**2)
    >>> model = nb.Model({"x": nb.real(), "y": nb.real()}, logp=logp)
    >>> nb.find_hessian({"x": 1.0}, model=model).round(6) + 0.0
    array([[0.25, 0.  ],
           [0.  , 1.  ]])
    """
    found, flat = curvature.hessian(*_at(point, vars, model))
    tell_of_flat(flat)
    return found


@public_by_kind(model=is_model)
def guess_scaling(
    point: Mapping[str, Any],
    vars: str | Sequence[str] | None = None,
    model: Model | None = None,
    scaling_bound: float = curvature.SCALING_BOUND,
) -> Floats:
    """Return a scaling for steps from the curvature at a point.

    Parameters
    ----------
    point : mapping of str to array_like
        Constrained values by name; what is missing is at the initial point.
    vars : str or sequence of str, optional
        Variables that the step moves. Default: all continuous ones.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    scaling_bound : float
        Curvatures are held between ``scaling_bound**2`` and ``scaling_bound**-2``.

    Returns
    -------
    scaling : ndarray, shape (n,)
        Absolute values of the diagonal of −∇²logp, a mass: ``NUTS(scaling=scaling)``.

    Warns
    -----
    NbinferWarning
        As `find_hessian` does.

    Examples
    --------
    >>> import nbinfer as nb
    >>> def logp(p, d):
    ...     return -0.5 * p.x**2 / 4.0
    >>> model = nb.Model({"x": nb.real()}, logp=logp)
    >>> nb.guess_scaling({"x": 1.0}, model=model).round(6)
    array([0.25])
    """
    if not is_number(scaling_bound) or not 0.0 < scaling_bound <= 1.0:
        raise ValueError(f"scaling_bound must lie in (0, 1], got {scaling_bound!r}.")
    found, flat = curvature.curvatures(*_at(point, vars, model))
    tell_of_flat(flat)
    return curvature.bounded(found, scaling_bound)


def _at(point: Any, vars: Any, model: Model | None) -> tuple[Any, Floats, curvature.Integers, curvature.Integers]:
    bound = the_model(model).bind(1)
    q, discrete = curvature.position(bound, point)
    bound.check_gradient(q, discrete)
    return bound, q, discrete, _coordinates(bound, vars)


def _coordinates(bound: Any, vars: Any) -> NDArray[np.int64]:
    """Return the coordinates of some variables, by default of all."""
    parameters = bound.definition.parameters
    continuous = [name for name, p in parameters.items() if not p.support.discrete]
    names = continuous if vars is None else words("vars", vars)
    for name in names:
        if name not in continuous:
            what = "is discrete" if name in parameters else "is no variable of the model"
            raise ValueError(f"vars names {name!r}, which {what}; choose among {', '.join(continuous) or 'none'}.")
    if not names:
        raise ValueError("vars must name a continuous variable to move; there is none.")
    return site_of(bound, names).coordinates
