"""Functions whose derivative the user gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from nbinfer.autodiff.generated import python_function
from nbinfer.compile import python_functions
from nbinfer.spelling import public

__all__ = ["custom_vjp"]


class CustomRule(NamedTuple):
    """A function with its derivative, as the user gave them."""

    name: str
    value: Any
    partials: Any


_REGISTRY: dict[Any, CustomRule] = {}


@public
def custom_vjp(partials: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give the derivative of a function of numbers, where the engine cannot derive it or you know better.

    Parameters
    ----------
    partials : callable
        Takes the function's arguments and returns the tuple of its partial derivatives, one for each argument.

    Returns
    -------
    mark : callable
        Decorator for a plain or ``njit`` function of numbers that returns a number. Applied to arrays in a density it
        works element by element.

    Raises
    ------
    ADError
        If one of the two is no Python function. When it is used: if the partial derivatives do not come as a tuple of
        one number for each argument.

    Examples
    --------
    >>> import math
    >>> from nbinfer.autodiff import custom_vjp, grad
    >>> @custom_vjp(lambda x: (math.cos(x),))
    ... def sine(x):
    ...     return math.sin(x)
    """
    python_function(partials, "partials: ")

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        plain: Any = python_function(function)
        _REGISTRY[plain] = CustomRule(plain.__name__, function, partials)
        plain.__custom_vjp__ = partials  # for fingerprints: another derivative makes another gradient
        return function

    return mark


def find_custom(function: Any) -> CustomRule | None:
    """Return the rule of a function, if the user gave one."""
    try:
        return _REGISTRY.get(python_functions.python_function(function))
    except TypeError:
        return None
