"""What `sample` and its like ask of their arguments; checked before anything starts."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np

from nbinfer.arguments import MOST, fits, is_number
from nbinfer.engine.driver import cores_for
from nbinfer.model import Model
from nbinfer.model.default import the_model
from nbinfer.spelling import meant
from nbinfer.trace.backend import Backend, Memory
from nbinfer.trace.disk import HDF5, SUFFIXES
from nbinfer.trace.records import Handed, SQLite, Text

#: Iterations of warm-up, at most where it ends as soon as it may.
MOST_TUNE = 1000
#: Bytes of memory that a chain takes at least, and those for each coordinate besides.
LEAST_OF_CHAIN, LEAST_OF_COORDINATE = 1000, 24

#: Back ends that have names; they write to a file, or a folder, called "mcmc" where the process is.
NAMED: Mapping[str, type[Backend]] = {"text": Text, "sqlite": SQLite, "hdf5": HDF5}


def ready(model: Any, steps: Iterable[Any] = ()) -> Model:
    """Return the model of a run; if none is given, that of a step that knows its own, or of the ``with`` block."""
    if model is None:
        model = next((of for of in (getattr(step, "model", None) for step in steps) if of is not None), None)
    chosen = the_model(model)
    chosen.definition.needs_all_data()
    return chosen


def is_whole(value: Any) -> bool:
    """Tell whether a value is an int, and no bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_count(name: str, value: Any, least: int) -> None:
    """Require an int of at least so much, and not absurdly large."""
    if not is_whole(value):
        raise TypeError(f"{name} must be an int, got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")
    if value > MOST:
        raise ValueError(f"{name} must be at most 2**48, got {value}.")


class WarmUp(NamedTuple):
    """What `tune` asks for.

    Attributes
    ----------
    tune : int
        Iterations, at most.
    auto : bool
        Whether a chain may do with fewer.
    """

    tune: int
    auto: bool


def is_tune(value: Any) -> bool:
    """Tell whether a value can be meant for `tune`."""
    return is_number(value) or (isinstance(value, str) and value == "auto")


def warm_up(tune: Any, usual: int = MOST_TUNE) -> WarmUp:
    """Return what `tune` asks for: a number of iterations, or as many as it takes; None is what is `usual`."""
    if tune is None:
        return WarmUp(usual, False)
    if isinstance(tune, str):
        if tune != "auto":
            raise ValueError(f"tune must be a number of iterations or 'auto', got {tune!r}.")
        return WarmUp(MOST_TUNE, True)
    if not is_whole(tune):
        raise TypeError(f"tune must be an int or 'auto', got {tune!r}.")
    check_count("tune", tune, 0)
    return WarmUp(tune, False)


def check_size(model: Model, chains: int, tune: int, draws: int, taker: Backend, kept: set[str] | None) -> None:
    """Require that memory may hold chains, and their draws if these stay there; `kept` names what is kept, None all.

    Raises
    ------
    MemoryError
        If it cannot, by what is known before anything is made.
    """
    own = LEAST_OF_CHAIN + LEAST_OF_COORDINATE * model.dim
    fits(chains * own, f"{chains} chains", "take fewer")
    if not isinstance(taker, Memory):
        return
    sizes = [math.prod(p.shape) for name, p in model.parameters.items() if kept is None or name in kept]
    rows, of_row = draws // taker.thin, 8.0 * sum(sizes)
    fits(
        chains * rows * of_row,
        f"{rows} draws of {chains} chains",
        "take fewer, keep fewer names (trace=[...]), or write them to a file (trace='run.nc')",
    )
    fits(chains * (tune + rows) * 8.0, f"statistics of {tune + rows} draws of {chains} chains", "take fewer")


def superchains_of(superchains: Any, chains: int, start: Any) -> int:
    """Return the number of superchains, 1 if there are none; a start for each chain leaves no room for any."""
    if superchains is None:
        return 1
    check_count("superchains", superchains, 2)
    if chains % superchains or superchains == chains:
        raise ValueError(
            f"chains must be a multiple of superchains, and more, got {chains} and {superchains}; pass chains=."
        )
    if isinstance(start, Sequence) and len(start) != superchains:
        raise ValueError(f"start must be one mapping, or one per superchain ({superchains}), got {len(start)}.")
    return int(superchains)


def start_of(start: Sequence[Any] | None, superchains: int) -> Sequence[Any] | None:
    """Return what an initialiser has found for each chain: of superchains that of the first chain of each."""
    return start if start is None or superchains == 1 else start[:: len(start) // superchains]


def chains_at_a_time(cores: Any, njobs: Any, chains: int) -> int:
    """Return how many chains run at the same time."""
    if cores is not None and njobs is not None:
        raise ValueError("cores and njobs are the same option; pass cores.")
    return min(chains, cores_for(cores) if njobs is None else cores_for(njobs, "njobs"))


class Limits(NamedTuple):
    """What may end a run before its last draw.

    Attributes
    ----------
    max_seconds : float or None
        Of sampling, from the first draw of this call on.
    max_evals : int or None
        Evaluations of gradient, density or conditional, of all chains together; each has an equal share.
    """

    max_seconds: float | None = None
    max_evals: int | None = None


def limits_for(max_seconds: Any, max_evals: Any) -> Limits:
    """Return what may end a run before its last draw."""
    if max_seconds is not None:
        if not is_number(max_seconds):
            raise TypeError(f"max_seconds must be a number of seconds or None, got {max_seconds!r}.")
        if not max_seconds > 0:
            raise ValueError(f"max_seconds must be positive, got {max_seconds!r}.")
        max_seconds = float(max_seconds)
    if max_evals is not None:
        check_count("max_evals", max_evals, 1)
        max_evals = int(max_evals)
    return Limits(max_seconds, max_evals)


def destination(model: Model, trace: Any) -> tuple[Backend, set[str] | None]:
    """Return the back end that `trace` means, and the names that it keeps; None for all."""
    backend = _backend(trace) or Memory(_names(trace))
    kept = _known(model, backend.vars)
    backend.admit([name for name in (*model.parameters, *model.derived) if kept is None or name in kept])
    backend.check()
    return backend, kept


def _backend(trace: Any) -> Backend | None:
    """Return the back end that `trace` names, or is; None if it is neither."""
    if isinstance(trace, Backend):
        return trace
    if isinstance(trace, type) and issubclass(trace, Backend):
        raise TypeError(f"trace must be a back end, got its class; pass one, nb.{trace.__name__}(name).")
    if all(callable(getattr(trace, name, None)) for name in ("setup", "record", "close")):
        return Handed(trace)
    if isinstance(trace, str) and trace in NAMED:
        return NAMED[trace]()
    if isinstance(trace, os.PathLike) or (isinstance(trace, str) and PurePath(trace).suffix):
        if PurePath(trace).suffix not in SUFFIXES:
            raise ValueError(
                f"a file for draws is named {' or '.join(SUFFIXES)} at its end, got {str(trace)!r}; "
                "nb.SQLite(name) makes a database, nb.Text(name) a folder of CSV files."
            )
        return HDF5(trace)
    return None


def kept_names(model: Model, trace: Any) -> set[str] | None:
    """Return the names that a trace in memory keeps; None for all."""
    return _known(model, _names(trace, ""))


def _names(
    trace: Any, also: str = ", the name of a file such as 'run.nc', 'text', 'sqlite' or a back end"
) -> list[str] | None:
    """Return a list of names as it is, or complain."""
    if trace is None:
        return None
    if isinstance(trace, str) or not isinstance(trace, Sequence) or not all(isinstance(n, str) for n in trace):
        near = meant(trace, NAMED) if isinstance(trace, str) and also else ""
        raise TypeError(f"trace must be a list of names to keep{also}, got {trace!r}.{near}")
    return list(trace)


def _known(model: Model, names: list[str] | None) -> set[str] | None:
    """Return the names as a set, all of which the model must have."""
    if names is None:
        return None
    known = [*model.parameters, *model.derived]
    unknown = [name for name in names if name not in known]
    if unknown:
        near = meant(unknown[0], known)
        raise ValueError(f"trace names {unknown[0]!r}, which the model lacks; it has {', '.join(known)}.{near}")
    return set(names)
