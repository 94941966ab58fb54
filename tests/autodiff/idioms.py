"""Forms in which people write densities, one function each; `REFUSED` says which have no derivative and what is said.

Each function takes the six numbers of `X` and returns a number; a name that starts with an underscore is a helper.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

X = np.array([0.3, -0.7, 1.1, 0.45, -1.6, 0.9])


def idioms_of(module: ModuleType) -> list[Callable[..., Any]]:
    """Return the functions of a module of idioms, in their order."""
    functions = [f for name, f in vars(module).items() if inspect.isfunction(f) and not name.startswith("_")]
    return [f for f in functions if f.__module__ == module.__name__]
