"""Elementary and special functions, each in a loop: ``python -m bench.vectormath``.

Every elementwise function of `nbinfer.vectormath` runs in a compiled loop over a thousand numbers; beside it the same
by libm, in a loop of the same kind, and by NumPy or SciPy, which Python calls once for the thousand. The least of the
repeats counts. Then it is compared with mpmath, at random points of each part of its range and at the neighbours of
powers of two and of halves of log(2): the largest error counts, in units in the last place (ulp) of the exact result.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench.common import heading, number, table
from bench.vectormath_truth import arity, case_of, errors, functions, points
from nbinfer.compile import kernel

#: Size of the arrays: what a model's data have, and the innermost cache holds.
SIZE = 1000
#: How many times faster than libm in a loop.
RATIOS = {"exp": 3.0, "log": 3.0}

#: The same by libm, for what it does not have by the same name.
LIBM: dict[str, Callable[..., float]] = {
    "expit": lambda x: 1.0 / (1.0 + math.exp(-x)),
    "log_expit": lambda x: min(x, 0.0) - math.log1p(math.exp(-abs(x))),
    "log1pexp": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "logit": lambda p: math.log(p / (1.0 - p)),
    "log1mexp": lambda x: math.log(-math.expm1(x)) if x > -0.69 else math.log1p(-math.exp(x)),
    "logaddexp": lambda x, y: max(x, y) + math.log1p(math.exp(-abs(x - y))),
}


def loop(function: Any, count: int) -> Any:
    """Return compiled code that applies a function of numbers to columns, again and again."""
    f = function

    def one(x, out, times):
        for _ in range(times):
            for i in range(out.size):
                out[i] = f(x[0, i])

    def two(x, out, times):
        for _ in range(times):
            for i in range(out.size):
                out[i] = f(x[0, i], x[1, i])

    def three(x, out, times):
        for _ in range(times):
            for i in range(out.size):
                out[i] = f(x[0, i], x[1, i], x[2, i])

    def four(x, out, times):
        for _ in range(times):
            for i in range(out.size):
                out[i] = f(x[0, i], x[1, i], x[2, i], x[3, i])

    return kernel((one, two, three, four)[count - 1])


def least(run: Callable[[int], Any], repeats: int, seconds: float) -> float:
    """Return the seconds of processor time of what `run` does so many times, in the least of some repeats."""
    run(1)  # compiles
    times = 1
    best = math.inf
    for _ in range(repeats):
        begun = time.thread_time()
        run(times)
        spent = time.thread_time() - begun
        best = min(best, spent / times)
        times = max(1, round(seconds / best)) if best else 2 * times
    return best


class Row(NamedTuple):
    """Nanoseconds per element, and the largest error with where it is."""

    own: float
    libm: float
    reference: float
    error: float
    place: str


def measure(name: str, repeats: int, seconds: float, count: int) -> Row:
    """Measure one function."""
    import numba

    function, case = functions()[name], case_of(name)
    n = arity(function)
    x = np.random.default_rng(1).uniform(*case.usual, (n, SIZE))
    out = np.empty(SIZE)
    own = loop(function.numbers, n)
    other = LIBM.get(name) or getattr(math, name, None)

    def nanoseconds(run: Callable[[int], Any]) -> float:
        return 1e9 * least(run, repeats, seconds) / SIZE

    libm = math.nan
    if other is not None:
        other = numba.njit(error_model="numpy")(other) if name in LIBM else other
        by_libm = loop(other, n)
        libm = nanoseconds(lambda times: by_libm(x, out, times))

    def by_reference(times: int) -> None:
        for _ in range(times):
            function.reference(*x)

    with np.errstate(all="ignore"):
        reference = nanoseconds(by_reference)
    error, place = math.nan, ""
    if case.truth is not None and count:
        where = points(name, function, count)
        found = np.empty(len(where))
        own(np.ascontiguousarray(where.T), found, 1)
        wrong = errors(name, where, found)
        error = float(wrong.max())
        place = ", ".join(f"{v:.6g}" for v in where[wrong.argmax()])
    return Row(nanoseconds(lambda times: own(x, out, times)), libm, reference, error, place)


def verdict(name: str, row: Row) -> str:
    """Say whether the bounds hold."""
    fast = name not in RATIOS or row.libm / row.own >= RATIOS[name]
    right = math.isnan(row.error) or row.error <= case_of(name).bound
    return "holds" if fast and right else "MISSED"


def cell(value: float) -> str:
    return "-" if math.isnan(value) else number(value)


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.vectormath", description="Functions in loops, and their errors.")
    parser.add_argument("--repeats", type=int, default=40, help="measurements of each kind (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.005, help="how long one measurement lasts (%(default)s)")
    parser.add_argument("--points", type=int, default=100_000, help="where errors are looked for (%(default)s)")
    parser.add_argument("--only", nargs="*", default=[], help="functions with one of these names")
    options = parser.parse_args()
    print(heading(f"Nanoseconds per element in a loop over {SIZE}, and errors at {options.points} points"), flush=True)
    head = ["", "vectormath", "libm", "libm / own", "at least", "NumPy, SciPy", "error, ulp", "at most", "at", ""]
    rows = []
    for name in sorted(functions()):
        if options.only and name not in options.only:
            continue
        row = measure(name, options.repeats, options.seconds, options.points)
        ratio, least_ratio = cell(row.libm / row.own), cell(RATIOS.get(name, math.nan))
        most = cell(case_of(name).bound if case_of(name).truth else math.nan)
        times = [cell(row.own), cell(row.libm), ratio, least_ratio, cell(row.reference)]
        rows.append([name, *times, cell(row.error), most, row.place, verdict(name, row)])
    print(table(head, rows))


if __name__ == "__main__":
    main()
