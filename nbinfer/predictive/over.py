"""The one way in which anything is computed of draws: functions ``f(p, d)`` or ``f(p, d, rng)`` at each of them.

They see the constrained values that a trace holds. Each draw has a random stream of its own, told by seed, chain and
draw, and each function numbers of its own in it, told by its name: no number depends on cores, on order, on which
chains are there, or on what else is computed.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import Progressbar, shows
from nbinfer.engine.driver import Outcome, cores_for, run
from nbinfer.engine.progress import Display, display_for
from nbinfer.engine.task import Task, finished
from nbinfer.errors import ModelError, NbinferWarning, calls_above
from nbinfer.model import Model
from nbinfer.model.code.of_draws import OTHER, Contexts, Output, functions_of_draws, observe
from nbinfer.model.definition import Definition
from nbinfer.model.evaluate import call, describe_derived, is_numerical
from nbinfer.predictive.draws import Draws, draws_of, named, values_text
from nbinfer.predictive.sweep import CHUNK, Sweeping
from nbinfer.random import Purpose, generator, key_of, seed_sequences
from nbinfer.trace.rows import fill_value

_NOTHING: Mapping[str, Any] = MappingProxyType({})

#: Draws at which functions are tried in plain Python, as long as their arithmetic fails.
_TRIALS = 5


class Evaluated(NamedTuple):
    """What came of evaluating functions.

    Attributes
    ----------
    values : dict of str to ndarray, shape (place, ...)
        Of each function; a place that nothing went to holds `nbinfer.trace.fill_value`.
    finished : ndarray of bool, shape (n,)
        Whether each item was evaluated; not so after Ctrl-C.
    """

    values: dict[str, NDArray[Any]]
    finished: NDArray[np.bool_]


class Work:
    """Functions to evaluate at draws: described, and compiled.

    Parameters
    ----------
    definition : Definition
        Whose parameters, and with which data.
    draws : Draws
    functions : mapping of str to callable
    items : ndarray of Item, shape (n,)
        At least one.
    key : ndarray
        Of the random streams.
    label : callable
        From a name to how messages call that function.
    shapes : mapping of str to tuple of int
        What some of them must return, since there are data of that name.

    Attributes
    ----------
    outputs : list of Output
        What the functions return.
    """

    def __init__(
        self,
        definition: Definition,
        draws: Draws,
        functions: Mapping[str, Callable[..., Any]],
        items: NDArray[Any],
        key: NDArray[np.uint64],
        label: Callable[[str], str],
        shapes: Mapping[str, tuple[int, ...]] = _NOTHING,
    ) -> None:
        self.definition, self.draws, self.items, self._key = definition, draws, items, key
        self.outputs = [self._observed(name, f, label(name)) for name, f in functions.items()]
        for output in self.outputs:
            if output.shape != shapes.get(output.name, output.shape):
                raise ModelError(
                    f"{output.label} must return the shape of data {output.name!r}, {shapes[output.name]}, got "
                    f"{output.shape} at {self.where(0)}"
                )

    def rng(self, item: int, name: str) -> np.random.Generator:
        """Return the generator that a function has at an item."""
        _, _, chain, number, _ = map(int, self.items[item])
        return generator(self._key, number, chain, Purpose.PREDICT, _number(name))

    def values(self, item: int) -> dict[str, Any]:
        """Return the values of all parameters at an item."""
        return self.draws.point(int(self.items["row"][item]), int(self.items["draw"][item]))

    def where(self, item: int) -> str:
        """Say in words which draw an item is."""
        row, draw = int(self.items["row"][item]), int(self.items["draw"][item])
        return f"draw {draw} of chain {self.draws.chain_ids[row]}, where {values_text(self.values(item))}"

    def _observed(self, name: str, f: Any, label: str) -> Output:
        for item in range(min(_TRIALS, len(self.items))):
            try:
                return observe(self.definition, self.values(item), name, f, label, self.rng(item, name))
            except Exception as error:
                if item + 1 == min(_TRIALS, len(self.items)) or not is_numerical(error):
                    error.add_note(f"in {label} at {self.where(item)}")
                    raise
        raise AssertionError

    def explain(self, item: int, which: int, status: int) -> BaseException:
        """Return an error for what failed: the user's own exception, if plain Python raises it, too."""
        output = self.outputs[which]
        rng = (self.rng(item, output.name),) if output.is_random else ()
        try:
            value = call(output.function, *self.definition.arguments(self.values(item)), *rng)
            shape, kind = describe_derived(value, output.label)
        except Exception as error:
            error.add_note(f"in {output.label} at {self.where(item)}")
            return error
        if shape != output.shape or status == OTHER:
            wanted, got = f"{output.kind} of shape {output.shape}", f"{kind} of shape {shape}"
            return ModelError(
                f"{output.label} must return {wanted} at every draw, as it did at the first, got {got} at "
                f"{self.where(item)}"
            )
        return ModelError(
            f"{output.label} raised an exception, compiled and not in plain Python, at {self.where(item)}"
        )

    def run(self, places: int, cores: int, display: Display) -> Evaluated:
        """Evaluate, and raise what the functions raise.

        Parameters
        ----------
        places : int
            Of the results; items say which is theirs.
        cores : int
        display : Display
        """
        values = {o.name: np.empty((places, *o.shape), o.kind) for o in self.outputs}
        workers = max(1, min(cores, -(-len(self.items) // CHUNK)))
        entry, contexts = functions_of_draws(self.definition, self.outputs), Contexts(self.definition, workers)
        outputs = [(output, values[output.name]) for output in self.outputs]
        sweeping = Sweeping(
            entry.address,
            contexts.addresses,
            list(self.draws.arrays.values()),
            self.items,
            outputs,
            [_number(output.name) for output in self.outputs],
            self._key,
            workers,
            self.explain,
        )
        done = finished(_Running(sweeping, cores, display, (entry, contexts)))
        empty = np.ones(places, bool)
        empty[self.items["place"][done]] = False
        if empty.any():
            for array in values.values():
                array[empty] = fill_value(array.dtype)
        return Evaluated(values, done)


def _number(name: str) -> int:
    """Return which numbers of each stream are a function's own."""
    return zlib.crc32(name.encode()) >> 1


class _Running(Task[NDArray[np.bool_]]):
    """Run a sweep; what comes of it is which items are finished."""

    def __init__(self, sweeping: Sweeping, cores: int, display: Display, held: Sequence[Any]) -> None:
        super().__init__()
        self._sweeping, self._cores, self._held = sweeping, cores, held
        self._display = _Together(display, len(sweeping.items))

    def work(self) -> None:
        outcome: Outcome = run(self._sweeping, self._sweeping.pieces, self._cores, self._display)
        self.result, self.error = self._sweeping.finished, outcome.error

    def stop(self) -> None:
        self._sweeping.stop[0] = 1

    def leave(self) -> None:
        self.result = self._sweeping.finished

    def tell(self, error: BaseException) -> None:
        """Add nothing: which draws are finished is of no use without their values."""


class _Together:
    """One line for all jobs of a sweep, which counts items."""

    def __init__(self, display: Display, total: int) -> None:
        self._display, self._total = display, total

    def update(self, progress: NDArray[Any]) -> None:
        one = progress[:1].copy()
        one["done"] = min(CHUNK * int(progress["done"].sum()), self._total)
        self._display.update(one)

    def expect(self, total: int, words: str) -> None:
        self._total = total
        self._display.expect(total, words)

    def close(self) -> None:
        self._display.close()


def evaluate(
    definition: Definition,
    draws: Draws,
    functions: Mapping[str, Callable[..., Any]],
    items: NDArray[Any],
    places: int,
    key: NDArray[np.uint64],
    *,
    cores: int | None = None,
    progressbar: Progressbar = True,
    label: Callable[[str], str] = repr,
    shapes: Mapping[str, tuple[int, ...]] = _NOTHING,
    check: Callable[[Mapping[str, tuple[int, ...]]], None] | None = None,
    what: str = "draws",
) -> Evaluated:
    """Evaluate functions at items.

    Parameters
    ----------
    definition : Definition
    draws : Draws
    functions : mapping of str to callable
    items : ndarray of Item, shape (n,)
    places : int
        Of the results; items say which is theirs.
    key : ndarray
        Of the random streams.
    cores : int, optional
    progressbar : bool or callable
    label : callable
    shapes : mapping of str to tuple of int
        As of `Work`.
    check : callable, optional
        Gets the shape of what each function returns, and may raise, before anything is computed.
    what : str
        What the progress bar is called.

    Returns
    -------
    evaluated : Evaluated
    """
    shows("progressbar", progressbar)
    threads = cores_for(cores)
    work = Work(definition, draws, functions, items, key, label, shapes)
    if check is not None:
        check({output.name: output.shape for output in work.outputs})
    return work.run(places, threads, display_for(progressbar, [what], len(items), "draw", lambda line: ""))


def over_draws(
    model: Model,
    trace: Any,
    functions: Mapping[str, Callable[..., Any]],
    *,
    random_seed: Any = None,
    cores: int | None = None,
    progressbar: Progressbar = True,
    label: Callable[[str], str] = repr,
    check: Callable[[Mapping[str, tuple[int, ...]]], None] | None = None,
    what: str = "draws",
) -> dict[str, NDArray[Any]]:
    """Evaluate functions at every draw of a trace.

    Parameters
    ----------
    model : Model
        Of named parameters.
    trace : Trace
        With draws of all its parameters.
    functions : mapping of str to callable
        ``f(p, d)`` or ``f(p, d, rng)``, which return a number or an array, of one shape at all draws.
    random_seed : None, int, SeedSequence or Generator
        Of the random numbers.
    cores : int, optional
        Threads at most. Default: as many as there are cores. No result depends on it.
    progressbar : bool or callable
        Whether to show progress, or a function that is told of it; as of `nbinfer.sample`.
    label : callable
        From a name to how messages call the function.
    check : callable, optional
        Gets the shape of what each function returns, and may raise, before anything is computed.
    what : str
        What the progress bar is called.

    Returns
    -------
    values : dict of str to ndarray, shape (chain, draw, ...)
        float64, int64 or bool. Rows that a chain has not reached hold `nbinfer.trace.fill_value`.

    Raises
    ------
    ModelError, TypeError
        If the trace is of another model, or a function returns something else at some draw, which the message names.
    CompileError
        If a function cannot be compiled.
    KeyboardInterrupt
        After Ctrl-C.
    Exception
        What a function raises, with a note at which draw.
    """
    definition = named(model)
    draws = draws_of(definition, trace)
    values, done = evaluate(
        definition,
        draws,
        functions,
        draws.items(),
        draws.places,
        key_for(random_seed),
        cores=cores,
        progressbar=progressbar,
        label=label,
        check=check,
        what=what,
    )
    if not done.all():
        raise KeyboardInterrupt
    return {name: draws.by_chain(array) for name, array in values.items()}


def key_for(random_seed: Any) -> NDArray[np.uint64]:
    """Return the key of all streams of a seed."""
    return key_of(seed_sequences(random_seed, 1)[0])


def say_interrupted(done: NDArray[np.bool_], what: str) -> None:
    """Warn the caller's caller that Ctrl-C has ended a sweep, and say what there is."""
    warnings.warn(f"interrupted: {int(done.sum())} of {len(done)} {what}.", NbinferWarning, calls_above())
