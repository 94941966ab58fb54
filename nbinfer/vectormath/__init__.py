"""Elementary and special functions that densities are made of, in a form that LLVM can vectorise.

Each takes numbers and arrays, which broadcast: in plain Python (NumPy's and SciPy's functions then do the work, without
Numba's import), in functions that Numba compiles, and in models, whose gradients know their derivatives. None raises;
what makes no sense is NaN.
"""

from nbinfer.compile import Elementwise
from nbinfer.vectormath.bessel import i1_over_i0, log_i0e
from nbinfer.vectormath.beta import lbeta, log_binomial
from nbinfer.vectormath.choice import floor, is_whole, select, where_valid
from nbinfer.vectormath.deviance import (
    log_polya,
    log_polya_rest,
    minus_deviance,
    minus_deviance_log,
    stirling_rest,
    stirling_rest_whole,
)
from nbinfer.vectormath.error import erf, erfc, log_erfcx, log_ndtr, ndtr, ndtri
from nbinfer.vectormath.exponential import cosh, exp, exp2, expm1, sinh, tanh
from nbinfer.vectormath.gamma import digamma, digamma_positive, lgamma, lgamma_positive, trigamma
from nbinfer.vectormath.incomplete_beta import betainc, betaincc, log_betainc, log_betaincc
from nbinfer.vectormath.incomplete_gamma import gammainc, gammaincc, log_gammainc, log_gammaincc
from nbinfer.vectormath.logarithm import log, log1p, log2, log10
from nbinfer.vectormath.logistic import expit, log1mexp, log1pexp, log_expit, logaddexp, logit, logsumexp
from nbinfer.vectormath.products import xlog1py, xlogy
from nbinfer.vectormath.rows import pick, row_logsumexp, row_sum

__all__ = [
    "Elementwise",
    "betainc",
    "betaincc",
    "cosh",
    "digamma",
    "digamma_positive",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expit",
    "expm1",
    "floor",
    "gammainc",
    "gammaincc",
    "i1_over_i0",
    "is_whole",
    "lbeta",
    "lgamma",
    "lgamma_positive",
    "log",
    "log1mexp",
    "log1p",
    "log1pexp",
    "log2",
    "log10",
    "log_betainc",
    "log_betaincc",
    "log_binomial",
    "log_erfcx",
    "log_expit",
    "log_gammainc",
    "log_gammaincc",
    "log_i0e",
    "log_ndtr",
    "log_polya",
    "log_polya_rest",
    "logaddexp",
    "logit",
    "logsumexp",
    "minus_deviance",
    "minus_deviance_log",
    "ndtr",
    "ndtri",
    "pick",
    "row_logsumexp",
    "row_sum",
    "select",
    "sinh",
    "stirling_rest",
    "stirling_rest_whole",
    "tanh",
    "trigamma",
    "where_valid",
    "xlog1py",
    "xlogy",
]
