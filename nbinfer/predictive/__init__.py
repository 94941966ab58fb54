"""What is computed of draws: predictions, log likelihoods, and how well models predict."""

from nbinfer.predictive.comparing import compare, loo, waic
from nbinfer.predictive.densities import compute_log_likelihood, compute_log_prior
from nbinfer.predictive.posterior import sample_posterior_predictive
from nbinfer.predictive.ppc import sample_ppc, sample_ppc_w
from nbinfer.predictive.prior import sample_prior_predictive
from nbinfer.predictive.simulation import simulate

__all__ = [
    "compare",
    "compute_log_likelihood",
    "compute_log_prior",
    "loo",
    "sample_posterior_predictive",
    "sample_ppc",
    "sample_ppc_w",
    "sample_prior_predictive",
    "simulate",
    "waic",
]
