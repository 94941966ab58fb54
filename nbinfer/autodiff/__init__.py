"""Reverse-mode automatic differentiation by source transformation.

A log density written in plain Python and NumPy becomes a readable function that computes value and gradient in one pass
over loops and scalars. The way: `source` and `frontend` read the function into the intermediate form of `ir`, building
it with `builder` and `arrays`; `analysis` decides what the reverse sweep needs; `emit` writes Python source; Numba
compiles that like anything else. Importing this compiles nothing and imports no Numba; the parts themselves are
imported when a gradient is derived, since a script that was compiled before derives none. What models use is in
`nbinfer.autodiff.derive`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbinfer.autodiff.api import ValueAndGrad, check_grad, value_and_grad
    from nbinfer.autodiff.custom import custom_vjp
    from nbinfer.autodiff.errors import ADError, DerivativeWarning
    from nbinfer.autodiff.generated import Generated, Type
    from nbinfer.autodiff.gradient import Grad, grad

__all__ = [
    "ADError",
    "DerivativeWarning",
    "Generated",
    "Grad",
    "Type",
    "ValueAndGrad",
    "check_grad",
    "custom_vjp",
    "grad",
    "value_and_grad",
]

_HOMES = {
    "ADError": "errors",
    "DerivativeWarning": "errors",
    "Generated": "generated",
    "Grad": "gradient",
    "Type": "generated",
    "custom_vjp": "custom",
    "grad": "gradient",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'api')}"), name)
