"""What is computed of draws: predictions of what is observed, for the model's data or new ones."""

from nbinfer.predictive.posterior import sample_posterior_predictive
from nbinfer.predictive.ppc import sample_ppc, sample_ppc_w
from nbinfer.predictive.simulation import simulate

__all__ = ["sample_posterior_predictive", "sample_ppc", "sample_ppc_w", "simulate"]
