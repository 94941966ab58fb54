"""What one call from Python costs: ``python -m bench.calls``.

Each call is measured by turns in the short way, which knows arguments like these from an earlier call, and in the long
one, which checks them; both in one process. The least of many repeats counts, since disturbances only ever make a
measurement longer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import nbinfer as nb
from bench.common import heading, number, table
from nbinfer.distributions import normal
from nbinfer.model import at_points

#: Calls in a row between two looks at the clock.
CALLS = 200


def alone(x):
    return -0.5 * np.sum(x**2)


def with_data(x, y, scale):
    return -0.5 * np.sum((y - x[0]) ** 2) / scale


def least(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Return the least time of one call of each way, in microseconds."""
    found = dict.fromkeys(ways, np.inf)
    for _ in range(repeats):
        for name, call in ways.items():
            begun = time.perf_counter()
            for _ in range(CALLS):
                call()
            found[name] = min(found[name], time.perf_counter() - begun)
    return {name: seconds / CALLS * 1e6 for name, seconds in found.items()}


def of_gradients() -> dict[str, tuple[dict[str, Callable[[], Any]], float]]:
    """Return calls of value_and_grad and grad, each with its bound in microseconds."""
    x, y = np.linspace(-1.0, 1.0, 10), np.linspace(0.0, 1.0, 20)
    found: dict[str, tuple[dict[str, Callable[[], Any]], float]] = {}
    for name, function, args in (("one array", alone, (x,)), ("with data", with_data, (x, y, 2.0))):
        both, gradient = nb.value_and_grad(function), nb.grad(function)
        for _ in range(2):
            both(*args), gradient(*args)
        for what, short in ((f"value_and_grad, {name}", both), (f"grad, {name}", gradient)):
            ways = {"long": lambda b=both, a=args: b._evaluate(a), "short": lambda s=short, a=args: s(*a)}
            found[what] = ways, 3.0 if args == (x,) else 4.0
    return found


def of_models(count: int) -> tuple[dict[str, Callable[[], Any]], float]:
    """Return calls of model.logp with a number of names, of which the last is an array, with their bound."""
    names = [f"a{k}" for k in range(count - 1)]
    terms = " + ".join(f"normal.logpdf(p.{name}, 0.0, 1.0)" for name in names) or "0.0"
    prior = eval(f"lambda p, d: {terms}", {"normal": normal})
    model = nb.Model(
        {name: nb.real() for name in names} | {"x": nb.positive(10)},
        prior=prior,
        likelihood={"y": lambda p, d: normal.logpdf(d.y, 0.0, p.x)},
        data={"y": np.linspace(-1.0, 1.0, 10)},
    )
    point = dict.fromkeys(names, 0.5) | {"x": np.full(10, 0.75)}
    at_points.MADE = 1  # so that nobody has to wait for ten thousand calls
    model.logp(point)

    def long() -> float:
        return model.density_of(model.layout.check(point, model.data_tuple, partial=False))

    return {"long": long, "short": lambda: model.logp(point)}, 3.0 + 0.5 * count


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.calls", description="One call from Python, in microseconds.")
    parser.add_argument("--repeats", type=int, default=200, help="of 200 calls each (%(default)s)")
    repeats = parser.parse_args().repeats
    print(heading("One call from Python, microseconds, the least of the repeats"))
    calls = of_gradients()
    calls |= {f"model.logp, {n} name{'s' if n > 1 else ''}": of_models(n) for n in (1, 4, 20)}
    rows = []
    for name, (ways, bound) in calls.items():
        found = least(ways, repeats)
        verdict = "holds" if found["short"] <= bound else "MISSED"
        rows.append([name, number(found["long"]), number(found["short"]), number(bound), verdict])
    print(table(["", "long way", "short way", "bound", ""], rows))


if __name__ == "__main__":
    main()
