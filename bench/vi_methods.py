"""How many gradients a variational method needs until its evidence lower bound is near the best of its family.

python -m bench.vi_methods --models logistic arK --json FILE --peers FILE...

Each method runs on each posterior of `tests.posteriors` and of `bench.models`, in stages; after each, its bound is
measured with fresh draws. What is told is the number of gradients after which it was first within 0.1 nats of the best,
k-hat there, and how far it was at the end. The best of a family comes from long fits: many draws, rates that fall, an
average of the last iterates. A method is a row of `METHODS`.
"""

from __future__ import annotations

import argparse
import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nbinfer as nb
from bench.common import heading, number, table
from bench.metric import POSTERIORS as ALL
from bench.wrapped import Counted, Standardised

POSTERIORS = {name: make for name, make in ALL.items() if name != "straight_line"}

#: A bound counts as the best if it is so near, in nats.
NEAR = 0.1
#: Draws that a bound is measured with at each stage; where it seems to be near, and for the best of a family.
DRAWS, MANY = 10_000, 100_000
#: Iterations of the first stage, and by which factor each further one is longer.
FIRST, GROWTH = 20, 1.25
#: The long fits that find the best of a family: iterations, draws of each, first learning rate.
BEST, BEST_DRAWS, BEST_RATE = 50_000, 10, 0.05
#: Iterations of the quick fits, at most.
QUICK_ITERATIONS = 500

FAMILIES: dict[str, type] = {"mean_field": nb.ADVI, "full_rank": nb.FullRankADVI}
QUICK: dict[str, type] = {"mean_field": nb.DADVI, "full_rank": nb.BaM}


class Stage(NamedTuple):
    """What a method has after so many gradients; the next stage may change it."""

    gradients: int
    approx: nb.Approximation


class Method(NamedTuple):
    """A method: whose best it is measured by, and its stages, given model, the most gradients, and a seed."""

    family: str
    stages: Callable[[nb.Model, int, int], Iterator[Stage]]


def iterations(
    made: Callable[..., Any], *, first: float = FIRST, counts: bool = False, **options: Any
) -> Callable[..., Iterator[Stage]]:
    """Return the stages of an inference that makes iterations.

    Parameters
    ----------
    made : callable
        A class of inference, or what makes one of a model and a seed.
    first : float
        Iterations of the first stage.
    counts : bool
        Whether gradients are counted by the density, those before the first iteration among them. Else there is one for
        each iteration and draw.
    **options : object
        Of the fit.
    """
    draws = options.get("obj_n_mc", 1)

    def stages(model: nb.Model, budget: int, seed: int) -> Iterator[Stage]:
        counted = Counted(model) if counts else None
        inference = made(model=counted.model if counted else model, random_seed=seed)
        inference.begin(**options)
        until, spent = first, 0
        while spent < budget:
            done = len(inference.hist)
            aim = max(int(until), done + 1)
            try:
                approx = inference.run(aim - done, False, judged=False)
            except nb.errors.FitError:
                return
            spent = counted.gradients if counted else draws * len(inference.hist)
            yield Stage(spent, approx)
            if len(inference.hist) < aim or approx.report.converged:  # it has ended by itself
                return
            until *= GROWTH

    return stages


def at_once(fitted: Callable[..., Any], spent: Callable[[Any], int]) -> Callable[..., Iterator[Stage]]:
    """Return the one stage of a method that has no more.

    Parameters
    ----------
    fitted : callable
        Returns an approximation, given model and random_seed.
    spent : callable
        Gradients that an approximation took.
    """

    def stages(model: nb.Model, budget: int, seed: int) -> Iterator[Stage]:
        approx = fitted(model=model, random_seed=seed)
        yield Stage(spent(approx), approx)

    return stages


_FALLING = nb.adam(learning_rate=lambda i: 0.05 / (1.0 + i / 500.0))


def _pathfinder(**given: Any) -> Any:
    return nb.Pathfinder(**given).fit(progressbar=False)


def _plain(**given: Any) -> nb.FullRankADVI:
    return nb.FullRankADVI(**given, estimator="plain")


METHODS: dict[str, Method] = {
    "advi": Method("mean_field", iterations(nb.ADVI)),
    "advi, adam": Method("mean_field", iterations(nb.ADVI, obj_optimizer=nb.adam(learning_rate=0.01))),
    "advi, falling adam": Method("mean_field", iterations(nb.ADVI, obj_optimizer=_FALLING)),
    "advi, raabbvi": Method("mean_field", iterations(nb.ADVI, convergence="raabbvi")),
    "dadvi": Method("mean_field", iterations(nb.DADVI, first=1, counts=True)),
    "pathfinder": Method("full_rank", at_once(_pathfinder, lambda approx: approx.report.gradients)),
    "fullrank_advi": Method("full_rank", iterations(nb.FullRankADVI)),
    "fullrank_advi, adam": Method("full_rank", iterations(nb.FullRankADVI, obj_optimizer=nb.adam(learning_rate=0.01))),
    "fullrank_advi, raabbvi": Method("full_rank", iterations(nb.FullRankADVI, convergence="raabbvi")),
    "fullrank_advi, plain raabbvi": Method("full_rank", iterations(_plain, convergence="raabbvi")),
    "bam": Method("full_rank", iterations(nb.BaM, first=1, counts=True)),
}


class Best(NamedTuple):
    """The best bound that a family is known to reach, and its standard error."""

    posterior: str
    family: str
    elbo: float
    error: float


class Run(NamedTuple):
    """A method on a posterior."""

    posterior: str
    method: str
    family: str
    seed: int
    gradients: int | None  # until the bound was near; None: it never was
    spent: int  # at the end, which is where it was near, or where there was no more
    elbo: float  # there
    khat: float  # there


def bound(approx: nb.Approximation, draws: int) -> tuple[float, float]:
    """Return the evidence lower bound and its standard error."""
    found = approx.log_weights(draws, random_seed=1)
    return float(found.mean()), float(found.std()) / math.sqrt(draws)


def measured(approx: nb.Approximation, goal: float) -> tuple[float, bool]:
    """Return the bound, and whether it is near; many draws are made where few say so."""
    elbo = bound(approx, DRAWS)[0]
    if elbo >= goal - NEAR:
        elbo = bound(approx, MANY)[0]
    return elbo, elbo >= goal - NEAR


def flat(approx: nb.Approximation) -> np.ndarray:
    return np.concatenate([np.ravel(shared.get_value()) for shared in approx.params])


def place(approx: nb.Approximation, values: np.ndarray) -> None:
    """Set all parameters of an approximation."""
    at = 0
    for shared in approx.params:
        shared.set_value(values[at : at + shared.size].reshape(shared.shape))
        at += shared.size


def best(posterior: str, family: str, length: float = 1.0) -> Best:
    """Find the best bound of a family: of a quick fit, and of long ones, of their averages and their ends.

    One of these begins anew, the other where the quick one has ended, in coordinates that its distribution is standard
    in, so that none is too narrow for the learning rate.
    """
    model, n, quick = POSTERIORS[posterior](), max(int(length * BEST), 100), QUICK[family]
    found = _longer(model, family, n, BEST_RATE)
    approx = quick(model=model, random_seed=1).fit(QUICK_ITERATIONS, progressbar=False)
    factor = np.diag(approx.std) if family == "mean_field" else np.linalg.cholesky(approx.cov)
    standardised = Standardised(model, approx.mean, factor)
    found += [bound(approx, MANY), *_longer(standardised.model, family, n, 0.2 * BEST_RATE, start_sigma=1.0)]
    return Best(posterior, family, *max(found))


def _longer(model: nb.Model, family: str, n: int, rate: float, **start: Any) -> list[tuple[float, float]]:
    """Return the bound and its error at the end of a long fit, and of the average of its last quarter."""
    late: list[np.ndarray] = []

    def keep(approx: nb.Approximation, losses: Any, i: int) -> None:
        if i > 0.75 * n:
            late.append(flat(approx))

    keep.every = max(n // 1000, 1)  # type: ignore[attr-defined]
    inference = FAMILIES[family](model=model, random_seed=1, **start)
    optimizer = nb.adam(learning_rate=lambda i: rate / (1.0 + 100.0 * i / n))
    try:
        approx = inference.fit(n, callbacks=[keep], obj_n_mc=BEST_DRAWS, obj_optimizer=optimizer, progressbar=False)
    except nb.errors.FitError:
        return []
    found = [bound(approx, MANY)]
    place(approx, np.mean(late, axis=0))
    return [*found, bound(approx, MANY)]


def run(posterior: str, name: str, goal: float, budget: int, seed: int = 1) -> Run:
    """Run a method until its bound is near the best of its family, or to its end."""
    method, stage, elbo = METHODS[name], None, -math.inf
    for stage in method.stages(POSTERIORS[posterior](), budget, seed):
        elbo, is_near = measured(stage.approx, goal)
        if is_near:
            spent = stage.gradients
            return Run(posterior, name, method.family, seed, spent, spent, elbo, stage.approx.khat)
    if stage is None:
        raise ValueError(f"{name} has no stage within {budget} gradients.")
    return Run(posterior, name, method.family, seed, None, stage.gradients, elbo, stage.approx.khat)


def of_peer(said: dict[str, Any], goal: float) -> Run:
    """Return the run of another program: its moments by name, measured with the density here.

    A line has `what`, `model`, `family`, and `stages`: a list of ``{"gradients": …, "mean": {…}, "std": {…}}``, all on
    the unconstrained scale, or with ``"cov"``, a matrix in the order of the model here, for full rank. Lists in the
    place of mappings are in that order, too.
    """
    model = POSTERIORS[said["model"]]()
    made, elbo, stage, approx = FAMILIES[said["family"]](model=model).approx, -math.inf, None, None
    head = said["model"], said["what"], said["family"], int(said.get("seed", 1))
    for stage in said["stages"]:
        mean, approx = ordered(model, stage["mean"]), made
        if said["family"] == "mean_field":
            std = ordered(model, stage["std"])
            values = approx.groups[0].family.first_values(approx.groups[0].extent, mean, std)
            place(approx, np.concatenate([values[name] for name in approx.groups[0].params_dict]))
        else:
            factor = np.linalg.cholesky(np.asarray(stage["cov"]))
            place(approx, np.concatenate([mean, factor[np.tril_indices(len(mean))]]))
        elbo, is_near = measured(approx, goal)
        if is_near:
            return Run(*head, stage["gradients"], stage["gradients"], elbo, approx.khat)
    return Run(*head, None, stage["gradients"] if stage else 0, elbo, approx.khat if approx else math.nan)


def ordered(model: nb.Model, values: Any) -> np.ndarray:
    """Return numbers by name in the order of a model; a list is in it."""
    if isinstance(values, list):
        return np.array(values)
    found = np.zeros(model.dim)
    for name, parameter in model.parameters.items():
        found[parameter.q] = np.ravel(values[name])
    return found


class Book:
    """Results, which are kept in a file if there is one; what stands in it is not found again."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        lines = self._path.read_text().splitlines() if self._path and self._path.exists() else []
        said = [json.loads(line) for line in lines]
        self.found: dict[tuple[Any, ...], Any] = {}
        for each in said:
            kind = Best if "error" in each else Run
            self._keep(kind(**each))

    def _keep(self, result: Any) -> Any:
        self.found[self._key(result)] = result
        return result

    @staticmethod
    def _key(result: Any) -> tuple[Any, ...]:
        if isinstance(result, Best):
            return result.posterior, result.family
        return result.posterior, result.method, result.seed

    def get(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """Return a result, found anew if there is none."""
        if key in self.found:
            return self.found[key]
        result = make()
        if self._path:
            with self._path.open("a") as file:
                file.write(json.dumps(result._asdict()) + "\n")
        return self._keep(result)


def rows(runs: Iterable[Run], goals: dict[tuple[str, str], Best]) -> list[list[str]]:
    """Lay out runs."""
    laid = []
    for each in runs:
        goal = goals[each.posterior, each.family]
        reached = "-" if each.gradients is None else str(each.gradients)
        told = [f"{goal.elbo:.3f} ± {goal.error:.3f}", reached, str(each.spent), f"{goal.elbo - each.elbo:.3g}"]
        laid.append([f"{each.posterior}, {each.method}", each.family, *told, number(each.khat)])
    return laid


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.vi_methods", description="Gradients until a bound is near the best."
    )
    names = {"choices": list(POSTERIORS), "default": list(POSTERIORS), "metavar": "MODEL"}
    parser.add_argument("--models", nargs="*", help="which posteriors", **names)  # type: ignore[arg-type]
    parser.add_argument("--methods", nargs="*", choices=list(METHODS), default=list(METHODS), metavar="METHOD")
    parser.add_argument("--budget", type=int, default=200_000, help="the most gradients of a run (%(default)s)")
    parser.add_argument("--length", type=float, default=1.0, help=f"of the fit for the best, by {BEST} iterations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="keep results there, and do not find again what it has")
    parser.add_argument("--peers", nargs="*", default=[], metavar="FILE", help="JSON lines of other programs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", nb.errors.NbinferWarning)
    print(heading(f"Gradients until the bound is within {NEAR} of the best of the family"), flush=True)
    book, lines = Book(options.json), [line for file in options.peers for line in Path(file).read_text().splitlines()]
    peers = [said for said in map(json.loads, (line for line in lines if line.startswith("{"))) if "stages" in said]
    goals, found = {}, []
    for name in options.models:
        told = [said for said in peers if said["model"] == name]
        for family in {METHODS[m].family for m in options.methods} | {said["family"] for said in told}:
            goals[name, family] = book.get((name, family), lambda n=name, f=family: best(n, f, options.length))
        for method in options.methods:
            goal = goals[name, METHODS[method].family].elbo
            key = name, method, options.seed
            found.append(book.get(key, lambda n=name, m=method, g=goal: run(n, m, g, options.budget, options.seed)))
        found += [of_peer(said, goals[name, said["family"]].elbo) for said in told]
    head = ["", "family", "its best", "gradients", "spent", "short of the best", "k-hat"]
    print(table(head, rows(found, goals)), flush=True)


if __name__ == "__main__":
    main()
