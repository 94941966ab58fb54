"""Draws to a file and to memory: ``python -m bench.disk``.

First what a file adds to the runs of `bench.overhead`: both kinds in turn, in one process, on one core; the least of
several repeats counts. Then a run of many draws, four chains on N(0, I), each kind in a process of its own. What is
timed is the sampling, which begins when the file is there. Memory is what the process has of its own (RssAnon); draws
in a file need none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from bench import models
from bench.common import heading, number, spread, table
from bench.overhead import DIMS

_MOST_ADDED = 0.03
_LEAST_SPEED, _MOST_GROWTH, _MOST_REPORT = 0.8, 20, 150  # of the memory's; megabytes


def anonymous() -> float:
    """Return the megabytes that this process has of its own."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


class Peak:
    """By how much `anonymous` grows at most while a block runs."""

    def __enter__(self) -> Peak:
        self._least = self._most = anonymous()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self._most = max(self._most, anonymous())

    def __exit__(self, *failure: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> float:
        return max(self._most, anonymous()) - self._least


def sampled(model: Any, draws: int, tune: int, seed: int, path: Path | None, **options: Any) -> Any:
    import nbinfer as nb

    if path is not None:
        path.unlink(missing_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nb.sample(model, draws, tune, random_seed=seed, progressbar=False, trace=path, **options)


def added(model: Any, draws: int, repeats: int, folder: Path) -> tuple[list[float], list[float]]:
    """Return the seconds of sampling to memory and to a file, one of each per repeat."""
    sampled(model, 100, 100, 1, folder / "run.nc", cores=1)  # compiles
    pairs = [
        [sampled(model, draws, draws, seed, path, cores=1).attrs["sampling_time"] for path in (None, folder / "run.nc")]
        for seed in range(2, repeats + 2)
    ]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def long_run(draws: int, dim: int, path: Path | None) -> dict[str, float]:
    """Sample, report, and tell what each took."""
    model, found = models.std_normal(dim), {}
    sampled(model, 1000, 1000, 1, path)  # compiles, and imports
    module = sys.modules["nbinfer.mcmc.running"]
    check = module.check  # type: ignore[attr-defined]

    def report(trace: Any) -> Any:
        found["growth"] = sampling.growth
        with Peak() as peak:
            begun = time.perf_counter()
            result = check(trace)
            found["report"] = time.perf_counter() - begun
        found["report_growth"] = peak.growth
        return result

    module.check = report  # type: ignore[attr-defined]
    begun = time.perf_counter()
    with Peak() as sampling:
        trace = sampled(model, draws, 1000, 2, path)
    return found | {"sampling": trace.attrs["sampling_time"], "all": time.perf_counter() - begun}


def in_a_process(draws: int, dim: int, path: Path | None) -> dict[str, float]:
    """Return what `long_run` returns."""
    command = [sys.executable, "-m", "bench.disk", "--child", str(draws), str(dim), *([str(path)] if path else [])]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.disk", description="Draws to a file and to memory.")
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each kind, 0: none (%(default)s)")
    parser.add_argument("--draws", type=int, default=1_000_000, help="of each chain of the long run (%(default)s)")
    parser.add_argument("--dim", type=int, default=100, help="dimension of the long run (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where files go; 4 GB for the long run (default: temporary)")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        draws, dim, *path = options.child
        print(json.dumps(long_run(int(draws), int(dim), Path(path[0]) if path else None)))
        return
    print(heading("Seconds of sampling: median (least..most) of %d" % options.repeats))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = []
        for dim, draws in DIMS.items() if options.repeats else ():
            memory, file = added(models.std_normal(dim), draws, options.repeats, Path(folder))
            share = min(file) / min(memory) - 1
            cells = [spread(memory), spread(file), f"{100 * share:.1f} %"]
            rows.append([f"N(0, I), {dim}", *cells, "holds" if share <= _MOST_ADDED else "MISSED"])
        if rows:
            print(table(["", "memory", "file", "added, of least", ""], rows) + "\n", flush=True)
        memory, file = (in_a_process(options.draws, options.dim, p) for p in (None, Path(folder) / "run.nc"))
    print(f"4 x {options.draws:,} draws of N(0, I), {options.dim}: seconds, megabytes of its own")
    names = ["sampling", "growth", "report", "report_growth", "all"]
    print(
        table(
            ["", *names],
            [[kind, *(number(run[n]) for n in names)] for kind, run in (("memory", memory), ("file", file))],
        )
    )
    for what, holds in (
        ("speed of sampling", memory["sampling"] / file["sampling"] >= _LEAST_SPEED),
        ("memory of sampling", file["growth"] < _MOST_GROWTH),
        ("memory of the report", file["report_growth"] < _MOST_REPORT),
        ("report takes less than sampling", file["report"] < file["sampling"]),
    ):
        print(f"{what}: {'holds' if holds else 'MISSED'}")


if __name__ == "__main__":
    main()
