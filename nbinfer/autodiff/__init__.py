"""Reverse-mode automatic differentiation by source transformation.

A log density written in plain Python and NumPy becomes a readable function that computes value and gradient in one pass
over loops and scalars. The way: `source` and `frontend` read the function into the intermediate form of `ir`, building
it with `builder` and `arrays`; `analysis` decides what the reverse sweep needs; `emit` writes Python source; Numba
compiles that like anything else. Importing this compiles nothing and imports no Numba.
"""

from nbinfer.autodiff.api import Grad, ValueAndGrad, check_grad, grad, value_and_grad
from nbinfer.autodiff.custom import custom_vjp
from nbinfer.autodiff.derive import derive
from nbinfer.autodiff.errors import ADError, DerivativeWarning
from nbinfer.autodiff.program import Generated, Type

__all__ = [
    "ADError",
    "DerivativeWarning",
    "Generated",
    "Grad",
    "Type",
    "ValueAndGrad",
    "check_grad",
    "custom_vjp",
    "derive",
    "grad",
    "value_and_grad",
]
