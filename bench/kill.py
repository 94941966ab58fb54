"""Whether a run that is killed loses nothing: ``python -m bench.kill``.

A child process samples into a file and is killed at a random moment: while it starts, makes its file, warms up or
samples. What it leaves is looked at, then gone on with by another child, which is killed too, and at last to the end.
Every draw that was ever counted must be there, the file must open in xarray at each stage, and the trace must equal,
bit for bit, that of a run that nobody killed. So must losses and parameters of fits. Moments come from a seed; what
happens at them depends on the machine.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import functools
import math
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nbinfer as nb
from bench.common import heading, table
from nbinfer.errors import ResumeError
from nbinfer.trace.disk import HDF5Store


class Case(NamedTuple):
    """A run that takes a second or two."""

    step: Callable[[], Any]
    draws: int
    tune: int = 2000
    holds_code: bool = False


def logp(p: Any, d: Any) -> Any:
    """A small posterior, whose scale is a parameter."""
    return -0.5 * np.sum((p.x - d.y) ** 2) * math.exp(p.s) - 0.3 * math.exp(p.s) + 2.5 * p.s


def draw_s(p: Any, d: Any, rng: Any) -> float:
    """The full conditional of the logarithm of the precision."""
    rate: float = 0.3 + 0.5 * np.sum((p.x - d.y) ** 2)
    return math.log(rng.gamma(2.5, 1.0) / rate)


CASES = {
    "NUTS": Case(nb.NUTS, 150_000),
    "NUTS and Gibbs": Case(lambda: [nb.GibbsStep("s", draw_s), nb.NUTS("x")], 120_000, holds_code=True),
    "Slice": Case(nb.Slice, 200_000),
    "DEMetropolisZ": Case(nb.DEMetropolisZ, 400_000),
}


class Fit(NamedTuple):
    """A fit that takes a second or two."""

    method: str
    n: int


FITS = {"ADVI": Fit("fullrank_advi", 400_000), "SVGD": Fit("svgd", 12_000)}
GROUPS = ("posterior", "sample_stats", "warmup_sample_stats")


def model() -> nb.Model:
    """Return the model of all cases."""
    return nb.Model({"x": nb.real(3), "s": nb.real()}, logp=logp, data={"y": np.array([1.0, -0.5, 0.25])})


def sampled(case: Case, path: Path | None = None) -> Any:
    """Return the trace of a run of four chains."""
    options: dict[str, Any] = {} if path is None else {"trace": path}
    return nb.sample(model(), case.draws, case.tune, step=case.step(), random_seed=3, progressbar=False, **options)


def resumed(case: Case, path: Path) -> Any:
    """Return the trace of the run in a file, gone on with to its end."""
    return nb.resume(path, model(), step=case.step() if case.holds_code else None, progressbar=False)


def fitted(fit: Fit, path: Path | None = None) -> Any:
    """Return the approximation of a fit."""
    adam, check = nb.adam(learning_rate=0.001), nb.CheckParametersConvergence(every=500, tolerance=1e-12)
    return nb.fit(
        fit.n, method=fit.method, model=model(), random_seed=3, checkpoint=path, obj_optimizer=adam, callbacks=[check],
        progressbar=False,
    )  # fmt: skip


def fit_resumed(path: Path) -> Any:
    """Return the approximation of the fit in a file, gone on with to its end."""
    return nb.resume(path, model(), progressbar=False)


def child(name: str, draws: int, what: str, path: str) -> None:
    """Do what a child does, until it is killed."""
    warnings.simplefilter("ignore")
    with contextlib.suppress(ResumeError):  # it came to its end
        if name in FITS:
            _ = fitted(FITS[name]._replace(n=draws), Path(path)) if what == "sample" else fit_resumed(Path(path))
            return
        (sampled if what == "sample" else resumed)(CASES[name]._replace(draws=draws), Path(path))


def killed(name: str, draws: int, what: str, path: Path, seconds: float, how: int = signal.SIGKILL) -> None:
    """Kill a child so long after its start, by a signal."""
    call = f"from bench.kill import child; child({name!r}, {draws}, {what!r}, {str(path)!r})"
    with subprocess.Popen([sys.executable, "-c", call]) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.send_signal(how)


def looked_at(path: Path, whole: Any) -> np.ndarray:
    """Return how many draws of each chain a file holds; all must be those of the whole run."""
    store = HDF5Store.reopen(path)
    counted = store.words("progress", 8)[:, 0].copy()
    store.discard()
    trace = nb.load(path)
    tune, draws = np.minimum(counted, len(whole.warmup_sample_stats["lp"][0])), trace.draws_done
    assert (tune + draws == counted).all()
    for group in GROUPS:
        for name, array in getattr(trace, group).items():
            for chain, rows in enumerate(tune if group.startswith("warmup_") else draws):
                assert array[chain, :rows].tobytes() == getattr(whole, group)[name][chain, :rows].tobytes(), name
    with contextlib.suppress(ImportError):
        import xarray

        with xarray.open_dataset(path, group="posterior", engine="h5netcdf") as found:
            assert found["x"].shape[0] == 4
    return counted


def survives(name: str, draws: int, whole: Any, folder: Path, moments: np.ndarray, how: int = signal.SIGKILL) -> str:
    """Kill a run and those that go on with it, at moments in seconds; return where the first one was.

    Raises
    ------
    AssertionError
        If anything is lost.
    """
    path, case = folder / "run.nc", CASES[name]._replace(draws=draws)
    killed(name, draws, "sample", path, moments[0], how)
    if not path.exists():
        made = bool(list(folder.glob("run.nc.part")))
        try:
            resumed(case, path)
        except FileNotFoundError as error:
            if "a run that ended before its first draw leaves none" not in str(error):
                raise
        else:
            raise AssertionError("there was nothing to go on with")
        return "as its file was made" if made else "before its file"
    done = looked_at(path, whole)
    where = "in warm-up" if (done < case.tune).any() else "in sampling"
    where = "at its end" if (done == case.tune + case.draws).all() else where
    for moment in moments[1:]:
        killed(name, draws, "resume", path, moment, how)
        now = looked_at(path, whole)
        assert (now >= done).all(), "draws that were counted are gone"
        done = now
    with contextlib.suppress(ResumeError):  # it came to its end
        assert_equal(resumed(case, path), whole)
    assert_equal(nb.load(path), whole)
    return where


def fit_survives(name: str, n: int, whole: Any, folder: Path, moments: np.ndarray) -> str:
    """Kill a fit and those that go on with it, as `survives` does runs of chains."""
    path = folder / "fit.nc"
    killed(name, n, "sample", path, moments[0])
    if not path.exists():
        return "as its file was made" if list(folder.glob("fit.nc.part")) else "before its file"
    done = losses_in(path, whole)
    where = "at its end" if done == n else "as it was made"
    for moment in moments[1:]:
        killed(name, n, "resume", path, moment)
        now = losses_in(path, whole)
        assert now >= done, "iterations that were counted are gone"
        done = now
    with contextlib.suppress(ResumeError):  # it came to its end
        approx = fit_resumed(path)
        assert approx.hist.tobytes() == whole.hist.tobytes(), "losses differ"
        for one, other in zip(approx.params, whole.params, strict=True):
            assert one.get_value().tobytes() == other.get_value().tobytes(), "parameters differ"
    assert losses_in(path, whole) == n
    return where


def losses_in(path: Path, whole: Any) -> int:
    """Return how many losses a file holds; all must be those of the whole fit."""
    store = HDF5Store.reopen(path)
    done = int(store.words("progress", 8)[0, 0])
    losses = store.array("sample_stats", "loss", (), np.float64)[0, :done].copy()
    store.discard()
    assert losses.tobytes() == whole.hist[:done].tobytes(), "losses in the file differ"
    return done


def assert_equal(trace: Any, whole: Any) -> None:
    """Compare two traces bit for bit."""
    for group in GROUPS:
        for name, array in getattr(whole, group).items():
            assert getattr(trace, group)[name].tobytes() == array.tobytes(), (group, name)
    assert not trace.interrupted
    assert trace.metric is None or trace.metric.inv_mass().tobytes() == whole.metric.inv_mass().tobytes()


def main() -> None:
    """Kill, and print what was left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25, help="runs that are killed, of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(heading("Runs that are killed"))
    rng, rows = np.random.default_rng(options.seed), []
    kinds: list[tuple[str, int, Any, Any]] = [
        *((name, case.draws, functools.partial(sampled, case), survives) for name, case in CASES.items()),
        *((name, fit.n, functools.partial(fitted, fit), fit_survives) for name, fit in FITS.items()),
    ]
    for name, size, made, survived in kinds:
        whole, found = made(), collections.Counter[str]()
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            made(Path(folder, "run.nc"))
        span = 0.9 + time.perf_counter() - begun  # of a child, which has to start first
        for _ in range(options.kills):
            moments = rng.uniform(0.3, span, 1 + rng.integers(0, 3))
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found[survived(name, size, whole, Path(folder), moments)] += 1
                except AssertionError as error:
                    found[f"LOST: {error}"] += 1
        kept = sum(count for where, count in found.items() if not where.startswith("LOST"))
        rows.append([name, f"{kept} of {options.kills}", ", ".join(f"{n} {where}" for where, n in found.items())])
        print(rows[-1], flush=True)
    print(table(["run", "nothing lost", "killed"], rows))


if __name__ == "__main__":
    main()
