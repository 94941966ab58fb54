"""Effective draws per second and per gradient: ``python -m bench.ess``.

Four chains of 1000 + 1000 on one core, per model and seed. The smallest bulk effective sample size of any parameter is
set against the time and the gradients of sampling, warm-up included. The first run of each model, which compiles, does
not count. "By whole call" divides by the time of `nb.sample` as a whole instead: starting points, allocation and report
too. ``--derived`` runs each model a second time, without the gradient written for it, and tells how much faster or
slower the derived one makes sampling. ``--peers FILE...`` reads what other samplers gave on the same models, one JSON
object per line, and adds ratios.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.common import gradients, heading, number, sampled, spread, table
from bench.models import MODELS, with_derived_gradient
from nbinfer.diagnostics import ess_bulk, rhat

try:  # the yardstick that peers are measured with, if it is installed
    from arviz_stats.base import array_stats

    ESS = "arviz-stats"
except ImportError:
    ESS = "nbinfer"


class Run(NamedTuple):
    """One run of one model."""

    ess: float
    seconds: float  # of sampling
    call: float  # of the whole call, with starting points and diagnostics
    gradients: int
    divergences: int
    rhat: float


def least_ess(posterior: Iterable[np.ndarray]) -> float:
    """Return the smallest bulk effective sample size of any element of arrays of shape (chain, draw, ...)."""
    least = np.inf
    for array in posterior:
        if ESS == "nbinfer":
            least = min(least, float(np.min(ess_bulk(array))))
            continue
        for column in array.reshape(*array.shape[:2], -1).T:
            least = min(least, float(array_stats.ess(column.T, chain_axis=0, draw_axis=1, method="bulk")))
    return least


def measure(models: dict[str, Any], seeds: int) -> dict[str, list[Run]]:
    """Run models once for each seed, by turns, so that what disturbs one disturbs all."""
    for model in models.values():
        sampled(model, 0, 10, 10)
    runs: dict[str, list[Run]] = {name: [] for name in models}
    for seed in range(1, seeds + 1):
        for name, model in models.items():
            trace, call = sampled(model, seed)
            values = [trace[n] for n in model.parameters]
            worst = max(float(np.max(rhat(value))) for value in values)
            divergences = int(trace.sample_stats["diverging"].sum())
            seconds = trace.attrs["sampling_time"]
            runs[name].append(Run(least_ess(values), seconds, call, gradients(trace), divergences, worst))
    return runs


def gain(ours: list[Run], written: list[Run]) -> list[str]:
    """Return by what factor draws and gradients come faster than with the written gradient, seed by seed."""
    pairs = list(zip(ours, written, strict=True))
    per_second = [(r.ess / r.seconds) / (w.ess / w.seconds) for r, w in pairs]
    per_gradient = [(r.gradients / r.seconds) / (w.gradients / w.seconds) for r, w in pairs]
    return [spread(per_second), spread(per_gradient)]


class Peer(NamedTuple):
    """What another sampler gave: medians over its seeds; NaN where it does not tell."""

    name: str
    ess_per_second: float
    ess_per_gradient: float
    microseconds: float
    divergences: float
    first: float  # seconds from the start of its process to a printed summary

    @staticmethod
    def of(record: dict[str, Any]) -> Peer:
        """Read a line of the peers' scripts, of either kind."""
        nan = float("nan")

        def get(*keys: str) -> float:
            return next((float(record[k]) for k in keys if record.get(k) is not None), nan)

        total = get("n_grad_warm") + get("n_grad_draw")
        per_gradient = get("ess_bulk", "min_ess_bulk") / total
        return Peer(record["peer"], get("ess_per_s"), per_gradient, get("us_per_grad"), get("div"), get("ttfr_s"))


def read_peers(paths: Iterable[str]) -> dict[str, list[Peer]]:
    """Return peers by model; of one peer and model the last line counts, and lines without a result do not."""
    found: dict[str, dict[str, Peer]] = {}
    for path in paths:
        for line in Path(path).read_text().splitlines():
            if line.startswith("{"):
                record = json.loads(line)
                if record.get("ess_per_s"):
                    found.setdefault(record["model"], {})[record["peer"]] = Peer.of(record)
    return {model: list(by_name.values()) for model, by_name in found.items()}


def cells(runs: list[Run]) -> list[str]:
    """Lay out the runs of a model."""
    return [
        spread([r.ess / r.seconds for r in runs]),
        spread([r.ess / r.call for r in runs]),
        spread([1e3 * r.ess / r.gradients for r in runs]),
        spread([r.gradients for r in runs]),
        spread([1e6 * r.seconds / r.gradients for r in runs]),
        spread([r.divergences for r in runs]),
        f"{max(r.rhat for r in runs):.3f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.ess", description="Effective draws per second and per gradient.")
    parser.add_argument(
        "--models", nargs="*", choices=list(MODELS), default=list(MODELS), metavar="MODEL", help="which"
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs of each model (%(default)s)")
    parser.add_argument("--derived", action="store_true", help="also without the gradients that were written by hand")
    parser.add_argument("--peers", nargs="*", default=[], metavar="FILE", help="JSON lines of other samplers")
    options = parser.parse_args()
    peers = read_peers(options.peers)
    title = f"Smallest bulk ESS ({ESS}), 4 x (1000 + 1000), one core: median (least..most) of {options.seeds} seeds"
    print(heading(title))
    head = ["", "ESS/s", "by whole call", "ESS/1000 grad.", "gradients", "µs/grad.", "divergences", "max R-hat"]
    rows, gains, ours = [], [], {}  # ours: per second of sampling, and of the whole call
    for name in options.models:
        model = MODELS[name]()
        models = {name: model} | ({f"{name}, derived": with_derived_gradient(model)} if options.derived else {})
        found = measure(models, options.seeds)
        ours[name] = np.median([(r.ess / r.seconds, r.ess / r.call) for r in found[name]], axis=0)
        rows += [[label, *cells(runs)] for label, runs in found.items()]
        gains += [[label, *gain(runs, found[name])] for label, runs in found.items() if label != name]
    print(table(head, rows))
    if gains:
        print("\nOf the derived gradient\n" + table(["", "ESS/s, factor", "gradients/s, factor"], gains))
    if not peers:
        return
    rows = []
    for name in options.models:
        for peer in sorted(peers.get(name, []), key=lambda p: -p.ess_per_second):
            told = [peer.ess_per_second, *(ours[name] / peer.ess_per_second)]
            told += [1e3 * peer.ess_per_gradient, peer.microseconds, peer.divergences, peer.first]
            shown = ["-" if np.isnan(x) else number(x) for x in told]
            shown[1:3] = [cell + " x" for cell in shown[1:3]]
            rows.append([name, peer.name, *shown])
    head = [
        "",
        "peer",
        "ESS/s",
        "nbinfer is",
        "by whole call",
        "ESS/1000 grad.",
        "µs/grad.",
        "divergences",
        "first result, s",
    ]
    print("\nPeers, as their files say\n" + table(head, rows))


if __name__ == "__main__":
    main()
