"""Elementary and special functions that densities are made of, in a form that LLVM can vectorise.

Each takes numbers and arrays, which broadcast: in plain Python (NumPy's and SciPy's functions then do the work, without
Numba's import), in functions that Numba compiles, and in models, whose gradients know their derivatives. None raises;
what makes no sense is NaN.
"""

from nbinfer.compile import Elementwise
from nbinfer.vectormath.error import erf, erfc
from nbinfer.vectormath.exponential import cosh, exp, exp2, expm1, sinh, tanh
from nbinfer.vectormath.gamma import digamma, lgamma, trigamma
from nbinfer.vectormath.logarithm import log, log1p, log2, log10
from nbinfer.vectormath.logistic import expit, log1mexp, log1pexp, log_expit, logaddexp, logit, logsumexp

__all__ = [
    "Elementwise",
    "cosh",
    "digamma",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expit",
    "expm1",
    "lgamma",
    "log",
    "log1mexp",
    "log1p",
    "log1pexp",
    "log2",
    "log10",
    "log_expit",
    "logaddexp",
    "logit",
    "logsumexp",
    "sinh",
    "tanh",
    "trigamma",
]
