"""Whether chains move at all: what is constant has neither R-hat nor effective sample size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import numpy as np

from nbinfer.diagnostics.measure import MIN_DRAWS
from nbinfer.diagnostics.of_draws import RHAT_LIMIT
from nbinfer.diagnostics.problem import Kind, Problem, sentence
from nbinfer.diagnostics.quantities import MANY, Measured, Run, join, listed
from nbinfer.diagnostics.rhat import largest_rhat

_NAMED = 3
#: One of many chains may stand still for fewer draws by chance.
_TELLING = 25
#: About so many draws are compared at a time: a copy of them is made.
_LOOKED_AT = 1 << 20


def stuck(
    run: Run, measured: dict[str, Measured], parameters: Sequence[str] | None, explained: str, notes: list[str]
) -> Problem | None:
    """Look for parameters that never moved.

    A continuous one always should. A discrete one need not, if its posterior has one value: that is a note, unless the
    chains disagree about the value. Elements that a parameter's support fixes at 0 or 1, as the first row of a Cholesky
    factor, do not count, and what is derived from parameters is as constant as its definition.

    Parameters
    ----------
    run : Run
    measured : dict of str to Measured
    parameters : sequence of str, or None
        Names of the parameters in the run. None: nobody knows; then what is constant is a problem if nothing moves.
    explained : str
        Says so if another problem explains it.
    notes : list of str
        Receives what is no problem.
    """
    if run.draws < MIN_DRAWS:
        return None
    used = run.used
    chains = [run.chain_ids[i] for i in used]
    looked = {name: _still(run, name, used) for name in (run.posterior if parameters is None else parameters)}
    few = len(used) > MANY and run.draws < _TELLING
    nothing_moves = all(still.all() for still, _ in looked.values())
    by_chains: dict[tuple[int, ...], list[str]] = {}
    constant: list[str] = []
    for name, (still, values) in looked.items():
        if not still.any():
            continue
        if few:
            still = still & still.all(axis=0)
        agrees = still.all(axis=0) & (values == values[0]).all(axis=0)
        if parameters is None and not nothing_moves:
            constant += [name] if agrees.all() else []
            continue
        if run.posterior[name].dtype.kind == "f":
            bad = still & ~(agrees & np.isin(values[0], (0.0, 1.0)) & (not still.all()))
        else:
            bad = still & (largest_rhat(measured[name].records).ravel() > RHAT_LIMIT)
            constant += _names(name, run, agrees)
        found = np.flatnonzero(bad.any(axis=0))
        every = run.labels(name) if found.size else []
        for element in found:
            where = tuple(compress(chains, bad[:, element]))
            by_chains.setdefault(where, []).append(every[element])
    if constant:
        notes.append(
            f"{_listed(constant)} had one value in all draws, of which R-hat and ESS say nothing: by definition, or "
            "with a posterior probability close to 1, or because the chains cannot leave it. Other starts would tell."
        )
    return _problem(by_chains, tuple(chains), explained)


def _problem(by_chains: dict[tuple[int, ...], list[str]], chains: tuple[int, ...], explained: str) -> Problem | None:
    """Say which quantities never moved in which chains."""
    if not by_chains:
        return None
    texts = []
    for which, names in by_chains.items():
        place = "any chain" if which == chains and len(chains) > 1 else join("chain", which)
        texts.append(f"{_listed(names)} never moved in {place}.")
    remedy = sentence(explained) or ": look at the step, the start and logp."
    message = f"{' '.join(texts)} Such draws say nothing about the posterior{remedy}"
    count = sum(len(names) for names in by_chains.values())
    return Problem(Kind.NOT_MOVED, count, tuple(sorted(set().union(*by_chains))), message)


def _still(run: Run, name: str, chains: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return for each chain and element whether all draws are equal, and the first of them."""
    draws, done = run.posterior[name], np.array(run.done)[chains]
    draws = draws.reshape(*draws.shape[:2], -1)
    still, values = np.zeros((len(chains), draws.shape[2]), bool), draws[chains, 0]
    for n in sorted(set(done.tolist())):  # np.unique takes 9 ms to import np.ma
        alike = np.flatnonzero(done == n)
        places, first = np.take(chains, alike), values[alike]
        same = (draws[places, n - 1] == first) & (draws[places, n // 2] == first)
        where = np.argwhere(same)  # few get here: the rest of the draws is worth a look
        some = 1 + _LOOKED_AT // n
        for start in range(0, len(where), some):
            row, element = where[start : start + some].T
            same[row, element] = (draws[places[row], :n, element] == first[row, element, None]).all(axis=1)
        still[alike] = same
    return still, values


def _names(name: str, run: Run, chosen: np.ndarray) -> list[str]:
    """Name the chosen elements of a variable; the variable itself if that is all of them."""
    if chosen.all():
        return [name]
    every = run.labels(name)
    return [every[i] for i in np.flatnonzero(chosen)]


def _listed(names: Sequence[str]) -> str:
    """Write names in words, the first few if there are many."""
    if len(names) > _NAMED + 1:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return listed(names)
