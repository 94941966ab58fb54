"""What may be wrong with a model, looked for one by one at points of a `Probe`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.checks.probe import Point, Probe
from nbinfer.diagnostics.edges import Ends
from nbinfer.diagnostics.problem import Kind, Problem, plural, two_digits
from nbinfer.engine.starts import starting_points
from nbinfer.errors import SamplingError
from nbinfer.model.code.extras import check_conditionals
from nbinfer.model.support.bounds import BoundsError
from nbinfer.trace.names import listed

#: Points at which gradients and scales are looked at, and coordinates at most that are moved one by one.
_FEW, _MOST = 3, 2000
#: How far coordinates move that are asked whether they change anything.
_STEPS = (0.7, 300.0)
#: Scale of the steps that look for ends of the density, at least.
_LEAST_SCALE = 0.5
#: Ratios of scales that are mentioned, and that are a problem.
_MENTIONED, _TOO_FAR = 1e4, 1e6


def problem(kind: Kind, count: int, message: str) -> Problem:
    """Make a problem that is no matter of chains."""
    return Problem(kind, count, (), message)


def start(probe: Probe, keys: Sequence[NDArray[np.uint64]]) -> Problem | None:
    """Look whether chains can begin, as `nb.sample` has them begin."""
    try:
        starting_points(probe.bound, probe.model, None, True, keys, range(len(keys)), probe.bound.dim > 0)
        if probe.model.conditional:
            check_conditionals(probe.bound.definition, probe.near[0].q, probe.near[0].discrete)
    except SamplingError as error:
        return problem(Kind.START, len(keys), f"No chain can begin: {error}")
    except Exception as error:  # the user's own
        return problem(Kind.START, len(keys), f"No chain can begin: {raised(error)}")
    return None


def raised(error: BaseException) -> str:
    """Write an exception with its notes."""
    notes = getattr(error, "__notes__", [])
    return ended("; ".join([f"{type(error).__name__}: {error}".rstrip("."), *notes]))


def ended(text: str) -> str:
    """Write a full stop, unless a line of code or another mark ends the text."""
    return text if "\n" in text or text.endswith((".", "?", "!")) else f"{text}."


def gradient(probe: Probe) -> Problem | None:
    """Compare the gradient with differences; what disagrees at one point only, as at a kink, is no mistake."""
    bound, points = probe.bound, probe.finite[:_FEW]
    if not bound.dim or bound.has_gradient == "finite differences":
        return None
    broken = [p for p in probe.finite if not np.all(np.isfinite(p.grad))]
    if broken:
        where = f"at {broken[0].logp:.6g}, which is finite: {reason(probe, broken[0])}"
        return problem(
            Kind.GRADIENT, len(broken), _shares(broken, probe.finite, f"the gradient is not, with logp {where}")
        )
    found = [bound.disagreement(point.q, point.discrete) for point in points]
    wrong = [worst for worst in found if worst is not None]
    if not wrong or len(wrong) < min(2, len(points)):
        return None
    worst = max(wrong, key=lambda one: one.excess)
    return problem(
        Kind.GRADIENT,
        len(wrong),
        f"The gradient, which is {bound.has_gradient}, is wrong for {worst.name}: it is {worst.gradient:.6g}, and "
        f"central differences give {worst.difference:.6g}. Trajectories follow it and not the density: "
        "model.check_grad() lists every coordinate.",
    )


def _shares(some: Sequence[Any], of_all: Sequence[Any], text: str) -> str:
    return f"At {len(some)} of {plural(len(of_all), 'point')} {text}."


def vanishing(probe: Probe) -> Problem | None:
    """Look for derivatives that vanish without a word."""
    messages = probe.bound.derivative_warnings
    if not messages:
        return None
    return problem(Kind.GRADIENT, len(messages), "\n".join(map(ended, messages)))


def columns(probe: Probe, notes: list[str]) -> None:
    """Mention data of shapes (n, 1) and (n,), where no term has a value for each observation that would tell."""
    shapes = {name: datum.array.shape for name, datum in probe.bound.definition.data.items()}
    for name, shape in shapes.items():
        rows = [other for other, s in shapes.items() if len(s) == 1 and s[0] > 1 and shape == (s[0], 1)]
        if rows:
            notes.append(
                f"Data {name!r} have shape {shape}, and {rows[0]!r} {shapes[rows[0]]}: where they meet they broadcast "
                f"to {(shape[0], shape[0])}. If that is not meant, pass {name}.ravel()."
            )


def random(probe: Probe) -> Problem | None:
    """Look whether the density is another number when it is asked again."""
    for point in probe.finite[:_FEW]:
        again = probe.at(point.q, point.discrete).logp
        if again != point.logp:
            return problem(
                Kind.RANDOMNESS,
                1,
                f"logp is {point.logp:.6g} and then {again:.6g} at the same point: it draws random numbers, or reads "
                "what changes. What is random is a parameter, and draws of data belong to predict=.",
            )
    return None


def support(probe: Probe) -> Problem | None:
    """Look whether the density ends where supports do not."""
    ends = Ends(probe.model, probe.bound)
    origins = [(point.q, point.discrete) for point in probe.finite][: ends.most]
    text = ends.text(origins, _LEAST_SCALE) if len(origins) > 1 else ""
    if text:
        return problem(Kind.SUPPORT, len(origins), f"Steps were taken from points where chains may begin. {text}")
    return _not_finite(probe.near, probe, "where chains may begin") or _not_finite(
        probe.from_prior, probe, "drawn from the prior"
    )


def _not_finite(points: Sequence[Point], probe: Probe, which: str) -> Problem | None:
    bad = [point for point in points if not point.is_finite]
    if not bad or len(bad) == len(points) == len(probe.near):
        return None  # where all are bad nothing can begin, which has been said
    reasons = Counter(reason(probe, point) for point in bad)
    first, _ = reasons.most_common(1)[0]
    return problem(
        Kind.SUPPORT,
        len(bad),
        f"At {len(bad)} of {plural(len(points), 'point')} {which} the density is not finite: {first}. Chains end "
        "trajectories there: give parameters the bounds that the density has, or write it so that it is finite.",
    )


def reason(probe: Probe, point: Point) -> str:
    """Name what is not finite at a point; the user's own exception, if there is one."""
    try:
        said = probe.bound.explain(point.q, point.discrete, probe.bound.dim > 0)
    except Exception as error:
        return f"the density raises {raised(error).rstrip('.')}"
    return said or "another evaluation is"


def without_effect(probe: Probe) -> Problem | None:
    """Look for coordinates and discrete values that the density does not depend on."""
    points = probe.finite[:_FEW]
    if not points or probe.bound.dim + probe.bound.n_discrete > _MOST:
        return None
    layout = probe.model.layout
    idle = [
        layout.coordinate_name(k)
        for k in range(probe.bound.dim)
        if not any(_moves(probe, points, _along(k, step)) for step in _STEPS)
    ]
    discrete = [p for p in layout.parameters.values() if p.support.discrete]
    idle += [p.name for p in discrete if not _moves(probe, probe.near, _drawn_anew(p.z, probe.near))]
    if not idle:
        return None
    names = _shortened(idle, layout.parameters)
    return problem(
        Kind.WITHOUT_EFFECT,
        len(idle),
        f"The density does not depend on {listed(names[:8])}{', …' if len(names) > 8 else ''}. Draws of it wander over "
        "the support, without end where that has none: use it, give it a prior, or leave it out.",
    )


def _along(k: int, step: float) -> Callable[[Point], tuple[Any, Any]]:
    def moved(point: Point) -> tuple[Any, Any]:
        q = point.q.copy()
        q[k] += step
        return q, point.discrete

    return moved


def _drawn_anew(place: slice, points: Sequence[Point]) -> Callable[[Point], tuple[Any, Any]]:
    """Move discrete values of a variable to those of each other point by turns."""
    others = iter(range(10**9))

    def moved(point: Point) -> tuple[Any, Any]:
        discrete = point.discrete.copy()
        discrete[place] = points[(next(others) + 1) % len(points)].discrete[place]
        return point.q, discrete

    return moved


def _moves(probe: Probe, points: Sequence[Point], moved: Callable[[Point], tuple[Any, Any]]) -> bool:
    """Tell whether the density on the constrained scale is another one, beyond rounding, where a point is moved to."""
    for point in points:
        before, after = _constrained(probe, point.q, point.discrete), _constrained(probe, *moved(point))
        if not np.isfinite(before) or abs(after - before) <= 256 * np.finfo(float).eps * max(1.0, abs(before)):
            continue
        return True
    return False


def _constrained(probe: Probe, q: Any, discrete: Any) -> float:
    """Return the log density without the Jacobian of the transforms."""
    try:
        jacobian = probe.model.layout.image(q, probe.bound.definition.data_tuple, discrete, probe.model.scales)[1]
    except BoundsError:
        return np.nan
    return probe.bound.value(q, discrete) - float(jacobian)


def _shortened(idle: Sequence[str], parameters: Any) -> list[str]:
    """Write the name of a parameter for those of all its elements."""
    count = Counter(name.partition("[")[0] for name in idle)
    whole = {name for name, n in count.items() if name in parameters and n == max(parameters[name].size, 1)}
    return list(dict.fromkeys(name.partition("[")[0] if name.partition("[")[0] in whole else name for name in idle))


def data(probe: Probe) -> Problem | None:
    """Look for data that are no numbers or endless."""
    bad = []
    for name, datum in probe.bound.definition.data.items():
        array = datum.array
        for what, found in (("NaN", np.isnan), ("inf", np.isinf)):
            count = int(found(array).sum()) if array.dtype == np.float64 else 0
            if count and name not in probe.bound.definition.active:
                bad.append(
                    f"{count} of {plural(array.size, 'value')} of {name!r} {'is' if count == 1 else 'are'} {what}"
                )
    if not bad:
        return None
    return problem(
        Kind.DATA,
        len(bad),
        f"Data are not finite: {listed(bad)}. A term that reads them is not finite either: leave these rows out, or "
        "declare gaps with missing=.",
    )


def scale(probe: Probe, notes: list[str]) -> Problem | None:
    """Compare how far each coordinate reaches, by the curvature of the density."""
    widths = _widths(probe)
    known = np.flatnonzero(np.isfinite(widths))
    if known.size < 2:
        return None
    least, most = known[np.argmin(widths[known])], known[np.argmax(widths[known])]
    ratio, name = widths[most] / widths[least], probe.model.layout.coordinate_name
    if ratio < _MENTIONED:
        return None
    text = (
        f"Where chains begin the density changes over {two_digits(widths[least])} of {name(int(least))} and "
        f"{two_digits(widths[most])} of {name(int(most))}, in unconstrained coordinates"
    )
    if ratio < _TOO_FAR:
        notes.append(f"{text}: warm-up learns such scales, and needs longer for it.")
        return None
    return problem(
        Kind.SCALE,
        2,
        f"{text}. The first steps are as small as the smallest asks for: give data and parameters units in which they "
        "are of the size of 1, such as standardised predictors.",
    )


def _widths(probe: Probe) -> NDArray[np.float64]:
    """Return the scale of each coordinate, 1 / sqrt(-curvature), the middle of a few points; NaN if none is known."""
    bound, dim = probe.bound, probe.bound.dim
    points = probe.finite[:_FEW] if 0 < dim <= _MOST and bound.has_gradient != "finite differences" else []
    found = np.full((len(points) or 1, dim), np.nan)
    for row, point in zip(found, points, strict=False):
        for k in range(dim):
            step = 1e-4
            sides = []
            for sign in (1.0, -1.0):
                q = point.q.copy()
                q[k] += sign * step
                sides.append(bound.value_and_grad(q, point.discrete)[1][k])
            curvature = -(sides[0] - sides[1]) / (2.0 * step)
            size = max(abs(sides[0]), abs(sides[1]))
            if curvature > 1e-9 * size / step and np.isfinite(curvature):  # else it is rounding
                row[k] = curvature**-0.5
    ordered = np.sort(found, axis=0)  # NaN last
    return np.asarray(ordered[(np.isfinite(ordered).sum(axis=0) - 1).clip(0) // 2, np.arange(dim)])
