"""Regressions against the products they cannot do without: ``python -m bench.glm``.

The gradient of a generalised linear model takes two products with the matrix of predictors, ``X @ beta`` and ``X.T @
residual``. Here they are timed alone, as BLAS does them in compiled code into memory that is there, and beside them the
gradients of regressions: fused, which is `nbinfer.distributions.glm`, and derived from the sum of a log density. Each
is a C function that a compiled loop calls at 64 points in turn, as a sampler would. All are measured in turn, on one
core and with one thread of BLAS, and the least of the repeats counts. Before that gradients are compared with each
other, that of logistic regression with the formula.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench.autodiff import Compiled, Timer, derived, disagreement, holds
from bench.autodiff_models import Case
from bench.common import POINTS, heading, number, table
from nbinfer.compile import kernel
from nbinfer.distributions import bernoulli, categorical, glm, negative_binomial, normal, ordered_logistic, poisson

#: Units: the two products. For logistic regression of 1000 rows and 25 columns.
FUSED, DERIVED = 1.3, 1.6
CATEGORIES = 4


@kernel
def products(x: Any, X: Any, y: Any, grad: Any, eta: Any) -> float:
    """Do what no gradient can do without."""
    np.dot(X, x, eta)
    np.dot(X.T, eta, grad)
    return eta[0]


# Each family fused, and as the sum of a density.


def linear(x: Any, X: Any, y: Any) -> Any:
    return glm.linear(y, X, x, 1.3)


def linear_sum(x: Any, X: Any, y: Any) -> Any:
    return np.sum(normal.logpdf(y, X @ x, 1.3))


def logistic(x: Any, X: Any, y: Any) -> Any:
    return glm.logistic(y, X, x)


def logistic_sum(x: Any, X: Any, y: Any) -> Any:
    return np.sum(bernoulli.logpmf_logit(y, X @ x))


def counts(x: Any, X: Any, y: Any) -> Any:
    return glm.poisson(y, X, x)


def counts_sum(x: Any, X: Any, y: Any) -> Any:
    return np.sum(poisson.logpmf_log(y, X @ x))


def spread_counts(x: Any, X: Any, y: Any) -> Any:
    return glm.negative_binomial(y, X, x, 1.7)


def spread_counts_sum(x: Any, X: Any, y: Any) -> Any:
    return np.sum(negative_binomial.logpmf_log(y, X @ x, 1.7))


CUTPOINTS = np.array([-1.0, 0.0, 1.0])


def ordered(x: Any, X: Any, y: Any) -> Any:
    return glm.ordered(y, X, x, CUTPOINTS)


def ordered_sum(x: Any, X: Any, y: Any) -> Any:
    return np.sum(ordered_logistic.logpmf(y, X @ x, CUTPOINTS))


WIDE = np.array([[1.0, -0.5, 0.2, 0.1]])


def softmax(x: Any, X: Any, y: Any) -> Any:
    return glm.softmax(y, X, x[:, None] * WIDE)


def softmax_sum(x: Any, X: Any, y: Any) -> Any:
    return np.sum(categorical.logpmf_logit(y, X @ (x[:, None] * WIDE)))


class Regression(NamedTuple):
    """A regression: fused, as a sum, and outcomes from predictors."""

    fused: Callable[..., Any]
    sum: Callable[..., Any]
    outcomes: Callable[[np.random.Generator, np.ndarray], np.ndarray]


REGRESSIONS = {
    "logistic": Regression(logistic, logistic_sum, lambda rng, eta: rng.binomial(1, 1.0 / (1.0 + np.exp(-eta)))),
    "linear": Regression(linear, linear_sum, lambda rng, eta: rng.normal(eta)),
    "Poisson": Regression(counts, counts_sum, lambda rng, eta: rng.poisson(np.exp(eta))),
    "negative binomial": Regression(spread_counts, spread_counts_sum, lambda rng, eta: rng.poisson(np.exp(eta))),
    "ordered, 4": Regression(ordered, ordered_sum, lambda rng, eta: rng.integers(0, CATEGORIES, eta.size)),
    "softmax, 4": Regression(softmax, softmax_sum, lambda rng, eta: rng.integers(0, CATEGORIES, eta.size)),
}


def case_of(regression: Regression, function: Callable[..., Any], rows: int, columns: int) -> Case:
    """Return a regression with data."""
    rng = np.random.default_rng(1)
    X, beta = rng.normal(size=(rows, columns)), rng.normal(size=columns) / np.sqrt(columns)
    return Case(function, None, beta, (X, regression.outcomes(rng, X @ beta)))


def gradient_of(case: Case) -> Compiled:
    """Compile the derived gradient of a case."""
    found = derived(case)
    return Compiled(found.function, case.data, True, found.more)


def check(fused: Compiled, summed: Compiled, case: Case, name: str) -> None:
    """Compare two gradients with each other; of logistic regression with the formula."""
    point = case.position
    error = disagreement(fused.at(point), summed.at(point))
    if name == "logistic":
        X, y = case.data
        formula = X.T @ (y - 1.0 / (1.0 + np.exp(-X @ point)))
        error = max(error, float(np.max(abs(fused.at(point)[1] - formula)) / np.max(abs(formula))))
    if not error < 1e-11:
        raise AssertionError(f"{name}: gradients differ by {error:.1e}")


def measure(name: str, shape: tuple[int, int], repeats: int, seconds: float) -> np.ndarray:
    """Return the times of the products, the fused gradient and the derived one, a row for each repeat."""
    regression = REGRESSIONS[name]
    case = case_of(regression, regression.fused, *shape)
    summed_case = case_of(regression, regression.sum, *shape)
    fused, summed = gradient_of(case), gradient_of(summed_case)
    check(fused, summed, case, name)
    bare = Compiled(products, case.data, True, [np.empty(shape[0])])
    points = case.position + 0.05 * np.random.default_rng(2).normal(size=(POINTS, shape[1]))
    timers = [Timer(function, points, seconds) for function in (bare, fused, summed)]
    return np.array([[timer() for timer in timers] for _ in range(repeats)])


def lines_of(name: str, shape: tuple[int, int], times: np.ndarray) -> list[list[str]]:
    """Write what was measured of a regression; bounds are those of logistic regression of 1000 rows."""
    least = times.min(axis=0)
    bounded = name == "logistic" and shape == (1000, 25)
    lines = []
    for label, time, bound in zip(("products", "fused", "derived"), least, (None, FUSED, DERIVED), strict=True):
        ratio = time / least[0]
        verdict = [number(bound), holds(ratio, bound)] if bounded and bound else ["", ""]
        lines.append([f"{name}, {label}", number(1e6 * time), f"{ratio:.2f}", *verdict])
    return lines


def main() -> None:
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":  # BLAS reads it when NumPy and SciPy are loaded
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        sys.exit(subprocess.run([sys.executable, "-m", "bench.glm", *sys.argv[1:]], env=environment).returncode)
    parser = argparse.ArgumentParser("python -m bench.glm", description="Regressions against their products.")
    parser.add_argument("--repeats", type=int, default=100, help="measurements of each kind (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.004, help="how long one measurement lasts (%(default)s)")
    parser.add_argument("--rows", type=int, nargs="*", default=[1000], help="numbers of rows (%(default)s)")
    parser.add_argument("--columns", type=int, default=25, help="number of columns (%(default)s)")
    parser.add_argument("--only", nargs="*", default=list(REGRESSIONS), help="regressions: %(default)s")
    options = parser.parse_args()
    for rows in options.rows:
        shape = (rows, options.columns)
        title = f"Regressions {shape[0]} x {shape[1]}, {options.repeats} repeats in turn, one thread of BLAS"
        print(heading(title), flush=True)
        lines = []
        for name in options.only:
            lines += lines_of(name, shape, measure(name, shape, options.repeats, options.seconds))
        print(table(["microseconds", "least", "/ products", "at most", ""], lines), "\n", flush=True)


if __name__ == "__main__":
    main()
