"""Elementary and special functions that densities are made of, in a form that LLVM can vectorise.

Each takes numbers and arrays, which broadcast: in plain Python (NumPy's and SciPy's functions then do the work, without
Numba's import), in functions that Numba compiles, and in models, whose gradients know their derivatives. None raises;
what makes no sense is NaN.
"""

from nbinfer.compile import Elementwise
from nbinfer.vectormath.error import erf, erfc
from nbinfer.vectormath.exponential import exp, expit, expm1, log, log1p, log1pexp, log_expit, logaddexp, logsumexp
from nbinfer.vectormath.gamma import digamma, lgamma, trigamma

__all__ = [
    "Elementwise",
    "digamma",
    "erf",
    "erfc",
    "exp",
    "expit",
    "expm1",
    "lgamma",
    "log",
    "log1p",
    "log1pexp",
    "log_expit",
    "logaddexp",
    "logsumexp",
    "trigamma",
]
