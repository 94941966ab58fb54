"""Markov chain Monte Carlo: samplers, their adaptation, and the driver that runs chains."""

from nbinfer.mcmc.nuts import NUTS
from nbinfer.mcmc.sample import sample

__all__ = ["NUTS", "sample"]
