"""Derived gradients against gradients written by hand: ``python -m bench.autodiff``.

Twelve densities, and everyday forms (see `autodiff_everyday` and `autodiff_idioms`), each with its value alone, its
gradient by hand and its derived gradient. All three are C functions that a compiled loop calls by address at 64 points
in turn, as a sampler would; both gradients are zeroed before each call. The three are measured in turn, so that they
share whatever disturbs the machine, and the least of the repeats counts; all of it is processor time. Before that they
are compared with each other. ``--jax PYTHON`` has an interpreter that knows JAX evaluate the same densities at the same
points, by ``value_and_grad`` in a jitted ``fori_loop``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.autodiff_everyday import everyday, in_arena
from bench.autodiff_models import Case, cases
from bench.common import POINTS, evaluate, heading, number, table
from nbinfer.autodiff import value_and_grad
from nbinfer.compile import address_of, floats_at, ints_at, part
from nbinfer.compile.users import compilable

#: Bounds: derived by hand in the median and at most; value and gradient by value alone.
MEDIAN, MOST, GRADIENT = 1.3, 1.8, 3.5
#: Everyday forms by the loop over positions, at most.
EVERYDAY = 1.3
#: A function of a position, data and perhaps more, as C: double f(n, position, grad, context).
_SHELL = """
def density(n, position, grad, context):
    t = ints_at(context, {words})
    x = floats_at(position, n)
    g = floats_at(grad, n)
{zero}    return f({arguments})
"""


def view(array: np.ndarray, word: int) -> str:
    """Write how the C function reaches an array of whose address and sizes the table has words from `word` on."""
    sizes = [f"t[{word + 1 + axis}]" for axis in range(array.ndim)]
    flat = f"{'floats_at' if array.dtype.kind == 'f' else 'ints_at'}(t[{word}], {' * '.join(sizes)})"
    return flat if array.ndim == 1 else f"part({flat}, 0, ({', '.join(sizes)}))"


class Compiled:
    """A function as machine code with the arrays it reads.

    Parameters
    ----------
    f : kernel
        ``f(position, *data)`` or ``f(position, *data, grad, *more)``.
    data, more : sequence of ndarray
    is_gradient : bool
        Whether it takes `grad`.
    """

    def __init__(self, f: Any, data: Sequence[np.ndarray], is_gradient: bool, more: Sequence[np.ndarray] = ()) -> None:
        import numba

        words: list[int] = []
        views: list[list[str]] = []
        for group in (data, more):
            views.append([])
            for array in group:
                views[-1].append(view(array, len(words)))
                words += [address_of(array), *array.shape]
        arguments = ["x", *views[0], *(["g"] if is_gradient else []), *views[1]]
        zero = "    for i in range(n):\n        g[i] = 0.0\n" if is_gradient else ""
        text = _SHELL.format(words=len(words), zero=zero, arguments=", ".join(arguments))
        names: dict[str, Any] = {"f": f, "floats_at": floats_at, "ints_at": ints_at, "part": part}
        exec(text, names)
        begun = time.process_time()
        function = numba.cfunc("float64(int64, intp, intp, intp)", error_model="numpy", nogil=True)(names["density"])
        self.seconds = time.process_time() - begun
        self.context = np.array(words, np.int64)
        self._alive = (function, data, more)
        self.address = function.address

    def at(self, position: np.ndarray) -> tuple[float, np.ndarray]:
        """Return what it returns at a position, and what it left as gradient."""
        grad = np.empty_like(position)
        points = np.ascontiguousarray(np.broadcast_to(position, (1, position.size)))
        value = evaluate(self.address, position.size, address_of(points), address_of(grad), address_of(self.context), 1)
        return value, grad


class Timer:
    """Times one compiled function at many points."""

    def __init__(self, compiled: Compiled, points: np.ndarray, seconds: float) -> None:
        grad = np.empty(points.shape[1])
        self._alive = (compiled, points, grad)
        n, context = points.shape[1], address_of(compiled.context)
        self._arguments = (compiled.address, n, address_of(points), address_of(grad), context)
        self._calls = POINTS
        while self() * self._calls < 0.5 * seconds:
            self._calls *= 2

    def __call__(self) -> float:
        """Return the seconds of processor time of one call, the mean of many."""
        begun = time.thread_time()
        evaluate(*self._arguments, self._calls)
        return (time.thread_time() - begun) / self._calls


class Derived(NamedTuple):
    """A generated gradient."""

    function: Any
    more: list[np.ndarray]
    source: str
    notes: str
    seconds: float


def derived(case: Case) -> Derived:
    """Derive the gradient of a case, and measure how long that takes."""
    both = value_and_grad(case.logp)
    begun = time.process_time()
    generated = both.derive(case.position, *case.data)
    seconds = time.process_time() - begun
    more = [np.ascontiguousarray(array) for array in generated.arrays.values()]
    return Derived(in_arena(generated), more, generated.source, both.explain(), seconds)


def points_of(case: Case) -> np.ndarray:
    """Return points around the position of a case."""
    rng = np.random.default_rng(2)
    return case.position + 0.05 * rng.normal(size=(POINTS, case.position.size))


def disagreement(one: tuple[float, np.ndarray], other: tuple[float, np.ndarray]) -> float:
    """Return the largest relative difference between two values with gradients."""
    value = abs(one[0] - other[0]) / abs(other[0])
    return max(value, float(np.max(np.abs(one[1] - other[1])) / np.max(np.abs(other[1]))))


class Row(NamedTuple):
    """What was measured of one case: seconds of each repeat, and of what happens once."""

    value: np.ndarray
    hand: np.ndarray
    derived: np.ndarray
    transform: float
    compile: float
    compile_hand: float
    error: float
    is_everyday: bool = False

    @property
    def ratio(self) -> float:
        return float(self.derived.min() / self.hand.min())

    @property
    def ratio_median(self) -> float:
        return float(np.median(self.derived / self.hand))

    @property
    def cost(self) -> float:
        return float(self.derived.min() / self.value.min())


def measure(case: Case, repeats: int, seconds: float) -> Row:
    """Compile the three functions of a case, compare them and measure them in turn."""
    found = derived(case)
    gradient = Compiled(found.function, case.data, True, found.more)
    hand = Compiled(case.logp_grad, case.data, True)
    value = Compiled(compilable(case.loop or case.logp, range(1, 1 + len(case.data))), case.data, False)
    points = points_of(case)
    error = 0.0
    for point in points[:4]:
        known = hand.at(point)
        error = max(error, disagreement(gradient.at(point), known), disagreement((value.at(point)[0], known[1]), known))
    if not error < 1e-10:
        raise AssertionError(f"{case.logp.__name__}: value, hand and derived differ by {error:.1e}")
    timers = [Timer(compiled, points, seconds) for compiled in (value, hand, gradient)]
    times = np.array([[timer() for timer in timers] for _ in range(repeats)])
    return Row(*times.T, found.seconds, gradient.seconds, hand.seconds, error, case.loop is not None)


def both(times: np.ndarray) -> str:
    """Write the least and the median in microseconds."""
    return f"{number(1e6 * times.min())} ({number(1e6 * float(np.median(times)))})"


def jax(python: str, chosen: dict[str, Case], seconds: float) -> dict[str, dict[str, Any]]:
    """Let another interpreter measure JAX on one core; check its gradients; return what it says by case."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cases.npz"
        arrays = {}
        for name, case in chosen.items():
            arrays[f"{name}/points"] = points_of(case)
            arrays |= {f"{name}/{k}": array for k, array in enumerate(case.data)}
        np.savez(file, **arrays)
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
        script = Path(__file__).with_name("autodiff_jax.py")
        command = [python, str(script), str(file), str(seconds)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        said = json.loads(line)
        case = chosen[said["name"]]
        hand = Compiled(case.logp_grad, case.data, True).at(points_of(case)[0])
        error = disagreement((said["value"], np.array(said["grad"])), hand)
        if not error < 1e-9:
            raise AssertionError(f"JAX's {said['name']} differs by {error:.1e}")
        found[said["name"]] = said
    return found


def holds(value: float, allowed: float) -> str:
    return "holds" if value <= allowed else "MISSED"


def report(rows: dict[str, Row], peers: dict[str, dict[str, Any]]) -> None:
    """Print the table and whether the bounds hold."""
    head = ["microseconds, least (median)", "value", "by hand", "derived", "/ hand", "median", "/ value"]
    head += ["transform ms", "compile s", "hand s", "JAX", "JAX compile s", ""]
    lines = []
    for name, row in rows.items():
        peer = peers.get(name)
        cells = [both(row.value), both(row.hand), both(row.derived), f"{row.ratio:.2f}", f"{row.ratio_median:.2f}"]
        cells += [f"{row.cost:.2f}", f"{1e3 * row.transform:.1f}", f"{row.compile:.2f}", f"{row.compile_hand:.2f}"]
        cells += [number(1e6 * peer["seconds"]), f"{peer['compile']:.2f}"] if peer else ["-", "-"]
        missed = row.ratio > (EVERYDAY if row.is_everyday else MOST) or (row.cost > GRADIENT and not row.is_everyday)
        lines.append([name, *cells, "MISSED" if missed else "holds"])
    print(table(head, lines))
    for version in sorted({str(peer["version"]) for peer in peers.values()}):
        print(f"\nJAX {version}: value_and_grad in a jitted loop, on one core")
    forms = [row.ratio for row in rows.values() if row.is_everyday]
    if forms:
        print(f"\neveryday form / loop, most: {max(forms):.2f}, bound {EVERYDAY}: {holds(max(forms), EVERYDAY)}")
    rows = {name: row for name, row in rows.items() if not row.is_everyday}
    if not rows:
        return
    ratios = [row.ratio for row in rows.values()]
    print(f"\nderived / by hand, median: {np.median(ratios):.2f}, bound {MEDIAN}: {holds(np.median(ratios), MEDIAN)}")
    print(f"derived / by hand, most: {max(ratios):.2f}, bound {MOST}: {holds(max(ratios), MOST)}")
    costs = [row.cost for row in rows.values()]
    print(f"value and gradient / value, most: {max(costs):.2f}, bound {GRADIENT}: {holds(max(costs), GRADIENT)}")
    print(f"largest relative difference between value, hand and derived: {max(r.error for r in rows.values()):.1e}")


def warm(run: Callable[..., Any] = derived) -> None:
    """Compile something small, so that the first case does not pay for what happens once in a process."""
    case = cases(3)["logistic, loop"]
    Compiled(run(case).function, case.data, True).at(case.position)


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.autodiff", description="Derived gradients against hand-written.")
    parser.add_argument("--repeats", type=int, default=60, help="measurements of each kind (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.004, help="how long one measurement lasts (%(default)s)")
    parser.add_argument("--only", nargs="*", default=[], help="cases whose name contains one of these")
    parser.add_argument("--jax", metavar="PYTHON", help="an interpreter with JAX to set beside")
    parser.add_argument("--source", action="store_true", help="print the generated code of the cases as well")
    options = parser.parse_args()
    known = {**cases(), **everyday()}
    chosen = {n: c for n, c in known.items() if not options.only or any(part in n for part in options.only)}
    warnings.simplefilter("error")
    if options.source:
        for name, case in chosen.items():
            found = derived(case)
            print(f"# {name}\n# {found.notes.replace(chr(10), chr(10) + '# ')}\n{found.source}")
    print(heading(f"Derived gradients, {options.repeats} repeats in turn"), flush=True)
    warm()
    rows = {name: measure(case, options.repeats, options.seconds) for name, case in chosen.items()}
    report(rows, jax(options.jax, chosen, options.seconds) if options.jax else {})


if __name__ == "__main__":
    main()
