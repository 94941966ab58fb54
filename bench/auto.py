"""A run that ends when it has drawn enough: ``python -m bench.auto``.

``draws="auto"`` ends a run at a moment that its draws choose, and a moment at which an estimate of their worth is high
need not be one at which they are worth much. Three posteriors whose means and quantiles are known are sampled so, over
and over, and for each such run one more with other random numbers that is just as long, but whose length was given. Of
both the table tells how often the posterior mean is where its Monte Carlo standard error says, within 1.645 of them,
which should be nine times in ten; by how many of them means are off on average; and how much of the posterior the 90 %
intervals hold, which is how often they would hold a parameter drawn from it. Nothing is timed.

``--early`` adds runs that look 25 times as early, and at each tenth more, without R-hat: what happens if one does not
take care.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

import nbinfer as nb
from bench.common import heading, spread, table
from bench.models import ar1_gauss, eight_schools, std_normal
from nbinfer.diagnostics import ess_mean
from nbinfer.mcmc import length, running

RUNS = 500
#: Standard normal quantile of a 90 % interval.
WIDTH = 1.6448536269514722
#: Seeds of runs whose length is given, and of those that look early, are so much larger.
OTHER, EARLY = 1_000_000, 2_000_000


class Known(NamedTuple):
    """Marginals of a posterior, each a mixture of normal distributions.

    Attributes
    ----------
    weights : ndarray, shape (components,)
    means, sds : ndarray, shape (components, quantities)
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    sds: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """The posterior means, shape (quantities,)."""
        return self.weights @ self.means

    def mass(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much of each marginal lies between two numbers."""
        ends = [ndtr((end - self.means) / self.sds) for end in (low, high)]
        return self.weights @ (ends[1] - ends[0])


def standard(dim: int) -> Known:
    """Return the marginals of a normal distribution of unit variances."""
    return Known(np.ones(1), np.zeros((1, dim)), np.ones((1, dim)))


def known_schools(y: NDArray[np.float64], sigma: NDArray[np.float64], points: int = 4000) -> Known:
    """Return the marginals of mu, tau and the schools' effects: given tau all but tau are normal."""
    angle = (np.arange(points) + 0.5) / points * np.pi / 2  # uniform if tau has its prior, half Cauchy of scale 5
    tau = 5.0 * np.tan(angle)
    variance = sigma**2 + tau[:, None] ** 2
    precision = np.sum(1.0 / variance, axis=1) + 1.0 / 25.0
    mu = np.sum(y / variance, axis=1) / precision
    square = np.sum(y**2 / variance, axis=1) - mu**2 * precision
    logp = -0.5 * (np.log(variance).sum(axis=1) + np.log(precision) + square)
    weights = np.exp(logp - logp.max())
    shrunk = 1.0 / (1.0 / sigma**2 + 1.0 / tau[:, None] ** 2)
    pull = shrunk / tau[:, None] ** 2
    theta = shrunk * y / sigma**2 + pull * mu[:, None]
    means = np.column_stack([mu, tau, theta])
    width = np.gradient(tau)  # a component of tau is no point, but what lies between two of them
    sds = np.column_stack([precision**-0.5, width / np.sqrt(12.0), np.sqrt(shrunk + pull**2 / precision[:, None])])
    return Known(weights / weights.sum(), means, sds)


class Case(NamedTuple):
    """A posterior, how it is sampled, its quantities of a trace, shape (chain, draw, quantity), and what is known."""

    model: nb.Model
    options: dict[str, Any]
    quantities: Callable[[Any], NDArray[np.float64]]
    known: Known


def of_x(trace: Any) -> NDArray[np.float64]:
    """Return the draws of ``x``."""
    return np.asarray(trace["x"])


def of_schools(trace: Any) -> NDArray[np.float64]:
    """Return the draws of mu, tau and the effects."""
    mu, tau = trace["mu"][..., None], trace["tau"][..., None]
    return np.concatenate([mu, tau, mu + tau * trace["z"]], axis=-1)


def schools() -> Case:
    """Eight schools by NUTS."""
    model = eight_schools()
    data = [np.array(model.data[name], np.float64) for name in ("y", "sigma")]
    return Case(model, {"tune": 500}, of_schools, known_schools(*data))


CASES: dict[str, Callable[[], Case]] = {
    "N(0, I), 10, NUTS": lambda: Case(std_normal(10), {"tune": 500}, of_x, standard(10)),
    "eight schools, NUTS": schools,
    "AR(1), 2, Metropolis": lambda: Case(ar1_gauss(2, 0.5), {"step": nb.Metropolis(), "tune": 200}, of_x, standard(2)),
}


class Found(NamedTuple):
    """What a run says of each quantity: how many standard errors its mean is off, and what its interval holds."""

    scores: NDArray[np.float64]
    mass: NDArray[np.float64]


def found(case: Case, draws: NDArray[np.float64]) -> Found:
    """Compare draws, shape (chain, draw, quantity), with what is known."""
    error = draws.std(axis=(0, 1), ddof=1) / np.sqrt(ess_mean(draws))
    low, high = np.quantile(draws, [0.05, 0.95], axis=(0, 1))
    return Found((draws.mean(axis=(0, 1)) - case.known.mean) / error, case.known.mass(low, high))


def sampled(case: Case, seed: int, draws: int | str, **options: Any) -> NDArray[np.float64]:
    """Return the draws of a run."""
    trace = nb.sample(case.model, draws, random_seed=seed, progressbar=False, cores=1, **case.options, **options)
    return case.quantities(trace)


@contextlib.contextmanager
def early() -> Iterator[None]:
    """Have runs look early and often, and at effective sample sizes alone."""
    careless = mock.patch.object(running, "least", lambda trace: least(trace)._replace(agree=True))
    least = running.least
    with careless, mock.patch.multiple(length, _FIRST=0.1, _LEAST=4, _NEXT=1.1):
        yield


def compared(
    case: Case, seeds: Iterable[int], target: float, careless: bool = False
) -> tuple[list[int], list[Found], list[Found]]:
    """Return how long runs were, and what they say: of those that chose their length, and of others as long.

    Parameters
    ----------
    case : Case
    seeds : iterable of int
        One for each run.
    target : float
        Effective sample size.
    careless : bool
        Whether runs look early.
    """
    lengths, chosen, given = [], [], []
    for seed in seeds:
        with early() if careless else contextlib.nullcontext():
            draws = sampled(case, seed + careless * EARLY, "auto", target_ess=target)
        lengths.append(draws.shape[1])
        chosen.append(found(case, draws))
        given.append(found(case, sampled(case, seed + OTHER + careless * EARLY, draws.shape[1])))
    return lengths, chosen, given


def coverage(of_runs: list[Found]) -> NDArray[np.float64]:
    """Return of each quantity in what part of the runs its mean is within 1.645 standard errors."""
    return np.mean([np.abs(run.scores) < WIDTH for run in of_runs], axis=0)


def rows(name: str, lengths: list[int], of_runs: dict[str, list[Found]]) -> list[list[str]]:
    """Return a row for each kind of run."""
    told = []
    for kind, all_found in of_runs.items():
        held, scores = coverage(all_found), np.array([run.scores for run in all_found])
        mass = np.array([run.mass for run in all_found])
        error = 100.0 * np.sqrt(0.09 / len(all_found))
        shift, of_mass = scores.mean(axis=0), mass.mean(axis=0)
        told.append([
            name, kind, spread(lengths), f"{100 * held.mean():.1f}",
            f"{100 * held.min():.1f}..{100 * held.max():.1f} ± {error:.1f}",
            f"{shift[np.abs(shift).argmax()]:+.2f} ± {len(all_found) ** -0.5:.2f}",
            f"{100 * of_mass.mean():.1f}", f"{100 * of_mass.min():.1f}..{100 * of_mass.max():.1f}",
        ])  # fmt: skip
    return told


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.auto", description="Whether runs that end themselves cover.")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each posterior (%(default)s)")
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES), metavar="NAME", help="which")
    parser.add_argument("--target", type=float, default=length.TARGET, help="effective sample size (%(default)s)")
    parser.add_argument("--early", action="store_true", help="also runs that look early")
    options = parser.parse_args()
    print(heading(f"draws='auto', target_ess={options.target:g}: what {options.runs} runs hold, %, nominal 90"))
    told = []
    for name in options.only:
        case = CASES[name]()
        lengths, chosen, given = compared(case, range(options.runs), options.target)
        told += rows(name, lengths, {"auto": chosen, "as long": given})
        if options.early:
            lengths, chosen, given = compared(case, range(options.runs), options.target, careless=True)
            told += rows(name, lengths, {"auto, early": chosen, "as long": given})
    head = ["", "draws", "of a chain", "means", "least..most", "farthest off, MCSE", "intervals", "least..most"]
    print(table(head, told))


if __name__ == "__main__":
    main()
