"""Exceptions and warnings of nbinfer."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


class NbinferError(Exception):
    """Base of every exception that nbinfer defines."""


class ModelError(NbinferError, ValueError):
    """A model, its data or a point does not fit together."""


class CompileError(NbinferError, TypeError):
    """A function of the user's cannot be compiled."""


class SamplingError(NbinferError, RuntimeError):
    """A run cannot start or cannot go on.

    Attributes
    ----------
    trace : Trace or None
        What was finished before.
    """

    trace: object = None


class ResumeError(SamplingError):
    """A run cannot be gone on with: model, data, steps or programs are others, or what it has left is damaged."""


class PositiveDefiniteError(NbinferError, ValueError):
    """A metric is not positive definite.

    Parameters
    ----------
    message : str
        What is wrong, with the entries.
    indices : array_like of int
        The entries that are in the way.
    """

    def __init__(self, message: str, indices: Any = ()) -> None:
        super().__init__(message)
        self.indices = [int(i) for i in indices]


class VariationalInferenceError(NbinferError):
    """Base of what goes wrong in variational inference."""


class ExplicitInferenceError(VariationalInferenceError, TypeError):
    """An approximation without a density is used where one is needed."""


class ParametrizationError(VariationalInferenceError, ValueError):
    """Parameters, starts or functions of an approximation do not fit together."""


class GroupError(VariationalInferenceError, TypeError):
    """Groups do not divide the parameters of a model among themselves."""


class BatchedGroupError(GroupError):
    """A group cannot be approximated row by row."""


class AEVBInferenceError(VariationalInferenceError, TypeError):
    """A method is asked for local parameters that it cannot have."""


class LocalGroupError(BatchedGroupError, AEVBInferenceError):
    """A group cannot be local, or a parameter is local where its group is not."""


class FitError(VariationalInferenceError, FloatingPointError):
    """A fit cannot go on: parameters are not finite, or the density fails too often."""


class StreamingError(NbinferError, RuntimeError):
    """Data that come in batches end: a generator has no more, or what batches are taken from has shrunk."""


class BackendError(NbinferError, OSError):
    """What takes draws, or gives them back, is damaged, of another kind than is wanted, or in use."""


class CudaError(NbinferError, RuntimeError):
    """A run on a GPU cannot start, or cannot go on.

    Parameters
    ----------
    missing : {'package', 'driver', 'device', 'nvvm', 'memory'}
        What is not there, or not enough.
    message : str
        What that means, and what to do.
    """

    def __init__(self, missing: str, message: str) -> None:
        super().__init__(message)
        self.missing = missing


class NbinferWarning(UserWarning):
    """Base of every warning that nbinfer issues."""


class ConvergenceWarning(NbinferWarning):
    """The draws may not represent the posterior."""


class ComparisonWarning(NbinferWarning):
    """An estimate of how well a model predicts is not to be trusted."""


class PerformanceWarning(NbinferWarning):
    """The run is correct and slower than it needs to be."""


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """Let what cannot be shown go unseen: that a screen, or a hook in front of it, fails is no reason to end a run.

    A warning that a filter turned into an error is what the user asked for, and raised.
    """
    try:
        yield
    except Warning:
        raise
    except Exception:
        return


def calls_above() -> int:
    """Return the `stacklevel` of a warning, issued by the function that asks, that points at the user's line."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_globals.get("__name__", "").partition(".")[0] == "nbinfer" and frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return depth
