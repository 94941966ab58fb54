"""What users' functions raise: whether it says that a point is bad, and how to have it raised again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

#: Failures of the user's arithmetic that a sampler treats like a divergence; any other exception stops the run.
ARITHMETIC = (FloatingPointError, ZeroDivisionError, OverflowError)


class Point(NamedTuple):
    """Where something failed: unconstrained coordinates and discrete values."""

    position: np.ndarray
    discrete: np.ndarray


def is_arithmetic(error: BaseException) -> bool:
    """Tell whether an exception of the user's function is a failure of arithmetic at one point."""
    return isinstance(error, ARITHMETIC) or type(error).__name__ == "LinAlgError"


def replayed(bound: Any, position: Any, discrete: Any) -> BaseException | None:
    """Evaluate a model's functions at a point in plain Python and return what they raise."""
    return raised_by(lambda: bound.replay(position, discrete))


def raised_by(run: Callable[[], Any]) -> BaseException | None:
    """Return what a call raises, None if it does not."""
    try:
        run()
    except Exception as error:
        return error
    return None
