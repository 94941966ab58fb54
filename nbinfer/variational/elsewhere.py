"""A fit in another process: what is sent there, what comes back, and where it goes."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.engine.driver import Outcome
from nbinfer.engine.elsewhere import run_elsewhere, that_travels, unsendable
from nbinfer.variational.checkpoint.remembered import Remembered
from nbinfer.variational.running import Run


class Part(NamedTuple):
    """A fit as it is sent.

    Attributes
    ----------
    inference : Inference
        Without the steps of a fit, which are made anew.
    score : bool or None
    callbacks : sequence of callable
    options : mapping
        As `Inference.fit` has them.
    n : int
        Iterations.
    seconds : float or None
        How long they may be made.
    """

    inference: Any
    score: bool | None
    callbacks: Sequence[Any]
    options: Mapping[str, Any]
    n: int
    seconds: float | None


class Fitted(NamedTuple):
    """What comes back.

    Attributes
    ----------
    blocks : ndarray of int64, shape (1, fields)
        All there is to the fit.
    losses : ndarray
        Of all iterations so far.
    state : mapping
        What is not in the block, see `Remembered`.
    is_late : bool
        Whether its time was over before its end.
    error : BaseException or None
        What has ended it.
    """

    blocks: NDArray[np.int64]
    losses: NDArray[np.float64]
    state: Mapping[str, Any]
    is_late: bool
    error: BaseException | None


def part_of(inference: Any, *given: Any) -> bytes:
    """Return a fit as it is sent; what is given is as of `Part`.

    Raises
    ------
    TypeError
        If it cannot be sent.
    """
    own = copy.copy(inference)
    own.forget()
    try:
        return pickle.dumps(Part(own, *given))  # threads of this process, too, get one of their own
    except Exception as error:
        raise unsendable(error) from error


def fitted(sent: bytes) -> Fitted:
    """Make a fit's iterations in this process."""
    part: Part = pickle.loads(sent)
    inference, error = part.inference, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are said where the fit was asked for
        inference.begin(part.score, part.callbacks, **part.options)
        begun = int(inference.updates.fitting.fit.done)
        try:
            inference.run_for(part.n, False, False, seconds=part.seconds)
        except Exception as failure:
            failure.__dict__.pop("trace", None)
            error = that_travels(failure)
    fitting = inference.updates.fitting
    done = int(fitting.fit.done)
    state = Remembered(inference.approx, inference.updates, part.callbacks).state(lambda *_: None)
    is_late = part.seconds is not None and done < begun + part.n and inference.approx.report.interrupted
    return Fitted(fitting.state, fitting.losses[:done].copy(), state, is_late and error is None, error)


class RunElsewhere(Run):
    """The iterations of a fit, made by an executor; all else is as of `Run`.

    Parameters
    ----------
    executor : Executor
    part : bytes
        What it is sent.
    *given : object
        Of `Run`.
    """

    def __init__(self, executor: Executor, part: bytes, *given: Any) -> None:
        super().__init__(*given)
        self._executor, self._part = executor, part

    def _iterate(self) -> Outcome:
        fitting = self._updates.fitting
        fitting.deadline = np.inf  # the time is measured where iterations are made
        outcome = run_elsewhere(fitting, self._executor, fitted, [self._part], self._take, self._display)
        fitting.stop[0] = 0  # what is judged afterwards is no part of the run
        return outcome

    def _take(self, k: int, back: Fitted) -> BaseException | None:
        """Take over what the fit has become."""
        self._updates.fitting.restore(back.blocks, back.losses, self._begun)
        Remembered(self._approx, self._updates, self._callbacks).restore(back.state)
        if back.is_late:
            self._is_late = self._halted = True
        return back.error
