r"""Families made of families: truncated, censored, mixed.

Each takes families, as modules, and returns one with the same functions: ``logpdf`` or ``logpmf``, ``logcdf`` and
``logsf`` where the families have them, ``random``, ``support`` and ``check``. Make it at the top of a module and use it
like any other, in Python, in compiled code and in models::

    cut = truncated(gamma)

    def likelihood(p, d):
        return cut.logpdf(d.y, p.alpha, p.beta, d.lower, np.inf)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.autodiff.registry import MAKERS
from nbinfer.distributions._check import BOUND, Check
from nbinfer.distributions._combined import Family, Parts, TwoChecks, adopt, combined, combined_generator, forms
from nbinfer.distributions._function import density
from nbinfer.distributions._linalg import exact
from nbinfer.distributions._mixture import mixture
from nbinfer.vectormath import log1mexp, select, where_valid

__all__ = ["censored", "mixture", "truncated"]

_LOG_HALF = math.log(0.5)
#: Of a tail a share that is so small is not a difference of tails, but the density in the middle times the width.
_NARROW = 1e-7
_LOG_NARROW = math.log(_NARROW)
#: What a log density may differ by between close bounds.
_FLAT = 1e-3
#: Draws of a family that may fall outside bounds before its distribution function is inverted instead.
_TRIES = 100


@density
def _itself(x: Any) -> Any:
    return x


@density
def _previous(x: Any) -> Any:
    return np.ceil(x) - 1.0


class _Tails:
    """The distribution function of a family at bounds that may be infinite, where its derivatives may be no numbers."""

    def __init__(self, parts: Parts, combinator: str) -> None:
        logcdf, logsf = parts.distribution(combinator)
        of_bound = combined(parts.name, "bound", parts.parameters, parts.cores)
        of_bounds = combined(parts.name, "low", ("high", *parts.parameters), (0, *parts.cores))
        self.up_to = of_bound(_anywhere(logcdf, -np.inf, 0.0))
        self.beyond = of_bound(_anywhere(logsf, 0.0, -np.inf))
        self.before = _previous if parts.discrete else _itself
        self.between = of_bounds(_between(self.up_to, self.beyond))
        if not parts.discrete:
            self.between = of_bounds(_between_any(self.between, self.up_to, self.beyond, parts.density))


def _anywhere(function: Any, at_start: float, at_end: float) -> Any:
    """Make a distribution function that has these values at minus infinity and infinity."""

    def anywhere(bound: Any, *parameters: Any) -> Any:
        finite = (bound > -np.inf) & (bound < np.inf)
        end = select(bound > 0.0, at_end, at_start)
        return select(finite, function(select(finite, bound, 0.0), *parameters), end)

    return anywhere


def _between(up_to: Any, beyond: Any) -> Any:
    """Make the log probability of what is greater than low and not greater than high."""

    def between(low: Any, high: Any, *parameters: Any) -> Any:
        log_low = up_to(low, *parameters)
        upper = log_low > _LOG_HALF  # above the median the complements are exact
        near = select(upper, beyond(low, *parameters), up_to(high, *parameters))
        far = select(upper, beyond(high, *parameters), log_low)
        return near + log1mexp(far - near)

    return between


def _between_any(between: Any, up_to: Any, beyond: Any, density: Any) -> Any:
    """Make the same where bounds may be so close that their tails are equal."""

    def between_any(low: Any, high: Any, *parameters: Any) -> Any:
        wide, width = between(low, high, *parameters), high - low
        finite = (width > 0.0) & (width < np.inf)
        start, width = select(finite, low, 0.0), select(finite, width, 1.0)
        middle = density(start + 0.5 * width, *parameters)
        slope = abs(density(start, *parameters) - middle) + abs(density(start + width, *parameters) - middle)
        log_low = up_to(low, *parameters)
        log_most = select(log_low > _LOG_HALF, beyond(low, *parameters), up_to(high, *parameters))
        flat = middle + np.log(width)
        return select(finite & (slope < _FLAT) & (flat - log_most < _LOG_NARROW), flat, wide)

    return between_any


class _Bounded:
    """A family that gets bounds: its parts and tails, and the name, parameters and check of what comes of it."""

    def __init__(self, family: Any, combinator: str) -> None:
        self.parts = parts = Parts(family, combinator)
        self.tails = _Tails(parts, combinator)
        self.name = f"{combinator}({parts.name})"
        self.names = (*parts.parameters, *_bounds(parts.parameters))
        self.check = _with_bounds(self.name, parts, self.names)

    def family(self, density: Any, logcdf: Any, logsf: Any, support: Any, random: Any) -> Family:
        """Make the family of these functions."""
        parts = self.parts
        mark = combined(self.name, "k" if parts.discrete else "x", self.names, (*parts.cores, 0, 0))
        members = {parts.kind: mark(density), "logcdf": mark(logcdf), "logsf": mark(logsf), "support": support}
        generator = combined_generator(self.name, self.check, parts.discrete)
        return Family(self.name, **members, check=self.check, random=generator(random))


def truncated(family: Any) -> Family:
    r"""Make the family of what lies between bounds.

    .. math:: p(x \mid \theta, a, b) = \frac{f(x \mid \theta)}{P(a \le X \le b \mid \theta)}, \qquad a \le x \le b

    Parameters
    ----------
    family : module
        A family of one variable that has ``logcdf`` and ``logsf``.

    Returns
    -------
    truncated : Family
        Its functions take the family's parameters, then ``lower`` and ``upper``: numbers or arrays, ``-inf`` and
        ``inf`` for no bound. Draws reject what lies outside; if that is nearly all, the distribution function is
        inverted, and draws of Python and of compiled code may differ in the last digits. Between bounds so close that
        the distribution function hardly changes, the family's density stands for its difference, to 8 digits.

    Raises
    ------
    TypeError
        If `family` is no family of one variable, or lacks these functions.

    See Also
    --------
    censored : Values beyond the bounds are known, but only that they are there.

    Examples
    --------
    >>> from nbinfer.distributions import exponential, truncated
    >>> family = truncated(exponential)
    >>> float(family.logpdf(1.0, 2.0, 0.5, np.inf).round(3))  # the exponential forgets
    -0.307
    """
    bounded = _Bounded(family, "truncated")

    def support(*parameters: Any) -> tuple[Any, Any]:
        start, end = family.support(*parameters[:-2])
        return np.maximum(start, parameters[-2]), np.minimum(end, parameters[-1])

    parts, tails = bounded.parts, bounded.tails
    return bounded.family(*_truncated_densities(parts.density, tails), support, _truncated_draw(parts, tails))


def _truncated_densities(f: Any, tails: _Tails) -> tuple[Any, Any, Any]:
    between, before = tails.between, tails.before

    def logpdf(x: Any, *parameters: Any) -> Any:
        own, lower, upper = parameters[:-2], parameters[-2], parameters[-1]
        whole = between(before(lower), upper, *own)
        return where_valid((x >= lower) & (x <= upper) & (whole > -np.inf), f(x, *own) - whole)

    def logcdf(x: Any, *parameters: Any) -> Any:
        own, lower, upper = parameters[:-2], parameters[-2], parameters[-1]
        start = before(lower)
        whole = between(start, upper, *own)
        found = between(start, np.minimum(x, upper), *own) - whole
        return where_valid((x >= lower) & (whole > -np.inf), np.minimum(found, 0.0))

    def logsf(x: Any, *parameters: Any) -> Any:
        own, lower, upper = parameters[:-2], parameters[-2], parameters[-1]
        start = before(lower)
        whole = between(start, upper, *own)
        found = between(np.maximum(x, start), upper, *own) - whole
        return where_valid((x < upper) & (whole > -np.inf), np.minimum(found, 0.0))

    return logpdf, logcdf, logsf


def _truncated_draw(parts: Parts, tails: _Tails) -> Any:
    draw_one, invert = parts.random, _inversion(tails, parts.discrete)
    number: Any = int if parts.discrete else float
    n = len(parts.parameters)  # where the bounds begin: behind them may be a size
    last = n + 1

    def random(rng: Any, *parameters: Any) -> Any:
        own, lower, upper = parameters[:n], parameters[n], parameters[last]
        for _ in range(_TRIES):
            x = draw_one(rng, *own)
            if lower <= x and x <= upper:
                return number(x)
        return number(invert(rng.random(), lower, upper, own))

    return random


def _bounds(taken: tuple[str, ...]) -> tuple[str, str]:
    """Return names for bounds: those of a family that has bounds are numbered on."""
    count = 1
    lower, upper = "lower", "upper"
    while lower in taken or upper in taken:
        count += 1
        lower, upper = f"lower_{count}", f"upper_{count}"
    return lower, upper


def _with_bounds(name: str, parts: Parts, names: tuple[str, ...]) -> Check:
    lower, upper = names[-2:]

    def extended(form: Check) -> Check:
        check = adopt(Check(name, **parts.anything, **{lower: BOUND, upper: BOUND}), form)
        if parts.discrete:
            return check.also(f"{lower} must not be greater than {upper}", lambda a, b: a <= b, [lower, upper])
        return check.also(f"{lower} must be less than {upper}", lambda a, b: a < b, [lower, upper])

    checks = [extended(form) for form in forms(parts.check)]
    return checks[0] if len(checks) == 1 else TwoChecks(*checks)


def _tail(tails: _Tails) -> Any:
    """Make the log probability of one of the two tails at x, as a number."""
    up_to, beyond = tails.up_to, tails.beyond

    @exact
    def tail(x: float, upper: bool, parameters: Any) -> float:
        return float(beyond(x, *parameters) if upper else up_to(x, *parameters))

    return tail


def _bracket(tail: Any) -> Any:
    """Make the function that replaces infinite ends by numbers, beyond which steps double."""

    @exact
    def bracket(start: float, end: float, target: float, upper: bool, parameters: Any) -> tuple[float, float]:
        step = 1.0
        low = start if start > -math.inf else min(0.0, end) - step
        while start == -math.inf and step < 1e300 and (tail(low, upper, parameters) < target) == upper:
            step *= 2.0
            low = min(0.0, end) - step
        step = 1.0
        high = end if end < math.inf else max(0.0, low) + step
        while end == math.inf and step < 1e300 and (tail(high, upper, parameters) < target) != upper:
            step *= 2.0
            high = max(0.0, low) + step
        return low, high

    return bracket


def _inversion(tails: _Tails, discrete: bool) -> Any:
    """Make the function that finds where the part v of what lies between two bounds is passed, by bisection."""
    before, tail = tails.before, _tail(tails)
    bracket = _bracket(tail)

    @exact
    def invert(v: float, lower: float, end: float, parameters: Any) -> Any:
        start = float(before(lower))
        upper = tail(start, False, parameters) > _LOG_HALF
        first, last = tail(start, upper, parameters), tail(end, upper, parameters)
        width = end - start
        if not discrete and abs(first - last) < _NARROW and width < math.inf:
            return min(start + v * width, end)
        larger = max(first, last)
        share = (1.0 - v) * math.exp(first - larger) + v * math.exp(last - larger)
        target = larger + math.log(share) if share > 0.0 else -math.inf
        low, high = bracket(start, end, target, upper, parameters)
        if discrete:
            low, high = math.floor(low), math.floor(high)
        while True:
            middle = low + 0.5 * (high - low)
            if discrete:
                middle = math.floor(middle)
            if not low < middle < high:
                return high
            # The tail beyond shrinks with x, the one up to x grows.
            if (tail(middle, upper, parameters) < target) == upper:
                high = middle
            else:
                low = middle

    return invert


def censored(family: Any) -> Family:
    r"""Make the family of what is known up to bounds: values beyond are reported as the bounds.

    .. math:: p(x \mid \theta, a, b) = \begin{cases} P(X \le a \mid \theta) & x = a \\ f(x \mid \theta) & a < x < b \\
              P(X \ge b \mid \theta) & x = b \end{cases}

    Parameters
    ----------
    family : module
        A family of one variable that has ``logcdf`` and ``logsf``.

    Returns
    -------
    censored : Family
        Its functions take the family's parameters, then ``lower`` and ``upper``: numbers or arrays, ``-inf`` and
        ``inf`` for no bound.

    Raises
    ------
    TypeError
        If `family` is no family of one variable, or lacks these functions.

    See Also
    --------
    truncated : Values beyond the bounds are never seen.

    Examples
    --------
    >>> from nbinfer.distributions import censored, exponential
    >>> family = censored(exponential)
    >>> float(family.logpdf(3.0, 2.0, -np.inf, 3.0))  # it lasted at least so long
    -6.0
    """
    bounded = _Bounded(family, "censored")

    def support(*parameters: Any) -> tuple[Any, Any]:
        start, end = family.support(*parameters[:-2])
        lower, upper = parameters[-2], parameters[-1]
        return np.clip(start, lower, upper), np.clip(end, lower, upper)

    densities = _censored_densities(bounded.parts.density, bounded.tails)
    return bounded.family(*densities, support, _censored_draw(bounded.parts))


def _censored_densities(f: Any, tails: _Tails) -> tuple[Any, Any, Any]:
    up_to, beyond, before = tails.up_to, tails.beyond, tails.before

    def logpdf(x: Any, *parameters: Any) -> Any:
        own, lower, upper = parameters[:-2], parameters[-2], parameters[-1]
        ends = select(x == lower, up_to(lower, *own), beyond(before(upper), *own))
        inside = (x > lower) & (x < upper)
        return where_valid((x >= lower) & (x <= upper), select(inside, f(x, *own), ends))

    def logcdf(x: Any, *parameters: Any) -> Any:
        own, lower, upper = parameters[:-2], parameters[-2], parameters[-1]
        found = up_to(x, *own)
        valid = (found > -np.inf) | (beyond(x, *own) > -np.inf)  # not both, unless a parameter is invalid
        return where_valid(valid & (x >= lower), select(x < upper, found, 0.0))

    def logsf(x: Any, *parameters: Any) -> Any:
        own, lower, upper = parameters[:-2], parameters[-2], parameters[-1]
        found = beyond(x, *own)
        valid = (found > -np.inf) | (up_to(x, *own) > -np.inf)
        return where_valid(valid & (x < upper), select(x < lower, 0.0, found))

    return logpdf, logcdf, logsf


def _censored_draw(parts: Parts) -> Any:
    draw_one, n = parts.random, len(parts.parameters)
    number: Any = int if parts.discrete else float
    last = n + 1

    def random(rng: Any, *parameters: Any) -> Any:
        x = float(draw_one(rng, *parameters[:n]))
        return number(min(max(x, parameters[n]), parameters[last]))

    return random


MAKERS += [censored, mixture, truncated]
