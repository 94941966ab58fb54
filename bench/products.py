"""Regressions against the products they cannot do without: ``python -m bench.products``.

The gradient of a generalised linear model takes two products with the matrix of predictors, ``X @ beta`` and ``X.T @
residual``. Here they are timed alone, as BLAS does them in compiled code, and beside them the gradients: each a C
function that a compiled loop calls at 64 points in turn, as a sampler would. All are measured in turn, on one core, and
the least of the repeats counts. The gradients are first compared with the formula. Set ``OPENBLAS_NUM_THREADS=1``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench.autodiff import Compiled, Timer, derived, holds
from bench.autodiff_models import Case
from bench.common import POINTS, heading, number, table
from nbinfer.compile import kernel
from nbinfer.vectormath import log1pexp


def bernoulli(y: Any, eta: Any) -> Any:
    """Return the log probability of y with log odds eta: -inf unless y is 0 or 1."""
    inside = 1.0 - np.divide(1.0, (y == 0.0) | (y == 1.0))
    return np.fmax(y * eta - log1pexp(eta) + inside, -np.inf)


def logistic(x: Any, X: Any, y: Any) -> Any:
    return np.sum(bernoulli(y, X @ x))


@kernel
def products(x: Any, X: Any, y: Any, grad: Any) -> float:
    """Do what no gradient can do without."""
    eta = np.dot(X, x)
    grad[:] = np.dot(eta, X)
    return 0.0


class Row(NamedTuple):
    """A way to the gradient, with the most it may take in units of the two products."""

    name: str
    function: Callable[[Case], Compiled]
    bound: float = float("inf")


def derived_gradient(case: Case) -> Compiled:
    """Compile the derived gradient of a case."""
    found = derived(case)
    return Compiled(found.function, case.data, True, found.more)


ROWS = (
    Row("two products, BLAS", lambda case: Compiled(products, case.data, True)),
    Row("derived, np.sum(logpmf)", derived_gradient, 1.6),
)


def case_of(rows: int, columns: int) -> Case:
    """Return a logistic regression."""
    rng = np.random.default_rng(1)
    X, beta = rng.normal(size=(rows, columns)), rng.normal(size=columns) / np.sqrt(columns)
    y = (rng.uniform(size=rows) < 1.0 / (1.0 + np.exp(-X @ beta))).astype(float)
    return Case(logistic, None, beta, (X, y))


def check(case: Case, gradient: Compiled) -> None:
    """Compare a gradient with the formula."""
    X, y = case.data
    formula = X.T @ (y - 1.0 / (1.0 + np.exp(-X @ case.position)))
    error = np.max(abs(gradient.at(case.position)[1] - formula)) / np.max(abs(formula))
    if not error < 1e-12:
        raise AssertionError(f"the gradient differs by {error:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.products", description="Regressions against their products.")
    parser.add_argument("--repeats", type=int, default=100, help="measurements of each kind (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.004, help="how long one measurement lasts (%(default)s)")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=25)
    options = parser.parse_args()
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "not set")
    shape = f"{options.rows} x {options.columns}"
    print(heading(f"Logistic regression {shape}, {options.repeats} repeats in turn, OPENBLAS_NUM_THREADS {threads}"))
    case = case_of(options.rows, options.columns)
    points = case.position + 0.05 * np.random.default_rng(2).normal(size=(POINTS, case.position.size))
    compiled = [row.function(case) for row in ROWS]
    for gradient in compiled[1:]:
        check(case, gradient)
    timers = [Timer(function, points, options.seconds) for function in compiled]
    times = np.array([[timer() for timer in timers] for _ in range(options.repeats)])
    lines = []
    for row, least, median in zip(ROWS, times.min(axis=0), np.median(times, axis=0), strict=True):
        ratio = least / times[:, 0].min()
        bound = [number(row.bound), holds(ratio, row.bound)] if np.isfinite(row.bound) else ["", ""]
        lines.append([row.name, number(1e6 * least), number(1e6 * median), f"{ratio:.2f}", *bound])
    print(table(["microseconds", "least", "median", "/ products", "at most", ""], lines))


if __name__ == "__main__":
    main()
