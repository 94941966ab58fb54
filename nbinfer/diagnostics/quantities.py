"""The quantities of a run: which draws of each count, what they are called, what was measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from nbinfer.arguments import of_all
from nbinfer.diagnostics.measure import MIN_DRAWS, Workspace, as_chains
from nbinfer.spelling import meant

#: What the name of a parameter's unconstrained coordinates ends in.
UNCONSTRAINED = "_unconstrained__"
#: More chains than this are many: what is said of each of a few is said of all of them together, or of some.
MANY = 10
_FEW = 3
_LOCATION = ["mean", "sd", "low", "high", "hdi_low", "hdi_high", "finite"]


@dataclass(frozen=True)
class Run:
    """Finished draws of several chains.

    Attributes
    ----------
    posterior : dict of str to ndarray, shape (chain, draw, *shape)
        Draws, with rows beyond the finished ones if the run was interrupted.
    done : tuple of int, or None
        Finished draws of each chain; None: all there are, and variables differ in how many.
    chain_ids : tuple of int
        What the chains are called.
    along : mapping of str to sequence
        Labels along the axes of variables, of those that have any.
    superchains : int
        Groups of chains that began at equal points, of equally many, one after the other; 1: none.
    """

    posterior: dict[str, np.ndarray]
    done: tuple[int, ...] | None
    chain_ids: tuple[int, ...]
    along: Mapping[str, Sequence[Sequence[Any]] | None] = field(default_factory=dict)
    superchains: int = 1

    def labels(self, name: str) -> list[str]:
        """Name the entries of a variable, by their labels if it has any."""
        return labels(name, self.posterior[name].shape[2:], self.along.get(name))

    @cached_property
    def used(self) -> list[int]:
        """The chains that R-hat and ESS look at: those with at least four draws, or else all."""
        assert self.done is not None
        return [i for i, n in enumerate(self.done) if n >= MIN_DRAWS] or list(range(len(self.done)))

    @cached_property
    def draws(self) -> int:
        """How many draws of each of these chains they look at: as many as all of them have."""
        assert self.done is not None
        return min((self.done[i] for i in self.used), default=0)

    @property
    def is_ragged(self) -> bool:
        """Whether chains differ in length."""
        return self.done is not None and len(set(self.done)) > 1


@dataclass(frozen=True)
class Measured:
    """One variable and its `Measure` records, of the variable's shape; they come from every so many draws."""

    draws: np.ndarray
    done: tuple[int, ...] | None
    prob: float
    checksum: float
    records: np.ndarray
    chains: int
    every: int = 1


def read(trace: Any) -> Run:
    """Take a `Trace`, or a mapping of names to draws, for what it is."""
    group = trace if isinstance(trace, Mapping) else getattr(trace, "posterior", None)
    if not isinstance(group, Mapping):
        raise TypeError(f"trace must be a Trace, or a mapping from names to draws, got {type(trace).__name__}.")
    posterior = {str(name): as_chains(draws, str(name)) for name, draws in group.items()}
    done = getattr(trace, "draws_done", None)
    if done is None:
        shapes = {draws.shape[:2] for draws in posterior.values()} or {(0, 0)}
        if len(shapes) > 1:
            return Run(posterior, None, ())
        chains, draws = shapes.pop()
        done = [draws] * chains
    done = tuple(int(n) for n in done)
    chain_ids = getattr(trace, "chain_ids", None)
    chain_ids = tuple(range(len(done)) if chain_ids is None else map(int, chain_ids))
    axes = {name: along(trace, name, x.shape[2:]) for name, x in posterior.items()}
    firsts = (getattr(trace, "attrs", None) or {}).get("superchains", ())
    return Run(posterior, done, chain_ids, axes, _superchains(firsts, chain_ids, done))


def _superchains(firsts: Sequence[int], chain_ids: Sequence[int], done: Sequence[int]) -> int:
    """Return how many superchains there are, by the numbers of their first chains; 1 if not all are there as a whole.

    Chains that are left out of what looks at all of them leave no superchains, either.
    """
    groups = np.searchsorted(np.asarray(firsts, np.int64), np.asarray(chain_ids, np.int64), side="right")
    sizes = np.unique(groups, return_counts=True)[1]
    even = len(firsts) > 1 and len(sizes) == len(firsts) and (sizes == sizes[0]).all() and (np.diff(groups) >= 0).all()
    short = min(done, default=0) < MIN_DRAWS <= max(done, default=0)
    return len(firsts) if even and not short else 1


def chosen_names(run: Run, var_names: str | Sequence[str] | None) -> list[str]:
    """Return the variables that a user asks for; those of ``"~mu"`` and its like are all others.

    Unconstrained coordinates beside their parameter, as draws of a fit have them, are meant where they are named.
    """
    usual = [
        name
        for name in run.posterior
        if not name.endswith(UNCONSTRAINED) or name.removesuffix(UNCONSTRAINED) not in run.posterior
    ]
    names = of_all("var_names", var_names, usual, "a name in the trace or more")
    unknown = [name for name in names if name not in run.posterior]
    if unknown:
        wanted, known = ", ".join(map(repr, unknown)), ", ".join(run.posterior) or "no variables"
        raise ValueError(f"var_names has unknown {wanted}; the trace has {known}.{meant(unknown[0], run.posterior)}")
    return names


def labels(name: str, shape: tuple[int, ...], along: Sequence[Sequence[Any]] | None = None) -> list[str]:
    """Name the entries of a variable: ``mu``, ``theta[0]``, ``omega[1,2]``; by labels along axes ``theta[a, b]``."""
    if not shape:
        return [name]
    if along is None:
        return [f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(*shape)]
    return [f"{name}[{', '.join(map(_shown, label))}]" for label in itertools.product(*along)]


def along(trace: Any, name: str, shape: tuple[int, ...]) -> list[Sequence[Any]] | None:
    """Return the labels along the axes of a variable, numbers where there are none; None if no axis has any."""
    coords = getattr(trace, "coords", {})
    axes = [*getattr(trace, "dims", {}).get(name, ()), *[None] * len(shape)][: len(shape)]
    given = {k: coords[axis] for k, axis in enumerate(axes) if axis in coords and len(coords[axis]) == shape[k]}
    return [given.get(k, range(n)) for k, n in enumerate(shape)] if given else None


def _shown(label: Any) -> str:
    return str(np.datetime_as_string(label, "auto")) if isinstance(label, np.datetime64) else str(label)


def known_of(trace: Any) -> Mapping[str, Measured] | None:
    """Return what the report of a trace has measured, if it has one."""
    return getattr(getattr(trace, "report", None), "measured", None)


def measure_run(
    run: Run,
    names: Iterable[str],
    prob: float,
    known: Mapping[str, Measured] | None = None,
    most: int | None = None,
) -> dict[str, Measured]:
    """Measure every variable named.

    Mean, standard deviation and intervals come from all finished draws. R-hat and effective sample sizes need chains
    of equal length and come from the part that the chains of `Run.used` have in common.

    Parameters
    ----------
    run : Run
        From `read`.
    names : iterable of str
        Variables of the run.
    prob : float
        Probability of the intervals.
    known : mapping of str to Measured, optional
        Earlier results; those of the same draws are taken over.
    most : int, optional
        How many draws of a chain are enough. Of a chain that has more, only every so many are looked at, unless there
        are some that are not finite.

    Returns
    -------
    measured : dict of str to Measured
        In the order of `names`.
    """
    spaces: dict[tuple[int, int], Workspace] = {}

    def look_at(draws: np.ndarray) -> np.ndarray:
        shape = draws.shape[:2]
        if shape not in spaces:
            spaces[shape] = Workspace(shape[0], shape[1], run.superchains if shape[0] > 1 else 1)
        return spaces[shape].measure(draws, prob)

    result = {}
    for name in names:
        draws = run.posterior[name]
        with np.errstate(all="ignore"):
            checksum = float(np.add.reduce(draws, axis=None, dtype=float))
        old = known.get(name) if known else None
        # The sum tells draws that somebody has changed in place; a NaN never equals itself and is measured again.
        same = old is not None and old.draws is draws and (old.every == 1 or most is not None)
        if old and same and (old.done, old.prob, old.checksum) == (run.done, prob, checksum):
            result[name] = old
            continue
        every = _spacing(run, draws, checksum, most)
        records, chains = _look(run, draws, every, look_at)
        result[name] = Measured(draws, run.done, prob, checksum, records, chains, every)
    return result


def _look(
    run: Run, draws: np.ndarray, every: int, look_at: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, int]:
    """Return the records of one variable, and of how many chains R-hat is."""
    if run.done is None:
        part = draws
    elif len(run.used) == len(run.done):
        part = draws[:, : run.draws]
    else:
        part = draws[run.used, : run.draws]
    records = look_at(part[:, every - 1 :: every])
    if run.is_ragged:
        assert run.done is not None
        everything = np.concatenate([chain[:n:every] for chain, n in zip(draws, run.done, strict=True)])
        records[_LOCATION] = look_at(everything[None])[_LOCATION]
    return records, part.shape[0]


def _spacing(run: Run, draws: np.ndarray, checksum: float, most: int | None) -> int:
    """Return of how many draws one is looked at."""
    if most is None or run.done is None or max(run.done, default=0) <= most:
        return 1
    if run.is_ragged:  # what is unfinished is not finite
        with np.errstate(all="ignore"):
            checksum = sum(
                float(np.add.reduce(c[:n], axis=None, dtype=float)) for c, n in zip(draws, run.done, strict=True)
            )
    return -(-max(run.draws, 1) // most) if math.isfinite(checksum) else 1


def spaced_note(measured: Mapping[str, Measured]) -> str | None:
    """Say which draws everything comes from, if not from all."""
    every = max((m.every for m in measured.values()), default=1)
    return (
        f"Of such long chains one draw of {every} was looked at; nbinfer.summary looks at all." if every > 1 else None
    )


def cut_note(run: Run) -> str | None:
    """Say which draws R-hat and ESS come from, if not from all."""
    if not run.is_ragged:
        return None
    chains = join("chain", [run.chain_ids[i] for i in run.used])
    return f"R-hat, ESS and MCSE come from the first {run.draws} draws of {chains}; the rest from all finished draws."


def join(noun: str, items: Iterable[object]) -> str:
    """Write a list in words: "chain 2", "chains 0, 1 and 3"; of a long one the first few."""
    words = [str(item) for item in items]
    if len(words) > MANY:
        words = [*words[:_FEW], f"{len(words) - _FEW} more"]
    return f"{noun}{'' if len(words) == 1 else 's'} {listed(words)}"


def some(items: Sequence[str]) -> str:
    """Write numbers that belong to what `join` lists."""
    return ", ".join(items) if len(items) <= MANY else f"{', '.join(items[:_FEW])}, …"


def listed(words: Sequence[str]) -> str:
    """Write words one after the other: "a", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
