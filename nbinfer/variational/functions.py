"""Test functions: what an operator is applied to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import ParametrizationError
from nbinfer.spelling import public
from nbinfer.variational.values import Shared

if TYPE_CHECKING:
    from nbinfer.variational.approximation import Approximation

Floats = NDArray[np.float64]


@public
class TestFunction:
    """A function of draws that an operator is applied to, maybe with parameters.

    Attributes
    ----------
    params : list of Shared
        What is maximised over.
    """

    __test__ = False  # no test, whatever its name says

    params: list[Shared] = []

    def __call__(self, z: Floats) -> Any:
        """Return its value at draws, shape (draws, dim)."""
        raise NotImplementedError

    def setup(self, approx: Approximation) -> None:
        """Look at the approximation before anything runs."""

    @staticmethod
    def from_function(f: Callable[..., Any]) -> TestFunction:
        """Make a test function without parameters.

        Parameters
        ----------
        f : callable
            ``f(z)``.

        Returns
        -------
        function : TestFunction

        Raises
        ------
        ParametrizationError
            If it cannot be called.
        """
        if not callable(f):
            raise ParametrizationError(f"a test function is made of a function, got {type(f).__name__}.")
        return _FromFunction(f)


class _FromFunction(TestFunction):
    def __init__(self, f: Callable[..., Any]) -> None:
        self._function = f

    def __call__(self, z: Floats) -> Any:
        return self._function(z)
