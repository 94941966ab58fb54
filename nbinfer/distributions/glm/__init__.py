"""Regressions: log likelihoods of ``X @ beta + intercept + offset`` whose value and gradient come of one pass.

In plain Python and in compiled functions each is a number, the sum over all rows. In models it is one operation: the
data are read once, in blocks that stay in the processor's cache, and what is left besides the two matrix–vector
products is vectorised.
"""

from nbinfer.distributions.glm.binary import logistic, logistic_grad
from nbinfer.distributions.glm.counts import negative_binomial, negative_binomial_grad, poisson, poisson_grad
from nbinfer.distributions.glm.gaussian import linear, linear_grad
from nbinfer.distributions.glm.nominal import softmax, softmax_grad
from nbinfer.distributions.glm.ordinal import ordered, ordered_grad

__all__ = [
    "linear",
    "linear_grad",
    "logistic",
    "logistic_grad",
    "negative_binomial",
    "negative_binomial_grad",
    "ordered",
    "ordered_grad",
    "poisson",
    "poisson_grad",
    "softmax",
    "softmax_grad",
]
