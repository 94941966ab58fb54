"""What many chains cost, and what cores bring to a population: ``python -m bench.chains``.

The first table compares an HMC draw among ten thousand chains with one among four, on one core and without warm-up:
by the time of the run, and by that of the whole call with starts, diagnostics and trace. The second runs a population
on one core and on two, by turns. The least of several repeats counts. The third sets a thousand chains that learn
together beside four of NUTS on all cores, on the models of `bench.models`: gradients of a chain's warm-up and of a
draw, effective draws per thousand gradients, by the smallest bulk ESS of any parameter, and by that of any square, and
seconds until all have an ESS of 400, warm-up included. ``--chains`` has fewer, ``--peers PYTHON`` has an interpreter
that knows BlackJAX draw as many, of some of the models.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nbinfer as nb
from bench import models
from bench.common import gradients, gradients_of_warm_up, heading, number, table
from bench.ess import least_ess
from nbinfer.errors import ConvergenceWarning

#: Chains and draws of each -> what a draw may cost, in the run and in the whole call, compared with four long chains.
MANY = {(4, 25_000): None, (1000, 100): (1.3, 2.0), (10_000, 100): (1.3, 2.0), (10_000, 10): (None, 4.0)}
#: How much faster a population of so many chains must be on two cores.
MEMBERS, FASTER = 64, 1.7

#: Chains that learn together, draws of their warm-up, and draws. What is enough for every parameter.
TOGETHER, TUNE, DRAWS, ENOUGH = 1000, 50, 10, 400


def run(model: Any, draws: int, **options: Any) -> tuple[float, float]:
    """Return the seconds of a run and of the whole call."""
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        trace = nb.sample(model, draws, 0, random_seed=1, progressbar=False, **options)
    return trace.attrs["sampling_time"], time.perf_counter() - begun


def many(repeats: int) -> list[list[str]]:
    """Return a row for each number of chains."""
    model = models.std_normal(10)
    step = nb.HamiltonianMC()
    run(model, 100, step=step, chains=4, cores=1)  # compiles
    seconds = {
        shape: np.min([run(model, shape[1], step=step, chains=shape[0], cores=1) for _ in range(repeats)], axis=0)
        for shape in MANY
    }
    base = seconds[4, 25_000] / 100_000
    rows = []
    for (chains, draws), allowed in MANY.items():
        each = seconds[chains, draws] / (chains * draws)
        ratios = each / base
        holds = [most is None or ratio <= most for ratio, most in zip(ratios, allowed or (None, None), strict=True)]
        bounds = "" if allowed is None else " / ".join("-" if most is None else f"{most:g}" for most in allowed)
        cells = [f"{1e6 * each[0]:.2f}", f"{1e6 * each[1]:.2f}", f"{ratios[0]:.2f}", f"{ratios[1]:.2f}", bounds]
        rows.append([f"{chains} chains x {draws}", *cells, "holds" if all(holds) else "MISSED"])
    return rows


def population(repeats: int) -> list[str]:
    """Return a row about a population on one core and on two."""
    model, step = models.MODELS["logistic"](), nb.DEMetropolis()
    options: dict[str, Any] = {"step": step, "chains": MEMBERS}
    run(model, 10, cores=1, **options)
    seconds = np.array([[run(model, 300, cores=cores, **options)[0] for cores in (1, 2)] for _ in range(repeats)]).min(
        0
    )
    ratio = seconds[0] / seconds[1]
    cells = [f"{seconds[0]:.3f}", f"{seconds[1]:.3f}", f"{ratio:.2f}", f"{FASTER:g}"]
    return [f"DEMetropolis, {MEMBERS} chains, logistic", *cells, "holds" if ratio >= FASTER else "MISSED"]


class Costs(NamedTuple):
    """What a run took, in warm-up and in drawing: seconds of all chains, gradients of one chain and of one draw."""

    warm_seconds: float
    seconds: float
    gradients: float
    warm_gradients: float = np.nan
    length: float = np.nan


def squares(x: np.ndarray) -> np.ndarray:
    """Return the squares of what draws are away from their means."""
    return (x - x.mean((0, 1))) ** 2


def row(what: str, arrays: list[np.ndarray], costs: Costs) -> list[str]:
    """Return a row about a run by its draws and what they took."""
    chains, draws = arrays[0].shape[:2]
    ess, of_squares = least_ess(arrays), least_ess([squares(x) for x in arrays])
    # Fewer than four draws have no ESS.
    first = next((k for k in range(4, draws + 1) if least_ess([a[:, :k] for a in arrays]) >= ENOUGH), None)
    longer = draws * ENOUGH / ess if first is None else first
    seconds, drawing = costs.warm_seconds + costs.seconds, chains * draws * costs.gradients / 1000
    whole = drawing + chains * costs.warm_gradients / 1000
    enough = costs.warm_seconds + costs.seconds * longer / draws
    figures = [costs.length, costs.warm_gradients, costs.gradients, ess / whole, ess / drawing, of_squares / drawing]
    return [what, *("" if np.isnan(x) else number(x) for x in [*figures, ess, seconds, ess / seconds, enough])]


def drawn(what: str, model: Any, draws: int, tune: int, **options: Any) -> list[str]:
    """Return the same of a run here; seconds of warm-up are in proportion to its steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        nb.sample(model, 4, 4, progressbar=False, **options | {"chains": 16})  # compiles
        trace = nb.sample(model, draws, tune, random_seed=1, progressbar=False, **options)
    share = gradients_of_warm_up(trace) / gradients(trace)
    seconds, count = trace.attrs["sampling_time"], sum(trace.attrs["gradients"]) / options["chains"]
    length = trace.sample_stats["path_length"].mean() if "path_length" in trace.sample_stats else np.nan
    costs = Costs(share * seconds, (1.0 - share) * seconds, (1.0 - share) * count / draws, share * count, length)
    return row(what, [trace[name] for name in model.parameters], costs)


def together(names: list[str], chains: int, peers: str | None) -> list[list[str]]:
    """Return rows about so many chains of each kind, and four of NUTS, on each model."""
    found = peer_rows(peers, chains) if peers else {}
    rows = []
    for name in names:
        model = models.MODELS[name]()
        rows.append(drawn(f"{name}, NUTS, 4 chains", model, 1000, 1000, chains=4))
        for step in (nb.ChEES(), nb.MAMS()):
            label = f"{name}, {type(step).__name__}, {chains} chains"
            rows.append(drawn(label, model, DRAWS, TUNE, step=step, chains=chains))
        rows += found.get(name, [])
        print(table(HEAD, rows[-3 - len(found.get(name, [])) :]), flush=True)
    return rows


HEAD = ["", "length", "gradients: warm-up", "draw", "ESS per 1000: all", "draws", "their squares", "ESS", "seconds",
        "ESS/s", f"s to ESS {ENOUGH}"]  # fmt: skip


def peer_rows(python: str, chains: int) -> dict[str, list[list[str]]]:
    """Let another interpreter draw; return rows by model."""
    rows: dict[str, list[list[str]]] = {}
    schools, logistic = (models.MODELS[name]().data for name in ("eight_schools", "logistic"))
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "data.npz", y=schools["y"], sigma=schools["sigma"], S=logistic["S"], rho=0.9)
        script = Path(__file__).with_name("chains_peers.py")
        command = [python, str(script), folder, *map(str, (chains, TUNE, DRAWS))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        for line in filter(lambda line: line.startswith("{"), done.stdout.splitlines()):
            said = json.loads(line)
            x = np.load(Path(folder) / f"{said['model']}_{said['kind']}.npy")
            what = f"{said['model']}, {said['what']}"
            costs = Costs(said["warm"], said["draw"], said["steps"])
            rows.setdefault(said["model"], []).append(row(what, [x], costs))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.chains", description="Many chains, and populations.")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each kind (%(default)s)")
    parser.add_argument("--models", nargs="*", choices=list(models.MODELS), default=list(models.MODELS), help="which")
    parser.add_argument("--together", action="store_true", help="the third table alone")
    parser.add_argument("--chains", type=int, default=TOGETHER, help="that learn together (%(default)s)")
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter with BlackJAX to set beside")
    options = parser.parse_args()
    if not options.together:
        alone(options.repeats)
    what = f"{options.chains} chains, {TUNE} draws of warm-up and {DRAWS} more"
    print(heading(f"{what}, all cores, against NUTS 1000 + 1000"))
    together(options.models, options.chains, options.peers)


def alone(repeats: int) -> None:
    """Print the first two tables."""
    print(heading(f"HMC on N(0, I), 10 coordinates, one core, microseconds per draw: least of {repeats}"))
    head = ["", "run", "whole call", "run, ratio", "call, ratio", "bounds", ""]
    print(table(head, many(repeats)), flush=True)
    print()
    head = ["seconds", "one core", "two", "ratio", "bound", ""]
    print(table(head, [population(repeats)]))
    print()


if __name__ == "__main__":
    main()
