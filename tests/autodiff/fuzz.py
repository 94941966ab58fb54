"""The fuzzer: generated gradient code, run as plain Python, against the complex step; a sample of it compiled.

    python -m tests.autodiff.fuzz --count 20000 --start 0 --jobs 1

prints progress and each failing seed; ``--show 17`` prints a program, its generated code and what came of it.
"""

from __future__ import annotations

import argparse
import collections
import functools
import math
import multiprocessing
import re
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from nbinfer.autodiff import ADError, Generated
from nbinfer.compile import JIT
from tests.autodiff.case import Case
from tests.autodiff.complex_step import STEP, moved
from tests.autodiff.programs import ACTIVE, arguments, program

#: Agreement asked of values, of gradients, and of compiled code with plain Python.
VALUE, GRADIENT, COMPILED = 1e-12, 1e-8, 1e-10

#: What autodiff promises to refuse, as far as random programs come across it.
PROMISED = (
    "one side of this branch returns and the other does not",
    "one side of a branch makes must be known before the branch",
    "by another name, and it is written to in this loop",
    "has another name by a branch",
    "a call or a list has this by another name",
    "a list gets an array that is written to in this loop",
    "may be an array without axes",
    "sorted gives arrays without axes other names",
    "or arrays whose shape is known before the loop",
)


#: Programs that a process checks before it reports, and how often it does.
_CHUNK, _CHUNKS_OF_A_PROCESS = 100, 20


class Outcome(NamedTuple):
    """What came of a program.

    Attributes
    ----------
    kind : str
        "ok"; "refused" or "discarded" if there is nothing to compare; anything else is a finding, "invalid" one about
        the generator of programs.
    detail : str
        Numbers, or the traceback.
    """

    kind: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        return self.kind not in ("ok", "refused", "discarded")


# Comparison -----------------------------------------------------------------------------------------------------------


def check(text: str, seed: int, compiled: bool = False, points: int = 2, zeros: bool = False) -> Outcome:
    """Compare the generated code of a program with the program.

    Parameters
    ----------
    text : str
        The program.
    seed : int
        Of its arguments.
    compiled : bool
        Also compile the generated code.
    points : int
        Number of points at which to compare; the generated code is the same.
    zeros : bool
        Whether many parameters are 0 at the last of them.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            case = Case(text, seed)
        except Exception:
            return Outcome("invalid", traceback.format_exc())
        try:
            float(case.original(case.module.real, case.values))
        except (ArithmeticError, np.linalg.LinAlgError):
            return Outcome("discarded", "arithmetic")
        except ValueError as reason:
            if re.search("domain|cannot convert float", str(reason)):
                return Outcome("discarded", "arithmetic")
            return Outcome("invalid", traceback.format_exc())
        except Exception:
            return Outcome("invalid", traceback.format_exc())
        try:
            generated = case.derive()
        except ADError as reason:
            promised = any(re.search(pattern, reason.message) for pattern in PROMISED)
            return Outcome("refused" if promised else "refused without reason", str(reason))
        except Exception:
            return Outcome("exception", traceback.format_exc())
        kinds = []
        for point in range(points):
            case.values = {
                n: v if n not in ACTIVE else w
                for (n, v), w in zip(
                    case.values.items(), _other(seed, point, zeros and point == points - 1), strict=True
                )
            }
            outcome = _compare(case, generated, point)
            if outcome.failed:
                return outcome
            kinds.append(outcome)
        if compiled and JIT:
            outcome = _compare_compiled(case, generated)
            if outcome.failed:
                return outcome
        return next((o for o in kinds if o.kind == "ok"), kinds[0])


def _other(seed: int, point: int, zeros: bool) -> Iterable[Any]:
    """Return the arguments at a point; some of them are 0 if that is asked for."""
    values = arguments(seed if point == 0 else seed + 1_000_003 * point)
    if zeros:
        rng = np.random.default_rng([seed, 4])
        for name in ACTIVE:
            zero = rng.uniform(size=np.shape(values[name])) < 0.4
            chosen = np.where(zero, rng.choice([0.0, -0.0]), values[name])
            values[name] = chosen if chosen.ndim else float(chosen)
    return values.values()


def _compare(case: Case, generated: Generated, point: int) -> Outcome:
    rng = np.random.default_rng([case.seed, 2, point])
    directions = {name: rng.normal(size=np.shape(case.values[name])) for name in case.active}
    try:
        value = float(case.original(case.module.real, case.values))
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return Outcome("discarded", "arithmetic")
    try:
        found, grads = case.generated(generated, float(point))
    except Exception:
        return Outcome("exception", traceback.format_exc())
    parts = [float(np.sum(grads[name] * directions[name])) for name in case.active]
    slope, scale = sum(parts), sum(float(np.sum(np.abs(grads[n] * directions[n]))) for n in case.active)
    if not math.isfinite(value) or abs(value) > 1e7:
        same = found == value or not (math.isfinite(found) or math.isfinite(value)) or abs(value) > 1e7
        detail = f"value {found!r} instead of {value!r}"
        return Outcome("discarded", "not finite or large") if same else Outcome("value", detail)
    if not abs(found - value) <= VALUE * (1.0 + abs(value) + (scale if math.isfinite(scale) else 0.0)):
        if _is_chaotic(case, lambda: float(case.original(case.module.real, case.values)), abs(found - value)):
            return Outcome("discarded", "chaotic")
        return Outcome("value", f"value {found!r} instead of {value!r}")
    expected = _complex_step(case, directions)
    if expected is not None and math.isfinite(expected):
        if abs(slope - expected) <= GRADIENT * (1.0 + abs(expected) + (scale if math.isfinite(scale) else 0.0)):
            return Outcome("ok")
        if max(abs(expected), scale) > 1e9:
            return Outcome("discarded", "steep")
        if not math.isfinite(slope):
            pass
        elif _is_chaotic(case, lambda: _complex_step(case, directions), abs(slope - expected)):
            return Outcome("discarded", "chaotic")
        elif abs(_by_argument(case, directions) - expected) > 1e-2 * abs(slope - expected):
            return Outcome("discarded", "cancelled")
    # No complex step, or it disagrees: ask difference quotients, which also tell kinks.
    quotient, error = _difference_quotient(case, directions)
    if not error <= 1e-5 * (1.0 + abs(quotient)):
        return Outcome("discarded", "kink")
    if abs(slope - quotient) <= 20.0 * error + 1e-7 * (1.0 + abs(quotient)):
        if expected is None:
            return Outcome("ok")
        if abs(expected - quotient) > 20.0 * error + 1e-7 * (1.0 + abs(quotient)):
            return Outcome("discarded", "complex step")
        return Outcome("discarded", "digits")
    finer = _difference_quotient(case, directions, (1e-6, 1e-7))[0]
    if math.isfinite(slope) and abs(finer - quotient) > 0.1 * abs(slope - quotient):  # steps are too long
        return Outcome("discarded", "rough")
    if math.isfinite(slope) and _is_isolated(case, generated, directions, quotient):
        return Outcome("discarded", "isolated")
    detail = f"derivative {slope!r}, complex step {expected!r}, difference quotient {quotient!r} ± {error:.1g}"
    return Outcome("mismatch", f"at point {point}: {grads}\n{detail}")


def _is_isolated(case: Case, generated: Generated, directions: dict[str, np.ndarray], quotient: float) -> bool:
    """Tell whether a guard takes a side at this point alone, so that derivatives around it are other ones."""
    values = case.values
    try:
        for step in (-1e-7, 1e-7):
            case.values = {n: v + step * directions[n] if n in directions else v for n, v in values.items()}
            grads = case.generated(generated, 0.0)[1]
            slope = sum(float(np.sum(grads[name] * directions[name])) for name in case.active)
            if not abs(slope - quotient) <= 1e-4 * (1.0 + abs(quotient)):
                return False
    finally:
        case.values = values
    return True


def _is_chaotic(case: Case, compute: Callable[[], float | None], gap: float) -> bool:
    """Tell whether changes of the arguments in the last digits change a result by as much as it is off."""
    values, before = case.values, compute()
    rng = np.random.default_rng([case.seed, 3])
    try:
        for _ in range(4):
            noise = {n: 1.0 + 1e-14 * rng.choice([-1.0, 1.0], np.shape(v)) for n, v in values.items()}
            case.values = {n: v * noise[n] if np.asarray(v).dtype.kind == "f" else v for n, v in values.items()}
            after = compute()
            if before is not None and after is not None and not abs(after - before) <= 1e-2 * gap:
                return True
    finally:
        case.values = values
    return False


def _complex_step(case: Case, directions: dict[str, np.ndarray]) -> float | None:
    """Return the derivative along a direction; None if a function is not analytic or not known."""
    lifted = moved([case.values[name] for name in directions], list(directions.values()))
    values = {**case.values, **dict(zip(directions, lifted, strict=True))}
    warnings.simplefilter("error", np.exceptions.ComplexWarning)  # an array of real numbers took a complex one
    try:
        return float(np.imag(case.original(case.module.complex, values))) / STEP
    except (TypeError, ArithmeticError, ValueError, np.linalg.LinAlgError, np.exceptions.ComplexWarning):
        return None


def _by_argument(case: Case, directions: dict[str, np.ndarray]) -> float:
    """Return the sum of derivatives along the parts of a direction, one for each argument.

    That is the derivative along the whole, unless small terms of it got lost among large ones that cancel.
    """
    parts = [_complex_step(case, {name: direction}) for name, direction in directions.items()]
    return math.fsum(math.nan if part is None else part for part in parts)


def _difference_quotient(
    case: Case, directions: dict[str, np.ndarray], steps: Sequence[float] = (1e-2, 1e-3, 1e-4)
) -> tuple[float, float]:
    """Return the derivative along a direction by Richardson's extrapolation, and an estimate of its error.

    One-sided quotients that do not meet tell a kink or a jump; the error is then infinite.
    """

    def at(step: float) -> float:
        values = dict(case.values)
        for name, d in directions.items():
            moved = values[name] + step * d
            values[name] = moved if np.ndim(moved) else float(moved)
        return float(case.original(case.module.real, values))

    try:
        middle = at(0.0)
        best, best_error = math.nan, math.inf
        for h in steps:
            f = {c: at(c * h) for c in (-4, -2, -1, 1, 2, 4)}
            d1, d2, d4 = ((f[c] - f[-c]) / (2 * c * h) for c in (1, 2, 4))
            e1, e2 = d1 + (d1 - d2) / 3, d2 + (d2 - d4) / 3
            extrapolated = e1 + (e1 - e2) / 15
            right, left = ((4 * f[c] - f[2 * c] - 3 * middle) / (2 * c * h) for c in (1, -1))
            error = abs(e1 - e2) + 1e-15 * max(map(abs, f.values())) / h
            if h == 1e-4 and abs(right - left) > 0.1 * h * (1.0 + abs(extrapolated)):
                return math.nan, math.inf
            if abs(right - left) > 100 * h * (1.0 + abs(extrapolated)) or not math.isfinite(error):
                continue
            if error < best_error:
                best, best_error = extrapolated, error
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return math.nan, math.inf
    return best, best_error


def _compare_compiled(case: Case, generated: Generated) -> Outcome:
    try:
        plain_value, plain_grads = case.generated(generated, 0.0)
        value, grads = case.compiled(generated)
    except Exception:
        return Outcome("compiled exception", traceback.format_exc())
    pairs = [(value, plain_value), *((grads[name], plain_grads[name]) for name in case.active)]
    scale = 1.0 + max(float(np.max(np.abs(b))) for _, b in pairs)
    if not math.isfinite(scale) or scale > 1e7:
        return Outcome("discarded", "not finite")
    if all(np.all(np.abs(a - b) <= COMPILED * scale) for a, b in pairs):
        return Outcome("ok")
    return Outcome("compiled", f"compiled {value!r} {grads}\nplain {plain_value!r} {plain_grads}")


# By hand --------------------------------------------------------------------------------------------------------------


def run(
    seeds: Sequence[int], sample: int = 200, wild: bool = False
) -> tuple[collections.Counter[str], list[tuple[int, Outcome]]]:
    """Check programs by seed, compile one in `sample`; return counts and failures.

    Wild programs are also checked where many parameters are 0.
    """
    counts: collections.Counter[str] = collections.Counter()
    failures = []
    for seed in seeds:
        compiled = bool(sample) and seed % sample == 0
        outcome = check(program(seed, wild), seed, compiled, zeros=wild)
        name = outcome.kind
        if name == "discarded":
            name += f": {outcome.detail}"
        elif name == "refused":
            name += ": " + re.sub(r"'\w+'", "...", outcome.detail.splitlines()[0])
        counts[name] += 1
        if outcome.failed:
            failures.append((seed, outcome))
    return counts, failures


def _results(
    chunks: Sequence[range], jobs: int, sample: int, wild: bool
) -> Iterator[tuple[collections.Counter[str], Any]]:
    """Check programs in processes that begin afresh now and then: each remembers all that it has read and compiled."""
    fresh = multiprocessing.get_context("spawn")
    share = _CHUNKS_OF_A_PROCESS * jobs
    for first in range(0, len(chunks), share):
        with ProcessPoolExecutor(jobs, fresh) as pool:
            yield from pool.map(functools.partial(run, sample=sample, wild=wild), chunks[first : first + share])


def _show(seed: int, wild: bool) -> None:
    text = program(seed, wild)
    print(text)
    outcome = check(text, seed, compiled=True, zeros=wild)
    print(Case(text, seed).derive().source)
    print(outcome.kind, outcome.detail, sep="\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.autodiff.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="number of programs")
    parser.add_argument("--start", type=int, default=0, help="first seed")
    parser.add_argument("--jobs", type=int, default=1, help="number of processes")
    parser.add_argument("--sample", type=int, default=200, help="compile one program in so many; 0 for none")
    parser.add_argument("--wild", action="store_true", help="zeros, infinities and NaN among the data, behind guards")
    parser.add_argument("--show", type=int, help="print the program of a seed, its code, and what came of it")
    given = parser.parse_args()
    if given.show is not None:
        _show(given.show, given.wild)
        return 0
    begin = time.perf_counter()
    counts: collections.Counter[str] = collections.Counter()
    failed: list[int] = []
    stop = given.start + given.count
    chunks = [range(first, min(first + _CHUNK, stop)) for first in range(given.start, stop, _CHUNK)]
    for done, (found, failures) in enumerate(_results(chunks, given.jobs, given.sample, given.wild), 1):
        counts.update(found)
        for seed, outcome in failures:
            failed.append(seed)
            lines = outcome.detail.strip().splitlines()
            print(f"seed {seed}: {outcome.kind}: {lines[0 if 'refused' in outcome.kind else -1][:300]}", flush=True)
        if done % 10 == 0 or done == len(chunks):
            seconds = time.perf_counter() - begin
            total = sum(counts.values())
            print(
                f"{total} programs, {seconds:.0f} s, {total / seconds:.0f} a second, {len(failed)} failed", flush=True
            )
    for name, count in counts.most_common():
        print(f"{count:8d}  {name}")
    print("failing seeds:", " ".join(map(str, failed)) or "none")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
